#include "eval/halving.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "eval/held_out.h"
#include "eval/resample.h"

namespace loam::eval {
namespace {

/// Arms that are right on an item with a probability of their own. The same item is as hard for all of them.
struct Synthetic {
  std::vector<double> right;
  std::uint64_t seed = 1;
  double seconds_each = 1;
  std::size_t asked = 0;
  std::vector<Trial> trials;

  double score(std::size_t arm, std::size_t item) const {
    RandomStream common(seed, item);
    RandomStream own(seed + 1000 * (arm + 1), item);
    const double luck = 0.5 * common.uniform() + 0.5 * own.uniform();
    return luck < 1 - right[arm] ? 0 : 1;
  }
  Measure measure() {
    return [this](const Trial& trial) -> Result<Measured> {
      trials.push_back(trial);
      Measured measured;
      for (std::size_t item = trial.from; item < trial.to; ++item) {
        if (measured.seconds + seconds_each > trial.seconds_left) break;
        measured.scores.push_back(score(trial.arm, item));
        measured.seconds += seconds_each;
        ++asked;
      }
      return measured;
    };
  }
};

bool same(const HalvingResult& a, const HalvingResult& b) {
  if (a.winner != b.winner || a.trials != b.trials || a.seconds != b.seconds ||
      a.arms.size() != b.arms.size())
    return false;
  for (std::size_t i = 0; i < a.arms.size(); ++i) {
    if (a.arms[i].arm != b.arms[i].arm || a.arms[i].items != b.arms[i].items ||
        a.arms[i].mean != b.arms[i].mean)
      return false;
  }
  return true;
}

// proves P-IMPROVE-01
TEST(Halving, finds_the_best_arm_for_a_fraction_of_measuring_all_of_them) {
  constexpr int kSearches = 200;
  constexpr std::size_t kArms = 27, kItems = 270;
  int best = 0;
  std::size_t asked = 0;
  for (int search = 0; search < kSearches; ++search) {
    Synthetic arms;
    arms.seed = static_cast<std::uint64_t>(search) + 1;
    arms.right.assign(kArms, 0.5);
    arms.right[static_cast<std::size_t>(search) % (kArms - 1) + 1] = 0.75;
    arms.right[0] = 0.55;
    const auto found = halve(kArms, kItems, {}, arms.measure());
    ASSERT_TRUE(found.ok());
    asked += arms.asked;
    if (arms.right[found->winner] >= 0.75) ++best;
  }
  EXPECT_GE(best, 190) << "of " << kSearches;
  EXPECT_LT(asked, kSearches * kArms * kItems / 4);
}

TEST(Halving, what_there_is_now_is_measured_on_all_that_the_winner_was) {
  Synthetic arms;
  arms.right = {0.1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2};
  const auto found = halve(9, 90, {}, arms.measure());
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->winner, 1U);
  for (const ArmStanding& arm : found->arms) {
    if (arm.arm == 0 || arm.arm == found->winner) {
      EXPECT_EQ(arm.items, 90U);
    }
  }
}

TEST(Halving, of_equal_arms_what_there_is_now_wins) {
  Synthetic arms;
  const Measure equal = [&](const Trial& trial) -> Result<Measured> {
    return Measured{std::vector<double>(trial.to - trial.from, 0.5), 0};
  };
  const auto found = halve(12, 60, {}, equal);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->winner, 0U);
}

TEST(Halving, no_item_of_an_arm_is_measured_twice) {
  Synthetic arms;
  arms.right.assign(18, 0.5);
  ASSERT_TRUE(halve(18, 100, {}, arms.measure()).ok());
  std::set<std::pair<std::size_t, std::size_t>> seen;
  for (const Trial& trial : arms.trials) {
    for (std::size_t item = trial.from; item < trial.to; ++item)
      EXPECT_TRUE(seen.insert({trial.arm, item}).second) << trial.arm << " " << item;
  }
}

// proves P-IMPROVE-02
TEST(Halving, never_exceeds_its_budget_whatever_arms_cost) {
  for (int search = 0; search < 300; ++search) {
    RandomStream random(7, static_cast<std::uint64_t>(search));
    const std::size_t arms = 1 + random.below(40);
    const std::size_t items = 1 + random.below(200);
    std::vector<double> cost;
    for (std::size_t i = 0; i < arms; ++i) cost.push_back(0.01 + 3 * random.uniform() * random.uniform());
    HalvingOptions options;
    options.budget_seconds = 1 + 400 * random.uniform();
    double spent = 0;
    const Measure measure = [&](const Trial& trial) -> Result<Measured> {
      Measured measured;
      for (std::size_t i = trial.from; i < trial.to; ++i) {
        if (measured.seconds + cost[trial.arm] > trial.seconds_left) break;
        measured.seconds += cost[trial.arm];
        measured.scores.push_back(static_cast<double>((trial.arm * 31 + i * 17) % 10) / 10);
      }
      spent += measured.seconds;
      return measured;
    };
    const auto found = halve(arms, items, options, measure);
    EXPECT_LE(spent, options.budget_seconds + 1e-9);
    if (found) {
      EXPECT_DOUBLE_EQ(found->seconds, spent);
    } else {
      EXPECT_EQ(found.error().kind, Kind::out_of_room);
      EXPECT_NE(found.error().next_step.find("at least"), std::string::npos);
    }
  }
}

TEST(Halving, takes_no_more_trials_than_allowed) {
  for (std::size_t most = 1; most < 60; ++most) {
    Synthetic arms;
    arms.right.assign(30, 0.5);
    HalvingOptions options;
    options.most_trials = most;
    const auto found = halve(30, 200, options, arms.measure());
    ASSERT_TRUE(found.ok());
    EXPECT_LE(found->trials, most);
    EXPECT_EQ(arms.trials.size(), found->trials);
    EXPECT_GE(found->trials, std::min<std::size_t>(most, 2)) << most;
  }
}

// proves P-IMPROVE-03
TEST(Halving, resumed_at_any_point_it_ends_as_if_it_had_never_been_interrupted) {
  const auto searched = [](std::size_t die_after, std::map<std::vector<std::size_t>, Measured>& kept,
                           Synthetic& arms) {
    std::size_t done_now = 0;
    std::stop_source stop;
    const Measure inner = arms.measure();
    const Measure remembering = [&](const Trial& trial) -> Result<Measured> {
      const std::vector<std::size_t> key = {trial.arm, trial.from, trial.to};
      if (const auto known = kept.find(key); known != kept.end()) return known->second;
      if (done_now++ == die_after) {
        stop.request_stop();
        return Measured{};
      }
      auto got = inner(trial);
      if (got && got->scores.size() == trial.to - trial.from) kept[key] = *got;
      return got;
    };
    HalvingOptions options;
    options.budget_seconds = 2500;
    return halve(27, 270, options, remembering, stop.get_token());
  };
  Synthetic whole;
  for (int i = 0; i < 27; ++i) whole.right.push_back(0.3 + 0.02 * i);
  std::map<std::vector<std::size_t>, Measured> nothing;
  const auto uninterrupted = searched(1'000'000, nothing, whole);
  ASSERT_TRUE(uninterrupted.ok());
  ASSERT_GT(uninterrupted->trials, 10U);
  for (std::size_t die_after = 0; die_after < uninterrupted->trials; ++die_after) {
    std::map<std::vector<std::size_t>, Measured> kept;
    Synthetic arms = whole;
    arms.trials.clear();
    const auto stopped = searched(die_after, kept, arms);
    ASSERT_TRUE(stopped.ok());
    EXPECT_TRUE(stopped->stopped);
    const auto resumed = searched(1'000'000, kept, arms);
    ASSERT_TRUE(resumed.ok());
    EXPECT_TRUE(same(*resumed, *uninterrupted)) << die_after;
    EXPECT_EQ(arms.trials.size(), whole.trials.size()) << "a finished trial was repeated";
  }
}

TEST(Halving, refuses_nothing_to_choose_from) {
  Synthetic arms;
  EXPECT_EQ(halve(0, 10, {}, arms.measure()).error().kind, Kind::bad_request);
  EXPECT_EQ(halve(3, 0, {}, arms.measure()).error().kind, Kind::bad_request);
}

TEST(Halving, an_error_of_a_trial_ends_the_search) {
  const Measure broken = [](const Trial&) -> Result<Measured> {
    return Error{Kind::unavailable, "model", "it is gone", "bring it back"};
  };
  EXPECT_EQ(halve(3, 10, {}, broken).error().place, "model");
}

// Held-out parts -----------------------------------------------------------------------------------------

std::vector<std::string> groups(std::size_t items, std::size_t group_count) {
  std::vector<std::string> of;
  for (std::size_t i = 0; i < items; ++i) of.push_back("g" + std::to_string(i % group_count));
  return of;
}

// proves P-IMPROVE-04
TEST(HeldOut, no_group_stands_in_both_parts_and_no_item_is_lost) {
  for (std::uint64_t seed = 1; seed < 20; ++seed) {
    const std::vector<std::string> of = groups(200, 40);
    const auto split = hold_out(of, 0.4, seed);
    ASSERT_TRUE(split.ok());
    std::set<std::string> here, there;
    std::set<std::size_t> items;
    for (const std::size_t i : split->development) here.insert(of[i]), items.insert(i);
    for (const std::size_t i : split->held_out) there.insert(of[i]), items.insert(i);
    EXPECT_EQ(items.size(), 200U);
    EXPECT_EQ(split->development.size() + split->held_out.size(), 200U);
    for (const std::string& group : here) EXPECT_FALSE(there.contains(group));
    EXPECT_NEAR(static_cast<double>(split->held_out.size()), 80, 3);
  }
}

TEST(HeldOut, most_items_stay_in_their_part_when_the_data_grows) {
  std::vector<std::string> of;
  for (int i = 0; i < 300; ++i) of.push_back("question " + std::to_string(i));
  const auto before = hold_out(of, 0.4, 1);
  for (int i = 300; i < 330; ++i) of.push_back("question " + std::to_string(i));
  const auto after = hold_out(of, 0.4, 1);
  ASSERT_TRUE(before.ok() && after.ok());
  const std::set<std::size_t> held(before->held_out.begin(), before->held_out.end());
  std::size_t leaked = 0;
  for (const std::size_t i : after->development) leaked += held.contains(i) ? 1 : 0;
  EXPECT_LT(leaked, held.size() / 10);
}

TEST(HeldOut, too_few_groups_are_refused_with_how_many_are_needed) {
  const auto refused = hold_out(groups(100, 5), 0.4, 1);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, Kind::bad_data);
  EXPECT_NE(refused.error().next_step.find("15"), std::string::npos);
  EXPECT_EQ(hold_out({}, 0.4, 1).error().kind, Kind::bad_data);
  EXPECT_EQ(hold_out(groups(100, 50), 0.99, 1).error().kind, Kind::bad_request);
}

TEST(HeldOut, the_needed_number_of_equal_groups_is_enough) {
  for (const double share : {0.2, 0.3, 0.4, 0.5, 0.6}) {
    const std::size_t needed = groups_needed(share);
    for (std::uint64_t seed = 1; seed < 10; ++seed)
      EXPECT_TRUE(hold_out(groups(needed, needed), share, seed).ok()) << share << " " << needed;
  }
}

TEST(HeldOut, groups_take_turns_in_the_order_of_the_search) {
  const std::vector<std::string> of = groups(120, 30);
  const auto split = hold_out(of, 0.4, 3);
  ASSERT_TRUE(split.ok());
  std::set<std::string> first;
  for (std::size_t i = 0; i < split->development_groups; ++i) first.insert(of[split->development[i]]);
  EXPECT_EQ(first.size(), split->development_groups);
}

}  // namespace
}  // namespace loam::eval
