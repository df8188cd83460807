// JSON of model folders: tokenizer files with 100,000s of keys, where the ordered object of base/json.h,
// which finds keys one by one, would take minutes. Include in .cpp files only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace loam::engine {

/// Parses outside JSON with at most 32 levels. `place` names it in errors.
Result<nlohmann::json> parse_large_json(std::string_view text, const std::string& place);

/// A whole file, at most `limit_bytes`.
Result<nlohmann::json> read_json_file(const std::filesystem::path& path,
                                      std::uint64_t limit_bytes = 256ULL << 20U);

}  // namespace loam::engine
