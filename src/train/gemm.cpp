#include "train/gemm.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "train/gemm_kernels.h"

namespace loam::train {
namespace {

// A tile of the left factor meets each panel of a group before the next one is read: 14 rows of 1,100 numbers
// are 31 KB, about the first-level cache, and a group of panels stays in the second level. Chosen among 512,
// 800, 1,100 and 1,600 numbers on Zen 4 (1 MB of second level).
constexpr std::size_t kDepthBytes = 2200;
constexpr std::size_t kGroupBytes = 448UL << 10U;

/// A stretch of one product's depth, and where it lies in a panel.
struct Piece {
  const Product* product = nullptr;
  std::size_t from = 0, to = 0;
  std::size_t offset = 0;  ///< bytes
};

std::size_t panel_bytes(Precision precision, std::size_t depth) {
  return precision == Precision::f32 ? depth * kPanelColumns * 4 : (depth + 1) / 2 * kPanelColumns * 4;
}

/// bf16 tiles step by pairs.
std::size_t tile_depth(Precision precision, std::size_t depth) {
  return precision == Precision::f32 ? depth : (depth + 1) / 2 * 2;
}

/// One tile of the result; panels at the right edge go through a tile of their own.
void run_tile(const Kernel& kernel, std::span<const TilePart> parts, std::size_t rows, float* out,
              std::size_t out_stride, std::size_t width, bool add) {
  if (width == kPanelColumns) {
    kernel.tile(parts.data(), parts.size(), rows, out, out_stride, add);
    return;
  }
  float edge[16 * kPanelColumns];
  kernel.tile(parts.data(), parts.size(), rows, edge, kPanelColumns, false);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < width; ++c) {
      float& cell = out[r * out_stride + c];
      cell = add ? cell + edge[r * kPanelColumns + c] : edge[r * kPanelColumns + c];
    }
  }
}

/// Calls tile(first row, rows) for even tiles of at most `most` rows: 16 rows are 8 and 8, not 14 and 2.
template <typename Tile>
void for_each_tile(std::size_t first_row, std::size_t last_row, std::size_t most, Tile&& tile) {
  const std::size_t rows = last_row - first_row;
  const std::size_t tiles = (rows + most - 1) / most;
  for (std::size_t i = 0; i < tiles; ++i) {
    const std::size_t begin = first_row + rows * i / tiles;
    tile(begin, first_row + rows * (i + 1) / tiles - begin);
  }
}

constexpr std::size_t kMostParts = 8;

/// What is summed in one pass over the output.
struct Chunk {
  std::array<Piece, kMostParts> pieces;
  std::size_t count = 0;
  std::size_t bytes = 0;  ///< of a panel
};

/// The products' depths in even stretches: a short one joins its neighbours rather than cost a pass of its
/// own.
std::vector<Chunk> chunks_of(std::span<const Product> products) {
  const Precision precision = products.front().left.precision;
  std::size_t total = 0;
  for (const Product& product : products) total += tile_depth(precision, product.left.columns);
  const std::size_t most = kDepthBytes / (precision == Precision::f32 ? 4 : 2);
  const std::size_t wanted = (total + most - 1) / most;
  const std::size_t each = tile_depth(precision, ((total + wanted - 1) / wanted + 31) / 32 * 32);
  std::vector<Chunk> chunks(1);
  std::size_t room = each;
  for (const Product& product : products) {
    for (std::size_t from = 0; from < product.left.columns;) {
      if (room == 0 || chunks.back().count == kMostParts) {
        chunks.emplace_back();
        room = each;
      }
      Chunk& chunk = chunks.back();
      const std::size_t to = std::min(product.left.columns, from + room);
      chunk.pieces[chunk.count++] = {&product, from, to, chunk.bytes};
      chunk.bytes += panel_bytes(precision, to - from);
      room -= std::min(room, tile_depth(precision, to - from));
      from = to;
    }
  }
  return chunks;
}

struct Area {
  std::size_t first_panel = 0, last_panel = 0, first_row = 0, last_row = 0;
};

/// Some panels of the result for some rows of it.
void multiply_area(std::span<const Chunk> chunks, float* out, std::size_t out_stride, std::size_t columns,
                   const Area& area, bool add, Buffer& scratch) {
  const Precision precision = chunks.front().pieces.front().product->left.precision;
  const Kernel& kernel = kernel_for(precision);
  const std::size_t panels = area.last_panel - area.first_panel;
  const std::size_t first_column = area.first_panel * kPanelColumns;
  std::size_t most = 0;
  for (const Chunk& chunk : chunks) most = std::max(most, chunk.bytes);
  auto* memory = static_cast<char*>(scratch.reserve(panels * most));
  thread_local std::vector<TilePart> parts;
  for (const Chunk& chunk : chunks) {
    parts.resize(panels * chunk.count);
    for (std::size_t p = 0; p < chunk.count; ++p) {
      const Piece& piece = chunk.pieces[p];
      const Product& product = *piece.product;
      const auto pack = product.turn == Right::as_it_is ? &pack_rows : &pack_columns;
      pack(product.right.data, product.right.stride, precision, piece.from, piece.to, first_column,
           std::min(columns, area.last_panel * kPanelColumns), {memory + piece.offset, chunk.bytes});
      for (std::size_t panel = 0; panel < panels; ++panel) {
        parts[panel * chunk.count + p] = {nullptr, product.left.stride,
                                          memory + panel * chunk.bytes + piece.offset,
                                          tile_depth(precision, piece.to - piece.from)};
      }
    }
    for_each_tile(area.first_row, area.last_row, kernel.most_rows, [&](std::size_t row, std::size_t rows) {
      for (std::size_t panel = 0; panel < panels; ++panel) {
        const std::span<TilePart> own(parts.data() + panel * chunk.count, chunk.count);
        for (std::size_t p = 0; p < chunk.count; ++p) {
          own[p].left = chunk.pieces[p].product->left.at(row, chunk.pieces[p].from);
        }
        const std::size_t column = first_column + panel * kPanelColumns;
        run_tile(kernel, own, rows, out + row * out_stride + column, out_stride,
                 std::min(kPanelColumns, columns - column), add);
      }
    });
    add = true;
  }
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
  const std::vector<Chunk> chunks = chunks_of(products);
  const std::size_t panels = (columns + kPanelColumns - 1) / kPanelColumns;
  const std::size_t wanted = 2 * static_cast<std::size_t>(team.threads());
  const std::size_t most =
      std::max<std::size_t>(kGroupBytes / std::max<std::size_t>(chunks.front().bytes, 1), 1);
  const std::size_t groups = std::max(std::min(panels, wanted), (panels + most - 1) / most);
  // Few panels: the rows are shared out too, and each share packs the panels for itself.
  const std::size_t shares =
      groups >= wanted ? 1 : std::clamp<std::size_t>(wanted / groups, 1, (rows + 63) / 64);
  team.run(groups * shares, [&](std::size_t turn) {
    thread_local Buffer scratch;
    const std::size_t group = turn / shares, share = turn % shares;
    multiply_area(chunks, out, out_stride, columns,
                  {panels * group / groups, panels * (group + 1) / groups, rows * share / shares,
                   rows * (share + 1) / shares},
                  add == Add::yes, scratch);
  });
}

void multiply_alone(std::span<const Product> products, float* out, std::size_t out_stride, std::size_t rows,
                    std::size_t columns, Add add, Buffer& scratch) {
  if (rows == 0 || columns == 0) return;
  if (is_empty(products)) {
    if (add == Add::no) clear(out, out_stride, rows, columns);
    return;
  }
  const std::vector<Chunk> chunks = chunks_of(products);
  const std::size_t panels = (columns + kPanelColumns - 1) / kPanelColumns;
  for (std::size_t panel = 0; panel < panels; ++panel) {
    multiply_area(chunks, out, out_stride, columns, {panel, panel + 1, 0, rows}, add == Add::yes, scratch);
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
  const auto pack_all = turn == Right::as_it_is ? &pack_rows : &pack_columns;
  pack_all(right.data, right.stride, precision_, 0, depth_, 0, columns_, {memory, bytes});
}

void multiply_packed(const Factor& left, const PackedFactor& right, std::size_t columns, float* out,
                     std::size_t out_stride, Add add) {
  const Kernel& kernel = kernel_for(right.precision_);
  const auto* memory = static_cast<const char*>(right.memory_.get());
  const std::size_t depth = std::min(left.columns, right.depth_);
  for (std::size_t first = 0; first < columns; first += kPanelColumns) {
    const void* panel = memory + first / kPanelColumns * right.panel_bytes_;
    for_each_tile(0, left.rows, kernel.most_rows, [&](std::size_t row, std::size_t rows) {
      const TilePart part = {left.at(row), left.stride, panel, tile_depth(right.precision_, depth)};
      run_tile(kernel, {&part, 1}, rows, out + row * out_stride + first, out_stride,
               std::min(kPanelColumns, columns - first), add == Add::yes);
    });
  }
}

std::string_view kernel_name(Precision precision) { return kernel_for(precision).name; }

bool has_fast_bf16() { return kernel_for(Precision::bf16).name != "plain"; }

Precision fastest_precision() { return has_fast_bf16() ? Precision::bf16 : Precision::f32; }

}  // namespace loam::train
