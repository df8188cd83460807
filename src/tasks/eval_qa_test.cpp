#include "tasks/eval_qa.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "index/testing/fakes.h"
#include "tasks/testing/talking_engine.h"

namespace loam::tasks {
namespace {

Citation cited(const std::string& source, const std::string& quote) {
  Citation citation;
  citation.source = source;
  citation.quote = quote;
  return citation;
}

Answered said(const std::string& text, std::vector<Citation> citations = {}, double confidence = 0.9) {
  return {text, false, confidence, std::move(citations)};
}

const eval::QaCase kLeave{"q1",       "How long is the leave?",
                          "27 days",  {"twenty-seven days"},
                          "leave.md", "Employees have 27 days of annual leave."};
const eval::QaCase kUnknown{"q2", "What does parking cost?", std::nullopt, {}, "", ""};

TEST(ScoreAnswer, an_exact_answer_with_its_quote_scores_one_everywhere) {
  // proves P-EVAL-40
  const auto scores =
      score_answer(kLeave, said("27 days", {cited("leave.md", "Employees have 27 days of leave.")}));
  for (const char* name :
       {"exact_match", "f1", "holds", "right", "answered", "citation_precision", "citation_recall"})
    EXPECT_EQ(scores.at(name), 1) << name;
}

TEST(ScoreAnswer, a_sentence_that_holds_the_answer_is_right_but_no_exact_match) {
  const auto scores = score_answer(kLeave, said("Employees have 27 days of annual leave."));
  EXPECT_EQ(scores.at("exact_match"), 0);
  EXPECT_EQ(scores.at("holds"), 1);
  EXPECT_GT(scores.at("f1"), 0);
  EXPECT_LT(scores.at("f1"), 1);
  EXPECT_EQ(score_answer(kLeave, said("There are 127 days.")).at("holds"), 0);
}

TEST(ScoreAnswer, a_citation_must_hold_the_answer_or_half_of_the_gold_quote_in_the_gold_source) {
  const auto precision = [](const Citation& citation) {
    return score_answer(kLeave, said("27 days", {citation})).at("citation_precision");
  };
  EXPECT_EQ(precision(cited("leave.md", "It is 27 days.")), 1);
  EXPECT_EQ(precision(cited("other.md", "It is 27 days.")), 0);
  EXPECT_EQ(precision(cited("leave.md", "Employees have annual leave")), 1);
  EXPECT_EQ(precision(cited("leave.md", "The canteen opens at noon.")), 0);
}

TEST(ScoreAnswer, of_two_citations_one_good_one_gives_half_precision_and_full_recall) {
  const auto scores = score_answer(
      kLeave, said("27 days", {cited("leave.md", "27 days"), cited("leave.md", "The canteen.")}));
  EXPECT_EQ(scores.at("citation_precision"), 0.5);
  EXPECT_EQ(scores.at("citation_recall"), 1);
}

TEST(ScoreAnswer, silence_is_right_where_there_is_no_answer_and_wrong_where_there_is) {
  EXPECT_EQ(score_answer(kUnknown, {}).at("right"), 1);
  EXPECT_EQ(score_answer(kUnknown, {}).at("f1"), 1);
  EXPECT_EQ(score_answer(kUnknown, said("2 EUR", {cited("a", "b")})).at("right"), 0);
  EXPECT_EQ(score_answer(kUnknown, said("2 EUR", {cited("a", "b")})).at("citation_precision"), 0);
  EXPECT_EQ(score_answer(kLeave, {}).at("right"), 0);
  EXPECT_EQ(score_answer(kLeave, {}).at("citation_recall"), 0);
}

TEST(QaMetrics, coverage_error_and_aurc_are_those_worked_out_by_hand) {
  std::vector<eval::ItemResult> items;
  const std::vector<bool> right = {true, true, false, true};
  const std::vector<double> confidence = {0.9, 0.8, 0.7, 0.6};
  for (std::size_t i = 0; i < 4; ++i) {
    eval::ItemResult item;
    item.id = std::to_string(i);
    item.scores = {{"answered", i < 3 ? 1.0 : 0.0}, {"right", right[i] && i < 3 ? 1.0 : 0.0}};
    items.push_back(item);
  }
  const auto metrics = qa_metrics(items, confidence, right);
  const auto value = [&](const std::string& name) {
    const auto found =
        std::find_if(metrics.begin(), metrics.end(), [&](const auto& m) { return m.name == name; });
    return found == metrics.end() ? -1 : found->estimate.value;
  };
  EXPECT_DOUBLE_EQ(value("coverage"), 0.75);
  EXPECT_NEAR(value("error"), 1.0 / 3, 1e-12);
  // Errors at coverages 1/4, 2/4, 3/4, 1: 0, 0, 1/3, 1/4.
  EXPECT_NEAR(value("aurc"), (0 + 0 + 1.0 / 3 + 0.25) / 4, 1e-12);
}

class FixedRetriever final : public retrieve::Retriever {
 public:
  explicit FixedRetriever(const std::string& text) {
    hit_.passage.text = text;
    hit_.passage.span = {0, text.size()};
    hit_.source = "leave.md";
    hit_.why.cosine = 0.8F;
    hit_.why.bm25 = 8.0F;
  }
  Result<std::vector<Hit>> find(std::string_view question, int, const retrieve::RetrieveOptions&,
                                retrieve::RetrieveTimings*) override {
    if (question.find("TOO LONG") != std::string_view::npos)
      return Error{Kind::bad_request, "question", "it is too long", "shorten it"};
    return std::vector<Hit>{hit_};
  }
  Result<retrieve::Explanation> explain(std::string_view, std::string_view, int,
                                        const retrieve::RetrieveOptions&) override {
    return retrieve::Explanation{};
  }
  Result<std::vector<float>> idf(const std::vector<std::string>& terms) override {
    return std::vector<float>(terms.size(), 3.0F);
  }

 private:
  Hit hit_;
};

eval::QaData two_questions() {
  eval::QaData data;
  data.cases = {kLeave, kUnknown};
  return data;
}

TEST(EvaluateQa, asks_once_and_scores_model_and_baseline_on_the_same_items) {
  FixedRetriever retriever("Employees have 27 days of annual leave.");
  index::testing::FakeEmbedder embedder;
  testing::TalkingEngine engine([](const std::string&) { return "Employees have 27 days of annual leave."; });
  QaOptions options;
  const auto evaluation = evaluate_qa(retriever, embedder, &engine, two_questions(), options);
  ASSERT_TRUE(evaluation.ok()) << evaluation.error().line();
  ASSERT_EQ(evaluation->contestants.size(), 2U);
  EXPECT_EQ(evaluation->contestants[0].name, "loam ask");
  for (const QaContestant& contestant : evaluation->contestants) {
    ASSERT_EQ(contestant.items.size(), 2U);
    EXPECT_EQ(contestant.items[0].id, "q1");
    EXPECT_EQ(contestant.items[1].id, "q2");
  }
}

TEST(EvaluateQa, a_threshold_of_one_means_silence_everywhere_but_the_risk_is_still_known) {
  FixedRetriever retriever("Employees have 27 days of annual leave.");
  index::testing::FakeEmbedder embedder;
  QaOptions options;
  options.ask.min_confidence = 1.1F;
  const auto evaluation = evaluate_qa(retriever, embedder, nullptr, two_questions(), options);
  ASSERT_TRUE(evaluation.ok());
  ASSERT_EQ(evaluation->contestants.size(), 1U);
  for (const auto& item : evaluation->contestants[0].items) EXPECT_EQ(item.scores.at("answered"), 0);
  const auto& metrics = evaluation->contestants[0].metrics;
  EXPECT_TRUE(std::any_of(metrics.begin(), metrics.end(), [](const auto& m) { return m.name == "aurc"; }));
}

TEST(EvaluateQa, a_refused_question_is_an_item_and_counts_as_silence) {
  FixedRetriever retriever("Employees have 27 days of annual leave.");
  index::testing::FakeEmbedder embedder;
  eval::QaData data = two_questions();
  data.cases[0].question += " TOO LONG";
  const auto evaluation = evaluate_qa(retriever, embedder, nullptr, data, {});
  ASSERT_TRUE(evaluation.ok());
  EXPECT_EQ(evaluation->contestants[0].items[0].scores.at("answered"), 0);
  EXPECT_NE(evaluation->contestants[0].items[0].output.find("too long"), std::string::npos);
}

TEST(EvaluateQa, stopped_it_gives_no_part_as_the_whole) {
  FixedRetriever retriever("x");
  index::testing::FakeEmbedder embedder;
  std::stop_source source;
  source.request_stop();
  EXPECT_FALSE(evaluate_qa(retriever, embedder, nullptr, two_questions(), {}, {}, source.get_token()).ok());
}

}  // namespace
}  // namespace loam::tasks
