// Who is best at one task, by how much, at which cost, and who is just as good as far as these items can
// tell.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "eval/chart.h"
#include "eval/ledger.h"

namespace loam::eval {

/// One contestant: its latest run on the board's data.
struct BoardRow {
  Run run;  ///< without items
  Estimate estimate;
  /// The best against this one, on the items both have: difference = best - this. Empty for the best itself
  /// and for a run that shares no item with it.
  std::optional<PairedResult> behind;
  double p = 1;           ///< of `behind`, after Holm's correction over the board
  bool is_best = false;   ///< first of the board
  bool not_worse = true;  ///< the best, or not significantly worse than it
};

struct Leaderboard {
  std::string task;
  std::string metric;
  bool higher_is_better = true;
  DataVersion data;            ///< every row was scored on exactly this
  std::string split;           ///< and on this part of it
  double level = 0.05;         ///< at which `not_worse` was decided
  std::vector<BoardRow> rows;  ///< best first
  /// Other data or parts of it that runs of this task were scored on: "tickets.csv (1f3a…), test: 4 runs".
  std::vector<std::string> others;
  std::vector<std::string> notes;  ///< what a reader should know: left-out runs, contestants not compared
};

struct LeaderboardOptions {
  std::string data;    ///< name of the data file or the beginning of its hash; empty: that of the newest run
  std::string split;   ///< empty: that of the newest run on the data
  std::string metric;  ///< empty: the first metric of the newest run
  CompareOptions compare;
};

/// bad_request when no run of the task fits.
Result<Leaderboard> leaderboard(store::Store& store, std::string_view task,
                                const LeaderboardOptions& options = {});

/// One plain sentence: "embeddings+logreg is best with 0.871; tfidf+logreg is not significantly worse."
std::string summary_of(const Leaderboard& board);

/// The board as a chart with intervals.
IntervalChart chart_of(const Leaderboard& board);
/// The board as a page of its own: chart, table, what it was measured on.
std::string html_of(const Leaderboard& board);

}  // namespace loam::eval
