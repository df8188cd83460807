#include "train/swiglu.h"

#include "train/lanes.h"
#include "train/narrow.h"

namespace loam::train {
namespace {

template <typename T>
LOAM_INLINE void forward_row(const T* gate, const T* up, std::size_t columns, T* out) {
  for (std::size_t i = 0; i < columns; ++i) {
    const float g = to_float(gate[i]);
    out[i] = narrow<T>(g * fast_sigmoid(g) * to_float(up[i]));
  }
}

template <typename T>
LOAM_INLINE void backward_row(const T* gate, const T* up, const float* dy, std::size_t columns, T* dgate,
                              T* dup) {
  for (std::size_t i = 0; i < columns; ++i) {
    const float g = to_float(gate[i]);
    const float open = fast_sigmoid(g);
    const float silu = g * open;
    dup[i] = narrow<T>(dy[i] * silu);
    dgate[i] = narrow<T>(dy[i] * to_float(up[i]) * (open + silu * (1.0F - open)));
  }
}

LOAM_EACH_WIDTH void forward(const float* gate, const float* up, std::size_t columns, float* out) {
  forward_row(gate, up, columns, out);
}
LOAM_EACH_WIDTH void forward(const Bf16* gate, const Bf16* up, std::size_t columns, Bf16* out) {
  forward_row(gate, up, columns, out);
}
LOAM_EACH_WIDTH void backward(const float* gate, const float* up, const float* dy, std::size_t columns,
                              float* dgate, float* dup) {
  backward_row(gate, up, dy, columns, dgate, dup);
}
LOAM_EACH_WIDTH void backward(const Bf16* gate, const Bf16* up, const float* dy, std::size_t columns,
                              Bf16* dgate, Bf16* dup) {
  backward_row(gate, up, dy, columns, dgate, dup);
}

}  // namespace

void swiglu(Team& team, const Operand& gate, const Operand& up, Operand& out) {
  out.shape(gate.precision(), gate.rows(), gate.columns());
  with_type(gate.precision(), [&](auto type) {
    using T = decltype(type);
    run_ranges(team, gate.rows(), 8, [&](std::size_t begin, std::size_t end) {
      for (std::size_t r = begin; r < end; ++r) {
        forward(gate.row<T>(r), up.row<T>(r), gate.columns(), out.row<T>(r));
      }
    });
  });
}

void swiglu_backward(Team& team, const Operand& gate, const Operand& up, const float* dy, Operand& dgate,
                     Operand& dup) {
  const std::size_t columns = gate.columns();
  dgate.shape(gate.precision(), gate.rows(), columns);
  dup.shape(gate.precision(), gate.rows(), columns);
  with_type(gate.precision(), [&](auto type) {
    using T = decltype(type);
    run_ranges(team, gate.rows(), 8, [&](std::size_t begin, std::size_t end) {
      for (std::size_t r = begin; r < end; ++r) {
        backward(gate.row<T>(r), up.row<T>(r), dy + r * columns, columns, dgate.row<T>(r), dup.row<T>(r));
      }
    });
  });
}

}  // namespace loam::train
