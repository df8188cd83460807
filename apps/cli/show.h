// How hits, citations and quotes look to people and programs.
#pragma once

#include <string>
#include <string_view>

#include "base/json_fwd.h"
#include "base/passage.h"
#include "cli/terminal.h"

namespace loam::cli {

/// "handbook.pdf, page 3"
std::string place_of(std::string_view source, const std::optional<int>& page);

/// A hit as `loam search --json` prints it.
Json hit_json(const Hit& hit);
Json why_json(const Why& why);

/// "words 7.31 (rank 1), meaning 0.62 (rank 2)"
std::string why_text(const Why& why);

/// Milliseconds with one decimal, for JSON.
double rounded_ms(double milliseconds);
/// A score with four decimals, for JSON: as many as a float can mean here.
Json rounded(const std::optional<float>& score);

}  // namespace loam::cli
