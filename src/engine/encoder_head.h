// What stands in an encoder's adapter beside its LoRA: the last layer that was trained with it (its head),
// and which model it belongs to. The file is a GGUF of llama.cpp's LoRA format with keys of ours,
// "loam.head.*" and "loam.base.*"; it may come from anyone, and nothing in it is trusted.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace loam::engine {

enum class HeadKind : std::uint8_t {
  embedder,    ///< no head: the pooled state is the result
  reranker,    ///< one row: how well a passage answers a question
  reader,      ///< two rows: where an answer starts and where it ends
  classifier,  ///< one row for each label
};
/// "embedder", "reranker", "reader", "classifier".
std::string_view name_of(HeadKind kind);

enum class HeadPooling : std::uint8_t { mean, cls, tokens };

/// What is read at once: one text, or "[CLS] question [SEP] passage [SEP]" with token type 0 everywhere.
enum class HeadInput : std::uint8_t { text, pair };

struct EncoderHead {
  HeadKind kind = HeadKind::embedder;
  HeadPooling pooling = HeadPooling::mean;
  bool pooling_stated = false;  ///< false: the kind's own way, or for an embedder the model's
  HeadInput input = HeadInput::text;
  std::size_t rows = 0;
  std::size_t width = 0;            ///< the model's dimensions
  std::vector<float> weight;        ///< (rows, width), row-major
  std::vector<float> bias;          ///< (rows)
  std::vector<std::string> labels;  ///< of a classifier, one a row
  float no_answer_bias = 0;         ///< of a reader: added to the score of saying nothing
  int max_tokens = 0;               ///< longest sequence it was trained on; 0: not said
  std::string base_name;            ///< the model it was trained on; may be empty
  std::string base_fingerprint;     ///< of that very file; may be empty
  std::string base_identity;        ///< of that model in any quantisation; may be empty
};

/// Reads the head of an adapter for a model of this architecture and width. bad_data names the key whose
/// type, size or value is wrong; unavailable when the file cannot be read. The LoRA itself is checked by
/// check_adapter(), which this calls, and whether it is for a given model by check_adapter_base(). Any
/// thread.
Result<EncoderHead> read_encoder_head(const std::filesystem::path& adapter, std::string_view architecture,
                                      int width);

}  // namespace loam::engine
