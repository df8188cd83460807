// What a reader makes of a file: its text, with a map back to pages and structure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/span.h"

namespace loam {

/// What a stretch of text is. Passages are cut along these.
enum class BlockKind : std::uint8_t { heading, paragraph, list_item, table_row, code, quote };

/// One block of a document, in reading order. Blocks do not overlap; text between blocks is white space.
struct Block {
  BlockKind kind = BlockKind::paragraph;
  int level = 0;  ///< heading level 1..6, list nesting from 1; 0 elsewhere
  Span span;      ///< bytes of Document::text
};

/// Where a page lies in the text. Formats without pages have none.
struct Page {
  int number = 1;  ///< 1-based, as a person counts
  Span span;
};

/// The page that holds byte `offset`: the last one that starts at or before it. `pages` ascends.
std::optional<int> page_at(const std::vector<Page>& pages, std::size_t offset);

/// Extracted text with its map. All offsets are bytes of `text`, which is valid UTF-8 with \n line ends.
struct Document {
  std::string source;      ///< name people know it by: path relative to the ingested folder, '/'-separated
  std::string title;       ///< from metadata or first heading; may be empty
  std::string media_type;  ///< e.g. "text/markdown", "application/pdf"
  std::string text;
  std::vector<Page> pages;         ///< ascending, may be empty
  std::vector<Block> blocks;       ///< ascending; empty means: one paragraph per blank-line-separated part
  std::vector<std::string> notes;  ///< what a person should know: "page 3 has no text", "bad UTF-8 replaced"

  /// The page that holds byte `offset`, if the format has pages.
  std::optional<int> page_at(std::size_t offset) const;
};

}  // namespace loam
