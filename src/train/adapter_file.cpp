#include "train/adapter_file.h"

#include <cstring>
#include <vector>

#include "engine/base_identity.h"
#include "train/durable_file.h"

namespace loam::train {
namespace {

constexpr std::uint32_t kF32 = 0;  // ggml's type number

void append(std::string& bytes, const std::vector<float>& values) {
  const std::size_t at = bytes.size();
  bytes.resize(at + values.size() * sizeof(float));
  std::memcpy(bytes.data() + at, values.data(), values.size() * sizeof(float));
  const std::size_t alignment = engine::GgufWriter::kAlignment;
  bytes.resize((bytes.size() + alignment - 1) / alignment * alignment, '\0');
}

}  // namespace

Result<void> write_adapter(const std::filesystem::path& path, const LoraParameters& lora,
                           const LlamaShape& shape, const BaseModel& base) {
  return write_adapter(path, lora, shape.architecture, base, {});
}

Result<void> write_adapter(const std::filesystem::path& path, const LoraParameters& lora,
                           std::string_view architecture, const BaseModel& base,
                           const std::function<void(engine::GgufWriter&)>& more) {
  const auto rank = static_cast<std::size_t>(lora.options().rank);
  engine::GgufWriter writer;
  writer.set("general.type", "adapter");
  writer.set("general.architecture", architecture);
  writer.set("general.name", std::string_view(base.name + " LoRA"));
  writer.set("adapter.type", "lora");
  writer.set("adapter.lora.alpha", lora.options().scale() * static_cast<float>(rank));
  writer.set(kBaseNameKey, std::string_view(base.name));
  writer.set(kBaseFingerprintKey, std::string_view(base.fingerprint));
  if (!base.identity.empty()) writer.set(engine::kBaseIdentityKey, std::string_view(base.identity));
  if (more) more(writer);
  std::string data;
  for (std::size_t layer = 0; layer < lora.layers(); ++layer) {
    for (std::size_t i = 0; i < kTargetCount; ++i) {
      const auto target = static_cast<Target>(i);
      const LoraMatrix& matrix = lora.matrix(layer, target);
      if (!matrix.there) continue;
      const std::string name =
          "blk." + std::to_string(layer) + "." + std::string(gguf_name_of(target)) + ".weight";
      writer.add_tensor(name + ".lora_a", {matrix.in, rank}, kF32, rank * matrix.in * sizeof(float));
      writer.add_tensor(name + ".lora_b", {rank, matrix.out}, kF32, rank * matrix.out * sizeof(float));
      const float* values = lora.values().data();
      append(data, {values + matrix.a, values + matrix.a + rank * matrix.in});
      std::vector<float> turned(rank * matrix.out);
      for (std::size_t out = 0; out < matrix.out; ++out) {
        for (std::size_t r = 0; r < rank; ++r)
          turned[out * rank + r] = values[matrix.b + r * matrix.out + out];
      }
      append(data, turned);
    }
  }
  return write_durably(path, writer.metadata() + data);
}

}  // namespace loam::train
