// True sentences made false, one small change at a time: what a checker of citations has to notice.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace loam::bench {

struct Altered {
  std::string kind;    ///< "number", "year", "month", "number_word", "unit", "name", "negation_added", ...
  std::string before;  ///< the words that were replaced
  std::string after;
  std::string text;  ///< the whole false sentence
};

/// Every kind of change that the sentence allows, at most one each. `shown` is all text the checker may draw
/// on: replacements "from_passage" are taken from it, the others do not occur in it. `foreign_names` come
/// from elsewhere.
std::vector<Altered> alter(const std::string& sentence, const std::string& shown,
                           const std::vector<std::string>& foreign_names, std::mt19937_64& random);

/// Capitalised words inside sentences (not at their start), four letters and more.
std::vector<std::string> names_in(const std::string& text);

/// Runs of digits with inner commas and points, commas taken out: "1,200.5" is "1200.5".
std::vector<std::string> plain_numbers(const std::string& text);

}  // namespace loam::bench
