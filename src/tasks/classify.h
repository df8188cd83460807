// Which method classifies this data best, what does each cost, and how much may it decide alone?
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/json_fwd.h"
#include "base/progress.h"
#include "base/result.h"
#include "engine/engine.h"
#include "eval/cases.h"
#include "eval/classification.h"
#include "eval/ledger.h"
#include "tasks/classifier.h"

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
  // Beyond the first contract:
  bool scored = false;                  ///< false: skipped, and `note` says why
  std::vector<std::size_t> test_index;  ///< into ClassifierComparison::test_ids, one per prediction
  std::vector<double> correct;    ///< 0 or 1 per prediction; the mean over draws where there are several
  std::string settings;           ///< JSON: what was chosen on the validation part
  double difference_to_best = 0;  ///< accuracy - that of the best, on the items both were scored on
  double p_to_best = 1;           ///< Holm-adjusted over the methods
  double detectable = 0;          ///< smallest difference to the best that these items could show
  std::vector<std::string> labels_said;  ///< per prediction, for people
};

struct CompareRequest {
  eval::ClassificationData data;                 ///< all of it; or the training file ...
  std::optional<eval::ClassificationData> test;  ///< ... with a test file of its own
  double validate_share = 0.2, test_share = 0.2;
  /// From 3 on: cross-validation, in which each item is tested once, by models that were fitted without it:
  /// the intervals of few items become much narrower. Not with a test file or shots. Methods that ask a
  /// language model are scored on the first fold. 0: one split.
  int folds = 0;
  int shots = 0;  ///< training items per class; 0: all
  int draws = 1;  ///< random draws of the shots (MTEB uses 10)
  std::uint64_t seed = 1;
  std::vector<std::string> methods;  ///< empty: all that can run
  std::vector<double> targets = {0.9, 0.95, 0.99};
  int llm_items = 200;  ///< at most, for the methods that call a language model
  int threads = 0;
  bool find_suspects = true;
};

/// What the methods may use. Borrowed; null: the methods that need it are skipped, and say so.
struct CompareTools {
  engine::Embedder* embedder = nullptr;
  engine::Engine* language_model = nullptr;
  store::Store* ledger = nullptr;
  double embedder_mb = 0, language_model_mb = 0;  ///< of their files
  std::string embedder_sha256, language_model_sha256;
  std::string machine, version;  ///< for the ledger
};

struct Recommendation {
  std::string method;
  std::string reason;  ///< plain words, with the figures
};

/// An item whose label the out-of-fold model doubts (Northcutt et al., "Confident Learning", JAIR 70, 2021).
struct LabelSuspect {
  std::size_t item = 0;  ///< index into CompareRequest::data.items
  std::string label, suggested;
  double doubt = 0;  ///< 1 - probability of the given label
};

struct ClassifierComparison {
  std::vector<MethodScore> methods;  ///< best accuracy first
  Recommendation
      recommended;  ///< the cheapest that is not significantly worse than the best (Holm over the pairs)
  std::vector<eval::DataNote> notes;
  std::vector<LabelSuspect> suspects;  ///< most doubtful first
  // Beyond the first contract:
  std::vector<std::string> labels;
  std::size_t train_items = 0, validate_items = 0, test_items = 0;
  std::vector<std::string> test_ids;
  std::string suspects_method;  ///< whose out-of-fold predictions raised the doubts; empty: none could
};

/// Runs each method on the same split. A method that fails is skipped with its reason, unless it was asked
/// for by name. bad_request for data that cannot be compared (one class only, fewer items than can be split).
/// Cancelled through `stop`: unavailable, and the runs already in the ledger stay.
Result<ClassifierComparison> compare_classifiers(const CompareRequest& request, const CompareTools& tools,
                                                 const ProgressSink& progress = {},
                                                 std::stop_token stop = {});

/// Items whose given label the out-of-fold probabilities (items, classes) contradict, by confident learning:
/// a class is believed of an item when its probability reaches that class's mean self-confidence; an item is
/// suspect when the most probable believed class is not its label. Most doubtful first.
std::vector<LabelSuspect> label_suspects(std::span<const float> probabilities, std::span<const int> labels,
                                         const std::vector<std::string>& names);

/// `loam classify compare --json` (DESIGN section 4), with more beside it.
Json to_json(const ClassifierComparison& comparison, const CompareRequest& request);

}  // namespace loam::tasks
