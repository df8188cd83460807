// Where sentences end, for English, German and French prose and for text with CJK full stops. Rules, not a
// model: each is a reason to end or not to end, looked up around one mark.
#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "passage/cutter.h"

namespace loam::passage {
namespace {

using namespace std::string_view_literals;

// Never the last word of a sentence.
constexpr std::array kNeverLast = {"mr"sv,
                                   "mrs"sv,
                                   "ms"sv,
                                   "dr"sv,
                                   "prof"sv,
                                   "st"sv,
                                   "rev"sv,
                                   "gen"sv,
                                   "col"sv,
                                   "sgt"sv,
                                   "capt"sv,
                                   "lt"sv,
                                   "hon"sv,
                                   "gov"sv,
                                   "sen"sv,
                                   "rep"sv,
                                   "pres"sv,
                                   "messrs"sv,
                                   "mme"sv,
                                   "mlle"sv,
                                   "mgr"sv,
                                   "vs"sv,
                                   "e.g"sv,
                                   "i.e"sv,
                                   "eg"sv,
                                   "ie"sv,
                                   "cf"sv,
                                   "viz"sv,
                                   "approx"sv,
                                   "ca"sv,
                                   "esp"sv,
                                   "incl"sv,
                                   "excl"sv,
                                   "resp"sv,
                                   "z.b"sv,
                                   "d.h"sv,
                                   "u.a"sv,
                                   "z.t"sv,
                                   "i.d.r"sv,
                                   "o.g"sv,
                                   "bzw"sv,
                                   "ggf"sv,
                                   "evtl"sv,
                                   "vgl"sv,
                                   "inkl"sv,
                                   "exkl"sv,
                                   "zzgl"sv,
                                   "abzgl"sv,
                                   "gem"sv,
                                   "sog"sv,
                                   "hr"sv,
                                   "fr"sv,
                                   "frl"sv,
                                   "dipl"sv,
                                   "ing"sv,
                                   "str"sv,
                                   "tel"sv,
                                   "nr"sv,
                                   "p.ex"sv,
                                   "c.-\xC3\xA0-d"sv,
                                   "env"sv,
                                   "av"sv,
                                   "bd"sv,
                                   "chap"sv,
                                   "\xC3\xA9"
                                   "d"sv,
                                   "eds"sv,
                                   "trans"sv,
                                   "mt"sv,
                                   "ft"sv,
                                   "dept"sv,
                                   "univ"sv,
                                   "assn"sv,
                                   "bros"sv,
                                   "max"sv,
                                   "min"sv,
                                   "mio"sv,
                                   "mrd"sv};

// Not the last word when a number follows: "Fig. 3", "No. 12".
constexpr std::array kBeforeNumber = {
    "no"sv,        "nos"sv,  "p"sv,   "pp"sv,   "fig"sv, "figs"sv, "vol"sv, "ch"sv,  "sec"sv,
    "art"sv,       "para"sv, "eq"sv,  "eqs"sv,  "tab"sv, "abs"sv,  "s"sv,   "kap"sv, "abb"sv,
    "n\xC2\xB0"sv, "op"sv,   "cap"sv, "ed"sv,   "jan"sv, "feb"sv,  "mar"sv, "apr"sv, "jun"sv,
    "jul"sv,       "aug"sv,  "sep"sv, "sept"sv, "oct"sv, "okt"sv,  "nov"sv, "dec"sv, "dez"sv};

// May end a sentence; they do when the next word usually starts one.
constexpr std::array kMayBeLast = {"etc"sv, "inc"sv, "ltd"sv, "corp"sv, "co"sv,    "jr"sv,   "sr"sv,
                                   "llc"sv, "plc"sv, "al"sv,  "usw"sv,  "u.s.w"sv, "ph.d"sv, "m.d"sv,
                                   "b.a"sv, "m.a"sv, "a.m"sv, "p.m"sv,  "u.s"sv,   "u.k"sv,  "u.n"sv,
                                   "e.u"sv, "d.c"sv, "est"sv, "ave"sv,  "blvd"sv,  "rd"sv};

constexpr std::array kStarters = {
    "the"sv,   "a"sv,     "an"sv,         "in"sv,      "on"sv,   "at"sv,    "it"sv,    "its"sv,
    "he"sv,    "she"sv,   "they"sv,       "we"sv,      "you"sv,  "i"sv,     "this"sv,  "that"sv,
    "these"sv, "those"sv, "there"sv,      "however"sv, "but"sv,  "and"sv,   "if"sv,    "when"sv,
    "while"sv, "after"sv, "before"sv,     "for"sv,     "from"sv, "his"sv,   "her"sv,   "their"sv,
    "our"sv,   "as"sv,    "although"sv,   "since"sv,   "to"sv,   "with"sv,  "what"sv,  "who"sv,
    "how"sv,   "why"sv,   "where"sv,      "no"sv,      "not"sv,  "all"sv,   "each"sv,  "some"sv,
    "der"sv,   "die"sv,   "das"sv,        "ein"sv,     "eine"sv, "es"sv,    "er"sv,    "sie"sv,
    "wir"sv,   "im"sv,    "am"sv,         "bei"sv,     "wenn"sv, "dies"sv,  "diese"sv, "dieser"sv,
    "und"sv,   "aber"sv,  "f\xC3\xBCr"sv, "le"sv,      "la"sv,   "les"sv,   "un"sv,    "une"sv,
    "il"sv,    "elle"sv,  "ils"sv,        "nous"sv,    "ce"sv,   "cette"sv, "dans"sv,  "mais"sv,
    "et"sv,    "en"sv,    "pour"sv};

// What a German ordinal stands before: "am 3. Oktober", "im 19. Jahrhundert".
constexpr std::array kAfterOrdinal = {
    "januar"sv,   "j\xC3\xA4nner"sv, "februar"sv,      "m\xC3\xA4rz"sv, "april"sv,    "mai"sv,
    "juni"sv,     "juli"sv,          "august"sv,       "september"sv,   "oktober"sv,  "november"sv,
    "dezember"sv, "jahrhundert"sv,   "jahrhunderts"sv, "quartal"sv,     "quartals"sv, "tag"sv,
    "monat"sv,    "lebensjahr"sv,    "auflage"sv,      "klasse"sv,      "stock"sv,    "etage"sv,
    "januars"sv,  "mal"sv,           "weltkrieg"sv};

template <std::size_t N>
bool is_one_of(std::string_view word, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_closer(char32_t c) {
  switch (c) {
    case U'"':
    case U'\'':
    case U')':
    case U']':
    case U'}':
    case U'*':  // end of emphasis in Markdown
    case U'_':
    case 0x201C:  // German closing quote
    case 0x201D:
    case 0x2019:
    case 0x2018:
    case 0xBB:
    case 0xAB:
    case 0x203A:
    case 0x300D:
    case 0x300F:
    case 0xFF09:
      return true;
    default:
      return false;
  }
}

bool is_cjk_stop(char32_t c) { return c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == 0xFF61; }
bool is_stop(char32_t c) { return c == U'.' || c == U'!' || c == U'?' || c == 0x2026 || c == 0x203D; }

bool is_upper(char32_t c) { return to_lower(c) != c; }
bool is_lower(char32_t c) {
  if (c < 0x80) return c >= 'a' && c <= 'z';
  return c >= 0xDF && c < 0x530 && is_letter_or_digit(c) && !is_upper(c);
}

// The word that ends right before `end`, lower case, at most 24 bytes of it.
std::string word_before(std::string_view text, std::size_t end) {
  std::size_t start = end;
  while (start > 0 && end - start < 24) {
    std::size_t back = start - 1;
    while (back > 0 && (static_cast<unsigned char>(text[back]) & 0xC0U) == 0x80U) --back;
    const char32_t c = decode_utf8(text.substr(back)).value;
    if (is_space(c) || c == U'(' || c == U'[' || c == U'"' || c == 0x201C || c == 0x201E || c == 0xAB ||
        c == U'/')
      break;
    start = back;
  }
  return to_lower_utf8(text.substr(start, end - start));
}

// The word after white space, lower case, without leading quotes; at most 24 bytes.
struct NextWord {
  char32_t first = 0;  // its first letter, as written; 0 at the end
  bool quoted = false;
  std::string lower;
};

NextWord word_after(std::string_view text, std::size_t at) {
  NextWord next;
  while (at < text.size()) {
    const CodePoint point = decode_utf8(text.substr(at));
    const bool opener = point.value == U'"' || point.value == U'\'' || point.value == U'(' ||
                        point.value == U'[' || point.value == U'*' || point.value == U'_' ||
                        point.value == 0x201C || point.value == 0x201E || point.value == 0x2018 ||
                        point.value == 0xAB || point.value == 0xBB || point.value == 0xBF ||
                        point.value == 0xA1;
    if (!is_space(point.value) && !opener) break;
    next.quoted = next.quoted || opener;
    at += point.size;
  }
  std::size_t end = at;
  while (end < text.size() && end - at < 24) {
    const CodePoint point = decode_utf8(text.substr(end));
    if (!is_letter_or_digit(point.value)) break;
    if (next.first == 0) next.first = point.value;
    end += point.size;
  }
  if (next.first == 0 && at < text.size()) next.first = decode_utf8(text.substr(at)).value;
  next.lower = to_lower_utf8(text.substr(at, end - at));
  return next;
}

bool all_digits(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(),
                                      [](char c) { return is_digit(static_cast<unsigned char>(c)); });
}

// Whether a single full stop at `stop` ends a sentence that began at `start`; `after` is behind its closers.
bool full_stop_ends(std::string_view text, std::size_t start, std::size_t stop, std::size_t after) {
  const std::string word = word_before(text, stop);
  const NextWord next = word_after(text, after);
  if (next.first == 0) return true;
  if (is_lower(next.first)) return false;
  const bool starter = is_one_of(next.lower, kStarters);
  if (all_digits(word)) {
    if (stop - word.size() <= start) return false;  // "1. Open the lid"
    return !(word.size() <= 2 && is_one_of(next.lower, kAfterOrdinal));
  }
  if (is_one_of(word, kNeverLast)) return false;
  if (is_digit(next.first) && is_one_of(word, kBeforeNumber)) return false;
  if (is_one_of(word, kMayBeLast)) return starter;
  const std::size_t letters = utf8_length(word);
  if (letters == 1 && is_letter_or_digit(decode_utf8(word).value)) {  // an initial, or a list's "a."
    if (stop - word.size() <= start) return false;
    return starter && next.lower.size() > 1;
  }
  // J.R.R. Tolkien, U.S. Army
  if (word.size() >= 3 && word[word.size() - 2] == '.') return starter;
  return true;
}

// "grew.[5][12] Then": marks of notes belong to the sentence before them.
std::size_t behind_notes(std::string_view text, std::size_t at) {
  while (at < text.size() && text[at] == '[') {
    std::size_t end = at + 1;
    while (end < text.size() && end - at < 5 && is_digit(static_cast<unsigned char>(text[end]))) ++end;
    if (end == at + 1 || end >= text.size() || text[end] != ']') break;
    at = end + 1;
  }
  return at;
}

std::size_t line_end(std::string_view text, std::size_t at) {
  return std::min(text.find('\n', at), text.size());
}

std::string_view without_indent(std::string_view line) {
  return line.substr(std::min(line.find_first_not_of(" \t"), line.size()));
}

bool starts_item(std::string_view line) {
  line = without_indent(line);
  if (line.size() < 2) return false;
  if ((line[0] == '-' || line[0] == '*' || line[0] == '+') && (line[1] == ' ' || line[1] == '\t'))
    return true;
  if (line.starts_with("\xE2\x80\xA2")) return true;
  std::size_t digits = 0;
  while (digits < line.size() && digits < 4 && is_digit(static_cast<unsigned char>(line[digits]))) ++digits;
  return digits > 0 && digits < 4 && digits + 1 < line.size() &&
         (line[digits] == '.' || line[digits] == ')') && line[digits + 1] == ' ';
}

bool is_row(std::string_view line) {
  return without_indent(line).starts_with('|') || line.find(" | ") != std::string_view::npos;
}

bool stands_alone(std::string_view line) {
  line = without_indent(line);
  return line.starts_with('#') || line.starts_with("```") || line.starts_with("~~~");
}

// A line break ends a sentence where the lines are items, rows or headings; inside a paragraph it does not.
bool line_break_ends(std::string_view text, std::size_t newline, std::size_t line_start) {
  const std::string_view line = text.substr(line_start, newline - line_start);
  const std::string_view next = text.substr(newline + 1, line_end(text, newline + 1) - newline - 1);
  if (without_indent(next).find_first_not_of("\r\f\v") == std::string_view::npos) return true;  // blank line
  return starts_item(next) || is_row(line) || is_row(next) || stands_alone(line) || stands_alone(next);
}

void add_trimmed(std::string_view text, std::size_t start, std::size_t end, std::vector<Span>& out) {
  while (start < end) {
    const CodePoint point = decode_utf8(text.substr(start, end - start));
    if (!is_space(point.value)) break;
    start += point.size;
  }
  while (end > start) {
    std::size_t back = end - 1;
    while (back > start && (static_cast<unsigned char>(text[back]) & 0xC0U) == 0x80U) --back;
    if (!is_space(decode_utf8(text.substr(back, end - back)).value)) break;
    end = back;
  }
  if (end > start) out.push_back({start, end});
}

}  // namespace

std::vector<Span> sentences(std::string_view text) {
  std::vector<Span> found;
  std::size_t start = 0;       // of the sentence
  std::size_t line_start = 0;  // of the line
  bool blank = true;           // nothing but white space since start
  const auto end_at = [&](std::size_t end) {
    add_trimmed(text, start, end, found);
    start = end;
    blank = true;
  };
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = decode_utf8(text.substr(i));
    const char32_t c = point.value;
    if (c == U'\n') {
      if (!blank && line_break_ends(text, i, line_start)) end_at(i + 1);
      ++i;
      line_start = i;
      if (blank) start = i;
      continue;
    }
    if (c == U'\f') {
      end_at(i + 1);
      ++i;
      continue;
    }
    if (is_space(c)) {
      i += point.size;
      if (blank) start = i;
      continue;
    }
    blank = false;
    if (!is_stop(c) && !is_cjk_stop(c)) {
      i += point.size;
      continue;
    }
    // The run of marks, then quotes and brackets that close.
    const std::size_t mark = i;
    std::size_t marks = 0;
    bool cjk = false;
    bool only_full_stops = true;
    while (i < text.size()) {
      const CodePoint next = decode_utf8(text.substr(i));
      if (!is_stop(next.value) && !is_cjk_stop(next.value)) break;
      cjk = cjk || is_cjk_stop(next.value);
      only_full_stops = only_full_stops && next.value == U'.';
      marks += next.value == 0x2026 ? 3 : 1;
      i += next.size;
    }
    std::size_t after = i;
    while (after < text.size()) {
      const CodePoint next = decode_utf8(text.substr(after));
      if (!is_closer(next.value)) break;
      after += next.size;
    }
    after = behind_notes(text, after);
    const bool at_border = after >= text.size() || is_space(decode_utf8(text.substr(after)).value);
    if (cjk) {
      end_at(after);
      i = after;
      continue;
    }
    if (!at_border) continue;
    bool ends = true;
    if (only_full_stops && marks == 1) {
      ends = full_stop_ends(text, start, mark, after);
    } else {  // ! ? and ellipses: a sentence goes on in lower case ("Stop!" he said)
      ends = !is_lower(word_after(text, after).first);
    }
    if (ends) {
      end_at(after);
      i = after;
    }
  }
  if (!blank) end_at(text.size());
  return found;
}

}  // namespace loam::passage
