// What every reader must keep, whatever the bytes.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "reader/reader.h"

namespace loam::reader {

/// Parses; a document must keep its promises, and a refusal must not be our own bug.
inline void expect_document_or_error(const std::uint8_t* data, std::size_t size, Format format,
                                     const Libraries& libraries = {}) {
  ReadLimits limits;
  limits.max_text_bytes = 1 << 20;
  limits.max_pages = 50;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Result<Document> document = parse(bytes, "fuzz", format, limits, libraries);
  if (document.ok() ? !check_document(*document, limits).ok() : document.error().kind == Kind::our_bug)
    std::abort();
}

}  // namespace loam::reader
