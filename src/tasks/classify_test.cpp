#include "tasks/classify.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/json.h"
#include "index/testing/fakes.h"
#include "tasks/testing/tickets.h"

namespace loam::tasks {
namespace {

using index::testing::FakeEmbedder;
using testing::tickets;

ClassifierComparison must_compare(const CompareRequest& request, const CompareTools& tools = {}) {
  auto compared = compare_classifiers(request, tools);
  EXPECT_TRUE(compared.ok()) << (compared ? "" : compared.error().line());
  return compared ? *compared : ClassifierComparison{};
}

const MethodScore& score_of(const ClassifierComparison& comparison, const std::string& name) {
  for (const MethodScore& one : comparison.methods) {
    if (one.name == name) return one;
  }
  ADD_FAILURE() << name;
  static const MethodScore none;
  return none;
}

/// Likes the label whose words the text holds; knows nothing else.
class LabelEngine final : public engine::Engine {
 public:
  const std::string& model_name() const override { return name_; }
  int context_tokens() const override { return 4096; }
  Result<int> count_tokens(std::string_view text) override { return static_cast<int>(text.size() / 4) + 1; }
  Result<int> count_tokens(const std::vector<engine::Message>& messages) override {
    int total = 0;
    for (const engine::Message& one : messages) total += 4 + static_cast<int>(one.content.size() / 4);
    return total;
  }
  Result<std::string> render(const std::vector<engine::Message>& messages) override {
    std::string all;
    for (const engine::Message& one : messages) all += one.content + "\n";
    return all;
  }
  Result<engine::Draft> generate(const engine::GenerateRequest&, const engine::TextSink&,
                                 std::stop_token) override {
    return Error{Kind::unavailable, name_, "only scores", ""};
  }
  Result<std::vector<engine::ContinuationScore>> score(const engine::ScoreRequest& request,
                                                       std::stop_token) override {
    ++calls;
    std::string prompt = request.raw_prompt;
    for (const engine::Message& one : request.messages) prompt += one.content + "\n";
    const std::string last = prompt.substr(prompt.size() - std::min<std::size_t>(prompt.size(), 160));
    std::vector<engine::ContinuationScore> scores;
    for (const std::string& label : request.continuations) {
      const bool refund =
          last.find("refund") != std::string::npos && label.find("refund") != std::string::npos;
      scores.push_back({refund ? -0.5 : -3.0, 1, refund});
    }
    return scores;
  }
  int calls = 0;

 private:
  std::string name_ = "label-engine";
};

// proves P-CLASS-06
TEST(Compare, all_methods_are_scored_on_the_same_items_and_the_counts_add_up) {
  CompareRequest request;
  request.data = tickets(600, 0.2);
  request.llm_items = 20;
  FakeEmbedder embedder;
  LabelEngine engine;
  CompareTools tools;
  tools.embedder = &embedder;
  tools.language_model = &engine;
  const ClassifierComparison comparison = must_compare(request, tools);
  ASSERT_EQ(comparison.methods.size(), 6U);
  EXPECT_EQ(comparison.train_items + comparison.validate_items + comparison.test_items, 600U);
  EXPECT_EQ(comparison.test_ids.size(), comparison.test_items);
  double before = 1.0;
  for (const MethodScore& one : comparison.methods) {
    EXPECT_TRUE(one.scored) << one.name << ": " << one.note;
    EXPECT_LE(one.accuracy.value, before);
    before = one.accuracy.value;
    EXPECT_LE(one.accuracy.low, one.accuracy.value);
    EXPECT_GE(one.accuracy.high, one.accuracy.value);
    EXPECT_EQ(one.predictions.size(), one.test_items);
    EXPECT_EQ(one.automation.size(), request.targets.size());
    const bool asked = one.name.starts_with("llm");
    EXPECT_EQ(one.test_items, asked ? 20U : comparison.test_items);
    EXPECT_EQ(one.note.find("scored on 20 of") != std::string::npos, asked);
  }
  EXPECT_EQ(score_of(comparison, "majority").accuracy.value > 0.2, true);
  EXPECT_GT(score_of(comparison, "tfidf+logreg").accuracy.value, 0.7);
  EXPECT_GT(engine.calls, 0);
}

// proves P-CLASS-06
TEST(Compare, the_cheapest_that_is_not_worse_is_recommended_with_its_reason) {
  CompareRequest request;
  request.data = tickets(600, 0.1);
  FakeEmbedder embedder;
  CompareTools tools;
  tools.embedder = &embedder;
  const ClassifierComparison comparison = must_compare(request, tools);
  // Words decide these tickets: nothing dearer can be better, and the majority is far behind.
  EXPECT_EQ(comparison.recommended.method, "tfidf+logreg");
  EXPECT_NE(comparison.recommended.reason.find("no model at all"), std::string::npos)
      << comparison.recommended.reason;
  const MethodScore& majority = score_of(comparison, "majority");
  EXPECT_LT(majority.p_to_best, 0.05);
  EXPECT_LT(majority.difference_to_best, -0.3);
  for (const MethodScore& one : comparison.methods) {
    if (!one.scored) {
      EXPECT_EQ(one.note, "skipped: no language model");
    }
  }
}

TEST(Compare, labels_that_nothing_explains_get_an_honest_answer) {
  CompareRequest request;
  request.data = tickets(200, 1.0);  // words and labels have nothing to do with each other
  request.methods = {"majority", "tfidf+logreg", "bm25-knn"};
  const ClassifierComparison comparison = must_compare(request);
  EXPECT_EQ(comparison.recommended.method, "majority");
  EXPECT_NE(comparison.recommended.reason.find("No method is shown to be better"), std::string::npos);
  for (const MethodScore& one : comparison.methods) {
    for (const eval::Automation& at : one.automation) EXPECT_EQ(at.decided, 0U);
  }
}

TEST(Compare, the_same_seed_gives_the_same_figures) {
  CompareRequest request;
  request.data = tickets(240, 0.3);
  request.methods = {"tfidf+logreg", "bm25-knn"};
  request.threads = 1;
  const ClassifierComparison one = must_compare(request);
  request.threads = 3;
  const ClassifierComparison two = must_compare(request);
  for (const MethodScore& score : one.methods) {
    const MethodScore& other = score_of(two, score.name);
    EXPECT_EQ(score.accuracy.value, other.accuracy.value);
    EXPECT_EQ(score.settings, other.settings);
    EXPECT_EQ(score.labels_said, other.labels_said);
    EXPECT_EQ(score.p_to_best, other.p_to_best);
  }
  EXPECT_EQ(one.test_ids, two.test_ids);
}

// proves P-CLASS-09
TEST(Compare, in_folds_every_item_is_tested_once_by_models_that_had_not_seen_it) {
  CompareRequest request;
  request.data = tickets(200, 0.1, 1, "customer");
  request.methods = {"majority", "tfidf+logreg"};
  request.find_suspects = false;
  request.folds = 5;
  const ClassifierComparison compared = must_compare(request);
  EXPECT_EQ(compared.test_items, request.data.items.size());
  const MethodScore& words = score_of(compared, "tfidf+logreg");
  ASSERT_EQ(words.predictions.size(), request.data.items.size());
  for (std::size_t i = 0; i < words.predictions.size(); ++i) {
    EXPECT_EQ(words.test_index[i], i);
    EXPECT_EQ(compared.labels[static_cast<std::size_t>(words.predictions[i].truth)],
              request.data.items[i].label);
  }
  // What it learnt by heart would be right always; a tenth of these tickets says another label's words.
  EXPECT_GT(words.accuracy.value, 0.8);
  EXPECT_LT(words.accuracy.value, 0.99);
  // Thresholds come from two folds and are checked on the three others.
  ASSERT_FALSE(words.automation.empty());
  EXPECT_NEAR(static_cast<double>(words.automation.front().n), 120, 12);  // customers stay together
  request.folds = 2;
  EXPECT_EQ(compare_classifiers(request, {}).error().kind, Kind::bad_request);
  request.folds = 5;
  request.shots = 3;
  EXPECT_EQ(compare_classifiers(request, {}).error().kind, Kind::bad_request);
}

TEST(Compare, few_shots_learn_from_so_many_of_each_label) {
  CompareRequest request;
  request.data = tickets(400, 0.1);
  request.shots = 3;
  request.draws = 4;
  request.methods = {"tfidf+logreg", "embeddings+logreg", "bm25-knn"};
  FakeEmbedder embedder;
  CompareTools tools;
  tools.embedder = &embedder;
  const ClassifierComparison comparison = must_compare(request, tools);
  EXPECT_EQ(comparison.train_items, 12U);
  for (const MethodScore& one : comparison.methods) {
    EXPECT_GT(one.accuracy.value, 0.3) << one.name;
    EXPECT_GT(one.accuracy.high - one.accuracy.low, 0.0);
    const bool between =
        std::any_of(one.correct.begin(), one.correct.end(), [](double c) { return c > 0 && c < 1; });
    EXPECT_TRUE(between) << "the draws differ";
  }
}

TEST(Compare, a_test_file_of_its_own_is_checked_for_leakage_and_unknown_labels) {
  CompareRequest request;
  request.data = tickets(200, 0.1, 1);
  eval::ClassificationData test = tickets(80, 0.1, 2);
  test.items[0].text = request.data.items[5].text;
  test.items[1].label = "surprise";
  test.labels.push_back("surprise");
  std::sort(test.labels.begin(), test.labels.end());
  request.test = test;
  request.methods = {"tfidf+logreg"};
  const ClassifierComparison comparison = must_compare(request);
  EXPECT_EQ(comparison.test_items, 80U);
  std::set<std::string> kinds;
  for (const eval::DataNote& note : comparison.notes) kinds.insert(note.kind);
  EXPECT_TRUE(kinds.contains("leakage"));
  EXPECT_TRUE(kinds.contains("label without training item"));
}

TEST(Compare, groups_never_stand_on_both_sides) {
  CompareRequest request;
  request.data = tickets(300, 0.2, 1, "customer");
  request.methods = {"majority", "tfidf+logreg"};
  const ClassifierComparison comparison = must_compare(request);
  std::set<std::string> test(comparison.test_ids.begin(), comparison.test_ids.end());
  std::set<std::string> in_test;
  std::set<std::string> elsewhere;
  for (const eval::LabelledText& item : request.data.items)
    (test.contains(item.id) ? in_test : elsewhere).insert(item.cluster);
  for (const std::string& cluster : in_test) EXPECT_FALSE(elsewhere.contains(cluster));
}

TEST(Compare, what_cannot_be_compared_is_refused_with_a_reason) {
  CompareRequest request;
  const auto one = eval::parse_classification("text,label\na b,x\nc d,x\n", "one.csv");
  ASSERT_TRUE(one.ok());
  request.data = *one;
  EXPECT_EQ(compare_classifiers(request, {}).error().kind, Kind::bad_request);
  const auto two = eval::parse_classification("text,label\na b,x\nc d,y\n", "two.csv");
  ASSERT_TRUE(two.ok());
  request.data = *two;
  EXPECT_FALSE(compare_classifiers(request, {}).ok());
  request.data = tickets(100);
  request.methods = {"magic"};
  const auto unknown = compare_classifiers(request, {});
  ASSERT_FALSE(unknown.ok());
  EXPECT_NE(unknown.error().message.find("bm25-knn"), std::string::npos);
  request.methods = {"embeddings+logreg"};
  EXPECT_EQ(compare_classifiers(request, {}).error().kind, Kind::unavailable);
}

TEST(Compare, a_thousand_labels_are_compared) {
  std::string csv = "text,label\n";
  for (int i = 0; i < 3000; ++i) {
    csv += "thing number n" + std::to_string(i % 1000) + " seen " + std::to_string(i) + " times,l" +
           std::to_string(i % 1000) + "\n";
  }
  const auto data = eval::parse_classification(csv, "many.csv");
  ASSERT_TRUE(data.ok());
  CompareRequest request;
  request.data = *data;
  request.methods = {"majority", "bm25-knn"};
  request.find_suspects = false;
  const ClassifierComparison comparison = must_compare(request);
  EXPECT_EQ(comparison.labels.size(), 1000U);
  EXPECT_GT(score_of(comparison, "bm25-knn").accuracy.value, 0.9);
}

TEST(Compare, every_run_is_in_the_ledger_with_its_items) {
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / ("loam_classify_test_" + std::to_string(::getpid()) + ".db");
  std::filesystem::remove(file);
  {
    auto store = store::Store::open(file);
    ASSERT_TRUE(store.ok());
    CompareRequest request;
    request.data = tickets(200, 0.2);
    request.methods = {"majority", "tfidf+logreg"};
    CompareTools tools;
    tools.ledger = store->get();
    tools.version = "test";
    const ClassifierComparison comparison = must_compare(request, tools);
    std::vector<eval::Run> runs;
    for (const MethodScore& one : comparison.methods) {
      auto run = eval::load_run(**store, one.run);
      ASSERT_TRUE(run.ok()) << run.error().line();
      EXPECT_EQ(run->task, "classify");
      EXPECT_EQ(run->name, one.name);
      EXPECT_EQ(run->data.sha256, request.data.version.sha256);
      EXPECT_EQ(run->items.size(), one.test_items);
      runs.push_back(*run);
    }
    auto compared = eval::compare_runs(runs[0], runs[1], "accuracy");
    ASSERT_TRUE(compared.ok()) << compared.error().line();
    EXPECT_EQ(compared->result.n, comparison.test_items);
  }
  for (const char* ending : {"", "-wal", "-shm"}) std::filesystem::remove(file.string() + ending);
}

TEST(Suspects, a_wrong_label_among_right_ones_is_doubted_first) {
  CompareRequest request;
  request.data = tickets(400, 0.0);
  request.data.items[8].label = "praise";  // its words are those of an account
  request.methods = {"tfidf+logreg"};
  const ClassifierComparison comparison = must_compare(request);
  ASSERT_FALSE(comparison.suspects.empty());
  EXPECT_EQ(comparison.suspects.front().item, 8U);
  EXPECT_EQ(comparison.suspects.front().label, "praise");
  EXPECT_EQ(comparison.suspects.front().suggested, "account");
  EXPECT_GT(comparison.suspects.front().doubt, 0.5);
  EXPECT_LE(comparison.suspects.size(), 4U);
}

TEST(Suspects, follow_the_thresholds_of_confident_learning) {
  // Mean self-confidence: a 0.8 (of 0.9, 0.7), b 0.5 (of 0.6, 0.4). The last item's 0.6 for a is below 0.8,
  // so a is not believed of it, although it is the likelier class.
  const std::vector<float> probabilities = {0.9F, 0.1F, 0.7F, 0.3F, 0.4F, 0.6F, 0.6F, 0.4F};
  const std::vector<int> labels = {0, 0, 1, 1};
  EXPECT_TRUE(label_suspects(probabilities, labels, {"a", "b"}).empty());
  const std::vector<float> clearer = {0.9F, 0.1F, 0.7F, 0.3F, 0.4F, 0.6F, 0.85F, 0.15F};
  const auto suspects = label_suspects(clearer, labels, {"a", "b"});
  ASSERT_EQ(suspects.size(), 1U);
  EXPECT_EQ(suspects[0].item, 3U);
  EXPECT_EQ(suspects[0].suggested, "a");
  EXPECT_NEAR(suspects[0].doubt, 0.85, 1e-6);
}

// proves P-CLASS-07
TEST(CompareJson, has_the_shape_that_programs_rely_on) {
  CompareRequest request;
  request.data = tickets(200, 0.2);
  const Json json = to_json(must_compare(request), request);
  ASSERT_TRUE(json["methods"].is_array());
  const Json& best = json["methods"][0];
  for (const char* key : {"value", "low", "high"}) {
    EXPECT_TRUE(best["accuracy"][key].is_number());
    EXPECT_TRUE(best["macro_f1"][key].is_number());
  }
  EXPECT_TRUE(best["name"].is_string());
  EXPECT_TRUE(best["ms_per_item"].is_number());
  for (const char* key : {"target", "coverage", "threshold", "low"})
    EXPECT_TRUE(best["automation"][0][key].is_number());
  EXPECT_TRUE(json["recommended"].is_string());
  EXPECT_TRUE(json["reason"].is_string());
}

}  // namespace
}  // namespace loam::tasks
