// Every run is a row: what was compared, on which data, with which configuration, at which cost. Per-item
// results are kept, so that any two runs over the same items can be compared later.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/json_fwd.h"
#include "base/result.h"
#include "eval/cases.h"
#include "eval/metrics.h"
#include "eval/significance.h"
#include "store/store.h"

namespace loam::eval {

/// A score of the whole run.
struct Metric {
  std::string name;  ///< "accuracy", "ndcg@10"
  Estimate estimate;
  bool higher_is_better = true;
};

/// What one item got.
struct ItemResult {
  std::string id;                        ///< unique within the run
  std::string cluster;                   ///< what items share (a document); empty: stands alone
  std::map<std::string, double> scores;  ///< by metric name
  std::string output;                    ///< what the contestant said, for people who look at differences
};

struct ModelUse {
  std::string role;  ///< "chat", "embedder", "adapter"
  std::string name;
  std::string sha256;
};

/// What a run cost. Joules and peak memory are empty where the machine does not tell.
struct Cost {
  double seconds = 0;
  double cpu_seconds = 0;
  std::uint64_t tokens = 0;
  std::optional<double> joules;
  std::optional<double> peak_mb;
};

struct Run {
  RunId id{};
  std::int64_t at = 0;  ///< Unix seconds
  std::string task;     ///< "qa", "retrieval", "classify", ...
  std::string name;     ///< the contestant: "tfidf+logreg"
  std::string split;    ///< which part of the data: "test", "held-out"; may be empty
  DataVersion data;
  std::uint64_t seed = 0;
  std::string settings;  ///< JSON object: everything else that shaped the run
  std::vector<ModelUse> models;
  std::string machine;  ///< processor, cores, memory, kernel
  std::string version;  ///< of the program
  Cost cost;
  std::vector<Metric> metrics;
  std::vector<ItemResult> items;  ///< empty when only the row was loaded
};

/// Takes time, processor time, peak memory and energy from its birth to cost().
class CostMeter {
 public:
  explicit CostMeter(const Clock& clock = system_clock());
  Cost cost() const;

 private:
  const Clock& clock_;
  double start_seconds_, start_cpu_seconds_;
  std::optional<double> start_joules_;
};

/// Writes the run with its items in one transaction; `id` and `at` are set.
Result<RunId> record(store::Store& store, Run& run);
/// With items. bad_request when there is no such run; bad_data when its row is damaged.
Result<Run> load_run(store::Store& store, RunId id);
/// Rows without items, newest first. Empty `task`: all; `search`: words that name, settings, data or models
/// hold.
Result<std::vector<Run>> runs(store::Store& store, std::string_view task, int limit,
                              std::string_view search = {});

/// Two runs on the items they share.
struct Comparison {
  std::string metric;
  bool higher_is_better = true;
  PairedResult result;
  std::size_t only_a = 0, only_b = 0;  ///< items that only one of them has: not compared
  std::string sentence;
  std::vector<std::string>
      warnings;  ///< "the data file has changed between the runs", "27 items were left out"
};
/// `metric` empty: the first that both have. bad_request when they share no metric or no item.
Result<Comparison> compare_runs(const Run& a, const Run& b, std::string_view metric = {},
                                const CompareOptions& options = {});

/// Folder/mlruns layout that `mlflow ui --backend-store-uri FOLDER` reads (experiment per task, run per row).
Result<void> export_mlflow(store::Store& store, const std::filesystem::path& folder);
/// One line per run and metric.
Result<std::string> export_csv(store::Store& store, std::string_view task = {});

}  // namespace loam::eval
