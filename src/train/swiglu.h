// The gated unit of the feed-forward part (Shazeer 2020): y = silu(gate) * up, silu(x) = x / (1 + e^-x).
#pragma once

#include "base/team.h"
#include "train/operand.h"

namespace loam::train {

/// out = silu(gate) * up, each (rows, columns) in one precision. `out` is shaped here.
void swiglu(Team& team, const Operand& gate, const Operand& up, Operand& out);

/// dy (rows, columns), row-major f32, becomes the gradients of gate and up, rounded. Both are shaped here.
void swiglu_backward(Team& team, const Operand& gate, const Operand& up, const float* dy, Operand& dgate,
                     Operand& dup);

}  // namespace loam::train
