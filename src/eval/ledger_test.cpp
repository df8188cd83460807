// Runs go into the ledger whole, come out as they were, and are compared on the items they share.
#include "eval/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <fstream>
#include <limits>
#include <thread>

#include "base/json.h"
#include "store/testing/sample.h"

namespace loam::eval {
namespace {

using store::testing::read_file;
using store::testing::TemporaryFolder;
using store::testing::write_file;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// A run that scored `right` of `n` items: the first ones.
eval::Run run_with(std::string name, std::size_t right, std::size_t n) {
  eval::Run run;
  run.task = "classify";
  run.name = std::move(name);
  run.split = "test";
  run.data = {"tickets.csv", std::string(64, 'a'), n};
  run.seed = 7;
  run.settings = R"({"passages":4,"note":"Über"})";
  run.models = {{"embedder", "minilm", std::string(64, 'b')}, {"adapter", "head", ""}};
  run.machine = "a machine";
  run.version = "0.1.0";
  run.cost = {1.5, 2.5, 100, std::nullopt, 12.5};
  const double share = static_cast<double>(right) / static_cast<double>(n);
  run.metrics = {{"accuracy", {share, share - 0.05, share + 0.05, n}, true},
                 {"log_loss", {0.5, 0.4, 0.6, n}, false}};
  for (std::size_t i = 0; i < n; ++i) {
    run.items.push_back(
        {"line " + std::to_string(i + 1), "", {{"accuracy", i < right ? 1.0 : 0.0}}, "refund"});
  }
  return run;
}

class LedgerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto store = store::Store::open(folder_ / "loam.db");
    ASSERT_TRUE(store) << store.error().line();
    store_ = std::move(*store);
  }
  RunId add(eval::Run run) {
    const auto id = record(*store_, run);
    EXPECT_TRUE(id) << id.error().line();
    return id ? *id : RunId{};
  }
  TemporaryFolder folder_;
  std::unique_ptr<store::Store> store_;
};

// proves P-LEDGER-01
TEST_F(LedgerTest, a_run_comes_back_as_it_went_in) {
  eval::Run run = run_with("tfidf", 3, 4);
  run.items[1].cluster = "customer 5";
  run.items[2].output = "two\nlines \"quoted\"";
  const auto id = record(*store_, run);
  ASSERT_TRUE(id) << id.error().line();
  EXPECT_EQ(run.id, *id);
  EXPECT_GT(run.at, 0);
  const auto back = load_run(*store_, *id);
  ASSERT_TRUE(back) << back.error().line();
  EXPECT_EQ(back->task, "classify");
  EXPECT_EQ(back->name, "tfidf");
  EXPECT_EQ(back->split, "test");
  EXPECT_EQ(back->data.file, "tickets.csv");
  EXPECT_EQ(back->data.sha256, std::string(64, 'a'));
  EXPECT_EQ(back->data.items, 4U);
  EXPECT_EQ(back->seed, 7U);
  EXPECT_EQ(back->settings, run.settings);
  ASSERT_EQ(back->models.size(), 2U);
  EXPECT_EQ(back->models[0].sha256, std::string(64, 'b'));
  EXPECT_EQ(back->models[1].role, "adapter");
  EXPECT_EQ(back->machine, "a machine");
  EXPECT_EQ(back->version, "0.1.0");
  EXPECT_EQ(back->cost.seconds, 1.5);
  EXPECT_EQ(back->cost.tokens, 100U);
  EXPECT_FALSE(back->cost.joules);
  EXPECT_EQ(back->cost.peak_mb, 12.5);
  ASSERT_EQ(back->metrics.size(), 2U);
  EXPECT_EQ(back->metrics[0].name, "accuracy");  // the order is kept: the first is the one that counts
  EXPECT_EQ(back->metrics[0].estimate.n, 4U);
  EXPECT_FALSE(back->metrics[1].higher_is_better);
  ASSERT_EQ(back->items.size(), 4U);
  EXPECT_EQ(back->items[1].cluster, "customer 5");
  EXPECT_EQ(back->items[2].output, "two\nlines \"quoted\"");
  EXPECT_EQ(back->items[3].scores.at("accuracy"), 0.0);
  EXPECT_THAT(*store_->check(), IsEmpty());
}

TEST_F(LedgerTest, numbers_come_back_to_the_last_bit) {
  eval::Run run = run_with("exact", 1, 1);
  const double odd = 0.1 + 0.2;
  run.metrics[0].estimate = {odd, std::nextafter(odd, 0.0), 1.0 / 3.0 + 1, 1};
  run.items[0].scores["accuracy"] = 2.0 / 3.0;
  run.seed = std::numeric_limits<std::uint64_t>::max();
  const auto back = load_run(*store_, add(run));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->metrics[0].estimate.value, odd);
  EXPECT_EQ(back->metrics[0].estimate.low, std::nextafter(odd, 0.0));
  EXPECT_EQ(back->items[0].scores.at("accuracy"), 2.0 / 3.0);
  EXPECT_EQ(back->seed, run.seed);
}

// proves P-LEDGER-02
TEST_F(LedgerTest, what_cannot_be_kept_truthfully_is_refused_and_nothing_is_written) {
  const auto refused = [&](const char* what, const auto& change, const char* says) {
    eval::Run run = run_with("tfidf", 1, 2);
    change(run);
    const auto id = record(*store_, run);
    ASSERT_FALSE(id) << what;
    EXPECT_EQ(id.error().kind, Kind::bad_request) << what;
    EXPECT_THAT(id.error().message, HasSubstr(says)) << what;
    EXPECT_FALSE(id.error().next_step.empty()) << what;
  };
  const double nan = std::nan("");
  refused(
      "task", [](eval::Run& r) { r.task.clear(); }, "no task");
  refused(
      "name", [](eval::Run& r) { r.name.clear(); }, "no name");
  refused(
      "settings", [](eval::Run& r) { r.settings = "[1]"; }, "settings");
  refused(
      "metric", [&](eval::Run& r) { r.metrics[0].estimate.value = nan; }, "accuracy");
  refused(
      "interval", [&](eval::Run& r) { r.metrics[0].estimate.low = 2; }, "interval");
  refused(
      "twice", [](eval::Run& r) { r.metrics[1].name = "accuracy"; }, "twice");
  refused(
      "score", [&](eval::Run& r) { r.items[1].scores["accuracy"] = nan; }, "line 2");
  refused(
      "item", [](eval::Run& r) { r.items[1].id = "line 1"; }, "line 1");
  refused(
      "no id", [](eval::Run& r) { r.items[0].id.clear(); }, "no id");
  refused(
      "cost", [](eval::Run& r) { r.cost.seconds = -1; }, "cost");
  EXPECT_THAT(*store_->runs("", 10), IsEmpty());
}

TEST_F(LedgerTest, bytes_that_are_no_text_are_marked_and_the_row_stays_sound) {
  eval::Run run = run_with("tfidf", 1, 1);
  run.items[0].output = "half \xC3";
  run.name = "na\xFFme";
  const RunId id = add(run);
  const auto back = load_run(*store_, id);
  ASSERT_TRUE(back) << back.error().line();
  EXPECT_EQ(back->items[0].output, "half \xEF\xBF\xBD");
  EXPECT_EQ(back->name, "na\xEF\xBF\xBDme");
  EXPECT_THAT(*store_->check(), IsEmpty());
}

TEST_F(LedgerTest, a_run_that_is_not_there_is_named_with_the_next_step) {
  const auto missing = load_run(*store_, RunId{5});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, Kind::bad_request);
  EXPECT_THAT(missing.error().line(), HasSubstr("run 5"));
  EXPECT_FALSE(missing.error().next_step.empty());
}

// proves P-LEDGER-03
TEST_F(LedgerTest, a_damaged_row_is_named_and_costs_only_itself) {
  const RunId sound = add(run_with("tfidf", 1, 2));
  const char* const damaged[] = {
      "{\"name\":",      "[]",           "{\"name\":5}", "{\"data\":[]}", "{\"settings\":1}",
      "{\"models\":{}}", "{\"seed\":-1}"};
  for (const char* config : damaged) {
    const auto id = store_->add_run({RunId{}, 1, "classify", config, "{}"});
    ASSERT_TRUE(id);
    const auto run = load_run(*store_, *id);
    ASSERT_FALSE(run) << config;
    EXPECT_EQ(run.error().kind, Kind::bad_data) << config;
    EXPECT_THAT(run.error().place, HasSubstr("run " + std::to_string(number_of(*id))));
  }
  for (const char* result :
       {"", "{\"metrics\":[]}", "{\"metrics\":{\"a\":\"x\"}}", "{\"seconds\":\"long\"}"}) {
    const auto id = store_->add_run({RunId{}, 1, "classify", "{}", result});
    ASSERT_TRUE(id);
    EXPECT_FALSE(load_run(*store_, *id)) << result;
  }
  const store::RunItem broken{"q", "", "{\"a\":\"x\"}", ""};
  const auto items =
      store_->add_run({RunId{}, 1, "classify", "{\"name\":\"x\"}", "{}"}, std::span(&broken, 1));
  ASSERT_TRUE(items);
  EXPECT_FALSE(load_run(*store_, *items));

  const auto listed = runs(*store_, "", 100);
  ASSERT_TRUE(listed) << listed.error().line();
  EXPECT_EQ(listed->size(), 13U);
  EXPECT_EQ(listed->back().id, sound);
  EXPECT_EQ(listed->back().damage, "");
  EXPECT_EQ(
      std::count_if(listed->begin(), listed->end(), [](const eval::Run& r) { return !r.damage.empty(); }),
      11);
  ExportReport report;
  const auto csv = export_csv(*store_, "", &report);
  ASSERT_TRUE(csv);
  EXPECT_EQ(report.damaged.size(), 11U);
  EXPECT_EQ(report.runs, 2U);
}

TEST_F(LedgerTest, rows_of_a_question_come_out_with_their_cost) {
  ASSERT_TRUE(store_->add_run(
      {RunId{}, 9, "ask", R"({"question":"Who?","model":"m"})",
       R"({"answer":"me","tokens":{"prompt":10,"reused":5,"answer":3},"timings_ms":{"total":1500}})"}));
  const auto listed = runs(*store_, "ask", 5);
  ASSERT_TRUE(listed && listed->size() == 1);
  EXPECT_EQ(listed->front().damage, "");
  EXPECT_EQ(listed->front().cost.tokens, 13U);
  EXPECT_EQ(listed->front().cost.seconds, 1.5);
  EXPECT_THAT(listed->front().settings, HasSubstr("Who?"));
}

TEST_F(LedgerTest, a_search_finds_runs_that_hold_all_its_words_wherever_they_stand) {
  add(run_with("tfidf+logreg", 1, 2));
  eval::Run other = run_with("embeddings", 1, 2);
  other.data.file = "Mails.jsonl";
  add(other);
  const auto names = [&](std::string_view search) {
    std::vector<std::string> found;
    const auto rows = runs(*store_, "", 10, search);
    for (const eval::Run& run : *rows) found.push_back(run.name);
    return found;
  };
  EXPECT_THAT(names("TFIDF"), ElementsAre("tfidf+logreg"));
  EXPECT_THAT(names("mails minilm"), ElementsAre("embeddings"));
  EXPECT_THAT(names("minilm"), ElementsAre("embeddings", "tfidf+logreg"));
  EXPECT_THAT(names("passages=4"), ElementsAre("embeddings", "tfidf+logreg"));
  EXPECT_THAT(names("ÜBER tickets"), ElementsAre("tfidf+logreg"));
  EXPECT_THAT(names("tfidf mails"), IsEmpty());
  EXPECT_THAT(names("sha256"), IsEmpty());  // the name of a key is not what a run tells
  EXPECT_EQ(runs(*store_, "", 1)->front().name, "embeddings");
  EXPECT_THAT(*runs(*store_, "", 0), IsEmpty());
}

// Comparison
// --------------------------------------------------------------------------------------------------

// proves P-LEDGER-04
TEST_F(LedgerTest, runs_are_compared_on_the_items_they_share_and_the_rest_is_counted) {
  eval::Run a = run_with("old", 50, 100);
  eval::Run b = run_with("new", 80, 100);
  a.items.push_back({"only a", "", {{"accuracy", 1}}, ""});
  b.items.push_back({"only b", "", {{"accuracy", 1}}, ""});
  b.items.push_back({"also only b", "", {{"accuracy", 0}}, ""});
  const auto comparison = compare_runs(a, b);
  ASSERT_TRUE(comparison) << comparison.error().line();
  EXPECT_EQ(comparison->metric, "accuracy");
  EXPECT_EQ(comparison->result.n, 100U);
  EXPECT_NEAR(comparison->result.difference.value, 0.3, 1e-12);
  EXPECT_EQ(comparison->only_a, 1U);
  EXPECT_EQ(comparison->only_b, 2U);
  // 30 discordant pairs, all for b: exact two-sided p = 2 * 0.5^30.
  EXPECT_NEAR(comparison->result.p, 2 * std::pow(0.5, 30), 1e-15);
  EXPECT_THAT(comparison->sentence, HasSubstr("new"));
  ASSERT_EQ(comparison->warnings.size(), 1U);
  EXPECT_THAT(comparison->warnings[0], HasSubstr("3 items that only one of the runs has are left out"));
}

TEST_F(LedgerTest, the_order_of_the_items_does_not_matter) {
  eval::Run a = run_with("old", 50, 100);
  eval::Run b = run_with("new", 80, 100);
  const auto straight = compare_runs(a, b);
  std::reverse(b.items.begin(), b.items.end());
  const auto reversed = compare_runs(a, b);
  ASSERT_TRUE(straight && reversed);
  EXPECT_EQ(straight->result.p, reversed->result.p);
  EXPECT_EQ(straight->result.difference.low, reversed->result.difference.low);
  EXPECT_EQ(straight->result.difference.high, reversed->result.difference.high);
}

TEST_F(LedgerTest, items_of_one_cluster_are_drawn_together) {
  eval::Run a = run_with("old", 50, 100);
  eval::Run b = run_with("new", 80, 100);
  for (std::size_t i = 0; i < 100; ++i) a.items[i].cluster = "document " + std::to_string(i / 10);
  const auto comparison = compare_runs(a, b);
  ASSERT_TRUE(comparison);
  EXPECT_EQ(comparison->result.clusters, 10U);
  const auto alone = compare_runs(run_with("old", 50, 100), b);
  EXPECT_GT(comparison->result.difference.high - comparison->result.difference.low,
            alone->result.difference.high - alone->result.difference.low);
}

TEST_F(LedgerTest, changed_data_other_parts_and_a_run_against_itself_are_warned_of) {
  eval::Run a = run_with("old", 1, 10);
  eval::Run b = run_with("new", 2, 10);
  b.data.sha256 = std::string(64, 'c');
  EXPECT_THAT(compare_runs(a, b)->warnings, ElementsAre(HasSubstr("has changed")));
  b = run_with("new", 2, 10);
  b.split = "dev";
  EXPECT_THAT(compare_runs(a, b)->warnings, ElementsAre(HasSubstr("different parts")));
  a.id = RunId{3};
  EXPECT_THAT(compare_runs(a, a)->warnings, ElementsAre(HasSubstr("itself")));
}

// proves P-LEDGER-05
TEST_F(LedgerTest, what_cannot_be_paired_is_refused_with_what_could) {
  const eval::Run a = run_with("old", 1, 10);
  eval::Run rows_only = run_with("new", 2, 10);
  rows_only.items.clear();
  EXPECT_THAT(compare_runs(a, rows_only).error().message, HasSubstr("no results of single items"));

  eval::Run other_items = run_with("new", 2, 10);
  for (ItemResult& item : other_items.items) item.id += " of another file";
  EXPECT_THAT(compare_runs(a, other_items).error().message, HasSubstr("no item in common"));

  eval::Run other_metric = run_with("new", 2, 10);
  for (ItemResult& item : other_metric.items) item.scores = {{"f1", 0.5}};
  EXPECT_THAT(compare_runs(a, other_metric).error().message, HasSubstr("no score in common"));

  const eval::Run b = run_with("new", 2, 10);
  const auto whole = compare_runs(a, b, "log_loss");
  EXPECT_THAT(whole.error().message, HasSubstr("whole runs"));
  EXPECT_EQ(whole.error().next_step, "--metric accuracy");
  const auto unknown = compare_runs(a, b, "accuracies");
  EXPECT_THAT(unknown.error().message, HasSubstr("they share accuracy"));
  for (const auto& refused : {whole, unknown}) EXPECT_EQ(refused.error().kind, Kind::bad_request);
}

// Cost
// --------------------------------------------------------------------------------------------------------

class HandClock : public Clock {
 public:
  std::int64_t unix_seconds() const override { return 0; }
  double seconds() const override { return now; }
  double now = 100;
};

TEST(CostMeterTest, time_comes_from_the_clock_and_processor_time_from_the_process) {
  HandClock clock;
  const CostMeter meter(clock);
  volatile double sink = 0;
  rusage before{};
  getrusage(RUSAGE_SELF, &before);
  rusage now = before;
  while (now.ru_utime.tv_sec * 1000000 + now.ru_utime.tv_usec <
         before.ru_utime.tv_sec * 1000000 + before.ru_utime.tv_usec + 50000) {
    for (int i = 0; i < 10000; ++i) sink = sink + std::sqrt(static_cast<double>(i));
    getrusage(RUSAGE_SELF, &now);
  }
  clock.now = 103.5;
  const Cost cost = meter.cost();
  EXPECT_EQ(cost.seconds, 3.5);
  EXPECT_GE(cost.cpu_seconds, 0.05);
}

TEST(CostMeterTest, the_processor_time_of_a_child_that_ended_counts) {
  const CostMeter meter;
  const pid_t child = fork();
  if (child == 0) {
    volatile double sink = 0;
    rusage now{};
    while (now.ru_utime.tv_sec == 0 && now.ru_utime.tv_usec < 80000) {
      for (int i = 0; i < 10000; ++i) sink = sink + std::sqrt(static_cast<double>(i));
      getrusage(RUSAGE_SELF, &now);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_GE(meter.cost().cpu_seconds, 0.08);
}

TEST(CostMeterTest, the_peak_is_that_of_the_meters_own_time_also_when_meters_nest) {
  constexpr std::size_t kLarge = 80U << 20U;
  const auto touch = [] {
    std::vector<char> memory(kLarge);
    for (std::size_t i = 0; i < memory.size(); i += 4096) memory[i] = static_cast<char>(i);
    return memory[4096];
  };
  const CostMeter outer;
  EXPECT_NE(touch(), 1);
  const CostMeter inner;
  const auto inner_peak = inner.cost().peak_mb;  // first: the process may grow between both readings
  const auto outer_peak = outer.cost().peak_mb;
  if (!outer_peak || !inner_peak) GTEST_FAIL() << "this system does not tell the peak";
  EXPECT_GE(*outer_peak, *inner_peak);
  EXPECT_GT(*outer_peak, 80.0);
}

/// A folder that looks like Linux's, with one package and its memory.
class PowercapTest : public ::testing::Test {
 protected:
  void zone(const std::string& folder, const std::string& name, std::uint64_t now, std::uint64_t range) {
    std::filesystem::create_directories(folder_ / folder);
    write_file(folder_ / (folder + "/name"), name + "\n");
    write_file(folder_ / (folder + "/max_energy_range_uj"), std::to_string(range) + "\n");
    set(folder, now);
  }
  void set(const std::string& folder, std::uint64_t now) {
    write_file(folder_ / (folder + "/energy_uj"), std::to_string(now) + "\n");
  }
  TemporaryFolder folder_;
};

// proves P-LEDGER-06
TEST_F(PowercapTest, joules_are_those_of_packages_and_memory_also_when_a_counter_starts_over) {
  zone("intel-rapl:0", "package-0", 9'000'000, 10'000'000);
  zone("intel-rapl:0:0", "core", 1'000'000, 10'000'000);          // inside the package
  zone("intel-rapl:0:1", "dram", 2'000'000, 10'000'000);          // beside it
  zone("intel-rapl-mmio:0", "package-0", 5'000'000, 10'000'000);  // the same package again
  zone("intel-rapl:1", "psys", 0, 10'000'000);                    // package and more
  const CostMeter meter(system_clock(), folder_.path());
  EXPECT_EQ(meter.cost().joules, 0.0);
  set("intel-rapl:0", 9'500'000);
  EXPECT_NEAR(*meter.cost().joules, 0.5, 1e-9);
  set("intel-rapl:0", 1'000'000);  // over the top: 0.5 J to the range, 1 J from zero
  set("intel-rapl:0:0", 7'000'000);
  set("intel-rapl:0:1", 2'250'000);
  set("intel-rapl-mmio:0", 9'000'000);
  EXPECT_NEAR(*meter.cost().joules, 2.25, 1e-9);
}

TEST_F(PowercapTest, where_the_machine_does_not_tell_joules_are_empty_and_not_zero) {
  EXPECT_FALSE(CostMeter(system_clock(), folder_.path()).cost().joules);
  EXPECT_FALSE(CostMeter(system_clock(), folder_ / "missing").cost().joules);
  zone("intel-rapl:0", "package-0", 1'000, 10'000'000);
  CostMeter meter(system_clock(), folder_.path());
  std::filesystem::remove(folder_ / "intel-rapl:0/energy_uj");
  EXPECT_FALSE(meter.cost().joules);
}

TEST(CostMeterTest, a_machine_says_what_it_is) {
  EXPECT_THAT(this_machine(), HasSubstr(" core"));
  EXPECT_THAT(this_machine(), Not(HasSubstr("\n")));
}

}  // namespace
}  // namespace loam::eval
