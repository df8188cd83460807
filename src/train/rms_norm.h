// Root-mean-square normalisation (Zhang and Sennrich 2019): y = x / sqrt(mean(x^2) + epsilon) * weight.
#pragma once

#include <cstddef>

#include "base/team.h"
#include "train/operand.h"

namespace loam::train {

/// out = the normalised rows of x (rows, columns), rounded. `out` is shaped here.
void rms_norm(Team& team, const float* x, std::size_t rows, std::size_t columns, const float* weight,
              float epsilon, Precision precision, Operand& out);

/// Adds to dx (rows, columns) what dy, the gradient of the normalised rows, means for x. The weight is
/// frozen.
void rms_norm_backward(Team& team, const float* x, std::size_t rows, std::size_t columns, const float* weight,
                       float epsilon, const float* dy, float* dx);

/// One row in place of another: y may be x.
void rms_norm_row(const float* x, std::size_t columns, const float* weight, float epsilon, float* y);
/// dx of one row, in place of dy or elsewhere.
void rms_norm_row_backward(const float* x, std::size_t columns, const float* weight, float epsilon,
                           const float* dy, float* dx);

}  // namespace loam::train
