// From bytes to clean UTF-8 text, and the line helpers that the text formats share.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/document.h"
#include "base/result.h"
#include "base/span.h"
#include "reader/reader.h"

namespace loam::reader {

/// Text as the rest of the program may see it: valid UTF-8, \n line ends, no NUL.
struct DecodedText {
  std::string text;
  std::vector<std::string> notes;
};

enum class LongLines { refuse, accept };

/// UTF-8 with or without byte order mark, UTF-16 with one, else Windows-1252, which never fails and is noted.
/// Mostly-UTF-8 text keeps its good part; each bad byte becomes U+FFFD, and that is noted. Errors:
/// out_of_room when the text or one line is over its limit.
Result<DecodedText> decode_text(std::string_view bytes, std::string_view source, const ReadLimits& limits,
                                LongLines long_lines);

/// Where the lines of a text are, without their \n.
std::vector<Span> lines_of(std::string_view text);

bool is_blank(std::string_view line);
std::string_view trimmed(std::string_view text);

/// The span without white space at its ends.
Span trimmed(std::string_view text, Span span);

/// Number of columns of white space at the start of a line; a tab goes to the next multiple of four.
int indent_of(std::string_view line);

/// "- ", "* ", "+ ", "1. ", "12) ": the bytes of the marker without the space after it; 0 when there is none.
/// `line` starts at the marker.
std::size_t list_marker_size(std::string_view line);

/// 1234567 as "1,234,567".
std::string with_thousands(std::size_t number);

/// The error of a document whose text is over `max_text_bytes`.
Error text_too_long(std::string_view source, const ReadLimits& limits);

}  // namespace loam::reader
