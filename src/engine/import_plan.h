// What one model family makes of a folder: keys and tensors for the GGUF. Only import*.cpp include this.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/gguf_writer.h"
#include "engine/import.h"
#include "engine/safetensors.h"

namespace loam::engine {

/// May the matrix be stored in a smaller type?
enum class Precision : std::uint8_t { as_asked, always_f32 };

struct PlannedTensor {
  std::string name;                  ///< in the GGUF
  std::vector<std::uint64_t> shape;  ///< row-major, outermost first
  Precision precision = Precision::as_asked;
  std::function<Result<std::vector<float>>()> values;  ///< read when written, so that memory stays small
};

struct ImportPlan {
  std::string architecture;
  GgufWriter writer;  ///< with the family's keys
  std::vector<PlannedTensor> tensors;
  std::set<std::string> used;  ///< names of source tensors that have a place
  std::vector<std::string> skipped;
  std::vector<std::string> notes;
};

/// A model folder: its configuration and tensors.
struct ModelFolder {
  std::filesystem::path path;
  nlohmann::json config;
  const Safetensors* tensors = nullptr;
};

Result<ImportPlan> plan_bert(const ModelFolder& folder, std::string_view name);
Result<ImportPlan> plan_llama(const ModelFolder& folder, std::string_view name);

/// Adds the tensor `source` as `target`, when its shape is `shape`.
Result<void> plan_tensor(ImportPlan& plan, const ModelFolder& folder, const std::string& source,
                         const std::string& target, std::vector<std::uint64_t> shape,
                         Precision precision = Precision::as_asked);

/// A whole number of config.json within [least, most].
Result<std::uint32_t> config_count(const ModelFolder& folder, const char* key, std::uint32_t least,
                                   std::uint32_t most);
/// A finite number of config.json; `fallback` when it is missing.
Result<float> config_number(const ModelFolder& folder, const char* key, float fallback);

/// config.json of `folder` is wrong in this way.
Error config_error(const ModelFolder& folder, std::string message);

}  // namespace loam::engine
