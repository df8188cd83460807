// What the extractive baseline looks at: numbers between 0 and 1 about a sentence, and about the whole
// result. Split from the weights, so that they can be fitted offline on the very same numbers
// (bench/baseline).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/passage.h"
#include "base/result.h"
#include "base/span.h"
#include "baseline/words.h"
#include "engine/engine.h"

namespace loam::baseline {

/// What kind of answer a question asks for, read off its question word.
enum class AnswerType : std::uint8_t {
  any,
  number,
  money,
  percent,
  date,
  duration,
  frequency,
  name,
  place,
  reason
};

/// Answers of this type can be told from other text by their form: a number, a price, a date.
bool is_measure(AnswerType type);

AnswerType answer_type_of(std::string_view question);

/// "12", "A4", "twelve".
bool is_number_word(const Word& word);

/// Whether a text holds something of that type which the question does not already say.
bool holds_answer_of(AnswerType type, std::string_view text, std::string_view question);

inline constexpr std::size_t kSentenceFeatures = 17;
inline constexpr std::array<const char*, kSentenceFeatures> kSentenceFeatureNames = {
    "coverage",    // idf share of the question's terms in the sentence, or in what it goes on from: the
                   // title or question above it, the sentence that its pronoun refers to
    "context",     // further share in the neighbouring sentences and the heading path
    "pairs",       // share of the question's neighbouring terms that are neighbours here
    "best_term",   // whether the rarest term found anywhere in the hits is here
    "cosine",      // sentence to question
    "hit_cosine",  // passage to question
    "hit_rank",    // 1 / rank of the passage
    "hit_bm25",    // BM25 of the passage against the best one's
    "type_match",  // the question asks for a type and the sentence holds one
    "type_miss",   // the question asks for a type and the sentence holds none
    "novelty",     // it says something that the question does not
    "short",       // fewer than four words
    "question",    // it is itself a question
    "names",       // share of the question's names and numbers that are here
    "echo",        // it says nothing that the question does not; yes-or-no questions aside
    "other_case",  // the question counts ("six months"), and only another count of it is here
    "measured_elsewhere",  // a measure is asked for and not here, but in another sentence as near to the
                           // question
};

inline constexpr std::size_t kAnswerFeatures = 13;
inline constexpr std::array<const char*, kAnswerFeatures> kAnswerFeatureNames = {
    "score",            // of the best sentence
    "coverage",         // of the best sentence and its context
    "cosine",           // of the best sentence
    "hit_cosine",       // best of all passages
    "margin",           // best score minus the best of another passage
    "missing_term",     // idf of the rarest term that is in no passage, against the rarest of all
    "missing_mass",     // idf share of the question's terms that are in no passage
    "passage_missing",  // idf share of the question's terms missing from the best sentence's passage
    "names_missing",    // share of the question's names and numbers missing from that passage
    "type_match",      "type_miss",
    "other_case",       // of the best sentence
    "measure_missing",  // a number, price, date or duration is asked for, and the best sentence has none
};

struct Candidate {
  std::size_t hit = 0;
  Span local;  ///< bytes of the passage's text
  Span title;  ///< the line that announces it; empty when there is none
  std::array<float, kSentenceFeatures> features{};
};

/// The question as this room sees it.
struct Question {
  std::string text;
  AnswerType type = AnswerType::any;
  std::vector<std::string> stems;  ///< content words, in order, no duplicates
  std::vector<float> idf;          ///< same length
  std::vector<bool> is_name;       ///< same length: a number, or written with a capital
  bool yes_or_no = false;          ///< "Is ...?", "May ...?"
};

Question read_question(std::string_view text, const std::vector<std::string>& terms,
                       const std::vector<float>& idf);

/// All sentences of the hits with their features. At most `kMaxEmbedded` of them, the best by words, are
/// embedded; in one call with the question.
Result<std::vector<Candidate>> candidates(engine::Embedder& embedder, const Question& question,
                                          const std::vector<Hit>& hits);

inline constexpr std::size_t kMaxEmbedded = 40;

/// Features of the whole result; `best` indexes `candidates`, `scores` has one score for each of them.
std::array<float, kAnswerFeatures> answer_features(const Question& question, const std::vector<Hit>& hits,
                                                   const std::vector<Candidate>& candidates,
                                                   const std::vector<float>& scores, std::size_t best);

}  // namespace loam::baseline
