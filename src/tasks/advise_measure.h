// What the advice rests on: which data this is, how the methods did on it, and what fewer examples would
// give.
#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "eval/ledger.h"
#include "tasks/advise.h"
#include "tasks/classify.h"

namespace loam::tasks {

/// What a file seems to be, from its first rows.
struct DataGuess {
  AdviceTask task = AdviceTask::classify;
  std::string text_column, label_column;   ///< classify
  std::vector<std::string> columns;        ///< of a table, or keys of the first object
  std::vector<std::string> label_choices;  ///< columns that could be the label, the likeliest first
  bool sure = false;                       ///< the names or the values leave little doubt
};

/// Reads the first rows of a CSV or JSON lines file. Classification: the text is the column of the longest
/// texts, the label one of few values that repeat; columns called "text" and "label" are taken at their word.
/// Keys "question", "test_list", "choices" and the like name other tasks. bad_data for what is neither;
/// bad_request, with what to do, for a table in which no column could be a label.
Result<DataGuess> guess_data(const std::filesystem::path& file);
Result<DataGuess> guess_data(std::string_view bytes, const std::string& name);

/// The methods of a comparison as candidates, at a target.
Evidence evidence_of(const ClassifierComparison& comparison, const CompareRequest& request, double target);

/// The named method fitted on an eighth, a quarter, a half and all of the training part, with the settings
/// that the comparison chose, scored on its test part; the mean over three draws where there are few
/// examples. Empty for methods that are not fitted. `embedder` may be null where none is needed.
Result<std::vector<LearningPoint>> learning_curve(const ClassifierComparison& comparison,
                                                  const CompareRequest& request, const std::string& method,
                                                  engine::Embedder* embedder,
                                                  const ProgressSink& progress = {},
                                                  std::stop_token stop = {});

/// A contestant of another task.
struct MeasuredContestant {
  std::string name;
  Rung rung = Rung::none;
  bool trivial = false;
  std::string score;    ///< which of the items' scores counts
  double full = 1;      ///< the score's greatest value: 100 for chrF
  std::string decided;  ///< which score says that it was decided without a person; empty: all were
  double ms_per_item = 0, memory_mb = 0;
  RunId run{};
};
/// Item number i of each contestant must be the same one. `estimate`: of the whole, where it is not the mean.
Candidate candidate_of(const MeasuredContestant& contestant, std::span<const eval::ItemResult> items,
                       double target);

/// Mean tokens of a hosted model for an item: by `count`, or by words where it is empty. `prompt_tokens`:
/// what every prompt has beside the text.
double mean_tokens(std::span<const std::string> texts, engine::Engine* counter);

}  // namespace loam::tasks
