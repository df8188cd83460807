#include "train/adamw.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "train/lanes.h"

namespace loam::train {
namespace {

constexpr std::size_t kChunk = 16384;

struct StepNumbers {
  float rate = 0, decay = 0, scale = 0, beta1 = 0, beta2 = 0, first_correction = 0, second_correction = 0,
        epsilon = 0;
};

LOAM_EACH_WIDTH void step_range(float* p, const float* g, float* m, float* v, std::size_t count,
                                const StepNumbers& n) {
  for (std::size_t i = 0; i < count; ++i) {
    const float gradient = g[i] * n.scale;
    m[i] = n.beta1 * m[i] + (1.0F - n.beta1) * gradient;
    v[i] = n.beta2 * v[i] + (1.0F - n.beta2) * gradient * gradient;
    const float direction = m[i] * n.first_correction / (std::sqrt(v[i] * n.second_correction) + n.epsilon);
    p[i] -= n.rate * direction + n.decay * p[i];
  }
}

}  // namespace

void adamw_step(Team& team, std::span<float> parameters, std::span<const float> gradients,
                std::span<float> first_moments, std::span<float> second_moments, std::int64_t step,
                float learning_rate, float gradient_scale, const AdamWOptions& options) {
  const auto t = static_cast<double>(step);
  StepNumbers n;
  n.rate = learning_rate;
  n.decay = learning_rate * options.weight_decay;
  n.scale = gradient_scale;
  n.beta1 = options.beta1;
  n.beta2 = options.beta2;
  n.first_correction = static_cast<float>(1.0 / (1.0 - std::pow(static_cast<double>(options.beta1), t)));
  n.second_correction = static_cast<float>(1.0 / (1.0 - std::pow(static_cast<double>(options.beta2), t)));
  n.epsilon = options.epsilon;
  const std::size_t chunks = (parameters.size() + kChunk - 1) / kChunk;
  team.run(chunks, [&](std::size_t chunk) {
    const std::size_t begin = chunk * kChunk;
    const std::size_t count = std::min(kChunk, parameters.size() - begin);
    step_range(parameters.data() + begin, gradients.data() + begin, first_moments.data() + begin,
               second_moments.data() + begin, count, n);
  });
}

double norm_of(Team& team, std::span<const float> values) {
  const std::size_t chunks = (values.size() + kChunk - 1) / kChunk;
  std::vector<double> sums(chunks);
  team.run(chunks, [&](std::size_t chunk) {
    const std::size_t end = std::min(values.size(), (chunk + 1) * kChunk);
    double sum = 0;
    for (std::size_t i = chunk * kChunk; i < end; ++i) {
      sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
    }
    sums[chunk] = sum;
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return std::sqrt(total);
}

double Schedule::at(std::int64_t step) const {
  if (step <= warmup_steps) return peak * static_cast<double>(step) / static_cast<double>(warmup_steps);
  const double span = static_cast<double>(std::max<std::int64_t>(steps - warmup_steps, 1));
  const double share = std::min(1.0, static_cast<double>(step - warmup_steps - 1) / span);
  const double cosine = 0.5 * (1.0 + std::cos(std::numbers::pi * share));
  return peak * (floor_share + (1.0 - floor_share) * cosine);
}

}  // namespace loam::train
