// Units of measure and money, as they are written and under one name each.
#pragma once

#include <string_view>
#include <unordered_map>

namespace loam::answer {

using UnitNames = std::unordered_map<std::string_view, std::string_view>;

/// Lower-case spelling to canonical unit: "euros" -> "eur", "kilos" -> "kg".
const UnitNames& unit_names();

}  // namespace loam::answer
