#include "train/gelu.h"

#include "train/lanes.h"
#include "train/narrow.h"

namespace loam::train {
namespace {

constexpr float kTwiceRoot = 1.5957691216057308F;  // 2 sqrt(2 / pi)
constexpr float kCube = 0.044715F;

template <typename T>
LOAM_INLINE void gelu_row_of(const T* x, std::size_t columns, T* y) {
  for (std::size_t i = 0; i < columns; ++i) {
    const float v = to_float(x[i]);
    y[i] = narrow<T>(v * fast_sigmoid(kTwiceRoot * (v + kCube * v * v * v)));
  }
}

template <typename T>
LOAM_INLINE void gelu_row_backward_of(const T* x, const float* dy, std::size_t columns, T* dx) {
  for (std::size_t i = 0; i < columns; ++i) {
    const float v = to_float(x[i]);
    const float open = fast_sigmoid(kTwiceRoot * (v + kCube * v * v * v));
    const float slope = kTwiceRoot * (1.0F + 3.0F * kCube * v * v);
    dx[i] = narrow<T>(dy[i] * (open + v * open * (1.0F - open) * slope));
  }
}

LOAM_EACH_WIDTH void gelu_row(const float* x, std::size_t columns, float* y) { gelu_row_of(x, columns, y); }
LOAM_EACH_WIDTH void gelu_row(const Bf16* x, std::size_t columns, Bf16* y) { gelu_row_of(x, columns, y); }
LOAM_EACH_WIDTH void gelu_row_backward(const float* x, const float* dy, std::size_t columns, float* dx) {
  gelu_row_backward_of(x, dy, columns, dx);
}
LOAM_EACH_WIDTH void gelu_row_backward(const Bf16* x, const float* dy, std::size_t columns, Bf16* dx) {
  gelu_row_backward_of(x, dy, columns, dx);
}

}  // namespace

void gelu(Team& team, const Operand& x, Operand& out) {
  out.shape(x.precision(), x.rows(), x.columns());
  with_type(x.precision(), [&](auto type) {
    using T = decltype(type);
    run_ranges(team, x.rows(), 8, [&](std::size_t begin, std::size_t end) {
      for (std::size_t r = begin; r < end; ++r) gelu_row(x.row<T>(r), x.columns(), out.row<T>(r));
    });
  });
}

void gelu_backward(Team& team, const Operand& x, const float* dy, Operand& dx) {
  const std::size_t columns = x.columns();
  dx.shape(x.precision(), x.rows(), columns);
  with_type(x.precision(), [&](auto type) {
    using T = decltype(type);
    run_ranges(team, x.rows(), 8, [&](std::size_t begin, std::size_t end) {
      for (std::size_t r = begin; r < end; ++r) {
        gelu_row_backward(x.row<T>(r), dy + r * columns, columns, dx.row<T>(r));
      }
    });
  });
}

}  // namespace loam::train
