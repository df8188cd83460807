// What a reader of spans adds to the baseline: for each sentence, how surely the answer stands in it, and
// which words it is. Split from the weights, as features.h is, so that they can be fitted offline on the same
// numbers.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "base/passage.h"
#include "base/result.h"
#include "base/span.h"
#include "baseline/features.h"
#include "engine/engine.h"

namespace loam::baseline {

/// What the reader says of one sentence.
struct SentenceReading {
  std::optional<Span> span;  ///< bytes of the passage's text: its best answer that lies within this sentence
  float score = 0;           ///< of that span, log-odds against no answer; the floor when there is none
  bool best_of_passage = false;
};

/// Scores beyond these count like these; a sentence without a span has the lower one.
inline constexpr float kHighestReading = 12.0F;
inline constexpr float kLowestReading = -12.0F;

/// One reading for each candidate. All passages are read in one call, headings before them.
Result<std::vector<SentenceReading>> read_sentences(engine::SpanReader& reader, std::string_view question,
                                                    const std::vector<Hit>& hits,
                                                    const std::vector<Candidate>& candidates);

inline constexpr std::size_t kReadSentenceFeatures = 4;
inline constexpr std::array<const char*, kReadSentenceFeatures> kReadSentenceFeatureNames = {
    "sentence",         // log-odds that the baseline alone gives it
    "reading",          // the reader's score, a tenth of it
    "behind",           // how far it is behind the best reading of all, a tenth of it
    "best_of_passage",  // the reader's first choice in its passage is here
};
std::array<float, kReadSentenceFeatures> read_sentence_features(float log_odds,
                                                                const SentenceReading& reading,
                                                                const std::vector<SentenceReading>& all);

inline constexpr std::size_t kReadAnswerFeatures = 4;
inline constexpr std::array<const char*, kReadAnswerFeatures> kReadAnswerFeatureNames = {
    "answer",   // log-odds that the baseline alone gives, with this sentence as the chosen one
    "chosen",   // log-odds of the chosen sentence, a tenth of it
    "reading",  // the reader's score of it, a tenth of it
    "behind",   // how far it is behind the best reading of all, a tenth of it
};
std::array<float, kReadAnswerFeatures> read_answer_features(float log_odds, float chosen_log_odds,
                                                            const SentenceReading& reading,
                                                            const std::vector<SentenceReading>& all);

}  // namespace loam::baseline
