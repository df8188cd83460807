// Quantised weights as f32: what a room needs that computes with a model's weights itself.
#pragma once

#include <cstddef>
#include <cstdint>

namespace loam::engine {

/// Whether widen() knows this ggml type number.
bool can_widen(std::uint32_t type);

/// `count` weights, a whole number of blocks (ggml_type_info), from `bytes` into `out`. REQUIRES:
/// can_widen(type).
void widen(std::uint32_t type, const void* bytes, std::size_t count, float* out);

}  // namespace loam::engine
