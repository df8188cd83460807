#include "train/gemm_kernels.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#if defined(__x86_64__) && defined(__GNUC__)
#define LOAM_TRAIN_X86 1
#include <immintrin.h>
#endif

namespace loam::train {
namespace {

#define LOAM_INLINE [[gnu::always_inline]] inline

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

void transpose_words(const std::uint32_t* data, std::size_t stride, std::size_t words, std::size_t columns,
                     std::uint32_t* panel) {
  if (columns < kPanelColumns) std::fill_n(panel, words * kPanelColumns, 0U);
  for (std::size_t from = 0; from < words; from += kWordBlock) {
    const std::size_t count = std::min(kWordBlock, words - from);
    for (std::size_t c = 0; c < columns; ++c) {
      const std::uint32_t* source = data + c * stride + from;
      std::uint32_t* to = panel + from * kPanelColumns + c;
      if (count == kWordBlock) {
        for (std::size_t w = 0; w < kWordBlock; ++w) to[w * kPanelColumns] = source[w];
      } else {
        for (std::size_t w = 0; w < count; ++w) to[w * kPanelColumns] = source[w];
      }
    }
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
               std::size_t first, std::size_t columns, void* panel) {
  const std::size_t width = std::min(kPanelColumns, columns - first);
  if (precision == Precision::f32) {
    const float* source = static_cast<const float*>(data) + from * stride + first;
    auto* out = static_cast<float*>(panel);
    for (std::size_t k = from; k < to; ++k, source += stride, out += kPanelColumns) {
      std::memcpy(out, source, width * sizeof(float));
      if (width < kPanelColumns) std::fill(out + width, out + kPanelColumns, 0.0F);
    }
    return;
  }
  const auto* source = static_cast<const std::uint16_t*>(data) + from * stride + first;
  auto* out = static_cast<std::uint16_t*>(panel);
  std::uint16_t upper[kPanelColumns] = {}, lower[kPanelColumns] = {};
  for (std::size_t k = from; k < to; k += 2, source += 2 * stride, out += 2 * kPanelColumns) {
    if (width == kPanelColumns && k + 1 < to) {
      const std::uint16_t* one = source;
      const std::uint16_t* two = source + stride;
      for (std::size_t c = 0; c < kPanelColumns; ++c) {
        out[2 * c] = one[c];
        out[2 * c + 1] = two[c];
      }
      continue;
    }
    std::memcpy(upper, source, width * sizeof(std::uint16_t));
    if (k + 1 < to) {
      std::memcpy(lower, source + stride, width * sizeof(std::uint16_t));
    } else {
      std::fill(std::begin(lower), std::end(lower), std::uint16_t{0});
    }
    for (std::size_t c = 0; c < kPanelColumns; ++c) {
      out[2 * c] = upper[c];
      out[2 * c + 1] = lower[c];
    }
  }
}

void pack_columns(const void* data, std::size_t stride, Precision precision, std::size_t from, std::size_t to,
                  std::size_t first, std::size_t columns, void* panel) {
  const std::size_t width = std::min(kPanelColumns, columns - first);
  auto* out = static_cast<std::uint32_t*>(panel);
  if (precision == Precision::f32) {
    const auto* source = static_cast<const std::uint32_t*>(data) + first * stride + from;
    transpose_words(source, stride, to - from, width, out);
    return;
  }
  const auto* source = static_cast<const std::uint16_t*>(data) + first * stride + from;
  const std::size_t pairs = (to - from) / 2;
  if (stride % 2 == 0 && reinterpret_cast<std::uintptr_t>(source) % 4 == 0) {
    transpose_words(reinterpret_cast<const std::uint32_t*>(source), stride / 2, pairs, width, out);
  } else {
    for (std::size_t pair = 0; pair < pairs; ++pair) {
      for (std::size_t c = 0; c < kPanelColumns; ++c) {
        out[pair * kPanelColumns + c] = 0;
        if (c < width) std::memcpy(out + pair * kPanelColumns + c, source + c * stride + 2 * pair, 4);
      }
    }
  }
  if ((to - from) % 2 != 0) {  // the last k stands alone
    for (std::size_t c = 0; c < kPanelColumns; ++c) {
      out[pairs * kPanelColumns + c] = c < width ? source[c * stride + 2 * pairs] : 0U;
    }
  }
}

}  // namespace loam::train
