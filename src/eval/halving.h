// Successive halving: the best of many arms for less than measuring each of them on everything. All arms are
// measured on a few items, the better third goes on to three times as many, and so on (Karnin, Koren &
// Somekh, "Almost Optimal Exploration in Multi-Armed Bandits", ICML 2013; Jamieson & Talwalkar, AISTATS
// 2016). It knows arms and items by their number alone, and nothing of what they are.
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <stop_token>
#include <vector>

#include "base/result.h"

namespace loam::eval {

struct HalvingOptions {
  double keep = 1.0 / 3.0;      ///< share of the arms that goes on to the next rung, which has 1/keep as many
                                ///< items
  std::size_t least_items = 8;  ///< of the first rung
  std::size_t most_trials = 0;  ///< arms and rungs that may be measured; 0: no limit
  double budget_seconds = 0;    ///< of all trials together; 0: no limit
};

/// One arm is to be measured on the items `from` to `to`, counted in the order of the search; it has been
/// measured on those before `from` already.
struct Trial {
  std::size_t arm = 0;
  int rung = 0;  ///< from 0
  std::size_t from = 0, to = 0;
  double seconds_left = std::numeric_limits<double>::infinity();  ///< of the budget
};

/// What came of it. Fewer scores than items: `seconds_left` was used up, or the search is to stop.
struct Measured {
  std::vector<double> scores;  ///< higher is better
  double seconds = 0;          ///< that it took, and is counted against the budget
};

/// The same trial must give the same scores, whenever it is asked for.
using Measure = std::function<Result<Measured>(const Trial& trial)>;

struct ArmStanding {
  std::size_t arm = 0;
  std::size_t items = 0;  ///< it was measured on; 0: it was not tried
  double mean = 0;        ///< over these
  double seconds = 0;
  int rungs = 0;
};

struct HalvingResult {
  std::vector<ArmStanding> arms;  ///< those on most items first, of these the best first, of equal ones the
                                  ///< first given
  std::size_t winner = 0;         ///< the best on the last rung that has someone to compare
  std::size_t trials = 0, untried = 0;
  int rungs = 0;
  double seconds = 0;
  bool out_of_budget = false;  ///< it ended early: arms were left out or not measured on everything
  bool stopped = false;
};

/// How many trials `arms` arms over `items` items take in all.
std::size_t halving_trials(std::size_t arms, std::size_t items, const HalvingOptions& options);

/// Arm 0 is what there is now: it is measured first on each rung and never dropped, so that the winner has
/// been compared with it on all of the winner's items. Where trials or time do not suffice for all arms, the
/// last ones given are left out. A trial that the budget is not expected to hold is not begun; one that turns
/// out longer is told when to end, and does not count. So the same answers of `measure`, seconds included,
/// give the same result: a search that was interrupted is repeated from what was written down.
/// bad_request for no arms or no items; out_of_room when the budget ends before arm 0 was measured on the
/// first rung, with how much it would take. Errors of `measure` are handed on.
Result<HalvingResult> halve(std::size_t arms, std::size_t items, const HalvingOptions& options,
                            const Measure& measure, std::stop_token stop = {});

}  // namespace loam::eval
