#include "train/gemm.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "train/gemm_kernels.h"

namespace loam::train {
namespace {

// A panel of this depth is 128 KB at most: it stays in the second-level cache while all rows pass by.
constexpr std::size_t kDepth = 1024;

/// A stretch of one product's depth.
struct Piece {
  const Product* product = nullptr;
  std::size_t from = 0, to = 0;
};

std::size_t panel_bytes(Precision precision, std::size_t depth) {
  return precision == Precision::f32 ? depth * kPanelColumns * 4 : (depth + 1) / 2 * kPanelColumns * 4;
}

/// bf16 tiles step by pairs.
std::size_t tile_depth(Precision precision, std::size_t depth) {
  return precision == Precision::f32 ? depth : (depth + 1) / 2 * 2;
}

/// Rows as even tiles of at most kernel.most_rows: 16 rows are 8 and 8 rather than 14 and 2.
void run_tiles(const Kernel& kernel, std::span<TilePart> parts, Precision precision, std::size_t first_row,
               std::size_t last_row, float* out, std::size_t out_stride, std::size_t width, bool add) {
  const std::size_t element = precision == Precision::f32 ? 4 : 2;
  const std::size_t rows = last_row - first_row;
  const std::size_t tiles = (rows + kernel.most_rows - 1) / kernel.most_rows;
  float edge[16 * kPanelColumns];
  std::array<const char*, 8> lefts{};
  for (std::size_t p = 0; p < parts.size(); ++p) lefts[p] = static_cast<const char*>(parts[p].left);
  for (std::size_t tile = 0; tile < tiles; ++tile) {
    const std::size_t begin = first_row + rows * tile / tiles;
    const std::size_t count = first_row + rows * (tile + 1) / tiles - begin;
    for (std::size_t p = 0; p < parts.size(); ++p) {
      parts[p].left = lefts[p] + begin * parts[p].left_stride * element;
    }
    float* to = out + begin * out_stride;
    if (width == kPanelColumns) {
      kernel.tile(parts.data(), parts.size(), count, to, out_stride, add);
      continue;
    }
    kernel.tile(parts.data(), parts.size(), count, edge, kPanelColumns, false);
    for (std::size_t r = 0; r < count; ++r) {
      for (std::size_t c = 0; c < width; ++c) {
        float& cell = to[r * out_stride + c];
        cell = add ? cell + edge[r * kPanelColumns + c] : edge[r * kPanelColumns + c];
      }
    }
  }
  for (std::size_t p = 0; p < parts.size(); ++p) parts[p].left = lefts[p];
}

constexpr std::size_t kMostParts = 8;

/// One panel of the result for rows [first_row, last_row).
void multiply_panel(std::span<const Product> products, float* out, std::size_t out_stride,
                    std::size_t columns, std::size_t first_column, std::size_t first_row,
                    std::size_t last_row, bool add, Buffer& scratch) {
  const Precision precision = products.front().left.precision;
  const Kernel& kernel = kernel_for(precision);
  const std::size_t width = std::min(kPanelColumns, columns - first_column);
  auto* memory = static_cast<char*>(scratch.reserve(panel_bytes(precision, kDepth) + kMostParts * 256));
  std::array<TilePart, kMostParts> parts;
  std::size_t count = 0, depth = 0, used = 0;
  const auto flush = [&] {
    if (count == 0) return;
    run_tiles(kernel, {parts.data(), count}, precision, first_row, last_row, out + first_column, out_stride,
              width, add);
    add = true;
    count = depth = used = 0;
  };
  for (const Product& product : products) {
    std::size_t from = 0;
    while (from < product.left.columns) {
      const std::size_t room = kDepth - depth;
      // Short stretches would cost a pass over the output each: a product that does not fit starts afresh.
      const std::size_t left = product.left.columns - from;
      if (count == kMostParts || (left > room && depth > 0)) {
        flush();
        continue;
      }
      const std::size_t to = from + std::min(left, room);
      const auto pack = product.turn == Right::as_it_is ? &pack_rows : &pack_columns;
      pack(product.right.data, product.right.stride, precision, from, to, first_column, columns,
           memory + used);
      parts[count++] = {product.left.at(0, from), product.left.stride, memory + used,
                        tile_depth(precision, to - from)};
      depth += to - from;
      used += panel_bytes(precision, to - from);
      from = to;
    }
  }
  flush();
}

void clear(float* out, std::size_t out_stride, std::size_t rows, std::size_t columns) {
  for (std::size_t r = 0; r < rows; ++r) std::fill_n(out + r * out_stride, columns, 0.0F);
}

bool is_empty(std::span<const Product> products) {
  return std::all_of(products.begin(), products.end(),
                     [](const Product& product) { return product.left.columns == 0; });
}

}  // namespace

void multiply(Team& team, std::span<const Product> products, float* out, std::size_t out_stride,
              std::size_t rows, std::size_t columns, Add add) {
  if (rows == 0 || columns == 0) return;
  if (is_empty(products)) {
    if (add == Add::no) clear(out, out_stride, rows, columns);
    return;
  }
  const std::size_t panels = (columns + kPanelColumns - 1) / kPanelColumns;
  const auto threads = static_cast<std::size_t>(team.threads());
  // Few panels: the rows are shared out too, and each share packs the panel for itself.
  const std::size_t shares =
      panels >= 2 * threads ? 1 : std::clamp<std::size_t>(2 * threads / panels, 1, (rows + 63) / 64);
  team.run(panels * shares, [&](std::size_t turn) {
    thread_local Buffer scratch;
    const std::size_t panel = turn / shares, share = turn % shares;
    multiply_panel(products, out, out_stride, columns, panel * kPanelColumns, rows * share / shares,
                   rows * (share + 1) / shares, add == Add::yes, scratch);
  });
}

void multiply_alone(std::span<const Product> products, float* out, std::size_t out_stride, std::size_t rows,
                    std::size_t columns, Add add, Buffer& scratch) {
  if (rows == 0 || columns == 0) return;
  if (is_empty(products)) {
    if (add == Add::no) clear(out, out_stride, rows, columns);
    return;
  }
  for (std::size_t first = 0; first < columns; first += kPanelColumns) {
    multiply_panel(products, out, out_stride, columns, first, 0, rows, add == Add::yes, scratch);
  }
}

void PackedFactor::pack(const Factor& right, Right turn) {
  precision_ = right.precision;
  depth_ = turn == Right::as_it_is ? right.rows : right.columns;
  columns_ = turn == Right::as_it_is ? right.columns : right.rows;
  const std::size_t bytes = panel_bytes(precision_, depth_);
  panel_bytes_ = bytes;
  const std::size_t panels = (columns_ + kPanelColumns - 1) / kPanelColumns;
  auto* memory = static_cast<char*>(memory_.reserve(bytes * panels));
  const auto pack_panel = turn == Right::as_it_is ? &pack_rows : &pack_columns;
  for (std::size_t panel = 0; panel < panels; ++panel) {
    pack_panel(right.data, right.stride, precision_, 0, depth_, panel * kPanelColumns, columns_,
               memory + panel * bytes);
  }
}

void multiply_packed(const Factor& left, const PackedFactor& right, std::size_t columns, float* out,
                     std::size_t out_stride, Add add) {
  const Kernel& kernel = kernel_for(right.precision_);
  const auto* memory = static_cast<const char*>(right.memory_.get());
  const std::size_t depth = std::min(left.columns, right.depth_);
  for (std::size_t first = 0; first < columns; first += kPanelColumns) {
    TilePart part = {left.data, left.stride, memory + first / kPanelColumns * right.panel_bytes_,
                     tile_depth(right.precision_, depth)};
    run_tiles(kernel, {&part, 1}, right.precision_, 0, left.rows, out + first, out_stride,
              std::min(kPanelColumns, columns - first), add == Add::yes);
  }
}

std::string_view kernel_name(Precision precision) { return kernel_for(precision).name; }

bool has_fast_bf16() { return kernel_for(Precision::bf16).name != "plain"; }

Precision fastest_precision() { return has_fast_bf16() ? Precision::bf16 : Precision::f32; }

}  // namespace loam::train
