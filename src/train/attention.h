// Attention with shared key-value heads over packed sequences, computed a block of queries at a time (Dao et
// al. 2022): the probabilities are made again for the gradients instead of kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/team.h"
#include "train/operand.h"
#include "train/segments.h"

namespace loam::train {

/// Which tokens of its sequence a token looks at.
enum class Sees : std::uint8_t {
  earlier,  ///< itself and those before it: language models
  all,      ///< encoders
};

struct AttentionShape {
  std::size_t heads = 0, kv_heads = 0;  ///< heads is a multiple of kv_heads
  std::size_t head_size = 0;            ///< even
  float scale = 0;                      ///< of the products of queries and keys: 1 / sqrt(head_size)
  Sees sees = Sees::earlier;

  std::size_t query_columns() const { return heads * head_size; }
  std::size_t key_columns() const { return kv_heads * head_size; }
  std::size_t all_columns() const { return query_columns() + 2 * key_columns(); }
};

/// The rows whose queries are computed, ascending; null: all. Other rows of the output, and of the gradient
/// of the queries, are left as they are.
using QueryRows = const std::vector<std::uint32_t>*;

/// `qkv` is (tokens, all_columns()): queries, keys, values side by side. `out` becomes (tokens,
/// query_columns()); `log_sums`, (tokens, heads) f32, what backward needs of each row of probabilities.
void attention(Team& team, const AttentionShape& shape, std::span<const Segment> segments, const Operand& qkv,
               Operand& out, float* log_sums, QueryRows only = nullptr);

/// `dout` is the gradient of `out`, zero in rows that are not in `only`; `dqkv`, (tokens, all_columns())
/// row-major f32, becomes that of `qkv`.
void attention_backward(Team& team, const AttentionShape& shape, std::span<const Segment> segments,
                        const Operand& qkv, const float* log_sums, const Operand& dout, float* dqkv,
                        QueryRows only = nullptr);

}  // namespace loam::train
