#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "engine/testing/tiny_model.h"
#include "ggml.h"
#include "gguf.h"

namespace loam::engine::testing {
namespace {

struct GgufFree {
  void operator()(gguf_context* context) const { gguf_free(context); }
};
struct GgmlFree {
  void operator()(ggml_context* context) const { ggml_free(context); }
};

constexpr int kHeads = 2;
constexpr int kRank = 4;

/// A GGUF under construction: metadata, and tensors whose memory one ggml context owns.
class Writer {
 public:
  explicit Writer(std::uint32_t seed)
      : gguf_(gguf_init_empty()), ggml_(ggml_init({std::size_t{64} << 20, nullptr, false})), random_(seed) {}

  gguf_context* meta() { return gguf_.get(); }

  void add(const std::string& name, std::vector<std::int64_t> shape, float spread, float centre = 0.0F) {
    ggml_tensor* tensor =
        ggml_new_tensor(ggml_.get(), GGML_TYPE_F32, static_cast<int>(shape.size()), shape.data());
    ggml_set_name(tensor, name.c_str());
    auto* values = static_cast<float*>(tensor->data);
    for (std::int64_t i = 0; i < ggml_nelements(tensor); ++i) {
      values[i] = centre + spread * normal();
    }
    gguf_add_tensor(gguf_.get(), tensor);
  }

  void strings(const char* key, const std::vector<std::string>& values) {
    std::vector<const char*> pointers;
    for (const std::string& value : values) {
      pointers.push_back(value.c_str());
    }
    gguf_set_arr_str(gguf_.get(), key, pointers.data(), pointers.size());
  }

  Result<void> write(const std::filesystem::path& path) {
    if (!gguf_write_to_file(gguf_.get(), path.c_str(), false)) {
      return Error{Kind::unavailable, path.string(), "the test model could not be written",
                   "check the folder"};
    }
    return done();
  }

 private:
  /// Sum of uniforms: the same on every standard library, which std::normal_distribution is not.
  float normal() {
    double sum = -6.0;
    for (int i = 0; i < 12; ++i) {
      sum += static_cast<double>(random_()) / 4294967296.0;
    }
    return static_cast<float>(sum);
  }

  std::unique_ptr<gguf_context, GgufFree> gguf_;
  std::unique_ptr<ggml_context, GgmlFree> ggml_;
  std::mt19937 random_;
};

/// GPT-2's printable stand-in for a byte (the byte-level BPE alphabet).
std::string letter_of_byte(int byte) {
  const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  std::string out;
  if (printable) {
    append_utf8(out, static_cast<char32_t>(byte));
    return out;
  }
  int hidden_before = 0;
  for (int other = 0; other < byte; ++other) {
    const bool shown = (other >= 33 && other <= 126) || (other >= 161 && other <= 172) || other >= 174;
    hidden_before += shown ? 0 : 1;
  }
  append_utf8(out, static_cast<char32_t>(256 + hidden_before));
  return out;
}

void add_byte_level_vocabulary(Writer& writer) {
  // Merges, so that some tokens are more than one byte: " t" + "he" and so on. "\xC4\xA0" stands for a space.
  const std::vector<std::string> merges = {
      "h e", "\xC4\xA0 t", "\xC4\xA0t he", "i n",        "a n", "an d", "e r",
      "o n", "l l",        "\xC4\xA0 a",   "\xC4\xA0 s", "r e", "a t",  "\xC4\x8A \xC4\x8A"};
  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;
  for (int byte = 0; byte < 256; ++byte) {
    tokens.push_back(letter_of_byte(byte));
    types.push_back(1);  // normal
  }
  for (const std::string& merge : merges) {
    const std::size_t space = merge.find(' ');
    tokens.push_back(merge.substr(0, space) + merge.substr(space + 1));
    types.push_back(1);
  }
  const auto first_control = static_cast<std::uint32_t>(tokens.size());
  for (const char* control : {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}) {
    tokens.emplace_back(control);
    types.push_back(3);  // control
  }
  gguf_context* meta = writer.meta();
  gguf_set_val_str(meta, "tokenizer.ggml.model", "gpt2");
  gguf_set_val_str(meta, "tokenizer.ggml.pre", "gpt-2");
  writer.strings("tokenizer.ggml.tokens", tokens);
  gguf_set_arr_data(meta, "tokenizer.ggml.token_type", GGUF_TYPE_INT32, types.data(), types.size());
  writer.strings("tokenizer.ggml.merges", merges);
  gguf_set_val_u32(meta, "tokenizer.ggml.bos_token_id", first_control + 1);
  gguf_set_val_u32(meta, "tokenizer.ggml.eos_token_id", first_control + 2);
  gguf_set_val_u32(meta, "tokenizer.ggml.padding_token_id", first_control);
  gguf_set_val_bool(meta, "tokenizer.ggml.add_bos_token", false);
  gguf_set_val_str(
      meta, "tokenizer.chat_template",
      "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + "
      "'<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
      "{% endif %}");
  gguf_set_val_u32(meta, "llama.vocab_size", static_cast<std::uint32_t>(tokens.size()));
}

constexpr std::int64_t kByteVocabulary = 256 + 14 + 3;

}  // namespace

Result<void> write_tiny_model(const std::filesystem::path& path, const TinyModelOptions& options) {
  Writer writer(options.seed);
  gguf_context* meta = writer.meta();
  const auto u32 = [&](const char* key, int value) {
    gguf_set_val_u32(meta, key, static_cast<std::uint32_t>(value));
  };
  const std::int64_t width = options.dimensions;
  const std::int64_t kv_width = width / kHeads;  // one key-value head for both heads
  gguf_set_val_str(meta, "general.architecture", "llama");
  gguf_set_val_str(meta, "general.name", "tiny test model");
  u32("general.file_type", 0);
  u32("llama.context_length", options.context_tokens);
  u32("llama.embedding_length", options.dimensions);
  u32("llama.block_count", options.layers);
  u32("llama.feed_forward_length", 2 * options.dimensions);
  u32("llama.attention.head_count", kHeads);
  u32("llama.attention.head_count_kv", 1);
  u32("llama.rope.dimension_count", options.dimensions / kHeads);
  gguf_set_val_f32(meta, "llama.attention.layer_norm_rms_epsilon", 1e-5F);
  gguf_set_val_f32(meta, "llama.rope.freq_base", 10000.0F);
  add_byte_level_vocabulary(writer);

  const float spread = 1.0F / std::sqrt(static_cast<float>(width));
  writer.add("token_embd.weight", {width, kByteVocabulary}, 1.0F);
  writer.add("output_norm.weight", {width}, 0.0F, 1.0F);
  writer.add("output.weight", {width, kByteVocabulary}, 3.0F * spread);
  for (int layer = 0; layer < options.layers; ++layer) {
    const std::string block = "blk." + std::to_string(layer) + ".";
    writer.add(block + "attn_norm.weight", {width}, 0.0F, 1.0F);
    writer.add(block + "attn_q.weight", {width, width}, 2.0F * spread);
    writer.add(block + "attn_k.weight", {width, kv_width}, 2.0F * spread);
    writer.add(block + "attn_v.weight", {width, kv_width}, 2.0F * spread);
    writer.add(block + "attn_output.weight", {width, width}, 2.0F * spread);
    writer.add(block + "ffn_norm.weight", {width}, 0.0F, 1.0F);
    writer.add(block + "ffn_gate.weight", {width, 2 * width}, spread);
    writer.add(block + "ffn_up.weight", {width, 2 * width}, spread);
    writer.add(block + "ffn_down.weight", {2 * width, width}, spread);
  }
  return writer.write(path);
}

Result<void> write_tiny_lora(const std::filesystem::path& path, LoraB b, std::uint32_t seed,
                             const TinyModelOptions& model) {
  Writer writer(seed);
  gguf_context* meta = writer.meta();
  gguf_set_val_str(meta, "general.type", "adapter");
  gguf_set_val_str(meta, "general.architecture", "llama");
  gguf_set_val_str(meta, "adapter.type", "lora");
  gguf_set_val_f32(meta, "adapter.lora.alpha", static_cast<float>(2 * kRank));
  const std::int64_t width = model.dimensions;
  const float spread = b == LoraB::zero ? 0.0F : 0.3F;
  for (int layer = 0; layer < model.layers; ++layer) {
    const std::string block = "blk." + std::to_string(layer) + ".";
    writer.add(block + "attn_q.weight.lora_a", {width, kRank}, 0.3F);
    writer.add(block + "attn_q.weight.lora_b", {kRank, width}, spread);
    writer.add(block + "attn_v.weight.lora_a", {width, kRank}, 0.3F);
    writer.add(block + "attn_v.weight.lora_b", {kRank, width / kHeads}, spread);
  }
  return writer.write(path);
}

Result<void> write_tiny_embedder(const std::filesystem::path& path, const TinyModelOptions& options) {
  Writer writer(options.seed);
  gguf_context* meta = writer.meta();
  const auto u32 = [&](const char* key, int value) {
    gguf_set_val_u32(meta, key, static_cast<std::uint32_t>(value));
  };
  gguf_set_val_str(meta, "general.architecture", "bert");
  gguf_set_val_str(meta, "general.name", "tiny test embedder");
  u32("general.file_type", 0);
  u32("bert.context_length", options.context_tokens);
  u32("bert.embedding_length", options.dimensions);
  u32("bert.block_count", options.layers);
  u32("bert.feed_forward_length", 2 * options.dimensions);
  u32("bert.attention.head_count", kHeads);
  gguf_set_val_f32(meta, "bert.attention.layer_norm_epsilon", 1e-12F);
  gguf_set_val_bool(meta, "bert.attention.causal", false);
  u32("bert.pooling_type", 1);
  u32("tokenizer.ggml.token_type_count", 2);

  // Words start with U+2581, as in every WordPiece GGUF; letters alone continue a word.
  const std::string start = "\xE2\x96\x81";
  std::vector<std::string> tokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  for (const char* word :
       {"the",   "of",    "and",     "to",     "in",   "is",     "leave", "price",  "contract",
        "days",  "year",  "holiday", "notice", "pump", "manual", "pay",   "staff",  "north",
        "south", "salad", "green",   "blue",   "cat",  "dog",    "house", "invoice"}) {
    tokens.push_back(start + word);
  }
  for (char c = '!'; c <= '~'; ++c) {
    if (c < 'A' || c > 'Z') {  // WordPiece lower-cases first
      tokens.push_back(start + c);
      tokens.emplace_back(1, c);
    }
  }
  std::vector<std::int32_t> types(tokens.size(), 1);
  std::fill_n(types.begin(), 5, 3);
  gguf_set_val_str(meta, "tokenizer.ggml.model", "bert");
  gguf_set_val_str(meta, "tokenizer.ggml.pre", "default");
  writer.strings("tokenizer.ggml.tokens", tokens);
  gguf_set_arr_data(meta, "tokenizer.ggml.token_type", GGUF_TYPE_INT32, types.data(), types.size());
  u32("tokenizer.ggml.padding_token_id", 0);
  u32("tokenizer.ggml.unknown_token_id", 1);
  u32("tokenizer.ggml.bos_token_id", 2);
  u32("tokenizer.ggml.eos_token_id", 3);
  u32("tokenizer.ggml.seperator_token_id", 3);  // the key is spelt so in every GGUF
  u32("tokenizer.ggml.mask_token_id", 4);
  gguf_set_val_bool(meta, "tokenizer.ggml.add_bos_token", true);
  gguf_set_val_bool(meta, "tokenizer.ggml.add_eos_token", true);

  const std::int64_t width = options.dimensions;
  const float spread = 1.0F / std::sqrt(static_cast<float>(width));
  const auto linear = [&](const std::string& name, std::int64_t in, std::int64_t out) {
    writer.add(name + ".weight", {in, out}, 1.5F * spread);
    writer.add(name + ".bias", {out}, 0.1F);
  };
  const auto norm = [&](const std::string& name) {
    writer.add(name + ".weight", {width}, 0.1F, 1.0F);
    writer.add(name + ".bias", {width}, 0.1F);
  };
  writer.add("token_embd.weight", {width, static_cast<std::int64_t>(tokens.size())}, 1.0F);
  writer.add("token_types.weight", {width, 2}, 0.1F);
  writer.add("position_embd.weight", {width, options.context_tokens}, 0.1F);
  norm("token_embd_norm");
  for (int layer = 0; layer < options.layers; ++layer) {
    const std::string block = "blk." + std::to_string(layer) + ".";
    linear(block + "attn_q", width, width);
    linear(block + "attn_k", width, width);
    linear(block + "attn_v", width, width);
    linear(block + "attn_output", width, width);
    norm(block + "attn_output_norm");
    linear(block + "ffn_up", width, 2 * width);
    linear(block + "ffn_down", 2 * width, width);
    norm(block + "layer_output_norm");
  }
  return writer.write(path);
}

}  // namespace loam::engine::testing
