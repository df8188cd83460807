// The answer without an LLM: the sentences of the retrieved passages that best answer the question.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/passage.h"
#include "base/result.h"
#include "engine/engine.h"

namespace loam::baseline {

struct ExtractiveOptions {
  int max_sentences = 2;
  engine::SpanReader* reader = nullptr;  ///< borrowed; null: sentences are chosen by their features alone
};

/// A sentence of a passage with how well it fits.
struct ScoredSentence {
  std::size_t hit = 0;  ///< index into the hits given
  Span span;            ///< bytes of the document's extracted text
  std::string text;
  float score = 0;     ///< 0..1
  float coverage = 0;  ///< idf-weighted share of the question's terms found in sentence and heading path
  float cosine = 0;    ///< sentence to question
  std::optional<Span>
      short_answer;  ///< the words in it that answer, as the reader sees it; bytes as in `span`
};

struct ExtractiveAnswer {
  std::vector<ScoredSentence> sentences;   ///< best first; empty: nothing fits
  std::vector<ScoredSentence> considered;  ///< all that were scored, best first; holds `sentences`
  float confidence = 0;                    ///< 0..1: that the documents answer the question at all
};

/// `terms` are the question's content words with their idf (same length). Deterministic. With a reader the
/// sentences that hold its best spans come first, and its doubt counts in the confidence.
Result<ExtractiveAnswer> answer(engine::Embedder& embedder, std::string_view question,
                                const std::vector<Hit>& hits, const std::vector<std::string>& terms,
                                const std::vector<float>& idf, const ExtractiveOptions& options = {});

}  // namespace loam::baseline
