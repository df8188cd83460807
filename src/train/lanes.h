// What the loops over rows share: one copy for each vector width, sums in a fixed order, and an exponential
// that compilers turn into vector code. For the sources of this room only.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "base/each_width.h"

// Rounding to 16 bits needs more of AVX-512 than its foundation: with that alone GCC falls back to halves of
// vectors, and an element of swiglu takes 2.8 ns instead of 0.6 (Zen 4, one thread).
#if defined(__x86_64__) && defined(__GNUC__) && __GNUC__ >= 12 && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#undef LOAM_EACH_WIDTH
#define LOAM_EACH_WIDTH __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#endif

#define LOAM_INLINE [[gnu::always_inline]] inline

namespace loam::train {

inline constexpr std::size_t kLanes = 16;

/// Sum of term(0) .. term(count - 1): sixteen partial sums, added up in pairs at the end. The order is the
/// same for every vector width.
template <typename Term>
LOAM_INLINE float sum_lanes(std::size_t count, Term&& term) {
  float part[kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) part[lane] += term(i + lane);
  }
  for (std::size_t lane = 0; i < count; ++i, ++lane) part[lane] += term(i);
  for (std::size_t width = kLanes / 2; width > 0; width /= 2) {
    for (std::size_t lane = 0; lane < width; ++lane) part[lane] += part[lane + width];
  }
  return part[0];
}

/// Largest of term(0) .. term(count - 1); `least` when there is none.
template <typename Term>
LOAM_INLINE float max_lanes(std::size_t count, float least, Term&& term) {
  float part[kLanes];
  std::fill(std::begin(part), std::end(part), least);
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float value = term(i + lane);
      part[lane] = part[lane] > value ? part[lane] : value;
    }
  }
  for (std::size_t lane = 0; i < count; ++i, ++lane) {
    const float value = term(i);
    part[lane] = part[lane] > value ? part[lane] : value;
  }
  float most = part[0];
  for (const float value : part) most = most > value ? most : value;
  return most;
}

/// e to the x within 2 units in the last place, for x in [-87, 88]; beyond, the value at the border. NaN
/// stays NaN. x = n ln 2 + r with |r| <= ln 2 / 2, and the Taylor series of e^r up to r^7.
LOAM_INLINE float fast_exp(float x) {
  constexpr float kLog2E = 1.442695040888963407F;
  constexpr float kLn2High = 0.693359375F, kLn2Low = -2.12194440054690581e-4F;
  constexpr float kMagic = 12582912.0F;  // 1.5 * 2^23: adding it rounds to a whole number
  x = x < -87.0F ? -87.0F : x;
  x = x > 88.0F ? 88.0F : x;
  const float shifted = x * kLog2E + kMagic;
  const float n = shifted - kMagic;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float series = 1.0F / 5040.0F;
  series = series * r + 1.0F / 720.0F;
  series = series * r + 1.0F / 120.0F;
  series = series * r + 1.0F / 24.0F;
  series = series * r + 1.0F / 6.0F;
  series = series * r + 0.5F;
  series = series * r + 1.0F;
  series = series * r + 1.0F;
  const std::uint32_t exponent = (std::bit_cast<std::uint32_t>(shifted) - 0x4B400000U + 127U) << 23U;
  return series * std::bit_cast<float>(exponent);
}

/// 1 / (1 + e^-x)
LOAM_INLINE float fast_sigmoid(float x) { return 1.0F / (1.0F + fast_exp(-x)); }

}  // namespace loam::train
