#include "tasks/eval_likelihood.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <functional>

#include "base/json.h"
#include "engine/testing/tiny_model.h"

namespace loam::tasks {
namespace {

using engine::ContinuationScore;
using engine::ScoreRequest;

/// Likes what the test says; a token is a byte.
class ScriptedEngine : public engine::Engine {
 public:
  std::function<double(const std::string&)> likes = [](const std::string&) { return -1.0; };
  std::vector<ScoreRequest> asked;
  int context = 64;
  std::string name = "scripted";

  const std::string& model_name() const override { return name; }
  int context_tokens() const override { return context; }
  Result<int> count_tokens(std::string_view text) override { return static_cast<int>(text.size()); }
  Result<int> count_tokens(const std::vector<engine::Message>&) override { return 0; }
  Result<std::string> render(const std::vector<engine::Message>&) override { return std::string(); }
  Result<engine::Draft> generate(const engine::GenerateRequest&, const engine::TextSink&,
                                 std::stop_token) override {
    return engine::Draft();
  }
  Result<std::vector<ContinuationScore>> score(const ScoreRequest& request, std::stop_token stop) override {
    if (stop.stop_requested()) return Error{Kind::unavailable, name, "scoring was stopped", ""};
    std::vector<ContinuationScore> scores;
    for (const std::string& continuation : request.continuations) {
      if (request.raw_prompt.size() + continuation.size() > static_cast<std::size_t>(context))
        return Error{Kind::out_of_room, name, "a prompt that exceeds the context", ""};
      scores.push_back({likes(continuation), static_cast<int>(continuation.size()), false});
    }
    asked.push_back(request);
    return scores;
  }
};

eval::ChoiceData data_of(std::vector<eval::ChoiceCase> cases) {
  eval::ChoiceData data;
  data.version = {"choices.jsonl", "", cases.size()};
  data.cases = std::move(cases);
  return data;
}

eval::ChoiceCase one_case(std::string id, std::vector<std::string> choices, int answer) {
  eval::ChoiceCase one;
  one.id = std::move(id);
  one.context = "Why?";
  one.choices = std::move(choices);
  one.answer = answer;
  return one;
}

double value_of(const std::vector<eval::Metric>& metrics, const std::string& name) {
  for (const eval::Metric& metric : metrics) {
    if (metric.name == name) return metric.estimate.value;
  }
  ADD_FAILURE() << name;
  return -1;
}

TEST(choices, one_space_joins_unless_white_space_is_there) {
  EXPECT_EQ(joined_choice("Why?", "Because."), " Because.");
  EXPECT_EQ(joined_choice("Why?\n", "Because."), "Because.");
  EXPECT_EQ(joined_choice("Why?\xC2\xA0", "Because."), "Because.");
  EXPECT_EQ(joined_choice("Why?", " Because."), " Because.");
  EXPECT_EQ(joined_choice("", "Because."), " Because.");
}

TEST(choices, the_first_of_equals_is_chosen) {
  EXPECT_EQ(best_choice({-3, -1, -1}), 1);
  EXPECT_EQ(best_choice({-2}), 0);
}

// Worked by hand: -10 for 2 characters is -5 each, -12 for 4 is -3 each. proves P-EVAL-30
TEST(choices, accuracy_takes_the_sum_and_its_norm_the_mean_over_characters) {
  ScriptedEngine engine;
  engine.likes = [](const std::string& choice) { return choice == " no" ? -10.0 : -12.0; };
  const auto found =
      evaluate_choices(engine, data_of({one_case("a", {"no", "sure"}, 0), one_case("b", {"no", "sure"}, 1),
                                        one_case("c", {"no", "sure"}, 1)}));
  ASSERT_TRUE(found.ok()) << found.error().line();
  EXPECT_NEAR(value_of(found->metrics, "accuracy"), 1.0 / 3, 1e-12);
  EXPECT_NEAR(value_of(found->metrics, "accuracy_norm"), 2.0 / 3, 1e-12);
  ASSERT_EQ(found->items.size(), 3U);
  EXPECT_EQ(found->items[1].scores.at("accuracy"), 0);
  EXPECT_EQ(found->items[1].scores.at("accuracy_norm"), 1);
  const auto output = parse_json(found->items[0].output, "output");
  ASSERT_TRUE(output.ok());
  EXPECT_EQ((*output)["chosen"], 0);
  EXPECT_EQ((*output)["chosen_norm"], 1);
  EXPECT_EQ((*output)["log_likelihoods"][1], -12.0);
  EXPECT_EQ(found->tokens, 3U * (4 + 3 + 5));
  EXPECT_EQ(found->metrics[0].estimate.n, 3U);
  EXPECT_LE(found->metrics[0].estimate.low, found->metrics[0].estimate.high);
}

TEST(choices, characters_are_code_points_and_not_bytes) {
  ScriptedEngine engine;
  // Two characters in six bytes: -8 / 2 = -4 is worse than -9 / 3 = -3; by bytes it would be better.
  engine.likes = [](const std::string& choice) { return choice == " abc" ? -9.0 : -8.0; };
  const auto found =
      evaluate_choices(engine, data_of({one_case("a", {"\xE4\xB8\xAD\xE6\x96\x87", "abc"}, 1)}));
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(value_of(found->metrics, "accuracy"), 0);
  EXPECT_EQ(value_of(found->metrics, "accuracy_norm"), 1);
}

// proves P-EVAL-31
TEST(choices, a_case_that_does_not_fit_counts_as_wrong_and_says_so) {
  ScriptedEngine engine;
  auto cases = data_of({one_case("a", {"x", "y"}, 0), one_case("b", {"x", std::string(80, 'y')}, 0)});
  const auto found = evaluate_choices(engine, cases);
  ASSERT_TRUE(found.ok()) << found.error().line();
  EXPECT_EQ(found->refused, 1U);
  ASSERT_EQ(found->items.size(), 2U);
  EXPECT_EQ(value_of(found->metrics, "accuracy"), 0.5);
  EXPECT_NE(found->items[1].output.find("refused"), std::string::npos);
}

TEST(choices, clusters_widen_the_interval) {
  ScriptedEngine engine;
  std::vector<eval::ChoiceCase> cases;
  for (int i = 0; i < 40; ++i) {
    cases.push_back(one_case(std::to_string(i), {"x", "y"}, i < 20 ? 0 : 1));
    cases.back().cluster = i < 20 ? "easy" : "hard";
  }
  const auto clustered = evaluate_choices(engine, data_of(cases));
  for (eval::ChoiceCase& one : cases) one.cluster.clear();
  const auto alone = evaluate_choices(engine, data_of(cases));
  ASSERT_TRUE(clustered.ok() && alone.ok());
  EXPECT_GT(clustered->metrics[0].estimate.high - clustered->metrics[0].estimate.low,
            alone->metrics[0].estimate.high - alone->metrics[0].estimate.low + 0.2);
}

TEST(choices, limits_stops_and_bad_cases) {
  ScriptedEngine engine;
  const auto three =
      data_of({one_case("a", {"x", "y"}, 0), one_case("b", {"x", "y"}, 0), one_case("c", {"x"}, 0)});
  EXPECT_EQ(evaluate_choices(engine, three, 2)->items.size(), 2U);
  const auto bad = evaluate_choices(engine, three);
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().kind, Kind::bad_data);
  EXPECT_NE(bad.error().place.find("\"c\""), std::string::npos);
  EXPECT_FALSE(evaluate_choices(engine, data_of({one_case("a", {"x", "y"}, 2)})).ok());
  EXPECT_FALSE(evaluate_choices(engine, data_of({one_case("a", {"x", ""}, 0)})).ok());
  EXPECT_FALSE(evaluate_choices(engine, data_of({})).ok());
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(evaluate_choices(engine, three, 2, {}, source.get_token()).error().kind, Kind::unavailable);
}

// proves P-EVAL-32
TEST(loss, stretches_add_up_to_the_text_and_units_agree) {
  const auto path = std::filesystem::temp_directory_path() /
                    ("loam_likelihood_test_" + std::to_string(::getpid()) + ".gguf");
  ASSERT_TRUE(engine::testing::write_tiny_model(path).ok());
  {
    engine::LocalEngineOptions options;
    options.threads = 1;
    options.context_tokens = 256;
    const auto opened = engine::LocalEngine::open(path, options);
    ASSERT_TRUE(opened.ok()) << opened.error().line();
    std::string text;
    while (text.size() < 3000) text += "The hen and the cat sat in the sand. ";
    engine::TextLossOptions window;
    window.window_tokens = 256;
    window.stride_tokens = 256;
    const auto found = evaluate_loss(**opened, text, window);
    ASSERT_TRUE(found.ok()) << found.error().line();
    ASSERT_EQ(found->items.size(), 3U);
    EXPECT_EQ(found->items.front().id, "bytes 0-" + std::to_string((text.size() + 2) / 3 - 1));
    EXPECT_TRUE(found->items.back().id.ends_with("-" + std::to_string(text.size() - 1)));
    const double bits = value_of(found->metrics, "bits_per_byte");
    const double nats = value_of(found->metrics, "nats_per_token");
    EXPECT_NEAR(bits * std::log(2.0) * static_cast<double>(text.size()), found->loss.nats, 1e-6);
    EXPECT_NEAR(nats * static_cast<double>(found->loss.tokens), found->loss.nats, 1e-6);
    EXPECT_NEAR(value_of(found->metrics, "perplexity"), std::exp(nats), 1e-9);
    double mean = 0;
    for (const eval::ItemResult& item : found->items) mean += item.scores.at("bits_per_byte") / 3;
    EXPECT_NEAR(mean, bits, 0.01);
    EXPECT_FALSE(found->metrics.front().higher_is_better);
  }
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace loam::tasks
