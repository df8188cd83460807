// The base model while an encoder is trained: a GGUF of the architecture bert (BERT, MiniLM, bge, e5).
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "base/team.h"
#include "train/attention.h"
#include "train/lora.h"
#include "train/operand.h"

namespace loam::train {

struct BertShape {
  std::size_t layers = 0;
  std::size_t width = 0;
  std::size_t inner = 0;  ///< of the feed-forward part
  std::size_t vocabulary = 0;
  std::size_t context = 0;  ///< positions that it has embeddings for
  float norm_epsilon = 0;
  AttentionShape attention;

  LayerSides sides() const;  ///< BERT has no gate
};

/// Layer normalisation (Ba, Kiros and Hinton 2016).
struct FrozenNorm {
  std::vector<float> weight, bias;
};

/// Matrices are (out, in), row-major, in the precision of the model; vectors f32. A bias may be empty: none.
struct FrozenBertLayer {
  Operand q, k, v, o, up, down;
  std::vector<float> qkv_bias;  ///< of queries, keys and values side by side
  std::vector<float> o_bias, up_bias, down_bias;
  FrozenNorm attention_norm;  ///< after attention and what it was added to
  FrozenNorm output_norm;     ///< after the feed-forward part
};

/// Immutable once open; any thread.
struct FrozenBert {
  BertShape shape;
  Precision precision = Precision::f32;
  Operand embedding;  ///< (vocabulary, width)
  Operand positions;  ///< (context, width); with the embedding of token type 0 added: llama.cpp
                      ///< gives every token that type
  FrozenNorm embedding_norm;
  std::vector<FrozenBertLayer> layers;

  std::uint64_t bytes() const;
};

/// Refusals as those of open_frozen_llama(): other architectures by name, and every tensor or setting of
/// which the trainer does not know the meaning (bad_request); weights that are not numbers are bad_data.
Result<FrozenBert> open_frozen_bert(const std::filesystem::path& gguf, Precision precision, Team& team,
                                    const ProgressSink& progress = {});

}  // namespace loam::train
