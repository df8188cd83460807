// The smallest files that check_gguf() accepts, built in memory: seeds for mutation tests and the fuzzer.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/gguf_writer.h"

namespace loam::engine::testing {

/// `writer`'s metadata followed by zeros for `data_bytes` of weights.
inline std::string with_data(const GgufWriter& writer, std::uint64_t data_bytes) {
  std::string bytes = writer.metadata();
  bytes.append(static_cast<std::size_t>(data_bytes), '\0');
  return bytes;
}

inline std::vector<std::string> numbered_tokens(int count) {
  std::vector<std::string> tokens;
  for (int i = 0; i < count; ++i)
    tokens.push_back(std::string("tok") + (i < 10 ? "0" : "") + std::to_string(i));
  return tokens;
}

/// Adds f32 tensors one after another and counts their bytes.
class TinyTensors {
 public:
  explicit TinyTensors(GgufWriter& writer) : writer_(writer) {}
  void add(const std::string& name, std::vector<std::uint64_t> dimensions) {
    std::uint64_t bytes = 4;
    for (const std::uint64_t dimension : dimensions) bytes *= dimension;
    writer_.add_tensor(name, std::move(dimensions), 0, bytes);
    total_ += (bytes + 31) / 32 * 32;
  }
  std::uint64_t total() const { return total_; }

 private:
  GgufWriter& writer_;
  std::uint64_t total_ = 0;
};

inline std::string tiny_llama_gguf() {
  GgufWriter writer;
  writer.set("general.architecture", "llama");
  writer.set("general.name", "tiny");
  writer.set("general.file_type", std::uint32_t{0});
  writer.set("llama.block_count", std::uint32_t{1});
  writer.set("llama.context_length", std::uint32_t{64});
  writer.set("llama.embedding_length", std::uint32_t{32});
  writer.set("llama.feed_forward_length", std::uint32_t{64});
  writer.set("llama.attention.head_count", std::uint32_t{2});
  writer.set("llama.attention.head_count_kv", std::uint32_t{1});
  writer.set("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  writer.set("llama.rope.dimension_count", std::uint32_t{16});
  writer.set("llama.rope.freq_base", 10000.0F);
  const auto tokens = numbered_tokens(16);
  const std::vector<std::int32_t> types(16, 1);
  const std::vector<std::string> merges = {"t o", "to k"};
  writer.set("tokenizer.ggml.model", "gpt2");
  writer.set("tokenizer.ggml.pre", "gpt-2");
  writer.set("tokenizer.ggml.tokens", std::span<const std::string>(tokens));
  writer.set("tokenizer.ggml.token_type", std::span<const std::int32_t>(types));
  writer.set("tokenizer.ggml.merges", std::span<const std::string>(merges));
  writer.set("tokenizer.ggml.bos_token_id", std::uint32_t{1});
  writer.set("tokenizer.ggml.add_bos_token", true);
  writer.set("tokenizer.chat_template", "{{ messages }}");
  TinyTensors tensors(writer);
  tensors.add("token_embd.weight", {32, 16});
  tensors.add("output_norm.weight", {32});
  tensors.add("blk.0.attn_norm.weight", {32});
  tensors.add("blk.0.attn_q.weight", {32, 32});
  tensors.add("blk.0.attn_k.weight", {32, 16});
  tensors.add("blk.0.attn_v.weight", {32, 16});
  tensors.add("blk.0.attn_output.weight", {32, 32});
  tensors.add("blk.0.ffn_norm.weight", {32});
  tensors.add("blk.0.ffn_gate.weight", {32, 64});
  tensors.add("blk.0.ffn_up.weight", {32, 64});
  tensors.add("blk.0.ffn_down.weight", {64, 32});
  return with_data(writer, tensors.total());
}

inline std::string tiny_bert_gguf() {
  GgufWriter writer;
  writer.set("general.architecture", "bert");
  writer.set("bert.block_count", std::uint32_t{1});
  writer.set("bert.context_length", std::uint32_t{32});
  writer.set("bert.embedding_length", std::uint32_t{16});
  writer.set("bert.feed_forward_length", std::uint32_t{32});
  writer.set("bert.attention.head_count", std::uint32_t{2});
  writer.set("bert.attention.layer_norm_epsilon", 1e-12F);
  writer.set("bert.attention.causal", false);
  writer.set("bert.pooling_type", std::uint32_t{1});
  writer.set("loam.embedding.max_tokens", std::uint32_t{16});
  const auto tokens = numbered_tokens(8);
  const std::vector<float> scores(8, 0.5F);
  writer.set("tokenizer.ggml.model", "bert");
  writer.set("tokenizer.ggml.token_type_count", std::uint32_t{2});
  writer.set("tokenizer.ggml.tokens", std::span<const std::string>(tokens));
  writer.set("tokenizer.ggml.scores", std::span<const float>(scores));
  writer.set("tokenizer.ggml.bos_token_id", std::uint32_t{1});
  writer.set("tokenizer.ggml.seperator_token_id", std::uint32_t{2});
  writer.set("tokenizer.ggml.unknown_token_id", std::uint32_t{3});
  TinyTensors tensors(writer);
  tensors.add("token_embd.weight", {16, 8});
  tensors.add("position_embd.weight", {16, 32});
  tensors.add("blk.0.attn_q.weight", {16, 16});
  return with_data(writer, tensors.total());
}

}  // namespace loam::engine::testing
