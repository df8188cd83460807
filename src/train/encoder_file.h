// An encoder's adapter with its head as one GGUF: llama.cpp's LoRA format with keys of ours.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "engine/encoder_head.h"
#include "train/adapter_file.h"
#include "train/lora.h"

namespace loam::train {

/// Writes adapter and head durably; engine::read_encoder_head() and llama.cpp read them back. The bytes
/// depend on the values only. REQUIRES: a head whose sizes agree with its rows and width.
Result<void> write_encoder_adapter(const std::filesystem::path& path, const LoraParameters& lora,
                                   const engine::EncoderHead& head, const BaseModel& base);

}  // namespace loam::train
