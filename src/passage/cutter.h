// Cuts a document into pieces that can be cited: along headings, paragraphs and sentences, sized with the
// embedder's own tokenizer (DESIGN D5). Nothing is dropped or cut silently.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "base/document.h"
#include "base/passage.h"
#include "base/result.h"
#include "base/span.h"

namespace loam::passage {

/// Tokens of a text with the embedder's tokenizer, special tokens included.
using TokenCounter = std::function<Result<int>(std::string_view)>;

struct CutOptions {
  int target_tokens = 160;  ///< a passage grows to about this
  int max_tokens = 256;     ///< never more, heading path included; the embedder's max_tokens()
  int overlap_sentences = 0;
};

/// Version of the cutting rules; raise it when passages would come out differently.
inline constexpr int kCutterVersion = 1;

/// Every non-blank byte of the text that is not a heading's mark-up lies in at least one passage; each
/// passage's text is exactly the document's bytes in its span; none exceeds max_tokens. A single word longer
/// than that is split between code points. An empty document gives no passages.
Result<std::vector<Passage>> cut(const Document& document, const TokenCounter& count_tokens,
                                 const CutOptions& options);

/// Sentence spans of a text, in order, without surrounding white space. Knows abbreviations, decimal points,
/// initials, list numbers, quotes and brackets; a line break between list items or table rows ends one.
std::vector<Span> sentences(std::string_view text);

}  // namespace loam::passage
