// Is this GGUF a LoRA adapter that llama.cpp can take without harm? Checked before llama.cpp sees it: its own
// loader asserts on values of the wrong type.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"

namespace loam::engine {

/// bad_data names the key or tensor. Whether the shapes fit the model is checked by llama.cpp, which refuses
/// well.
Result<void> check_adapter(const std::filesystem::path& path, std::string_view model_architecture);

}  // namespace loam::engine
