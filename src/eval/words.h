// Splitting as Python's str.split() does. Internal to the room: published scores are computed that way.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace loam::eval {

/// Python's str.isspace(): Unicode White_Space and the four ASCII separators U+001C..U+001F.
bool is_python_space(char32_t value);

/// The pieces between white space. Views into `text`.
std::vector<std::string_view> split_at_spaces(std::string_view text);

/// Without white space at its end.
std::string_view right_trimmed(std::string_view text);

}  // namespace loam::eval
