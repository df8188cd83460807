// What re-rankers and embedders have in common: questions with a passage that answers them, in two parts,
// each with wrong passages.
#pragma once

#include <memory>
#include <vector>

#include "train/encoder_task.h"
#include "train/hard_negatives.h"
#include "train/span_data.h"

namespace loam::train {

class PairTask : public EncoderTask {
 public:
  std::size_t items() const override { return train_.size(); }
  std::size_t line_of(std::size_t item) const override { return data_.items[train_[item]].line; }
  Result<void> prepare(EncoderReading& base) override;

 protected:
  /// How many tokens a question takes with a passage, for what does not fit.
  enum class Together : std::uint8_t { no, yes };
  PairTask(SpanData data, const engine::WordPiece& words, const EncoderTaskOptions& options,
           std::size_t usual_negatives);
  /// Leaves out and tells what is too long, and parts the rest.
  Result<void> split(Together together);

  const SpanQuestion& question(std::size_t item) const { return data_.items[item]; }
  /// Does a passage fit beside this question, or alone where they are read apart?
  bool fits(std::size_t item, std::size_t passage) const;
  /// The wrong passages of an item in an epoch: the data's own, then others by turns.
  std::vector<std::size_t> wrong_passages(std::size_t item, std::uint64_t epoch) const;

  SpanData data_;
  const engine::WordPiece& words_;
  EncoderTaskOptions options_;
  std::size_t negatives_ = 0;
  Together together_ = Together::no;
  std::vector<std::vector<engine::Token>> passages_, questions_;  // without special tokens
  std::vector<std::size_t> train_, held_out_;                     // of data_.items
  std::vector<std::vector<std::size_t>> wrong_;                   // of each of train_, the hardest first
  std::unique_ptr<PassageRanks> held_out_ranks_;
};

}  // namespace loam::train
