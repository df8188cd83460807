#include "base/json.h"

namespace loam {
namespace {
/// Deepest nesting of arrays and objects outside strings; counted before parsing, which recurses.
int nesting_depth(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return deepest;
}
}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view place, int max_depth) {
  if (nesting_depth(text) > max_depth) {
    return Error{Kind::bad_data, std::string(place),
                 "JSON is nested deeper than " + std::to_string(max_depth) + " levels", "flatten the value"};
  }
  try {
    return Json::parse(text.begin(), text.end());
  } catch (const nlohmann::json::exception& failure) {
    return Error{Kind::bad_data, std::string(place), std::string("not valid JSON: ") + failure.what(),
                 "check the text with a JSON validator"};
  }
}

std::string dump_json(const Json& value) {
  return value.dump(-1, ' ', false, nlohmann::detail::error_handler_t::replace);
}

std::string dump_json_pretty(const Json& value) {
  return value.dump(2, ' ', false, nlohmann::detail::error_handler_t::replace);
}

}  // namespace loam
