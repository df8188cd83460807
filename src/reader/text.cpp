#include "reader/text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <utility>

#include "base/utf8.h"
#include "reader/formats.h"

namespace loam::reader {
namespace {

// Windows-1252, 0x80..0x9F (WHATWG Encoding Standard, index windows-1252). The rest equals Latin-1.
constexpr std::array<char16_t, 32> kWindows1252 = {
    0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x008D, 0x017D, 0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178};

unsigned char byte_of(char c) { return static_cast<unsigned char>(c); }

std::string from_windows_1252(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() + bytes.size() / 8);
  for (const char c : bytes) {
    const unsigned char byte = byte_of(c);
    if (byte < 0x80) {
      out += c;
    } else if (byte < 0xA0) {
      append_utf8(out, kWindows1252[byte - 0x80U]);
    } else {
      append_utf8(out, byte);
    }
  }
  return out;
}

enum class ByteOrder { little, big };

std::string from_utf16(std::string_view bytes, ByteOrder order, std::size_t* replaced) {
  const auto unit = [&](std::size_t i) {
    const unsigned low = byte_of(bytes[order == ByteOrder::little ? i : i + 1]);
    const unsigned high = byte_of(bytes[order == ByteOrder::little ? i + 1 : i]);
    return static_cast<char32_t>((high << 8U) | low);
  };
  std::string out;
  out.reserve(bytes.size());
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
    char32_t value = unit(i);
    const bool is_high = value >= 0xD800 && value <= 0xDBFF;
    if (is_high && i + 3 < bytes.size()) {
      const char32_t low = unit(i + 2);
      if (low >= 0xDC00 && low <= 0xDFFF) {
        value = 0x10000 + ((value - 0xD800) << 10U) + (low - 0xDC00);
        i += 2;
      }
    }
    if (value >= 0xD800 && value <= 0xDFFF) ++*replaced;
    append_utf8(out, value);
  }
  if (bytes.size() % 2 != 0) {
    ++*replaced;
    append_utf8(out, 0xFFFD);
  }
  return out;
}

// Counts what speaks for damaged UTF-8 and what for another encoding.
struct Utf8Evidence {
  std::size_t good_sequences = 0;  // of two bytes and more
  std::size_t bad_bytes = 0;
};

Utf8Evidence utf8_evidence(std::string_view bytes) {
  Utf8Evidence found;
  std::size_t i = 0;
  while (i < bytes.size()) {
    if (byte_of(bytes[i]) < 0x80) {
      ++i;
      continue;
    }
    const CodePoint point = decode_utf8(bytes.substr(i));
    if (point.valid) {
      ++found.good_sequences;
    } else {
      ++found.bad_bytes;
    }
    i += point.size;
  }
  return found;
}

// CRLF and CR become \n in place; NUL becomes U+FFFD. Returns the number of NULs.
std::size_t clean_controls(std::string& text) {
  const std::size_t nuls = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\0'));
  const bool has_cr = text.find('\r') != std::string::npos;
  if (nuls == 0 && !has_cr) return 0;
  std::string out;
  out.reserve(text.size() + 2 * nuls);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\r') {
      out += '\n';
      if (i + 1 < text.size() && text[i + 1] == '\n') ++i;
    } else if (c == '\0') {
      out += "\xEF\xBF\xBD";
    } else {
      out += c;
    }
  }
  text = std::move(out);
  return nuls;
}

}  // namespace

std::string with_thousands(std::size_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

Error text_too_long(std::string_view source, const ReadLimits& limits) {
  return Error{Kind::out_of_room, std::string(source),
               "its text is longer than the limit of " +
                   with_thousands(static_cast<std::size_t>(limits.max_text_bytes)) + " bytes",
               "split the file into smaller ones"};
}

Result<DecodedText> decode_text(std::string_view bytes, std::string_view source, const ReadLimits& limits,
                                LongLines long_lines) {
  const auto max_text = static_cast<std::size_t>(limits.max_text_bytes);
  // No encoding shrinks to less than a third of its bytes... UTF-16 to UTF-8 halves at best.
  if (bytes.size() / 2 > max_text) return text_too_long(source, limits);

  DecodedText decoded;
  std::size_t replaced = 0;
  if (bytes.starts_with("\xFF\xFE")) {
    decoded.text = from_utf16(bytes.substr(2), ByteOrder::little, &replaced);
  } else if (bytes.starts_with("\xFE\xFF")) {
    decoded.text = from_utf16(bytes.substr(2), ByteOrder::big, &replaced);
  } else {
    if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
    const Utf8Evidence evidence = utf8_evidence(bytes);
    if (evidence.bad_bytes == 0) {
      decoded.text = std::string(bytes);
    } else if (evidence.good_sequences >= evidence.bad_bytes) {
      decoded.text = to_valid_utf8(bytes, &replaced);
    } else {
      decoded.text = from_windows_1252(bytes);
      decoded.notes.emplace_back("not UTF-8; read as Windows-1252");
    }
  }
  if (replaced > 0) {
    decoded.notes.push_back(with_thousands(replaced) +
                            (replaced == 1 ? " malformed byte was" : " malformed bytes were") +
                            " replaced by U+FFFD");
  }
  const std::size_t nuls = clean_controls(decoded.text);
  if (nuls > 0) {
    decoded.notes.push_back(with_thousands(nuls) + (nuls == 1 ? " NUL byte was" : " NUL bytes were") +
                            " replaced by U+FFFD");
  }
  if (decoded.text.size() > max_text) return text_too_long(source, limits);
  if (long_lines == LongLines::refuse) {
    const auto max_line = static_cast<std::size_t>(limits.max_line_bytes);
    std::size_t line = 1;
    for (std::size_t start = 0; start < decoded.text.size(); ++line) {
      const std::size_t end = std::min(decoded.text.find('\n', start), decoded.text.size());
      if (end - start > max_line) {
        return Error{Kind::out_of_room, std::string(source),
                     "line " + with_thousands(line) + " has " + with_thousands(end - start) +
                         " bytes; the limit is " + with_thousands(max_line),
                     "break the line up, or leave this file out if it is not text for people"};
      }
      start = end + 1;
    }
  }
  return decoded;
}

std::vector<Span> lines_of(std::string_view text) {
  std::vector<Span> lines;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    lines.push_back({start, end});
    start = end + 1;
  }
  return lines;
}

std::string_view trimmed(std::string_view text) {
  const Span span = trimmed(text, {0, text.size()});
  return slice(text, span);
}

Span trimmed(std::string_view text, Span span) {
  while (span.start < span.end) {
    const CodePoint point = decode_utf8(text.substr(span.start, span.end - span.start));
    if (!is_space(point.value)) break;
    span.start += point.size;
  }
  while (span.end > span.start) {
    std::size_t back = span.end - 1;
    while (back > span.start && (byte_of(text[back]) & 0xC0U) == 0x80U) --back;
    if (!is_space(decode_utf8(text.substr(back, span.end - back)).value)) break;
    span.end = back;
  }
  return span;
}

bool is_blank(std::string_view line) { return trimmed(line).empty(); }

int indent_of(std::string_view line) {
  int columns = 0;
  for (const char c : line) {
    if (c == ' ') {
      ++columns;
    } else if (c == '\t') {
      columns += 4 - columns % 4;
    } else {
      break;
    }
  }
  return columns;
}

std::size_t list_marker_size(std::string_view line) {
  if (line.empty()) return 0;
  const auto ends_marker = [&](std::size_t at) {
    return at >= line.size() || line[at] == ' ' || line[at] == '\t';
  };
  if (line[0] == '-' || line[0] == '*' || line[0] == '+') return ends_marker(1) ? 1 : 0;
  if (line.starts_with("\xE2\x80\xA2")) return 3;  // a bullet, U+2022
  std::size_t digits = 0;
  while (digits < line.size() && digits < 10 && is_digit(static_cast<char32_t>(byte_of(line[digits]))))
    ++digits;
  if (digits == 0 || digits > 9 || digits >= line.size()) return 0;
  if (line[digits] != '.' && line[digits] != ')') return 0;
  return ends_marker(digits + 1) ? digits + 1 : 0;
}

Result<Document> parse_text(std::string_view bytes, std::string_view source, const ReadLimits& limits) {
  Result<DecodedText> decoded = decode_text(bytes, source, limits, LongLines::refuse);
  if (!decoded) return decoded.error();
  Document document;
  document.text = std::move(decoded->text);
  document.notes = std::move(decoded->notes);
  const std::string_view text = document.text;

  if (text.find('\f') != std::string_view::npos) {
    int number = 1;
    for (std::size_t start = 0; start < text.size(); ++number) {
      const std::size_t feed = text.find('\f', start);
      const std::size_t end = feed == std::string_view::npos ? text.size() : feed + 1;
      document.pages.push_back({number, {start, end}});
      start = end;
    }
  }

  // Paragraphs end at blank lines and form feeds; a line that starts with a list marker starts an item.
  Span open{0, 0};
  bool open_is_item = false;
  int open_level = 0;
  const auto close = [&] {
    const Span span = trimmed(text, open);
    if (!span.empty()) {
      document.blocks.push_back(
          {open_is_item ? BlockKind::list_item : BlockKind::paragraph, open_is_item ? open_level : 0, span});
    }
    open = {0, 0};
    open_is_item = false;
  };
  for (const Span line : lines_of(text)) {
    std::size_t start = line.start;
    for (;;) {  // a form feed inside a line splits it
      const std::size_t feed = std::min(text.find('\f', start), line.end);
      const std::string_view part = slice(text, {start, feed});
      if (is_blank(part)) {
        close();
      } else {
        const std::size_t skip = part.size() - trimmed(part).size();
        const int indent = indent_of(part);
        const bool starts_item =
            list_marker_size(part.substr(std::min(skip, part.find_first_not_of(" \t")))) > 0 &&
            trimmed(part).size() > 2;
        if (starts_item || open.empty()) {
          close();
          open = {start, feed};
          open_is_item = starts_item;
          open_level = 1 + std::min(indent / 2, 9);
        } else {
          open.end = feed;
        }
      }
      if (feed >= line.end) break;
      close();
      start = feed + 1;
    }
  }
  close();
  return document;
}

}  // namespace loam::reader
