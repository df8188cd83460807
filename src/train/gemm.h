// Products of matrices, the greater part of what training computes.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/team.h"
#include "train/operand.h"

namespace loam::train {

/// How the right factor of a product lies in memory.
enum class Right : std::uint8_t {
  as_it_is,    ///< (k, n)
  transposed,  ///< (n, k)
};

enum class Add : std::uint8_t { no, yes };

/// left (m, k) times right (k, n).
struct Product {
  Factor left;
  Factor right;
  Right turn = Right::as_it_is;
};

/// out (m, n), row-major f32: the sum of all products, added to what is there or in its place. All products
/// have one precision; sums are f32, each over k in ascending order (in pairs with bf16), so that the result
/// does not depend on the number of threads. For bf16 left factors k must be even, or their odd column must
/// be zero and there.
void multiply(Team& team, std::span<const Product> products, float* out, std::size_t out_stride,
              std::size_t rows, std::size_t columns, Add add);

/// The same on one thread, for small matrices inside a turn of a Team. `scratch` keeps the packed factors.
void multiply_alone(std::span<const Product> products, float* out, std::size_t out_stride, std::size_t rows,
                    std::size_t columns, Add add, Buffer& scratch);

/// A right factor in the order in which the kernels read it, for factors that are used more than once.
class PackedFactor {
 public:
  void pack(const Factor& right, Right turn);
  std::size_t depth() const { return depth_; }  ///< k
  std::size_t columns() const { return columns_; }

 private:
  friend void multiply_packed(const Factor& left, const PackedFactor& right, std::size_t columns, float* out,
                              std::size_t out_stride, Add add);
  Buffer memory_;
  Precision precision_ = Precision::f32;
  std::size_t depth_ = 0, columns_ = 0, panel_bytes_ = 0;
};

/// The first `columns` columns of left (m, k') times right, on the calling thread. k' = left.columns may be
/// less than right.depth(): the rest is left out; an odd depth of bf16 takes one more of the left factor's
/// columns, which must be a number. Columns beyond right.columns(), up to a multiple of 32, come out as 0.
void multiply_packed(const Factor& left, const PackedFactor& right, std::size_t columns, float* out,
                     std::size_t out_stride, Add add);

/// "avx512_bf16", "avx512", "avx2" or "plain": what this processor multiplies this precision with.
std::string_view kernel_name(Precision precision);
/// Does the processor multiply bf16 itself?
bool has_fast_bf16();
/// bf16 where that is faster, else f32.
Precision fastest_precision();

}  // namespace loam::train
