// How good are the answers? Scores of questions with known answers, for the model's answer and the
// baseline's.
#pragma once

#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "answer/answer.h"
#include "base/progress.h"
#include "base/result.h"
#include "eval/cases.h"
#include "eval/ledger.h"

namespace loam::tasks {

/// One answer, as far as scoring needs it.
struct Answered {
  std::string text;  ///< empty when abstained
  bool abstained = true;
  double confidence = 0;
  std::vector<Citation> citations;
};

/// Scores of one question; a score that does not apply is left out of `scores`.
/// exact_match, f1: SQuAD's (eval/metrics.h). A question without an answer scores 1 when nothing was said,
/// else 0 (SQuAD 2.0). holds: 1 when the answer has an accepted one in it, word for word. citation_precision
/// (something was cited): share of the citations that hold an accepted answer or half of the gold quote's
/// words, in the gold source where one is named; 0 for a question without an answer. citation_recall (the
/// question has an answer): 1 when one citation does. answered: 1 when something was said. right: 1 when
/// `holds`, or rightly silent.
std::map<std::string, double> score_answer(const eval::QaCase& question, const Answered& answered);

struct QaContestant {
  std::string name;  ///< "loam ask", "extractive baseline"
  std::vector<eval::ItemResult> items;
  std::vector<eval::Metric> metrics;
};

/// Means with intervals (clustered by source document), and over all items: coverage (share answered), error
/// (share of wrong ones among the answered), aurc (area under the risk-coverage curve over confidence; of all
/// questions as if each had been answered).
std::vector<eval::Metric> qa_metrics(const std::vector<eval::ItemResult>& items,
                                     const std::vector<double>& confidences,
                                     const std::vector<bool>& right_if_answered);

struct QaOptions {
  answer::AskOptions ask;  ///< its min_confidence is the threshold under which an answer counts as silence
};

struct QaEvaluation {
  std::vector<QaContestant> contestants;  ///< the model's (unless there is none), the baseline's, and with a
                                          ///< reader the words alone ("span reader")
  std::uint64_t tokens = 0;
};

/// Asks every question once, with the threshold taken away, and applies the threshold afterwards: so the risk
/// at every coverage is known from one pass. `engine` may be null. A question that is refused (too long) is
/// an item with the refusal as output and counts as silence. Fails for faults, and when stopped.
Result<QaEvaluation> evaluate_qa(retrieve::Retriever& retriever, engine::Embedder& embedder,
                                 engine::Engine* engine, const eval::QaData& data, const QaOptions& options,
                                 const ProgressSink& progress = {}, std::stop_token stop = {});

}  // namespace loam::tasks
