// How well does a model know language, before it writes a word? Multiple choice by log-likelihood, as
// lm-evaluation-harness scores PIQA and HellaSwag, and the loss over a text.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "engine/engine.h"
#include "engine/local_engine.h"
#include "engine/text_loss.h"
#include "eval/cases.h"
#include "eval/ledger.h"

namespace loam::tasks {

/// What was read of a choice: one space joins it to the context, unless the context ends or the choice begins
/// with white space (the harness's default delimiter; it adds one even then).
std::string joined_choice(std::string_view context, std::string_view choice);

/// Which choice has the highest score; the first of equals, as numpy's argmax. REQUIRES: not empty.
int best_choice(const std::vector<double>& scores);

struct ChoiceEvaluation {
  std::vector<eval::ItemResult> items;
  std::vector<eval::Metric> metrics;
  std::uint64_t tokens = 0;  ///< contexts, each once, and choices
  std::size_t refused = 0;   ///< cases that do not fit the context: they count as wrong
};

/// Scores of each case, 0 or 1: accuracy (the right choice is the likeliest) and accuracy_norm (the likeliest
/// by log-likelihood per character of the choice as written in the file: the harness's acc_norm). Output:
/// JSON with the chosen index of both and every log-likelihood. A case that does not fit the context is an
/// item with the refusal as output. Intervals draw whole clusters where cases have one. `limit` above 0 takes
/// the first cases only. Fails for a case without choices or with an answer that is none of them.
Result<ChoiceEvaluation> evaluate_choices(engine::Engine& engine, const eval::ChoiceData& data,
                                          std::size_t limit = 0, const ProgressSink& progress = {},
                                          std::stop_token stop = {});

struct LossEvaluation {
  engine::TextLoss loss;
  std::vector<eval::ItemResult> items;  ///< stretches of about 1,024 bytes, scored by bits_per_byte
  std::vector<eval::Metric> metrics;
};

/// bits_per_byte of stretches can be compared between models that cut text into other tokens. Metrics:
/// bits_per_byte of the whole text, its interval from a bootstrap over the stretches; nats_per_token and
/// perplexity follow from it, and so do their intervals.
Result<LossEvaluation> evaluate_loss(engine::LocalEngine& engine, std::string_view text,
                                     const engine::TextLossOptions& options = {},
                                     const ProgressSink& progress = {}, std::stop_token stop = {});

}  // namespace loam::tasks
