// Several sequences in one batch, one after another without padding: none sees another's tokens.
#pragma once

#include <cstddef>

namespace loam::train {

/// Rows [start, start + length) of a batch are one sequence, at positions 0 to length - 1.
struct Segment {
  std::size_t start = 0;
  std::size_t length = 0;
};

}  // namespace loam::train
