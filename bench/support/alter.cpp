#include "support/alter.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <string_view>

namespace loam::bench {
namespace {

struct Word {
  std::size_t start = 0;
  std::size_t end = 0;
};

bool is_word_byte(char byte) {
  const auto value = static_cast<unsigned char>(byte);
  return std::isalnum(value) != 0 || value >= 0x80;
}
bool is_digit_byte(char byte) { return byte >= '0' && byte <= '9'; }

/// Words as runs of letters and digits; a number keeps its inner commas and points.
std::vector<Word> words_of(const std::string& text) {
  std::vector<Word> words;
  for (std::size_t i = 0; i < text.size();) {
    if (!is_word_byte(text[i])) {
      ++i;
      continue;
    }
    const std::size_t start = i;
    while (i < text.size()) {
      const bool inner_mark = (text[i] == ',' || text[i] == '.') && i > start && is_digit_byte(text[i - 1]) &&
                              i + 1 < text.size() && is_digit_byte(text[i + 1]);
      if (!is_word_byte(text[i]) && !inner_mark) break;
      ++i;
    }
    words.push_back({start, i});
  }
  return words;
}

std::string_view view(const std::string& text, Word word) {
  return std::string_view(text).substr(word.start, word.end - word.start);
}

bool is_number(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(),
                                      [](char c) { return is_digit_byte(c) || c == ',' || c == '.'; });
}
bool is_year(std::string_view word) {
  return word.size() == 4 && std::all_of(word.begin(), word.end(), is_digit_byte) &&
         (word[0] == '1' || word.substr(0, 2) == "20");
}

std::string without_commas(std::string_view word) {
  std::string out(word);
  std::erase(out, ',');
  return out;
}

std::string lower(std::string_view word) {
  std::string out(word);
  for (char& letter : out) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return out;
}

std::size_t pick(std::mt19937_64& random, std::size_t n) { return static_cast<std::size_t>(random() % n); }

std::string with(const std::string& sentence, Word word, const std::string& replacement) {
  return sentence.substr(0, word.start) + replacement + sentence.substr(word.end);
}

/// The same number with one digit changed, so that length and look stay; never a leading zero, never one of
/// `known`.
std::optional<std::string> other_number(std::string_view number, const std::vector<std::string>& known,
                                        std::mt19937_64& random) {
  for (int attempt = 0; attempt < 50; ++attempt) {
    std::string out(number);
    std::vector<std::size_t> digits;
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (is_digit_byte(out[i])) digits.push_back(i);
    }
    const std::size_t place = digits[pick(random, digits.size())];
    const char digit = static_cast<char>('0' + pick(random, 10));
    if (digit == out[place] || (digit == '0' && place == digits.front())) continue;
    out[place] = digit;
    if (std::find(known.begin(), known.end(), without_commas(out)) == known.end()) return out;
  }
  return std::nullopt;
}

constexpr std::array<std::string_view, 12> kMonths{"January",   "February", "March",    "April",
                                                   "May",       "June",     "July",     "August",
                                                   "September", "October",  "November", "December"};
constexpr std::array<std::string_view, 12> kNumberWords{
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "twenty"};
constexpr std::array<std::string_view, 6> kOrdinals{"first", "second", "third", "fourth", "fifth", "sixth"};
constexpr std::array<std::pair<std::string_view, std::string_view>, 22> kUnits{{{"km", "miles"},
                                                                                {"kilometers", "miles"},
                                                                                {"kilometres", "miles"},
                                                                                {"miles", "kilometres"},
                                                                                {"mi", "km"},
                                                                                {"meters", "feet"},
                                                                                {"metres", "feet"},
                                                                                {"feet", "metres"},
                                                                                {"percent", "permille"},
                                                                                {"million", "billion"},
                                                                                {"billion", "million"},
                                                                                {"thousand", "million"},
                                                                                {"hundred", "thousand"},
                                                                                {"years", "months"},
                                                                                {"months", "weeks"},
                                                                                {"weeks", "days"},
                                                                                {"days", "weeks"},
                                                                                {"hours", "minutes"},
                                                                                {"minutes", "hours"},
                                                                                {"kg", "lb"},
                                                                                {"dollars", "euros"},
                                                                                {"tons", "pounds"}}};
constexpr std::array<std::string_view, 16> kAuxiliaries{"is",   "are", "was",   "were", "has",   "have",
                                                        "had",  "can", "could", "will", "would", "should",
                                                        "must", "did", "does",  "may"};

template <std::size_t N>
std::optional<std::string> other_of(const std::array<std::string_view, N>& list, std::string_view word,
                                    const std::string& shown, std::mt19937_64& random) {
  if (std::find(list.begin(), list.end(), word) == list.end()) return std::nullopt;
  for (int attempt = 0; attempt < 30; ++attempt) {
    const std::string_view one = list[pick(random, N)];
    if (one != word && shown.find(one) == std::string::npos) return std::string(one);
  }
  return std::nullopt;
}

bool has_negation(const std::string& sentence) {
  const std::string text = " " + lower(sentence) + " ";
  for (const std::string_view mark :
       {" not ", "n't ", " no ", " never ", " nor ", " neither ", " none ", " without ", " cannot ",
        " nobody ", " nothing ", " hardly ", " rarely ", " unable "}) {
    if (text.find(mark) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

std::vector<std::string> names_in(const std::string& text) {
  std::vector<std::string> names;
  for (const Word word : words_of(text)) {
    const std::string_view letters = view(text, word);
    const bool capital = std::isupper(static_cast<unsigned char>(letters[0])) != 0;
    // After "word " only: a capital after a full stop, quote or bracket may just open a sentence.
    const bool inside = word.start >= 2 && text[word.start - 1] == ' ' && is_word_byte(text[word.start - 2]);
    const bool plain = std::all_of(letters.begin(), letters.end(),
                                   [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; });
    if (capital && inside && plain && letters.size() >= 4) names.emplace_back(letters);
  }
  return names;
}

std::vector<std::string> plain_numbers(const std::string& text) {
  std::vector<std::string> numbers;
  for (std::size_t i = 0; i < text.size();) {
    if (!is_digit_byte(text[i])) {
      ++i;
      continue;
    }
    const std::size_t start = i;
    while (i < text.size() &&
           (is_digit_byte(text[i]) ||
            ((text[i] == ',' || text[i] == '.') && i + 1 < text.size() && is_digit_byte(text[i + 1])))) {
      ++i;
    }
    numbers.push_back(without_commas(text.substr(start, i - start)));
  }
  return numbers;
}

std::vector<Altered> alter(const std::string& sentence, const std::string& shown,
                           const std::vector<std::string>& foreign_names, std::mt19937_64& random) {
  std::vector<Altered> out;
  const auto has = [&](std::string_view kind) {
    return std::any_of(out.begin(), out.end(), [&](const Altered& one) { return one.kind == kind; });
  };
  const auto add = [&](const std::string& kind, Word word, const std::string& replacement) {
    out.push_back({kind, std::string(view(sentence, word)), replacement, with(sentence, word, replacement)});
  };
  const std::vector<std::string> shown_numbers = plain_numbers(shown);
  const std::vector<std::string> own_numbers = plain_numbers(sentence);
  const std::vector<std::string> own_names = names_in(sentence);
  const std::vector<std::string> shown_names = names_in(shown);

  for (const Word word : words_of(sentence)) {
    const std::string_view letters = view(sentence, word);
    const std::string small = lower(letters);
    if (is_number(letters)) {
      const std::string kind = is_year(letters) ? "year" : "number";
      if (!has(kind)) {
        if (const auto other = other_number(letters, shown_numbers, random)) add(kind, word, *other);
      }
      if (!has(kind + "_from_passage")) {
        std::vector<std::string> candidates;
        for (const std::string& number : shown_numbers) {
          if (std::find(own_numbers.begin(), own_numbers.end(), number) != own_numbers.end()) continue;
          if (is_year(number) == is_year(letters)) candidates.push_back(number);
        }
        if (!candidates.empty())
          add(kind + "_from_passage", word, candidates[pick(random, candidates.size())]);
      }
      continue;
    }
    if (!has("month")) {
      // "May" and "March" may be words of another kind; after a capital inside a sentence they rarely are.
      if (const auto month = other_of(kMonths, letters, shown, random)) add("month", word, *month);
    }
    if (!has("number_word")) {
      if (const auto number = other_of(kNumberWords, small, shown, random)) add("number_word", word, *number);
    }
    if (!has("ordinal_word")) {
      if (const auto ordinal = other_of(kOrdinals, small, shown, random)) add("ordinal_word", word, *ordinal);
    }
    if (!has("unit") && word.start >= 2 && is_digit_byte(sentence[word.start - 2])) {
      for (const auto& [unit, other] : kUnits) {
        if (small == unit && shown.find(other) == std::string::npos) {
          add("unit", word, std::string(other));
          break;
        }
      }
    }
    const bool is_name = std::find(own_names.begin(), own_names.end(), letters) != own_names.end();
    if (is_name && !has("name") && !foreign_names.empty()) {
      for (int attempt = 0; attempt < 30; ++attempt) {
        const std::string& other = foreign_names[pick(random, foreign_names.size())];
        if (shown.find(other) == std::string::npos) {
          add("name", word, other);
          break;
        }
      }
    }
    if (is_name && !has("name_from_passage")) {
      std::vector<std::string> candidates;
      for (const std::string& name : shown_names) {
        if (sentence.find(name) == std::string::npos) candidates.push_back(name);
      }
      if (!candidates.empty()) add("name_from_passage", word, candidates[pick(random, candidates.size())]);
    }
    if (!has("negation_added") && !has_negation(sentence) && word.end < sentence.size() &&
        sentence[word.end] == ' ' &&
        std::find(kAuxiliaries.begin(), kAuxiliaries.end(), letters) != kAuxiliaries.end()) {
      add("negation_added", word, std::string(letters) + " not");
    }
    if (!has("negation_removed") && (small == "not" || small == "never") && word.start >= 1) {
      const Word with_space{word.start - 1, word.end};
      add("negation_removed", with_space, "");
    }
  }
  return out;
}

}  // namespace loam::bench
