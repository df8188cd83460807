// A piece of a document that can be found, shown and cited; and what a search returns.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/document.h"
#include "base/ids.h"
#include "base/span.h"

namespace loam {

/// A citable piece. `text` is exactly the document's bytes in `span`.
struct Passage {
  PassageId id{};            ///< zero until the store has given one
  DocumentId document{};     ///< zero until stored
  int ordinal = 0;           ///< position among the document's passages, from 0
  Span span;                 ///< bytes of the document's extracted text
  std::optional<int> page;   ///< page on which it starts
  std::string heading_path;  ///< "Handbook > Leave > Parental leave"; context for embedding and display
  std::string text;
  int tokens = 0;  ///< with the embedder's tokenizer, heading path included

  /// What is embedded and indexed: heading path, newline, text. Never cut.
  std::string indexed_text() const { return heading_path.empty() ? text : heading_path + "\n" + text; }
};

/// Why a passage was found: its score and rank at each stage. A stage that did not see it is empty.
struct Why {
  std::optional<float> bm25;       ///< higher is better
  std::optional<float> cosine;     ///< -1..1
  std::optional<float> rerank;     ///< the re-ranker's score, where one runs
  std::optional<int> bm25_rank;    ///< 1-based
  std::optional<int> cosine_rank;  ///< 1-based
  std::optional<int> rerank_rank;  ///< 1-based, among those that were re-ranked
};

/// One search result.
struct Hit {
  Passage passage;
  std::string source;  ///< Document::source
  std::string title;
  float score = 0;  ///< fused (or re-ranked) score; only comparable within one result list
  Why why;
  std::vector<Page> pages = {};  ///< those the passage touches, ascending; empty where the format has none

  /// The page that holds byte `offset` of the document: a passage may run over several.
  std::optional<int> page_at(std::size_t offset) const {
    return pages.empty() ? passage.page : loam::page_at(pages, offset);
  }
};

/// A checked pointer to evidence. `quote` is exactly the document's bytes in `span`.
struct Citation {
  int id = 0;  ///< 1-based within one answer
  DocumentId document{};
  PassageId passage{};
  std::string source;
  std::optional<int> page;
  Span span;  ///< bytes of the document's extracted text
  std::string quote;
  Why why;
};

}  // namespace loam
