// What the parts of the comparison share. Internal to tasks.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/json_fwd.h"
#include "tasks/classify.h"
#include "tasks/folds.h"
#include "tasks/words.h"

namespace loam::tasks {

Json settings_json(Method method, const MethodSettings& settings);
/// Place of a label among sorted ones; -1 when it is not there.
int label_index(const std::vector<std::string>& labels, const std::string& label);

/// The data of one comparison: all items in one list, and which of them are for what.
struct Arena {
  std::vector<std::string> texts;
  std::vector<int> truth;
  std::vector<std::string> ids, clusters;
  std::vector<std::string> labels;
  std::vector<std::size_t> train, validate, test;
  std::vector<std::vector<std::size_t>>
      draws;  ///< training items of each draw; one with all when not few-shot
  std::vector<eval::Split>
      folds;  ///< cross-validation: `test` is every item; the parts above are the first fold's
  std::vector<float> vectors;  ///< of all texts; empty without an embedder
  std::size_t dimensions = 0;
  double embed_ms_per_item = 0;
  std::string why_no_vectors;

  Examples all() const { return {texts, truth, vectors, static_cast<int>(labels.size())}; }
};

/// What a method said of the validation part (to fit thresholds on) and of the test part.
struct Outcome {
  std::vector<eval::Prediction> validate, test;
  std::vector<eval::Prediction>
      verify;  ///< of the test part, what had no part in `validate`; empty: all of it
  std::vector<std::size_t> test_index;  ///< into Arena::test
  std::vector<double> correct;          ///< per test prediction; mean over draws
  std::vector<std::vector<double>> correct_by_draw;
  double ms_per_item = 0, fit_seconds = 0, memory_mb = 0;
  std::uint64_t tokens = 0;
  std::string note;
  std::string settings;  ///< JSON
};

Result<Outcome> run_fitted(Method method, const Arena& arena, const CompareRequest& request,
                           const CompareTools& tools, const ProgressSink& progress, std::stop_token stop);
/// The same on every fold, joined: predictions of all items by models that had not seen them. The folds of
/// the first half are also where thresholds are found (`validate`), those of the second where they are
/// checked.
Result<Outcome> run_in_folds(Method method, const Arena& arena, const CompareRequest& request,
                             const CompareTools& tools, const ProgressSink& progress, std::stop_token stop);
Result<Outcome> run_language_model(Method method, const Arena& arena, const CompareRequest& request,
                                   const CompareTools& tools, const ProgressSink& progress,
                                   std::stop_token stop);

/// Sorts the methods best first, tests each against the best, and recommends.
Result<void> rank_and_recommend(ClassifierComparison& comparison, const std::vector<std::string>& clusters);

/// `count` of `from`, drawn by `seed`, ascending.
std::vector<std::size_t> draw_some(std::size_t from, std::size_t count, std::uint64_t seed);

}  // namespace loam::tasks
