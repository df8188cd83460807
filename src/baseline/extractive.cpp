#include "baseline/extractive.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "baseline/features.h"
#include "baseline/reading.h"
#include "baseline/weights.h"

namespace loam::baseline {
namespace {

template <std::size_t Size>
float log_odds(const std::array<float, Size>& features, const std::array<float, Size>& weights, float bias) {
  return std::inner_product(features.begin(), features.end(), weights.begin(), bias);
}

float probability(float log_odds) { return 1.0F / (1.0F + std::exp(-log_odds)); }

// A further sentence is given when it is nearly as good; otherwise it is noise.
// Chosen on the training half of the run in bench/baseline/README.md.
constexpr float kFurtherSentenceShare = 0.6F;

}  // namespace

Result<ExtractiveAnswer> answer(engine::Embedder& embedder, std::string_view question,
                                const std::vector<Hit>& hits, const std::vector<std::string>& terms,
                                const std::vector<float>& idf, const ExtractiveOptions& options) {
  ExtractiveAnswer answer;
  const Question read = read_question(question, terms, idf);
  if (read.stems.empty() || hits.empty() || options.max_sentences < 1) return answer;
  const Result<std::vector<Candidate>> found = candidates(embedder, read, hits);
  if (!found) return found.error();
  if (found->empty()) return answer;

  std::vector<float> odds, own_scores;
  for (const Candidate& candidate : *found) {
    odds.push_back(log_odds(candidate.features, kSentenceWeights, kSentenceBias));
    own_scores.push_back(probability(odds.back()));
  }
  std::vector<SentenceReading> readings;
  std::vector<float> scores = own_scores;
  if (options.reader != nullptr) {
    auto sentences = read_sentences(*options.reader, question, hits, *found);
    if (!sentences) return sentences.error();
    readings = *std::move(sentences);
    for (std::size_t i = 0; i < readings.size(); ++i) {
      odds[i] = log_odds(read_sentence_features(odds[i], readings[i], readings), kReadSentenceWeights,
                         kReadSentenceBias);
      scores[i] = probability(odds[i]);
    }
  }
  std::vector<std::size_t> order(found->size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });

  const std::size_t best = order.front();
  float answer_odds =
      log_odds(answer_features(read, hits, *found, own_scores, best), kAnswerWeights, kAnswerBias);
  if (!readings.empty()) {
    answer_odds = log_odds(read_answer_features(answer_odds, odds[best], readings[best], readings),
                           kReadAnswerWeights, kReadAnswerBias);
  }
  answer.confidence = probability(answer_odds);
  for (const std::size_t i : order) {
    const Candidate& candidate = (*found)[i];
    const Passage& passage = hits[candidate.hit].passage;
    ScoredSentence sentence;
    sentence.hit = candidate.hit;
    sentence.span = {passage.span.start + candidate.local.start, passage.span.start + candidate.local.end};
    sentence.text = std::string(slice(passage.text, candidate.local));
    sentence.score = scores[i];
    sentence.coverage = std::min(1.0F, candidate.features[0] + candidate.features[1]);
    sentence.cosine = candidate.features[4];
    if (!readings.empty() && readings[i].span) {
      const Span local = *readings[i].span;
      sentence.short_answer = Span{passage.span.start + local.start, passage.span.start + local.end};
    }
    if (answer.sentences.size() < static_cast<std::size_t>(options.max_sentences) &&
        scores[i] >= kFurtherSentenceShare * scores[best]) {
      answer.sentences.push_back(sentence);
    }
    answer.considered.push_back(std::move(sentence));
  }
  return answer;
}

}  // namespace loam::baseline
