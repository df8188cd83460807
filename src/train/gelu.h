// The activation of BERT's feed-forward part, in the form that llama.cpp serves: Hendrycks and Gimpel's
// (2016) approximation by tanh, 0.5 x (1 + tanh(u)) = x sigmoid(2 u) with u = sqrt(2 / pi) (x + 0.044715
// x^3). It differs from the exact form, which Transformers computes, by at most 0.0005.
#pragma once

#include "base/team.h"
#include "train/operand.h"

namespace loam::train {

/// out = gelu(x), (rows, columns) in one precision. `out` is shaped here.
void gelu(Team& team, const Operand& x, Operand& out);

/// dy (rows, columns), row-major f32, becomes the gradient of x, rounded. `dx` is shaped here.
void gelu_backward(Team& team, const Operand& x, const float* dy, Operand& dx);

}  // namespace loam::train
