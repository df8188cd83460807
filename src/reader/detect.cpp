// What a file is, by its first bytes; the name only decides between formats that look alike.
#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <string_view>

#include "reader/formats.h"
#include "reader/text.h"

namespace loam::reader {
namespace {

struct Magic {
  std::string_view bytes;
  std::string_view name;
};
using namespace std::string_view_literals;

constexpr std::array kMagics = {
    Magic{"PK\x03\x04"sv, "a zip archive (Office files are zip archives too)"},
    Magic{"PK\x05\x06"sv, "an empty zip archive"},
    Magic{"\x1F\x8B"sv, "a gzip archive"},
    Magic{"BZh"sv, "a bzip2 archive"},
    Magic{"\xFD"
          "7zXZ\0"sv,
          "an xz archive"},
    Magic{"\x28\xB5\x2F\xFD"sv, "a zstandard archive"},
    Magic{"7z\xBC\xAF\x27\x1C"sv, "a 7-zip archive"},
    Magic{"Rar!\x1A\x07"sv, "a RAR archive"},
    Magic{"\x89PNG\r\n\x1A\n"sv, "a PNG picture"},
    Magic{"\xFF\xD8\xFF"sv, "a JPEG picture"},
    Magic{"GIF8"sv, "a GIF picture"},
    Magic{"\x7F"
          "ELF"sv,
          "a program"},
    Magic{"MZ\x90"sv, "a Windows program"},
    Magic{"SQLite format 3\0"sv, "an SQLite database"},
    Magic{"GGUF"sv, "a GGUF model"},
    Magic{"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"sv, "an old Office file"},
    Magic{"{\\rtf"sv, "an RTF file"},
    Magic{"OggS"sv, "an Ogg recording"},
    Magic{"ID3"sv, "an MP3 recording"},
};

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         std::equal(prefix.begin(), prefix.end(), text.begin(), [](char a, char b) { return a == lower(b); });
}

std::string extension_of(std::string_view name) {
  const std::size_t slash = name.find_last_of('/');
  if (slash != std::string_view::npos) name.remove_prefix(slash + 1);
  const std::size_t dot = name.find_last_of('.');
  if (dot == std::string_view::npos) return {};
  std::string extension(name.substr(dot + 1));
  std::transform(extension.begin(), extension.end(), extension.begin(), lower);
  return extension;
}

bool has_utf16_mark(std::string_view head) {
  return head.starts_with("\xFF\xFE") || head.starts_with("\xFE\xFF");
}

// Control characters that no text for people holds; a few stray ones are forgiven.
bool looks_binary(std::string_view head) {
  if (has_utf16_mark(head)) return false;
  std::size_t controls = 0;
  for (const char c : head) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0) return true;
    const bool usual = byte >= 0x20 || byte == '\t' || byte == '\n' || byte == '\r' || byte == '\f' ||
                       byte == '\v' || byte == 0x1B || byte == '\b';
    if (!usual || byte == 0x7F) ++controls;
  }
  return controls * 50 > head.size();
}

// Skips white space, a byte order mark, comments and an XML declaration; then a tag of HTML's outer frame.
bool looks_like_html(std::string_view head) {
  if (head.starts_with("\xEF\xBB\xBF")) head.remove_prefix(3);
  for (;;) {
    head = head.substr(std::min(head.find_first_not_of(" \t\r\n\f"), head.size()));
    std::size_t end = std::string_view::npos;
    if (head.starts_with("<!--")) {
      end = head.find("-->");
    } else if (head.starts_with("<?")) {
      end = head.find('>');
      if (end != std::string_view::npos) end -= 2;
    } else {
      break;
    }
    if (end == std::string_view::npos) return false;
    head.remove_prefix(end + 3);
  }
  static constexpr std::array kFrames = {"<!doctype html"sv, "<html"sv,  "<head>"sv,
                                         "<head "sv,         "<body>"sv, "<body "sv};
  return std::any_of(kFrames.begin(), kFrames.end(),
                     [&](std::string_view frame) { return starts_with_ignoring_case(head, frame); });
}

bool has_tag(std::string_view head) {
  for (std::size_t i = head.find('<'); i != std::string_view::npos; i = head.find('<', i + 1)) {
    if (i + 1 >= head.size()) break;
    const char next = head[i + 1];
    if (std::isalpha(static_cast<unsigned char>(next)) != 0 || next == '!' || next == '/') return true;
  }
  return false;
}

}  // namespace

std::string_view media_type_of(Format format) {
  switch (format) {
    case Format::unknown:
      return "application/octet-stream";
    case Format::text:
      return "text/plain";
    case Format::markdown:
      return "text/markdown";
    case Format::html:
      return "text/html";
    case Format::csv:
      return "text/csv";
    case Format::pdf:
      return "application/pdf";
  }
  return "application/octet-stream";
}

Format detect_format(std::string_view head, std::string_view file_name) {
  // ISO 32000-1 wants the header at byte 0; readers accept it within the first 1,024 bytes (its annex H).
  if (head.substr(0, 1024).find("%PDF-") != std::string_view::npos) {
    if (head.starts_with("%PDF-") || looks_binary(head) || extension_of(file_name) == "pdf")
      return Format::pdf;
  }
  const std::string extension = extension_of(file_name);
  for (const Magic& magic : kMagics) {
    // Three letters can start a sentence; the longer and the odd ones cannot.
    const bool certain =
        magic.bytes.size() > 4 || looks_binary(head) || magic.bytes[0] < 0x20 || magic.bytes == "GGUF";
    if (head.starts_with(magic.bytes) && certain) return Format::unknown;
  }
  if (looks_binary(head)) return Format::unknown;
  if (looks_like_html(head)) return Format::html;
  if (extension == "md" || extension == "markdown" || extension == "mdown" || extension == "mkd")
    return Format::markdown;
  if (extension == "csv" || extension == "tsv" || extension == "tab") return Format::csv;
  if (extension == "html" || extension == "htm" || extension == "xhtml") {
    return has_tag(head) || has_utf16_mark(head) ? Format::html : Format::text;
  }
  return Format::text;
}

std::string_view describe_binary(std::string_view head) {
  for (const Magic& magic : kMagics) {
    if (head.starts_with(magic.bytes)) return magic.name;
  }
  return "binary data";
}

Error unknown_format(std::string_view head, std::string_view source) {
  return Error{Kind::bad_data, std::string(source),
               "is " + std::string(describe_binary(head)) + ", not text, Markdown, HTML, CSV or PDF",
               "export it as PDF, HTML, Markdown, CSV or plain text, or leave it out"};
}

}  // namespace loam::reader
