// Rotary embeddings turn pairs of rows of the query and key projections. The publishers' code pairs row i of
// a head with row i + half; llama.cpp's "llama" architecture pairs neighbours, so its rows lie in the order
// 0, half, 1, half + 1, ...
#pragma once

#include <cstdint>
#include <vector>

namespace loam::engine {

/// (rows, columns) row-major, from the publishers' order to that of GGUF. REQUIRES: rows is a whole number of
/// heads, head_size is even.
void interleave_halves(std::vector<float>& values, std::uint64_t rows, std::uint64_t head_size);
/// And back.
void part_halves(std::vector<float>& values, std::uint64_t rows, std::uint64_t head_size);

}  // namespace loam::engine
