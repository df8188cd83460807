// The innermost loops of the products. For gemm.cpp and its tests only.
#pragma once

#include <cstddef>
#include <string_view>

#include "train/number.h"

namespace loam::train {

/// Columns of a packed panel. A panel of f32 is (k, 32); one of bf16 is (k / 2, 32, 2): two steps of k lie
/// beside each other, as the processor's pairwise product wants them.
inline constexpr std::size_t kPanelColumns = 32;

/// Part of one tile's sum: rows of the left factor and a panel of the right one.
struct TilePart {
  const void* left = nullptr;
  std::size_t left_stride = 0;  ///< elements
  const void* panel = nullptr;
  std::size_t depth = 0;  ///< k; for bf16 even
};

/// Adds up all parts into out (rows, 32), f32.
using TileFunction = void (*)(const TilePart* parts, std::size_t part_count, std::size_t rows, float* out,
                              std::size_t out_stride, bool add);

struct Kernel {
  std::string_view name;
  std::size_t most_rows = 1;  ///< of a tile
  TileFunction tile = nullptr;
};

/// The fastest kernel that this processor runs.
const Kernel& kernel_for(Precision precision);
/// All kernels that this processor runs, the plain one last.
const Kernel* kernels_for(Precision precision, std::size_t& count);

/// Panels side by side in memory, `stride` bytes apart.
struct Panels {
  char* data = nullptr;
  std::size_t stride = 0;
};

/// Right factor (k, n), its columns [first, last) and rows [from, to) of k, into as many panels as that
/// takes; what lies beyond its columns, and an odd last k, is zero.
void pack_rows(const void* data, std::size_t stride, Precision precision, std::size_t from, std::size_t to,
               std::size_t first, std::size_t last, Panels panels);
/// The same for a right factor that lies as (n, k).
void pack_columns(const void* data, std::size_t stride, Precision precision, std::size_t from, std::size_t to,
                  std::size_t first, std::size_t last, Panels panels);

}  // namespace loam::train
