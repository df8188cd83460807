// JSON for our contracts: keys keep the order in which they were written. Include in .cpp files only
// where possible (it is a large header); headers use base/json_fwd.h.
#pragma once

#include <nlohmann/json.hpp>

#include "base/json_fwd.h"
#include "base/result.h"

namespace loam {

/// Parses outside text. Depth is limited, so that hostile nesting is refused instead of followed.
/// `place` names the input in the error.
Result<Json> parse_json(std::string_view text, std::string_view place, int max_depth = 64);

/// One line, valid UTF-8 always: bytes that are not UTF-8 come out as U+FFFD.
std::string dump_json(const Json& value);

/// The same over several lines, for people.
std::string dump_json_pretty(const Json& value);

}  // namespace loam
