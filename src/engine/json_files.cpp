#include "engine/json_files.h"

#include "engine/model_file.h"

namespace loam::engine {
namespace {
constexpr int kMaxDepth = 32;
}

Result<nlohmann::json> parse_large_json(std::string_view text, const std::string& place) {
  bool too_deep = false;
  const auto watch_depth = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    if (depth > kMaxDepth) too_deep = true;
    return !too_deep;
  };
  try {
    auto value = nlohmann::json::parse(text.begin(), text.end(), watch_depth);
    if (too_deep) {
      return Error{Kind::bad_data, place,
                   "JSON is nested deeper than " + std::to_string(kMaxDepth) + " levels",
                   "check that this is the right file"};
    }
    return value;
  } catch (const nlohmann::json::exception& failure) {
    return Error{Kind::bad_data, place, std::string("not valid JSON: ") + failure.what(),
                 "fetch the file again"};
  }
}

Result<nlohmann::json> read_json_file(const std::filesystem::path& path, std::uint64_t limit_bytes) {
  auto text = read_small_file(path, limit_bytes);
  if (!text) return text.error();
  return parse_large_json(*text, path.string());
}

}  // namespace loam::engine
