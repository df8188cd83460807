#include "engine/adapter_check.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "engine/base_identity.h"
#include "engine/gguf_file.h"

namespace loam::engine {
namespace {

constexpr std::uint64_t kHighestRank = 4096;
constexpr std::uint32_t kF32 = 0;  // ggml type numbers
constexpr std::uint32_t kF16 = 1;
constexpr std::uint32_t kBf16 = 30;
constexpr std::string_view kTokenEmbeddings = "token_embd.weight";

struct Pair {
  const GgufTensor* a = nullptr;
  const GgufTensor* b = nullptr;
};
using Pairs = std::map<std::string, Pair>;

std::string text_of(const GgufMetadata& file, const char* key) {
  const GgufValue* value = file.find(key);
  return value != nullptr && value->type == GgufType::string && !value->is_array ? value->text
                                                                                 : std::string();
}

Result<void> check_keys(const GgufMetadata& file, const std::string& place) {
  if (text_of(file, "general.type") != "adapter" || text_of(file, "adapter.type") != "lora") {
    return gguf_error(place, "not a LoRA adapter (general.type and adapter.type say otherwise)");
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

/// lora_a and lora_b by the name of the matrix that they change.
Result<Pairs> pairs_of(const GgufMetadata& file, const std::string& place) {
  Pairs pairs;
  for (const GgufTensor& tensor : file.tensors) {
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
    const std::uint64_t rank_a = pair.a->dimensions[name == kTokenEmbeddings ? 0 : 1];
    const std::uint64_t rank_b = pair.b->dimensions[0];
    if (rank_a != rank_b || rank_a > kHighestRank || rank_a == 0) {
      return gguf_error(place, shown_name(name) + " has the ranks " + std::to_string(rank_a) + " and " +
                                   std::to_string(rank_b));
    }
  }
  return pairs;
}

/// "blk.3.attn_q.weight" -> "attn_q"
std::string kind_of(std::string_view matrix) {
  if (matrix.ends_with(".weight")) matrix.remove_suffix(7);
  return std::string(matrix.substr(matrix.rfind('.') + 1));
}

struct OpenAdapter {
  GgufFile bytes;
  GgufMetadata metadata;
  Pairs pairs;  // point into metadata
  AdapterInfo info;
};

Result<std::unique_ptr<OpenAdapter>> open_adapter(const std::filesystem::path& path) {
  auto file = ReadOnlyFile::open(path);
  if (!file) return file.error();
  const std::string place = path.string();
  auto open = std::make_unique<OpenAdapter>(OpenAdapter{GgufFile(std::move(*file)), {}, {}, {}});
  auto metadata = read_gguf_metadata(open->bytes, place);
  if (!metadata) return metadata.error();
  open->metadata = *std::move(metadata);
  const GgufMetadata& keys = open->metadata;
  if (auto checked = check_keys(keys, place); !checked) return checked.error();
  auto pairs = pairs_of(keys, place);
  if (!pairs) return pairs.error();
  open->pairs = *std::move(pairs);
  AdapterInfo& info = open->info;
  info.name = text_of(keys, "general.name");
  info.architecture = text_of(keys, "general.architecture");
  info.alpha = static_cast<float>(keys.find("adapter.lora.alpha")->number);
  info.base_name = text_of(keys, kBaseNameKey);
  info.base_fingerprint = text_of(keys, kBaseFingerprintKey);
  info.base_identity = text_of(keys, kBaseIdentityKey);
  info.trained_from = text_of(keys, kTrainedFromKey);
  info.head = text_of(keys, "loam.head.kind");
  info.file_bytes = keys.file_bytes;
  info.matrices = static_cast<int>(open->pairs.size());
  std::set<std::string> kinds;
  for (const auto& [name, pair] : open->pairs) {
    info.rank = std::max(info.rank, static_cast<int>(pair.b->dimensions[0]));
    info.parameters += pair.a->elements + pair.b->elements;
    kinds.insert(kind_of(name));
  }
  info.targets.assign(kinds.begin(), kinds.end());
  return open;
}

Error wrong_architecture(const std::string& place, const std::string& adapter, std::string_view model) {
  return gguf_error(place, "an adapter for the architecture '" + shown_name(adapter) +
                               "', but the model is '" + std::string(model) + "'");
}

}  // namespace

Result<AdapterInfo> read_adapter(const std::filesystem::path& path) {
  auto open = open_adapter(path);
  if (!open) return open.error();
  return std::move((*open)->info);
}

Result<void> check_adapter(const std::filesystem::path& path, std::string_view model_architecture) {
  const auto info = read_adapter(path);
  if (!info) return info.error();
  if (info->architecture != model_architecture) {
    return wrong_architecture(path.string(), info->architecture, model_architecture);
  }
  return done();
}

Result<BaseMatch> check_adapter_base(const std::filesystem::path& adapter,
                                     const std::filesystem::path& base) {
  const auto open = open_adapter(adapter);
  if (!open) return open.error();
  const AdapterInfo& info = (*open)->info;
  auto file = ReadOnlyFile::open(base);
  if (!file) return file.error();
  GgufFile bytes(std::move(*file));
  const auto model = read_gguf_metadata(bytes, base.string());
  if (!model) return model.error();
  const std::string architecture = text_of(*model, "general.architecture");
  if (info.architecture != architecture) {
    return wrong_architecture(adapter.string(), info.architecture, architecture);
  }
  const std::string trained_on =
      info.base_name.empty() ? std::string("another model") : shown_name(info.base_name);
  const std::string next = info.base_name.empty() ? "name the model it was trained on: --model MODEL"
                                                  : "--model " + shown_name(info.base_name);
  if (!info.base_identity.empty()) {
    const auto identity = base_identity(bytes, *model, base.string());
    if (!identity) return identity.error();
    if (*identity != info.base_identity) {
      return Error{Kind::bad_request, adapter.string(),
                   "it was trained on " + trained_on + ", and " + base.stem().string() +
                       " is another model, not another form of it",
                   next};
    }
  }
  std::map<std::string_view, const GgufTensor*> places;
  for (const GgufTensor& tensor : model->tensors) places[tensor.name] = &tensor;
  for (const auto& [name, pair] : (*open)->pairs) {
    const auto found = places.find(name);
    const bool embeddings = name == kTokenEmbeddings;
    const std::uint64_t in = pair.a->dimensions[embeddings ? 1 : 0];
    const std::uint64_t out = pair.b->dimensions[1];
    const bool fits = found != places.end() && found->second->dimensions.size() == 2 &&
                      found->second->dimensions[embeddings ? 1 : 0] == in &&
                      found->second->dimensions[embeddings ? 0 : 1] == out;
    if (!fits) {
      return Error{Kind::bad_request, adapter.string(),
                   shown_name(name) + " of " + std::to_string(in) + " to " + std::to_string(out) +
                       " has no place in " + base.stem().string() + "; it was trained on " + trained_on,
                   next};
    }
  }
  return info.base_identity.empty() ? BaseMatch::shapes_only : BaseMatch::proved;
}

}  // namespace loam::engine
