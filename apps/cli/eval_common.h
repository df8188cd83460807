// What the verbs of `loam eval` and everything else that leaves a run in the ledger share: a run begins with
// its cost meter, ends as one row with its items, and is shown as a table or as JSON.
#pragma once

#include <string>
#include <vector>

#include "base/json_fwd.h"
#include "cli/context.h"
#include "eval/estimate_json.h"
#include "eval/ledger.h"

namespace loam::cli {

/// A run that is being measured. Its cost is counted from start_run() on.
struct EvalRun {
  eval::Run run;
  eval::CostMeter meter;
};

/// Fills in what every run has: task, contestant, data, version. `settings` of the run is "{}".
EvalRun start_run(std::string task, std::string name, eval::DataVersion data);

/// Hash of the model's whole file: two runs with the same name and other weights can be told apart.
Result<eval::ModelUse> model_use(std::string role, std::string name, const std::filesystem::path& file);

/// Takes the cost (`tokens`: of all that models read and wrote) and writes the run with its items into the
/// store at HOME, which is made when missing. Sets run.id.
Result<RunId> finish_run(Context& context, EvalRun& measured, std::uint64_t tokens);

/// 0.6630 [0.6410, 0.6842]; digits after the point as given.
std::string estimate_text(const eval::Estimate& estimate, int digits = 4);

/// One line for each metric: name, value, interval, n.
void print_metrics(Terminal& terminal, const std::vector<eval::Metric>& metrics);
/// "2,410 tokens in 4.2 s. Ledger run 12." where people want it.
void print_run_line(Terminal& terminal, const eval::Run& run);
/// Notes on the data, each with its first lines; to standard error.
void print_notes(Terminal& terminal, const std::vector<eval::DataNote>& notes);

/// {"run","task","name","data":{...},"metrics":{name:{"value","low","high","n"}},"seconds","tokens",...}:
/// what every `loam eval ... --json` prints; a verb adds its own keys.
Json run_json(const eval::Run& run);
Json notes_json(const std::vector<eval::DataNote>& notes);

}  // namespace loam::cli
