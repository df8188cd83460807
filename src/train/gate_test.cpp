#include "train/gate.h"

#include <unistd.h>

#include "engine/testing/tiny_model.h"
#include "gtest/gtest.h"

namespace loam::train {
namespace {

namespace fs = std::filesystem;

class Gate : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_);
    ASSERT_TRUE(engine::testing::write_tiny_model(folder_ / "tiny.gguf").ok());
    ASSERT_TRUE(
        engine::testing::write_tiny_lora(folder_ / "one.gguf", engine::testing::LoraB::random, 3).ok());
    ASSERT_TRUE(
        engine::testing::write_tiny_lora(folder_ / "zero.gguf", engine::testing::LoraB::zero, 3).ok());
    engine::LocalEngineOptions options;
    options.threads = 1;
    options.context_tokens = 512;
    auto opened = engine::LocalEngine::open(folder_ / "tiny.gguf", options);
    ASSERT_TRUE(opened.ok()) << opened.error().line();
    engine_ = *std::move(opened);
    quick_.answer_tokens = 8;
    quick_.most_latency_ratio = 1000;  // a busy machine is no reason to fail here
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// Items whose expected answers are what the model says with these adapters.
  TrainingData answers_of(const std::vector<engine::Adapter>& adapters, int items) {
    EXPECT_TRUE(engine_->set_adapters(adapters).ok());
    TrainingData data;
    for (int i = 0; i < items; ++i) {
      const std::string question = "question " + std::to_string(i) + " about the hen";
      engine::GenerateRequest request;
      request.messages = {{engine::Role::user, question}};
      request.max_tokens = quick_.answer_tokens;
      const auto draft = engine_->generate(request);
      EXPECT_TRUE(draft.ok());
      Conversation one;
      one.messages = {{engine::Role::user, question}, {engine::Role::assistant, draft ? draft->text : ""}};
      one.line = static_cast<std::size_t>(i) + 1;
      data.items.push_back(std::move(one));
    }
    data.version.file = "held-out.jsonl";
    return data;
  }
  const GateCheck& check(const GateReport& report, const std::string& name) {
    for (const GateCheck& one : report.checks) {
      if (one.name == name) return one;
    }
    ADD_FAILURE() << name;
    return report.checks.front();
  }

  fs::path folder_ = fs::temp_directory_path() / ("loam_gate_" + std::to_string(::getpid()));
  std::unique_ptr<engine::LocalEngine> engine_;
  GateOptions quick_;
};

// proves P-ADAPT-05
TEST_F(Gate, what_knows_the_answers_is_better_and_what_does_not_is_not) {
  const std::vector<engine::Adapter> adapter = {{folder_ / "one.gguf", 1.0F}};
  quick_.most_perplexity_ratio = quick_.most_instruction_ratio = 1e9;  // random weights forget everything
  const TrainingData data = answers_of(adapter, 12);
  auto report = run_gate(*engine_, {}, adapter, data, quick_);
  ASSERT_TRUE(report.ok()) << report.error().line();
  EXPECT_TRUE(report->passed) << report->summary();
  EXPECT_EQ(report->paired.b.value, 1.0);
  EXPECT_EQ(report->items.size(), 12U);
  EXPECT_EQ(report->items.front().id, "line 1");
  EXPECT_GT(report->candidate.memory_bytes, 0U);
  EXPECT_EQ(report->candidate.name, "tiny+one");
  // The other way round it is worse.
  report = run_gate(*engine_, adapter, {}, data, quick_);
  ASSERT_TRUE(report.ok());
  EXPECT_FALSE(report->passed);
  EXPECT_FALSE(check(*report, "better").passed);
}

// proves P-ADAPT-05
TEST_F(Gate, what_changes_nothing_is_not_promoted) {
  const auto report = run_gate(*engine_, {}, {{folder_ / "zero.gguf", 1.0F}}, answers_of({}, 8), quick_);
  ASSERT_TRUE(report.ok());
  EXPECT_FALSE(report->passed);
  EXPECT_EQ(report->paired.equal, 8U);
  EXPECT_TRUE(check(*report, "general text").passed);
  EXPECT_TRUE(check(*report, "instructions").passed);
  EXPECT_NEAR(check(*report, "general text").value, 1.0, 1e-6);
}

// proves P-ADAPT-05
TEST_F(Gate, forgetting_is_refused_however_good_the_answers_are) {
  const std::vector<engine::Adapter> adapter = {{folder_ / "one.gguf", 1.0F}};
  quick_.most_perplexity_ratio = 1e-3;
  const auto report = run_gate(*engine_, {}, adapter, answers_of(adapter, 12), quick_);
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(check(*report, "better").passed);
  EXPECT_FALSE(check(*report, "general text").passed);
  EXPECT_FALSE(report->passed);
  EXPECT_NE(report->summary().find("general text"), std::string::npos);
}

TEST_F(Gate, too_few_items_show_nothing) {
  const auto report = run_gate(*engine_, {}, {{folder_ / "one.gguf", 1.0F}}, answers_of({}, 4), quick_);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().kind, Kind::bad_request);
}

TEST_F(Gate, the_measure_has_two_names) {
  EXPECT_EQ(*gate_measure_from("exact_match"), GateMeasure::exact_match);
  EXPECT_EQ(*gate_measure_from(""), GateMeasure::f1);
  EXPECT_FALSE(gate_measure_from("bleu").ok());
}

}  // namespace
}  // namespace loam::train
