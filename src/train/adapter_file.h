// A trained adapter as llama.cpp's LoRA GGUF: served unmerged on the base it was trained on.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "engine/gguf_writer.h"
#include "train/lora.h"

namespace loam::train {

/// Which model an adapter belongs to.
struct BaseModel {
  std::string name;         ///< as people know it
  std::string fingerprint;  ///< engine::LocalModel::fingerprint()
  std::string identity{};   ///< engine::base_identity(); empty: not known
};

/// Keys of ours in an adapter's metadata.
inline constexpr char kBaseNameKey[] = "loam.base.name";
inline constexpr char kBaseFingerprintKey[] = "loam.base.fingerprint";

/// Writes the adapter's values durably (durable_file.h). alpha is such that llama.cpp's alpha / rank is the
/// scale that was trained with. The bytes depend on the values only.
Result<void> write_adapter(const std::filesystem::path& path, const LoraParameters& lora,
                           const LlamaShape& shape, const BaseModel& base);
/// The same for any architecture; `more` sets further keys.
Result<void> write_adapter(const std::filesystem::path& path, const LoraParameters& lora,
                           std::string_view architecture, const BaseModel& base,
                           const std::function<void(engine::GgufWriter&)>& more);

}  // namespace loam::train
