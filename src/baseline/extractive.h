// The answer without an LLM: the sentences of the retrieved passages that best answer the question.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/passage.h"
#include "base/result.h"
#include "engine/engine.h"

namespace loam::baseline {

struct ExtractiveOptions {
  int max_sentences = 2;
};

/// A sentence of a passage with how well it fits.
struct ScoredSentence {
  std::size_t hit = 0;  ///< index into the hits given
  Span span;            ///< bytes of the document's extracted text
  std::string text;
  float score = 0;     ///< 0..1
  float coverage = 0;  ///< idf-weighted share of the question's terms found in sentence and heading path
  float cosine = 0;    ///< sentence to question
};

struct ExtractiveAnswer {
  std::vector<ScoredSentence> sentences;   ///< best first; empty: nothing fits
  std::vector<ScoredSentence> considered;  ///< all that were scored, best first; holds `sentences`
  float confidence = 0;                    ///< 0..1: that the documents answer the question at all
};

/// `terms` are the question's content words with their idf (same length). Deterministic.
Result<ExtractiveAnswer> answer(engine::Embedder& embedder, std::string_view question,
                                const std::vector<Hit>& hits, const std::vector<std::string>& terms,
                                const std::vector<float>& idf, const ExtractiveOptions& options = {});

}  // namespace loam::baseline
