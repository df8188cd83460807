#include "train/gemm_kernels.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "train/lanes.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define LOAM_TRAIN_X86 1
// GCC 12 warns of the undefined vectors in its own header.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif

namespace loam::train {
namespace {

/// kRows rows of the left factor times kVectors vectors of the panel, sums in registers. `offset` is the
/// panel's first column here.
template <typename Vector, int kRows, int kVectors>
LOAM_INLINE void f32_tile(const TilePart* parts, std::size_t part_count, float* out, std::size_t out_stride,
                          bool add, std::size_t offset) {
  constexpr std::size_t kLanes = sizeof(Vector) / sizeof(float);
  Vector sum[kRows][kVectors] = {};
  for (std::size_t p = 0; p < part_count; ++p) {
    const auto* left = static_cast<const float*>(parts[p].left);
    const auto* panel = static_cast<const float*>(parts[p].panel) + offset;
    const std::size_t stride = parts[p].left_stride;
    for (std::size_t k = 0; k < parts[p].depth; ++k, panel += kPanelColumns) {
      Vector right[kVectors];
      std::memcpy(right, panel, sizeof(right));
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const float value = left[static_cast<std::size_t>(r) * stride + k];
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) sum[r][v] += value * right[v];
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      float* to =
          out + static_cast<std::size_t>(r) * out_stride + offset + static_cast<std::size_t>(v) * kLanes;
      Vector value = sum[r][v];
      if (add) {
        Vector there;
        std::memcpy(&there, to, sizeof(there));
        value += there;
      }
      std::memcpy(to, &value, sizeof(value));
    }
  }
}

template <typename Vector, int kRows, int kVectors>
LOAM_INLINE void f32_panel(const TilePart* parts, std::size_t part_count, float* out, std::size_t out_stride,
                           bool add) {
  constexpr std::size_t kStep = sizeof(Vector) / sizeof(float) * kVectors;
  for (std::size_t offset = 0; offset < kPanelColumns; offset += kStep) {
    f32_tile<Vector, kRows, kVectors>(parts, part_count, out, out_stride, add, offset);
  }
}

using Vector4 [[gnu::vector_size(16)]] = float;

/// Calls tile<rows> through a table, so that each number of rows has code of its own.
template <template <int> class Tile, int... kRows>
constexpr std::array<void (*)(const TilePart*, std::size_t, float*, std::size_t, bool), sizeof...(kRows)>
table_of(std::integer_sequence<int, kRows...>) {
  return {&Tile<kRows + 1>::run...};
}

template <int kRows>
struct PlainTile {
  static void run(const TilePart* parts, std::size_t count, float* out, std::size_t stride, bool add) {
    f32_panel<Vector4, kRows, 2>(parts, count, out, stride, add);
  }
};

template <template <int> class Tile, int kMost>
void run_tile(const TilePart* parts, std::size_t count, std::size_t rows, float* out, std::size_t stride,
              bool add) {
  static constexpr auto kTable = table_of<Tile>(std::make_integer_sequence<int, kMost>{});
  kTable[rows - 1](parts, count, out, stride, add);
}

/// bf16 on any processor: pairs are widened and added up in the order of k, two at a time.
template <int kRows>
struct PlainBf16Tile {
  static void run(const TilePart* parts, std::size_t count, float* out, std::size_t stride, bool add) {
    float sum[kRows][kPanelColumns] = {};
    for (std::size_t p = 0; p < count; ++p) {
      const auto* left = static_cast<const Bf16*>(parts[p].left);
      const auto* panel = static_cast<const Bf16*>(parts[p].panel);
      for (std::size_t k = 0; k < parts[p].depth; k += 2, panel += 2 * kPanelColumns) {
        float even[kPanelColumns], odd[kPanelColumns];
        for (std::size_t c = 0; c < kPanelColumns; ++c) {
          even[c] = to_float(panel[2 * c]);
          odd[c] = to_float(panel[2 * c + 1]);
        }
        for (int r = 0; r < kRows; ++r) {
          const Bf16* row = left + static_cast<std::size_t>(r) * parts[p].left_stride + k;
          const float first = to_float(row[0]), second = to_float(row[1]);
          for (std::size_t c = 0; c < kPanelColumns; ++c) sum[r][c] += first * even[c] + second * odd[c];
        }
      }
    }
    for (int r = 0; r < kRows; ++r) {
      float* to = out + static_cast<std::size_t>(r) * stride;
      for (std::size_t c = 0; c < kPanelColumns; ++c) to[c] = add ? to[c] + sum[r][c] : sum[r][c];
    }
  }
};

#ifdef LOAM_TRAIN_X86

// The intrinsics stand in the functions for their instruction set themselves: GCC takes generic vectors apart
// before it inlines, for the instruction set of the function in which they were written.

/// Two vectors of 8 columns at a time: 12 sums, 2 of the panel and a value of the left factor in 16
/// registers.
template <int kRows>
struct Avx2Tile {
  [[gnu::target("avx2,fma")]] static void run(const TilePart* parts, std::size_t count, float* out,
                                              std::size_t stride, bool add) {
    for (std::size_t offset = 0; offset < kPanelColumns; offset += 16) {
      __m256 sum[kRows][2];
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) sum[r][0] = sum[r][1] = _mm256_setzero_ps();
      for (std::size_t p = 0; p < count; ++p) {
        const auto* left = static_cast<const float*>(parts[p].left);
        const auto* panel = static_cast<const float*>(parts[p].panel) + offset;
        const std::size_t row_stride = parts[p].left_stride;
        for (std::size_t k = 0; k < parts[p].depth; ++k, panel += kPanelColumns) {
          const __m256 first = _mm256_loadu_ps(panel), second = _mm256_loadu_ps(panel + 8);
#pragma GCC unroll 16
          for (int r = 0; r < kRows; ++r) {
            const __m256 value = _mm256_broadcast_ss(left + static_cast<std::size_t>(r) * row_stride + k);
            sum[r][0] = _mm256_fmadd_ps(value, first, sum[r][0]);
            sum[r][1] = _mm256_fmadd_ps(value, second, sum[r][1]);
          }
        }
      }
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        float* to = out + static_cast<std::size_t>(r) * stride + offset;
        if (add) {
          sum[r][0] = _mm256_add_ps(_mm256_loadu_ps(to), sum[r][0]);
          sum[r][1] = _mm256_add_ps(_mm256_loadu_ps(to + 8), sum[r][1]);
        }
        _mm256_storeu_ps(to, sum[r][0]);
        _mm256_storeu_ps(to + 8, sum[r][1]);
      }
    }
  }
};

template <int kRows>
struct Avx512Tile {
  [[gnu::target("avx512f,avx2,fma")]] static void run(const TilePart* parts, std::size_t count, float* out,
                                                      std::size_t stride, bool add) {
    __m512 sum[kRows][2];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) sum[r][0] = sum[r][1] = _mm512_setzero_ps();
    for (std::size_t p = 0; p < count; ++p) {
      const auto* left = static_cast<const float*>(parts[p].left);
      const auto* panel = static_cast<const float*>(parts[p].panel);
      const std::size_t row_stride = parts[p].left_stride;
      for (std::size_t k = 0; k < parts[p].depth; ++k, panel += kPanelColumns) {
        const __m512 first = _mm512_loadu_ps(panel), second = _mm512_loadu_ps(panel + 16);
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r) {
          const __m512 value = _mm512_set1_ps(left[static_cast<std::size_t>(r) * row_stride + k]);
          sum[r][0] = _mm512_fmadd_ps(value, first, sum[r][0]);
          sum[r][1] = _mm512_fmadd_ps(value, second, sum[r][1]);
        }
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      float* to = out + static_cast<std::size_t>(r) * stride;
      if (add) {
        sum[r][0] = _mm512_add_ps(_mm512_loadu_ps(to), sum[r][0]);
        sum[r][1] = _mm512_add_ps(_mm512_loadu_ps(to + 16), sum[r][1]);
      }
      _mm512_storeu_ps(to, sum[r][0]);
      _mm512_storeu_ps(to + 16, sum[r][1]);
    }
  }
};

/// Two vectors of 16 columns: 28 sums, 2 of the panel and the pair of the left factor fill the 32 registers.
template <int kRows>
struct Avx512Bf16Tile {
  [[gnu::target("avx512f,avx512bw,avx512vl,avx512bf16,avx2,fma")]] static void run(
      const TilePart* parts, std::size_t count, float* out, std::size_t stride, bool add) {
    for (int r = 0; r < kRows; ++r) {  // what is added to, or written over, is there when the sums are
      const float* to = out + static_cast<std::size_t>(r) * stride;
      __builtin_prefetch(to, 1);
      __builtin_prefetch(to + 16, 1);
    }
    __m512 sum[kRows][2];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) sum[r][0] = sum[r][1] = _mm512_setzero_ps();
    for (std::size_t p = 0; p < count; ++p) {
      const auto* left = static_cast<const std::uint16_t*>(parts[p].left);
      const auto* panel = static_cast<const std::uint16_t*>(parts[p].panel);
      const std::size_t row_stride = parts[p].left_stride;
      for (std::size_t k = 0; k < parts[p].depth; k += 2, panel += 2 * kPanelColumns) {
        const auto first = reinterpret_cast<__m512bh>(_mm512_loadu_si512(panel));
        const auto second = reinterpret_cast<__m512bh>(_mm512_loadu_si512(panel + kPanelColumns));
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r) {
          int pair = 0;
          std::memcpy(&pair, left + static_cast<std::size_t>(r) * row_stride + k, sizeof(pair));
          const auto value = reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
          sum[r][0] = _mm512_dpbf16_ps(sum[r][0], value, first);
          sum[r][1] = _mm512_dpbf16_ps(sum[r][1], value, second);
        }
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      float* to = out + static_cast<std::size_t>(r) * stride;
      if (add) {
        sum[r][0] = _mm512_add_ps(_mm512_loadu_ps(to), sum[r][0]);
        sum[r][1] = _mm512_add_ps(_mm512_loadu_ps(to + 16), sum[r][1]);
      }
      _mm512_storeu_ps(to, sum[r][0]);
      _mm512_storeu_ps(to + 16, sum[r][1]);
    }
  }
};

#endif

std::vector<Kernel> kernels(Precision precision) {
  std::vector<Kernel> found;
#ifdef LOAM_TRAIN_X86
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma");
  if (precision == Precision::bf16) {
    if (avx512 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bf16")) {
      found.push_back({"avx512_bf16", 14, &run_tile<Avx512Bf16Tile, 14>});
    }
  } else {
    if (avx512) found.push_back({"avx512", 14, &run_tile<Avx512Tile, 14>});
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
      found.push_back({"avx2", 6, &run_tile<Avx2Tile, 6>});
    }
  }
#endif
  if (precision == Precision::bf16) {
    found.push_back({"plain", 4, &run_tile<PlainBf16Tile, 4>});
  } else {
    found.push_back({"plain", 4, &run_tile<PlainTile, 4>});
  }
  return found;
}

const std::vector<Kernel>& kept_kernels(Precision precision) {
  static const std::vector<Kernel> f32 = kernels(Precision::f32);
  static const std::vector<Kernel> bf16 = kernels(Precision::bf16);
  return precision == Precision::f32 ? f32 : bf16;
}

// Words of 32 bits: one f32, or a pair of bf16 that is multiplied together.
constexpr std::size_t kWordBlock = 16;  // a line of the cache

#ifdef LOAM_TRAIN_X86
/// 16 words of each of 16 columns, turned over into 16 rows of a panel.
[[gnu::target("avx512f,avx2,fma")]] void transpose_block(const char* source, std::size_t column_bytes,
                                                         std::uint32_t* panel) {
  __m512i quads[4][4];  // of columns 4g to 4g + 3: words 4L + j in part L of quads[g][j]
#pragma GCC unroll 4
  for (std::size_t g = 0; g < 4; ++g) {
    const char* from = source + 4 * g * column_bytes;
    const __m512i c0 = _mm512_loadu_si512(from), c1 = _mm512_loadu_si512(from + column_bytes),
                  c2 = _mm512_loadu_si512(from + 2 * column_bytes),
                  c3 = _mm512_loadu_si512(from + 3 * column_bytes);
    const __m512i low01 = _mm512_unpacklo_epi32(c0, c1), high01 = _mm512_unpackhi_epi32(c0, c1),
                  low23 = _mm512_unpacklo_epi32(c2, c3), high23 = _mm512_unpackhi_epi32(c2, c3);
    quads[g][0] = _mm512_unpacklo_epi64(low01, low23);
    quads[g][1] = _mm512_unpackhi_epi64(low01, low23);
    quads[g][2] = _mm512_unpacklo_epi64(high01, high23);
    quads[g][3] = _mm512_unpackhi_epi64(high01, high23);
  }
#pragma GCC unroll 4
  for (std::size_t j = 0; j < 4; ++j) {
    const __m512i even01 = _mm512_shuffle_i32x4(quads[0][j], quads[1][j], 0x88),
                  odd01 = _mm512_shuffle_i32x4(quads[0][j], quads[1][j], 0xDD),
                  even23 = _mm512_shuffle_i32x4(quads[2][j], quads[3][j], 0x88),
                  odd23 = _mm512_shuffle_i32x4(quads[2][j], quads[3][j], 0xDD);
    std::uint32_t* to = panel + j * kPanelColumns;
    _mm512_storeu_si512(to, _mm512_shuffle_i32x4(even01, even23, 0x88));
    _mm512_storeu_si512(to + 4 * kPanelColumns, _mm512_shuffle_i32x4(odd01, odd23, 0x88));
    _mm512_storeu_si512(to + 8 * kPanelColumns, _mm512_shuffle_i32x4(even01, even23, 0xDD));
    _mm512_storeu_si512(to + 12 * kPanelColumns, _mm512_shuffle_i32x4(odd01, odd23, 0xDD));
  }
}

bool has_avx512() {
  static const bool has = [] {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") != 0;
  }();
  return has;
}
#else
void transpose_block(const char*, std::size_t, std::uint32_t*) {}
bool has_avx512() { return false; }
#endif

/// Columns of `words` words, `column_bytes` apart, into the rows of one panel.
void transpose_words(const char* data, std::size_t column_bytes, std::size_t words, std::size_t columns,
                     std::uint32_t* panel) {
  if (columns < kPanelColumns) std::fill_n(panel, words * kPanelColumns, 0U);
  for (std::size_t first = 0; first < columns; first += kWordBlock) {
    const std::size_t across = std::min(kWordBlock, columns - first);
    for (std::size_t from = 0; from < words; from += kWordBlock) {
      const std::size_t count = std::min(kWordBlock, words - from);
      const char* source = data + first * column_bytes + from * 4;
      std::uint32_t* to = panel + from * kPanelColumns + first;
      if (count == kWordBlock && across == kWordBlock && has_avx512()) {
        transpose_block(source, column_bytes, to);
        continue;
      }
      for (std::size_t c = 0; c < across; ++c) {
        std::uint32_t column[kWordBlock];
        std::memcpy(column, source + c * column_bytes, count * 4);
        for (std::size_t w = 0; w < count; ++w) to[w * kPanelColumns + c] = column[w];
      }
    }
  }
}

/// Two rows of k become a row of pairs in each of `panels` panels, `stride` words apart.
LOAM_EACH_WIDTH void interleave(const std::uint16_t* one, const std::uint16_t* two, std::size_t panels,
                                std::uint32_t* out, std::size_t stride) {
  for (std::size_t panel = 0; panel < panels; ++panel) {
    for (std::size_t c = 0; c < kPanelColumns; ++c) {
      out[c] = static_cast<std::uint32_t>(one[c]) | static_cast<std::uint32_t>(two[c]) << 16U;
    }
    one += kPanelColumns;
    two += kPanelColumns;
    out += stride;
  }
}

}  // namespace

std::string_view name_of(Precision precision) { return precision == Precision::f32 ? "f32" : "bf16"; }

const Kernel& kernel_for(Precision precision) { return kept_kernels(precision).front(); }

const Kernel* kernels_for(Precision precision, std::size_t& count) {
  count = kept_kernels(precision).size();
  return kept_kernels(precision).data();
}

void pack_rows(const void* data, std::size_t stride, Precision precision, std::size_t from, std::size_t to,
               std::size_t first, std::size_t last, Panels panels) {
  // Row by row across all panels: neighbouring columns lie in the same lines of the cache.
  const std::size_t whole = (last - first) / kPanelColumns, width = (last - first) % kPanelColumns;
  if (precision == Precision::f32) {
    for (std::size_t k = from; k < to; ++k) {
      const float* source = static_cast<const float*>(data) + k * stride + first;
      char* out = panels.data + (k - from) * kPanelColumns * sizeof(float);
      for (std::size_t panel = 0; panel < whole; ++panel, source += kPanelColumns, out += panels.stride) {
        std::memcpy(out, source, kPanelColumns * sizeof(float));
      }
      if (width == 0) continue;
      float edge[kPanelColumns] = {};
      std::memcpy(edge, source, width * sizeof(float));
      std::memcpy(out, edge, sizeof(edge));
    }
    return;
  }
  const std::uint16_t zeros[kPanelColumns] = {};
  for (std::size_t k = from; k < to; k += 2) {
    const auto* one = static_cast<const std::uint16_t*>(data) + k * stride + first;
    const std::uint16_t* two = one + stride;
    auto* out = reinterpret_cast<std::uint32_t*>(panels.data) + (k - from) / 2 * kPanelColumns;
    const bool paired = k + 1 < to;
    if (paired) {
      interleave(one, two, whole, out, panels.stride / 4);
    } else {
      for (std::size_t panel = 0; panel < whole; ++panel) {
        interleave(one + panel * kPanelColumns, zeros, 1, out + panel * panels.stride / 4, 0);
      }
    }
    if (width == 0) continue;
    std::uint16_t upper[kPanelColumns] = {}, lower[kPanelColumns] = {};
    std::memcpy(upper, one + whole * kPanelColumns, width * sizeof(std::uint16_t));
    if (paired) std::memcpy(lower, two + whole * kPanelColumns, width * sizeof(std::uint16_t));
    interleave(upper, lower, 1, out + whole * panels.stride / 4, 0);
  }
}

void pack_columns(const void* data, std::size_t stride, Precision precision, std::size_t from, std::size_t to,
                  std::size_t first, std::size_t last, Panels panels) {
  const std::size_t element = precision == Precision::f32 ? 4 : 2;
  const std::size_t words = precision == Precision::f32 ? to - from : (to - from) / 2;
  for (std::size_t column = first; column < last; column += kPanelColumns, panels.data += panels.stride) {
    const std::size_t width = std::min(kPanelColumns, last - column);
    const char* source = static_cast<const char*>(data) + (column * stride + from) * element;
    auto* out = reinterpret_cast<std::uint32_t*>(panels.data);
    transpose_words(source, stride * element, words, width, out);
    if (precision == Precision::f32 || (to - from) % 2 == 0) continue;
    for (std::size_t c = 0; c < kPanelColumns; ++c) {  // the last k stands alone
      std::uint16_t value = 0;
      if (c < width) std::memcpy(&value, source + c * stride * element + 4 * words, sizeof(value));
      out[words * kPanelColumns + c] = value;
    }
  }
}

}  // namespace loam::train
