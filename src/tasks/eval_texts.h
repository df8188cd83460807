// How close do summaries and translations come to what people wrote, and to what needs no model?
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "eval/cases.h"
#include "eval/ledger.h"
#include "tasks/summarise.h"
#include "tasks/translate.h"

namespace loam::tasks {

struct TextContestant {
  std::string name;
  std::vector<eval::ItemResult> items;
  std::vector<eval::Metric> metrics;
};

struct TextEvaluation {
  std::vector<TextContestant> contestants;  ///< the model's first, unless there is none
  std::uint64_t tokens = 0;
  std::size_t empty = 0;  ///< cases without a word to work on: they score 0 for everyone
};

/// Contestants "loam summarise", "textrank" and "lead" (the first sentences), all of the same number of
/// sentences. Scores: rouge_1, rouge_2, rouge_lsum (F1, stemmed; eval/text_scores.h); for the model also
/// supported (share of its drafted sentences that hold), coverage (share of the passages read) and written
/// (1 when the summary has a sentence of the model's). Cases without a reference are bad_data. `engine` may
/// be null.
Result<TextEvaluation> evaluate_summaries(engine::Engine* engine, const eval::TextData& data,
                                          const SummariseOptions& options, const ProgressSink& progress = {},
                                          std::stop_token stop = {});

/// Contestants "loam translate" and "copy-source". Scores of each item: chrf and bleu (of the sentence,
/// 0..100); for the model also verified (share of segments that were translated and kept what must be kept)
/// and same (share left equal to the source). Metrics bleu and chrf are those of the whole corpus, with the
/// interval of a bootstrap over items; corpus_resamples of it.
Result<TextEvaluation> evaluate_translations(engine::Engine* engine, const eval::TextData& data,
                                             const TranslateOptions& options,
                                             const ProgressSink& progress = {}, std::stop_token stop = {});

inline constexpr int kCorpusResamples = 300;  ///< each scores the whole corpus again (Koehn, EMNLP 2004)

}  // namespace loam::tasks
