// The parsers, one per format. Internal to the reader room; people call parse() of reader.h.
#pragma once

#include <string>
#include <string_view>

#include "base/document.h"
#include "base/result.h"
#include "reader/reader.h"

namespace loam::reader {

/// Each fills text, blocks, pages, title and notes; parse() sets source and media type and checks the result.
Result<Document> parse_text(std::string_view bytes, std::string_view source, const ReadLimits& limits);
Result<Document> parse_markdown(std::string_view bytes, std::string_view source, const ReadLimits& limits);
Result<Document> parse_html(std::string_view bytes, std::string_view source, const ReadLimits& limits);
Result<Document> parse_csv(std::string_view bytes, std::string_view source, const ReadLimits& limits);
Result<Document> parse_pdf(std::string_view bytes, std::string_view source, const ReadLimits& limits,
                           const Libraries& libraries);

/// "a zip archive (Office files are zip archives too)", "a PNG picture", "binary data".
std::string_view describe_binary(std::string_view head);

/// The refusal of content that no reader knows.
Error unknown_format(std::string_view head, std::string_view source);

}  // namespace loam::reader
