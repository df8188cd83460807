#include "train/frozen_llama.h"

#include <cmath>
#include <new>
#include <optional>

#include "train/gguf_weights.h"

namespace loam::train {
namespace {

constexpr std::string_view kArchitectures = "llama, qwen2, qwen3";

class Loader {
 public:
  explicit Loader(GgufWeights& file) : file_(file) {}

  Result<void> load(FrozenLlama& model, std::size_t most_layers) {
    if (auto read = read_shape(model); !read) return read;
    model.file_layers = model.shape.layers;
    const bool whole = most_layers == 0 || most_layers >= model.file_layers;
    if (!whole) model.shape.layers = most_layers;
    const LlamaShape& shape = model.shape;
    const std::size_t width = shape.width, inner = shape.inner;
    const std::size_t q_rows = shape.attention.query_columns(), kv_rows = shape.attention.key_columns();
    if (auto read = matrix("token_embd.weight", shape.vocabulary, width, model.embedding, model); !read)
      return read;
    if (file_.has("output.weight")) {
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
        if (!file_.has(block + name)) continue;
        if (auto read = vector(block + name, want.first, *want.second); !read) return read;
      }
      if (layer.q_norm.empty() != layer.k_norm.empty()) {
        return refuse(block + "attn_q_norm.weight and attn_k_norm.weight are not both there");
      }
      if (shape.architecture == "qwen3" && layer.q_norm.empty()) {
        return refuse("tensor " + block + "attn_q_norm.weight is missing");
      }
    }
    return whole ? file_.all_used() : done();
  }

 private:
  Error refuse(std::string message) const { return file_.refuse(std::move(message)); }
  std::optional<std::size_t> count(const std::string& name) const { return file_.count(name); }
  double number(const std::string& name, double fallback) const { return file_.number(name, fallback); }
  Result<void> vector(const std::string& name, std::size_t size, std::vector<float>& out) {
    return file_.vector(name, size, out);
  }
  Result<void> matrix(const std::string& name, std::size_t rows, std::size_t columns, Operand& out,
                      const FrozenLlama& model) {
    return file_.matrix(name, rows, columns, model.precision, out);
  }

  Result<void> read_shape(FrozenLlama& model) {
    const std::string& architecture = file_.architecture();
    if (architecture != "llama" && architecture != "qwen2" && architecture != "qwen3") {
      return refuse("the architecture '" + engine::shown_name(architecture) + "' cannot be trained");
    }
    LlamaShape& shape = model.shape;
    shape.architecture = architecture;
    const auto layers = count("block_count"), width = count("embedding_length"),
               inner = count("feed_forward_length"), heads = count("attention.head_count"),
               context = count("context_length");
    for (const auto& [name, value] :
         {std::pair{"block_count", layers}, std::pair{"embedding_length", width},
          std::pair{"feed_forward_length", inner}, std::pair{"attention.head_count", heads}}) {
      if (!value || *value == 0 || *value > (1U << 24U)) {
        return refuse(architecture + "." + name + " is not one positive number for all layers");
      }
    }
    const engine::GgufValue* kv_key = file_.setting("attention.head_count_kv");
    const auto kv_heads = kv_key == nullptr ? heads : count("attention.head_count_kv");
    if (!kv_heads || *kv_heads == 0 || *heads % *kv_heads != 0) {
      return refuse(architecture + ".attention.head_count_kv does not divide the number of heads");
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
    const engine::GgufTensor* embedding = file_.find("token_embd.weight");
    if (embedding == nullptr || embedding->dimensions.size() != 2) {
      return refuse("tensor token_embd.weight is missing");
    }
    shape.vocabulary = static_cast<std::size_t>(embedding->dimensions[1]);
    return read_rope(model);
  }

  Result<void> read_rope(FrozenLlama& model) {
    const std::string type = file_.text("rope.scaling.type");
    if (!type.empty() && type != "none" && type != "linear") {
      return refuse("the rotary embedding '" + engine::shown_name(type) + "' cannot be trained");
    }
    const double base = number("rope.freq_base", 10000.0);
    double factor = number("rope.scaling.factor", number("rope.scale_linear", 1.0));
    if (type == "none" || factor == 0.0) factor = 1.0;
    if (!(base > 0.0) || !(factor > 0.0) || !std::isfinite(base) || !std::isfinite(factor)) {
      return file_.damaged("the base or factor of the rotary embedding is not a positive number");
    }
    std::vector<float> divisors;
    if (file_.has("rope_freqs.weight")) {
      const std::size_t half = model.shape.attention.head_size / 2;
      if (auto read = vector("rope_freqs.weight", half, divisors); !read) return read;
    }
    model.rope = Rope(file_.architecture() == "llama" ? RopePairs::neighbours : RopePairs::halves,
                      model.shape.attention.head_size, static_cast<float>(base), static_cast<float>(factor),
                      std::move(divisors));
    return done();
  }

  GgufWeights& file_;
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
                                      const ProgressSink& progress, std::size_t most_layers) {
  FrozenLlama model;
  model.precision = precision;
  try {
    auto file = GgufWeights::open(
        gguf, "train on a plain model of the Llama family (" + std::string(kArchitectures) + ")", team,
        progress);
    if (!file) return file.error();
    Loader loader(**file);
    if (auto loaded = loader.load(model, most_layers); !loaded) return loaded.error();
  } catch (const std::bad_alloc&) {
    return Error{Kind::out_of_room, gguf.string(), "there is no memory for the base model's weights",
                 "train on a smaller base"};
  }
  return model;
}

}  // namespace loam::train
