// Vectors that belong together are to be nearer than others: InfoNCE (van den Oord et al. 2018) over the
// vectors of one step, with a temperature.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace loam::train {

/// What may stand against an anchor.
enum class Against : unsigned char { ignored, wrong, right };

/// `rows` is (row count, width); they are made to unit length here. For each of `anchors`, every row of
/// `candidates` is ignored, wrong, or the one right row. Returns the sum over anchors of -log of the right
/// row's share; `weight` times its gradient is added to `drows` where that is not null. An anchor without a
/// right row counts nothing.
double contrast(std::span<const float> rows, std::size_t width, std::span<const std::size_t> anchors,
                std::span<const std::size_t> candidates,
                const std::function<Against(std::size_t anchor, std::size_t candidate)>& relation,
                double temperature, float weight, float* drows);

}  // namespace loam::train
