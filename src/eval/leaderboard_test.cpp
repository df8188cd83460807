// Who is best, and who is just as good.
#include "eval/leaderboard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/testing/sample.h"

namespace loam::eval {
namespace {

using store::testing::TemporaryFolder;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class LeaderboardTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto store = store::Store::open(folder_ / "loam.db");
    ASSERT_TRUE(store) << store.error().line();
    store_ = std::move(*store);
  }
  /// A contestant that scored the first `right` of `n` items.
  eval::Run run_of(std::string name, std::size_t right, std::size_t n = 200) {
    eval::Run run;
    run.task = "classify";
    run.name = std::move(name);
    run.split = "test";
    run.data = {"tickets.csv", std::string(64, 'a'), n};
    run.cost.seconds = 2;
    run.cost.peak_mb = 40;
    const double share = static_cast<double>(right) / static_cast<double>(n);
    run.metrics = {{"accuracy", {share, share - 0.04, share + 0.04, n}, true}};
    for (std::size_t i = 0; i < n; ++i)
      run.items.push_back({std::to_string(i), "", {{"accuracy", i < right ? 1.0 : 0.0}}, ""});
    return run;
  }
  RunId add(eval::Run run) {
    const auto id = record(*store_, run);
    EXPECT_TRUE(id) << id.error().line();
    return id ? *id : RunId{};
  }
  static LeaderboardOptions with(std::string data, std::string split, std::string metric) {
    LeaderboardOptions options;
    options.data = std::move(data);
    options.split = std::move(split);
    options.metric = std::move(metric);
    return options;
  }
  static std::vector<std::string> names(const Leaderboard& board) {
    std::vector<std::string> all;
    for (const BoardRow& row : board.rows) all.push_back(row.run.name);
    return all;
  }
  TemporaryFolder folder_;
  std::unique_ptr<store::Store> store_;
};

// proves P-LEDGER-11
TEST_F(LeaderboardTest, the_best_stands_first_and_who_is_not_significantly_worse_is_marked) {
  add(run_of("majority", 60));
  add(run_of("good", 178));
  add(run_of("best", 180));
  const auto board = leaderboard(*store_, "classify");
  ASSERT_TRUE(board) << board.error().line();
  EXPECT_THAT(names(*board), ElementsAre("best", "good", "majority"));
  EXPECT_TRUE(board->rows[0].is_best);
  EXPECT_TRUE(board->rows[1].not_worse);
  EXPECT_FALSE(board->rows[2].not_worse);
  ASSERT_TRUE(board->rows[1].behind && board->rows[2].behind);
  // Two discordant items, both for the best: exact p = 0.5; Holm leaves the larger of two as it is.
  EXPECT_NEAR(board->rows[1].p, 0.5, 1e-12);
  EXPECT_NEAR(board->rows[1].behind->difference.value, 0.01, 1e-12);
  EXPECT_GT(board->rows[1].behind->minimum_detectable, 0);
  EXPECT_THAT(summary_of(*board), HasSubstr("best is best with accuracy 0.900"));
  EXPECT_THAT(summary_of(*board), HasSubstr("good is not significantly worse"));
  EXPECT_THAT(summary_of(*board), Not(HasSubstr("majority")));
}

TEST_F(LeaderboardTest, p_is_corrected_for_the_number_of_contestants) {
  // Six discordant items, all for the best: p = 2 / 64 = 0.03125, below 0.05 for one and above it for three.
  add(run_of("best", 106));
  add(run_of("a", 100));
  const auto two = leaderboard(*store_, "classify");
  ASSERT_TRUE(two);
  EXPECT_NEAR(two->rows[1].p, 0.03125, 1e-12);
  EXPECT_FALSE(two->rows[1].not_worse);
  add(run_of("b", 100));
  add(run_of("c", 100));
  const auto four = leaderboard(*store_, "classify");
  ASSERT_TRUE(four);
  for (std::size_t i = 1; i < 4; ++i) {
    EXPECT_NEAR(four->rows[i].p, 3 * 0.03125, 1e-12);
    EXPECT_TRUE(four->rows[i].not_worse);
  }
}

TEST_F(LeaderboardTest, a_contestants_latest_run_counts) {
  add(run_of("a", 190));
  add(run_of("b", 150));
  const RunId latest = add(run_of("a", 100));
  const auto board = leaderboard(*store_, "classify");
  ASSERT_TRUE(board);
  EXPECT_THAT(names(*board), ElementsAre("b", "a"));
  EXPECT_EQ(board->rows[1].run.id, latest);
}

// proves P-LEDGER-12
TEST_F(LeaderboardTest, only_runs_on_the_same_data_and_part_stand_together_and_the_others_are_named) {
  add(run_of("a", 190));
  eval::Run dev = run_of("a", 195);
  dev.split = "dev";
  add(dev);
  eval::Run changed = run_of("b", 199);
  changed.data.sha256 = std::string(64, 'c');
  add(changed);
  add(run_of("c", 150));
  const auto board = leaderboard(*store_, "classify");
  ASSERT_TRUE(board);
  EXPECT_THAT(names(*board), ElementsAre("a", "c"));
  EXPECT_EQ(board->data.sha256, std::string(64, 'a'));
  EXPECT_EQ(board->others.size(), 2U);
  EXPECT_THAT(board->others, Contains(HasSubstr("cccccccc")));
  EXPECT_THAT(names(*leaderboard(*store_, "classify", with("cccc", "", ""))), ElementsAre("b"));
  EXPECT_THAT(names(*leaderboard(*store_, "classify", with("", "dev", ""))), ElementsAre("a"));
  const auto none = leaderboard(*store_, "classify", with("mails.csv", "", ""));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, Kind::bad_request);
  EXPECT_THAT(none.error().message, HasSubstr("tickets.csv"));
}

TEST_F(LeaderboardTest, less_is_better_where_the_metric_says_so) {
  eval::Run slow = run_of("worse", 100);
  eval::Run quick = run_of("better", 50);
  for (eval::Run* run : {&slow, &quick}) run->metrics[0].higher_is_better = false;
  add(slow);
  add(quick);
  const auto board = leaderboard(*store_, "classify");
  ASSERT_TRUE(board);
  EXPECT_THAT(names(*board), ElementsAre("better", "worse"));
  EXPECT_FALSE(board->rows[1].not_worse);
}

TEST_F(LeaderboardTest, what_cannot_be_compared_or_read_is_said_and_not_called_as_good) {
  add(run_of("best", 180));
  eval::Run no_items = run_of("rows only", 100);
  no_items.items.clear();
  add(no_items);
  eval::Run no_metric = run_of("other score", 100);
  no_metric.metrics[0].name = "f1";
  add(no_metric);
  ASSERT_TRUE(store_->add_run({RunId{}, 1, "classify", "{", "{}"}));
  const auto board = leaderboard(*store_, "classify", with("", "", "accuracy"));
  ASSERT_TRUE(board) << board.error().line();
  EXPECT_THAT(names(*board), ElementsAre("best", "rows only"));
  EXPECT_FALSE(board->rows[1].not_worse);
  EXPECT_FALSE(board->rows[1].behind);
  EXPECT_THAT(board->notes, Contains(HasSubstr("run 4 is damaged")));
  EXPECT_THAT(board->notes, Contains(HasSubstr("other score) has no \"accuracy\"")));
  EXPECT_THAT(board->notes, Contains(HasSubstr("rows only) is not compared")));
}

TEST_F(LeaderboardTest, a_task_without_runs_is_refused_with_those_that_have_some) {
  add(run_of("a", 1));
  const auto none = leaderboard(*store_, "clasify");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, Kind::bad_request);
  EXPECT_THAT(none.error().message, HasSubstr("the ledger has classify"));
}

TEST_F(LeaderboardTest, one_contestant_alone_is_a_board_too) {
  add(run_of("a", 100));
  const auto board = leaderboard(*store_, "classify");
  ASSERT_TRUE(board);
  EXPECT_THAT(summary_of(*board), HasSubstr("nothing yet to compare"));
}

// proves P-LEDGER-13
TEST_F(LeaderboardTest,
       the_page_holds_all_rows_asks_for_nothing_from_elsewhere_and_takes_hostile_names_as_text) {
  add(run_of("best", 180));
  add(run_of("<script src=http://evil/x.js></script>", 100));
  const auto board = leaderboard(*store_, "classify");
  ASSERT_TRUE(board);
  const std::string page = html_of(*board);
  EXPECT_THAT(page, HasSubstr("&lt;script"));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
  for (const char* outside : {"<link", "<img", "<iframe", "@import", "url(", " src=\"", " href=\""})
    EXPECT_THAT(page, Not(HasSubstr(outside)));
  EXPECT_THAT(page, HasSubstr("best is best with"));
  EXPECT_THAT(page, HasSubstr("<svg"));
}

}  // namespace
}  // namespace loam::eval
