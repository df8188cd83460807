// Forward and backward through a frozen BERT with an adapter: states out, gradients of states in. What is
// made of the states (spans, scores, vectors) is not known here.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/team.h"
#include "train/frozen_bert.h"
#include "train/llama_pass.h"
#include "train/lora.h"
#include "train/segments.h"

namespace loam::train {

/// Sequences side by side.
struct EncoderBatch {
  std::vector<std::int32_t> tokens;
  std::vector<Segment> segments;  ///< ascending; together all of `tokens`

  void add(std::span<const std::int32_t> sequence) {
    segments.push_back({tokens.size(), sequence.size()});
    tokens.insert(tokens.end(), sequence.begin(), sequence.end());
  }
};

/// Buffers for one batch at a time; they grow to the largest. Not for several threads at once.
class BertPass {
 public:
  /// All must outlive the pass. `lora` may be null: the base alone.
  BertPass(const FrozenBert& model, LoraParameters* lora, Team& team, Keep keep = Keep::everything);
  ~BertPass();
  BertPass(const BertPass&) = delete;
  BertPass& operator=(const BertPass&) = delete;

  enum class Gradients : std::uint8_t { no, yes };  ///< will backward() follow?
  /// The states of all tokens after the last layer, (tokens, width) row-major: what llama.cpp gives with
  /// pooling "none". They stay until the next call. REQUIRES: sequences of 1 to context tokens, all below the
  /// vocabulary. Throws std::bad_alloc.
  std::span<const float> forward(const EncoderBatch& batch, Gradients gradients);
  /// Adds to the adapter's gradients what `dstates`, (tokens, width), means for it. REQUIRES: forward() with
  /// Gradients::yes on the same batch came last.
  void backward(const EncoderBatch& batch, std::span<const float> dstates);

  /// What a step holds for batches of `tokens` tokens, without weights and adapter.
  static std::uint64_t predicted_bytes(const BertShape& shape, const LoraOptions& lora, Precision precision,
                                       std::size_t tokens, Keep keep);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace loam::train
