// What a person probably meant: the nearest known word by edit distance.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace loam::cli {

/// Edits (insert, delete, replace, swap neighbours) that turn one word into the other.
int edit_distance(std::string_view a, std::string_view b);

/// The known word closest to `word`, if it is close enough to be meant: at most a third of the letters wrong,
/// or one begins with the other.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace loam::cli
