// Between f32 and the precision in which matrices are multiplied.
#pragma once

#include "base/team.h"
#include "train/operand.h"

namespace loam::train {

/// out = values, rounded; `values` is (rows, columns), rows `stride` apart. `out` has its shape already.
void narrow_rows(Team& team, const float* values, std::size_t stride, Operand& out);
/// out (columns, rows) = the transpose of `values`; where rows are odd, a zero follows each of out's rows.
void turn_over(Team& team, const Operand& values, Operand& out);
void narrow_row(const float* values, std::size_t count, float* out);
void narrow_row(const float* values, std::size_t count, Bf16* out);
void widen_row(const float* values, std::size_t count, float* out);
void widen_row(const Bf16* values, std::size_t count, float* out);

/// Calls body(T{}) with the type of the precision.
template <typename Body>
void with_type(Precision precision, Body&& body) {
  if (precision == Precision::f32) {
    body(float{});
  } else {
    body(Bf16{});
  }
}

}  // namespace loam::train
