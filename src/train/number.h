// Numbers as the trainer keeps them: f32, and bf16 where the processor multiplies it.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

namespace loam::train {

/// The number format of what is multiplied. Sums, gradients and parameters are f32 in both.
enum class Precision : std::uint8_t {
  f32,
  bf16,  ///< factors are rounded to 8 bits of mantissa: half the memory, and twice as fast or more where the
         ///< processor has AVX512_BF16; on other processors it is computed in f32 and saves memory only
};
std::string_view name_of(Precision precision);

/// bf16: the upper half of an IEEE 754 single.
struct Bf16 {
  std::uint16_t bits = 0;
};

inline float to_float(Bf16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16U);
}
inline float to_float(float value) { return value; }

/// To the nearest, ties to even; NaN stays NaN.
inline Bf16 to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U;
  const std::uint32_t not_a_number = (bits >> 16U) | 0x40U;
  return {static_cast<std::uint16_t>((bits & 0x7FFFFFFFU) > 0x7F800000U ? not_a_number : rounded)};
}

template <typename T>
T narrow(float value);
template <>
inline float narrow<float>(float value) {
  return value;
}
template <>
inline Bf16 narrow<Bf16>(float value) {
  return to_bf16(value);
}

}  // namespace loam::train
