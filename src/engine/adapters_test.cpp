#include "engine/testing/fixture.h"

namespace loam::engine {
namespace {

using testing::LoraB;
using testing::scratch_folder;
using testing::tiny_engine;

std::filesystem::path lora(const std::string& name, LoraB b, std::uint32_t seed) {
  const auto path = scratch_folder() / (name + ".gguf");
  const auto written = testing::write_tiny_lora(path, b, seed);
  EXPECT_TRUE(written.ok());
  return path;
}

std::vector<float> first_step(LocalEngine& engine, const std::string& prompt) {
  GenerateRequest request;
  request.raw_prompt = prompt;
  request.max_tokens = 1;
  request.top_alternatives = 50;
  const auto draft = engine.generate(request);
  EXPECT_TRUE(draft.ok()) << (draft ? "" : draft.error().line());
  std::vector<float> probabilities;
  if (draft && !draft->steps.empty()) {
    for (const Alternative& alternative : draft->steps.front().alternatives) {
      probabilities.push_back(static_cast<float>(alternative.token));
      probabilities.push_back(alternative.probability);
    }
  }
  return probabilities;
}

constexpr const char* kPrompt = "the cat and the hen are in the house on the hill and";

TEST(adapters, an_adapter_with_zero_b_changes_nothing_and_a_real_one_does) {
  const auto engine = tiny_engine();
  const auto base = first_step(*engine, kPrompt);
  ASSERT_TRUE(engine->set_adapters({{lora("zero", LoraB::zero, 7), 1.0F}}).ok());
  EXPECT_EQ(first_step(*engine, kPrompt), base);
  ASSERT_TRUE(engine->set_adapters({{lora("one", LoraB::random, 7), 1.0F}}).ok());
  EXPECT_NE(first_step(*engine, kPrompt), base);
  ASSERT_TRUE(engine->set_adapters({{lora("one", LoraB::random, 7), 0.0F}}).ok());
  EXPECT_EQ(first_step(*engine, kPrompt), base);
}

// proves P-ENG-02
TEST(adapters, a_cache_made_under_one_adapter_never_serves_another) {
  const auto one = lora("one", LoraB::random, 7);
  const auto two = lora("two", LoraB::random, 8);
  const std::vector<std::vector<Adapter>> sets = {
      {}, {{one, 1.0F}}, {{two, 1.0F}}, {{one, 0.5F}}, {{one, 1.0F}, {two, 1.0F}}, {}};
  std::vector<std::vector<float>> expected;
  for (const auto& set : sets) {
    LocalEngineOptions options;
    options.adapters = set;
    expected.push_back(first_step(*tiny_engine(options), kPrompt));
  }
  LocalEngineOptions fast;
  fast.reuse = Reuse::fast;
  const auto engine = tiny_engine(fast);
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < sets.size(); ++i) {
      ASSERT_TRUE(engine->set_adapters(sets[i]).ok());
      EXPECT_EQ(first_step(*engine, kPrompt), expected[i]) << "set " << i;
      GenerateRequest request;
      request.raw_prompt = kPrompt;
      request.max_tokens = 4;
      const auto again = engine->generate(request);
      ASSERT_TRUE(again.ok());
      EXPECT_GT(again->usage.reused_tokens, 0);  // the same set does reuse its own
    }
  }
}

// proves P-ENG-02
TEST(adapters, scoring_follows_the_adapters) {
  const auto engine = tiny_engine();
  ScoreRequest request;
  request.raw_prompt = std::string(200, 'k') + " the cat";  // long enough that a prompt would be reused
  request.continuations = {" and the hen"};
  const auto base = engine->score(request);
  ASSERT_TRUE(engine->set_adapters({{lora("one", LoraB::random, 7), 1.0F}}).ok());
  const auto adapted = engine->score(request);
  ASSERT_TRUE(base.ok() && adapted.ok());
  EXPECT_NE(base->front().log_probability, adapted->front().log_probability);
  ASSERT_TRUE(engine->set_adapters({}).ok());
  const auto again = engine->score(request);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->front().log_probability, base->front().log_probability);
}

TEST(adapters, a_bad_adapter_is_refused_and_the_earlier_set_stays) {
  const auto engine = tiny_engine();
  ASSERT_TRUE(engine->set_adapters({{lora("one", LoraB::random, 7), 1.0F}}).ok());
  const auto before = first_step(*engine, kPrompt);
  EXPECT_FALSE(engine->set_adapters({{scratch_folder() / "absent.gguf", 1.0F}}).ok());
  EXPECT_FALSE(engine->set_adapters({{engine->model().file(), 1.0F}}).ok());  // a model is no adapter
  EXPECT_FALSE(engine->set_adapters({{lora("one", LoraB::random, 7), 1e9F}}).ok());
  testing::TinyModelOptions larger;
  larger.dimensions = 128;
  const auto foreign = scratch_folder() / "foreign.gguf";
  ASSERT_TRUE(testing::write_tiny_lora(foreign, LoraB::random, 3, larger).ok());
  EXPECT_FALSE(engine->set_adapters({{foreign, 1.0F}}).ok());  // trained on a model of another shape
  ASSERT_EQ(engine->adapters().size(), 1U);
  engine->clear_cache();  // reuse would change the last bits
  EXPECT_EQ(first_step(*engine, kPrompt), before);
}

}  // namespace
}  // namespace loam::engine
