#include "tasks/improve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "store/testing/sample.h"
#include "tasks/improve_parts.h"
#include "tasks/testing/toy_pipeline.h"

namespace loam::tasks {
namespace {

using testing::HandClock;
using ::testing::HasSubstr;
using testing::ToyPipeline;

class Improve : public ::testing::Test {
 protected:
  void SetUp() override { open(); }
  void open() {
    auto opened = store::Store::open(folder_ / ("ledger" + std::to_string(++stores_) + ".db"));
    ASSERT_TRUE(opened.ok()) << opened.error().line();
    ledger_ = std::move(*opened);
    auto collection = ledger_->ensure_collection("toys", "fake", "fingerprint", 4);
    ASSERT_TRUE(collection.ok());
    request_.scope = store::scope_of(collection->id);
    request_.scope_name = "collection \"toys\"";
    request_.trials = 40;
  }
  Result<Improvement> go() {
    return improve(pipeline_, *ledger_, request_, clock_, {}, pipeline_.stop.get_token());
  }
  std::size_t runs(const std::string& task, const std::string& part) {
    std::size_t count = 0;
    const auto all = eval::runs(*ledger_, task, 100'000);
    EXPECT_TRUE(all.ok());
    for (const eval::Run& run : *all) count += run.split == part ? 1 : 0;
    return count;
  }

  store::testing::TemporaryFolder folder_;
  int stores_ = 0;
  std::unique_ptr<store::Store> ledger_;
  HandClock clock_;
  ToyPipeline pipeline_{clock_};
  ImproveRequest request_;
};

// proves P-IMPROVE-05
TEST_F(Improve, a_true_improvement_is_found_confirmed_and_written_down) {
  const auto found = go();
  ASSERT_TRUE(found.ok()) << found.error().line();
  EXPECT_EQ(found->end, ImproveEnd::better);
  EXPECT_EQ(found->changes, (Arm{{"a", "2"}, {"b", "1"}}));
  EXPECT_EQ(found->winner_name, "alpha 2, beta 1");
  EXPECT_TRUE(found->recut);
  EXPECT_EQ(found->look, 1);
  ASSERT_TRUE(found->held_out.has_value());
  EXPECT_EQ(found->held_out->n, found->held_out_items);
  EXPECT_LT(found->held_out->p, 0.05);
  EXPECT_GT(found->held_out->difference.low, 0);
  EXPECT_EQ(pipeline_.asked_held_out, 2 * found->held_out_items);
  EXPECT_EQ(runs("toy", "dev"), found->trials);
  EXPECT_EQ(runs("toy", "held-out"), 2U);
  EXPECT_EQ(runs("improve", "held-out"), 1U);
  EXPECT_LE(found->trials, 40U);
  EXPECT_THAT(found->sentence, HasSubstr("kept aside"));
  // Any two of its runs can be compared later.
  const auto all = eval::runs(*ledger_, "toy", 2);
  const auto a = eval::load_run(*ledger_, (*all)[1].id), b = eval::load_run(*ledger_, (*all)[0].id);
  ASSERT_TRUE(a.ok() && b.ok());
  const auto compared = eval::compare_runs(*a, *b);
  ASSERT_TRUE(compared.ok());
  EXPECT_DOUBLE_EQ(compared->result.difference.value, found->held_out->difference.value);
}

// proves P-IMPROVE-06
TEST_F(Improve, settings_that_differ_by_luck_alone_are_hardly_ever_called_better) {
  constexpr int kSearches = 60;
  int called_better = 0, confirmed = 0;
  request_.trials = 14;
  for (int search = 0; search < kSearches; ++search) {
    open();
    ToyPipeline equal(clock_, 100);
    equal.gain_a = equal.gain_b = 0;
    equal.seed = 1000 + static_cast<std::uint64_t>(search);
    const auto found = improve(equal, *ledger_, request_, clock_);
    ASSERT_TRUE(found.ok()) << found.error().line();
    called_better += found->end == ImproveEnd::better ? 1 : 0;
    confirmed += found->held_out ? 1 : 0;
  }
  EXPECT_GT(confirmed, kSearches / 2) << "development flatters its winner: most searches must get this far";
  EXPECT_LE(called_better, 5) << "one-sided 2.5% of " << kSearches << ", with room for chance";
}

TEST_F(Improve, where_nothing_is_better_the_held_out_part_stays_unseen) {
  pipeline_.gain_a = pipeline_.gain_b = -0.3;
  pipeline_.base = 0.9;
  // Every other value is as good as the current one, item by item less luck: make luck harmless.
  const auto found = go();
  ASSERT_TRUE(found.ok());
  if (found->end == ImproveEnd::current_is_best) {
    EXPECT_EQ(pipeline_.asked_held_out, 0U);
    EXPECT_EQ(found->look, 0);
    EXPECT_TRUE(found->changes.empty());
  } else {
    EXPECT_NE(found->end, ImproveEnd::better);
  }
}

// proves P-IMPROVE-07
TEST_F(Improve, the_held_out_part_is_looked_at_once_unless_that_is_said) {
  const auto first = go();
  ASSERT_TRUE(first.ok());
  const std::size_t asked = pipeline_.asked;
  const auto refused = go();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, Kind::bad_request);
  EXPECT_THAT(refused.error().next_step, HasSubstr("--again"));
  EXPECT_EQ(pipeline_.asked, asked) << "nothing was run";
  // Another seed parts the same data in another way; that is a look at the same data too.
  request_.seed = 7;
  EXPECT_FALSE(go().ok());
  request_.seed = 1;
  request_.again = true;
  const auto second = go();
  ASSERT_TRUE(second.ok()) << second.error().line();
  EXPECT_EQ(second->look, 2);
  EXPECT_DOUBLE_EQ(second->level, 0.025);
  EXPECT_FALSE(second->notes.empty());
  const auto steps = improvement_history(*ledger_, "toy");
  ASSERT_TRUE(steps.ok());
  ASSERT_EQ(steps->size(), 2U);
  EXPECT_EQ(steps->front().look, 1);
  EXPECT_EQ(steps->back().look, 2);
  // New data is new.
  request_.again = false;
  pipeline_.change_data("more of it");
  EXPECT_TRUE(go().ok());
}

TEST_F(Improve, a_dry_run_never_sees_the_held_out_part_and_its_trials_are_kept) {
  request_.dry_run = true;
  const auto tried = go();
  ASSERT_TRUE(tried.ok());
  EXPECT_EQ(tried->end, ImproveEnd::dry_run);
  EXPECT_EQ(pipeline_.asked_held_out, 0U);
  EXPECT_EQ(runs("toy", "held-out"), 0U);
  const std::size_t asked = pipeline_.asked;
  request_.dry_run = false;
  const auto confirmed = go();
  ASSERT_TRUE(confirmed.ok()) << confirmed.error().line();
  EXPECT_EQ(confirmed->changes, tried->changes);
  EXPECT_EQ(confirmed->recalled, confirmed->trials);
  EXPECT_EQ(pipeline_.asked, asked + 2 * confirmed->held_out_items);
}

// proves P-IMPROVE-08
TEST_F(Improve, interrupted_anywhere_it_goes_on_and_ends_as_if_nothing_had_happened) {
  HandClock other_clock;
  ToyPipeline other(other_clock);
  const auto whole = improve(other, *ledger_, request_, other_clock);
  ASSERT_TRUE(whole.ok());
  for (const std::size_t after : {1UL, 40UL, 111UL, 200UL, 333UL, other.asked - 100, other.asked - 30}) {
    open();
    HandClock clock;
    ToyPipeline dying(clock);
    dying.asked_before_stop = after;
    const auto stopped = improve(dying, *ledger_, request_, clock, {}, dying.stop.get_token());
    ASSERT_TRUE(stopped.ok()) << stopped.error().line();
    EXPECT_EQ(stopped->end, ImproveEnd::stopped) << after;
    EXPECT_FALSE(stopped->run.has_value());
    ToyPipeline rest(clock);
    const auto resumed = improve(rest, *ledger_, request_, clock);
    ASSERT_TRUE(resumed.ok()) << resumed.error().line();
    EXPECT_EQ(resumed->end, whole->end);
    EXPECT_EQ(resumed->changes, whole->changes);
    EXPECT_EQ(resumed->trials, whole->trials);
    EXPECT_EQ(resumed->look, 1) << "a look that was interrupted is no second look";
    ASSERT_EQ(resumed->tried.size(), whole->tried.size());
    for (std::size_t i = 0; i < whole->tried.size(); ++i) {
      EXPECT_EQ(resumed->tried[i].name, whole->tried[i].name);
      EXPECT_EQ(resumed->tried[i].mean, whole->tried[i].mean);
    }
    EXPECT_EQ(resumed->held_out->difference.value, whole->held_out->difference.value);
    EXPECT_EQ(resumed->held_out->p, whole->held_out->p);
    EXPECT_EQ(runs("toy", "dev"), whole->trials) << "a finished trial was repeated";
    EXPECT_EQ(runs("toy", "held-out"), 2U);
  }
}

TEST_F(Improve, an_interrupted_search_of_a_changed_collection_is_not_taken_up_in_silence) {
  pipeline_.asked_before_stop = 100;
  ASSERT_EQ(go()->end, ImproveEnd::stopped);
  ToyPipeline changed(clock_);
  changed.collection = "with one more document";
  const auto refused = improve(changed, *ledger_, request_, clock_);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, Kind::bad_request);
  EXPECT_THAT(refused.error().next_step, HasSubstr("--fresh"));
  request_.fresh = true;
  const auto anew = improve(changed, *ledger_, request_, clock_);
  ASSERT_TRUE(anew.ok()) << anew.error().line();
  EXPECT_EQ(anew->recalled, 0U);
}

// proves P-IMPROVE-02
TEST_F(Improve, search_and_confirmation_stay_within_the_budget) {
  for (const double budget : {200.0, 500.0, 1000.0, 3000.0}) {
    open();
    HandClock clock;
    ToyPipeline pipeline(clock);
    request_.trials = 0;
    request_.budget_seconds = budget;
    const auto found = improve(pipeline, *ledger_, request_, clock);
    ASSERT_TRUE(found.ok()) << found.error().line();
    EXPECT_LE(clock.now, budget + pipeline.seconds_each);
    EXPECT_NEAR(found->seconds, clock.now, 1e-6);
  }
}

TEST_F(Improve, a_budget_too_short_for_one_trial_is_refused_with_what_it_would_take) {
  request_.trials = 0;
  request_.budget_seconds = 6;
  const auto refused = go();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, Kind::out_of_room);
  EXPECT_THAT(refused.error().next_step, HasSubstr("at least"));
  request_.budget_seconds = 0;
  EXPECT_EQ(go().error().kind, Kind::bad_request);
}

TEST_F(Improve, a_budget_without_room_for_the_confirmation_says_so_and_a_larger_one_goes_on) {
  request_.trials = 0;
  request_.budget_seconds = 220;
  auto found = go();
  ASSERT_TRUE(found.ok()) << found.error().line();
  if (found->end == ImproveEnd::out_of_budget) {
    EXPECT_EQ(pipeline_.asked_held_out, 0U);
    EXPECT_THAT(found->sentence, HasSubstr("larger budget"));
    EXPECT_FALSE(found->run.has_value());
  }
  request_.budget_seconds = 4000;
  found = go();
  ASSERT_TRUE(found.ok()) << found.error().line();
  EXPECT_EQ(found->end, ImproveEnd::better);
  EXPECT_GT(found->recalled, 0U);
}

TEST_F(Improve, too_few_items_are_refused_with_how_many_are_needed) {
  ToyPipeline small(clock_, 9);
  const auto refused = improve(small, *ledger_, request_, clock_);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, Kind::bad_data);
  EXPECT_THAT(refused.error().message, HasSubstr("9 questions"));
  EXPECT_THAT(refused.error().next_step, HasSubstr("15"));
}

TEST_F(Improve, too_few_documents_to_part_by_are_said) {
  pipeline_.documents = 4;
  const auto found = go();
  ASSERT_TRUE(found.ok()) << found.error().line();
  EXPECT_EQ(found->group_word, "question");
  ASSERT_FALSE(found->notes.empty());
  EXPECT_THAT(found->notes.front(), HasSubstr("too few different documents"));
}

// proves P-IMPROVE-09
TEST_F(Improve, adopted_settings_add_up_and_can_be_taken_back) {
  const auto why = ledger_->add_run({RunId{}, 1, "improve", "{}", "{}"});
  ASSERT_TRUE(ledger_->adopt(request_.scope, "{\"c\":\"5\",\"a\":\"1\"}", *why, 1).ok());
  const auto found = go();
  ASSERT_TRUE(found.ok() && found->run);
  const auto step = improvement_of(*ledger_, *found->run);
  ASSERT_TRUE(step.ok());
  EXPECT_FALSE(step->adopted);
  ASSERT_TRUE(adopt_run(*ledger_, *step, 2).ok());
  EXPECT_EQ(*settings_of(**ledger_->adopted(request_.scope)), (Arm{{"a", "2"}, {"b", "1"}, {"c", "5"}}));
  const auto adopted = improvement_of(*ledger_, *found->run);
  EXPECT_TRUE(adopted->adopted);
  EXPECT_FALSE(adopt_run(*ledger_, *adopted, 3).ok()) << "it is adopted already";
  ASSERT_TRUE(ledger_->take_back(request_.scope, 4).ok());
  EXPECT_EQ(*settings_of(**ledger_->adopted(request_.scope)), (Arm{{"a", "1"}, {"c", "5"}}));
  const auto back = improvement_of(*ledger_, *found->run);
  EXPECT_TRUE(back->taken_back);
  EXPECT_TRUE(adopt_run(*ledger_, *back, 5).ok()) << "it may be adopted again";
}

TEST_F(Improve, what_was_not_shown_to_be_better_cannot_be_adopted) {
  pipeline_.gain_a = pipeline_.gain_b = 0;
  const auto found = go();
  ASSERT_TRUE(found.ok());
  ASSERT_NE(found->end, ImproveEnd::better);
  const auto step = improvement_of(*ledger_, *found->run);
  ASSERT_TRUE(step.ok());
  const auto refused = adopt_run(*ledger_, *step, 1);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, Kind::bad_request);
  EXPECT_EQ(improvement_of(*ledger_, RunId{99'999}).error().kind, Kind::bad_request);
}

TEST(ImproveReport, gains_that_are_in_force_add_up_with_their_intervals) {
  std::vector<ImproveStep> steps(4);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    steps[i].run = RunId{i + 1};
    steps[i].at = 1'700'000'000 + static_cast<std::int64_t>(i) * 86'400;
    steps[i].task = "qa";
    steps[i].metric = "worth";
    steps[i].scope_name = "collection \"<b>\"";
    steps[i].winner_name = "passages shown 6";
    steps[i].confirmed = true;
    steps[i].gain = {0.04, 0.01, 0.08, 50};
    steps[i].adopted = i != 1;
    steps[i].taken_back = i == 2;
  }
  const auto sums = cumulative_gain(steps);
  ASSERT_EQ(sums.size(), 4U);
  EXPECT_NEAR(sums[1].value, 0.04, 1e-12);
  EXPECT_NEAR(sums[2].value, 0.04, 1e-12);
  EXPECT_NEAR(sums[3].value, 0.08, 1e-12);
  EXPECT_NEAR(sums[3].low, 0.08 - std::sqrt(2.0) * 0.03, 1e-12);
  EXPECT_NEAR(sums[3].high, 0.08 + std::sqrt(2.0) * 0.04, 1e-12);
  const std::string page = improvement_html(steps);
  EXPECT_THAT(page, HasSubstr("<svg"));
  EXPECT_EQ(page.find("\"<b>\""), std::string::npos) << "text from outside is text";
  EXPECT_THAT(improvement_svg(steps), HasSubstr("adopted improvements"));
  EXPECT_THAT(improvement_svg({}), HasSubstr("<svg"));
}

TEST(ImproveSpace, every_arm_of_a_round_is_another_one_and_the_current_settings_come_first) {
  HandClock clock;
  const ToyPipeline pipeline(clock);
  const std::vector<Arm> first = first_arms(pipeline, 3);
  EXPECT_EQ(first.front(), pipeline.current());
  std::set<std::string> seen;
  for (const Arm& arm : first) EXPECT_TRUE(seen.insert(id_of(arm)).second);
  EXPECT_EQ(first, first_arms(pipeline, 3));
  const Arm best = {{"a", "2"}, {"b", "0"}};
  const std::vector<Arm> ranked = {
      best, {{"a", "0"}, {"b", "1"}}, pipeline.current(), {{"a", "0"}, {"b", "2"}}};
  const std::vector<Arm> second = second_arms(pipeline, best, ranked);
  EXPECT_EQ(second[0], pipeline.current());
  EXPECT_EQ(second[1], best);
  EXPECT_THAT(second, ::testing::Contains(Arm{{"a", "2"}, {"b", "1"}}));
}

}  // namespace
}  // namespace loam::tasks
