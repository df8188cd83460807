// UTF-8 by The Unicode Standard 15, section 3.9 (table 3-7).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace loam {

/// One decoded code point. `size` is the number of bytes it took, at least 1 unless the text is empty.
struct CodePoint {
  char32_t value = 0xFFFD;
  std::size_t size = 0;
  bool valid = false;  ///< false: a malformed byte, reported as U+FFFD of size 1
};

/// Decodes the code point at the start of `text`.
CodePoint decode_utf8(std::string_view text);

/// Appends `value` as UTF-8. Surrogates and values above U+10FFFF become U+FFFD.
void append_utf8(std::string& out, char32_t value);

bool is_valid_utf8(std::string_view text);

/// The text with each malformed sequence replaced by U+FFFD; `replaced` counts them when not null.
std::string to_valid_utf8(std::string_view text, std::size_t* replaced = nullptr);

/// The largest prefix length at most `limit` that does not split a code point.
std::size_t utf8_floor(std::string_view text, std::size_t limit);

/// Number of code points (malformed bytes count one each).
std::size_t utf8_length(std::string_view text);

/// ASCII, Latin-1, Latin Extended-A, Greek and Cyrillic letters to lower case; others unchanged.
char32_t to_lower(char32_t value);
std::string to_lower_utf8(std::string_view text);

bool is_letter_or_digit(char32_t value);  ///< letters of any script, digits, combining marks
bool is_space(char32_t value);            ///< Unicode White_Space
bool is_digit(char32_t value);            ///< ASCII 0-9

}  // namespace loam
