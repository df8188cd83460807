// What every benchmark shares: where its data lies, what machine it ran on, and how its figures are kept.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_fwd.h"
#include "base/progress.h"
#include "base/result.h"
#include "eval/metrics.h"

namespace loam::bench {

/// Folders and switches that each benchmark takes; flags win over the environment.
struct Settings {
  std::filesystem::path data;    ///< --data or LOAM_BENCH_DATA: holds 01-qa-squad, 03-retrieval-scifact
  std::filesystem::path models;  ///< --models or LOAM_TEST_MODELS: holds the default models
  std::filesystem::path work;    ///< --work or LOAM_BENCH_WORK: kept between runs (stores, embeddings)
  std::filesystem::path out;     ///< --out or LOAM_BENCH_OUT: where the raw JSON goes; empty: nowhere
  int limit = 0;                 ///< --limit: at most so many questions; 0: all
  bool sweep = false;            ///< --sweep: try settings on the training questions instead of reporting
};

/// Parses the flags all benchmarks share and leaves the rest in `others` as "name=value" or "name".
Settings settings_from(int argc, char** argv, std::vector<std::string>* others = nullptr);

/// The value of a "name=value" entry, or `fallback`.
std::string other(const std::vector<std::string>& others, std::string_view name, std::string_view fallback);

[[noreturn]] void fail(const std::string& line);

/// The value, or the end of the program with the error's line and exit status 2.
template <typename T>
T must(Result<T> result) {
  if (!result) fail(result.error().line());
  return std::move(*result);
}
inline void must(const Result<void>& result) {
  if (!result) fail(result.error().line());
}

/// Says on stderr how far a loop is, once in `step` items.
ProgressSink told_every(std::uint64_t step);

double median(std::vector<double> values);
/// Nearest-rank percentile, share in 0..1. 0 for no values.
double percentile(std::vector<double> values, double share);
/// {"p50","p95","mean","n"} of a list of durations.
Json spread(const std::vector<double>& values);
/// {"value","low","high","n"}
Json to_json(const eval::Estimate& estimate);
/// "0.7123 [0.6810, 0.7431]"
std::string shown(const eval::Estimate& estimate);

/// Processor, cores, memory, kernel, compiler, build type, commit (LOAM_BENCH_COMMIT), time and load
/// averages.
Json machine();

/// "2026-11-22-amd-epyc-2c": the folder of bench/runs that a run of today belongs to.
std::string run_folder_name();

/// Writes {"name","machine","result"} to <out>/<name>.json, where out is not empty.
void keep(const Settings& settings, const std::string& name, const Json& result,
          const Json& machine_at_start);

}  // namespace loam::bench
