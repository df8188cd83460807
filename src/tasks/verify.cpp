// What a translation must bring over unchanged, found and compared by code.
#include <algorithm>
#include <map>

#include "base/utf8.h"
#include "tasks/translate.h"

namespace loam::tasks {
namespace {

constexpr std::size_t kMostPlaceholder = 64;  // {name}: a longer run between braces is text
constexpr std::size_t kMostTag = 500;
constexpr std::size_t kMostAddress = 4096;
constexpr std::size_t kMostListed = 5;  // violations of one kind that are named

bool is_digit_byte(char c) { return c >= '0' && c <= '9'; }
bool is_letter_byte(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_word_byte(char c) { return is_digit_byte(c) || is_letter_byte(c) || c == '_'; }
bool is_blank_byte(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/// Each returns the end of what begins at `at`, or `at` when nothing does.
std::size_t code_end(std::string_view text, std::size_t at) {
  if (text[at] != '`') return at;
  const std::size_t open = std::min(text.find_first_not_of('`', at), text.size());
  const std::size_t length = open - at;
  for (std::size_t i = open; i < text.size();) {
    if (text[i] != '`') {
      ++i;
      continue;
    }
    const std::size_t end = std::min(text.find_first_not_of('`', i), text.size());
    if (end - i == length) return end;
    i = end;
  }
  return at;
}

std::size_t url_end(std::string_view text, std::size_t at) {
  if (at > 0 && is_word_byte(text[at - 1])) return at;
  const std::string_view rest = text.substr(at);
  bool starts = false;
  for (const std::string_view scheme : {"http://", "https://", "ftp://", "mailto:", "www."})
    starts = starts || rest.starts_with(scheme);
  if (!starts) return at;
  std::size_t end = std::min({text.find_first_of(" \t\r\n<>\"`|", at), text.size(), at + kMostAddress});
  while (end < text.size() && end > at && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  // A closing bracket that was not opened inside, and what ends a sentence, are not part of it.
  for (;;) {
    const std::string_view url = text.substr(at, end - at);
    if (url.empty()) return at;
    const char last = url.back();
    const bool unopened =
        (last == ')' && std::count(url.begin(), url.end(), ')') > std::count(url.begin(), url.end(), '(')) ||
        last == ']' || last == '}';
    if (!unopened && std::string_view(".,;:!?'*_").find(last) == std::string_view::npos) return end;
    --end;
  }
}

std::size_t mail_end(std::string_view text, std::size_t at) {
  const auto in_name = [](char c) { return is_word_byte(c) || c == '.' || c == '+' || c == '-' || c == '%'; };
  if (!in_name(text[at]) || (at > 0 && in_name(text[at - 1]))) return at;
  std::size_t i = at;
  while (i < text.size() && in_name(text[i])) ++i;
  if (i == at || i >= text.size() || text[i] != '@') return at;
  const std::size_t host = ++i;
  std::size_t dot = 0;
  while (i < text.size() && (is_word_byte(text[i]) || text[i] == '.' || text[i] == '-')) {
    if (text[i] == '.' && i + 1 < text.size() && is_letter_byte(text[i + 1])) dot = i;
    ++i;
  }
  while (i > host && (text[i - 1] == '.' || text[i - 1] == '-')) --i;
  return dot > host ? i : at;
}

/// [text](destination): the destination, with the brackets around it.
std::size_t destination_end(std::string_view text, std::size_t at) {
  if (text[at] != ']' || at + 1 >= text.size() || text[at + 1] != '(') return at;
  int depth = 0;
  for (std::size_t i = at + 1; i < text.size() && i < at + kMostAddress && text[i] != '\n'; ++i) {
    if (text[i] == '(') ++depth;
    if (text[i] == ')' && --depth == 0) return i + 1;
    if (is_blank_byte(text[i])) return i;  // a title follows: it is text
  }
  return at;
}

std::size_t tag_end(std::string_view text, std::size_t at) {
  if (text[at] != '<' || at + 1 >= text.size()) return at;
  const char next = text[at + 1];
  if (!is_letter_byte(next) && next != '/' && next != '!') return at;
  for (std::size_t i = at + 1; i < text.size() && i < at + kMostTag; ++i) {
    if (text[i] == '>') return i + 1;
    if (text[i] == '<') return at;
  }
  return at;
}

std::size_t entity_end(std::string_view text, std::size_t at) {
  if (text[at] != '&') return at;
  std::size_t i = at + 1;
  if (i < text.size() && text[i] == '#') ++i;
  const std::size_t name = i;
  while (i < text.size() && i < name + 10 && (is_letter_byte(text[i]) || is_digit_byte(text[i]))) ++i;
  return i > name && i < text.size() && text[i] == ';' ? i + 1 : at;
}

std::size_t braces_end(std::string_view text, std::size_t at) {
  std::size_t i = at;
  if (text[i] == '$' && i + 1 < text.size() && text[i + 1] == '{') ++i;
  if (text[i] != '{') return at;
  const bool twice = i + 1 < text.size() && text[i + 1] == '{';
  i += twice ? 2 : 1;
  const std::size_t name = i;
  while (i < text.size() && i < name + kMostPlaceholder && text[i] != '{' && text[i] != '}' &&
         text[i] != '\n') {
    if (text[i] == ' ' && !twice) return at;  // "{ a set }" is text, "{{ name }}" is not
    ++i;
  }
  if (i >= text.size() || text[i] != '}') return at;
  if (twice && (i + 1 >= text.size() || text[i + 1] != '}')) return at;
  return i + (twice ? 2 : 1);
}

std::size_t printf_end(std::string_view text, std::size_t at) {
  if (text[at] != '%' || at + 1 >= text.size()) return at;
  if (at > 0 && is_digit_byte(text[at - 1])) return at;  // 50%
  std::size_t i = at + 1;
  if (text[i] == '%') return i + 1;
  if (text[i] == '(') {
    const std::size_t close = text.substr(i, kMostPlaceholder).find(')');
    if (close == std::string_view::npos) return at;
    i += close + 1;
  }
  while (i < text.size() &&
         (is_digit_byte(text[i]) || std::string_view("$-+#.*").find(text[i]) != std::string_view::npos))
    ++i;
  while (i < text.size() && (text[i] == 'l' || text[i] == 'h' || text[i] == 'z')) ++i;
  if (i >= text.size() || std::string_view("diouxXeEfFgGcsp@").find(text[i]) == std::string_view::npos)
    return at;
  const bool word_goes_on = i + 1 < text.size() && is_letter_byte(text[i + 1]);
  return word_goes_on ? at : i + 1;
}

std::size_t number_end(std::string_view text, std::size_t at) {
  if (!is_digit_byte(text[at])) return at;
  std::size_t i = at;
  while (i < text.size()) {
    if (is_digit_byte(text[i])) {
      ++i;
    } else if ((text[i] == '.' || text[i] == ',' || text[i] == '\'') && i + 1 < text.size() &&
               is_digit_byte(text[i + 1])) {
      ++i;
    } else {
      break;
    }
  }
  return i;
}

/// Decimal digits of other scripts as ASCII: a translation may write its own.
char digit_of(char32_t value) {
  for (const char32_t zero : {U'0', U'\x0660', U'\x06F0', U'\x0966', U'\x09E6', U'\x0E50', U'\xFF10'}) {
    if (value >= zero && value <= zero + 9) return static_cast<char>('0' + static_cast<char>(value - zero));
  }
  return 0;
}

bool groups_thousands(char32_t value) {
  return value == U',' || value == U'.' || value == U'\'' || value == U' ' || value == 0xA0 ||
         value == 0x202F || value == 0x2019 || value == 0x2009 || value == 0x66C;
}

/// Runs of digits outside `holes`; `joined` also puts groups of three together: 1,200 and 1200 are the same.
std::vector<std::string> digits_of(std::string_view text, const std::vector<Kept>& holes, bool joined) {
  std::vector<std::string> groups;
  std::size_t hole = 0;
  char32_t before = 0, separator = 0;  // the code point before, and what stood between the last two groups
  bool adjacent = false;               // exactly one code point between them
  std::size_t gap = 0;
  std::string group;
  const auto end_group = [&] {
    if (group.empty()) return;
    const bool joins = joined && !groups.empty() && adjacent && groups_thousands(separator) &&
                       group.size() == 3 && groups.back().size() <= 12;
    if (joins) {
      groups.back() += group;
    } else {
      groups.push_back(group);
    }
    group.clear();
    gap = 0;
  };
  for (std::size_t i = 0; i < text.size();) {
    while (hole < holes.size() && holes[hole].span.end <= i) ++hole;
    if (hole < holes.size() && holes[hole].kind != KeptKind::number && holes[hole].span.start <= i) {
      end_group();
      gap = 2;
      i = holes[hole].span.end;
      continue;
    }
    const CodePoint point = decode_utf8(text.substr(i));
    const char digit = digit_of(point.value);
    if (digit != 0) {
      if (group.empty()) {
        adjacent = gap == 1;
        separator = before;
      }
      group += digit;
    } else {
      end_group();
      ++gap;
    }
    before = point.value;
    i += point.size;
  }
  end_group();
  std::sort(groups.begin(), groups.end());
  return groups;
}

std::map<std::string, int> count(const std::vector<std::string>& list) {
  std::map<std::string, int> counts;
  for (const std::string& one : list) ++counts[one];
  return counts;
}

/// What `is` has too few or too many of, in words.
void compare(const std::string& kind, const std::vector<std::string>& wanted,
             const std::vector<std::string>& is, std::vector<Violation>& out) {
  std::map<std::string, int> difference = count(wanted);
  for (const auto& [text, times] : count(is)) difference[text] -= times;
  std::size_t listed = 0;
  for (const auto& [text, missing] : difference) {
    if (missing == 0 || listed >= kMostListed) continue;
    ++listed;
    out.push_back({kind, text + (missing > 0 ? " is missing" : " is not in the source, or not so often")});
  }
}

std::string lower(std::string_view text) { return to_lower_utf8(text); }

/// Whether `word` stands in `text` as whole words. Both in lower case.
bool holds_words(std::string_view text, std::string_view word) {
  std::size_t at = text.find(word);
  while (at != std::string_view::npos) {
    const auto letter_at = [&](std::size_t i) {
      return is_letter_or_digit(decode_utf8(text.substr(i)).value);
    };
    std::size_t before = at;
    while (before > 0 && (static_cast<unsigned char>(text[--before]) & 0xC0U) == 0x80U) {
    }
    const bool starts = at == 0 || !letter_at(before) || !is_letter_or_digit(decode_utf8(word).value);
    const std::size_t end = at + word.size();
    if (starts && (end >= text.size() || !letter_at(end))) return true;
    at = text.find(word, at + 1);
  }
  return false;
}

std::string count_marks(std::string_view text, const std::vector<Kept>& holes, char mark) {
  std::size_t found = 0;
  for (std::size_t i = 0; i < text.size(); ++i) found += text[i] == mark ? 1U : 0U;
  for (const Kept& hole : holes) {
    const std::string_view inside = slice(text, hole.span);
    found -= static_cast<std::size_t>(std::count(inside.begin(), inside.end(), mark));
  }
  return std::to_string(found);
}

void check_markup(std::string_view source, const std::vector<Kept>& in_source, std::string_view translation,
                  const std::vector<Kept>& in_translation, TextForm form, std::vector<Violation>& out) {
  if (form == TextForm::plain) return;
  for (const char mark : {'*', '_', '~', '[', ']', '|', '#', '`', '<', '>'}) {
    const std::string was = count_marks(source, in_source, mark);
    const std::string is = count_marks(translation, in_translation, mark);
    if (was != is)
      out.push_back({"markup", std::string(1, mark) + " is there " + is + " times in place of " + was});
  }
  const auto opens_list = [](std::string_view text) {
    return text.starts_with("- ") || text.starts_with("+ ") || text.starts_with("* ");
  };
  if (opens_list(translation) && !opens_list(source)) out.push_back({"markup", "it begins like a list item"});
}

void check_length(std::string_view source, std::string_view translation, std::vector<Violation>& out) {
  const std::size_t was = utf8_length(source), is = utf8_length(translation);
  // German and Finnish run about a third longer than English; scripts of whole words are several times
  // shorter. Beyond these bounds it is no translation of this segment.
  if (is > 3 * was + 40) {
    out.push_back({"length", std::to_string(is) + " characters for " + std::to_string(was)});
  } else if (was >= 40 && is * 8 < was) {
    out.push_back({"length", std::to_string(is) + " characters for " + std::to_string(was)});
  }
}

}  // namespace

std::string_view name_of(KeptKind kind) {
  switch (kind) {
    case KeptKind::code:
      return "code";
    case KeptKind::url:
      return "url";
    case KeptKind::placeholder:
      return "placeholder";
    case KeptKind::tag:
      return "tag";
    case KeptKind::number:
      return "number";
  }
  return "";
}

std::vector<Kept> kept_in(std::string_view segment) {
  std::vector<Kept> kept;
  using End = std::size_t (*)(std::string_view, std::size_t);
  static constexpr std::pair<KeptKind, End> kFinders[] = {
      {KeptKind::code, code_end},
      {KeptKind::url, url_end},
      {KeptKind::url, mail_end},
      {KeptKind::url, destination_end},
      {KeptKind::tag, tag_end},
      {KeptKind::tag, entity_end},
      {KeptKind::placeholder, braces_end},
      {KeptKind::placeholder, printf_end},
      {KeptKind::number, number_end},
  };
  bool code_may_close = true;  // an open ` without its end is looked for once only
  for (std::size_t at = 0; at < segment.size();) {
    std::size_t next = at;
    for (const auto& [kind, end_of] : kFinders) {
      if (kind == KeptKind::code && (segment[at] != '`' || !code_may_close)) continue;
      const std::size_t end = end_of(segment, at);
      if (end <= at) {
        if (kind == KeptKind::code) code_may_close = false;
        continue;
      }
      kept.push_back({kind, {at, end}, std::string(segment.substr(at, end - at))});
      next = end;
      break;
    }
    at = next > at ? next : at + 1;
  }
  return kept;
}

std::vector<Violation> verify(std::string_view source, std::string_view translation,
                              std::span<const GlossaryTerm> glossary, TextForm form) {
  std::vector<Violation> violations;
  if (translation.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    violations.push_back({"empty", "nothing was written"});
    return violations;
  }
  const std::vector<Kept> was = kept_in(source), is = kept_in(translation);
  for (const KeptKind kind : {KeptKind::code, KeptKind::url, KeptKind::placeholder, KeptKind::tag}) {
    std::vector<std::string> wanted, there;
    for (const Kept& one : was) {
      if (one.kind == kind) wanted.push_back(one.text);
    }
    for (const Kept& one : is) {
      if (one.kind == kind) there.push_back(one.text);
    }
    compare(std::string(name_of(kind)), wanted, there, violations);
  }
  if (digits_of(source, was, false) != digits_of(translation, is, false) &&
      digits_of(source, was, true) != digits_of(translation, is, true)) {
    compare("number", digits_of(source, was, true), digits_of(translation, is, true), violations);
  }
  const std::string source_lower = lower(source), translation_lower = lower(translation);
  for (const GlossaryTerm& term : glossary) {
    if (!holds_words(source_lower, lower(term.source))) continue;
    const bool there = term.target == term.source ? translation.find(term.target) != std::string_view::npos ||
                                                        holds_words(translation_lower, lower(term.target))
                                                  : holds_words(translation_lower, lower(term.target));
    if (!there) violations.push_back({"glossary", term.target + " is missing (for " + term.source + ")"});
  }
  check_markup(source, was, translation, is, form, violations);
  check_length(source, translation, violations);
  return violations;
}

}  // namespace loam::tasks
