#include "train/frozen_llama.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <new>
#include <optional>
#include <set>
#include <unordered_map>

#include "engine/gguf_check.h"
#include "engine/gguf_metadata.h"
#include "engine/model_file.h"
#include "engine/widen.h"
#include "train/narrow.h"

namespace loam::train {
namespace {

constexpr std::string_view kArchitectures = "llama, qwen2, qwen3";

class FileBytes : public engine::GgufBytes {
 public:
  explicit FileBytes(const engine::ReadOnlyFile& file) : file_(file) {}
  std::uint64_t size() const override { return file_.size(); }
  Result<void> read_at(std::uint64_t offset, void* out, std::size_t bytes) override {
    return file_.read_at(offset, out, bytes);
  }

 private:
  const engine::ReadOnlyFile& file_;
};

class Loader {
 public:
  Loader(const std::filesystem::path& path, const engine::ReadOnlyFile& file,
         const engine::GgufMetadata& metadata, Team& team, const ProgressSink& progress)
      : place_(path.string()), file_(file), metadata_(metadata), team_(team), progress_(progress) {
    for (const engine::GgufTensor& tensor : metadata.tensors) tensors_[tensor.name] = &tensor;
  }

  Result<void> load(FrozenLlama& model) {
    if (auto read = read_shape(model); !read) return read;
    const LlamaShape& shape = model.shape;
    const std::size_t width = shape.width, inner = shape.inner;
    const std::size_t q_rows = shape.attention.query_columns(), kv_rows = shape.attention.key_columns();
    if (auto read = matrix("token_embd.weight", shape.vocabulary, width, model.embedding, model); !read)
      return read;
    if (tensors_.contains("output.weight")) {
      if (auto read = matrix("output.weight", shape.vocabulary, width, model.output, model); !read)
        return read;
    }
    if (auto read = vector("output_norm.weight", width, model.output_norm); !read) return read;
    model.layers.resize(shape.layers);
    for (std::size_t i = 0; i < shape.layers; ++i) {
      FrozenLayer& layer = model.layers[i];
      const std::string block = "blk." + std::to_string(i) + ".";
      struct Matrix {
        const char* name;
        std::size_t rows, columns;
        Operand* out;
      };
      const Matrix matrices[] = {
          {"attn_q", q_rows, width, &layer.q},     {"attn_k", kv_rows, width, &layer.k},
          {"attn_v", kv_rows, width, &layer.v},    {"attn_output", width, q_rows, &layer.o},
          {"ffn_gate", inner, width, &layer.gate}, {"ffn_up", inner, width, &layer.up},
          {"ffn_down", width, inner, &layer.down},
      };
      for (const Matrix& one : matrices) {
        if (auto read = matrix(block + one.name + ".weight", one.rows, one.columns, *one.out, model); !read)
          return read;
      }
      if (auto read = vector(block + "attn_norm.weight", width, layer.attention_norm); !read) return read;
      if (auto read = vector(block + "ffn_norm.weight", width, layer.ffn_norm); !read) return read;
      const std::pair<std::string, std::pair<std::size_t, std::vector<float>*>> optional[] = {
          {"attn_q.bias", {q_rows, &layer.q_bias}},
          {"attn_k.bias", {kv_rows, &layer.k_bias}},
          {"attn_v.bias", {kv_rows, &layer.v_bias}},
          {"attn_q_norm.weight", {shape.attention.head_size, &layer.q_norm}},
          {"attn_k_norm.weight", {shape.attention.head_size, &layer.k_norm}},
      };
      for (const auto& [name, want] : optional) {
        if (!tensors_.contains(block + name)) continue;
        if (auto read = vector(block + name, want.first, *want.second); !read) return read;
      }
      if (layer.q_norm.empty() != layer.k_norm.empty()) {
        return refuse(block + "attn_q_norm.weight and attn_k_norm.weight are not both there");
      }
      if (shape.architecture == "qwen3" && layer.q_norm.empty()) {
        return refuse("tensor " + block + "attn_q_norm.weight is missing");
      }
    }
    for (const engine::GgufTensor& tensor : metadata_.tensors) {
      if (!used_.contains(tensor.name)) {
        return refuse("the trainer does not know what tensor " + engine::shown_name(tensor.name) +
                      " does in a model of the architecture '" + shape.architecture + "'");
      }
    }
    return done();
  }

 private:
  Error refuse(std::string message) const {
    return {Kind::bad_request, place_, std::move(message),
            "train on a plain model of the Llama family (" + std::string(kArchitectures) + ")"};
  }
  Error damaged(std::string message) const {
    return {Kind::bad_data, place_, std::move(message), "pull the model again: loam models pull"};
  }

  const engine::GgufValue* key(const std::string& name) const {
    return metadata_.find(architecture_ + "." + name);
  }
  std::optional<std::size_t> count(const std::string& name) const {
    const engine::GgufValue* value = key(name);
    if (value == nullptr || value->is_array || !value->is_integer() || value->is_negative())
      return std::nullopt;
    return static_cast<std::size_t>(value->unsigned_value);
  }
  double number(const std::string& name, double fallback) const {
    const engine::GgufValue* value = key(name);
    return value == nullptr || value->is_array ? fallback : value->number;
  }
  std::string text(const std::string& name) const {
    const engine::GgufValue* value = key(name);
    return value == nullptr || value->is_array ? std::string() : value->text;
  }

  Result<void> read_shape(FrozenLlama& model) {
    const engine::GgufValue* architecture = metadata_.find("general.architecture");
    architecture_ = architecture == nullptr ? "" : architecture->text;
    if (architecture_ != "llama" && architecture_ != "qwen2" && architecture_ != "qwen3") {
      return refuse("the architecture '" + engine::shown_name(architecture_) + "' cannot be trained");
    }
    LlamaShape& shape = model.shape;
    shape.architecture = architecture_;
    const auto layers = count("block_count"), width = count("embedding_length"),
               inner = count("feed_forward_length"), heads = count("attention.head_count"),
               context = count("context_length");
    for (const auto& [name, value] :
         {std::pair{"block_count", layers}, std::pair{"embedding_length", width},
          std::pair{"feed_forward_length", inner}, std::pair{"attention.head_count", heads}}) {
      if (!value || *value == 0 || *value > (1U << 24U)) {
        return refuse(architecture_ + "." + name + " is not one positive number for all layers");
      }
    }
    const engine::GgufValue* kv_key = key("attention.head_count_kv");
    const auto kv_heads = kv_key == nullptr ? heads : count("attention.head_count_kv");
    if (!kv_heads || *kv_heads == 0 || *heads % *kv_heads != 0) {
      return refuse(architecture_ + ".attention.head_count_kv does not divide the number of heads");
    }
    if (count("expert_count").value_or(0) > 0) return refuse("a mixture of experts cannot be trained");
    const std::size_t head_size = count("attention.key_length").value_or(*width / *heads);
    if (head_size % 2 != 0 || head_size == 0 || *width % 2 != 0 || *inner % 2 != 0) {
      return refuse("a width that is odd cannot be trained");
    }
    if (count("attention.value_length").value_or(head_size) != head_size ||
        count("rope.dimension_count").value_or(head_size) != head_size) {
      return refuse("keys, values and rotary embeddings of different sizes cannot be trained");
    }
    shape.layers = *layers;
    shape.width = *width;
    shape.inner = *inner;
    shape.context = context.value_or(2048);
    shape.norm_epsilon = static_cast<float>(number("attention.layer_norm_rms_epsilon", 1e-5));
    const double attention_scale = number("attention.scale", 0.0);
    const double usual_scale = 1.0 / std::sqrt(static_cast<double>(head_size));
    shape.attention = {*heads, *kv_heads, head_size,
                       static_cast<float>(attention_scale == 0.0 ? usual_scale : attention_scale)};
    const engine::GgufTensor* embedding = find("token_embd.weight");
    if (embedding == nullptr || embedding->dimensions.size() != 2) {
      return refuse("tensor token_embd.weight is missing");
    }
    shape.vocabulary = static_cast<std::size_t>(embedding->dimensions[1]);
    return read_rope(model);
  }

  Result<void> read_rope(FrozenLlama& model) {
    const std::string type = text("rope.scaling.type");
    if (!type.empty() && type != "none" && type != "linear") {
      return refuse("the rotary embedding '" + engine::shown_name(type) + "' cannot be trained");
    }
    const double base = number("rope.freq_base", 10000.0);
    double factor = number("rope.scaling.factor", number("rope.scale_linear", 1.0));
    if (type == "none" || factor == 0.0) factor = 1.0;
    if (!(base > 0.0) || !(factor > 0.0) || !std::isfinite(base) || !std::isfinite(factor)) {
      return damaged("the base or factor of the rotary embedding is not a positive number");
    }
    std::vector<float> divisors;
    if (tensors_.contains("rope_freqs.weight")) {
      const std::size_t half = model.shape.attention.head_size / 2;
      if (auto read = vector("rope_freqs.weight", half, divisors); !read) return read;
    }
    model.rope = Rope(architecture_ == "llama" ? RopePairs::neighbours : RopePairs::halves,
                      model.shape.attention.head_size, static_cast<float>(base), static_cast<float>(factor),
                      std::move(divisors));
    return done();
  }

  const engine::GgufTensor* find(const std::string& name) const {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : found->second;
  }

  Result<const engine::GgufTensor*> shaped(const std::string& name, const std::vector<std::uint64_t>& shape) {
    const engine::GgufTensor* tensor = find(name);
    if (tensor == nullptr) return refuse("tensor " + name + " is missing");
    if (tensor->dimensions != shape) return damaged("tensor " + name + " has an unexpected shape");
    if (!engine::can_widen(tensor->type))
      return refuse("tensor " + name + " has a type that cannot be widened");
    if (shape[0] % engine::ggml_type_info(tensor->type).block != 0) {
      return damaged("tensor " + name + " has rows that are no whole blocks");
    }
    used_.insert(name);
    return tensor;
  }

  Result<void> vector(const std::string& name, std::size_t size, std::vector<float>& out) {
    auto tensor = shaped(name, {size});
    if (!tensor) return tensor.error();
    out.resize(size);
    return rows(**tensor, 0, 1, size,
                [&](std::size_t, const float* values) { std::copy_n(values, size, out.data()); });
  }

  Result<void> matrix(const std::string& name, std::size_t row_count, std::size_t columns, Operand& out,
                      const FrozenLlama& model) {
    auto tensor = shaped(name, {columns, row_count});
    if (!tensor) return tensor.error();
    out.shape(model.precision, row_count, columns);
    const std::size_t at_once = std::max<std::size_t>(1, (1U << 16U) / columns);
    const std::size_t parts = (row_count + at_once - 1) / at_once;
    std::vector<Result<void>> outcomes(parts, done());
    with_type(model.precision, [&](auto type) {
      using T = decltype(type);
      team_.run(parts, [&](std::size_t part) {
        const std::size_t first = part * at_once;
        outcomes[part] = rows(**tensor, first, std::min(at_once, row_count - first), columns,
                              [&](std::size_t row, const float* values) {
                                narrow_row(values, columns, out.row<T>(first + row));
                              });
      });
    });
    for (const Result<void>& outcome : outcomes) {
      if (!outcome) return outcome;
    }
    done_bytes_ += (*tensor)->bytes;
    if (progress_) progress_({"loading the base model", done_bytes_, metadata_.file_bytes});
    return done();
  }

  /// Rows [first, first + count) as f32, one after the other.
  template <typename Take>
  Result<void> rows(const engine::GgufTensor& tensor, std::size_t first, std::size_t count,
                    std::size_t columns, Take&& take) const {
    const engine::GgmlTypeInfo info = engine::ggml_type_info(tensor.type);
    const std::size_t row_bytes = columns / info.block * info.bytes;
    std::vector<char> bytes(row_bytes * count);
    const std::uint64_t offset = metadata_.data_start + tensor.offset + first * row_bytes;
    if (auto read = file_.read_at(offset, bytes.data(), bytes.size()); !read) return read;
    std::vector<float> values(columns);
    for (std::size_t row = 0; row < count; ++row) {
      const char* from = bytes.data() + row * row_bytes;
      engine::widen(tensor.type, from, columns, values.data());
      if (!std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); })) {
        return damaged("tensor " + engine::shown_name(tensor.name) + " holds values that are not numbers");
      }
      take(row, values.data());
    }
    return done();
  }

  std::string place_;
  const engine::ReadOnlyFile& file_;
  const engine::GgufMetadata& metadata_;
  Team& team_;
  const ProgressSink& progress_;
  std::string architecture_;
  std::unordered_map<std::string, const engine::GgufTensor*> tensors_;
  std::set<std::string> used_;
  std::uint64_t done_bytes_ = 0;
};

}  // namespace

std::uint64_t FrozenLlama::bytes() const {
  std::uint64_t sum = embedding.bytes() + output.bytes();
  for (const FrozenLayer& layer : layers) {
    for (const Operand* one : {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate, &layer.up, &layer.down}) {
      sum += one->bytes();
    }
  }
  return sum;
}

Result<FrozenLlama> open_frozen_llama(const std::filesystem::path& gguf, Precision precision, Team& team,
                                      const ProgressSink& progress) {
  if (auto checked = engine::check_gguf(gguf); !checked) return checked.error();
  auto file = engine::ReadOnlyFile::open(gguf);
  if (!file) return file.error();
  FileBytes bytes(*file);
  const auto metadata = engine::read_gguf_metadata(bytes, gguf.string());
  if (!metadata) return metadata.error();
  FrozenLlama model;
  model.precision = precision;
  try {
    Loader loader(gguf, *file, *metadata, team, progress);
    if (auto loaded = loader.load(model); !loaded) return loaded.error();
  } catch (const std::bad_alloc&) {
    return Error{Kind::out_of_room, gguf.string(), "there is no memory for the base model's weights",
                 "train on a smaller base"};
  }
  return model;
}

}  // namespace loam::train
