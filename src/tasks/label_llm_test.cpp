#include "tasks/label_llm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/utf8.h"

namespace loam::tasks {
namespace {

using engine::ContinuationScore;
using engine::Message;
using engine::Role;
using engine::ScoreRequest;

/// A model of which the test decides how it likes each label. Tokens are words.
class ScriptedEngine : public engine::Engine {
 public:
  std::function<double(const ScoreRequest&, const std::string&)> likes =
      [](const ScoreRequest&, const std::string&) { return 1.0; };
  std::vector<ScoreRequest> asked;
  int context = 400;
  std::string name = "scripted";

  const std::string& model_name() const override { return name; }
  int context_tokens() const override { return context; }
  Result<int> count_tokens(std::string_view text) override {
    int words = 0;
    bool inside = false;
    for (const char c : text) {
      const bool space = c == ' ' || c == '\n';
      words += !space && !inside ? 1 : 0;
      inside = !space;
    }
    return words;
  }
  Result<int> count_tokens(const std::vector<Message>& messages) override {
    int tokens = 1;
    for (const Message& message : messages) tokens += 3 + *count_tokens(message.content);
    return tokens;
  }
  Result<std::string> render(const std::vector<Message>&) override { return std::string(); }
  Result<engine::Draft> generate(const engine::GenerateRequest&, const engine::TextSink&,
                                 std::stop_token) override {
    return Error{Kind::our_bug, "scripted", "a classifier writes nothing", ""};
  }
  Result<std::vector<ContinuationScore>> score(const ScoreRequest& request, std::stop_token stop) override {
    if (stop.stop_requested()) return Error{Kind::unavailable, name, "scoring was stopped", ""};
    asked.push_back(request);
    std::vector<ContinuationScore> scores;
    for (const std::string& label : request.continuations) {
      const int tokens = *count_tokens(label);
      EXPECT_LE(*count_tokens(request.messages) + tokens, context);
      scores.push_back({std::log(likes(request, label)), tokens, false});
    }
    return scores;
  }
};

const std::vector<std::string> kMoods = {"glad", "sad", "angry"};

/// The text that is asked about: the last message without its mark.
std::string text_of(const ScoreRequest& request) { return request.messages.back().content.substr(6); }

bool without_content(const ScoreRequest& request) {
  const std::string text = text_of(request);
  return text == "N/A" || text.empty() || text == "[MASK]";
}

LabelPrompt must_prepare(ScriptedEngine& engine, std::vector<std::string> labels, LabelOptions options = {}) {
  auto prompt = LabelPrompt::prepare(engine, std::move(labels), options);
  EXPECT_TRUE(prompt.ok()) << prompt.error().line();
  return *std::move(prompt);
}

std::vector<float> must(ScriptedEngine& engine, const LabelPrompt& prompt, std::string_view text,
                        const LabelHints& hints = {}, LabelUsage* usage = nullptr) {
  auto found = label_probabilities(engine, prompt, text, hints, usage);
  EXPECT_TRUE(found.ok()) << (found ? "" : found.error().line());
  return found ? *std::move(found) : std::vector<float>();
}

double sum(const std::vector<float>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

// proves P-LABEL-01
TEST(label_llm, probabilities_are_the_models_shares_of_the_labels) {
  ScriptedEngine engine;
  engine.likes = [](const ScoreRequest& request, const std::string& label) {
    return without_content(request) ? 0.01 : label == "sad" ? 0.03 : 0.01;
  };
  const auto found = must(engine, must_prepare(engine, kMoods), "It rains.");
  ASSERT_EQ(found.size(), 3U);
  EXPECT_NEAR(found[0], 0.2, 1e-6);
  EXPECT_NEAR(found[1], 0.6, 1e-6);
  EXPECT_NEAR(sum(found), 1.0, 1e-6);
}

// Worked by hand: the model says "glad" to everything, three to one, and a little less to this text.
TEST(label_llm, calibration_divides_by_what_a_text_without_content_gets) {
  ScriptedEngine engine;
  engine.likes = [](const ScoreRequest& request, const std::string& label) {
    if (without_content(request)) return label == "glad" ? 0.6 : 0.2;
    return label == "glad" ? 0.4 : label == "sad" ? 0.4 : 0.2;
  };
  const auto found = must(engine, must_prepare(engine, kMoods), "It rains.");
  // 0.4/0.6 : 0.4/0.2 : 0.2/0.2 = 2/3 : 2 : 1
  EXPECT_NEAR(found[0], 2.0 / 11.0, 1e-6);
  EXPECT_NEAR(found[1], 6.0 / 11.0, 1e-6);
  EXPECT_NEAR(found[2], 3.0 / 11.0, 1e-6);
  LabelOptions options;
  options.calibration = Calibration::none;
  EXPECT_NEAR(must(engine, must_prepare(engine, kMoods, options), "It rains.")[0], 0.4, 1e-6);
}

TEST(label_llm, the_prior_is_the_mean_over_texts_without_content) {
  ScriptedEngine engine;
  engine.likes = [](const ScoreRequest& request, const std::string& label) {
    if (text_of(request) == "N/A") return label == "glad" ? 0.5 : 0.25;
    if (text_of(request).empty()) return label == "glad" ? 0.1 : 0.45;
    return 1.0;  // "[MASK]" and the text itself: all alike
  };
  const auto found = must(engine, must_prepare(engine, kMoods), "It rains.");
  const double glad = (0.5 + 0.1 + 1.0 / 3) / 3;
  const double other = (0.25 + 0.45 + 1.0 / 3) / 3;
  EXPECT_NEAR(found[0] / found[1], other / glad, 1e-5);
}

TEST(label_llm, calibration_runs_once_or_with_the_examples_of_each_text) {
  const std::vector<LabelExample> examples = {{"What a day!", 0}, {"Oh no.", 1}};
  LabelHints hints;
  hints.examples = examples;
  for (const auto& [calibration, at_first, for_each] : {std::tuple{Calibration::none, 0U, 1U},
                                                        {Calibration::once, 3U, 1U},
                                                        {Calibration::each_prompt, 0U, 4U}}) {
    ScriptedEngine engine;
    LabelOptions options;
    options.calibration = calibration;
    const LabelPrompt prompt = must_prepare(engine, kMoods, options);
    EXPECT_EQ(engine.asked.size(), at_first);
    engine.asked.clear();
    LabelUsage usage;
    must(engine, prompt, "It rains.", hints, &usage);
    must(engine, prompt, "It snows.", hints, &usage);
    EXPECT_EQ(engine.asked.size(), 2 * for_each);
    EXPECT_EQ(usage.calls, static_cast<int>(2 * for_each));
    for (const ScoreRequest& request : engine.asked) EXPECT_EQ(request.messages.size(), 6U);
  }
}

TEST(label_llm, the_prompt_names_the_labels_in_words_and_shows_the_nearest_example_last) {
  ScriptedEngine engine;
  const LabelPrompt prompt = must_prepare(engine, {"card_arrival", "lost-card", " Top  Up "});
  EXPECT_EQ(prompt.said(0), "card arrival");
  EXPECT_EQ(prompt.said(1), "lost-card");
  EXPECT_EQ(prompt.said(2), "Top Up");
  EXPECT_TRUE(prompt.lists_labels());
  EXPECT_EQ(prompt.labels()[0], "card_arrival");
  engine.asked.clear();
  const std::vector<LabelExample> examples = {{"near", 0}, {"far", 1}};
  LabelHints hints;
  hints.examples = examples;
  must(engine, prompt, "Where is it?", hints);
  const auto& messages = engine.asked.front().messages;
  ASSERT_EQ(messages.size(), 6U);
  EXPECT_NE(messages[0].content.find("card arrival\nlost-card\nTop Up"), std::string::npos);
  EXPECT_EQ(messages[1].content, "Text: far");
  EXPECT_EQ(messages[2].content, "lost-card");
  EXPECT_EQ(messages[3].content, "Text: near");
  EXPECT_EQ(messages[4].content, "card arrival");
  EXPECT_EQ(messages[5].content, "Text: Where is it?");
  EXPECT_EQ(engine.asked.front().continuations,
            (std::vector<std::string>{"card arrival", "lost-card", "Top Up"}));
}

TEST(label_llm, identifiers_stay_as_written_where_words_would_make_them_one) {
  ScriptedEngine engine;
  const LabelPrompt prompt = must_prepare(engine, {"top_up", "top up", "other"});
  EXPECT_EQ(prompt.said(0), "top_up");
  EXPECT_EQ(prompt.said(1), "top up");
}

// proves P-LABEL-02
TEST(label_llm, examples_that_do_not_fit_are_left_out_and_counted) {
  ScriptedEngine engine;
  engine.context = 120;
  const LabelPrompt prompt = must_prepare(engine, kMoods);
  std::string long_text;
  for (int i = 0; i < 90; ++i) long_text += "word ";
  std::vector<LabelExample> examples = {{long_text, 0}, {"short and near", 1}};
  for (int i = 0; i < 40; ++i) examples.push_back({"less near than that", 2});
  LabelHints hints;
  hints.examples = examples;
  LabelUsage usage;
  engine.asked.clear();
  must(engine, prompt, "It rains.", hints, &usage);
  EXPECT_GT(usage.examples_shown, 1);
  EXPECT_LT(usage.examples_shown, 20);
  const auto& messages = engine.asked.front().messages;
  EXPECT_EQ(messages[messages.size() - 3].content, "Text: short and near");
  EXPECT_EQ(messages.size(), 2U + 2U * static_cast<std::size_t>(usage.examples_shown));
}

// proves P-LABEL-02
TEST(label_llm, a_text_that_does_not_fit_is_refused_with_both_numbers) {
  ScriptedEngine engine;
  engine.context = 100;
  const LabelPrompt prompt = must_prepare(engine, kMoods);
  std::string text;
  for (int i = 0; i < 200; ++i) text += "word ";
  const auto found = label_probabilities(engine, prompt, text);
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().kind, Kind::out_of_room);
  EXPECT_NE(found.error().message.find("100"), std::string::npos) << found.error().message;
}

TEST(label_llm, many_labels_are_not_listed_but_all_scored) {
  ScriptedEngine engine;
  std::vector<std::string> labels;
  for (int i = 0; i < 200; ++i) labels.push_back("class " + std::to_string(i));
  const LabelPrompt prompt = must_prepare(engine, labels);
  EXPECT_FALSE(prompt.lists_labels());
  engine.likes = [](const ScoreRequest&, const std::string& label) {
    return label == "class 150" ? 9.0 : 1.0;
  };
  LabelUsage usage;
  const auto found = must(engine, prompt, "anything", {}, &usage);
  EXPECT_EQ(usage.labels_scored, 200);
  EXPECT_EQ(std::max_element(found.begin(), found.end()) - found.begin(), 150);
}

TEST(label_llm, too_many_labels_are_shortlisted_by_what_is_known_of_the_text) {
  ScriptedEngine engine;
  std::vector<std::string> labels;
  for (int i = 0; i < 1000; ++i) labels.push_back("class " + std::to_string(i));
  labels[777] = "lost_umbrella";
  LabelOptions options;
  options.most_labels = 5;
  const LabelPrompt prompt = must_prepare(engine, labels, options);
  const std::vector<LabelExample> examples = {{"an example", 500}};
  const std::vector<int> candidates = {30, 20, 30};
  LabelUsage usage;
  const auto found = must(engine, prompt, "My Umbrella is lost!", {examples, candidates}, &usage);
  EXPECT_EQ(usage.labels_scored, 5);
  EXPECT_EQ(std::count_if(found.begin(), found.end(), [](float p) { return p > 0; }), 5);
  for (const std::size_t label : {30U, 20U, 500U, 777U}) EXPECT_GT(found[label], 0.1F) << label;
  EXPECT_NEAR(sum(found), 1.0, 1e-6);
}

// proves P-LABEL-03
TEST(label_llm, tokens_are_counted_calibration_included) {
  ScriptedEngine engine;
  const LabelPrompt prompt = must_prepare(engine, kMoods);
  std::uint64_t prompts = 0;
  for (const ScoreRequest& request : engine.asked)
    prompts += static_cast<std::uint64_t>(*engine.count_tokens(request.messages));
  EXPECT_EQ(engine.asked.size(), 3U);
  EXPECT_EQ(prompt.preparation().prompt_tokens, prompts);
  EXPECT_EQ(prompt.preparation().label_tokens, 9U);
  EXPECT_EQ(prompt.preparation().tokens(), prompts + 9U);
}

TEST(label_llm, bad_labels_texts_and_hints_are_refused_by_name) {
  ScriptedEngine engine;
  EXPECT_EQ(LabelPrompt::prepare(engine, {}).error().place, "labels");
  EXPECT_EQ(LabelPrompt::prepare(engine, {"one"}).error().place, "labels");
  EXPECT_EQ(LabelPrompt::prepare(engine, {"one", " \n"}).error().place, "label 2");
  EXPECT_EQ(LabelPrompt::prepare(engine, {"one", "\xFF"}).error().place, "label 2");
  const auto same = LabelPrompt::prepare(engine, {"one more", "one  more"});
  ASSERT_FALSE(same.ok());
  EXPECT_NE(same.error().place.find("one more"), std::string::npos) << same.error().line();
  LabelOptions no_texts;
  no_texts.content_free.clear();
  EXPECT_EQ(LabelPrompt::prepare(engine, kMoods, no_texts).error().place, "content_free");
  const LabelPrompt prompt = must_prepare(engine, kMoods);
  EXPECT_EQ(label_probabilities(engine, prompt, "\xFF").error().place, "text");
  const std::vector<int> candidates = {3};
  EXPECT_EQ(label_probabilities(engine, prompt, "x", {{}, candidates}).error().place, "candidates");
  const std::vector<LabelExample> examples = {{"x", -1}};
  EXPECT_EQ(label_probabilities(engine, prompt, "x", {examples, {}}).error().place, "examples");
  ScriptedEngine other;
  other.name = "another";
  EXPECT_EQ(label_probabilities(other, prompt, "x").error().kind, Kind::bad_request);
  engine.context = 20;
  EXPECT_EQ(LabelPrompt::prepare(engine, kMoods).error().kind, Kind::out_of_room);
}

TEST(label_llm, stopping_is_an_error_and_no_probability) {
  ScriptedEngine engine;
  const LabelPrompt prompt = must_prepare(engine, kMoods);
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(label_probabilities(engine, prompt, "x", {}, nullptr, source.get_token()).error().kind,
            Kind::unavailable);
}

}  // namespace
}  // namespace loam::tasks
