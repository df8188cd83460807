// AdamW (Loshchilov and Hutter 2019), gradient clipping and the schedule of the learning rate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/team.h"

namespace loam::train {

struct AdamWOptions {
  float beta1 = 0.9F;
  float beta2 = 0.999F;
  float epsilon = 1e-8F;
  float weight_decay = 0.0F;
};

/// One step for parameters that share a learning rate; all spans have one length. `step` counts from 1. The
/// gradients are multiplied by `gradient_scale` first (clipping).
void adamw_step(Team& team, std::span<float> parameters, std::span<const float> gradients,
                std::span<float> first_moments, std::span<float> second_moments, std::int64_t step,
                float learning_rate, float gradient_scale, const AdamWOptions& options);

/// Root of the sum of squares, in double and in an order that does not depend on the number of threads.
double norm_of(Team& team, std::span<const float> values);

/// Warm-up from 0 over the first steps, then half a cosine down to `floor_share` of the peak.
struct Schedule {
  double peak = 2e-4;
  std::int64_t warmup_steps = 0;
  std::int64_t steps = 1;
  double floor_share = 0.0;

  /// Of step `step`, counted from 1: never 0 as long as step <= steps.
  double at(std::int64_t step) const;
};

}  // namespace loam::train
