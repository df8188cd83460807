// The one way into the parsers, and the promise that every document keeps.
#include <new>
#include <string>
#include <utility>

#include "base/utf8.h"
#include "reader/formats.h"
#include "reader/text.h"

namespace loam::reader {
namespace {

constexpr std::size_t kMaxTitleBytes = 500;
constexpr std::size_t kMaxNotes = 100;

bool on_border(std::string_view text, std::size_t offset) {
  return offset == text.size() || (static_cast<unsigned char>(text[offset]) & 0xC0U) != 0x80U;
}

Error broken(const Document& document, std::string what) {
  return Error{Kind::bad_data, document.source, "the reader's reply breaks a promise: " + std::move(what),
               "leave this file out, and report it"};
}

Result<Document> parse_as(std::string_view bytes, std::string_view source, Format format,
                          const ReadLimits& limits, const Libraries& libraries) {
  switch (format) {
    case Format::unknown:
      return unknown_format(bytes.substr(0, 4096), source);
    case Format::text:
      return parse_text(bytes, source, limits);
    case Format::markdown:
      return parse_markdown(bytes, source, limits);
    case Format::html:
      return parse_html(bytes, source, limits);
    case Format::csv:
      return parse_csv(bytes, source, limits);
    case Format::pdf:
      return parse_pdf(bytes, source, limits, libraries);
  }
  return unknown_format(bytes.substr(0, 4096), source);
}

// Notes and title are for people: short, one line, valid UTF-8.
void tidy(Document& document) {
  std::string title = to_valid_utf8(trimmed(document.title));
  for (char& c : title) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  title.resize(utf8_floor(title, kMaxTitleBytes));
  document.title = std::move(title);
  if (document.notes.size() > kMaxNotes) {
    const std::size_t more = document.notes.size() - (kMaxNotes - 1);
    document.notes.resize(kMaxNotes - 1);
    document.notes.push_back("and " + with_thousands(more) + " more notes");
  }
}

}  // namespace

Result<Document> parse(std::string_view bytes, std::string_view source, Format format,
                       const ReadLimits& limits, const Libraries& libraries) {
  try {
    if (bytes.size() > static_cast<std::size_t>(limits.max_file_bytes)) {
      return Error{Kind::out_of_room, std::string(source),
                   "has " + with_thousands(bytes.size()) + " bytes; the limit is " +
                       with_thousands(static_cast<std::size_t>(limits.max_file_bytes)),
                   "split the file into smaller ones"};
    }
    Result<Document> document = parse_as(bytes, source, format, limits, libraries);
    if (!document) return document.error();
    document->source = std::string(source);
    document->media_type = std::string(media_type_of(format));
    tidy(*document);
    if (document->blocks.size() > static_cast<std::size_t>(limits.max_blocks)) {
      return Error{Kind::out_of_room, std::string(source),
                   "has more than " + with_thousands(static_cast<std::size_t>(limits.max_blocks)) +
                       " paragraphs, items and rows",
                   "split the file into smaller ones"};
    }
    if (trimmed(document->text).empty() && document->notes.empty())
      document->notes.emplace_back("the file has no text");
    if (Result<void> checked = check_document(*document, limits); !checked) {
      Error error = checked.error();
      error.kind = Kind::our_bug;
      return error;
    }
    return std::move(*document);
  } catch (const std::bad_alloc&) {
    return Error{Kind::out_of_room, std::string(source),
                 "reading it needs more memory than the reader may use", "split the file into smaller ones"};
  } catch (const std::exception& problem) {
    return Error{Kind::our_bug, std::string(source), std::string("the reader failed: ") + problem.what(),
                 "leave this file out, and report it"};
  }
}

Result<void> check_document(const Document& document, const ReadLimits& limits) {
  const std::string_view text = document.text;
  if (text.size() > static_cast<std::size_t>(limits.max_text_bytes))
    return broken(document, "text over its limit");
  if (document.blocks.size() > static_cast<std::size_t>(limits.max_blocks))
    return broken(document, "too many blocks");
  if (text.find_first_of(std::string_view("\0\r", 2)) != std::string_view::npos) {
    return broken(document, "NUL or carriage return in the text");
  }
  if (!is_valid_utf8(text) || !is_valid_utf8(document.title)) return broken(document, "text is not UTF-8");
  for (const std::string& note : document.notes) {
    if (!is_valid_utf8(note)) return broken(document, "a note is not UTF-8");
  }
  std::size_t end = 0;
  for (const Block& block : document.blocks) {
    const Span span = block.span;
    if (span.start < end || span.end <= span.start || span.end > text.size())
      return broken(document, "blocks out of order");
    if (!on_border(text, span.start) || !on_border(text, span.end))
      return broken(document, "a block splits a character");
    if (!is_blank(slice(text, {end, span.start}))) return broken(document, "text outside of blocks");
    if (block.level < 0 || block.level > 100) return broken(document, "a block's level is out of range");
    end = span.end;
  }
  if (!document.blocks.empty() && !is_blank(slice(text, {end, text.size()})))
    return broken(document, "text outside of blocks");
  if (!document.pages.empty()) {
    std::size_t page_end = 0;
    int number = 0;
    for (const Page& page : document.pages) {
      if (page.number <= number) return broken(document, "pages out of order");
      if (page.span.start != page_end || page.span.end < page.span.start || page.span.end > text.size()) {
        return broken(document, "pages do not cover the text");
      }
      if (!on_border(text, page.span.end)) return broken(document, "a page splits a character");
      number = page.number;
      page_end = page.span.end;
    }
    if (page_end != text.size()) return broken(document, "pages do not cover the text");
  }
  return done();
}

}  // namespace loam::reader
