// Aligns a claim with the passages that were shown: which bytes carry it, or why none do.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/passage.h"
#include "base/span.h"

namespace loam::answer {

/// Evidence for one claim.
struct Support {
  bool supported = false;
  std::size_t hit = 0;  ///< index of the passage
  Span span;            ///< bytes of the document's text that carry the claim
  float overlap = 0;    ///< share of the claim's content words found there, 0..1
  std::string why_not;  ///< when not supported: the first rule that failed, in plain words
};

/// A claim is supported by a span when its numbers, dates, units, names and negations all occur in the span
/// with the same meaning, and enough of its content words do. Any thread; never fails; hostile input costs at
/// most linear-ish time.
Support align(std::string_view claim, const std::vector<Hit>& shown);

/// Numbers and dates of a text in normal form ("1,200.50" -> "1200.5", "3 March 2024" -> "2024-03-03",
/// "fourteen" -> "14"), in order.
std::vector<std::string> normal_numbers(std::string_view text);

}  // namespace loam::answer
