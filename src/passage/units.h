// The smallest pieces a passage is packed from: sentences, table rows, lines of code, headings.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/document.h"
#include "base/result.h"
#include "base/span.h"

namespace loam::passage {

struct Unit {
  Span span;
  BlockKind kind = BlockKind::paragraph;
  int level = 0;  ///< of a heading
  bool starts_block = true;
  std::size_t block = 0;  ///< counts blocks; units of one block share it
};

/// The units of a document, ascending. Every non-blank byte is in exactly one. Fails with bad_data when the
/// document's blocks are out of order or outside of its text.
Result<std::vector<Unit>> units_of(const Document& document);

/// A heading as a person reads it: without Markdown's marks, on one line.
std::string heading_title(std::string_view heading, std::string_view media_type);

}  // namespace loam::passage
