#include "engine/adapter_check.h"

#include <cmath>
#include <map>

#include "engine/gguf_file.h"

namespace loam::engine {
namespace {

constexpr std::uint64_t kHighestRank = 4096;
constexpr std::uint32_t kF32 = 0;  // ggml type numbers
constexpr std::uint32_t kF16 = 1;
constexpr std::uint32_t kBf16 = 30;

struct Pair {
  const GgufTensor* a = nullptr;
  const GgufTensor* b = nullptr;
};

Result<void> check_keys(const GgufMetadata& file, std::string_view model_architecture,
                        const std::string& place) {
  const auto text_of = [&](const char* key) {
    const GgufValue* value = file.find(key);
    return value != nullptr && value->type == GgufType::string && !value->is_array ? value->text
                                                                                   : std::string();
  };
  if (text_of("general.type") != "adapter" || text_of("adapter.type") != "lora") {
    return gguf_error(place, "not a LoRA adapter (general.type and adapter.type say otherwise)");
  }
  if (text_of("general.architecture") != model_architecture) {
    return gguf_error(place, "an adapter for the architecture '" +
                                 shown_name(text_of("general.architecture")) + "', but the model is '" +
                                 std::string(model_architecture) + "'");
  }
  const GgufValue* alpha = file.find("adapter.lora.alpha");
  if (alpha == nullptr || alpha->type != GgufType::float32 || alpha->is_array ||
      !std::isfinite(alpha->number)) {
    return gguf_error(place, "adapter.lora.alpha is not a float32 number");
  }
  if (file.find("adapter.alora.invocation_tokens") != nullptr) {
    return gguf_error(place, "an activated LoRA, which acts only after certain tokens, is not supported");
  }
  return done();
}

}  // namespace

Result<void> check_adapter(const std::filesystem::path& path, std::string_view model_architecture) {
  auto opened = ReadOnlyFile::open(path);
  if (!opened) {
    return opened.error();
  }
  GgufFile source(std::move(*opened));
  const std::string place = path.string();
  const auto file = read_gguf_metadata(source, place);
  if (!file) {
    return file.error();
  }
  if (auto keys = check_keys(*file, model_architecture, place); !keys) {
    return keys;
  }
  std::map<std::string, Pair> pairs;
  for (const GgufTensor& tensor : file->tensors) {
    const bool is_a = tensor.name.ends_with(".lora_a");
    if (!is_a && !tensor.name.ends_with(".lora_b")) {
      return gguf_error(place, "tensor " + shown_name(tensor.name) + " is neither a lora_a nor a lora_b");
    }
    if (tensor.dimensions.size() != 2 ||
        (tensor.type != kF32 && tensor.type != kF16 && tensor.type != kBf16)) {
      return gguf_error(place, "tensor " + shown_name(tensor.name) + " is not a matrix of F32, F16 or BF16");
    }
    Pair& pair = pairs[tensor.name.substr(0, tensor.name.size() - 7)];
    (is_a ? pair.a : pair.b) = &tensor;
  }
  if (pairs.empty()) {
    return gguf_error(place, "the adapter has no tensors");
  }
  for (const auto& [name, pair] : pairs) {
    if (pair.a == nullptr || pair.b == nullptr) {
      return gguf_error(place, shown_name(name) + " has only one of lora_a and lora_b");
    }
    // For the token embeddings llama.cpp keeps A the other way round.
    const bool embeddings = name == "token_embd.weight";
    const std::uint64_t rank_a = pair.a->dimensions[embeddings ? 0 : 1];
    const std::uint64_t rank_b = pair.b->dimensions[0];
    if (rank_a != rank_b || rank_a > kHighestRank) {
      return gguf_error(place, shown_name(name) + " has the ranks " + std::to_string(rank_a) + " and " +
                                   std::to_string(rank_b));
    }
  }
  return done();
}

}  // namespace loam::engine
