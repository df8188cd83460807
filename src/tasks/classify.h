// Which method classifies this data best, what does each cost, and how much may it decide alone?
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "engine/engine.h"
#include "eval/cases.h"
#include "eval/classification.h"
#include "eval/ledger.h"

namespace loam::tasks {

/// "majority", "tfidf+logreg", "bm25-knn", "embeddings+logreg", "llm-zero-shot", "llm-few-shot"
struct MethodScore {
  std::string name;
  eval::Estimate accuracy, macro_f1;
  double ms_per_item = 0;
  double fit_seconds = 0;
  double memory_mb = 0;  ///< of the fitted model, the language model included
  double calibration_error = 0;
  std::vector<eval::Automation> automation;   ///< one per target
  std::vector<eval::Prediction> predictions;  ///< of the test part, in its order
  std::size_t test_items = 0;                 ///< LLM methods may be scored on fewer, drawn by seed; said so
  std::string note;  ///< "scored on 200 of 3,080 items", "skipped: no language model"
  RunId run{};
};

struct CompareRequest {
  eval::ClassificationData data;                 ///< all of it; or the training file ...
  std::optional<eval::ClassificationData> test;  ///< ... with a test file of its own
  double validate_share = 0.2, test_share = 0.2;
  int shots = 0;  ///< training items per class; 0: all
  int draws = 1;  ///< random draws of the shots (MTEB uses 10)
  std::uint64_t seed = 1;
  std::vector<std::string> methods;  ///< empty: all that can run
  std::vector<double> targets = {0.9, 0.95, 0.99};
  int llm_items = 200;  ///< at most, for the methods that call a language model
};

struct Recommendation {
  std::string method;
  std::string reason;  ///< plain words, with the figures
};

/// An item whose label the out-of-fold model doubts (Northcutt et al., "Confident Learning", JAIR 70, 2021).
struct LabelSuspect {
  std::size_t item = 0;
  std::string label, suggested;
  double doubt = 0;  ///< 1 - probability of the given label
};

struct ClassifierComparison {
  std::vector<MethodScore> methods;  ///< best accuracy first
  Recommendation
      recommended;  ///< the cheapest that is not significantly worse than the best (Holm over the pairs)
  std::vector<eval::DataNote> notes;
  std::vector<LabelSuspect> suspects;  ///< most doubtful first
};

}  // namespace loam::tasks
