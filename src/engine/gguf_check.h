// Is this GGUF what it says, before llama.cpp sees it? Our own validator: reads only the metadata, trusts no
// number in it. The format is described in ggml's docs/gguf.md (version 3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace loam::engine {

struct TensorTypeCount {
  std::string type;  ///< "F32", "Q4_1"
  int tensors = 0;
  std::uint64_t bytes = 0;
};

/// What a GGUF says about itself, after everything in it was checked.
struct GgufSummary {
  std::uint32_t version = 0;
  std::string architecture;      ///< "llama", "bert"
  std::string name;              ///< general.name; may be empty
  std::string file_type;         ///< "Q4_1"; from general.file_type, else the type of most weight bytes
  std::uint64_t parameters = 0;  ///< sum of tensor elements
  int context_tokens = 0;        ///< trained context; 0 when the file does not say
  int layers = 0;
  int heads = 0;
  int kv_heads = 0;  ///< the largest over the layers; `heads` when the file does not say
  int head_size_k = 0;
  int head_size_v = 0;
  int embedding_length = 0;
  int feed_forward_length = 0;
  int vocabulary = 0;
  std::string tokenizer;  ///< "gpt2", "llama", "bert", "t5"; empty when the file has none
  bool has_chat_template = false;
  std::string pooling;           ///< "none", "mean", "cls", "last", "rank"; empty when the file does not say
  int embedding_max_tokens = 0;  ///< loam.embedding.max_tokens; 0 when the file does not say
  std::vector<TensorTypeCount> tensor_types;  ///< by bytes, largest first
  int tensors = 0;
  std::uint64_t weights_bytes = 0;  ///< sum of tensor sizes, without padding
  std::uint64_t token_embedding_bytes = 0;
  std::uint64_t output_bytes = 0;  ///< of output.weight; 0 when it is tied to the token embeddings
  std::uint64_t file_bytes = 0;
  std::uint64_t metadata_bytes = 0;  ///< header, keys and tensor list
};

/// Checks everything llama.cpp would rely on. bad_data names the key, tensor or byte offset; unavailable when
/// the file cannot be read; bad_request when it is not a regular file. Any thread; does not map the file.
Result<GgufSummary> check_gguf(const std::filesystem::path& path);

/// The same for bytes in memory, for tests and the fuzzer. `place` names them in errors.
Result<GgufSummary> check_gguf_bytes(std::string_view bytes, std::string_view place);

/// Bytes and name of a ggml type number; the empty name for an unknown or removed type.
struct GgmlTypeInfo {
  std::string_view name;
  std::uint32_t block = 0;  ///< elements per block
  std::uint32_t bytes = 0;  ///< bytes per block
};
GgmlTypeInfo ggml_type_info(std::uint32_t type);

/// Whether llama.cpp v0.5.0 can load this value of general.architecture.
bool is_known_architecture(std::string_view name);

}  // namespace loam::engine
