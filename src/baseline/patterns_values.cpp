// Values by their form alone. One pass over the text: at each place where a value can start, the forms are
// tried from the most particular to the most common.
#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <unordered_map>

#include "base/utf8.h"
#include "baseline/patterns.h"

namespace loam::baseline {
namespace {

constexpr std::size_t kLongestUrl = 2000;
constexpr std::size_t kLongestName = 64;     // of a mailbox (RFC 5321, 4.5.3.1.1)
constexpr std::size_t kLongestDomain = 255;  // RFC 5321, 4.5.3.1.2
constexpr std::size_t kLongestNumber = 40;

bool digit(char c) { return c >= '0' && c <= '9'; }
bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool upper(char c) { return c >= 'A' && c <= 'Z'; }
bool alnum(char c) { return digit(c) || letter(c); }
bool byte_of_word(char c) { return alnum(c) || static_cast<unsigned char>(c) >= 0x80; }

char capital(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

std::string capitals(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = capital(c);
  return out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

/// Letters and digits of a whole IBAN by country (SWIFT IBAN registry, release 97).
int iban_length(std::string_view country) {
  static const std::unordered_map<std::string_view, int> kLengths = {
      {"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16}, {"BG", 22},
      {"BH", 22}, {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22}, {"CY", 28}, {"CZ", 24}, {"DE", 22},
      {"DK", 18}, {"DO", 28}, {"EE", 20}, {"EG", 29}, {"ES", 24}, {"FI", 18}, {"FO", 18}, {"FR", 27},
      {"GB", 22}, {"GE", 22}, {"GI", 23}, {"GL", 18}, {"GR", 27}, {"GT", 28}, {"HR", 21}, {"HU", 28},
      {"IE", 22}, {"IL", 23}, {"IQ", 23}, {"IS", 26}, {"IT", 27}, {"JO", 30}, {"KW", 30}, {"KZ", 20},
      {"LB", 28}, {"LC", 32}, {"LI", 21}, {"LT", 20}, {"LU", 20}, {"LV", 21}, {"MC", 27}, {"MD", 24},
      {"ME", 22}, {"MK", 19}, {"MR", 27}, {"MT", 31}, {"MU", 30}, {"NL", 18}, {"NO", 15}, {"PK", 24},
      {"PL", 28}, {"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22}, {"SA", 24}, {"SC", 31},
      {"SE", 24}, {"SI", 19}, {"SK", 24}, {"SM", 27}, {"ST", 25}, {"SV", 28}, {"TL", 23}, {"TN", 24},
      {"TR", 26}, {"UA", 29}, {"VA", 22}, {"VG", 24}, {"XK", 20},
  };
  const auto found = kLengths.find(country);
  return found == kLengths.end() ? 0 : found->second;
}

/// ISO 7064, modulo 97-10, over the number that the letters stand for.
bool check_digits_fit(std::string_view iban) {
  unsigned rest = 0;
  for (std::size_t i = 0; i < iban.size(); ++i) {
    const char c = iban[(i + 4) % iban.size()];
    rest = digit(c) ? (rest * 10 + static_cast<unsigned>(c - '0')) % 97
                    : (rest * 100 + static_cast<unsigned>(c - 'A') + 10) % 97;
  }
  return rest == 1;
}

/// The last digit of a card's number by the others (Luhn; ISO/IEC 7812-1, annex B).
bool card_digit_fits(std::string_view digits) {
  unsigned sum = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    unsigned value = static_cast<unsigned>(digits[digits.size() - 1 - i] - '0');
    if (i % 2 == 1) value = value > 4 ? 2 * value - 9 : 2 * value;
    sum += value;
  }
  return sum % 10 == 0;
}

/// Month of a name or its usual short form; English, German, French. 0: none.
int month_of(std::string_view word) {
  static const std::unordered_map<std::string_view, int> kMonths = {
      {"january", 1},
      {"jan", 1},
      {"januar", 1},
      {"janvier", 1},
      {"february", 2},
      {"feb", 2},
      {"februar", 2},
      {"f\xC3\xA9vrier", 2},
      {"fevrier", 2},
      {"march", 3},
      {"mar", 3},
      {"m\xC3\xA4rz", 3},
      {"maerz", 3},
      {"mars", 3},
      {"april", 4},
      {"apr", 4},
      {"avril", 4},
      {"may", 5},
      {"mai", 5},
      {"june", 6},
      {"jun", 6},
      {"juni", 6},
      {"juin", 6},
      {"july", 7},
      {"jul", 7},
      {"juli", 7},
      {"juillet", 7},
      {"august", 8},
      {"aug", 8},
      {"ao\xC3\xBBt", 8},
      {"aout", 8},
      {"september", 9},
      {"sep", 9},
      {"sept", 9},
      {"septembre", 9},
      {"october", 10},
      {"oct", 10},
      {"okt", 10},
      {"oktober", 10},
      {"octobre", 10},
      {"november", 11},
      {"nov", 11},
      {"novembre", 11},
      {"december", 12},
      {"dec", 12},
      {"dez", 12},
      {"dezember", 12},
      {"d\xC3\xA9"
       "cembre",
       12},
      {"decembre", 12},
  };
  const auto found = kMonths.find(word);
  return found == kMonths.end() ? 0 : found->second;
}

std::string_view currency_of(std::string_view word) {
  static const std::unordered_map<std::string_view, std::string_view> kCurrencies = {
      {"\xE2\x82\xAC", "EUR"}, {"$", "USD"},       {"\xC2\xA3", "GBP"}, {"\xC2\xA5", "JPY"},
      {"\xE2\x82\xB9", "INR"}, {"EUR", "EUR"},     {"USD", "USD"},      {"GBP", "GBP"},
      {"JPY", "JPY"},          {"CHF", "CHF"},     {"SEK", "SEK"},      {"NOK", "NOK"},
      {"DKK", "DKK"},          {"PLN", "PLN"},     {"CZK", "CZK"},      {"HUF", "HUF"},
      {"CAD", "CAD"},          {"AUD", "AUD"},     {"NZD", "NZD"},      {"CNY", "CNY"},
      {"INR", "INR"},          {"BRL", "BRL"},     {"ZAR", "ZAR"},      {"SGD", "SGD"},
      {"HKD", "HKD"},          {"US$", "USD"},     {"Euro", "EUR"},     {"euro", "EUR"},
      {"euros", "EUR"},        {"dollars", "USD"}, {"pounds", "GBP"},
  };
  const auto found = kCurrencies.find(word);
  return found == kCurrencies.end() ? std::string_view() : found->second;
}

int days_in(int year, int month) {
  constexpr std::array kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[static_cast<std::size_t>(month - 1)];
}

std::optional<std::string> iso_date(int year, int month, int day) {
  if (year < 1000 || year > 9999 || month < 1 || month > 12 || day < 1 || day > days_in(year, month)) {
    return std::nullopt;
  }
  const auto two = [](int n) { return std::string(n < 10 ? "0" : "") + std::to_string(n); };
  return std::to_string(year) + "-" + two(month) + "-" + two(day);
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::vector<FormedValue> run() {
    while (at_ < text_.size()) {
      if (at_ == 0 || !byte_of_word(text_[at_ - 1]) || !byte_of_word(text_[at_])) {
        if (auto found = value_here()) {
          at_ = std::max(found->span.end, at_ + 1);
          values_.push_back(std::move(*found));
          continue;
        }
      }
      ++at_;
    }
    return std::move(values_);
  }

 private:
  char peek(std::size_t i) const { return i < text_.size() ? text_[i] : '\0'; }

  std::optional<FormedValue> value_here() {
    const char c = text_[at_];
    if (letter(c)) {
      if (auto found = url()) return found;
      if (auto found = email()) return found;
      if (auto found = iban()) return found;
      if (auto found = month_first_date()) return found;
      if (auto found = money_sign_first()) return found;
      return code();
    }
    if (digit(c)) {
      // The rest of something that was no number: 1.2.3
      const bool behind_point =
          at_ >= 2 && (text_[at_ - 1] == '.' || text_[at_ - 1] == ',') && digit(text_[at_ - 2]);
      if (behind_point) return std::nullopt;
      if (auto found = email()) return found;
      if (auto found = numeric_date()) return found;
      if (auto found = day_first_date()) return found;
      if (auto found = card()) return found;
      if (auto found = phone()) return found;
      if (auto found = code()) return found;
      return number(at_);
    }
    if (c == '+' || c == '(') {
      if (auto found = phone()) return found;
    }
    if ((c == '-' || c == '+') && digit(peek(at_ + 1)) && (at_ == 0 || !byte_of_word(text_[at_ - 1]))) {
      return number(at_);
    }
    if (c == '$' || static_cast<unsigned char>(c) >= 0x80) return money_sign_first();
    return std::nullopt;
  }

  FormedValue make(ValueForm form, std::size_t end, std::string value, std::string unit = "") const {
    return {form, {at_, end}, std::move(value), std::move(unit)};
  }

  std::optional<FormedValue> url() const {
    const std::string_view rest = text_.substr(at_);
    const bool scheme = rest.starts_with("http://") || rest.starts_with("https://");
    if (!scheme && !rest.starts_with("www.")) return std::nullopt;
    std::size_t end = at_;
    while (end < text_.size() && end - at_<kLongestUrl&& static_cast<unsigned char>(text_[end])> 0x20 &&
           std::string_view("<>\"'`|{}").find(text_[end]) == std::string_view::npos) {
      ++end;
    }
    while (end > at_ && std::string_view(".,;:!?)]").find(text_[end - 1]) != std::string_view::npos) --end;
    if (end - at_ < 8) return std::nullopt;
    return make(ValueForm::url, end, std::string(slice(text_, {at_, end})));
  }

  std::optional<FormedValue> email() const {
    std::size_t sign = at_;
    while (sign < text_.size() && sign - at_ <= kLongestName &&
           (alnum(text_[sign]) || std::string_view("._%+-").find(text_[sign]) != std::string_view::npos)) {
      ++sign;
    }
    if (peek(sign) != '@' || sign == at_) return std::nullopt;
    std::size_t end = sign + 1;
    while (end < text_.size() && end - sign <= kLongestDomain &&
           (alnum(text_[end]) || text_[end] == '.' || text_[end] == '-')) {
      ++end;
    }
    while (end > sign + 1 && !alnum(text_[end - 1])) --end;
    const std::string_view domain = slice(text_, {sign + 1, end});
    const std::size_t dot = domain.rfind('.');
    if (dot == std::string_view::npos || dot == 0 || domain.size() - dot < 3 ||
        domain.find("..") != std::string_view::npos) {
      return std::nullopt;
    }
    if (!std::all_of(domain.begin() + static_cast<std::ptrdiff_t>(dot) + 1, domain.end(), letter))
      return std::nullopt;
    return make(ValueForm::email, end, lower(slice(text_, {at_, end})));
  }

  std::optional<FormedValue> iban() const {
    if (!letter(text_[at_]) || !letter(peek(at_ + 1)) || !digit(peek(at_ + 2)) || !digit(peek(at_ + 3))) {
      return std::nullopt;
    }
    const int length = iban_length(capitals(text_.substr(at_, 2)));
    std::string plain;
    std::size_t end = at_;
    while (end < text_.size() && plain.size() < static_cast<std::size_t>(length)) {
      const char c = text_[end];
      if (alnum(c)) {
        plain += capital(c);
      } else if (c != ' ' || peek(end + 1) == ' ') {
        break;
      }
      ++end;
    }
    if (length == 0 || plain.size() != static_cast<std::size_t>(length) || alnum(peek(end)))
      return std::nullopt;
    if (!check_digits_fit(plain)) return std::nullopt;
    return make(ValueForm::iban, end, plain);
  }

  // Numbers ------------------------------------------------------------------------------------------

  /// A whole number of at most `most` digits; -1: none. Moves `at` behind it.
  int small_number(std::size_t& at, std::size_t most) const {
    int value = 0;
    std::size_t digits = 0;
    while (digit(peek(at)) && digits < most) {
      value = value * 10 + (text_[at++] - '0');
      ++digits;
    }
    return digits == 0 || digit(peek(at)) ? -1 : value;
  }

  std::optional<FormedValue> numeric_date() const {
    std::size_t at = at_;
    const std::size_t start = at;
    const int first = small_number(at, 4);
    const std::size_t first_digits = at - start;
    const char separator = peek(at);
    if (first < 0 || (separator != '-' && separator != '/' && separator != '.')) return std::nullopt;
    ++at;
    const int second = small_number(at, 2);
    if (second < 0 || peek(at) != separator) return std::nullopt;
    ++at;
    const std::size_t third_at = at;
    const int third = small_number(at, 4);
    const std::size_t third_digits = at - third_at;
    if (third < 0 || byte_of_word(peek(at)) || (peek(at) == separator && digit(peek(at + 1))))
      return std::nullopt;
    if (first_digits == 4 && third_digits <= 2) {
      const auto date = iso_date(first, second, third);
      return date ? std::optional(make(ValueForm::date, at, *date)) : std::nullopt;
    }
    if (first_digits > 2 || (third_digits != 4 && third_digits != 2)) return std::nullopt;
    if (third_digits == 2 && separator == '-') return std::nullopt;  // 10-12-14 is as often something else
    const int year = third_digits == 4 ? third : third + (third < 70 ? 2000 : 1900);
    const auto day_first = iso_date(year, second, first);
    const auto month_first = iso_date(year, first, second);
    // Points part day, month and year in this order wherever they are used; strokes do both.
    if (separator == '.') {
      return day_first ? std::optional(make(ValueForm::date, at, *day_first)) : std::nullopt;
    }
    if (day_first && month_first && *day_first != *month_first) {
      return make(ValueForm::date, at, std::string(slice(text_, {at_, at})) + "?");
    }
    if (day_first) return make(ValueForm::date, at, *day_first);
    if (month_first) return make(ValueForm::date, at, *month_first);
    return std::nullopt;
  }

  std::string_view word_at(std::size_t at) const {
    std::size_t end = at;
    while (end < text_.size() && end - at < 24 &&
           (letter(text_[end]) || static_cast<unsigned char>(text_[end]) >= 0x80)) {
      ++end;
    }
    return slice(text_, {at, end});
  }

  void skip_spaces(std::size_t& at) const {
    for (int i = 0; i < 3 && (peek(at) == ' ' || peek(at) == '\n'); ++i) ++at;
  }

  /// "3 March 2024", "3rd of March, 2024", "3. M\u00e4rz 2024"
  std::optional<FormedValue> day_first_date() const {
    std::size_t at = at_;
    const int day = small_number(at, 2);
    if (day < 1 || day > 31) return std::nullopt;
    for (const char* ending : {"st", "nd", "rd", "th", "."}) {
      if (text_.substr(at).starts_with(ending)) {
        at += std::string_view(ending).size();
        break;
      }
    }
    skip_spaces(at);
    if (text_.substr(at).starts_with("of ")) at += 3;
    if (text_.substr(at).starts_with("day of ")) at += 7;
    if (peek(at) == '-') ++at;
    const std::string_view name = word_at(at);
    const int month = month_of(lower(name));
    if (month == 0) return std::nullopt;
    at += name.size();
    while (peek(at) == '.' || peek(at) == ',' || peek(at) == '-') ++at;
    skip_spaces(at);
    const std::size_t year_at = at;
    const int year = small_number(at, 4);
    if (at - year_at != 4 || byte_of_word(peek(at))) return std::nullopt;
    const auto date = iso_date(year, month, day);
    return date ? std::optional(make(ValueForm::date, at, *date)) : std::nullopt;
  }

  /// "March 3, 2024", "Mar. 3rd 2024"
  std::optional<FormedValue> month_first_date() const {
    const std::string_view name = word_at(at_);
    const int month = name.size() < 3 ? 0 : month_of(lower(name));
    if (month == 0) return std::nullopt;
    std::size_t at = at_ + name.size();
    if (peek(at) == '.') ++at;
    skip_spaces(at);
    const int day = small_number(at, 2);
    if (day < 1) return std::nullopt;
    for (const char* ending : {"st", "nd", "rd", "th"}) {
      if (text_.substr(at).starts_with(ending)) at += 2;
    }
    if (peek(at) == ',') ++at;
    skip_spaces(at);
    const std::size_t year_at = at;
    const int year = small_number(at, 4);
    if (at - year_at != 4 || byte_of_word(peek(at))) return std::nullopt;
    const auto date = iso_date(year, month, day);
    return date ? std::optional(make(ValueForm::date, at, *date)) : std::nullopt;
  }

  /// The end of a number with its grouping and decimals: 1,234.50 1.234,50 1 234,50 1'234.50
  std::size_t end_of_number(std::size_t at) const {
    const std::size_t start = at;
    while (at < text_.size() && at - start < kLongestNumber) {
      if (digit(text_[at])) {
        ++at;
      } else if ((text_[at] == '.' || text_[at] == ',' || text_[at] == '\'') && digit(peek(at + 1))) {
        ++at;
      } else if (text_[at] == ' ' && at - start <= 3 + 4 * 3 && digit(peek(at + 1)) && digit(peek(at + 2)) &&
                 digit(peek(at + 3)) && !digit(peek(at + 4)) && only_groups(start, at)) {
        ++at;
      } else {
        break;
      }
    }
    return at;
  }

  /// "1 234" so far: one to three digits, then spaced groups of three.
  bool only_groups(std::size_t start, std::size_t end) const {
    std::size_t digits = 0;
    bool first = true;
    for (std::size_t i = start; i < end; ++i) {
      if (text_[i] == ' ') {
        if (!first && digits != 3) return false;
        first = false;
        digits = 0;
      } else if (digit(text_[i])) {
        ++digits;
      } else {
        return false;
      }
    }
    return digits >= 1 && digits <= 3 && (first || digits == 3);
  }

  /// "1,234.50" -> "1234.5". Empty when it is no number ("1.2.3"). One separator before three digits groups
  /// thousands, but a point does so for money only: 1.250 kg, EUR 1.250.
  static std::string normal_number(std::string_view written, bool money) {
    std::string digits;
    std::size_t points = 0, commas = 0;
    for (const char c : written) {
      points += c == '.' ? 1U : 0U;
      commas += c == ',' ? 1U : 0U;
    }
    const std::size_t last = written.find_last_of(".,");
    const std::size_t behind = last == std::string_view::npos ? 0 : written.size() - last - 1;
    char decimal = '\0';
    if (points > 0 && commas > 0) {
      decimal = written[last];
      if ((decimal == '.' ? points : commas) > 1) return "";
    } else if (points + commas == 1) {
      const bool grouping = behind == 3 && last <= 3 && written[0] != '0' && (written[last] == ',' || money);
      if (!grouping) decimal = written[last];
    } else if (points + commas > 1) {
      std::size_t run = 3;
      for (std::size_t i = last; i-- > 0;) {  // every group but the first must have three digits
        if (written[i] == '.' || written[i] == ',') {
          if (run != 3 && i + 4 != last) return "";
          run = 0;
        }
      }
      if (behind != 3) return "";
    }
    bool fraction = false;
    for (std::size_t i = 0; i < written.size(); ++i) {
      const char c = written[i];
      if (digit(c)) digits += c;
      if (decimal != '\0' && c == decimal && i == last) {
        digits += '.';
        fraction = true;
      }
    }
    if (fraction) {
      while (digits.ends_with('0')) digits.pop_back();
      if (digits.ends_with('.')) digits.pop_back();
    }
    const std::size_t zeros = digits.find_first_not_of('0');
    if (zeros == std::string::npos) return "0";
    const std::size_t cut = digits[zeros] == '.' ? zeros - 1 : zeros;
    return digits.substr(cut);
  }

  std::string_view sign_at(std::size_t at) const {
    for (const std::string_view sign :
         {std::string_view("\xE2\x82\xAC"), std::string_view("\xC2\xA3"), std::string_view("\xC2\xA5"),
          std::string_view("\xE2\x82\xB9"), std::string_view("$")}) {
      if (text_.substr(std::min(at, text_.size())).starts_with(sign)) return sign;
    }
    const std::string_view word = word_at(at);
    return currency_of(word).empty() || word.empty() ? std::string_view() : word;
  }

  /// "EUR 12.50", "$1,200", "US$ 5"
  std::optional<FormedValue> money_sign_first() const {
    std::size_t at = at_;
    std::string_view sign;
    if (text_.substr(at).starts_with("US$")) {
      sign = text_.substr(at, 3);
    } else {
      sign = sign_at(at);
    }
    if (sign.empty()) return std::nullopt;
    at += sign.size();
    if (peek(at) == ' ') ++at;
    if (text_.substr(at).starts_with("\xC2\xA0")) at += 2;
    const bool minus = peek(at) == '-';
    if (minus) ++at;
    if (!digit(peek(at))) return std::nullopt;
    const std::size_t end = end_of_number(at);
    std::string value = normal_number(slice(text_, {at, end}), true);
    if (value.empty() || letter(peek(end))) return std::nullopt;
    if (minus && value != "0") value.insert(0, "-");
    return make(ValueForm::money, end, value, std::string(currency_of(sign)));
  }

  std::optional<FormedValue> number(std::size_t at) const {
    const bool minus = text_[at] == '-';
    if (minus || text_[at] == '+') ++at;
    const std::size_t end = end_of_number(at);
    const std::string_view written = slice(text_, {at, end});
    std::size_t after = end;
    if (peek(after) == ' ') ++after;
    if (text_.substr(std::min(after, text_.size())).starts_with("\xC2\xA0")) after += 2;
    const std::string_view sign = sign_at(after);
    const std::size_t sign_end = after + sign.size();
    const bool money =
        !sign.empty() && !byte_of_word(peek(sign_end)) && !(sign == "$" && digit(peek(sign_end)));
    std::string value = normal_number(written, money);
    if (value.empty()) return std::nullopt;
    if (minus && value != "0") value.insert(0, "-");
    if (money) return make(ValueForm::money, sign_end, value, std::string(currency_of(sign)));
    if (peek(after) == '%') return make(ValueForm::percent, after + 1, value);
    if (byte_of_word(peek(end))) return std::nullopt;  // 12th, 3D, 5kg is no bare number
    return make(ValueForm::number, end, value);
  }

  /// A payment card's number, in one piece or in groups of at least four digits.
  std::optional<FormedValue> card() const {
    std::string digits;
    std::size_t end = at_, group = 0;
    while (digit(peek(end)) && digits.size() <= 19) {
      digits += text_[end++];
      ++group;
      const bool gap = (peek(end) == ' ' || peek(end) == '-') && digit(peek(end + 1));
      if (!gap || digits.size() >= 19) continue;
      if (group < 4) return std::nullopt;
      group = 0;
      ++end;
    }
    if (digits.size() < 13 || digits.size() > 19 || byte_of_word(peek(end))) return std::nullopt;
    return card_digit_fits(digits) ? std::optional(make(ValueForm::card, end, digits)) : std::nullopt;
  }

  /// Groups of two digits with one sign between them: 60-56-85-91, 01 23 45 67 89.
  static bool in_pairs(std::string_view written) {
    if (written.size() < 11 || written.size() % 3 != 2) return false;
    for (std::size_t i = 0; i < written.size(); ++i) {
      if (i % 3 == 2 ? written[i] != written[2] || digit(written[i]) : !digit(written[i])) return false;
    }
    return true;
  }

  /// International, or national with a leading 0, an area code in brackets or pairs of digits; 7 to 15 digits
  /// (ITU-T E.164).
  std::optional<FormedValue> phone() const {
    std::size_t at = at_;
    const bool international = text_[at] == '+';
    const bool bracket = text_[at] == '(';
    if (international) ++at;
    std::string digits;
    std::size_t end = at, separators = 0;
    bool open = false;
    while (at < text_.size() && at - at_ < 32) {
      const char c = text_[at];
      if (digit(c)) {
        digits += c;
        end = ++at;
        continue;
      }
      if (c == '(' && !open && digit(peek(at + 1))) {
        open = true;
      } else if (c == ')' && open) {
        open = false;
      } else if (c != ' ' && c != '-' && c != '/' && c != '.') {
        break;
      }
      if (c != '(' && c != ')' && !digit(peek(at + 1)) && peek(at + 1) != '(') break;
      ++separators;
      ++at;
    }
    if (digits.size() < 7 || digits.size() > 15 || open || byte_of_word(peek(end))) return std::nullopt;
    const std::string_view written = slice(text_, {at_, end});
    const bool american =
        written.size() == 12 && written[3] == written[7] && (written[3] == '-' || written[3] == '.');
    const bool national = digits.front() == '0' && separators > 0 && digits.size() >= 8;
    if (!international && !bracket && !american && !national && !in_pairs(written)) return std::nullopt;
    if (bracket && separators < 2) return std::nullopt;
    return make(ValueForm::phone, end, (international ? "+" : "") + digits);
  }

  /// INV-2024-001, A12345, PO/77-3: letters and digits together, or digits with strokes.
  std::optional<FormedValue> code() const {
    std::size_t end = at_, digits = 0, letters = 0, capitals = 0;
    while (end < text_.size() && end - at_ < 48) {
      const char c = text_[end];
      if (digit(c)) {
        ++digits;
      } else if (letter(c)) {
        ++letters;
        capitals += upper(c) ? 1U : 0U;
      } else if ((c != '-' && c != '/' && c != '_' && c != '.') || !alnum(peek(end + 1)) ||
                 (c == '.' && letters == 0)) {
        break;
      }
      ++end;
    }
    if (end - at_ < 4 || end - at_ >= 48 || digits < 2 || byte_of_word(peek(end))) return std::nullopt;
    const std::string_view written = slice(text_, {at_, end});
    const bool strokes = written.find_first_of("-/_") != std::string_view::npos;
    if (letters == 0 ? !strokes || digits < 5 : capitals == 0 && !strokes) return std::nullopt;
    return make(ValueForm::code, end, std::string(written));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<FormedValue> values_;
};

}  // namespace

std::string_view name_of(ValueForm form) {
  switch (form) {
    case ValueForm::date:
      return "date";
    case ValueForm::money:
      return "money";
    case ValueForm::percent:
      return "percent";
    case ValueForm::number:
      return "number";
    case ValueForm::email:
      return "email";
    case ValueForm::phone:
      return "phone";
    case ValueForm::iban:
      return "iban";
    case ValueForm::url:
      return "url";
    case ValueForm::card:
      return "card";
    case ValueForm::code:
      return "code";
  }
  return "";
}

std::vector<FormedValue> find_values(std::string_view text) { return Scanner(text).run(); }

bool is_iban(std::string_view text) {
  std::string plain;
  for (const char c : text) {
    if (c == ' ') continue;
    if (!digit(c) && !upper(c)) return false;
    plain += c;
  }
  if (plain.size() < 5 || !digit(plain[2]) || !digit(plain[3])) return false;
  return static_cast<int>(plain.size()) == iban_length(std::string_view(plain).substr(0, 2)) &&
         check_digits_fit(plain);
}

}  // namespace loam::baseline
