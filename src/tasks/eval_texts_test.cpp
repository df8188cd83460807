#include "tasks/eval_texts.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tasks/testing/talking_engine.h"

namespace loam::tasks {
namespace {

using testing::fenced_part;
using testing::TalkingEngine;

eval::TextData two_cases() {
  eval::TextData data;
  data.version.file = "cases.jsonl";
  data.cases = {{"a",
                 "The cat sleeps on the sofa. The dog barks at the cat in the garden.",
                 {"The cat sleeps on the sofa."},
                 ""},
                {"b",
                 "Bread is baked at six. The shop sells bread until noon.",
                 {"The shop sells bread until noon."},
                 ""}};
  return data;
}

double value(const TextContestant& contestant, const std::string& name) {
  const auto found = std::find_if(contestant.metrics.begin(), contestant.metrics.end(),
                                  [&](const eval::Metric& one) { return one.name == name; });
  return found == contestant.metrics.end() ? -1 : found->estimate.value;
}

TEST(EvaluateSummaries, scores_model_textrank_and_lead_on_the_same_cases) {
  TalkingEngine engine([](const std::string& prompt) {
    const std::string text = fenced_part(prompt);
    return text.substr(0, text.find(". ") + 1);
  });
  const auto evaluation = evaluate_summaries(&engine, two_cases(), {.sentences = 1});
  ASSERT_TRUE(evaluation.ok()) << evaluation.error().line();
  ASSERT_EQ(evaluation->contestants.size(), 3U);
  EXPECT_EQ(evaluation->contestants[0].name, "loam summarise");
  EXPECT_EQ(evaluation->contestants[2].name, "lead");
  for (const TextContestant& one : evaluation->contestants) EXPECT_EQ(one.items.size(), 2U);
  EXPECT_EQ(evaluation->contestants[0].items[0].scores.at("rouge_1"),
            1);  // the first sentence is the reference
  EXPECT_EQ(value(evaluation->contestants[0], "supported"), 1);
  EXPECT_EQ(value(evaluation->contestants[0], "coverage"), 1);
  EXPECT_EQ(value(evaluation->contestants[0], "written"), 1);
  EXPECT_EQ(evaluation->contestants[0].items[0].output, evaluation->contestants[2].items[0].output);
}

TEST(EvaluateSummaries, cases_without_reference_are_refused_with_their_number) {
  eval::TextData data = two_cases();
  data.cases[1].references.clear();
  const auto evaluation = evaluate_summaries(nullptr, data, {});
  ASSERT_FALSE(evaluation.ok());
  EXPECT_EQ(evaluation.error().kind, Kind::bad_data);
  EXPECT_NE(evaluation.error().message.find("1 of 2"), std::string::npos);
  EXPECT_FALSE(evaluate_summaries(nullptr, {}, {}).ok());
}

TEST(EvaluateTranslations, copying_a_source_that_equals_its_reference_scores_100) {
  eval::TextData data;
  data.version.file = "cases.jsonl";
  data.cases = {{"a", "Paris est une ville de France.", {"Paris est une ville de France."}, ""},
                {"b", "Il y a douze mois dans une année.", {"Il y a douze mois dans une année."}, ""}};
  TranslateOptions options;
  options.to = *find_language("fr");
  const auto evaluation = evaluate_translations(nullptr, data, options);
  ASSERT_TRUE(evaluation.ok()) << evaluation.error().line();
  ASSERT_EQ(evaluation->contestants.size(), 1U);
  EXPECT_EQ(evaluation->contestants[0].name, "copy-source");
  EXPECT_NEAR(value(evaluation->contestants[0], "bleu"), 100, 1e-6);
  EXPECT_NEAR(value(evaluation->contestants[0], "chrf"), 100, 1e-6);
}

TEST(EvaluateTranslations, counts_what_was_verified_and_what_stayed_the_same) {
  eval::TextData data;
  data.version.file = "cases.jsonl";
  data.cases = {{"a", "There are 12 apples.", {"Il y a 12 pommes."}, ""}, {"b", "Hello.", {"Bonjour."}, ""}};
  TalkingEngine engine([](const std::string& prompt) {
    return fenced_part(prompt) == "Hello." ? "Bonjour." : "Il y a des pommes.";
  });
  TranslateOptions options;
  options.to = *find_language("fr");
  const auto evaluation = evaluate_translations(&engine, data, options);
  ASSERT_TRUE(evaluation.ok()) << evaluation.error().line();
  const TextContestant& model = evaluation->contestants.front();
  EXPECT_EQ(model.items[0].output, "There are 12 apples.");
  EXPECT_DOUBLE_EQ(value(model, "verified"), 0.5);
  EXPECT_DOUBLE_EQ(value(model, "same"), 0.5);
}

}  // namespace
}  // namespace loam::tasks
