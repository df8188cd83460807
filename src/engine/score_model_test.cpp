// Log-probabilities of the real model: against llama.cpp's own server, and against reading everything
// plainly.
#include <cmath>
#include <fstream>
#include <sstream>

#include "base/json.h"
#include "engine/local_engine_impl.h"
#include "engine/testing/fixture.h"
#include "engine/text_loss.h"

namespace loam::engine {
namespace {

std::unique_ptr<LocalEngine> real_engine() {
  static const std::shared_ptr<LocalModel> model = [] {
    const auto path = testing::real_model("smollm2-135m-instruct-q4_1.gguf");
    auto opened = LocalModel::open(path);
    EXPECT_TRUE(opened.ok()) << (opened ? "" : opened.error().line());
    return opened ? *opened : nullptr;
  }();
  if (!model) return nullptr;
  auto opened = LocalEngine::open(model, {});
  EXPECT_TRUE(opened.ok()) << (opened ? "" : opened.error().line());
  return opened ? *std::move(opened) : nullptr;
}

// proves P-ENG-11
TEST(score_model, first_tokens_get_the_probabilities_of_llama_server) {
  const auto engine = real_engine();
  ASSERT_TRUE(engine);
  std::ifstream in(testing::testdata("llama_completions.json"));
  std::ostringstream text;
  text << in.rdbuf();
  const auto fixture = parse_json(text.str(), "fixture");
  ASSERT_TRUE(fixture.ok());
  int compared = 0;
  for (const Json& one : *fixture) {
    ScoreRequest request;
    request.raw_prompt = one["prompt"].get<std::string>();
    std::vector<double> expected;
    for (const Json& top : one["steps"][0]["top"]) {
      const std::vector<Token> token = {top[0].get<Token>()};
      const std::string piece = *engine->model().decode(token);
      if (!piece.starts_with(' ')) continue;  // what else could melt into the prompt
      request.continuations.push_back(piece);
      expected.push_back(top[1].get<double>());
    }
    if (request.continuations.empty()) continue;
    const auto scores = engine->score(request);
    ASSERT_TRUE(scores.ok()) << scores.error().line();
    for (std::size_t i = 0; i < expected.size(); ++i, ++compared) {
      EXPECT_EQ((*scores)[i].tokens, 1);
      EXPECT_NEAR((*scores)[i].log_probability, expected[i], 0.02) << request.continuations[i];
    }
  }
  EXPECT_GE(compared, 5);
}

// proves P-ENG-12
TEST(score_model, branches_of_one_prompt_equal_each_read_alone) {
  const auto engine = real_engine();
  ASSERT_TRUE(engine);
  ScoreRequest request;
  request.raw_prompt =
      "Question: A tenant wants to leave the flat at the end of March. By when must the notice be "
      "given?\nAnswer:";
  request.continuations = {" three months before, by the end of December",
                           " three months before, by the end of January", " three months later", " never",
                           " on the day on which the tenant moves out of the flat"};
  const auto scores = engine->score(request);
  ASSERT_TRUE(scores.ok()) << scores.error().line();
  const auto prompt = *engine->model().encode(request.raw_prompt, AddSpecial::no, ParseSpecial::no);
  for (std::size_t i = 0; i < scores->size(); ++i) {
    const auto whole = *engine->model().encode(request.raw_prompt + request.continuations[i], AddSpecial::no,
                                               ParseSpecial::no);
    double sum = 0;
    ASSERT_TRUE(engine
                    ->for_each_logits(
                        whole,
                        [&](int position, std::span<const float> logits) {
                          const auto next = static_cast<std::size_t>(position) + 1;
                          if (next >= whole.size()) return;
                          sum += static_cast<double>(logits[static_cast<std::size_t>(whole[next])]) -
                                 log_sum_exp(logits);
                        },
                        static_cast<int>(prompt.size()) - 1)
                    .ok());
    EXPECT_NEAR((*scores)[i].log_probability, sum, 0.05) << request.continuations[i];
    EXPECT_EQ((*scores)[i].tokens, static_cast<int>(whole.size() - prompt.size()));
  }
}

TEST(score_model, what_is_true_is_likelier_than_what_is_not) {
  const auto engine = real_engine();
  ASSERT_TRUE(engine);
  ScoreRequest request;
  request.raw_prompt = "The capital of France is";
  request.continuations = {" Berlin", " Paris", " Madrid"};
  const auto scores = engine->score(request);
  ASSERT_TRUE(scores.ok());
  EXPECT_GT((*scores)[1].log_probability, (*scores)[0].log_probability);
  EXPECT_GT((*scores)[1].log_probability, (*scores)[2].log_probability);
  EXPECT_TRUE((*scores)[1].greedy);
}

// proves P-ENG-15
TEST(score_model, sentences_are_predicted_better_than_their_words_in_disorder) {
  const auto engine = real_engine();
  ASSERT_TRUE(engine);
  const std::string sentence =
      "The notice period for an employee is four weeks to the end of a calendar month.";
  const std::string disorder =
      "month. four a is of period employee end calendar for The weeks an notice to the";
  const auto ordered = text_loss(*engine, sentence);
  const auto shuffled = text_loss(*engine, disorder);
  ASSERT_TRUE(ordered.ok() && shuffled.ok());
  EXPECT_LT(ordered->bits_per_byte() * 1.5, shuffled->bits_per_byte());
  EXPECT_GT(ordered->bits_per_byte(), 0.3);
  EXPECT_LT(ordered->perplexity(), 200);
}

}  // namespace
}  // namespace loam::engine
