// What the parts of the improvement cycle share. Internal to tasks.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tasks/improve.h"

namespace loam::tasks {

/// The arms of the first round: the current settings, then every single change in an order drawn by `seed`,
/// then pairs of changes. Each once.
std::vector<Arm> first_arms(const ImprovePipeline& pipeline, std::uint64_t seed);

/// The arms of the second round: the current settings, the best so far, then the best with one or two of the
/// other good changes, and with its own values one step further. `ranked` is the first round, best first.
std::vector<Arm> second_arms(const ImprovePipeline& pipeline, const Arm& best,
                             const std::vector<Arm>& ranked);

std::string id_of(const Arm& arm);

/// Trials of one search, from the ledger and into it.
class TrialBook {
 public:
  /// `search` names the search; `fresh`: what was recorded before does not count.
  static Result<TrialBook> open(store::Store& ledger, const std::string& task, const std::string& search,
                                bool fresh);

  struct Kept {
    std::vector<eval::ItemResult> items;
    double seconds = 0;
    RunId run{};
  };
  /// The results of the arm's items `from` to `to`, with the seconds they took then.
  const Kept* find(const Arm& arm, std::size_t from, std::size_t to) const;
  /// Both contestants of an unfinished look at the held-out part.
  const Kept* find_held_out(const std::string& contestant, int look) const;

 private:
  std::map<std::string, Kept> kept_;
};

/// How often the held-out part of this data was looked at for this task, and by which rows.
struct EarlierLooks {
  int looks = 0;
  std::vector<RunId> runs;
  int unfinished = 0;  ///< number of a look of this very search that has no row of task "improve" yet
};
Result<EarlierLooks> earlier_looks(store::Store& ledger, const std::string& task,
                                   const eval::DataVersion& data, const std::string& search);

/// A search of this scope and data that has trials but no end, and was begun on another collection state.
struct Unfinished {
  RunId run{};
  bool other_collection = false;
};
Result<std::optional<Unfinished>> unfinished_search(store::Store& ledger, const std::string& task,
                                                    const eval::DataVersion& data, const std::string& scope,
                                                    const std::string& search, const std::string& collection);

}  // namespace loam::tasks
