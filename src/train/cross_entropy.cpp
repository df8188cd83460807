#include "train/cross_entropy.h"

#include <cmath>
#include <limits>
#include <vector>

#include "train/lanes.h"
#include "train/narrow.h"

namespace loam::train {
namespace {

struct RowSum {
  float most = 0, sum = 0;
};

LOAM_EACH_WIDTH RowSum exponential_sum(const float* logits, std::size_t count) {
  const float most =
      max_lanes(count, -std::numeric_limits<float>::infinity(), [&](std::size_t i) { return logits[i]; });
  const float sum = sum_lanes(count, [&](std::size_t i) { return fast_exp(logits[i] - most); });
  return {most, sum};
}

template <typename T>
LOAM_INLINE void gradient_row(const float* logits, std::size_t count, float shift, float weight, T* out) {
  for (std::size_t i = 0; i < count; ++i) out[i] = narrow<T>(weight * fast_exp(logits[i] - shift));
}
LOAM_EACH_WIDTH void gradient(const float* logits, std::size_t count, float shift, float weight, float* out) {
  gradient_row(logits, count, shift, weight, out);
}
LOAM_EACH_WIDTH void gradient(const float* logits, std::size_t count, float shift, float weight, Bf16* out) {
  gradient_row(logits, count, shift, weight, out);
}

}  // namespace

double cross_entropy(Team& team, const float* logits, std::size_t vocabulary,
                     std::span<const std::int32_t> targets, float weight, Precision precision,
                     Operand* gradients) {
  if (gradients != nullptr) gradients->shape(precision, targets.size(), vocabulary);
  std::vector<double> losses(targets.size());
  with_type(precision, [&](auto type) {
    using T = decltype(type);
    team.run(targets.size(), [&](std::size_t row) {
      const float* values = logits + row * vocabulary;
      const auto target = static_cast<std::size_t>(targets[row]);
      const RowSum sum = exponential_sum(values, vocabulary);
      const float log_sum = std::log(sum.sum);
      losses[row] =
          static_cast<double>(sum.most) + static_cast<double>(log_sum) - static_cast<double>(values[target]);
      if (gradients == nullptr) return;
      T* out = gradients->row<T>(row);
      const float shift = sum.most + log_sum;
      gradient(values, vocabulary, shift, weight, out);
      if (vocabulary % 2 != 0) out[vocabulary] = T{};  // products of bf16 read pairs
      out[target] = narrow<T>(weight * (std::exp(values[target] - shift) - 1.0F));
    });
  });
  double total = 0;
  for (const double loss : losses) total += loss;
  return total;
}

}  // namespace loam::train
