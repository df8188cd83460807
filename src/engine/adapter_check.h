// Is this GGUF a LoRA adapter that llama.cpp can take without harm, and is it for this model? Checked before
// llama.cpp sees it: its own loader asserts on values of the wrong type.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace loam::engine {

/// What an adapter says about itself.
struct AdapterInfo {
  std::string name;                  ///< general.name; may be empty
  std::string architecture;          ///< of the model it is for
  float alpha = 0;                   ///< what it adds is scaled by alpha / rank
  int rank = 0;                      ///< the largest over its matrices
  int matrices = 0;                  ///< of the model that it changes
  std::vector<std::string> targets;  ///< their kinds, sorted: "attn_q", "ffn_down"
  std::uint64_t parameters = 0;
  std::uint64_t file_bytes = 0;
  std::string base_name;         ///< the model it was trained on; may be empty
  std::string base_fingerprint;  ///< of that very file; may be empty
  std::string base_identity;     ///< base_identity() of that model in any quantisation; may be empty
  std::string trained_from;      ///< what it learnt from; may be empty
  std::string head;              ///< of an encoder: "reranker", "reader", ...; empty for a chat model
};

/// Everything that can be told without its model. bad_data names the key or tensor. Any thread.
Result<AdapterInfo> read_adapter(const std::filesystem::path& path);

/// read_adapter(), and that it is for a model of this architecture.
Result<void> check_adapter(const std::filesystem::path& path, std::string_view model_architecture);

enum class BaseMatch : std::uint8_t {
  proved,       ///< the adapter names this very model, in whichever quantisation
  shapes_only,  ///< the adapter does not say what it was trained on; it fits
};

/// Is the adapter for this model? bad_request naming both models when it was trained on another one, or when
/// a matrix of it has no place there. Reads metadata only: nothing is loaded.
Result<BaseMatch> check_adapter_base(const std::filesystem::path& adapter, const std::filesystem::path& base);

}  // namespace loam::engine
