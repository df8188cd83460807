// Holds proposed values against the source: where do they stand?
#include <algorithm>
#include <charconv>
#include <cmath>

#include "answer/numbers.h"
#include "base/json.h"
#include "base/utf8.h"
#include "tasks/extract_parts.h"

namespace loam::tasks {
namespace {

using baseline::FieldHint;
using baseline::FieldKind;
using baseline::FormedValue;
using baseline::ValueForm;

constexpr std::size_t kMostPlaces = 256;

/// "1200.50" -> "1200.5"; empty: no plain decimal number.
std::string canonical_decimal(std::string_view text) {
  bool minus = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    minus = text[0] == '-';
    text.remove_prefix(1);
  }
  std::string whole, fraction;
  bool point = false;
  for (const char c : text) {
    if (c == '.' && !point) {
      point = true;
    } else if (c >= '0' && c <= '9') {
      (point ? fraction : whole) += c;
    } else {
      return "";
    }
  }
  if (whole.empty() && fraction.empty()) return "";
  whole.erase(0, std::min(whole.find_first_not_of('0'), whole.size()));
  while (fraction.ends_with('0')) fraction.pop_back();
  if (whole.empty()) whole = "0";
  const std::string out = whole + (fraction.empty() ? "" : "." + fraction);
  return minus && out != "0" ? "-" + out : out;
}

bool part_of_word(char32_t value) { return is_letter_or_digit(value); }

/// The code point that ends at byte `at`.
char32_t before(std::string_view text, std::size_t at) {
  std::size_t start = at;
  while (start > 0 && at - start < 4) {
    --start;
    if ((static_cast<unsigned char>(text[start]) & 0xC0U) != 0x80U) break;
  }
  return start < at ? decode_utf8(text.substr(start)).value : U' ';
}

/// A whole word, or words: "art" is not in "part", "12" not in "2012" and not in "12.5".
bool on_borders(std::string_view text, Span span) {
  const char32_t first = decode_utf8(text.substr(span.start)).value;
  const char32_t last = before(text, span.end);
  if (part_of_word(first) && span.start > 0 && part_of_word(before(text, span.start))) return false;
  if (part_of_word(last) && span.end < text.size() &&
      part_of_word(decode_utf8(text.substr(span.end)).value)) {
    return false;
  }
  const auto digit_at = [&](std::size_t i) {
    return i < text.size() && is_digit(static_cast<unsigned char>(text[i]));
  };
  const auto mark_at = [&](std::size_t i) { return i < text.size() && (text[i] == '.' || text[i] == ','); };
  if (is_digit(last) && mark_at(span.end) && digit_at(span.end + 1)) return false;
  return !(is_digit(first) && span.start >= 2 && mark_at(span.start - 1) && digit_at(span.start - 2));
}

std::string even_spaces(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const CodePoint c = decode_utf8(text);
    if (!is_space(c.value)) {
      out += text.substr(0, c.size);
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
    text.remove_prefix(c.size);
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

/// The one value of a form that a text is as a whole.
std::optional<FormedValue> whole_value(std::string_view text, ValueForm form) {
  const std::vector<FormedValue> found = baseline::find_values(text);
  if (found.size() != 1 || found[0].form != form || found[0].value.ends_with('?')) return std::nullopt;
  if (found[0].span.size() + 2 < text.size()) return std::nullopt;
  return found[0];
}

/// "/lines/3/price" -> "/lines/3": up to the last position in a list.
std::string item_of(const std::string& path) {
  std::size_t end = 0;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t next = std::min(path.find('/', at + 1), path.size());
    const std::string_view part = std::string_view(path).substr(at + 1, next - at - 1);
    if (!part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos) end = next;
    at = next;
  }
  return path.substr(0, end);
}

std::optional<ValueForm> form_of(FieldKind kind) {
  switch (kind) {
    case FieldKind::date:
      return ValueForm::date;
    case FieldKind::email:
      return ValueForm::email;
    case FieldKind::phone:
      return ValueForm::phone;
    case FieldKind::iban:
      return ValueForm::iban;
    case FieldKind::url:
      return ValueForm::url;
    case FieldKind::card:
      return ValueForm::card;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::string canonical_number(const Json& value) {
  if (value.is_number_integer()) return std::to_string(value.get<std::int64_t>());
  if (value.is_number()) {
    const double number = value.get<double>();
    if (!std::isfinite(number) || std::abs(number) >= 1e15) return "";
    char buffer[64];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::fixed);
    return end.ec == std::errc() ? canonical_decimal({buffer, end.ptr}) : "";
  }
  return value.is_string() ? canonical_decimal(value.get_ref<const std::string&>()) : "";
}

Json value_of_text(const FieldHint& hint, std::string_view text) {
  const std::string even = even_spaces(text);
  if (even.empty()) return nullptr;
  if (!hint.choices.empty()) {
    const std::string lower = to_lower_utf8(even);
    for (const std::string& choice : hint.choices) {
      if (to_lower_utf8(choice) == lower) return choice;
    }
    return nullptr;
  }
  if (hint.kind == FieldKind::yes_no) {
    const std::string lower = to_lower_utf8(even);
    for (const char* yes : {"yes", "true", "y", "ja", "oui", "1", "x"}) {
      if (lower == yes) return true;
    }
    for (const char* no : {"no", "false", "n", "nein", "non", "0"}) {
      if (lower == no) return false;
    }
    return nullptr;
  }
  if (hint.kind == FieldKind::number || hint.kind == FieldKind::integer) {
    const std::vector<FormedValue> found = baseline::find_values(even);
    const auto number = [](const FormedValue& v) {
      return v.form == ValueForm::number || v.form == ValueForm::money || v.form == ValueForm::percent;
    };
    if (found.size() != 1 || !number(found[0])) return nullptr;
    auto json = parse_json(found[0].value, "a number");
    if (!json || !json->is_number()) return nullptr;
    if (hint.kind == FieldKind::integer && !json->is_number_integer()) return nullptr;
    return *json;
  }
  if (const auto form = form_of(hint.kind)) {
    const auto value = whole_value(even, *form);
    return value ? Json(value->value) : Json();
  }
  return even;
}

SourceIndex::SourceIndex(const Document& document) : document_(document), finder_(document.text) {
  const std::string_view text = document.text;
  even_.reserve(text.size());
  origin_.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = decode_utf8(text.substr(at));
    const std::size_t size = std::max<std::size_t>(c.size, 1);
    if (!is_space(c.value)) {
      for (std::size_t i = 0; i < size; ++i) {
        even_ += text[at + i];
        origin_.push_back(at + i);
      }
    } else if (!even_.empty() && even_.back() != ' ') {
      even_ += ' ';
      origin_.push_back(at);
    }
    at += size;
  }
  even_lower_ = to_lower_utf8(even_);
  if (even_lower_.size() != even_.size()) even_lower_.clear();  // then only equal case is found
  for (const FormedValue& value : finder_.values()) {
    if (value.form == ValueForm::number || value.form == ValueForm::money ||
        value.form == ValueForm::percent) {
      numbers_.push_back({value.span, canonical_decimal(value.value)});
    }
  }
  for (const answer::Number& number : answer::numbers_of(text)) {
    std::string value = number.word_one ? "" : canonical_decimal(number.value);
    if (!value.empty()) numbers_.push_back({number.span, std::move(value)});
  }
  std::stable_sort(numbers_.begin(), numbers_.end(),
                   [](const Number& a, const Number& b) { return a.span.start < b.span.start; });
}

SourceIndex::~SourceIndex() = default;

std::vector<Span> SourceIndex::places_of_text(std::string_view value, bool any_case, Span region) const {
  std::vector<Span> places;
  const std::string wanted = any_case ? to_lower_utf8(value) : std::string(value);
  const std::string& where = any_case ? even_lower_ : even_;
  if (wanted.empty() || where.empty()) return places;
  const auto first = std::lower_bound(origin_.begin(), origin_.end(), region.start);
  std::size_t at = static_cast<std::size_t>(first - origin_.begin());
  while ((at = where.find(wanted, at)) != std::string::npos && places.size() < kMostPlaces) {
    const Span span{origin_[at], origin_[at + wanted.size() - 1] + 1};
    if (span.end > region.end) break;
    if (on_borders(document_.text, span)) places.push_back(span);
    ++at;
  }
  return places;
}

Span SourceIndex::nearest(const FieldHint& hint, const std::vector<Span>& places,
                          std::optional<std::size_t> list_from) const {
  if (list_from) {
    const auto next =
        std::find_if(places.begin(), places.end(), [&](Span s) { return s.start >= *list_from; });
    return next == places.end() ? places.front() : *next;
  }
  const auto labels = finder_.labels(hint);
  Span best = places.front();
  double best_cost = 1e18;
  for (const Span place : places) {
    double cost = 1e17 + static_cast<double>(place.start);
    for (const auto& label : labels) {
      const bool behind = place.start >= label.span.end;
      const double distance =
          behind
              ? static_cast<double>(place.start - label.span.end)
              : 200.0 + 4.0 * static_cast<double>(label.span.start - std::min(place.end, label.span.start));
      cost = std::min(cost, distance / (0.1 + static_cast<double>(label.score)));
    }
    if (cost < best_cost) {
      best_cost = cost;
      best = place;
    }
  }
  return best;
}

SourceIndex::Place SourceIndex::find(const FieldHint& hint, const Json& value, Span region,
                                     std::optional<std::size_t> list_from) const {
  const auto chosen = [&](const std::vector<Span>& places, const std::string& what) -> Place {
    if (places.empty()) return {std::nullopt, what};
    return {nearest(hint, places, list_from), ""};
  };
  if (value.is_boolean()) {
    FieldHint yes_no = hint;
    yes_no.kind = FieldKind::yes_no;
    const auto guess = finder_.find(yes_no);
    const bool same =
        guess && guess->value == (value.get<bool>() ? "true" : "false") && region.contains(guess->span);
    if (same) return {guess->span, ""};
    return {std::nullopt, "no yes or no stands beside \"" + hint.name + "\" in the text"};
  }
  if (value.is_number()) {
    const std::string wanted = canonical_number(value);
    std::vector<Span> places;
    for (const Number& number : numbers_) {
      if (number.value == wanted && region.contains(number.span) && places.size() < kMostPlaces &&
          (places.empty() || number.span.start >= places.back().end)) {
        places.push_back(number.span);
      }
    }
    return chosen(places,
                  "the number " + (wanted.empty() ? dump_json(value) : wanted) + " is not in the text");
  }
  if (!value.is_string()) return {std::nullopt, "is neither text nor number"};
  const std::string text = even_spaces(value.get_ref<const std::string&>());
  if (text.empty()) return {std::nullopt, "is empty"};
  if (!hint.choices.empty()) {
    if (std::find(hint.choices.begin(), hint.choices.end(), text) == hint.choices.end()) {
      return {std::nullopt, "is not one of the choices"};
    }
    return chosen(places_of_text(text, true, region), "the word \"" + text + "\" is not in the text");
  }
  // A date equals a date however it is written; so do addresses and account numbers.
  const auto wanted_form = form_of(hint.kind);
  for (const ValueForm form :
       {ValueForm::date, ValueForm::email, ValueForm::phone, ValueForm::iban, ValueForm::url}) {
    if (wanted_form && *wanted_form != form) continue;
    const auto wanted = whole_value(text, form);
    if (!wanted) continue;
    std::vector<Span> places;
    for (const FormedValue& one : finder_.values()) {
      if (one.form == form && one.value == wanted->value && region.contains(one.span))
        places.push_back(one.span);
    }
    if (!places.empty()) return chosen(places, "");
  }
  if (wanted_form) {
    const bool is_one = whole_value(text, *wanted_form).has_value();
    const std::string name(baseline::name_of(*wanted_form));
    return {std::nullopt, is_one ? "the " + name + " " + text + " is not in the text" : "is no " + name};
  }
  return chosen(places_of_text(text, false, region), "these words do not stand in the text");
}

ExtractedData check_against(const ExtractSchema& schema, const Document& document, const SourceIndex& index,
                            const Json& data, Span region, bool keep_unsupported) {
  ExtractedData out;
  Json kept = data;
  // Items of a list stand one after the other; the fields of one item in any order.
  std::size_t list_from = region.start, item_end = region.start;
  std::string item;
  for_each_leaf(kept, "", [&](const std::string& path, Json& leaf) {
    if (leaf.is_null()) return;
    if (leaf.is_string() && even_spaces(leaf.get_ref<const std::string&>()).empty()) {
      leaf = nullptr;
      return;
    }
    ExtractedValue value;
    value.path = path;
    value.value = dump_json(leaf);
    const SchemaField* field = field_of(schema, path);
    if (field == nullptr) {
      value.why_not = "the schema has no such field";
    } else {
      const bool in_list = field->path.find("/*") != std::string::npos;
      if (in_list && item_of(path) != item) {
        item = item_of(path);
        list_from = item_end;
      }
      auto place = index.find(field->hint, leaf, region, in_list ? std::optional(list_from) : std::nullopt);
      value.why_not = std::move(place.why_not);
      if (place.span) {
        value.supported = true;
        value.span = *place.span;
        value.quote = std::string(slice(document.text, value.span));
        value.page = document.page_at(value.span.start);
        if (in_list) item_end = std::max(item_end, value.span.end);
      }
    }
    if (!value.supported && !keep_unsupported) leaf = nullptr;
    out.values.push_back(std::move(value));
  });
  out.data = dump_json(kept);
  count_values(out);
  return out;
}

void count_values(ExtractedData& data) {
  data.supported = static_cast<std::size_t>(std::count_if(
      data.values.begin(), data.values.end(), [](const ExtractedValue& v) { return v.supported; }));
  data.unsupported = data.values.size() - data.supported;
}

}  // namespace loam::tasks
