// Numbers, dates and times of a text in normal form, with their units. What align() may never let differ.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/span.h"

namespace loam::answer {

/// One number, date or time.
struct Number {
  Span span;  ///< bytes of the text, unit included
  std::string
      value;  ///< "1200.5", "2024-03-03", "14:30", "#3" for an ordinal; unclear ones as written, with '?'
  std::string unit;       ///< "eur", "%", "kg", "day", "working day", ...; empty when there is none
  std::string per;        ///< "month" in "500 EUR per month"
  bool word_one = false;  ///< the word "one", which often is no number

  /// Equal exactly when value, unit and rate are.
  std::string key() const { return value + "|" + unit + "|" + per; }
};

/// In order, not overlapping. "1.200" may be 1200 or 1.2, and 03/04/2024 two dates: such values equal only
/// what is written the same way. Linear time.
std::vector<Number> numbers_of(std::string_view text);

}  // namespace loam::answer
