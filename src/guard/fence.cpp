#include "guard/fence.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/utf8.h"

namespace loam::guard {
namespace {

constexpr std::size_t kMaxTokenNamesListed = 16;  // the rest is counted, so that findings stay readable
constexpr std::size_t kMaxTokenLength = 64;  // the longest control token of known models has 34 code points

/// Names of control tokens that stand between <> or [] in known chat templates and vocabularies: Llama 2,
/// Mistral, Gemma, T5, BERT, tool calling. Lower case; compared without regard to case.
constexpr std::array<std::string_view, 42> kTokenNames = {
    "s",
    "/s",
    "bos",
    "eos",
    "unk",
    "pad",
    "mask",
    "cls",
    "sep",
    "inst",
    "/inst",
    "sys",
    "/sys",
    "<sys",
    "</sys",
    "start_of_turn",
    "end_of_turn",
    "system_prompt",
    "/system_prompt",
    "tool_calls",
    "/tool_calls",
    "tool_results",
    "/tool_results",
    "available_tools",
    "/available_tools",
    "tool_call",
    "/tool_call",
    "tool_response",
    "/tool_response",
    "think",
    "/think",
    "start_of_image",
    "end_of_image",
    "endoftext",
    "im_start",
    "im_end",
    "end_of_text",
    "begin_of_text",
    "fim_prefix",
    "fim_middle",
    "fim_suffix",
    "args",
};

enum class Invisible : std::uint8_t { no, zero_width, bidirectional, tag, selector, control };

Invisible invisible_kind(char32_t value) {
  if (value < 0x20)
    return value == U'\n' || value == U'\t' || value == U'\r' ? Invisible::no : Invisible::control;
  if (value < 0x7F) return Invisible::no;
  if (value <= 0x9F) return value == 0x85 ? Invisible::no : Invisible::control;
  if (value == 0xAD || value == 0x34F || value == 0x115F || value == 0x1160 || value == 0x17B4 ||
      value == 0x17B5 || (value >= 0x180B && value <= 0x180F) || value == 0x3164 || value == 0xFEFF ||
      value == 0xFFA0) {
    return Invisible::zero_width;
  }
  if (value == 0x61C || value == 0x200E || value == 0x200F || (value >= 0x202A && value <= 0x202E) ||
      (value >= 0x2066 && value <= 0x2069)) {
    return Invisible::bidirectional;
  }
  if ((value >= 0x200B && value <= 0x200D) || (value >= 0x2060 && value <= 0x2065) ||
      (value >= 0x206A && value <= 0x206F) || (value >= 0xFFF0 && value <= 0xFFFB) ||
      (value >= 0x1D173 && value <= 0x1D17A)) {
    return Invisible::zero_width;
  }
  if (value >= 0xFE00 && value <= 0xFE0F) return Invisible::selector;
  if (value >= 0xE0000 && value <= 0xE0FFF)
    return value >= 0xE0100 && value <= 0xE01EF ? Invisible::selector : Invisible::tag;
  return Invisible::no;
}

/// Scripts whose spelling needs joiners (Arabic to Myanmar, Khmer, Mongolian) and emoji.
bool joins(char32_t value) {
  return (value >= 0x600 && value <= 0x10FF) || (value >= 0x1780 && value <= 0x18AF) ||
         (value >= 0x2190 && value <= 0x2BFF) || value == 0xFE0F || (value >= 0x1F000 && value <= 0x1FAFF);
}

/// Characters that have an emoji or text form of their own.
bool takes_selector(char32_t value) {
  return value == U'#' || value == U'*' || is_digit(value) || value == 0xA9 || value == 0xAE ||
         (value >= 0x203C && value <= 0x3299) || (value >= 0x1F000 && value <= 0x1FAFF);
}

struct Dropped {
  std::size_t zero_width = 0, bidirectional = 0, tags = 0, selectors = 0, controls = 0, malformed = 0;
};

/// The text without what people cannot see.
std::string drop_invisible(std::string_view text, Dropped& dropped) {
  std::vector<char32_t> points;
  points.reserve(text.size());
  while (!text.empty()) {
    const CodePoint point = decode_utf8(text);
    if (!point.valid) ++dropped.malformed;
    points.push_back(point.value);
    text.remove_prefix(point.size);
  }
  // next_seen[i]: the first visible code point after i. Computed once, so that a long run of invisible
  // characters costs linear time.
  std::vector<char32_t> next_seen(points.size(), 0);
  char32_t next = 0;
  for (std::size_t i = points.size(); i-- > 0;) {
    next_seen[i] = next;
    if (invisible_kind(points[i]) == Invisible::no) next = points[i];
  }
  std::string out;
  out.reserve(points.size());
  char32_t previous = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const char32_t value = points[i];
    bool keep = true;
    switch (invisible_kind(value)) {
      case Invisible::no:
        break;
      case Invisible::zero_width:
        keep = (value == 0x200C || value == 0x200D) && joins(previous) && joins(next_seen[i]);
        dropped.zero_width += keep ? 0 : 1;
        break;
      case Invisible::bidirectional:
        keep = false;
        ++dropped.bidirectional;
        break;
      case Invisible::tag:
        keep = false;
        ++dropped.tags;
        break;
      case Invisible::selector:
        keep = (value == 0xFE0E || value == 0xFE0F) && takes_selector(previous);
        dropped.selectors += keep ? 0 : 1;
        break;
      case Invisible::control:
        keep = false;
        ++dropped.controls;
        break;
    }
    if (!keep) continue;
    append_utf8(out, value);
    previous = value;
  }
  return out;
}

char ascii_lower(char byte) { return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 32) : byte; }

bool is_known_name(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(), ascii_lower);
  if (std::find(kTokenNames.begin(), kTokenNames.end(), lower) != kTokenNames.end()) return true;
  constexpr std::array<std::string_view, 4> kFamilies = {"extra_id_", "unused", "reserved_", "special_"};
  return std::any_of(kFamilies.begin(), kFamilies.end(),
                     [&](std::string_view family) { return std::string_view(lower).starts_with(family); });
}

constexpr std::string_view kWideBar = "\xEF\xBD\x9C";  // U+FF5C, used by DeepSeek's control tokens

std::size_t bar_at(std::string_view text, std::size_t at) {
  if (at < text.size() && text[at] == '|') return 1;
  return text.substr(std::min(at, text.size())).starts_with(kWideBar) ? kWideBar.size() : 0;
}

/// The length of a control token that starts at `at`, if one does.
std::optional<std::size_t> control_token_at(std::string_view text, std::size_t at) {
  const char open = text[at];
  if (open != '<' && open != '[') return std::nullopt;
  if (const std::size_t bar = open == '<' ? bar_at(text, at + 1) : 0; bar > 0) {
    // <|anything on one line|>: whatever a model's maker may have thought of. Not <| anything |>: those are
    // the pipes of some programming languages, and no model's tokens.
    if (at + 1 + bar < text.size() && text[at + 1 + bar] == ' ') return std::nullopt;
    for (std::size_t i = at + 1 + bar; i < text.size() && i <= at + 4 * kMaxTokenLength; ++i) {
      if (const std::size_t closing = bar_at(text, i); closing > 0) {
        if (i + closing < text.size() && text[i + closing] == '>' && i > at + 1 + bar)
          return i + closing + 1 - at;
        return std::nullopt;
      }
      if (text[i] == '<' || text[i] == '>' || text[i] == '\n') return std::nullopt;
    }
    return std::nullopt;
  }
  const char close = open == '<' ? '>' : ']';
  const std::size_t end = text.substr(at, kMaxTokenLength).find(close, 1);
  if (end == std::string_view::npos || !is_known_name(text.substr(at + 1, end - 1))) return std::nullopt;
  return end + 1;
}

/// A space after the opening and before the closing character: people read the same, tokenizers do not.
std::string break_tokens(std::string_view text, std::vector<std::string>& found, std::size_t& count) {
  std::string out;
  out.reserve(text.size());
  std::vector<std::size_t> closings;  // of the tokens that are open here; one may stand inside another
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!closings.empty() && closings.back() == i) {
      out += ' ';
      closings.pop_back();
    }
    out += text[i];
    const std::optional<std::size_t> length = control_token_at(text, i);
    if (!length) continue;
    out += ' ';
    closings.push_back(i + *length - 1);
    const std::string_view token = text.substr(i, *length);
    ++count;
    if (found.size() < kMaxTokenNamesListed && std::find(found.begin(), found.end(), token) == found.end()) {
      found.emplace_back(token);
    }
  }
  return out;
}

/// Runs of three or more < or > are spread out, two and two.
std::string escape_markers(std::string_view text, std::size_t& count) {
  std::string out;
  out.reserve(text.size());
  std::size_t run = 0;
  char last = 0;
  for (const char byte : text) {
    run = byte == last && (byte == '<' || byte == '>') ? run + 1 : 1;
    last = byte;
    if (run == 3) {
      out += ' ';
      run = 1;
      ++count;
    }
    out += byte;
  }
  return out;
}

std::string counted(std::size_t count, std::string_view one, std::string_view many) {
  return std::to_string(count) + " " + std::string(count == 1 ? one : many);
}

}  // namespace

FencedText fence(std::string_view outside_text) {
  FencedText fenced;
  Dropped dropped;
  const std::string visible = drop_invisible(outside_text, dropped);
  std::vector<std::string> tokens;
  std::size_t token_count = 0;
  const std::string broken = break_tokens(visible, tokens, token_count);
  std::size_t markers = 0;
  fenced.text = escape_markers(broken, markers);

  for (const std::string& token : tokens) fenced.findings.push_back("control token " + token);
  if (token_count > tokens.size()) {
    fenced.findings.push_back(counted(token_count, "control token in all", "control tokens in all"));
  }
  const auto note = [&](std::size_t count, std::string_view one, std::string_view many) {
    if (count > 0) fenced.findings.push_back(counted(count, one, many));
  };
  note(dropped.zero_width, "zero-width character", "zero-width characters");
  note(dropped.bidirectional, "bidirectional control character", "bidirectional control characters");
  note(dropped.tags, "invisible tag character", "invisible tag characters");
  note(dropped.selectors, "stray variation selector", "stray variation selectors");
  note(dropped.controls, "control character", "control characters");
  note(dropped.malformed, "malformed UTF-8 byte", "malformed UTF-8 bytes");
  note(markers, "fence marker", "fence markers");
  return fenced;
}

}  // namespace loam::guard
