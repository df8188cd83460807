// Layer normalisation (Ba, Kiros and Hinton 2016): y = (x - mean) / sqrt(variance + epsilon) * weight + bias.
#pragma once

#include <cstddef>

#include "base/team.h"
#include "train/operand.h"

namespace loam::train {

/// y, (rows, columns) row-major f32, may be x.
void layer_norm(Team& team, const float* x, std::size_t rows, std::size_t columns, const float* weight,
                const float* bias, float epsilon, float* y);

/// dx becomes what dy, the gradient of y, means for x; dx may be dy. Weight and bias are frozen.
void layer_norm_backward(Team& team, const float* x, std::size_t rows, std::size_t columns,
                         const float* weight, float epsilon, const float* dy, float* dx);

}  // namespace loam::train
