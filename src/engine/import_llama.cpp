// Llama-family decoders: Llama 2 and 3, Mistral, SmolLM2, TinyLlama. Names of tensors and keys as llama.cpp
// v0.5.0 reads them (src/models/llama.cpp, src/llama-arch.cpp).
#include <cmath>
#include <numbers>

#include "engine/import_plan.h"
#include "engine/import_tokenizer.h"
#include "engine/rope_rows.h"

namespace loam::engine {
namespace {

struct Shape {
  std::uint32_t hidden = 0, inner = 0, layers = 0, heads = 0, kv_heads = 0, head_size = 0, vocabulary = 0;
};

/// The last planned tensor is a query or key projection.
void turn_last(ImportPlan& plan, std::uint64_t rows, std::uint64_t head_size) {
  auto read = std::move(plan.tensors.back().values);
  plan.tensors.back().values = [read = std::move(read), rows, head_size]() -> Result<std::vector<float>> {
    auto values = read();
    if (values) interleave_halves(*values, rows, head_size);
    return values;
  };
}

double number_or(const nlohmann::json& object, const char* key, double fallback) {
  if (!object.is_object()) return fallback;
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : fallback;
}

/// Llama 3.1's stretching of slow rotations, as one divisor per pair (Llama 3.1 model card; the formula is in
/// transformers' modeling_rope_utils.py, _compute_llama3_parameters).
std::vector<float> llama3_divisors(const nlohmann::json& rope, double base, std::uint32_t head_size) {
  const double factor = number_or(rope, "factor", 8.0);
  const double low = number_or(rope, "low_freq_factor", 1.0);
  const double high = number_or(rope, "high_freq_factor", 4.0);
  const double trained = number_or(rope, "original_max_position_embeddings", 8192.0);
  std::vector<float> divisors;
  for (std::uint32_t i = 0; i < head_size; i += 2) {
    const double wavelength = 2.0 * std::numbers::pi * std::pow(base, static_cast<double>(i) / head_size);
    if (wavelength < trained / high) {
      divisors.push_back(1.0F);
    } else if (wavelength > trained / low) {
      divisors.push_back(static_cast<float>(factor));
    } else {
      const double smooth = (trained / wavelength - low) / (high - low);
      divisors.push_back(static_cast<float>(1.0 / ((1.0 - smooth) / factor + smooth)));
    }
  }
  return divisors;
}

Result<void> add_rope(ImportPlan& plan, const ModelFolder& folder, const Shape& shape) {
  // transformers 5 writes rope_parameters; earlier versions rope_scaling beside rope_theta.
  nlohmann::json rope;
  for (const char* key : {"rope_parameters", "rope_scaling"}) {
    if (rope.is_null() && folder.config.contains(key) && folder.config[key].is_object())
      rope = folder.config[key];
  }
  const double base = number_or(rope, "rope_theta", number_or(folder.config, "rope_theta", 10000.0));
  if (!(base > 1.0) || !std::isfinite(base))
    return config_error(folder, "rope_theta is not a number above 1");
  plan.writer.set("llama.rope.dimension_count", shape.head_size);
  plan.writer.set("llama.rope.freq_base", static_cast<float>(base));

  std::string type = "default";
  for (const char* key : {"type", "rope_type"}) {
    if (rope.is_object() && rope.contains(key) && rope[key].is_string()) type = rope[key].get<std::string>();
  }
  const double factor = number_or(rope, "factor", 1.0);
  if (!(factor >= 1.0) || factor > 1e4)
    return config_error(folder, "the rope factor is not between 1 and 10000");
  if (type == "linear") {
    plan.writer.set("llama.rope.scaling.type", "linear");
    plan.writer.set("llama.rope.scaling.factor", static_cast<float>(factor));
  } else if (type == "llama3") {
    const double low = number_or(rope, "low_freq_factor", 1.0);
    const double high = number_or(rope, "high_freq_factor", 4.0);
    if (!(low > 0.0) || !(high > low))
      return config_error(folder, "the rope frequency factors are not in order");
    plan.tensors.push_back(
        {"rope_freqs.weight",
         {shape.head_size / 2},
         Precision::always_f32,
         [values = llama3_divisors(rope, base, shape.head_size)]() -> Result<std::vector<float>> {
           return values;
         }});
  } else if (type != "default") {
    return config_error(folder, "the rope type '" + type + "' is not supported");
  }
  return done();
}

}  // namespace

Result<ImportPlan> plan_llama(const ModelFolder& folder, std::string_view name) {
  ImportPlan plan;
  plan.architecture = "llama";
  const auto hidden = config_count(folder, "hidden_size", 1, 1U << 16U);
  const auto inner = config_count(folder, "intermediate_size", 1, 1U << 20U);
  const auto layers = config_count(folder, "num_hidden_layers", 1, 512);
  const auto heads = config_count(folder, "num_attention_heads", 1, 1U << 12U);
  const auto positions = config_count(folder, "max_position_embeddings", 1, 1U << 27U);
  const auto vocabulary = config_count(folder, "vocab_size", 1, 1U << 22U);
  for (const auto* count : {&hidden, &inner, &layers, &heads, &positions, &vocabulary}) {
    if (!*count) return count->error();
  }
  Shape shape{*hidden, *inner, *layers, *heads, *heads, *hidden / *heads, *vocabulary};
  if (folder.config.contains("num_key_value_heads") && !folder.config["num_key_value_heads"].is_null()) {
    const auto kv_heads = config_count(folder, "num_key_value_heads", 1, *heads);
    if (!kv_heads) return kv_heads.error();
    shape.kv_heads = *kv_heads;
  }
  if (folder.config.contains("head_dim") && !folder.config["head_dim"].is_null()) {
    const auto head_size = config_count(folder, "head_dim", 2, 1U << 12U);
    if (!head_size) return head_size.error();
    shape.head_size = *head_size;
  } else if (*hidden % *heads != 0) {
    return config_error(folder, "hidden_size is not a multiple of num_attention_heads");
  }
  if (shape.head_size % 2 != 0) return config_error(folder, "the head size is odd");
  if (shape.heads % shape.kv_heads != 0) {
    return config_error(folder, "num_attention_heads is not a multiple of num_key_value_heads");
  }
  if (folder.config.value("hidden_act", std::string("silu")) != "silu") {
    return config_error(folder, "hidden_act is not silu");
  }
  const auto epsilon = config_number(folder, "rms_norm_eps", 1e-5F);
  if (!epsilon) return epsilon.error();
  if (const auto window = folder.config.find("sliding_window"); window != folder.config.end() &&
                                                                window->is_number_unsigned() &&
                                                                window->get<std::uint64_t>() < *positions) {
    plan.notes.push_back("the sliding window of " + std::to_string(window->get<std::uint64_t>()) +
                         " tokens is not used: llama.cpp attends to the whole context");
  }

  GgufWriter& writer = plan.writer;
  writer.set("general.architecture", "llama");
  writer.set("general.type", "model");
  writer.set("general.name", name);
  writer.set("llama.block_count", shape.layers);
  writer.set("llama.context_length", *positions);
  writer.set("llama.embedding_length", shape.hidden);
  writer.set("llama.feed_forward_length", shape.inner);
  writer.set("llama.attention.head_count", shape.heads);
  writer.set("llama.attention.head_count_kv", shape.kv_heads);
  writer.set("llama.attention.layer_norm_rms_epsilon", *epsilon);
  writer.set("llama.attention.key_length", shape.head_size);
  writer.set("llama.attention.value_length", shape.head_size);
  writer.set("llama.vocab_size", shape.vocabulary);
  if (auto added = add_rope(plan, folder, shape); !added) return added.error();
  if (auto added = add_bpe_tokenizer(plan, folder, shape.vocabulary); !added) return added.error();

  const std::uint64_t width = shape.hidden;
  const std::uint64_t q_rows = std::uint64_t{shape.heads} * shape.head_size;
  const std::uint64_t kv_rows = std::uint64_t{shape.kv_heads} * shape.head_size;
  Result<void> status = done();
  const auto add = [&](const std::string& source, const std::string& target,
                       std::vector<std::uint64_t> dimensions) {
    if (status) status = plan_tensor(plan, folder, source, target, std::move(dimensions));
  };
  const auto add_linear = [&](const std::string& source, const std::string& target, std::uint64_t out,
                              std::uint64_t in, bool turned = false) {
    add(source + ".weight", target + ".weight", {out, in});
    if (status && turned) turn_last(plan, out, shape.head_size);
    if (folder.tensors->find(source + ".bias") == nullptr) return;
    add(source + ".bias", target + ".bias", {out});
    if (status && turned) turn_last(plan, out, shape.head_size);
  };
  add("model.embed_tokens.weight", "token_embd.weight", {shape.vocabulary, width});
  for (std::uint32_t layer = 0; layer < shape.layers && status; ++layer) {
    const std::string from = "model.layers." + std::to_string(layer) + ".";
    const std::string to = "blk." + std::to_string(layer) + ".";
    add(from + "input_layernorm.weight", to + "attn_norm.weight", {width});
    add_linear(from + "self_attn.q_proj", to + "attn_q", q_rows, width, true);
    add_linear(from + "self_attn.k_proj", to + "attn_k", kv_rows, width, true);
    add_linear(from + "self_attn.v_proj", to + "attn_v", kv_rows, width);
    add_linear(from + "self_attn.o_proj", to + "attn_output", width, q_rows);
    add(from + "post_attention_layernorm.weight", to + "ffn_norm.weight", {width});
    add_linear(from + "mlp.gate_proj", to + "ffn_gate", shape.inner, width);
    add_linear(from + "mlp.up_proj", to + "ffn_up", shape.inner, width);
    add_linear(from + "mlp.down_proj", to + "ffn_down", width, shape.inner);
  }
  add("model.norm.weight", "output_norm.weight", {width});
  const bool tied = folder.config.value("tie_word_embeddings", false);
  if (tied) {
    plan.notes.emplace_back("output weights are tied to the token embeddings");
  } else {
    add("lm_head.weight", "output.weight", {shape.vocabulary, width});
  }
  if (!status) return status.error();
  return plan;
}

}  // namespace loam::engine
