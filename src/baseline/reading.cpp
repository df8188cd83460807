#include "baseline/reading.h"

#include <algorithm>

namespace loam::baseline {
namespace {

float tenth(float value) { return value / 10.0F; }

float best_score(const std::vector<SentenceReading>& all) {
  float best = kLowestReading;
  for (const SentenceReading& one : all) best = std::max(best, one.score);
  return best;
}

}  // namespace

Result<std::vector<SentenceReading>> read_sentences(engine::SpanReader& reader, std::string_view question,
                                                    const std::vector<Hit>& hits,
                                                    const std::vector<Candidate>& candidates) {
  std::vector<engine::PassageToRead> passages;
  for (const Hit& hit : hits) {
    engine::PassageToRead passage;
    passage.text = hit.passage.indexed_text();
    passage.answers_from = passage.text.size() - hit.passage.text.size();
    passages.push_back(std::move(passage));
  }
  auto read = reader.read(question, passages);
  if (!read) return read.error();
  if (read->size() != passages.size()) {
    return Error{Kind::our_bug, reader.model_name(),
                 "the reader read another number of passages than it was given", ""};
  }
  std::vector<SentenceReading> readings(candidates.size());
  for (SentenceReading& reading : readings) reading.score = kLowestReading;
  for (std::size_t h = 0; h < hits.size(); ++h) {
    const std::size_t before = passages[h].answers_from;
    bool first = true;
    for (const engine::AnswerSpan& found : (*read)[h]) {
      if (found.span.start < before || found.span.end > passages[h].text.size()) continue;
      const Span local = {found.span.start - before, found.span.end - before};
      for (std::size_t c = 0; c < candidates.size(); ++c) {
        if (candidates[c].hit != h || !candidates[c].local.contains(local)) continue;
        if (!readings[c].span) {  // spans come best first
          readings[c].span = local;
          readings[c].score = std::clamp(found.score, kLowestReading, kHighestReading);
          readings[c].best_of_passage = first;
        }
        first = false;
      }
    }
  }
  return readings;
}

std::array<float, kReadSentenceFeatures> read_sentence_features(float log_odds,
                                                                const SentenceReading& reading,
                                                                const std::vector<SentenceReading>& all) {
  return {log_odds, tenth(reading.score), tenth(best_score(all) - reading.score),
          reading.best_of_passage ? 1.0F : 0.0F};
}

std::array<float, kReadAnswerFeatures> read_answer_features(float log_odds, float chosen_log_odds,
                                                            const SentenceReading& reading,
                                                            const std::vector<SentenceReading>& all) {
  return {log_odds, tenth(chosen_log_odds), tenth(reading.score), tenth(best_score(all) - reading.score)};
}

}  // namespace loam::baseline
