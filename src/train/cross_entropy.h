// The loss of next-token prediction and its gradient, a few rows at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/team.h"
#include "train/operand.h"

namespace loam::train {

/// `logits` is (targets.size(), vocabulary), row-major f32. Adds up -log softmax(logits)[target] over the
/// rows, in double; NaN where a logit is. When `gradient` is not null it is shaped and becomes
/// (softmax(logits) - one at the target) * weight, rounded; a zero follows each row of odd length.
double cross_entropy(Team& team, const float* logits, std::size_t vocabulary,
                     std::span<const std::int32_t> targets, float weight, Precision precision,
                     Operand* gradient);

}  // namespace loam::train
