// Adapters with a head for the model of write_tiny_embedder(), of random weights: for tests of any room.
#pragma once

#include <cmath>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "engine/gguf_writer.h"

namespace loam::engine::testing {

struct TinyEncoderAdapter {
  std::string kind = "reranker";  ///< empty: no key of ours at all
  std::string pooling;            ///< empty: no key
  std::uint32_t seed = 3;
  float spread = 0.3F;  ///< of the LoRA; 0 leaves the states as they are
  int dimensions = 64;
  int layers = 2;
  std::vector<std::string> labels;
  std::vector<float> weight;  ///< empty: random; otherwise the head's
  std::vector<float> bias;    ///< empty: no key
  float no_answer_bias = 0;
  std::string base_name;
  std::string base_identity;
  std::string base_fingerprint;
};

inline Result<void> write_tiny_encoder_adapter(const std::filesystem::path& path,
                                               const TinyEncoderAdapter& adapter = {}) {
  std::mt19937 random(adapter.seed);
  const auto value = [&random](float spread) {
    return spread * (static_cast<float>(random() % 20001U) / 10000.0F - 1.0F);
  };
  constexpr std::uint64_t kRank = 4;
  const auto width = static_cast<std::uint64_t>(adapter.dimensions);
  GgufWriter writer;
  writer.set("general.type", "adapter");
  writer.set("general.architecture", "bert");
  writer.set("adapter.type", "lora");
  writer.set("adapter.lora.alpha", 8.0F);
  if (!adapter.base_name.empty()) writer.set("loam.base.name", adapter.base_name);
  if (!adapter.base_identity.empty()) writer.set("loam.base.identity", adapter.base_identity);
  if (!adapter.base_fingerprint.empty()) writer.set("loam.base.fingerprint", adapter.base_fingerprint);
  if (!adapter.kind.empty()) writer.set("loam.head.kind", adapter.kind);
  if (!adapter.pooling.empty()) writer.set("loam.head.pooling", adapter.pooling);
  const std::size_t rows = adapter.kind == "reranker"     ? 1
                           : adapter.kind == "reader"     ? 2
                           : adapter.kind == "classifier" ? adapter.labels.size()
                                                          : 0;
  std::vector<float> weight = adapter.weight;
  for (std::size_t i = weight.size(); adapter.weight.empty() && i < rows * width; ++i)
    weight.push_back(value(0.5F));
  if (rows > 0) writer.set("loam.head.weight", std::span<const float>(weight));
  if (!adapter.bias.empty()) writer.set("loam.head.bias", std::span<const float>(adapter.bias));
  if (!adapter.labels.empty()) writer.set("loam.head.labels", std::span<const std::string>(adapter.labels));
  if (adapter.kind == "reader") writer.set("loam.head.no_answer_bias", adapter.no_answer_bias);
  std::vector<std::string> tensors;
  const auto tensor = [&](const std::string& name, std::uint64_t inner, std::uint64_t outer, float spread) {
    std::string bytes;
    for (std::uint64_t i = 0; i < inner * outer; ++i) {
      const float number = value(spread);
      char raw[sizeof number];
      std::memcpy(raw, &number, sizeof number);
      bytes.append(raw, sizeof raw);
    }
    writer.add_tensor(name, {inner, outer}, 0, bytes.size());
    tensors.push_back(std::move(bytes));
  };
  for (int layer = 0; layer < adapter.layers; ++layer) {
    const std::string block = "blk." + std::to_string(layer) + ".";
    tensor(block + "attn_q.weight.lora_a", width, kRank, 0.3F);
    tensor(block + "attn_q.weight.lora_b", kRank, width, adapter.spread);
    tensor(block + "ffn_up.weight.lora_a", width, kRank, 0.3F);
    tensor(block + "ffn_up.weight.lora_b", kRank, 2 * width, adapter.spread);
  }
  auto written =
      writer.write(path, [&tensors](std::size_t index) -> Result<std::string> { return tensors[index]; });
  if (!written) return written.error();
  return done();
}

}  // namespace loam::engine::testing
