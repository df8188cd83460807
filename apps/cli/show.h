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

/// "BM25 7.31 (rank 1), cosine 0.62 (rank 2)"
std::string why_text(const Why& why);

/// A passage for people: each heading on a line of its own and without its marks, paragraphs wrapped.
std::string passage_lines(std::string_view text, std::size_t width, std::string_view indent);

/// A passage on one line, without its headings unless it has nothing else.
std::string passage_line(std::string_view text);

/// Milliseconds with one decimal, for JSON.
double rounded_ms(double milliseconds);
/// A score with four decimals, for JSON: as many as a float can mean here.
Json rounded(const std::optional<float>& score);

}  // namespace loam::cli
