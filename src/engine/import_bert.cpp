// BERT encoders with WordPiece and absolute positions. Names of tensors and keys as llama.cpp v0.5.0 reads
// them (src/models/bert.cpp, src/llama-arch.cpp).
#include "engine/import_plan.h"
#include "engine/import_tokenizer.h"
#include "engine/json_files.h"

namespace loam::engine {
namespace {

// Pooling types of llama.cpp (llama.h, enum llama_pooling_type).
constexpr std::uint32_t kPoolingMean = 1;
constexpr std::uint32_t kPoolingCls = 2;
constexpr std::uint32_t kPoolingLast = 3;

/// How sentence-transformers pools, when the folder says so.
Result<void> add_pooling(ImportPlan& plan, const ModelFolder& folder) {
  const auto path = folder.path / "1_Pooling" / "config.json";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    plan.notes.emplace_back("the folder names no pooling; mean is used");
    plan.writer.set("bert.pooling_type", kPoolingMean);
    return done();
  }
  const auto pooling = read_json_file(path, 1U << 20U);
  if (!pooling) return pooling.error();
  const struct {
    const char* key;
    std::uint32_t type;
  } modes[] = {{"pooling_mode_mean_tokens", kPoolingMean},
               {"pooling_mode_cls_token", kPoolingCls},
               {"pooling_mode_lasttoken", kPoolingLast}};
  std::uint32_t chosen = 0;
  int count = 0;
  for (const auto& [key, value] : pooling->items()) {
    if (key.starts_with("pooling_mode") && value.is_boolean() && value.get<bool>()) {
      ++count;
      for (const auto& mode : modes) {
        if (key == mode.key) chosen = mode.type;
      }
    }
  }
  if (count != 1 || chosen == 0) {
    return Error{Kind::bad_data, path.string(), "the pooling is not one of mean, cls and last token",
                 "use a model with one of these"};
  }
  plan.writer.set("bert.pooling_type", chosen);
  return done();
}

/// The longest text the sentence encoder was trained on; less than its position table.
Result<void> add_max_tokens(ImportPlan& plan, const ModelFolder& folder, std::uint32_t positions) {
  const auto path = folder.path / "sentence_bert_config.json";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return done();
  const auto config = read_json_file(path, 1U << 20U);
  if (!config) return config.error();
  const auto length = config->find("max_seq_length");
  if (length == config->end() || !length->is_number_unsigned()) return done();
  const auto tokens = length->get<std::uint64_t>();
  if (tokens < 3 || tokens > positions) {
    return Error{
        Kind::bad_data, path.string(),
        "max_seq_length is " + std::to_string(tokens) + ", outside 3 to " + std::to_string(positions),
        "correct the file"};
  }
  plan.writer.set("loam.embedding.max_tokens", static_cast<std::uint32_t>(tokens));
  return done();
}

}  // namespace

Result<ImportPlan> plan_bert(const ModelFolder& folder, std::string_view name) {
  ImportPlan plan;
  plan.architecture = "bert";
  const auto hidden = config_count(folder, "hidden_size", 1, 1U << 16U);
  const auto inner = config_count(folder, "intermediate_size", 1, 1U << 20U);
  const auto heads = config_count(folder, "num_attention_heads", 1, 1U << 12U);
  const auto layers = config_count(folder, "num_hidden_layers", 1, 512);
  const auto positions = config_count(folder, "max_position_embeddings", 3, 1U << 20U);
  const auto vocabulary = config_count(folder, "vocab_size", 1, 1U << 22U);
  const auto types = config_count(folder, "type_vocab_size", 1, 1U << 10U);
  const auto epsilon = config_number(folder, "layer_norm_eps", 1e-12F);
  for (const auto* count : {&hidden, &inner, &heads, &layers, &positions, &vocabulary, &types}) {
    if (!*count) return count->error();
  }
  if (!epsilon) return epsilon.error();
  if (*hidden % *heads != 0)
    return config_error(folder, "hidden_size is not a multiple of num_attention_heads");
  if (const std::string act = folder.config.value("hidden_act", std::string("gelu"));
      act != "gelu" && act != "gelu_new" && act != "gelu_pytorch_tanh") {
    return config_error(folder, "hidden_act is not gelu");
  }
  if (folder.config.value("position_embedding_type", std::string("absolute")) != "absolute") {
    return config_error(folder, "position_embedding_type is not absolute");
  }

  GgufWriter& writer = plan.writer;
  writer.set("general.architecture", "bert");
  writer.set("general.type", "model");
  writer.set("general.name", name);
  writer.set("bert.block_count", *layers);
  writer.set("bert.context_length", *positions);
  writer.set("bert.embedding_length", *hidden);
  writer.set("bert.feed_forward_length", *inner);
  writer.set("bert.attention.head_count", *heads);
  writer.set("bert.attention.layer_norm_epsilon", *epsilon);
  writer.set("bert.attention.causal", false);
  writer.set("tokenizer.ggml.token_type_count", *types);
  if (auto added = add_pooling(plan, folder); !added) return added.error();
  if (auto added = add_max_tokens(plan, folder, *positions); !added) return added.error();
  if (auto added = add_wordpiece_tokenizer(plan, folder, *vocabulary); !added) return added.error();

  const std::string root =
      folder.tensors->find("bert.embeddings.word_embeddings.weight") != nullptr ? "bert." : "";
  const std::uint64_t width = *hidden;
  Result<void> status = done();
  const auto add = [&](const std::string& source, const std::string& target, std::vector<std::uint64_t> shape,
                       Precision precision = Precision::as_asked) {
    if (!status) return;
    std::string from = root + source;
    // Early TensorFlow exports call the scale and shift of a normalisation gamma and beta.
    if (folder.tensors->find(from) == nullptr && from.find("LayerNorm.") != std::string::npos) {
      const std::size_t dot = from.rfind('.');
      from = from.substr(0, dot) + (from.ends_with(".weight") ? ".gamma" : ".beta");
    }
    status = plan_tensor(plan, folder, from, target, std::move(shape), precision);
  };
  const auto add_linear = [&](const std::string& source, const std::string& target, std::uint64_t out,
                              std::uint64_t in) {
    add(source + ".weight", target + ".weight", {out, in});
    add(source + ".bias", target + ".bias", {out});
  };
  const auto add_norm = [&](const std::string& source, const std::string& target) {
    add(source + ".weight", target + ".weight", {width});
    add(source + ".bias", target + ".bias", {width});
  };
  add("embeddings.word_embeddings.weight", "token_embd.weight", {*vocabulary, width});
  add("embeddings.position_embeddings.weight", "position_embd.weight", {*positions, width},
      Precision::always_f32);
  add("embeddings.token_type_embeddings.weight", "token_types.weight", {*types, width},
      Precision::always_f32);
  add_norm("embeddings.LayerNorm", "token_embd_norm");
  for (std::uint32_t layer = 0; layer < *layers && status; ++layer) {
    const std::string from = "encoder.layer." + std::to_string(layer) + ".";
    const std::string to = "blk." + std::to_string(layer) + ".";
    add_linear(from + "attention.self.query", to + "attn_q", width, width);
    add_linear(from + "attention.self.key", to + "attn_k", width, width);
    add_linear(from + "attention.self.value", to + "attn_v", width, width);
    add_linear(from + "attention.output.dense", to + "attn_output", width, width);
    add_norm(from + "attention.output.LayerNorm", to + "attn_output_norm");
    add_linear(from + "intermediate.dense", to + "ffn_up", *inner, width);
    add_linear(from + "output.dense", to + "ffn_down", width, *inner);
    add_norm(from + "output.LayerNorm", to + "layer_output_norm");
  }
  if (!status) return status.error();
  return plan;
}

}  // namespace loam::engine
