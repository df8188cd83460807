// What a month of a method costs: machine, people, mistakes.
#include <algorithm>
#include <cmath>

#include "tasks/advise.h"

namespace loam::tasks {
namespace {

constexpr double kDaysPerMonth = 365.25 / 12.0;
constexpr double kHoursPerMonth = 24.0 * kDaysPerMonth;
constexpr double kMillisecondsPerHour = 3.6e6;
// A target below a coin's toss is none, and one near 1 cannot be shown with any number of items at hand.
constexpr double kLowestTarget = 0.5;
constexpr double kHighestTarget = 0.995;

}  // namespace

std::optional<double> implied_target(double error_cost, double check_cost) {
  if (error_cost <= 0 || check_cost <= 0 || check_cost >= error_cost) return std::nullopt;
  return std::clamp(1.0 - check_cost / error_cost, kLowestTarget, kHighestTarget);
}

MonthlyCost monthly_cost(const Situation& situation, const Candidate& candidate) {
  MonthlyCost cost;
  cost.items = situation.items_per_day * kDaysPerMonth;
  cost.machine_hours = cost.items * candidate.ms_per_item / kMillisecondsPerHour;
  cost.machines = cost.machine_hours / kHoursPerMonth;
  double decided = 0, wrong = 0;
  const auto n = static_cast<double>(std::max<std::size_t>(candidate.scores.size(), 1));
  // People take part only where the method can say what it is unsure of, and where their time is counted.
  const bool shared_with_people = candidate.knows_doubt && situation.check_cost > 0;
  for (std::size_t i = 0; i < candidate.scores.size(); ++i) {
    if (shared_with_people && !candidate.decided[i]) continue;
    decided += 1;
    wrong += 1 - candidate.scores[i];
  }
  cost.by_people = candidate.scores.empty() ? 0 : cost.items * (1 - decided / n);
  cost.wrong = cost.items * wrong / n;
  // Whole machines once one is full; until then only the hours that are used.
  if (situation.machine_month > 0) {
    cost.machine = situation.machine_month * (cost.machines <= 1 ? cost.machines : std::ceil(cost.machines));
  }
  if (situation.check_cost > 0) cost.people = cost.by_people * situation.check_cost;
  if (situation.error_cost > 0) cost.mistakes = cost.wrong * situation.error_cost;
  cost.total = cost.machine.value_or(0) + cost.people.value_or(0) + cost.mistakes.value_or(0);
  return cost;
}

}  // namespace loam::tasks
