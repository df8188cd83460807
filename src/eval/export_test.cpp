// The ledger as CSV, MLflow's files and JSON lines; and JSON lines of others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "base/json.h"
#include "eval/ledger.h"
#include "store/testing/sample.h"

namespace loam::eval {
namespace {

namespace fs = std::filesystem;
using store::testing::read_file;
using store::testing::TemporaryFolder;
using store::testing::write_file;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

class ExportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    store_ = open("loam.db");
    run_.at = 1763800000;
    run_.task = "classify";
    run_.name = "tfidf, \"best\"";
    run_.data = {"tickets.csv", std::string(64, 'a'), 2};
    run_.settings = R"({"ngrams":2,"c":"=1+1"})";
    run_.machine = "machine";
    run_.cost.seconds = 1.5;
    run_.metrics = {{"ndcg@10", {0.5, 0.25, 0.75, 2}, true}, {"../../loss", {0.1, 0.1, 0.1, 0}, false}};
    run_.items = {{"q1", "d1", {{"ndcg@10", 0.25}}, "one"}, {"q2", "", {{"ndcg@10", 0.75}}, ""}};
  }
  std::unique_ptr<store::Store> open(std::string_view name) {
    auto store = store::Store::open(folder_ / name);
    EXPECT_TRUE(store) << store.error().line();
    return store ? std::move(*store) : nullptr;
  }
  void add(eval::Run run) {
    const auto id = record(*store_, run);
    ASSERT_TRUE(id) << id.error().line();
  }
  Error import_error(const std::string& text) {
    write_file(folder_ / "in.jsonl", text);
    const auto report = import_runs(*store_, folder_ / "in.jsonl");
    EXPECT_FALSE(report) << text;
    EXPECT_THAT(*store_->runs("", 100), IsEmpty()) << "something was written in spite of the error";
    return report ? Error{} : report.error();
  }
  TemporaryFolder folder_;
  std::unique_ptr<store::Store> store_;
  eval::Run run_;
};

// CSV
// ---------------------------------------------------------------------------------------------------------

// proves P-LEDGER-07
TEST_F(ExportTest, csv_has_a_line_for_each_run_and_metric_and_runs_no_formula) {
  add(run_);
  run_.name = "=HYPERLINK(\"http://evil\")";
  run_.metrics.clear();
  add(run_);
  ExportReport report;
  const auto csv = export_csv(*store_, "", &report);
  ASSERT_TRUE(csv) << csv.error().line();
  EXPECT_EQ(report.runs, 2U);
  const auto lines = lines_of(*csv);
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_THAT(lines[0], StartsWith("run,at,task,name,"));
  EXPECT_THAT(lines[1], StartsWith("1,2025-11-22T08:26:40Z,classify,\"tfidf, \"\"best\"\"\",,tickets.csv,"));
  EXPECT_THAT(lines[1], HasSubstr(",ndcg@10,0.5,0.25,0.75,2,true,1.5,"));
  EXPECT_THAT(lines[2], HasSubstr(",../../loss,0.1,0.1,0.1,0,false,"));
  EXPECT_THAT(lines[3],
              HasSubstr(",\"'=HYPERLINK(\"\"http://evil\"\")\","));  // kept, and counted, without metrics
  EXPECT_THAT(*export_csv(*store_, "qa"), Not(HasSubstr("\n1,")));
}

// MLflow
// ------------------------------------------------------------------------------------------------------

// proves P-LEDGER-08
TEST_F(ExportTest, mlflows_folders_hold_each_run_and_no_name_leaves_its_folder) {
  add(run_);
  eval::Run second = run_;
  second.task = "qa";
  second.items.clear();
  add(second);
  const fs::path out = folder_ / "sub folder/mlruns";
  ExportReport report;
  const auto done = export_mlflow(*store_, out, "", &report);
  ASSERT_TRUE(done) << done.error().line();
  EXPECT_EQ(report.runs, 2U);
  std::vector<fs::path> run_folders;
  std::size_t experiments = 0;
  for (const auto& experiment : fs::directory_iterator(out)) {
    ++experiments;
    EXPECT_THAT(read_file(experiment.path() / "meta.yaml"),
                HasSubstr("experiment_id: '" + experiment.path().filename().string() + "'"));
    for (const auto& entry : fs::directory_iterator(experiment.path())) {
      if (entry.is_directory()) run_folders.push_back(entry.path());
    }
  }
  EXPECT_EQ(experiments, 2U);
  ASSERT_EQ(run_folders.size(), 2U);
  std::size_t with_items = 0;
  for (const fs::path& run : run_folders) {
    EXPECT_THAT(read_file(run / "meta.yaml"), HasSubstr("run_id: \"" + run.filename().string() + "\""));
    EXPECT_THAT(read_file(run / "meta.yaml"), HasSubstr("end_time: 1763800000000"));
    EXPECT_THAT(read_file(run / "meta.yaml"), HasSubstr("sub%20folder"));
    EXPECT_EQ(read_file(run / "metrics/ndcg_at_10"), "1763800000000 0.5 0\n");
    EXPECT_EQ(read_file(run / "metrics/ndcg_at_10.low"), "1763800000000 0.25 0\n");
    EXPECT_EQ(read_file(run / "metrics/.._.._loss"), "1763800000000 0.1 0\n");
    EXPECT_EQ(read_file(run / "params/data.sha256"), std::string(64, 'a'));
    EXPECT_EQ(read_file(run / "params/settings.ngrams"), "2");
    EXPECT_THAT(read_file(run / "artifacts/run.json"), HasSubstr("\"../../loss\""));
    with_items += fs::exists(run / "artifacts/items.jsonl") ? 1 : 0;
  }
  EXPECT_EQ(with_items, 1U);
  // Nothing beside the folder that was named.
  std::size_t beside = 0;
  for (const auto& entry : fs::directory_iterator(folder_ / "sub folder")) beside += entry.exists() ? 1 : 0;
  EXPECT_EQ(beside, 1U);

  const auto count_files = [&] {
    std::size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(out)) count += entry.is_regular_file() ? 1 : 0;
    return count;
  };
  const std::size_t once = count_files();
  ASSERT_TRUE(export_mlflow(*store_, out));
  EXPECT_EQ(count_files(), once);  // again is the same
}

TEST_F(ExportTest, a_parameter_longer_than_mlflow_allows_is_cut_with_notice_and_whole_in_the_artifact) {
  run_.settings = "{\"prompt\":\"" + std::string(9000, 'x') + "\"}";
  add(run_);
  ASSERT_TRUE(export_mlflow(*store_, folder_ / "out"));
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "out")) {
    if (entry.path().filename() == "settings.prompt") {
      const std::string text = read_file(entry.path());
      EXPECT_LE(text.size(), 6000U);
      EXPECT_THAT(text, HasSubstr("run.json"));
    }
    if (entry.path().filename() == "run.json") {
      EXPECT_GT(read_file(entry.path()).size(), 9000U);
    }
  }
}

TEST_F(ExportTest, a_place_that_cannot_be_written_is_named) {
  add(run_);
  write_file(folder_ / "file", "in the way");
  for (const auto& failed : {export_mlflow(*store_, folder_ / "file/mlruns"),
                             export_jsonl(*store_, folder_ / "missing/runs.jsonl")}) {
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().kind, Kind::unavailable);
    EXPECT_FALSE(failed.error().next_step.empty());
  }
}

// JSON lines
// --------------------------------------------------------------------------------------------------

// proves P-LEDGER-09
TEST_F(ExportTest, an_exported_ledger_comes_back_whole_in_another_and_only_once) {
  add(run_);
  eval::Run second = run_;
  second.name = "other";
  second.at += 5;
  add(second);
  ASSERT_TRUE(store_->add_run({RunId{}, 1, "ask", R"({"question":"Who?"})", "{}"}));
  ExportReport report;
  ASSERT_TRUE(export_jsonl(*store_, folder_ / "runs.jsonl", "", &report));
  EXPECT_EQ(report.runs, 2U);
  EXPECT_EQ(report.without_scores, 1U);
  auto other = open("other.db");
  const auto first = import_runs(*other, folder_ / "runs.jsonl");
  ASSERT_TRUE(first) << first.error().line();
  EXPECT_THAT(first->added, ElementsAre(RunId{1}, RunId{2}));
  const auto again = import_runs(*other, folder_ / "runs.jsonl");
  ASSERT_TRUE(again);
  EXPECT_THAT(again->added, IsEmpty());
  EXPECT_EQ(again->already_there, 2U);
  for (const RunId id : {RunId{1}, RunId{2}}) {
    EXPECT_EQ((*store_->find_run(id))->config, (*other->find_run(id))->config);
    EXPECT_EQ((*store_->find_run(id))->result, (*other->find_run(id))->result);
    EXPECT_EQ((*store_->find_run(id))->at, (*other->find_run(id))->at);
    EXPECT_EQ(store_->run_items(id)->size(), other->run_items(id)->size());
    EXPECT_EQ((*other->run_items(id))[0].output, "one");
    EXPECT_EQ((*other->run_items(id))[0].cluster, "d1");
  }
}

TEST_F(ExportTest, metrics_that_are_not_given_are_the_means_of_the_items_with_their_interval) {
  std::string line = R"({"task":"qa","name":"theirs","items":[)";
  for (int i = 0; i < 40; ++i)
    line += std::string(i > 0 ? "," : "") + "{\"id\":" + std::to_string(i) +
            ",\"scores\":{\"em\":" + (i % 4 == 0 ? "true" : "0") + ",\"f1\":0.5}}";
  write_file(folder_ / "in.jsonl", "\xEF\xBB\xBF" + line + "]}\r\n\n");
  const auto report = import_runs(*store_, folder_ / "in.jsonl");
  ASSERT_TRUE(report) << report.error().line();
  const auto run = load_run(*store_, report->added.front());
  ASSERT_TRUE(run);
  EXPECT_GT(run->at, 0);
  EXPECT_EQ(run->data.items, 40U);
  EXPECT_EQ(run->items[3].id, "3");
  ASSERT_EQ(run->metrics.size(), 2U);
  EXPECT_EQ(run->metrics[0].name, "em");
  EXPECT_DOUBLE_EQ(run->metrics[0].estimate.value, 0.25);
  EXPECT_EQ(run->metrics[0].estimate.n, 40U);
  EXPECT_LT(run->metrics[0].estimate.low, 0.25);
  EXPECT_GT(run->metrics[0].estimate.high, 0.25);
  EXPECT_EQ(run->metrics[1].estimate.low, 0.5);
}

TEST_F(ExportTest, a_metric_that_contradicts_its_items_is_refused) {
  const std::string items = R"("items":[{"id":"a","scores":{"em":1}},{"id":"b","scores":{"em":0}}]})";
  EXPECT_THAT(import_error(R"({"task":"qa","name":"x","metrics":{"em":0.9},)" + items).message,
              HasSubstr("mean of its items is 0.5"));
}

// proves P-LEDGER-10
TEST_F(ExportTest, a_file_with_one_bad_line_adds_nothing_and_the_line_is_named) {
  const std::string good = R"({"task":"qa","name":"x","metrics":{"em":0.5}})";
  const std::pair<const char*, const char*> bad[] = {
      {"{", "JSON"},
      {"[]", "object"},
      {"5", "object"},
      {R"({"name":"x","metrics":{"em":1}})", "task"},
      {R"({"task":"qa","metrics":{"em":1}})", "name"},
      {R"({"task":"qa","name":"x"})", "neither"},
      {R"({"task":"qa","name":"x","metric":{"em":1}})", "metric"},
      {R"({"task":"qa","name":"x","metrics":{"em":"good"}})", "em"},
      {R"({"task":"qa","name":"x","metrics":{"em":{"low":1}}})", "em"},
      {R"({"task":"qa","name":"x","metrics":{"em":1e999}})", "JSON"},
      {R"({"task":"qa","name":"x","metrics":{"em":1},"at":"today"})", "at"},
      {R"({"task":"qa","name":"x","metrics":{"em":1},"seconds":-5})", "cost"},
      {R"({"task":"qa","name":"x","metrics":{"em":1},"data":"tickets.csv"})", "data"},
      {R"({"task":"qa","name":"x","items":{"id":"a"}})", "items"},
      {R"({"task":"qa","name":"x","items":[{"scores":{"em":1}}]})", "id"},
      {R"({"task":"qa","name":"x","items":[{"id":"a","scores":{"em":"1"}}]})", "em"},
      {R"({"task":"qa","name":"x","items":[{"id":"a","score":{"em":1}}]})", "score"},
      {R"({"task":"qa","name":"x","items":[{"id":"a","scores":{"em":1}},{"id":"a","scores":{"em":1}}]})",
       "twice"},
      {"\xFF\xFE", "UTF-8"},
  };
  for (const auto& [line, says] : bad) {
    const Error error = import_error(good + "\n" + line + "\n" + good + "\n");
    EXPECT_EQ(error.kind, Kind::bad_data) << line;
    EXPECT_THAT(error.place, HasSubstr("line 2")) << line;
    EXPECT_THAT(error.message, HasSubstr(says)) << line;
    EXPECT_FALSE(error.next_step.empty()) << line;
  }
  EXPECT_EQ(import_error("\n  \n").kind, Kind::bad_data);
  EXPECT_EQ(import_runs(*store_, folder_ / "missing").error().kind, Kind::unavailable);
  EXPECT_EQ(import_runs(*store_, folder_.path()).error().kind, Kind::bad_request);
  EXPECT_THAT(import_error(std::string(200, '[')).message, HasSubstr("deeper"));
}

}  // namespace
}  // namespace loam::eval
