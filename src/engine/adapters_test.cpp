#include <chrono>

#include "engine/base_identity.h"
#include "engine/gguf_file.h"
#include "engine/gguf_writer.h"
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
      // From the second round on most of the prompt comes from the set's own cache; fast reuse rounds
      // otherwise.
      const std::vector<float> now = first_step(*engine, kPrompt);
      ASSERT_EQ(now.size(), expected[i].size());
      for (std::size_t k = 0; k < now.size(); ++k) EXPECT_NEAR(now[k], expected[i][k], 1e-4) << "set " << i;
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

/// Long enough for whole micro-batches of 128 tokens.
std::string long_prompt(const std::string& who) {
  std::string prompt;
  for (int i = 0; i < 40; ++i) prompt += who + " " + std::to_string(i) + " sat on the hill and ";
  return prompt;
}

Draft short_answer(LocalEngine& engine, const std::string& prompt) {
  GenerateRequest request;
  request.raw_prompt = prompt;
  request.max_tokens = 12;
  request.top_alternatives = 3;
  auto draft = engine.generate(request);
  EXPECT_TRUE(draft.ok()) << (draft ? "" : draft.error().line());
  return draft ? *draft : Draft{};
}

bool same(const Draft& a, const Draft& b) {
  if (a.text != b.text || a.steps.size() != b.steps.size()) return false;
  for (std::size_t i = 0; i < a.steps.size(); ++i) {
    if (a.steps[i].token != b.steps[i].token || a.steps[i].probability != b.steps[i].probability)
      return false;
  }
  return true;
}

// proves P-ADAPT-02
TEST(adapters, in_turns_each_set_keeps_its_own_prompt_and_says_what_it_says_alone) {
  constexpr int kSets = 8;
  std::vector<std::vector<Adapter>> sets;
  std::vector<Draft> alone;
  for (int i = 0; i < kSets; ++i) {
    sets.push_back({{lora("turn" + std::to_string(i), LoraB::random, static_cast<std::uint32_t>(30 + i)),
                     i % 2 == 0 ? 1.0F : 0.5F}});
    LocalEngineOptions options;
    options.adapters = sets.back();
    alone.push_back(short_answer(*tiny_engine(options), long_prompt("the cat")));
  }
  EXPECT_FALSE(same(alone[0], alone[1]));
  LocalEngineOptions options;
  options.adapter_sets = kSets;
  const auto engine = tiny_engine(options);
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < sets.size(); ++i) {
      ASSERT_TRUE(engine->set_adapters(sets[i]).ok());
      const Draft draft = short_answer(*engine, long_prompt("the cat"));
      EXPECT_TRUE(same(draft, alone[i])) << "round " << round << ", set " << i;
      if (round == 0) {
        EXPECT_EQ(draft.usage.reused_tokens, 0) << "set " << i;  // nothing of another set's
      } else {
        EXPECT_GT(draft.usage.reused_tokens, draft.usage.prompt_tokens - 2 * 128) << "set " << i;
      }
    }
  }
}

// proves P-ADAPT-02
TEST(adapters, with_room_for_two_sets_the_one_not_used_for_longest_goes) {
  const std::vector<std::vector<Adapter>> sets = {
      {}, {{lora("one", LoraB::random, 7), 1.0F}}, {{lora("two", LoraB::random, 8), 1.0F}}};
  LocalEngineOptions options;
  options.adapter_sets = 2;
  const auto engine = tiny_engine(options);
  const auto reused = [&](std::size_t i) {
    EXPECT_TRUE(engine->set_adapters(sets[i]).ok());
    return short_answer(*engine, long_prompt("the hen")).usage.reused_tokens;
  };
  EXPECT_EQ(reused(0), 0);
  EXPECT_EQ(reused(1), 0);
  EXPECT_GT(reused(0), 0);
  EXPECT_EQ(reused(2), 0);  // in the place of 1
  EXPECT_GT(reused(0), 0);
  EXPECT_EQ(reused(1), 0);  // in the place of 2
  EXPECT_EQ(reused(2), 0);  // in the place of 0
  EXPECT_GT(reused(1), 0);
}

TEST(adapters, a_file_that_was_replaced_is_another_adapter) {
  const auto engine = tiny_engine();
  const auto path = lora("replaced", LoraB::random, 7);
  ASSERT_TRUE(engine->set_adapters({{path, 1.0F}}).ok());
  const auto before = first_step(*engine, kPrompt);
  std::filesystem::remove(path);
  lora("replaced", LoraB::random, 8);
  std::filesystem::last_write_time(path,
                                   std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  ASSERT_TRUE(engine->set_adapters({{path, 1.0F}}).ok());
  EXPECT_NE(first_step(*engine, kPrompt), before);
}

/// The adapter in `from` with keys of ours added, as the trainer writes them.
std::filesystem::path with_base(const std::filesystem::path& from, const std::string& name,
                                const std::string& base_name, const std::string& identity) {
  auto file = ReadOnlyFile::open(from);
  EXPECT_TRUE(file.ok());
  GgufFile bytes(std::move(*file));
  const auto metadata = read_gguf_metadata(bytes, name);
  EXPECT_TRUE(metadata.ok());
  GgufWriter writer;
  writer.set("general.type", "adapter");
  writer.set("general.architecture", "llama");
  writer.set("adapter.type", "lora");
  writer.set("adapter.lora.alpha", static_cast<float>(metadata->find("adapter.lora.alpha")->number));
  writer.set(kBaseNameKey, std::string_view(base_name));
  writer.set(kBaseIdentityKey, std::string_view(identity));
  for (const GgufTensor& tensor : metadata->tensors)
    writer.add_tensor(tensor.name, tensor.dimensions, tensor.type, tensor.bytes);
  const auto path = scratch_folder() / (name + ".gguf");
  const auto written = writer.write(path, [&](std::size_t i) -> Result<std::string> {
    std::string data(metadata->tensors[i].bytes, '\0');
    const auto read =
        bytes.read_at(metadata->data_start + metadata->tensors[i].offset, data.data(), data.size());
    if (!read) return read.error();
    return data;
  });
  EXPECT_TRUE(written.ok()) << (written ? "" : written.error().line());
  return path;
}

/// Remembers what was said.
class Listener : public Logger {
 public:
  std::string said;
  void write(LogLevel, std::string_view message) override { said += std::string(message) + "\n"; }
};

// proves P-ADAPT-01
TEST(adapters, a_wrong_base_is_refused_with_both_names_and_an_unknown_one_is_told) {
  const auto plain = lora("plain", LoraB::random, 7);
  const auto right = with_base(plain, "right", "tiny", *testing::tiny_model()->identity());
  const auto wrong = with_base(plain, "wrong", "some-other-model", std::string(64, 'a'));
  Listener listener;
  auto opened = LocalEngine::open(testing::tiny_model(), {}, listener);
  ASSERT_TRUE(opened.ok());
  LocalEngine& engine = **opened;
  ASSERT_TRUE(engine.set_adapters({{right, 1.0F}}).ok());
  EXPECT_EQ(listener.said.find("does not say"), std::string::npos) << listener.said;
  const auto refused = engine.set_adapters({{wrong, 1.0F}});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, Kind::bad_request);
  EXPECT_NE(refused.error().message.find("some-other-model"), std::string::npos) << refused.error().line();
  EXPECT_NE(refused.error().message.find("tiny"), std::string::npos) << refused.error().line();
  EXPECT_EQ(engine.adapters().front().file, right);
  ASSERT_TRUE(engine.set_adapters({{plain, 1.0F}}).ok());
  EXPECT_NE(listener.said.find("does not say"), std::string::npos) << listener.said;
}

}  // namespace
}  // namespace loam::engine
