#include "train/encoder_file.h"

#include <array>
#include <string_view>

#include "engine/gguf_writer.h"

namespace loam::train {
namespace {

std::string_view text_of(engine::HeadPooling pooling) {
  constexpr std::array<std::string_view, 3> kNames = {"mean", "cls", "tokens"};
  return kNames[static_cast<std::size_t>(pooling)];
}

}  // namespace

Result<void> write_encoder_adapter(const std::filesystem::path& path, const LoraParameters& lora,
                                   const engine::EncoderHead& head, const BaseModel& base) {
  return write_adapter(path, lora, "bert", base, [&](engine::GgufWriter& writer) {
    writer.set("loam.head.kind", engine::name_of(head.kind));
    writer.set("loam.head.pooling", text_of(head.pooling));
    writer.set("loam.head.input", head.input == engine::HeadInput::pair ? "pair" : "text");
    if (head.max_tokens > 0) {
      writer.set("loam.head.max_tokens", static_cast<std::uint32_t>(head.max_tokens));
    }
    if (head.rows > 0) {
      writer.set("loam.head.weight", std::span<const float>(head.weight));
      writer.set("loam.head.bias", std::span<const float>(head.bias));
    }
    if (!head.labels.empty()) writer.set("loam.head.labels", std::span<const std::string>(head.labels));
    if (head.kind == engine::HeadKind::reader) writer.set("loam.head.no_answer_bias", head.no_answer_bias);
  });
}

}  // namespace loam::train
