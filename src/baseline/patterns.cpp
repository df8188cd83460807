// Fields by the words beside them: "Total: 12.50 EUR".
#include "baseline/patterns.h"

#include <algorithm>
#include <unordered_map>

#include "base/utf8.h"

namespace loam::baseline {
namespace {

constexpr std::size_t kFarFromLabel = 120;  // bytes between a name and its value
constexpr std::size_t kLongestText = 200;   // of a value of text
constexpr std::size_t kMostLabels = 64;

/// Words that mean the same at the end of a field's name: "invoice no." is an invoice_number.
std::string_view plain_word(std::string_view word) {
  static const std::unordered_map<std::string_view, std::string_view> kSame = {
      {"no", "number"},         {"nr", "number"},      {"num", "number"},      {"id", "number"},
      {"identifier", "number"}, {"mail", "email"},     {"e", "email"},         {"telephone", "phone"},
      {"tel", "phone"},         {"mobile", "phone"},   {"amt", "amount"},      {"sum", "amount"},
      {"qty", "quantity"},      {"addr", "address"},   {"dated", "date"},      {"website", "url"},
      {"web", "url"},           {"homepage", "url"},   {"link", "url"},        {"vendor", "supplier"},
      {"seller", "supplier"},   {"buyer", "customer"}, {"client", "customer"}, {"purchaser", "customer"},
  };
  const auto found = kSame.find(word);
  return found == kSame.end() ? word : found->second;
}

bool same_word(std::string_view one, std::string_view other) {
  one = plain_word(one);
  other = plain_word(other);
  if (one == other) return true;
  const auto plural = [](std::string_view longer, std::string_view shorter) {
    return longer.size() == shorter.size() + 1 && longer.starts_with(shorter) && longer.back() == 's';
  };
  return plural(one, other) || plural(other, one);
}

bool is_filler(std::string_view word) {
  return word == "of" || word == "the" || word == "a" || word == "your" || word == "our" || word == "for";
}

bool fits(FieldKind kind, ValueForm form) {
  switch (kind) {
    case FieldKind::number:
      return form == ValueForm::money || form == ValueForm::number || form == ValueForm::percent;
    case FieldKind::integer:
      return form == ValueForm::number || form == ValueForm::money || form == ValueForm::percent;
    case FieldKind::date:
      return form == ValueForm::date;
    case FieldKind::email:
      return form == ValueForm::email;
    case FieldKind::phone:
      return form == ValueForm::phone;
    case FieldKind::iban:
      return form == ValueForm::iban;
    case FieldKind::url:
      return form == ValueForm::url;
    case FieldKind::card:
      return form == ValueForm::card;
    case FieldKind::text:
    case FieldKind::yes_no:
      return false;
  }
  return false;
}

bool has_word(const std::vector<std::string>& words, std::initializer_list<std::string_view> wanted) {
  return std::any_of(words.begin(), words.end(), [&](const std::string& word) {
    return std::any_of(wanted.begin(), wanted.end(),
                       [&](std::string_view w) { return plain_word(word) == plain_word(w); });
  });
}

/// A field of plain text whose name says what form it has: "contact_email": {"type": "string"}.
FieldKind kind_of(const FieldHint& hint, const std::vector<std::string>& words) {
  if (hint.kind != FieldKind::text || !hint.choices.empty()) return hint.kind;
  if (has_word(words, {"email"})) return FieldKind::email;
  if (has_word(words, {"iban"})) return FieldKind::iban;
  if (has_word(words, {"phone", "fax"})) return FieldKind::phone;
  if (has_word(words, {"url"})) return FieldKind::url;
  if (has_word(words, {"card"}) && has_word(words, {"credit", "debit", "payment", "number"}))
    return FieldKind::card;
  if (has_word(words, {"date", "birthday"})) return FieldKind::date;
  return FieldKind::text;
}

bool wants_code(const std::vector<std::string>& words) {
  return has_word(words, {"number", "code", "reference", "ref", "sku", "key"});
}

std::string spaces_evened(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n' || c == '\t';
    if (space && (out.empty() || out.back() == ' ')) continue;
    out += space ? ' ' : c;
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

bool blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '*' || c == '_' || c == '`' || c == '"';
}

std::string whole_part(const std::string& number) {
  const std::size_t point = number.find('.');
  return point == std::string::npos ? number : "";
}

}  // namespace

std::vector<std::string> words_of_name(std::string_view name) {
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) words.push_back(to_lower_utf8(word));
    word.clear();
  };
  char before = '\0';
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const auto byte = static_cast<unsigned char>(c);
    const bool upper = c >= 'A' && c <= 'Z';
    const bool lower_before = (before >= 'a' && before <= 'z') || (before >= '0' && before <= '9');
    const bool upper_before = before >= 'A' && before <= 'Z';
    const bool lower_next = i + 1 < name.size() && name[i + 1] >= 'a' && name[i + 1] <= 'z';
    if (byte < 0x80 && !upper && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9')) {
      end_word();
    } else {
      if (upper && (lower_before || (upper_before && lower_next))) end_word();
      word += c;
    }
    before = c;
  }
  end_word();
  return words;
}

FieldFinder::FieldFinder(std::string_view text) : text_(text), values_(find_values(text)) {
  std::size_t at = 0;
  while (at < text.size()) {
    const CodePoint first = decode_utf8(text.substr(at));
    if (!is_letter_or_digit(first.value) || !first.valid) {
      at += std::max<std::size_t>(first.size, 1);
      continue;
    }
    std::size_t end = at;
    while (end < text.size()) {
      const CodePoint next = decode_utf8(text.substr(end));
      if (!next.valid || !is_letter_or_digit(next.value)) break;
      end += next.size;
    }
    words_.push_back({{at, end}, to_lower_utf8(text.substr(at, end - at))});
    at = end;
  }
}

std::vector<FieldFinder::Label> FieldFinder::labels(const FieldHint& hint) const {
  const std::vector<std::string> wanted = words_of_name(hint.name);
  std::vector<Label> found;
  if (wanted.empty()) return found;
  // The whole name, fillers allowed between its words; then its most telling single word.
  for (std::size_t i = 0; i < words_.size() && found.size() < kMostLabels; ++i) {
    std::size_t at = i, matched = 0, fillers = 0;
    while (matched < wanted.size() && at < words_.size() && fillers <= 2) {
      if (same_word(words_[at].lower, wanted[matched]) ||
          (matched > 0 && words_[at].lower == "mail" && wanted[matched - 1] == "email")) {
        ++matched;
      } else if (matched > 0 && is_filler(words_[at].lower)) {
        ++fillers;
      } else {
        break;
      }
      ++at;
    }
    if (matched == wanted.size()) found.push_back({{words_[i].span.start, words_[at - 1].span.end}, 1.0F});
  }
  if (found.empty() && wanted.size() > 1) {
    for (std::size_t i = 0; i < words_.size() && found.size() < kMostLabels; ++i) {
      for (std::size_t w = 0; w < wanted.size(); ++w) {
        if (wanted[w].size() >= 3 && same_word(words_[i].lower, wanted[w])) {
          // The last word of a name is its kind ("due date"), the others say which.
          found.push_back({words_[i].span, w + 1 == wanted.size() ? 0.5F : 0.45F});
        }
      }
    }
  }
  if (found.empty() && !hint.description.empty()) {
    for (const std::string& word : words_of_name(hint.description)) {
      if (word.size() < 5 || found.size() >= kMostLabels) continue;
      for (std::size_t i = 0; i < words_.size() && found.size() < kMostLabels; ++i) {
        if (same_word(words_[i].lower, word)) found.push_back({words_[i].span, 0.3F});
      }
    }
  }
  // A name with a colon or a cell's border behind it is a label; in running text it is a word.
  for (Label& label : found) {
    std::size_t at = label.span.end;
    while (at < text_.size() && blank(text_[at]) && text_[at] != '\n') ++at;
    if (at < text_.size() && (text_[at] == ':' || text_[at] == '|' || text_[at] == '=')) label.score += 0.3F;
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Label& a, const Label& b) { return a.score > b.score; });
  return found;
}

std::optional<FieldGuess> FieldFinder::beside(const FieldHint& hint, const Label& label) const {
  const std::vector<std::string> names = words_of_name(hint.name);
  const FieldKind kind = kind_of(hint, names);
  std::size_t at = label.span.end;
  bool marked = false;
  const std::size_t far = std::min(text_.size(), at + kFarFromLabel);
  while (at < far && (blank(text_[at]) || text_[at] == ':' || text_[at] == '=' || text_[at] == '|' ||
                      text_[at] == '.' || text_[at] == '#')) {
    marked = marked || text_[at] == ':' || text_[at] == '=' || text_[at] == '|' || text_[at] == '#';
    ++at;
  }
  const auto guess = [&](Span span, std::string value, float factor) {
    return FieldGuess{span, std::move(value), label.span, std::min(1.0F, label.score * factor)};
  };

  if (!hint.choices.empty()) {
    const std::string behind = to_lower_utf8(text_.substr(at, utf8_floor(text_.substr(at), far - at)));
    for (const std::string& choice : hint.choices) {
      const std::size_t found = behind.find(to_lower_utf8(choice));
      if (choice.empty() || found == std::string::npos || found > 40) continue;
      return guess({at + found, std::min(text_.size(), at + found + choice.size())}, choice, 0.9F);
    }
    return std::nullopt;
  }
  if (kind == FieldKind::yes_no) {
    for (const Word& word : words_) {
      if (word.span.start < at || word.span.start > at + 24) continue;
      for (const char* yes : {"yes", "true", "y", "ja", "oui"}) {
        if (word.lower == yes) return guess(word.span, "true", 1.0F);
      }
      for (const char* no : {"no", "false", "n", "nein", "non"}) {
        if (word.lower == no) return guess(word.span, "false", 1.0F);
      }
      break;
    }
    return std::nullopt;
  }
  const auto from =
      std::lower_bound(values_.begin(), values_.end(), at,
                       [](const FormedValue& value, std::size_t place) { return value.span.end <= place; });
  if (kind != FieldKind::text || wants_code(names)) {
    for (auto value = from; value != values_.end() && value->span.start < far; ++value) {
      const bool good = kind == FieldKind::text
                            ? value->form == ValueForm::code || value->form == ValueForm::number ||
                                  value->form == ValueForm::phone || value->form == ValueForm::card
                            : fits(kind, value->form);
      if (!good || value->span.start < label.span.end) continue;
      std::string text = kind == FieldKind::text ? std::string(slice(text_, value->span)) : value->value;
      if (kind == FieldKind::integer && whole_part(text).empty()) continue;
      if (text.ends_with('?')) continue;  // two meanings: no guess
      const float near = 1.0F - 0.5F * static_cast<float>(value->span.start - label.span.end) / kFarFromLabel;
      return guess(value->span, std::move(text), near);
    }
    if (kind != FieldKind::text) return std::nullopt;
  }
  // Text: what stands behind "Name:" up to the end of its line or cell.
  if (!marked || at >= text_.size()) return std::nullopt;
  std::size_t end = at;
  while (end < text_.size() && end - at < kLongestText && text_[end] != '\n' && text_[end] != '|' &&
         text_[end] != ';') {
    if (text_[end] == ' ' && text_.substr(end).starts_with("   ")) break;  // columns of a form
    ++end;
  }
  end = at + utf8_floor(text_.substr(at), end - at);
  while (end > at && (blank(text_[end - 1]) || text_[end - 1] == ',' || text_[end - 1] == '.')) --end;
  if (end == at) return std::nullopt;
  return guess({at, end}, spaces_evened(slice(text_, {at, end})), 0.9F);
}

std::optional<FieldGuess> FieldFinder::alone(const FieldHint& hint) const {
  const std::vector<std::string> names = words_of_name(hint.name);
  const FieldKind kind = kind_of(hint, names);
  if (!hint.choices.empty()) {
    std::optional<FieldGuess> only;
    const std::string all = to_lower_utf8(text_);
    if (all.size() != text_.size()) return std::nullopt;  // lower case moved the bytes
    for (const std::string& choice : hint.choices) {
      const std::string wanted = to_lower_utf8(choice);
      const auto inside_word = [&](std::size_t at) {
        const auto part = [&](std::size_t i) {
          const auto byte = static_cast<unsigned char>(all[i]);
          return byte >= 0x80 || std::isalnum(byte) != 0;
        };
        return (at > 0 && part(at - 1)) || (at + wanted.size() < all.size() && part(at + wanted.size()));
      };
      std::size_t at = wanted.empty() ? std::string::npos : all.find(wanted);
      while (at != std::string::npos && inside_word(at)) at = all.find(wanted, at + 1);
      if (at == std::string::npos) continue;
      if (only) return std::nullopt;
      only = FieldGuess{{at, at + wanted.size()}, choice, {}, 0.3F};
    }
    return only;
  }
  if (kind == FieldKind::text || kind == FieldKind::yes_no || kind == FieldKind::number ||
      kind == FieldKind::integer) {
    return std::nullopt;
  }
  std::optional<FieldGuess> only;
  for (const FormedValue& value : values_) {
    if (!fits(kind, value.form) || value.value.ends_with('?')) continue;
    if (only && only->value != value.value) return std::nullopt;
    if (!only) only = FieldGuess{value.span, value.value, {}, 0.4F};
  }
  return only;
}

std::optional<FieldGuess> FieldFinder::find(const FieldHint& hint) const {
  std::optional<FieldGuess> best;
  for (const Label& label : labels(hint)) {
    if (best && label.score <= best->score) break;
    auto guess = beside(hint, label);
    if (guess && (!best || guess->score > best->score)) best = std::move(guess);
  }
  return best ? best : alone(hint);
}

}  // namespace loam::baseline
