#include "train/layer_norm.h"

#include <cmath>

#include "train/lanes.h"

namespace loam::train {
namespace {

struct Moments {
  float mean = 0, scale = 0;  // scale: 1 / sqrt(variance + epsilon)
};

LOAM_INLINE Moments moments_of(const float* x, std::size_t columns, float epsilon) {
  const auto count = static_cast<float>(columns);
  const float mean = sum_lanes(columns, [&](std::size_t i) { return x[i]; }) / count;
  const float squares = sum_lanes(columns, [&](std::size_t i) { return (x[i] - mean) * (x[i] - mean); });
  return {mean, 1.0F / std::sqrt(squares / count + epsilon)};
}

LOAM_EACH_WIDTH void normalise_row(const float* x, std::size_t columns, const float* weight,
                                   const float* bias, float epsilon, float* y) {
  const Moments of = moments_of(x, columns, epsilon);
  for (std::size_t i = 0; i < columns; ++i) y[i] = (x[i] - of.mean) * of.scale * weight[i] + bias[i];
}

/// With n = (x - mean) scale and g = w dy: dx = scale (g - mean(g) - n mean(g n)).
LOAM_EACH_WIDTH void normalise_row_backward(const float* x, std::size_t columns, const float* weight,
                                            float epsilon, const float* dy, float* dx) {
  const Moments of = moments_of(x, columns, epsilon);
  const auto count = static_cast<float>(columns);
  const float plain = sum_lanes(columns, [&](std::size_t i) { return weight[i] * dy[i]; }) / count;
  const float along =
      sum_lanes(columns, [&](std::size_t i) { return weight[i] * dy[i] * (x[i] - of.mean) * of.scale; }) /
      count;
  for (std::size_t i = 0; i < columns; ++i) {
    dx[i] = of.scale * (weight[i] * dy[i] - plain - (x[i] - of.mean) * of.scale * along);
  }
}

}  // namespace

void layer_norm(Team& team, const float* x, std::size_t rows, std::size_t columns, const float* weight,
                const float* bias, float epsilon, float* y) {
  run_ranges(team, rows, 16, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      normalise_row(x + r * columns, columns, weight, bias, epsilon, y + r * columns);
    }
  });
}

void layer_norm_backward(Team& team, const float* x, std::size_t rows, std::size_t columns,
                         const float* weight, float epsilon, const float* dy, float* dx) {
  run_ranges(team, rows, 16, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      normalise_row_backward(x + r * columns, columns, weight, epsilon, dy + r * columns, dx + r * columns);
    }
  });
}

}  // namespace loam::train
