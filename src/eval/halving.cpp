#include "eval/halving.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace loam::eval {
namespace {

/// How many arms stand on each rung, and how many items it has.
struct Rung {
  std::size_t arms = 0, items = 0;
};

int rungs_for(std::size_t arms, std::size_t items, const HalvingOptions& options) {
  int rungs = 1;
  auto fewest = static_cast<double>(items);
  auto left = static_cast<double>(arms);
  while (fewest * options.keep >= static_cast<double>(options.least_items) && left > 2) {
    fewest *= options.keep;
    left *= options.keep;
    ++rungs;
  }
  return rungs;
}

std::vector<Rung> plan_of(std::size_t arms, std::size_t items, const HalvingOptions& options) {
  const int rungs = rungs_for(arms, items, options);
  std::vector<Rung> plan;
  auto left = static_cast<double>(arms);
  for (int r = 0; r < rungs; ++r) {
    Rung rung;
    // The current arm and one to compare it with come to the end of every plan.
    rung.arms = std::min(arms, std::max<std::size_t>(2, static_cast<std::size_t>(std::ceil(left - 1e-9))));
    rung.items = static_cast<std::size_t>(
        std::ceil(static_cast<double>(items) * std::pow(options.keep, rungs - 1 - r) - 1e-9));
    plan.push_back(rung);
    left *= options.keep;
  }
  return plan;
}

std::size_t trials_of(const std::vector<Rung>& plan) {
  std::size_t trials = 0;
  for (const Rung& rung : plan) trials += rung.arms;
  return trials;
}

struct Arm {
  std::vector<double> scores;
  double seconds = 0;
  int rungs = 0;

  double mean(std::size_t items) const {
    double sum = 0;
    for (std::size_t i = 0; i < items; ++i) sum += scores[i];
    return items == 0 ? 0 : sum / static_cast<double>(items);
  }
};

class Search {
 public:
  Search(std::size_t arms, std::size_t items, const HalvingOptions& options, const Measure& measure,
         std::stop_token stop)
      : arms_(arms),
        items_(items),
        options_(options),
        measure_(measure),
        stop_(std::move(stop)),
        all_(arms) {}

  Result<HalvingResult> run() {
    std::size_t entered = arms_;
    if (options_.most_trials > 0) {
      while (entered > 1 && trials_of(plan_of(entered, items_, options_)) > options_.most_trials) --entered;
    }
    plan_ = plan_of(entered, items_, options_);
    std::vector<std::size_t> standing(entered);
    for (std::size_t i = 0; i < entered; ++i) standing[i] = i;
    if (entered < arms_) result_.out_of_budget = true;

    for (int r = 0; r < static_cast<int>(plan_.size()) && !ended_; ++r) {
      const Rung& rung = plan_[static_cast<std::size_t>(r)];
      if (r > 0) standing = survivors(standing, r);
      if (Result<void> measured = measure_rung(standing, rung, r); !measured) return measured.error();
      if (all_[0].scores.size() < rung.items) break;
      result_.rungs = r + 1;
      std::erase_if(standing, [&](std::size_t arm) { return all_[arm].scores.size() < rung.items; });
    }
    finish();
    return std::move(result_);
  }

 private:
  double left() const {
    return options_.budget_seconds > 0 ? options_.budget_seconds - result_.seconds
                                       : std::numeric_limits<double>::infinity();
  }

  /// What one item takes: of the arm itself once it was measured, before that the mean of all.
  double seconds_per_item(std::size_t arm) const {
    if (!all_[arm].scores.empty()) return all_[arm].seconds / static_cast<double>(all_[arm].scores.size());
    return measured_items_ == 0 ? 0 : result_.seconds / static_cast<double>(measured_items_);
  }

  /// The best arms of the rung before, as many as the plan and the time allow, arm 0 first.
  std::vector<std::size_t> survivors(const std::vector<std::size_t>& standing, int r) {
    const std::size_t items = plan_[static_cast<std::size_t>(r - 1)].items;
    std::vector<std::pair<double, std::size_t>> ranked;
    for (const std::size_t arm : standing) {
      if (arm != 0) ranked.emplace_back(-all_[arm].mean(items), arm);
    }
    std::sort(ranked.begin(), ranked.end());
    // Fewer arms than planned may have been measured: then fewer go on.
    const auto share =
        static_cast<std::size_t>(std::ceil(static_cast<double>(standing.size()) * options_.keep - 1e-9));
    const std::size_t wanted =
        std::min(plan_[static_cast<std::size_t>(r)].arms, std::max<std::size_t>(2, share));
    const std::size_t more = plan_[static_cast<std::size_t>(r)].items - items;
    const double allowed = left() / static_cast<double>(plan_.size() - static_cast<std::size_t>(r));
    std::vector<std::size_t> kept = {0};
    double expected = seconds_per_item(0) * static_cast<double>(more);
    for (const auto& [worse, arm] : ranked) {
      if (kept.size() >= wanted) break;
      expected += seconds_per_item(arm) * static_cast<double>(more);
      // One challenger always goes on; whether it still fits is seen when its turn comes.
      if (kept.size() >= 2 && expected > allowed) {
        result_.out_of_budget = true;
        break;
      }
      kept.push_back(arm);
    }
    return kept;
  }

  Result<void> measure_rung(const std::vector<std::size_t>& standing, const Rung& rung, int r) {
    const double at_start = result_.seconds;
    // The rungs cost about the same; the first one must not eat what the others need.
    const double share = left() / static_cast<double>(static_cast<int>(plan_.size()) - r);
    std::size_t measured = 0;
    for (const std::size_t arm : standing) {
      const std::size_t from = all_[arm].scores.size();
      if (from >= rung.items) continue;
      if (stop_.stop_requested()) {
        ended_ = result_.stopped = true;
        return done();
      }
      const double expected = seconds_per_item(arm) * static_cast<double>(rung.items - from);
      const bool over_share = r == 0 && measured >= 3 && result_.seconds - at_start + expected > share;
      if (over_share || expected > left() || (left() <= 0 && options_.budget_seconds > 0)) {
        result_.out_of_budget = true;
        if (arm != 0) continue;
        ended_ = true;
        return done();
      }
      Result<Measured> got = measure_({arm, r, from, rung.items, left()});
      if (!got) return got.error();
      result_.seconds += got->seconds;
      const bool whole = got->scores.size() == rung.items - from;
      if (whole) {
        ++result_.trials;
        ++measured;
        measured_items_ += got->scores.size();
        all_[arm].seconds += got->seconds;
        all_[arm].rungs = r + 1;
        all_[arm].scores.insert(all_[arm].scores.end(), got->scores.begin(), got->scores.end());
        continue;
      }
      if (stop_.stop_requested()) {
        ended_ = result_.stopped = true;
        return done();
      }
      result_.out_of_budget = true;
      if (arm == 0 && r == 0) {
        const double each = got->scores.empty() ? 0 : got->seconds / static_cast<double>(got->scores.size());
        return too_short(rung.items, got->scores.size(), got->seconds, each);
      }
      if (arm == 0) {
        ended_ = true;  // nobody can be compared with it on this rung
        return done();
      }
    }
    return done();
  }

  Error too_short(std::size_t wanted, std::size_t got, double seconds, double each) const {
    const auto whole = [](double value) { return std::to_string(static_cast<long long>(std::ceil(value))); };
    std::string message = "it ended after " + whole(seconds) +
                          " s, when the current settings had been measured on " + std::to_string(got) +
                          " of " + std::to_string(wanted) + " items";
    std::string next = "a longer one";
    if (each > 0) {
      next = "at least " + whole(each * static_cast<double>(wanted) * 4 * static_cast<double>(plan_.size())) +
             "s";
      message += "; not one trial fits";
    }
    return {Kind::out_of_room, "the budget", std::move(message), std::move(next)};
  }

  void finish() {
    for (std::size_t i = 0; i < all_.size(); ++i) {
      const Arm& arm = all_[i];
      if (arm.scores.empty()) ++result_.untried;
      result_.arms.push_back({i, arm.scores.size(), arm.mean(arm.scores.size()), arm.seconds, arm.rungs});
    }
    std::stable_sort(result_.arms.begin(), result_.arms.end(),
                     [](const ArmStanding& x, const ArmStanding& y) {
                       return x.items != y.items ? x.items > y.items : x.mean > y.mean;
                     });
    // The deepest rung on which arm 0 has company.
    for (int rungs = all_[0].rungs; rungs > 0; --rungs) {
      std::vector<std::size_t> there;
      for (std::size_t i = 0; i < all_.size(); ++i) {
        if (all_[i].rungs >= rungs) there.push_back(i);
      }
      if (there.size() < 2 && rungs > 1) continue;
      const std::size_t items = plan_[static_cast<std::size_t>(rungs - 1)].items;
      std::size_t best = there.front();
      for (const std::size_t i : there) {
        if (all_[i].mean(items) > all_[best].mean(items)) best = i;
      }
      result_.winner = best;
      return;
    }
  }

  std::size_t arms_, items_;
  HalvingOptions options_;
  const Measure& measure_;
  std::stop_token stop_;
  std::vector<Arm> all_;
  std::vector<Rung> plan_;
  HalvingResult result_;
  std::size_t measured_items_ = 0;
  bool ended_ = false;
};

}  // namespace

std::size_t halving_trials(std::size_t arms, std::size_t items, const HalvingOptions& options) {
  return trials_of(plan_of(arms, items, options));
}

Result<HalvingResult> halve(std::size_t arms, std::size_t items, const HalvingOptions& options,
                            const Measure& measure, std::stop_token stop) {
  if (arms == 0 || items == 0 || !(options.keep > 0 && options.keep < 1)) {
    return Error{Kind::bad_request, "successive halving", "there is nothing to choose from",
                 "give arms, items and a share to keep"};
  }
  return Search(arms, items, options, measure, std::move(stop)).run();
}

}  // namespace loam::eval
