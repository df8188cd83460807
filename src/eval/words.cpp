#include "eval/words.h"

#include "base/utf8.h"

namespace loam::eval {

bool is_python_space(char32_t value) { return is_space(value) || (value >= 0x1C && value <= 0x1F); }

std::vector<std::string_view> split_at_spaces(std::string_view text) {
  std::vector<std::string_view> pieces;
  std::size_t start = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    const CodePoint point = decode_utf8(text.substr(at));
    if (is_python_space(point.value)) {
      if (at > start) pieces.push_back(text.substr(start, at - start));
      start = at + point.size;
    }
    at += point.size;
  }
  if (at > start) pieces.push_back(text.substr(start));
  return pieces;
}

std::string_view right_trimmed(std::string_view text) {
  std::size_t end = 0;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text.substr(at));
    at += point.size;
    if (!is_python_space(point.value)) end = at;
  }
  return text.substr(0, end);
}

}  // namespace loam::eval
