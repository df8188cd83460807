#include "baseline/kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/each_width.h"

namespace loam::baseline {
namespace {

// Sixteen floats that the compiler maps to whatever registers there are; may lie anywhere.
using Lanes [[gnu::vector_size(64), gnu::aligned(4), gnu::may_alias]] = float;

constexpr std::size_t kGatherBlock = 64;
constexpr std::size_t kRowBlock = 256;

}  // namespace

LOAM_EACH_WIDTH void sparse_logits(const std::uint32_t* columns, const float* values, std::size_t count,
                                   const float* weights, const float* bias, std::size_t width, float* out) {
  for (std::size_t k = 0; k < width; k += kLanes) {
    Lanes sum = *reinterpret_cast<const Lanes*>(bias + k);
    for (std::size_t i = 0; i < count; ++i) {
      sum += *reinterpret_cast<const Lanes*>(weights + columns[i] * width + k) * values[i];
    }
    *reinterpret_cast<Lanes*>(out + k) = sum;
  }
}

LOAM_EACH_WIDTH void gather_sum(const std::uint32_t* index, const float* values, std::size_t count,
                                const float* rows, std::size_t width, double* sum) {
  for (std::size_t k = 0; k < width; ++k) sum[k] = 0.0;
  for (std::size_t begin = 0; begin < count; begin += kGatherBlock) {
    const std::size_t end = std::min(count, begin + kGatherBlock);
    for (std::size_t k = 0; k < width; k += kLanes) {
      Lanes part = {};
      for (std::size_t i = begin; i < end; ++i) {
        part += *reinterpret_cast<const Lanes*>(rows + index[i] * width + k) * values[i];
      }
      for (std::size_t lane = 0; lane < kLanes; ++lane) sum[k + lane] += static_cast<double>(part[lane]);
    }
  }
}

LOAM_EACH_WIDTH void dense_logits(const float* x, std::size_t rows, std::size_t columns, const float* weights,
                                  const float* bias, std::size_t width, float* out) {
  std::size_t r = 0;
  for (; r + 4 <= rows; r += 4) {  // four rows share each load of the weights
    const float* x0 = x + r * columns;
    const float* x1 = x0 + columns;
    const float* x2 = x1 + columns;
    const float* x3 = x2 + columns;
    for (std::size_t k = 0; k < width; k += kLanes) {
      Lanes a0 = *reinterpret_cast<const Lanes*>(bias + k);
      Lanes a1 = a0;
      Lanes a2 = a0;
      Lanes a3 = a0;
      for (std::size_t c = 0; c < columns; ++c) {
        const Lanes w = *reinterpret_cast<const Lanes*>(weights + c * width + k);
        a0 += w * x0[c];
        a1 += w * x1[c];
        a2 += w * x2[c];
        a3 += w * x3[c];
      }
      *reinterpret_cast<Lanes*>(out + r * width + k) = a0;
      *reinterpret_cast<Lanes*>(out + (r + 1) * width + k) = a1;
      *reinterpret_cast<Lanes*>(out + (r + 2) * width + k) = a2;
      *reinterpret_cast<Lanes*>(out + (r + 3) * width + k) = a3;
    }
  }
  for (; r < rows; ++r) {
    const float* x0 = x + r * columns;
    for (std::size_t k = 0; k < width; k += kLanes) {
      Lanes a0 = *reinterpret_cast<const Lanes*>(bias + k);
      for (std::size_t c = 0; c < columns; ++c) {
        a0 += *reinterpret_cast<const Lanes*>(weights + c * width + k) * x0[c];
      }
      *reinterpret_cast<Lanes*>(out + r * width + k) = a0;
    }
  }
}

LOAM_EACH_WIDTH void dense_gradient(const float* x, std::size_t rows, std::size_t columns,
                                    const float* residuals, std::size_t width, std::size_t first,
                                    std::size_t last, double* sum) {
  for (std::size_t i = first * width; i < last * width; ++i) sum[i] = 0.0;
  for (std::size_t begin = 0; begin < rows; begin += kRowBlock) {
    const std::size_t end = std::min(rows, begin + kRowBlock);
    std::size_t c = first;
    for (; c + 4 <= last; c += 4) {
      for (std::size_t k = 0; k < width; k += kLanes) {
        Lanes a0 = {};
        Lanes a1 = {};
        Lanes a2 = {};
        Lanes a3 = {};
        for (std::size_t r = begin; r < end; ++r) {
          const Lanes residual = *reinterpret_cast<const Lanes*>(residuals + r * width + k);
          const float* row = x + r * columns + c;
          a0 += residual * row[0];
          a1 += residual * row[1];
          a2 += residual * row[2];
          a3 += residual * row[3];
        }
        double* to = sum + c * width + k;
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
          to[lane] += static_cast<double>(a0[lane]);
          to[width + lane] += static_cast<double>(a1[lane]);
          to[2 * width + lane] += static_cast<double>(a2[lane]);
          to[3 * width + lane] += static_cast<double>(a3[lane]);
        }
      }
    }
    for (; c < last; ++c) {
      for (std::size_t k = 0; k < width; k += kLanes) {
        Lanes a0 = {};
        for (std::size_t r = begin; r < end; ++r) {
          a0 += *reinterpret_cast<const Lanes*>(residuals + r * width + k) * x[r * columns + c];
        }
        double* to = sum + c * width + k;
        for (std::size_t lane = 0; lane < kLanes; ++lane) to[lane] += static_cast<double>(a0[lane]);
      }
    }
  }
}

double softmax(float* values, std::size_t count) {
  const float largest = *std::max_element(values, values + count);
  double sum = 0.0;
  for (std::size_t k = 0; k < count; ++k) {
    values[k] = std::exp(values[k] - largest);
    sum += static_cast<double>(values[k]);
  }
  const auto scale = static_cast<float>(1.0 / sum);
  for (std::size_t k = 0; k < count; ++k) values[k] *= scale;
  return static_cast<double>(largest) + std::log(sum);
}

}  // namespace loam::baseline
