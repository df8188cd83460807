// Words and n-grams of a text, and the table that numbers them. Shared by the room's word statistics.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/span.h"
#include "baseline/packed.h"

namespace loam::baseline {

/// A text in lower case, and where its words lie: runs of two or more letters, digits and underscores, as in
/// scikit-learn's default token_pattern. (Python counts combining marks as ends of words; we do not.)
struct WordsOfText {
  std::string lower;
  std::vector<Span> words;  ///< bytes of `lower`

  explicit WordsOfText(std::string_view text);
  std::string_view word(std::size_t i) const { return slice(lower, words[i]); }
};

/// Single words, and pairs of neighbours joined by a space when `longest` is 2, and so on.
void for_each_word_ngram(const WordsOfText& text, int longest,
                         const std::function<void(std::string_view)>& visit);

/// Character n-grams of 3 to `longest` code points inside "white space parted words", each with a space on
/// both sides, as scikit-learn's analyzer "char_wb" makes them from `lower`.
void for_each_character_ngram(std::string_view lower, int longest,
                              const std::function<void(std::string_view)>& visit);

/// Terms numbered in ascending byte order.
class TermTable {
 public:
  static constexpr std::uint32_t kUnknown = 0xFFFFFFFFU;
  TermTable() = default;
  explicit TermTable(std::vector<std::string> sorted);
  std::uint32_t find(std::string_view term) const;
  const std::vector<std::string>& terms() const { return terms_; }
  std::size_t size() const { return terms_.size(); }
  std::size_t bytes() const;

  void save(PackedWriter& out) const;  ///< each term as what it does not share with the one before
  static TermTable load(PackedReader& in);

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t term = kUnknown;
  };
  std::vector<std::string> terms_;
  std::vector<Slot> slots_;  ///< open addressing, a power of two, at most half full
};

/// For maps that are asked by string_view.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

}  // namespace loam::baseline
