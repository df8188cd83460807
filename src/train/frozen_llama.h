// The base model while an adapter is trained: a GGUF of the Llama family, its weights widened once from
// whatever quantisation the file has, so that the adapter is trained for the very weights that it will be
// served on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "base/team.h"
#include "train/attention.h"
#include "train/operand.h"
#include "train/rope.h"

namespace loam::train {

struct LlamaShape {
  std::string architecture;  ///< "llama", "qwen2", "qwen3"
  std::size_t layers = 0;
  std::size_t width = 0;  ///< of the residual stream
  std::size_t inner = 0;  ///< of the feed-forward part
  std::size_t vocabulary = 0;
  std::size_t context = 0;  ///< trained context, tokens
  float norm_epsilon = 0;
  AttentionShape attention;
};

/// Matrices are (out, in), row-major, in the precision of the model; vectors f32.
struct FrozenLayer {
  Operand q, k, v, o, gate, up, down;
  std::vector<float> attention_norm, ffn_norm;
  std::vector<float> q_bias, k_bias, v_bias;  ///< empty: none
  std::vector<float> q_norm, k_norm;          ///< (head_size), Qwen3; empty: none
};

/// Immutable once open; any thread.
struct FrozenLlama {
  LlamaShape shape;
  Rope rope;
  Precision precision = Precision::f32;
  Operand embedding;  ///< (vocabulary, width)
  Operand output;     ///< (vocabulary, width); of no rows when it is the embedding
  std::vector<float> output_norm;
  std::vector<FrozenLayer> layers;
  std::size_t file_layers = 0;  ///< of the file; more than there are here when only some were asked for

  const Operand& head() const { return output.rows() > 0 ? output : embedding; }
  std::uint64_t bytes() const;
};

/// An architecture that the trainer does not know is refused by name (bad_request), and so is every tensor or
/// setting of which it does not know the meaning; weights that are not numbers are bad_data. The tokenizer is
/// not read here. `most_layers`: from the bottom, to measure how long a layer takes; 0: all.
Result<FrozenLlama> open_frozen_llama(const std::filesystem::path& gguf, Precision precision, Team& team,
                                      const ProgressSink& progress = {}, std::size_t most_layers = 0);

}  // namespace loam::train
