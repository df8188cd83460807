// The import of Llama safetensors against a plain forward pass written here from the definition: a small
// random model is written as a publisher would, imported, and run by llama.cpp. Wrongly turned query and key
// rows, a wrong rotary base or a wrong share of key-value heads all change the logits.
#include "engine/import.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <numbers>
#include <random>

#include "base/json.h"
#include "engine/gguf_check.h"
#include "engine/testing/fixture.h"

namespace loam::engine {
namespace {

namespace fs = std::filesystem;

struct LlamaCase {
  std::string name;
  bool tied = false;
  std::size_t head_size = 16;
  double rope_theta = 10000;
  Json rope_scaling = nullptr;  ///< null: none
  ImportType type = ImportType::f32;
  double allowed = 2e-4;  ///< of a logit
};

constexpr std::size_t kWidth = 64, kInner = 96, kLayers = 2, kHeads = 4, kKvHeads = 2, kVocabulary = 100;
constexpr double kEpsilon = 1e-5;

using Matrix = std::vector<float>;  // row-major, (out, in)
using Tensors = std::map<std::string, std::pair<std::vector<std::size_t>, Matrix>>;

Tensors random_weights(const LlamaCase& one) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  Tensors tensors;
  const auto add = [&](const std::string& name, std::vector<std::size_t> shape, float mean, float spread) {
    std::size_t count = 1;
    for (const std::size_t dimension : shape) count *= dimension;
    Matrix values(count);
    for (float& value : values) value = mean + spread * normal(random);
    tensors[name] = {std::move(shape), std::move(values)};
  };
  const std::size_t q = kHeads * one.head_size;
  const std::size_t kv = kKvHeads * one.head_size;
  add("model.embed_tokens.weight", {kVocabulary, kWidth}, 0, 1);
  for (std::size_t layer = 0; layer < kLayers; ++layer) {
    const std::string at = "model.layers." + std::to_string(layer) + ".";
    add(at + "input_layernorm.weight", {kWidth}, 1, 0.2F);
    add(at + "self_attn.q_proj.weight", {q, kWidth}, 0, 0.25F);
    add(at + "self_attn.k_proj.weight", {kv, kWidth}, 0, 0.25F);
    add(at + "self_attn.v_proj.weight", {kv, kWidth}, 0, 0.2F);
    add(at + "self_attn.o_proj.weight", {kWidth, q}, 0, 0.2F);
    add(at + "post_attention_layernorm.weight", {kWidth}, 1, 0.2F);
    add(at + "mlp.gate_proj.weight", {kInner, kWidth}, 0, 0.15F);
    add(at + "mlp.up_proj.weight", {kInner, kWidth}, 0, 0.15F);
    add(at + "mlp.down_proj.weight", {kWidth, kInner}, 0, 0.15F);
  }
  add("model.norm.weight", {kWidth}, 1, 0.2F);
  if (!one.tied) add("lm_head.weight", {kVocabulary, kWidth}, 0, 0.3F);
  return tensors;
}

void write_folder(const fs::path& folder, const LlamaCase& one, const Tensors& tensors) {
  fs::create_directories(folder);
  Json header;
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    const std::size_t start = data.size();
    data.append(reinterpret_cast<const char*>(tensor.second.data()), tensor.second.size() * sizeof(float));
    header[name] = {{"dtype", "F32"}, {"shape", tensor.first}, {"data_offsets", {start, data.size()}}};
  }
  const std::string text = header.dump();
  const auto size = static_cast<std::uint64_t>(text.size());
  std::ofstream(folder / "model.safetensors", std::ios::binary)
      << std::string(reinterpret_cast<const char*>(&size), sizeof(size)) << text << data;
  Json config = {{"architectures", {"LlamaForCausalLM"}},
                 {"hidden_size", kWidth},
                 {"intermediate_size", kInner},
                 {"num_hidden_layers", kLayers},
                 {"num_attention_heads", kHeads},
                 {"num_key_value_heads", kKvHeads},
                 {"head_dim", one.head_size},
                 {"max_position_embeddings", 256},
                 {"vocab_size", kVocabulary},
                 {"rms_norm_eps", kEpsilon},
                 {"rope_theta", one.rope_theta},
                 {"hidden_act", "silu"},
                 {"tie_word_embeddings", one.tied}};
  if (!one.rope_scaling.is_null()) config["rope_scaling"] = one.rope_scaling;
  std::ofstream(folder / "config.json") << config.dump();
  // Byte-level letters of ASCII, a space, a line end, and two merges; the rest of the ids stay unused.
  Json vocabulary;
  int id = 0;
  for (char c = '!'; c <= '~'; ++c) vocabulary[std::string(1, c)] = id++;
  for (const char* piece : {"\xC4\xA0", "\xC4\x8A", "he", "\xC4\xA0t"}) vocabulary[piece] = id++;
  const Json tokenizer = {
      {"added_tokens", {{{"id", id}, {"content", "<|end|>"}, {"special", true}}}},
      {"normalizer", nullptr},
      {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
      {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", {"h e", "\xC4\xA0 t"}}}}};
  std::ofstream(folder / "tokenizer.json") << tokenizer.dump();
  std::ofstream(folder / "tokenizer_config.json") << R"({"eos_token": "<|end|>"})";
}

std::vector<double> times(const Matrix& matrix, const std::vector<double>& in) {
  std::vector<double> out(matrix.size() / in.size());
  for (std::size_t row = 0; row < out.size(); ++row) {
    for (std::size_t i = 0; i < in.size(); ++i)
      out[row] += static_cast<double>(matrix[row * in.size() + i]) * in[i];
  }
  return out;
}

/// RMSNorm (Zhang and Sennrich 2019).
std::vector<double> norm(const std::vector<double>& in, const Matrix& weight) {
  double squares = 0;
  for (const double value : in) squares += value * value;
  const double scale = 1.0 / std::sqrt(squares / static_cast<double>(in.size()) + kEpsilon);
  std::vector<double> out(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) out[i] = in[i] * scale * static_cast<double>(weight[i]);
  return out;
}

/// Angular speed of rotary pair `i`.
double frequency(const LlamaCase& one, std::size_t i) {
  const double plain =
      std::pow(one.rope_theta, -2.0 * static_cast<double>(i) / static_cast<double>(one.head_size));
  if (one.rope_scaling.is_null()) return plain;
  const double factor = one.rope_scaling["factor"];
  if (one.rope_scaling["rope_type"] == "linear") return plain / factor;
  // Llama 3.1: slow turns are divided, quick ones stay, those between are blended.
  const double low = one.rope_scaling["low_freq_factor"];
  const double high = one.rope_scaling["high_freq_factor"];
  const double trained = one.rope_scaling["original_max_position_embeddings"];
  const double turns = trained * plain / (2.0 * std::numbers::pi);
  const double kept = std::clamp((turns - low) / (high - low), 0.0, 1.0);
  return kept * plain + (1.0 - kept) * plain / factor;
}

/// Rotary position as the publishers' code has it: dimension i turns with i + half.
void rotate(std::vector<double>& heads, std::size_t position, const LlamaCase& one) {
  const std::size_t half = one.head_size / 2;
  for (std::size_t head = 0; head < heads.size() / one.head_size; ++head) {
    for (std::size_t i = 0; i < half; ++i) {
      const double angle = static_cast<double>(position) * frequency(one, i);
      double& a = heads[head * one.head_size + i];
      double& b = heads[head * one.head_size + half + i];
      const double was = a;
      a = was * std::cos(angle) - b * std::sin(angle);
      b = b * std::cos(angle) + was * std::sin(angle);
    }
  }
}

/// Logits of every position, in double.
std::vector<std::vector<double>> forward(const LlamaCase& one, const Tensors& tensors,
                                         const std::vector<Token>& tokens) {
  const auto weight = [&](const std::string& name) -> const Matrix& { return tensors.at(name).second; };
  std::vector<std::vector<double>> state;
  for (const Token token : tokens) {
    const Matrix& table = weight("model.embed_tokens.weight");
    const auto row = table.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(token) * kWidth);
    state.emplace_back(row, row + static_cast<std::ptrdiff_t>(kWidth));
  }
  const auto add_to = [](std::vector<double>& to, const std::vector<double>& what) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] += what[i];
  };
  for (std::size_t layer = 0; layer < kLayers; ++layer) {
    const std::string at = "model.layers." + std::to_string(layer) + ".";
    std::vector<std::vector<double>> keys;
    std::vector<std::vector<double>> values;
    for (std::size_t position = 0; position < tokens.size(); ++position) {
      const auto in = norm(state[position], weight(at + "input_layernorm.weight"));
      auto query = times(weight(at + "self_attn.q_proj.weight"), in);
      keys.push_back(times(weight(at + "self_attn.k_proj.weight"), in));
      values.push_back(times(weight(at + "self_attn.v_proj.weight"), in));
      rotate(query, position, one);
      rotate(keys.back(), position, one);
      std::vector<double> mixed(query.size());
      for (std::size_t head = 0; head < kHeads; ++head) {
        const std::size_t own = head * one.head_size;
        const std::size_t shared = head / (kHeads / kKvHeads) * one.head_size;  // grouped-query attention
        std::vector<double> scores;
        for (const auto& key : keys) {
          double score = 0;
          for (std::size_t i = 0; i < one.head_size; ++i) score += query[own + i] * key[shared + i];
          scores.push_back(score / std::sqrt(static_cast<double>(one.head_size)));
        }
        const double top = *std::max_element(scores.begin(), scores.end());
        double sum = 0;
        for (double& score : scores) sum += score = std::exp(score - top);
        for (std::size_t before = 0; before < scores.size(); ++before) {
          for (std::size_t i = 0; i < one.head_size; ++i)
            mixed[own + i] += scores[before] / sum * values[before][shared + i];
        }
      }
      add_to(state[position], times(weight(at + "self_attn.o_proj.weight"), mixed));
      const auto inner = norm(state[position], weight(at + "post_attention_layernorm.weight"));
      auto gate = times(weight(at + "mlp.gate_proj.weight"), inner);
      const auto up = times(weight(at + "mlp.up_proj.weight"), inner);
      for (std::size_t i = 0; i < gate.size(); ++i) gate[i] *= up[i] / (1.0 + std::exp(-gate[i]));  // SwiGLU
      add_to(state[position], times(weight(at + "mlp.down_proj.weight"), gate));
    }
  }
  std::vector<std::vector<double>> logits;
  for (const auto& last : state)
    logits.push_back(times(weight(one.tied ? "model.embed_tokens.weight" : "lm_head.weight"),
                           norm(last, weight("model.norm.weight"))));
  return logits;
}

class ImportLlama : public ::testing::TestWithParam<LlamaCase> {};

// proves P-MOD-07
TEST_P(ImportLlama, logits_equal_those_of_a_plain_forward_pass) {
  const LlamaCase& one = GetParam();
  const fs::path folder = testing::scratch_folder() / ("llama-" + one.name);
  const Tensors tensors = random_weights(one);
  write_folder(folder, one, tensors);
  const fs::path gguf = testing::scratch_folder() / (one.name + ".gguf");
  const auto report = import_model(folder, gguf, {one.type, "tiny"});
  ASSERT_TRUE(report.ok()) << report.error().line();
  EXPECT_EQ(check_gguf(gguf)->output_bytes == 0, one.tied);

  LocalEngineOptions options;
  options.context_tokens = 128;
  options.threads = 1;
  options.k_type = KvType::f32;
  options.v_type = KvType::f32;
  options.flash_attention = FlashAttention::off;  // on the CPU it rounds to half precision inside
  const auto engine = LocalEngine::open(gguf, options);
  ASSERT_TRUE(engine.ok()) << engine.error().line();
  std::vector<Token> tokens;
  for (int i = 0; i < 60; ++i) tokens.push_back((i * 37 + i * i) % 95);
  const auto expected = forward(one, tensors, tokens);
  double largest = 0;
  double spread = 0;
  const auto read = (*engine)->for_each_logits(tokens, [&](int position, std::span<const float> logits) {
    const auto& row = expected[static_cast<std::size_t>(position)];
    ASSERT_EQ(logits.size(), row.size());
    for (std::size_t i = 0; i < row.size(); ++i) {
      largest = std::max(largest, std::fabs(static_cast<double>(logits[i]) - row[i]));
      spread = std::max(spread, std::fabs(row[i]));
    }
  });
  ASSERT_TRUE(read.ok()) << read.error().line();
  RecordProperty("largest_difference", std::to_string(largest));
  EXPECT_LT(largest, one.allowed) << "logits reach " << spread;
  EXPECT_GT(spread, 1.0);
  // The tokenizer came along: merges, and a special token that plain text cannot make.
  EXPECT_EQ((*engine)->model().encode("he t", AddSpecial::no, ParseSpecial::no)->size(), 2U);
  EXPECT_EQ((*engine)->model().encode("<|end|>", AddSpecial::no, ParseSpecial::yes)->size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, ImportLlama,
    ::testing::Values(LlamaCase{.name = "untied"}, LlamaCase{.name = "tied", .tied = true},
                      LlamaCase{.name = "wide_heads", .head_size = 32, .rope_theta = 500000},
                      LlamaCase{.name = "linear_rope",
                                .rope_scaling = {{"rope_type", "linear"}, {"factor", 4.0}}},
                      LlamaCase{.name = "llama3_rope",
                                .rope_theta = 1000,
                                .rope_scaling = {{"rope_type", "llama3"},
                                                 {"factor", 8.0},
                                                 {"low_freq_factor", 1.0},
                                                 {"high_freq_factor", 4.0},
                                                 {"original_max_position_embeddings", 128}}},
                      LlamaCase{.name = "bf16", .type = ImportType::bf16, .allowed = 0.6}),
    [](const auto& one) { return one.param.name; });

TEST(ImportLlamaRefusal, a_missing_or_wrongly_shaped_tensor_and_a_weight_that_is_not_finite_are_named) {
  const LlamaCase one{.name = "broken"};
  const Tensors sound = random_weights(one);
  const std::string name = "model.layers.1.self_attn.k_proj.weight";
  const fs::path gguf = testing::scratch_folder() / "broken.gguf";
  const auto expect_refusal = [&](const Tensors& tensors, const std::string& named) {
    const fs::path folder = testing::scratch_folder() / "llama-broken";
    write_folder(folder, one, tensors);
    const auto report = import_model(folder, gguf);
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.error().kind, Kind::bad_data);
    EXPECT_NE(report.error().line().find(named), std::string::npos) << report.error().line();
    EXPECT_FALSE(fs::exists(gguf));
  };
  Tensors missing = sound;
  missing.erase(name);
  expect_refusal(missing, name);
  Tensors turned = sound;
  std::swap(turned[name].first[0], turned[name].first[1]);
  expect_refusal(turned, name);
  Tensors infinite = sound;
  infinite[name].second[5] = std::numeric_limits<float>::infinity();
  expect_refusal(infinite, "not finite");
  Tensors extra = sound;
  extra["model.layers.9.mlp.up_proj.weight"] = {{1}, {1.0F}};
  expect_refusal(extra, "model.layers.9");
}

}  // namespace
}  // namespace loam::engine
