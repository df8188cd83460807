// Several contestants over the same items: each becomes a run of the ledger, and the first is compared with
// the others.
#pragma once

#include <string>
#include <vector>

#include "base/json_fwd.h"
#include "cli/eval_common.h"

namespace loam::cli {

struct Contestant {
  std::string name;
  std::vector<eval::ItemResult> items;
  std::vector<eval::Metric> metrics;
};

struct ContestantRuns {
  std::vector<eval::Run> runs;  ///< recorded, in the order given
  std::vector<eval::Comparison>
      comparisons;  ///< of each later one with the first, Holm-adjusted in `adjusted_p`
  std::vector<double> adjusted_p;
};

/// What every contestant of one pass has in common.
struct Pass {
  EvalRun measured;             ///< started before the pass; names the task and the data
  std::string settings = "{}";  ///< JSON
  std::vector<eval::ModelUse> models;
  std::uint64_t tokens = 0;
  std::string compared;  ///< the metric by which they are compared
};

/// The cost of a pass cannot be split: it stands in the first row, and the others say so in their settings.
Result<ContestantRuns> record_contestants(Context& context, Pass pass, std::vector<Contestant> contestants);

/// A table of all of them, then a sentence for each comparison.
void print_contestants(Terminal& terminal, const ContestantRuns& recorded);
/// {"task","runs":[...],"comparisons":[...]}
Json contestants_json(const ContestantRuns& recorded);

/// The models a verb has open, with the hashes of their files.
Result<std::vector<eval::ModelUse>> models_in_use(Context& context, bool chat, bool embedder);

/// Keeps the first `limit` of the cases (0: all) and says so.
template <typename Cases>
void keep_first(Context& context, Cases& cases, eval::DataVersion& version) {
  const auto limit = static_cast<std::size_t>(context.options().cases);
  if (limit == 0 || cases.size() <= limit) return;
  context.terminal().note("the first " + std::to_string(limit) + " of " + std::to_string(cases.size()) +
                          " items (--limit)");
  cases.resize(limit);
  version.items = limit;
}

}  // namespace loam::cli
