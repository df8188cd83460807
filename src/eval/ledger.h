// Every run is a row: what was compared, on which data, with which configuration, at which cost. Per-item
// results are kept, so that any two runs over the same items can be compared later.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
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

/// What a run cost. Joules and peak memory are empty where the machine does not tell. Joules are those of all
/// processor packages and their memory while the run lasted, whoever used them.
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
  std::string damage;  ///< of a row that cannot be read: what is wrong with it; all but id, at, task is empty
};

/// Takes time, processor time (children that have ended included), peak memory and energy from its birth to
/// cost(). Several may live at once and nest; any thread. Tokens are the caller's to add.
class CostMeter {
 public:
  /// `powercap` is where Linux shows energy counters; another folder only in tests.
  explicit CostMeter(const Clock& clock = system_clock(),
                     const std::filesystem::path& powercap = "/sys/class/powercap");
  ~CostMeter();
  CostMeter(CostMeter&&) noexcept;
  CostMeter& operator=(CostMeter&&) noexcept;
  Cost cost() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// "AMD EPYC 9R45, 2 cores, 7.6 GB, Linux 6.1.0": as far as the machine tells.
std::string this_machine();

/// Writes the run with its items in one transaction; `id` is set, and `at` and `machine` where they were
/// empty. Bytes of outputs that are not UTF-8 become U+FFFD. bad_request, and nothing written, when the task
/// or the name is empty, an item's id is empty or comes twice, settings are no JSON object, or a score is not
/// a finite number.
Result<RunId> record(store::Store& store, Run& run);
/// With items. bad_request when there is no such run; bad_data when its row is damaged.
Result<Run> load_run(store::Store& store, RunId id);
/// Rows without items, newest first. Empty `task`: all; `search`: words that must all stand, in any case, in
/// task, name, split, data, settings, models, machine or version. A row that is damaged says so in
/// Run::damage.
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

/// What became of the rows of an export.
struct ExportReport {
  std::size_t runs = 0;
  std::vector<RunId> damaged;      ///< rows that could not be read, and are not in the export
  std::size_t without_scores = 0;  ///< rows of verbs that score nothing (ask), which the JSON lines leave out
};

/// Folder/mlruns layout that `mlflow ui --backend-store-uri FOLDER` reads (experiment per task, run per row).
/// What MLflow has no place for lies beside each run as artifacts: the whole row and the results of its
/// items. Exporting again adds what is new. Characters that MLflow does not allow in a name become '_'
/// ("ndcg@10": "ndcg_at_10").
Result<void> export_mlflow(store::Store& store, const std::filesystem::path& folder,
                           std::string_view task = {}, ExportReport* report = nullptr);
/// One line per run and metric, oldest run first; a run without metrics has one line. RFC 4180. A text that a
/// spreadsheet would take for a formula gets an apostrophe in front.
Result<std::string> export_csv(store::Store& store, std::string_view task = {},
                               ExportReport* report = nullptr);
/// JSON lines that import_runs() reads, items included, oldest run first (docs/formats/runs.md).
Result<void> export_jsonl(store::Store& store, const std::filesystem::path& file, std::string_view task = {},
                          ExportReport* report = nullptr);

struct ImportReport {
  std::vector<RunId> added;
  std::size_t already_there = 0;  ///< lines that name a time and equal a row of the ledger
};

/// Runs that were scored elsewhere, or exported from another ledger: JSON lines (docs/formats/runs.md). The
/// whole file is read and checked before the first row is written; errors name the line.
Result<ImportReport> import_runs(store::Store& store, const std::filesystem::path& file);

}  // namespace loam::eval
