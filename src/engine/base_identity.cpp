#include "engine/base_identity.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/hash.h"
#include "engine/gguf_file.h"

namespace loam::engine {
namespace {

constexpr std::uint32_t kF32 = 0;  // ggml's type number

/// What an adapter's effect depends on. A fixed list, not all keys: converters differ in the keys they write
/// beside these (file type, quantisation version, names), and one key more must not make another model.
constexpr std::array kHyperParameters = {
    "block_count",
    "embedding_length",
    "feed_forward_length",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.layer_norm_rms_epsilon",
    "attention.layer_norm_epsilon",
    "rope.freq_base",
};

/// Fields end with a byte that no number or name holds, so that no two lists of fields hash alike.
void add_field(Sha256& hash, std::string_view field) {
  hash.add(std::to_string(field.size()));
  hash.add(":");
  hash.add(field);
}

std::string text_of(const GgufValue* value) {
  if (value == nullptr) return "";
  if (value->type == GgufType::string && !value->is_array) return value->text;
  if (!value->is_array) {
    // An integer is one value however wide its type is.
    if (value->is_integer())
      return std::to_string(value->is_negative() ? value->signed_value
                                                 : static_cast<std::int64_t>(value->unsigned_value));
    return std::to_string(value->number * 1e9);  // 1e-5 and 1e-12 must differ
  }
  std::string all;
  for (const std::int64_t one : value->integers) all += std::to_string(one) + ",";
  return all;
}

}  // namespace

Result<std::string> base_identity(GgufBytes& bytes, const GgufMetadata& metadata, std::string_view place) {
  const GgufValue* architecture = metadata.find("general.architecture");
  if (architecture == nullptr || architecture->type != GgufType::string || architecture->is_array ||
      architecture->text.empty()) {
    return gguf_error(place, "general.architecture is missing");
  }
  Sha256 hash;
  add_field(hash, "loam base identity 1");
  add_field(hash, architecture->text);
  for (const char* name : kHyperParameters) {
    add_field(hash, name);
    add_field(hash, text_of(metadata.find(architecture->text + "." + name)));
  }
  if (const GgufValue* tokens = metadata.find("tokenizer.ggml.tokens"); tokens != nullptr) {
    for (const std::string_view token : tokens->strings) add_field(hash, token);
  }
  std::vector<const GgufTensor*> tensors;
  for (const GgufTensor& tensor : metadata.tensors) tensors.push_back(&tensor);
  std::sort(tensors.begin(), tensors.end(),
            [](const GgufTensor* a, const GgufTensor* b) { return a->name < b->name; });
  std::string buffer;
  for (const GgufTensor* tensor : tensors) {
    add_field(hash, tensor->name);
    // Dimensions of 1 at the end say nothing; some writers keep them.
    std::size_t dimensions = tensor->dimensions.size();
    while (dimensions > 1 && tensor->dimensions[dimensions - 1] == 1) --dimensions;
    std::string shape;
    for (std::size_t i = 0; i < dimensions; ++i) shape += std::to_string(tensor->dimensions[i]) + ",";
    add_field(hash, shape);
    if (dimensions != 1 || tensor->type != kF32) continue;
    constexpr std::uint64_t kPiece = std::uint64_t{1} << 20U;
    for (std::uint64_t at = 0; at < tensor->bytes; at += kPiece) {
      const std::uint64_t start = metadata.data_start + tensor->offset + at;
      const std::uint64_t size = std::min(kPiece, tensor->bytes - at);
      if (start > bytes.size() || size > bytes.size() - start) {
        return gguf_error(place, "tensor " + shown_name(tensor->name) + " lies beyond the end of the file");
      }
      buffer.resize(size);
      if (auto read = bytes.read_at(start, buffer.data(), buffer.size()); !read) return read.error();
      hash.add(buffer);
    }
  }
  return hash.hex();
}

Result<std::string> base_identity(const std::filesystem::path& gguf) {
  auto opened = ReadOnlyFile::open(gguf);
  if (!opened) return opened.error();
  GgufFile bytes(std::move(*opened));
  const std::string place = gguf.string();
  const auto metadata = read_gguf_metadata(bytes, place);
  if (!metadata) return metadata.error();
  return base_identity(bytes, *metadata, place);
}

}  // namespace loam::engine
