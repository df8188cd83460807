#include "train/narrow.h"

#include <cstring>

#include "train/lanes.h"

namespace loam::train {

void narrow_row(const float* values, std::size_t count, float* out) {
  std::memcpy(out, values, count * sizeof(float));
}
LOAM_EACH_WIDTH void narrow_row(const float* values, std::size_t count, Bf16* out) {
  for (std::size_t i = 0; i < count; ++i) out[i] = to_bf16(values[i]);
}
void widen_row(const float* values, std::size_t count, float* out) {
  std::memcpy(out, values, count * sizeof(float));
}
LOAM_EACH_WIDTH void widen_row(const Bf16* values, std::size_t count, float* out) {
  for (std::size_t i = 0; i < count; ++i) out[i] = to_float(values[i]);
}

void narrow_rows(Team& team, const float* values, std::size_t stride, Operand& out) {
  with_type(out.precision(), [&](auto type) {
    using T = decltype(type);
    run_ranges(team, out.rows(), 16, [&](std::size_t begin, std::size_t end) {
      for (std::size_t r = begin; r < end; ++r) narrow_row(values + r * stride, out.columns(), out.row<T>(r));
    });
  });
}

void turn_over(Team& team, const Operand& values, Operand& out) {
  const std::size_t rows = values.rows();
  out.shape(values.precision(), values.columns(), rows);
  with_type(values.precision(), [&](auto type) {
    using T = decltype(type);
    constexpr std::size_t kBlock = 64;
    run_ranges(team, (rows + kBlock - 1) / kBlock, 1, [&](std::size_t begin, std::size_t end) {
      const std::size_t last = std::min(rows, end * kBlock);
      for (std::size_t c = 0; c < values.columns(); ++c) {
        T* to = out.row<T>(c);
        for (std::size_t r = begin * kBlock; r < last; ++r) to[r] = values.row<T>(r)[c];
        if (last == rows && rows % 2 != 0) to[rows] = T{};
      }
    });
  });
}

}  // namespace loam::train
