// Forward and backward through a frozen Llama with an adapter: what one micro-batch says about the adapter.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/team.h"
#include "train/frozen_llama.h"
#include "train/lora.h"
#include "train/segments.h"

namespace loam::train {

/// Sequences side by side, and which of their rows are to predict what.
struct Batch {
  std::vector<std::int32_t> tokens;
  std::vector<Segment> segments;      ///< ascending; together all of `tokens`
  std::vector<std::uint32_t> rows;    ///< ascending: rows whose next token is known and counts
  std::vector<std::int32_t> targets;  ///< that token, one for each of `rows`

  /// Appends a sequence. Where counts[i], token i is to be predicted from those before it; counts[0] is
  /// ignored.
  void add(std::span<const std::int32_t> sequence, std::span<const std::uint8_t> counts);
};

/// What is kept between forward and backward.
enum class Keep : std::uint8_t {
  everything,    ///< fastest; about 14 KB a token and layer for a model of 135M parameters
  layer_inputs,  ///< each layer is computed a second time for its gradients: a third slower, 2.3 KB
};

struct PassOptions {
  Keep keep = Keep::everything;
  int head_rows = 256;  ///< rows whose vocabulary logits are in memory at once
};

/// Buffers for one batch at a time; they grow to the largest. Not for several threads at once.
class LlamaPass {
 public:
  /// All must outlive the pass. `lora` may be null: the base alone.
  LlamaPass(const FrozenLlama& model, LoraParameters* lora, Team& team, PassOptions options = {});
  ~LlamaPass();
  LlamaPass(const LlamaPass&) = delete;
  LlamaPass& operator=(const LlamaPass&) = delete;

  /// Sum of -log p(target) over the batch's rows; adds weight times its gradient to the adapter's. NaN where
  /// the numbers have gone wrong. `states`: what entering() gave for these sequences, now or earlier, which
  /// saves all layers below the lowest adapter and changes no byte of the result. Throws std::bad_alloc.
  double train(const Batch& batch, float weight, const Operand* states = nullptr);
  /// The same sum without gradients.
  double loss(const Batch& batch, const Operand* states = nullptr);
  /// The hidden states that enter the lowest layer with an adapter, (tokens, width) in the model's precision,
  /// valid until the next call. They depend neither on the adapter nor on what else is in the batch.
  const Operand& entering(const Batch& batch);
  /// Calls `each` with the logits of each of the batch's rows, in order.
  void for_each_logits(const Batch& batch,
                       const std::function<void(std::size_t index, std::span<const float> logits)>& each);

  /// What train() will hold for batches of `tokens` tokens and `rows` predictions, without weights and
  /// adapter.
  static std::uint64_t predicted_bytes(const LlamaShape& shape, const LoraOptions& lora, Precision precision,
                                       std::size_t tokens, std::size_t rows, const PassOptions& options);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace loam::train
