// The inner loops of the linear models, for whatever vector width the processor has. Sums run over rows and
// columns in a fixed order and lanes never mix, so each width gives the same bits (the file is compiled
// without fused multiply-add for that reason).
#pragma once

#include <cstddef>
#include <cstdint>

namespace loam::baseline {

/// Rows of class values are padded with zeros to a multiple of this.
inline constexpr std::size_t kLanes = 16;
inline std::size_t padded(std::size_t outputs) { return (outputs + kLanes - 1) / kLanes * kLanes; }

/// out = bias + sum over i of values[i] * weights[columns[i], :]. `weights` is (columns, width), width a
/// multiple of kLanes.
void sparse_logits(const std::uint32_t* columns, const float* values, std::size_t count, const float* weights,
                   const float* bias, std::size_t width, float* out);

/// sum = sum over i of values[i] * rows[index[i], :], in double every 64 terms. `rows` is (n, width).
void gather_sum(const std::uint32_t* index, const float* values, std::size_t count, const float* rows,
                std::size_t width, double* sum);

/// out[r, :] = bias + x[r, :] * weights for `rows` rows. `x` is (rows, columns), `weights` (columns, width).
void dense_logits(const float* x, std::size_t rows, std::size_t columns, const float* weights,
                  const float* bias, std::size_t width, float* out);

/// sum[c, :] = sum over r of x[r, c] * residuals[r, :] for columns first <= c < last, in double every 256
/// rows. `sum` is (columns, width).
void dense_gradient(const float* x, std::size_t rows, std::size_t columns, const float* residuals,
                    std::size_t width, std::size_t first, std::size_t last, double* sum);

/// Logits to probabilities in place; `count` of them (Blanchard, Higham & Higham, IMA J. Numer. Anal. 41,
/// 2021: shifted by the largest). Returns the logarithm of the sum of exponentials.
double softmax(float* values, std::size_t count);

}  // namespace loam::baseline
