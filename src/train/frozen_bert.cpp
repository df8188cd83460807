#include "train/frozen_bert.h"

#include <cmath>
#include <new>
#include <string>

#include "train/gguf_weights.h"
#include "train/narrow.h"

namespace loam::train {
namespace {

Result<BertShape> read_bert_shape(const GgufWeights& file) {
  if (file.architecture() != "bert") {
    return file.refuse("the architecture '" + engine::shown_name(file.architecture()) +
                       "' cannot be trained as an encoder");
  }
  BertShape shape;
  const std::pair<const char*, std::size_t*> numbers[] = {
      {"block_count", &shape.layers},
      {"embedding_length", &shape.width},
      {"feed_forward_length", &shape.inner},
      {"context_length", &shape.context},
      {"attention.head_count", &shape.attention.heads},
  };
  for (const auto& [name, out] : numbers) {
    const auto value = file.count(name);
    if (!value || *value == 0 || *value > (1U << 24U)) {
      return file.refuse("bert." + std::string(name) + " is not one positive number for all layers");
    }
    *out = *value;
  }
  AttentionShape& attention = shape.attention;
  attention.kv_heads = attention.heads;
  attention.sees = Sees::all;
  if (file.setting("attention.head_count_kv") != nullptr &&
      file.count("attention.head_count_kv").value_or(0) != attention.heads) {
    return file.refuse("bert.attention.head_count_kv differs from the number of heads");
  }
  if (file.count("expert_count").value_or(0) > 0)
    return file.refuse("a mixture of experts cannot be trained");
  const engine::GgufValue* causal = file.setting("attention.causal");
  if (causal != nullptr && causal->unsigned_value != 0) {
    return file.refuse("bert.attention.causal is set, which no encoder is");
  }
  attention.head_size = shape.width / attention.heads;
  if (attention.head_size * attention.heads != shape.width || attention.head_size % 2 != 0 ||
      shape.inner % 2 != 0 ||
      file.count("attention.key_length").value_or(attention.head_size) != attention.head_size ||
      file.count("attention.value_length").value_or(attention.head_size) != attention.head_size) {
    return file.refuse("heads that do not part the width evenly cannot be trained");
  }
  attention.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(attention.head_size)));
  shape.norm_epsilon = static_cast<float>(file.number("attention.layer_norm_epsilon", 1e-12));
  const engine::GgufTensor* embedding = file.find("token_embd.weight");
  if (embedding == nullptr || embedding->dimensions.size() != 2) {
    return file.refuse("tensor token_embd.weight is missing");
  }
  shape.vocabulary = static_cast<std::size_t>(embedding->dimensions[1]);
  return shape;
}

Result<void> read_norm(GgufWeights& file, const std::string& name, std::size_t width, FrozenNorm& out) {
  if (auto read = file.vector(name + ".weight", width, out.weight); !read) return read;
  return file.vector(name + ".bias", width, out.bias);
}

/// The positions' embeddings with that of token type 0.
Result<void> read_positions(GgufWeights& file, FrozenBert& model) {
  const BertShape& shape = model.shape;
  if (auto read =
          file.matrix("position_embd.weight", shape.context, shape.width, Precision::f32, model.positions);
      !read) {
    return read;
  }
  const engine::GgufTensor* types = file.find("token_types.weight");
  if (types == nullptr) return done();
  if (types->dimensions.size() != 2) return file.damaged("tensor token_types.weight has an unexpected shape");
  Operand rows;
  if (auto read = file.matrix("token_types.weight", static_cast<std::size_t>(types->dimensions[1]),
                              shape.width, Precision::f32, rows);
      !read) {
    return read;
  }
  for (std::size_t position = 0; position < shape.context; ++position) {
    for (std::size_t i = 0; i < shape.width; ++i) {
      model.positions.row<float>(position)[i] += rows.row<float>(0)[i];
    }
  }
  return done();
}

Result<void> read_layer(GgufWeights& file, std::size_t index, FrozenBert& model) {
  const std::size_t width = model.shape.width, inner = model.shape.inner;
  FrozenBertLayer& layer = model.layers[index];
  const std::string block = "blk." + std::to_string(index) + ".";
  struct Matrix {
    const char* name;
    std::size_t rows, columns;
    Operand* out;
  };
  const Matrix matrices[] = {
      {"attn_q", width, width, &layer.q},  {"attn_k", width, width, &layer.k},
      {"attn_v", width, width, &layer.v},  {"attn_output", width, width, &layer.o},
      {"ffn_up", inner, width, &layer.up}, {"ffn_down", width, inner, &layer.down},
  };
  for (const Matrix& one : matrices) {
    if (auto read =
            file.matrix(block + one.name + ".weight", one.rows, one.columns, model.precision, *one.out);
        !read) {
      return read;
    }
  }
  std::vector<float> q, k, v;
  const std::pair<const char*, std::pair<std::size_t, std::vector<float>*>> biases[] = {
      {"attn_q", {width, &q}},
      {"attn_k", {width, &k}},
      {"attn_v", {width, &v}},
      {"attn_output", {width, &layer.o_bias}},
      {"ffn_up", {inner, &layer.up_bias}},
      {"ffn_down", {width, &layer.down_bias}},
  };
  for (const auto& [name, want] : biases) {
    const std::string bias = block + name + ".bias";
    if (!file.has(bias)) continue;
    if (auto read = file.vector(bias, want.first, *want.second); !read) return read;
  }
  if (!q.empty() || !k.empty() || !v.empty()) {
    for (std::vector<float>* one : {&q, &k, &v}) {
      one->resize(width);
      layer.qkv_bias.insert(layer.qkv_bias.end(), one->begin(), one->end());
    }
  }
  if (auto read = read_norm(file, block + "attn_output_norm", width, layer.attention_norm); !read)
    return read;
  return read_norm(file, block + "layer_output_norm", width, layer.output_norm);
}

Result<void> read_bert(GgufWeights& file, FrozenBert& model) {
  auto shape = read_bert_shape(file);
  if (!shape) return shape.error();
  model.shape = *shape;
  if (auto read =
          file.matrix("token_embd.weight", shape->vocabulary, shape->width, model.precision, model.embedding);
      !read) {
    return read;
  }
  if (auto read = read_positions(file, model); !read) return read;
  if (auto read = read_norm(file, "token_embd_norm", shape->width, model.embedding_norm); !read) return read;
  model.layers.resize(shape->layers);
  for (std::size_t i = 0; i < shape->layers; ++i) {
    if (auto read = read_layer(file, i, model); !read) return read;
  }
  return file.all_used();
}

}  // namespace

LayerSides BertShape::sides() const {
  return {{{width, width},
           {width, width},
           {width, width},
           {width, width},
           {0, 0},
           {width, inner},
           {inner, width}}};
}

std::uint64_t FrozenBert::bytes() const {
  std::uint64_t sum = embedding.bytes() + positions.bytes();
  for (const FrozenBertLayer& layer : layers) {
    for (const Operand* one : {&layer.q, &layer.k, &layer.v, &layer.o, &layer.up, &layer.down}) {
      sum += one->bytes();
    }
  }
  return sum;
}

Result<FrozenBert> open_frozen_bert(const std::filesystem::path& gguf, Precision precision, Team& team,
                                    const ProgressSink& progress) {
  FrozenBert model;
  model.precision = precision;
  try {
    auto file = GgufWeights::open(
        gguf, "train on an encoder of the architecture bert, such as all-MiniLM-L6-v2", team, progress);
    if (!file) return file.error();
    if (auto read = read_bert(**file, model); !read) return read.error();
  } catch (const std::bad_alloc&) {
    return Error{Kind::out_of_room, gguf.string(), "there is no memory for the base model's weights",
                 "train on a smaller base"};
  }
  return model;
}

}  // namespace loam::train
