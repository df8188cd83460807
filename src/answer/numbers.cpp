#include "answer/numbers.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "answer/align.h"
#include "answer/number_units.h"
#include "base/utf8.h"

namespace loam::answer {
namespace {

enum class TokenKind : std::uint8_t { digits, word, symbol };

/// A run of digits with its separators, a word, or any other visible character.
struct Token {
  TokenKind kind = TokenKind::symbol;
  Span span;
  std::string lower;   ///< digits: as written
  bool glued = false;  ///< nothing stands between it and the token before
};

bool is_thin_space(char32_t value) { return value == 0xA0 || value == 0x202F || value == 0x2009; }

std::size_t digits_at(std::string_view text, std::size_t at) {
  std::size_t count = 0;
  while (at + count < text.size() && text[at + count] >= '0' && text[at + count] <= '9') ++count;
  return count;
}

std::vector<Token> tokens_of(std::string_view text) {
  std::vector<Token> tokens;
  bool glued = false;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text.substr(at));
    if (point.valid && is_space(point.value)) {
      glued = false;
      at += point.size;
      continue;
    }
    Token token;
    token.glued = glued;
    token.span.start = at;
    if (is_digit(point.value)) {
      token.kind = TokenKind::digits;
      at += digits_at(text, at);
      while (at < text.size()) {
        const CodePoint separator = decode_utf8(text.substr(at));
        const std::size_t digits = digits_at(text, at + separator.size);
        const bool joins = separator.value == U'.' || separator.value == U',' || separator.value == U'\'' ||
                           separator.value == 0x2019 || (is_thin_space(separator.value) && digits == 3);
        if (!separator.valid || !joins || digits == 0) break;
        at += separator.size + digits;
      }
      token.span.end = at;
      token.lower = std::string(slice(text, token.span));
    } else if (point.valid && is_letter_or_digit(point.value)) {
      token.kind = TokenKind::word;
      const bool after_digits = glued && !tokens.empty() && tokens.back().kind == TokenKind::digits;
      while (at < text.size()) {
        const CodePoint next = decode_utf8(text.substr(at));
        if (!next.valid || !is_letter_or_digit(next.value)) break;
        if (after_digits && is_digit(next.value) && token.span.start == at) break;
        append_utf8(token.lower, to_lower(next.value));
        at += next.size;
      }
      token.span.end = at;
    } else {
      at += point.size;
      token.span.end = at;
      token.lower = std::string(slice(text, token.span));
    }
    glued = true;
    tokens.push_back(std::move(token));
  }
  return tokens;
}

/// Units that are also words ("a", "in", "m"): taken only when glued to digits or upper case like "5 A".
bool is_doubtful_unit(const Token& token) {
  return token.lower == "a" || token.lower == "t" || token.lower == "n";
}

bool is_currency(std::string_view unit) {
  return unit == "eur" || unit == "usd" || unit == "gbp" || unit == "chf" || unit == "yen" || unit == "cny" ||
         unit == "inr" || unit == "sek" || unit == "nok" || unit == "dkk" || unit == "pln" || unit == "cad" ||
         unit == "aud";
}

/// Adjectives that change what a unit measures.
bool changes_unit(std::string_view word) {
  static const std::array<std::string_view, 14> kWords = {
      "working", "business", "calendar", "consecutive", "square", "cubic", "full",
      "light",   "nautical", "metric",   "half",        "school", "bank",  "academic"};
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

std::optional<int> month_of(std::string_view word) {
  static const std::unordered_map<std::string_view, int> kMonths = {
      {"january", 1},  {"jan", 1},      {"januar", 1},   {"february", 2},  {"feb", 2},  {"februar", 2},
      {"march", 3},    {"mar", 3},      {"märz", 3},     {"april", 4},     {"apr", 4},  {"may", 5},
      {"mai", 5},      {"june", 6},     {"jun", 6},      {"juni", 6},      {"july", 7}, {"jul", 7},
      {"juli", 7},     {"august", 8},   {"aug", 8},      {"september", 9}, {"sep", 9},  {"sept", 9},
      {"october", 10}, {"oct", 10},     {"oktober", 10}, {"november", 11}, {"nov", 11}, {"december", 12},
      {"dec", 12},     {"dezember", 12}};
  const auto found = kMonths.find(word);
  return found == kMonths.end() ? std::nullopt : std::optional<int>(found->second);
}

const std::unordered_map<std::string_view, int>& small_words() {
  static const std::unordered_map<std::string_view, int> kWords = {
      {"zero", 0},     {"one", 1},      {"two", 2},        {"three", 3},     {"four", 4},
      {"five", 5},     {"six", 6},      {"seven", 7},      {"eight", 8},     {"nine", 9},
      {"ten", 10},     {"eleven", 11},  {"twelve", 12},    {"thirteen", 13}, {"fourteen", 14},
      {"fifteen", 15}, {"sixteen", 16}, {"seventeen", 17}, {"eighteen", 18}, {"nineteen", 19},
      {"twenty", 20},  {"thirty", 30},  {"forty", 40},     {"fifty", 50},    {"sixty", 60},
      {"seventy", 70}, {"eighty", 80},  {"ninety", 90}};
  return kWords;
}

const std::unordered_map<std::string_view, int>& ordinal_words() {
  static const std::unordered_map<std::string_view, int> kWords = {
      {"first", 1},      {"second", 2},       {"third", 3},       {"fourth", 4},      {"fifth", 5},
      {"sixth", 6},      {"seventh", 7},      {"eighth", 8},      {"ninth", 9},       {"tenth", 10},
      {"eleventh", 11},  {"twelfth", 12},     {"thirteenth", 13}, {"fourteenth", 14}, {"fifteenth", 15},
      {"sixteenth", 16}, {"seventeenth", 17}, {"eighteenth", 18}, {"nineteenth", 19}, {"twentieth", 20},
      {"thirtieth", 30}, {"hundredth", 100}};
  return kWords;
}

std::optional<int> zeros_of(std::string_view word) {
  if (word == "hundred") return 2;
  if (word == "thousand") return 3;
  if (word == "million" || word == "millions" || word == "mio" || word == "mn") return 6;
  if (word == "billion" || word == "billions" || word == "bn") return 9;
  if (word == "trillion") return 12;
  return std::nullopt;
}

std::string without_outer_zeros(std::string whole, std::string fraction) {
  while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
  const std::size_t first = whole.find_first_not_of('0');
  whole = first == std::string::npos ? "0" : whole.substr(first);
  return fraction.empty() ? whole : whole + "." + fraction;
}

/// Moves the decimal point `zeros` places to the right.
std::string scaled(const std::string& value, int zeros) {
  if (value.find('?') != std::string::npos) return value + "e" + std::to_string(zeros);
  const std::size_t point = value.find('.');
  std::string whole = value.substr(0, point);
  std::string fraction = point == std::string::npos ? "" : value.substr(point + 1);
  for (int i = 0; i < zeros; ++i) {
    whole += fraction.empty() ? '0' : fraction.front();
    if (!fraction.empty()) fraction.erase(0, 1);
  }
  return without_outer_zeros(whole, fraction);
}

/// Digits with separators in normal form; '?' marks what has two readings.
std::string normal_digits(std::string_view raw) {
  std::vector<std::string> groups(1);
  std::vector<char> separators;
  for (std::size_t i = 0; i < raw.size();) {
    const CodePoint point = decode_utf8(raw.substr(i));
    if (is_digit(point.value)) {
      groups.back() += raw[i];
    } else {
      separators.push_back(point.value == U'.' ? '.' : point.value == U',' ? ',' : ' ');
      groups.emplace_back();
    }
    i += point.size;
  }
  if (separators.empty()) {
    // A leading zero says that this is a code, not an amount: 007 is not 7.
    return groups[0].size() > 1 && groups[0][0] == '0' ? "?" + groups[0] : without_outer_zeros(groups[0], "");
  }
  const auto grouped = [&groups](std::size_t count) {  // the first `count` groups form 1 234 567
    if (groups[0].size() > 3 || groups[0][0] == '0') return false;
    return std::all_of(groups.begin() + 1, groups.begin() + static_cast<std::ptrdiff_t>(count),
                       [](const std::string& group) { return group.size() == 3; });
  };
  const auto joined = [&groups](std::size_t count) {
    std::string all;
    for (std::size_t i = 0; i < count; ++i) all += groups[i];
    return all;
  };
  const bool all_same =
      std::all_of(separators.begin(), separators.end(), [&](char c) { return c == separators[0]; });
  if (separators.size() == 1 && separators[0] != ' ') {
    if (groups[1].size() != 3 || groups[0].size() > 3 || groups[0] == "0")
      return without_outer_zeros(groups[0], groups[1]);
    if (separators[0] == ',' && grouped(2)) return joined(2);
    return "?" + std::string(raw);  // 1.200: a thousand or one?
  }
  if (all_same && grouped(groups.size())) return joined(groups.size());
  const char last = separators.back();
  const bool decimal = last != ' ' && std::all_of(separators.begin(), separators.end() - 1,
                                                  [&](char c) { return c == separators[0] && c != last; });
  if (decimal && grouped(groups.size() - 1))
    return without_outer_zeros(joined(groups.size() - 1), groups.back());
  return "?" + std::string(raw);  // a section number, an address, a version
}

std::string two(int value) { return (value < 10 ? "0" : "") + std::to_string(value); }

std::string date_text(int year, int month, int day) {
  return std::to_string(year) + "-" + two(month) + "-" + two(day);
}

bool is_plain(const Token& token) {
  return token.kind == TokenKind::digits &&
         std::all_of(token.lower.begin(), token.lower.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Plain digits as an int when they are short, else -1.
int small(std::string_view digits) {
  if (digits.empty() || digits.size() > 4) return -1;
  int value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text), tokens_(tokens_of(text)) {}

  std::vector<Number> all() {
    for (at_ = 0; at_ < tokens_.size();) {
      const std::size_t start = at_;
      Number number;
      if (date(number) || clock_time(number) || quantity(number)) {
        number.span = {tokens_[first_].span.start, tokens_[at_ - 1].span.end};
        numbers_.push_back(std::move(number));
      } else {
        at_ = start + 1;
      }
    }
    return std::move(numbers_);
  }

 private:
  const Token* peek(std::size_t ahead) const {
    return at_ + ahead < tokens_.size() ? &tokens_[at_ + ahead] : nullptr;
  }
  bool is(std::size_t ahead, std::string_view lower) const {
    return peek(ahead) != nullptr && peek(ahead)->lower == lower;
  }
  int plain(std::size_t ahead) const {
    return peek(ahead) != nullptr && is_plain(*peek(ahead)) ? small(peek(ahead)->lower) : -1;
  }
  bool is_year(std::size_t ahead) const {
    const int value = plain(ahead);
    return value >= 1000 && value <= 2999;
  }
  bool suffix(std::size_t ahead) const {
    return peek(ahead) != nullptr && peek(ahead)->glued &&
           (is(ahead, "st") || is(ahead, "nd") || is(ahead, "rd") || is(ahead, "th"));
  }
  bool take(Number& number, std::string value, std::size_t tokens) {
    first_ = at_;
    number.value = std::move(value);
    at_ += tokens;
    return true;
  }

  bool date(Number& number) {
    const Token& token = tokens_[at_];
    if (token.kind == TokenKind::digits) {
      if (token.glued && at_ > 0 && tokens_[at_ - 1].kind == TokenKind::word) return false;
      // 2024-03-03
      if (is_year(0) && is(1, "-") && is(3, "-") && glued(1, 4)) {
        const int month = plain(2), day = plain(4);
        if (month >= 1 && month <= 12 && day >= 1 && day <= 31)
          return take(number, date_text(plain(0), month, day), 5);
      }
      // 03.03.2024: day first wherever dots are used
      const std::size_t dot = token.lower.find('.');
      const std::size_t next = dot == std::string::npos ? dot : token.lower.find('.', dot + 1);
      if (next != std::string::npos && token.lower.find(',') == std::string::npos) {
        const int day = small(std::string_view(token.lower).substr(0, dot));
        const int month = small(std::string_view(token.lower).substr(dot + 1, next - dot - 1));
        const std::string_view year_digits = std::string_view(token.lower).substr(next + 1);
        const int year = small(year_digits);
        if (day >= 1 && day <= 31 && month >= 1 && month <= 12 && year_digits.size() == 4 && year >= 1000) {
          return take(number, date_text(year, month, day), 1);
        }
      }
      // 03/04/2024 and 3-4-2024: two readings unless one part is above 12 or both are equal
      if ((is(1, "/") || is(1, "-")) && is(3, tokens_[at_ + 1].lower) && glued(1, 4) && is_year(4)) {
        const int a = plain(0), b = plain(2), year = plain(4);
        if (a >= 1 && b >= 1 && a <= 31 && b <= 31 && (a <= 12 || b <= 12)) {
          if (a > 12 || a == b) return take(number, date_text(year, b, a), 5);
          if (b > 12) return take(number, date_text(year, a, b), 5);
          return take(number, "?" + std::to_string(a) + "/" + std::to_string(b) + "/" + std::to_string(year),
                      5);
        }
      }
      // 3 March 2024, 3rd of March, 3. März
      const int day = plain(0);
      if (day >= 1 && day <= 31) {
        std::size_t ahead = 1;
        if (suffix(ahead) || (is(ahead, ".") && peek(ahead)->glued)) ++ahead;
        if (is(ahead, "of")) ++ahead;
        if (const std::optional<int> month = month_at(ahead)) {
          ++ahead;
          return with_year(number, *month, day, ahead);
        }
      }
      return false;
    }
    // March 3, 2024; March 2024
    const std::optional<int> month = month_at(0);
    if (!month) return false;
    std::size_t ahead = 1;
    if (is(ahead, ".") && peek(ahead)->glued) ++ahead;
    if (is_year(ahead)) return take(number, std::to_string(plain(ahead)) + "-" + two(*month), ahead + 1);
    const int day = plain(ahead);
    if (day < 1 || day > 31) return false;
    ++ahead;
    if (suffix(ahead)) ++ahead;
    return with_year(number, *month, day, ahead);
  }

  bool with_year(Number& number, int month, int day, std::size_t ahead) {
    std::size_t year = ahead;
    if ((is(year, ",") || is(year, ".")) && peek(year)->glued) ++year;
    if (is_year(year)) return take(number, date_text(plain(year), month, day), year + 1);
    return take(number, "--" + two(month) + "-" + two(day), ahead);
  }

  std::optional<int> month_at(std::size_t ahead) const {
    const Token* token = peek(ahead);
    return token != nullptr && token->kind == TokenKind::word ? month_of(token->lower) : std::nullopt;
  }

  bool glued(std::size_t from, std::size_t to) const {
    for (std::size_t i = from; i <= to; ++i) {
      if (peek(i) == nullptr || !peek(i)->glued) return false;
    }
    return true;
  }

  bool clock_time(Number& number) {
    const int hour = plain(0);
    if (hour < 0 || hour > 24) return false;
    if (tokens_[at_].glued && at_ > 0 && tokens_[at_ - 1].kind == TokenKind::word) return false;
    int minute = 0;
    std::size_t ahead = 1;
    bool colon = false;
    if (is(1, ":") && glued(1, 2) && peek(2)->lower.size() == 2 && plain(2) >= 0 && plain(2) < 60) {
      minute = plain(2);
      ahead = 3;
      colon = true;
      if (is(3, ":") && glued(3, 4) && plain(4) >= 0) return false;  // a duration or a ratio: left as written
    }
    int shift = -1;
    if (is(ahead, "am")) shift = 0;
    if (is(ahead, "pm")) shift = 12;
    if (shift >= 0 && hour >= 1 && hour <= 12) {
      return take(number, two(hour % 12 + shift) + ":" + two(minute), ahead + 1);
    }
    std::size_t dots = ahead + 1;  // "a.m.", "p.m."
    if ((is(ahead, "a") || is(ahead, "p")) && is(dots, ".") && is(dots + 1, "m") && hour >= 1 && hour <= 12) {
      shift = is(ahead, "p") ? 12 : 0;
      return take(number, two(hour % 12 + shift) + ":" + two(minute), dots + 2);
    }
    return colon && take(number, two(hour) + ":" + two(minute), ahead);
  }

  /// Number words from `at_` on: "one hundred and five" -> 105. Returns how many tokens it took.
  std::size_t number_words(std::string& value) const {
    std::int64_t total = 0, current = 0;
    std::size_t ahead = 0, taken = 0;
    bool any = false;
    while (ahead < 16) {
      const Token* token = peek(ahead);
      if (token == nullptr || token->kind != TokenKind::word) {
        if (any && token != nullptr && token->lower == "-" && token->glued) {  // twenty-one
          const Token* next = peek(ahead + 1);
          if (next != nullptr && next->glued && current % 10 == 0 && current % 100 >= 20) {
            const auto digit = small_words().find(next->lower);
            if (digit != small_words().end() && digit->second >= 1 && digit->second <= 9) {
              ++ahead;
              continue;
            }
          }
        }
        break;
      }
      if (const auto word = small_words().find(token->lower); word != small_words().end()) {
        // "five six" are two numbers; "hundred five" and "twenty five" are one
        if (any && !(current % 100 == 0 && current > 0) &&
            !(current % 10 == 0 && current % 100 >= 20 && word->second < 10) && current != 0) {
          break;
        }
        current += word->second;
        any = true;
        taken = ++ahead;
        continue;
      }
      if (const std::optional<int> zeros = zeros_of(token->lower); zeros && any && current > 0) {
        std::int64_t factor = 1;
        for (int i = 0; i < *zeros; ++i) factor *= 10;
        if (*zeros == 2) {
          current *= 100;
        } else {
          if (*zeros > 9) break;
          total += current * factor;
          current = 0;
        }
        if (current > 1000000 || total > 1000000000000000LL) break;
        taken = ++ahead;
        continue;
      }
      if (token->lower == "and" && any && (current % 100 == 0) && peek(ahead + 1) != nullptr &&
          small_words().contains(peek(ahead + 1)->lower) && (current > 0 || total > 0)) {
        ++ahead;
        continue;
      }
      break;
    }
    if (any) value = std::to_string(total + current);
    return taken;
  }

  bool quantity(Number& number) {
    first_ = at_;
    const Token& token = tokens_[at_];
    std::string prefix_unit;
    const bool after_word = token.glued && at_ > 0 && tokens_[at_ - 1].kind == TokenKind::word;
    if (token.kind == TokenKind::digits) {
      if (after_word) return false;  // part of a name such as X-200 or B2
      number.value = normal_digits(token.lower);
      prefix_unit = unit_before(first_);
      ++at_;
      fraction_sign(number);
      if (suffix(0)) {
        ++at_;
        number.value = "#" + number.value;
        return true;
      }
      // Letters glued on that are no unit: 3D, 4x4. A name, but its digits still count.
      if (peek(0) != nullptr && peek(0)->kind == TokenKind::word && peek(0)->glued &&
          !unit_names().contains(peek(0)->lower) && !zeros_of(peek(0)->lower)) {
        number.value = "?" + number.value + peek(0)->lower;
        ++at_;
        return true;
      }
    } else if (token.kind == TokenKind::word) {
      if (const auto ordinal = ordinal_words().find(token.lower); ordinal != ordinal_words().end()) {
        number.value = "#" + std::to_string(ordinal->second);
        ++at_;
        return true;
      }
      const std::size_t taken = number_words(number.value);
      if (taken == 0) return false;
      number.word_one = taken == 1 && token.lower == "one";
      at_ += taken;
      // twenty-first
      if (is(0, "-") && peek(0)->glued && peek(1) != nullptr && ordinal_words().contains(peek(1)->lower)) {
        const int units = ordinal_words().at(peek(1)->lower);
        number.value = units < 10
                           ? "#" + number.value.substr(0, number.value.size() - 1) + std::to_string(units)
                           : number.value;
        at_ += 2;
        return true;
      }
      if (is(0, "and") && is(1, "a") && is(2, "half")) {
        number.value += ".5";
        at_ += 3;
      }
    } else if (half_of(token.lower) != nullptr) {
      number.value = std::string("0") + half_of(token.lower);
      ++at_;
    } else {
      return false;
    }
    if (token.kind == TokenKind::digits) {
      if (const Token* scale = peek(0); scale != nullptr) {
        if (const std::optional<int> zeros = zeros_of(scale->lower)) {
          number.value = scaled(number.value, *zeros);
          ++at_;
        }
      }
    }
    minus(number);
    unit(number, prefix_unit);
    if (!number.unit.empty()) number.word_one = false;
    rate(number);
    return true;
  }

  static const char* half_of(std::string_view symbol) {
    if (symbol == "½") return ".5";
    if (symbol == "¼") return ".25";
    if (symbol == "¾") return ".75";
    return nullptr;
  }

  void fraction_sign(Number& number) {
    if (peek(0) != nullptr && half_of(peek(0)->lower) != nullptr &&
        number.value.find('.') == std::string::npos) {
      number.value += half_of(peek(0)->lower);
      ++at_;
    } else if (is(0, "/") && peek(0)->glued && plain(1) > 0 && peek(1)->glued) {
      number.value = "?" + number.value + "/" + peek(1)->lower;  // 1/2, 24/7
      at_ += 2;
    }
  }

  /// A minus sign stands right before the digits and after no word or digit.
  void minus(Number& number) {
    if (first_ == 0) return;
    const Token& sign = tokens_[first_ - 1];
    const bool glued_to_digits = tokens_[first_].glued;
    const bool alone = !sign.glued || first_ == 1 || tokens_[first_ - 2].lower == "(";
    if (glued_to_digits && alone && (sign.lower == "-" || sign.lower == "−" || sign.lower == "–") &&
        number.value[0] != '-') {
      number.value = "-" + number.value;
      --first_;
    }
  }

  /// EUR 500, €500, Price (EUR): 500.
  std::string unit_before(std::size_t& first) {
    if (at_ == 0) return {};
    std::size_t back = at_ - 1;
    while (back > 0 &&
           (tokens_[back].lower == ":" || tokens_[back].lower == ")" || tokens_[back].lower == "]" ||
            tokens_[back].lower == "-" || tokens_[back].lower == "−")) {
      if (back + 3 < at_) return {};
      --back;
    }
    const auto found = unit_names().find(tokens_[back].lower);
    if (found == unit_names().end() || !is_currency(found->second)) return {};
    // The unit of the number before: "3 EUR 50" and "5 EUR, 7 pieces" are not prefixes.
    if (!numbers_.empty() && numbers_.back().span.end >= tokens_[back].span.end) return {};
    if (found->second == "usd" && tokens_[back].lower == "$" && back > 0 && tokens_[back].glued &&
        tokens_[back - 1].kind == TokenKind::word && tokens_[back - 1].lower != "us") {
      first = back - 1;
      return tokens_[back - 1].lower + "$";  // A$, HK$
    }
    first = back;
    return std::string(found->second);
  }

  void unit(Number& number, const std::string& prefix_unit) {
    std::size_t ahead = 0;
    if (is(0, "-") && peek(0)->glued && peek(1) != nullptr && peek(1)->glued) ahead = 1;  // 14-day period
    std::string adjective;
    if (peek(ahead) != nullptr && changes_unit(peek(ahead)->lower) && peek(ahead + 1) != nullptr &&
        unit_names().contains(peek(ahead + 1)->lower)) {
      adjective = peek(ahead)->lower + " ";
      ++ahead;
    }
    if (is(ahead, "per") && is(ahead + 1, "cent")) {
      number.unit = "%";
      at_ += ahead + 2;
    } else if (is(ahead, "°") && (is(ahead + 1, "c") || is(ahead + 1, "f"))) {
      number.unit = is(ahead + 1, "c") ? "celsius" : "fahrenheit";
      at_ += ahead + 2;
    } else if (is(ahead, "km") && is(ahead + 1, "/") && is(ahead + 2, "h")) {
      number.unit = "km/h";
      at_ += ahead + 3;
    } else if (const Token* token = peek(ahead); token != nullptr) {
      const auto found = unit_names().find(token->lower);
      const bool upper =
          token->span.size() == 1 && text_[token->span.start] >= 'A' && text_[token->span.start] <= 'Z';
      if (found != unit_names().end() &&
          (!is_doubtful_unit(*token) || token->glued || (upper && token->lower == "a"))) {
        number.unit = adjective + std::string(found->second);
        at_ += ahead + 1;
        if (peek(0) != nullptr && peek(0)->glued && (is(0, "²") || is(0, "³"))) {
          number.unit += is(0, "²") ? "2" : "3";
          ++at_;
        }
        if (number.unit == "%" && (is(0, "points") || is(0, "point"))) {
          number.unit = "percentage point";
          ++at_;
        }
        if (number.unit == "degree" && (is(0, "celsius") || is(0, "fahrenheit"))) {
          number.unit = peek(0)->lower;
          ++at_;
        }
      } else if (is(ahead, "percentage") && (is(ahead + 1, "points") || is(ahead + 1, "point"))) {
        number.unit = "percentage point";
        at_ += ahead + 2;
      }
    }
    if (!prefix_unit.empty())
      number.unit = number.unit.empty() ? prefix_unit : prefix_unit + " " + number.unit;
  }

  /// per month, a month, /month, each month, p.a.
  void rate(Number& number) {
    const bool slash = is(0, "/");
    if (!(slash || is(0, "per") || is(0, "a") || is(0, "an") || is(0, "each") || is(0, "every")) ||
        peek(1) == nullptr || peek(1)->kind != TokenKind::word) {
      return;
    }
    const auto found = unit_names().find(peek(1)->lower);
    const bool known = found != unit_names().end() && !is_doubtful_unit(*peek(1));
    if (is(0, "per") || (known && !number.unit.empty())) {
      number.per = known ? std::string(found->second) : peek(1)->lower;
      at_ += 2;
    }
  }

  std::string_view text_;
  std::vector<Token> tokens_;
  std::vector<Number> numbers_;
  std::size_t at_ = 0;
  std::size_t first_ = 0;
};

}  // namespace

std::vector<Number> numbers_of(std::string_view text) { return Parser(text).all(); }

std::vector<std::string> normal_numbers(std::string_view text) {
  std::vector<std::string> values;
  for (const Number& number : numbers_of(text)) {
    std::string value = number.value;
    value.erase(std::remove(value.begin(), value.end(), '?'), value.end());
    values.push_back(number.unit == "%" ? value + "%" : value);
  }
  return values;
}

}  // namespace loam::answer
