#include "train/rms_norm.h"

#include <cmath>

#include "train/lanes.h"
#include "train/narrow.h"

namespace loam::train {
namespace {

LOAM_INLINE float scale_of(const float* x, std::size_t columns, float epsilon) {
  const float sum = sum_lanes(columns, [&](std::size_t i) { return x[i] * x[i]; });
  return 1.0F / std::sqrt(sum / static_cast<float>(columns) + epsilon);
}

template <typename T>
LOAM_INLINE void forward_row(const float* x, std::size_t columns, const float* weight, float epsilon, T* y) {
  const float scale = scale_of(x, columns, epsilon);
  for (std::size_t i = 0; i < columns; ++i) y[i] = narrow<T>(x[i] * scale * weight[i]);
}

LOAM_EACH_WIDTH void forward_f32(const float* x, std::size_t columns, const float* weight, float epsilon,
                                 float* y) {
  forward_row(x, columns, weight, epsilon, y);
}
LOAM_EACH_WIDTH void forward_bf16(const float* x, std::size_t columns, const float* weight, float epsilon,
                                  Bf16* y) {
  forward_row(x, columns, weight, epsilon, y);
}

/// With s = 1 / rms: dx = s * (w dy - x * s^2 / n * sum(w dy x)).
LOAM_EACH_WIDTH void backward_row(const float* x, std::size_t columns, const float* weight, float epsilon,
                                  const float* dy, float* dx, bool add) {
  const float scale = scale_of(x, columns, epsilon);
  const float along = sum_lanes(columns, [&](std::size_t i) { return weight[i] * dy[i] * x[i]; });
  const float pull = scale * scale * along / static_cast<float>(columns);
  if (add) {
    for (std::size_t i = 0; i < columns; ++i) dx[i] += scale * (weight[i] * dy[i] - x[i] * pull);
  } else {
    for (std::size_t i = 0; i < columns; ++i) dx[i] = scale * (weight[i] * dy[i] - x[i] * pull);
  }
}

void forward_any(const float* x, std::size_t columns, const float* weight, float epsilon, float* y) {
  forward_f32(x, columns, weight, epsilon, y);
}
void forward_any(const float* x, std::size_t columns, const float* weight, float epsilon, Bf16* y) {
  forward_bf16(x, columns, weight, epsilon, y);
}

}  // namespace

void rms_norm(Team& team, const float* x, std::size_t rows, std::size_t columns, const float* weight,
              float epsilon, Precision precision, Operand& out) {
  out.shape(precision, rows, columns);
  with_type(precision, [&](auto type) {
    using T = decltype(type);
    run_ranges(team, rows, 16, [&](std::size_t begin, std::size_t end) {
      for (std::size_t r = begin; r < end; ++r) {
        forward_any(x + r * columns, columns, weight, epsilon, out.row<T>(r));
      }
    });
  });
}

void rms_norm_backward(Team& team, const float* x, std::size_t rows, std::size_t columns, const float* weight,
                       float epsilon, const float* dy, float* dx) {
  run_ranges(team, rows, 16, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      backward_row(x + r * columns, columns, weight, epsilon, dy + r * columns, dx + r * columns, true);
    }
  });
}

void rms_norm_row(const float* x, std::size_t columns, const float* weight, float epsilon, float* y) {
  forward_f32(x, columns, weight, epsilon, y);
}

void rms_norm_row_backward(const float* x, std::size_t columns, const float* weight, float epsilon,
                           const float* dy, float* dx) {
  backward_row(x, columns, weight, epsilon, dy, dx, false);
}

}  // namespace loam::train
