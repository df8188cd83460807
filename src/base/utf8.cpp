#include "base/utf8.h"

namespace loam {
namespace {
constexpr char32_t kReplacement = 0xFFFD;

unsigned char byte_at(std::string_view text, std::size_t i) { return static_cast<unsigned char>(text[i]); }
bool is_continuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }
}  // namespace

CodePoint decode_utf8(std::string_view text) {
  if (text.empty()) return {};
  const CodePoint bad{kReplacement, 1, false};
  const unsigned char lead = byte_at(text, 0);
  if (lead < 0x80) return {lead, 1, true};
  std::size_t size = 0;
  unsigned char second_low = 0x80;
  unsigned char second_high = 0xBF;
  char32_t value = 0;
  if (lead >= 0xC2 && lead <= 0xDF) {
    size = 2;
    value = lead & 0x1F;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    size = 3;
    value = lead & 0x0F;
    if (lead == 0xE0) second_low = 0xA0;   // shorter forms exist
    if (lead == 0xED) second_high = 0x9F;  // surrogates
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    size = 4;
    value = lead & 0x07;
    if (lead == 0xF0) second_low = 0x90;
    if (lead == 0xF4) second_high = 0x8F;  // above U+10FFFF
  } else {
    return bad;
  }
  if (text.size() < size) return bad;
  for (std::size_t i = 1; i < size; ++i) {
    const unsigned char byte = byte_at(text, i);
    if (!is_continuation(byte) || (i == 1 && (byte < second_low || byte > second_high))) return bad;
    value = (value << 6) | (byte & 0x3F);
  }
  return {value, size, true};
}

void append_utf8(std::string& out, char32_t value) {
  if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) value = kReplacement;
  const auto put = [&out](char32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (value < 0x80) {
    put(value);
  } else if (value < 0x800) {
    put(0xC0 | (value >> 6));
    put(0x80 | (value & 0x3F));
  } else if (value < 0x10000) {
    put(0xE0 | (value >> 12));
    put(0x80 | ((value >> 6) & 0x3F));
    put(0x80 | (value & 0x3F));
  } else {
    put(0xF0 | (value >> 18));
    put(0x80 | ((value >> 12) & 0x3F));
    put(0x80 | ((value >> 6) & 0x3F));
    put(0x80 | (value & 0x3F));
  }
}

bool is_valid_utf8(std::string_view text) {
  while (!text.empty()) {
    const CodePoint point = decode_utf8(text);
    if (!point.valid) return false;
    text.remove_prefix(point.size);
  }
  return true;
}

std::string to_valid_utf8(std::string_view text, std::size_t* replaced) {
  std::string out;
  out.reserve(text.size());
  std::size_t count = 0;
  while (!text.empty()) {
    const CodePoint point = decode_utf8(text);
    if (point.valid) {
      out.append(text.substr(0, point.size));
    } else {
      append_utf8(out, kReplacement);
      ++count;
    }
    text.remove_prefix(point.size);
  }
  if (replaced != nullptr) *replaced = count;
  return out;
}

std::size_t utf8_floor(std::string_view text, std::size_t limit) {
  if (limit >= text.size()) return text.size();
  std::size_t at = limit;
  // A code point is at most 4 bytes, so at most 3 continuation bytes are stepped over.
  for (int back = 0; back < 3 && at > 0 && is_continuation(byte_at(text, at)); ++back) --at;
  return is_continuation(byte_at(text, at)) ? limit : at;
}

std::size_t utf8_length(std::string_view text) {
  std::size_t count = 0;
  while (!text.empty()) {
    text.remove_prefix(decode_utf8(text).size);
    ++count;
  }
  return count;
}

char32_t to_lower(char32_t value) {
  if (value >= U'A' && value <= U'Z') return value + 32;
  if (value < 0xC0) return value;
  if (value <= 0xDE) return value == 0xD7 ? value : value + 32;  // Latin-1
  if (value >= 0x100 && value <= 0x137) {                        // Latin Extended-A, even = upper
    if (value == 0x130) return U'i';
    return value % 2 == 0 ? value + 1 : value;
  }
  if (value >= 0x139 && value <= 0x148) return value % 2 == 1 ? value + 1 : value;  // odd = upper
  if (value >= 0x14A && value <= 0x177) return value % 2 == 0 ? value + 1 : value;
  if (value == 0x178) return 0xFF;
  if (value >= 0x179 && value <= 0x17E) return value % 2 == 1 ? value + 1 : value;
  if (value >= 0x391 && value <= 0x3A9 && value != 0x3A2) return value + 32;  // Greek
  if (value >= 0x410 && value <= 0x42F) return value + 32;                    // Cyrillic
  if (value >= 0x400 && value <= 0x40F) return value + 80;
  return value;
}

std::string to_lower_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const CodePoint point = decode_utf8(text);
    append_utf8(out, to_lower(point.value));
    text.remove_prefix(point.size);
  }
  return out;
}

bool is_space(char32_t value) {
  return value == U' ' || (value >= 0x09 && value <= 0x0D) || value == 0x85 || value == 0xA0 ||
         value == 0x1680 || (value >= 0x2000 && value <= 0x200A) || value == 0x2028 || value == 0x2029 ||
         value == 0x202F || value == 0x205F || value == 0x3000;
}

bool is_digit(char32_t value) { return value >= U'0' && value <= U'9'; }

bool is_letter_or_digit(char32_t value) {
  if (value < 0x80) {
    return is_digit(value) || (value >= U'a' && value <= U'z') || (value >= U'A' && value <= U'Z');
  }
  if (value < 0xC0) return value == 0xAA || value == 0xB5 || value == 0xBA;
  if (value == 0xD7 || value == 0xF7 || value == kReplacement) return false;
  if (is_space(value)) return false;
  if (value >= 0x2000 && value <= 0x2BFF) return false;  // punctuation, symbols, arrows, boxes
  if (value >= 0x3001 && value <= 0x3004) return false;  // CJK punctuation
  if (value >= 0x3008 && value <= 0x3020) return false;
  if (value >= 0xFE10 && value <= 0xFE1F) return false;  // vertical punctuation forms
  if (value >= 0xFE30 && value <= 0xFE6F) return false;  // CJK compatibility and small forms
  if (value >= 0xFF01 && value <= 0xFF0F) return false;  // full-width punctuation
  if (value >= 0xFF1A && value <= 0xFF20) return false;
  if (value >= 0xFF3B && value <= 0xFF40) return false;
  if (value >= 0xFF5B && value <= 0xFF65) return false;
  if (value >= 0xE000 && value <= 0xF8FF) return false;  // private use
  return true;
}

}  // namespace loam
