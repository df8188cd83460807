// Which passages look like the answer to a question and are not? Taken from the ranks by words and, where the
// base model has read them, by its vectors: what a search would show is what has to be told apart.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "baseline/linear.h"
#include "engine/wordpiece.h"
#include "train/encoder_task.h"
#include "train/span_data.h"

namespace loam::train {

/// The passages of one part of the data, ranked for a question. Immutable after read().
class PassageRanks {
 public:
  /// `passages`: which of the data's.
  PassageRanks(const SpanData& data, std::vector<std::size_t> passages);

  /// Reads passages and questions with the base, so that ranks by vectors count too.
  void read(EncoderReading& base, const engine::WordPiece& words, std::span<const std::size_t> questions,
            int most_tokens);

  /// Passages of the data, best first; by words alone.
  std::vector<std::size_t> by_words(std::string_view question, std::size_t most) const;
  /// Best first, taken in turns from the ranks by words and by vectors, without the question's own passage
  /// and those that hold one of its answers. `item` is of the data's items.
  std::vector<std::size_t> wrong_for(std::size_t item, std::size_t most) const;
  const std::vector<std::size_t>& passages() const { return passages_; }

 private:
  const SpanData& data_;
  std::vector<std::size_t> passages_;
  std::optional<baseline::Bm25Neighbours> words_;
  std::size_t width_ = 0;
  std::vector<float> vectors_;                 // (passages, width), unit length; empty: not read
  std::vector<std::vector<float>> questions_;  // by item; empty: not read
};

/// The passages that questions `items` and their negatives have, ascending.
std::vector<std::size_t> passages_of(const SpanData& data, std::span<const std::size_t> items);

}  // namespace loam::train
