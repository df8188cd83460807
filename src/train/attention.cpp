#include "train/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "train/gemm.h"
#include "train/lanes.h"
#include "train/narrow.h"

namespace loam::train {
namespace {

constexpr std::size_t kQueries = 64;  // of a block: their scores over 2,048 keys are 512 KB

/// Scores of one query over its first `count` keys become probabilities; the rest up to `width` zero. Returns
/// the log of the sum that they were divided by.
template <typename T>
LOAM_INLINE float softmax_row(const float* scores, std::size_t count, std::size_t width, float scale, T* out,
                              float* work) {
  const float most =
      max_lanes(count, -std::numeric_limits<float>::infinity(), [&](std::size_t i) { return scores[i]; });
  for (std::size_t i = 0; i < count; ++i) work[i] = fast_exp(scale * (scores[i] - most));
  const float sum = sum_lanes(count, [&](std::size_t i) { return work[i]; });
  const float share = 1.0F / sum;
  for (std::size_t i = 0; i < count; ++i) out[i] = narrow<T>(work[i] * share);
  for (std::size_t i = count; i < width; ++i) out[i] = T{};
  return scale * most + std::log(sum);
}
LOAM_EACH_WIDTH float softmax(const float* scores, std::size_t count, std::size_t width, float scale,
                              float* out, float* work) {
  return softmax_row(scores, count, width, scale, out, work);
}
LOAM_EACH_WIDTH float softmax(const float* scores, std::size_t count, std::size_t width, float scale,
                              Bf16* out, float* work) {
  return softmax_row(scores, count, width, scale, out, work);
}

/// Probabilities from scores and their log sum; then, from the gradients of the probabilities, those of the
/// products of query and keys: ds = p (dp - sum(p dp)) scale.
template <typename T>
LOAM_INLINE void softmax_row_backward(float* scores, const float* dprobabilities, std::size_t count,
                                      std::size_t width, float scale, float log_sum, T* probabilities,
                                      T* dscores) {
  for (std::size_t i = 0; i < count; ++i) scores[i] = fast_exp(scale * scores[i] - log_sum);
  const float along = sum_lanes(count, [&](std::size_t i) { return scores[i] * dprobabilities[i]; });
  for (std::size_t i = 0; i < count; ++i) {
    probabilities[i] = narrow<T>(scores[i]);
    dscores[i] = narrow<T>(scale * scores[i] * (dprobabilities[i] - along));
  }
  for (std::size_t i = count; i < width; ++i) probabilities[i] = dscores[i] = T{};
}
LOAM_EACH_WIDTH void softmax_backward(float* scores, const float* dprobabilities, std::size_t count,
                                      std::size_t width, float scale, float log_sum, float* probabilities,
                                      float* dscores) {
  softmax_row_backward(scores, dprobabilities, count, width, scale, log_sum, probabilities, dscores);
}
LOAM_EACH_WIDTH void softmax_backward(float* scores, const float* dprobabilities, std::size_t count,
                                      std::size_t width, float scale, float log_sum, Bf16* probabilities,
                                      Bf16* dscores) {
  softmax_row_backward(scores, dprobabilities, count, width, scale, log_sum, probabilities, dscores);
}

/// What one thread needs for a head of a sequence; grows to the longest that it has met.
struct Workspace {
  PackedFactor keys_for_scores, values, values_for_gradients, keys;
  PackedFactor right;
  Buffer scores, gradients, row, key_gradients, value_gradients, part;
  Operand probabilities, dscores, left;
};

Workspace& workspace() {
  thread_local Workspace kept;
  return kept;
}

std::size_t round_up(std::size_t value, std::size_t step) { return (value + step - 1) / step * step; }

/// left (columns, rows) = block (rows, columns) turned over; an odd last row is followed by a zero.
template <typename T>
void turn_over(const Factor& block, Operand& left) {
  left.shape(block.precision, block.columns, round_up(block.rows, 2));
  for (std::size_t c = 0; c < block.columns; ++c) {
    T* to = left.row<T>(c);
    for (std::size_t r = 0; r < block.rows; ++r) to[r] = static_cast<const T*>(block.at(r))[c];
    if (block.rows % 2 != 0) to[block.rows] = T{};
  }
}

/// Of a block of queries of a segment, those from the first to the last that is wanted. What lies between is
/// computed too; what is empty, not at all.
Segment wanted(const Segment& segment, std::size_t begin, QueryRows only) {
  const std::size_t end = std::min(segment.length, begin + kQueries);
  if (only == nullptr) return {begin, end - begin};
  const auto from = std::lower_bound(only->begin(), only->end(), segment.start + begin);
  const auto to = std::lower_bound(from, only->end(), segment.start + end);
  if (from == to) return {begin, 0};
  const std::size_t first = *from - segment.start;
  return {first, *(to - 1) - segment.start + 1 - first};
}

/// Keys, from the sequence's first, that query `query` sees.
std::size_t keys_seen(const AttentionShape& shape, const Segment& segment, std::size_t query) {
  return shape.sees == Sees::all ? segment.length : query + 1;
}

template <typename T>
void forward_head(const AttentionShape& shape, const Segment& segment, std::size_t head, const Operand& qkv,
                  Operand& out, float* log_sums, QueryRows only) {
  Workspace& work = workspace();
  const std::size_t size = shape.head_size;
  const std::size_t kv_head = head / (shape.heads / shape.kv_heads);
  const std::size_t length = segment.length;
  const std::size_t wide = round_up(length, 32);
  const Factor all = qkv.view();
  const Factor keys = all.part(segment.start, length, shape.query_columns() + kv_head * size, size);
  const Factor values =
      all.part(segment.start, length, shape.query_columns() + shape.key_columns() + kv_head * size, size);
  work.keys_for_scores.pack(keys, Right::transposed);
  work.values.pack(values, Right::as_it_is);
  float* scores = work.scores.floats(kQueries * wide);
  float* row = work.row.floats(wide);
  float* part = work.part.floats(kQueries * size);
  work.probabilities.shape(qkv.precision(), kQueries, wide);
  for (std::size_t block_start = 0; block_start < length; block_start += kQueries) {
    const auto [begin, queries] = wanted(segment, block_start, only);
    if (queries == 0) continue;
    const std::size_t seen = keys_seen(shape, segment, begin + queries - 1);
    const std::size_t even = round_up(seen, 2);
    const std::size_t across =
        round_up(seen, 32);  // whole panels: columns beyond are zero and never looked at
    const Factor block = all.part(segment.start + begin, queries, head * size, size);
    multiply_packed(block, work.keys_for_scores, across, scores, wide, Add::no);
    for (std::size_t q = 0; q < queries; ++q) {
      const float log_sum = softmax(scores + q * wide, keys_seen(shape, segment, begin + q), even,
                                    shape.scale, work.probabilities.row<T>(q), row);
      log_sums[(segment.start + begin + q) * shape.heads + head] = log_sum;
    }
    multiply_packed(work.probabilities.view().part(0, queries, 0, even), work.values, size, part, size,
                    Add::no);
    for (std::size_t q = 0; q < queries; ++q) {
      narrow_row(part + q * size, size, out.row<T>(segment.start + begin + q) + head * size);
    }
  }
}

template <typename T>
void backward_group(const AttentionShape& shape, const Segment& segment, std::size_t kv_head,
                    const Operand& qkv, const float* log_sums, const Operand& dout, float* dqkv,
                    QueryRows only) {
  Workspace& work = workspace();
  const std::size_t size = shape.head_size;
  const std::size_t group = shape.heads / shape.kv_heads;
  const std::size_t length = segment.length;
  const std::size_t wide = round_up(length, 32);
  const Factor all = qkv.view();
  const std::size_t key_column = shape.query_columns() + kv_head * size;
  const std::size_t value_column = key_column + shape.key_columns();
  const Factor keys = all.part(segment.start, length, key_column, size);
  const Factor values = all.part(segment.start, length, value_column, size);
  work.keys_for_scores.pack(keys, Right::transposed);
  work.keys.pack(keys, Right::as_it_is);
  work.values_for_gradients.pack(values, Right::transposed);
  float* scores = work.scores.floats(kQueries * wide);
  float* gradients = work.gradients.floats(kQueries * wide);
  float* part = work.part.floats(kQueries * size);
  float* dkeys = work.key_gradients.floats(size * wide);  // (size, wide): turned over
  float* dvalues = work.value_gradients.floats(size * wide);
  std::fill_n(dkeys, size * wide, 0.0F);
  std::fill_n(dvalues, size * wide, 0.0F);
  work.probabilities.shape(qkv.precision(), kQueries, wide);
  work.dscores.shape(qkv.precision(), kQueries, wide);
  for (std::size_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    for (std::size_t block_start = 0; block_start < length; block_start += kQueries) {
      const auto [begin, queries] = wanted(segment, block_start, only);
      if (queries == 0) continue;
      const std::size_t seen = keys_seen(shape, segment, begin + queries - 1);
      const std::size_t even = round_up(seen, 2);
      const std::size_t across = round_up(seen, 32);
      const std::size_t first = segment.start + begin;
      const Factor block = all.part(first, queries, head * size, size);
      const Factor dblock = dout.view().part(first, queries, head * size, size);
      multiply_packed(block, work.keys_for_scores, across, scores, wide, Add::no);
      multiply_packed(dblock, work.values_for_gradients, across, gradients, wide, Add::no);
      for (std::size_t q = 0; q < queries; ++q) {
        softmax_backward(scores + q * wide, gradients + q * wide, keys_seen(shape, segment, begin + q), even,
                         shape.scale, log_sums[(first + q) * shape.heads + head],
                         work.probabilities.row<T>(q), work.dscores.row<T>(q));
      }
      // dq = ds K; transposed, dV = dO^T P and dK = Q^T ds.
      multiply_packed(work.dscores.view().part(0, queries, 0, even), work.keys, size, part, size, Add::no);
      for (std::size_t q = 0; q < queries; ++q) {
        std::memcpy(dqkv + (first + q) * shape.all_columns() + head * size, part + q * size,
                    size * sizeof(float));
      }
      work.right.pack(work.probabilities.view().part(0, queries, 0, seen), Right::as_it_is);
      turn_over<T>(dblock, work.left);
      multiply_packed(work.left.view(), work.right, across, dvalues, wide, Add::yes);
      work.right.pack(work.dscores.view().part(0, queries, 0, seen), Right::as_it_is);
      turn_over<T>(block, work.left);
      multiply_packed(work.left.view(), work.right, across, dkeys, wide, Add::yes);
    }
  }
  for (std::size_t t = 0; t < length; ++t) {
    float* to = dqkv + (segment.start + t) * shape.all_columns();
    for (std::size_t i = 0; i < size; ++i) {
      to[key_column + i] = dkeys[i * wide + t];
      to[value_column + i] = dvalues[i * wide + t];
    }
  }
}

}  // namespace

void attention(Team& team, const AttentionShape& shape, std::span<const Segment> segments, const Operand& qkv,
               Operand& out, float* log_sums, QueryRows only) {
  out.shape(qkv.precision(), qkv.rows(), shape.query_columns());
  with_type(qkv.precision(), [&](auto type) {
    using T = decltype(type);
    team.run(segments.size() * shape.heads, [&](std::size_t turn) {
      forward_head<T>(shape, segments[turn / shape.heads], turn % shape.heads, qkv, out, log_sums, only);
    });
  });
}

void attention_backward(Team& team, const AttentionShape& shape, std::span<const Segment> segments,
                        const Operand& qkv, const float* log_sums, const Operand& dout, float* dqkv,
                        QueryRows only) {
  with_type(qkv.precision(), [&](auto type) {
    using T = decltype(type);
    // The heads of a group add to the same keys and values: one turn does all of them, in order.
    team.run(segments.size() * shape.kv_heads, [&](std::size_t turn) {
      backward_group<T>(shape, segments[turn / shape.kv_heads], turn % shape.kv_heads, qkv, log_sums, dout,
                        dqkv, only);
    });
  });
}

}  // namespace loam::train
