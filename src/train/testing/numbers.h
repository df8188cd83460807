// Random matrices and comparisons for the tests of this room.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <vector>

#include "train/narrow.h"
#include "train/operand.h"
#include "train/random.h"

namespace loam::train::testing {

inline std::vector<float> random_floats(std::size_t count, std::uint64_t seed, float spread = 1.0F) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& value : values) value = spread * random.symmetric();
  return values;
}

inline void fill(Operand& out, Precision precision, std::size_t rows, std::size_t columns,
                 const std::vector<float>& values) {
  out.shape(precision, rows, columns);
  with_type(precision, [&](auto type) {
    using T = decltype(type);
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < columns; ++c) out.row<T>(r)[c] = narrow<T>(values[r * columns + c]);
      for (std::size_t c = columns; c < out.stride(); ++c) out.row<T>(r)[c] = T{};
    }
  });
}

/// The matrix as it was rounded, (rows, columns).
inline std::vector<double> doubles(const Operand& matrix) {
  std::vector<double> values;
  with_type(matrix.precision(), [&](auto type) {
    using T = decltype(type);
    for (std::size_t r = 0; r < matrix.rows(); ++r) {
      for (std::size_t c = 0; c < matrix.columns(); ++c) {
        values.push_back(static_cast<double>(to_float(matrix.row<T>(r)[c])));
      }
    }
  });
  return values;
}

inline std::vector<double> doubles(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

/// |a - b| / |b|, as vectors.
template <typename A, typename B>
double relative_error(const A& a, const B& b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    difference += (x - y) * (x - y);
    size += y * y;
  }
  return std::sqrt(difference / std::max(size, 1e-300));
}

/// Central differences of `loss` at `at`, one number after the other.
inline std::vector<double> slopes(const std::function<double(const std::vector<double>&)>& loss,
                                  std::vector<double> at, double step = 1e-5) {
  std::vector<double> found(at.size());
  for (std::size_t i = 0; i < at.size(); ++i) {
    const double here = at[i];
    at[i] = here + step;
    const double above = loss(at);
    at[i] = here - step;
    const double below = loss(at);
    at[i] = here;
    found[i] = (above - below) / (2 * step);
  }
  return found;
}

}  // namespace loam::train::testing
