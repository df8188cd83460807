// The parts of a summary that need no model: sentences of a document, citations, packing. Internal to tasks.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/document.h"
#include "base/passage.h"
#include "base/result.h"
#include "base/span.h"

namespace loam::tasks {

/// Sentences, list items and table rows of a document; no headings, no code. Ascending.
Result<std::vector<Span>> prose_of(const Document& document);

/// Gives each cited span one number, in order of first use.
class CitationList {
 public:
  /// Nothing when the span is not inside the passage: then there is nothing to quote.
  std::optional<int> cite(const Hit& hit, Span span);
  const std::vector<Citation>& all() const { return list_; }
  std::vector<Citation> take() { return std::move(list_); }

 private:
  std::vector<Citation> list_;
};

/// Passages of a document as align() wants to see them.
std::vector<Hit> hits_of(const Document& document, const std::vector<Passage>& passages);

/// The hit in which a span lies whole; the first where several do.
std::optional<std::size_t> hit_with(const std::vector<Hit>& hits, Span span);

/// Whether a sentence begins with a word that needs the sentence before it.
bool needs_context(std::string_view sentence);

}  // namespace loam::tasks
