// Labels by the likelihood that the real model gives them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <numeric>

#include "engine/local_engine.h"
#include "tasks/label_llm.h"

namespace loam::tasks {
namespace {

std::unique_ptr<engine::LocalEngine> real_engine() {
  const char* folder = std::getenv("LOAM_TEST_MODELS");
  const auto path =
      std::filesystem::path(folder == nullptr ? "" : folder) / "smollm2-135m-instruct-q4_1.gguf";
  if (folder == nullptr || !std::filesystem::exists(path)) {
    ADD_FAILURE() << "LOAM_TEST_MODELS must name a folder that holds " << path.filename();
    return nullptr;
  }
  auto opened = engine::LocalEngine::open(path, {});
  EXPECT_TRUE(opened.ok()) << (opened ? "" : opened.error().line());
  return opened ? *std::move(opened) : nullptr;
}

const std::vector<std::string> kIntents = {"card_arrival", "exchange_rate", "lost_or_stolen_card",
                                           "pin_blocked", "top_up_failed"};

// proves P-LABEL-01
TEST(label_llm_model, a_text_without_content_gets_every_label_alike_once_calibrated) {
  const auto engine = real_engine();
  ASSERT_TRUE(engine);
  LabelOptions options;
  options.content_free = {"N/A"};
  const auto calibrated = LabelPrompt::prepare(*engine, kIntents, options);
  ASSERT_TRUE(calibrated.ok()) << calibrated.error().line();
  const auto even = label_probabilities(*engine, *calibrated, "N/A");
  ASSERT_TRUE(even.ok()) << even.error().line();
  for (const float p : *even) EXPECT_NEAR(p, 0.2, 0.01);
  options.calibration = Calibration::none;
  const auto bare = LabelPrompt::prepare(*engine, kIntents, options);
  ASSERT_TRUE(bare.ok());
  const auto uneven = label_probabilities(*engine, *bare, "N/A");
  ASSERT_TRUE(uneven.ok());
  EXPECT_GT(*std::max_element(uneven->begin(), uneven->end()), 0.3F);  // what the model likes anyway
  EXPECT_NEAR(std::accumulate(uneven->begin(), uneven->end(), 0.0), 1.0, 1e-5);
}

// proves P-LABEL-03
TEST(label_llm_model, an_example_is_read_and_counted) {
  const auto engine = real_engine();
  ASSERT_TRUE(engine);
  LabelOptions options;
  options.calibration = Calibration::none;
  const auto prompt = LabelPrompt::prepare(*engine, kIntents, options);
  ASSERT_TRUE(prompt.ok()) << prompt.error().line();
  const std::string text = "My new card has not come in the post.";
  const std::vector<LabelExample> examples = {{text, 0}};
  LabelHints hints;
  hints.examples = examples;
  LabelUsage without, with;
  const auto zero = label_probabilities(*engine, *prompt, text, {}, &without);
  const auto one = label_probabilities(*engine, *prompt, text, hints, &with);
  ASSERT_TRUE(zero.ok() && one.ok());
  // What it does with the example is the model's affair: this one goes on to the next label of the list.
  EXPECT_GT(std::abs((*one)[0] - (*zero)[0]), 0.01F);
  EXPECT_EQ(with.examples_shown, 1);
  EXPECT_EQ(with.labels_scored, 5);
  EXPECT_EQ(with.label_tokens, without.label_tokens);
  EXPECT_GT(with.prompt_tokens, without.prompt_tokens + 10);
}

}  // namespace
}  // namespace loam::tasks
