// Whole runs on a tiny encoder: what they learn, that they can be stopped anywhere, and that llama.cpp serves
// what was trained.
#include "train/encoder_trainer.h"

#include <fstream>
#include <sstream>

#include "engine/local_encoder.h"
#include "engine/testing/fixture.h"
#include "gtest/gtest.h"
#include "train/bert_pass.h"
#include "train/testing/numbers.h"

namespace loam::train {
namespace {

namespace fs = std::filesystem;

std::string bytes_at(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

fs::path tiny_base() {
  static const fs::path path = [] {
    const fs::path file = engine::testing::scratch_folder() / "encoder_base.gguf";
    EXPECT_TRUE(engine::testing::write_tiny_embedder(file).ok());
    return file;
  }();
  return path;
}

fs::path data_for(engine::HeadKind kind) {
  const char* const things[] = {"leave", "notice", "salad", "pump", "price", "contract"};
  const bool texts = kind == engine::HeadKind::classifier;
  std::string lines;
  for (int i = 0; i < 18; ++i) {
    const std::string thing = things[i % 6], number = std::to_string(10 + i);
    if (texts) {
      lines +=
          "{\"text\":\"the " + thing + " of " + number + " days\",\"label\":\"" + things[i % 3] + "\"}\n";
    } else {
      lines += "{\"question\":\"How long is the " + thing + " of " + number +
               "?\",\"context\":\"In the manual the " + thing + " of " + number + " is " +
               std::to_string(70 - i) + " days.\",\"answers\":[{\"text\":\"" + std::to_string(70 - i) +
               "\"}]}\n";
    }
  }
  const fs::path path =
      engine::testing::scratch_folder() / (texts ? "run_texts.jsonl" : "run_questions.jsonl");
  std::ofstream(path, std::ios::binary) << lines;
  return path;
}

EncoderRequest small_request(engine::HeadKind kind, const std::string& name) {
  EncoderRequest request;
  request.kind = kind;
  request.base = tiny_base();
  request.data = data_for(kind);
  request.out = engine::testing::scratch_folder() / name;
  std::error_code ignored;
  fs::remove(request.out, ignored);
  fs::remove(checkpoint_path(request.out), ignored);
  request.options = usual_options(kind);
  request.options.lora.rank = 4;
  request.options.lora.alpha = 8;
  request.options.batch_size = 5;
  request.options.epochs = 2;
  request.options.hold_out = 0.2;
  request.options.sequence_tokens = 200;
  request.options.micro_batch_tokens = 150;  // less than a step has
  request.options.threads = 2;
  request.options.seed = 7;
  return request;
}

Result<EncoderReport> train_it(const EncoderRequest& request,
                               const std::function<void(const StepEvent&)>& each = {},
                               std::stop_token stop = {}) {
  auto trainer = EncoderTrainer::open(request);
  if (!trainer) return trainer.error();
  return (*trainer)->run(each, stop);
}

class EncoderRun : public ::testing::TestWithParam<engine::HeadKind> {};

// proves P-TRAIN-06
TEST_P(EncoderRun, stopped_at_any_step_and_resumed_it_ends_with_the_same_bytes) {
  const EncoderRequest whole = small_request(GetParam(), "encoder_whole.gguf");
  std::vector<double> losses;
  const auto report = train_it(whole, [&](const StepEvent& event) { losses.push_back(event.loss); });
  ASSERT_TRUE(report.ok()) << report.error().line();
  EXPECT_TRUE(report->finished);
  EXPECT_FALSE(report->after.empty());
  EXPECT_FALSE(fs::exists(checkpoint_path(whole.out)));
  const std::string expected = bytes_at(whole.out);
  ASSERT_FALSE(expected.empty());
  for (std::int64_t stop_after = 1; stop_after < report->steps; stop_after += 2) {
    EncoderRequest request = small_request(GetParam(), "encoder_parts.gguf");
    request.options.threads = 1 + static_cast<int>(stop_after % 3);
    request.options.memory = stop_after % 4 == 1 ? Memory::everything : Memory::layer_inputs;
    std::stop_source stop;
    const auto first = train_it(
        request,
        [&](const StepEvent& event) {
          if (event.step == stop_after) stop.request_stop();
        },
        stop.get_token());
    ASSERT_TRUE(first.ok()) << first.error().line();
    EXPECT_FALSE(first->finished);
    EXPECT_EQ(first->steps_done, stop_after);
    EXPECT_FALSE(fs::exists(request.out));
    request.resume = true;
    const auto second = train_it(request, [&](const StepEvent& event) {
      EXPECT_EQ(event.loss, losses[static_cast<std::size_t>(event.step - 1)]);
    });
    ASSERT_TRUE(second.ok()) << second.error().line();
    EXPECT_EQ(second->resumed_from, stop_after);
    EXPECT_TRUE(bytes_at(request.out) == expected) << "after " << stop_after;
  }
}

// proves P-TRAIN-06
TEST_P(EncoderRun, stopped_while_it_reads_the_data_it_leaves_nothing_behind) {
  const EncoderRequest whole = small_request(GetParam(), "encoder_unstopped.gguf");
  ASSERT_TRUE(train_it(whole).ok());
  EncoderRequest request = small_request(GetParam(), "encoder_stopped.gguf");
  std::stop_source stop;
  stop.request_stop();
  auto trainer = EncoderTrainer::open(request, {}, silent_logger(), system_clock(), stop.get_token());
  ASSERT_TRUE(trainer.ok()) << trainer.error().line();
  const auto report = (*trainer)->run({}, stop.get_token());
  ASSERT_TRUE(report.ok()) << report.error().line();
  EXPECT_FALSE(report->finished);
  EXPECT_EQ(report->steps_done, 0);
  EXPECT_FALSE(fs::exists(request.out));
  EXPECT_FALSE(fs::exists(checkpoint_path(request.out)));
  trainer = Result<std::unique_ptr<EncoderTrainer>>(nullptr);
  const auto second = train_it(request);
  ASSERT_TRUE(second.ok()) << second.error().line();
  EXPECT_TRUE(bytes_at(request.out) == bytes_at(whole.out));
}

TEST_P(EncoderRun, learns_its_data) {
  EncoderRequest request = small_request(GetParam(), "encoder_learns.gguf");
  request.options.hold_out = 0;
  request.options.epochs = 40;
  request.options.batch_size = 18;
  request.options.learning_rate = 1e-2;
  request.options.micro_batch_tokens = 4000;
  request.negatives = 1;
  const auto report = train_it(request);
  ASSERT_TRUE(report.ok()) << report.error().line();
  EXPECT_LT(report->last_loss, 0.5 * report->first_loss);
}

// proves P-TRAIN-04
TEST_P(EncoderRun, llama_cpp_serves_the_adapter_that_was_trained) {
  EncoderRequest request = small_request(GetParam(), "encoder_served.gguf");
  request.options.learning_rate = 2e-2;
  request.options.precision = Precision::f32;
  ASSERT_TRUE(train_it(request).ok());
  auto model = engine::LocalModel::open(request.base);
  ASSERT_TRUE(model.ok());
  auto encoder = engine::LocalEncoder::open(*model, request.out);
  ASSERT_TRUE(encoder.ok()) << encoder.error().line();
  const engine::EncoderHead& head = (*encoder)->head();
  EXPECT_EQ(head.kind, GetParam());
  EXPECT_EQ(head.max_tokens, 200);
  EXPECT_EQ(head.base_identity, *(*model)->identity());
  EXPECT_EQ(head.weight.size(), head.rows * static_cast<std::size_t>((*model)->dimensions()));
  EXPECT_EQ(head.labels.size(), GetParam() == engine::HeadKind::classifier ? 3U : 0U);
  auto plain = engine::LocalEncoder::open(*model, {});
  ASSERT_TRUE(plain.ok());
  const auto words = engine::WordPiece::of(**model);
  const std::vector<std::vector<engine::Token>> sequences = {
      words->encode("How long is the leave of 12 days?")};
  std::vector<float> with, without;
  ASSERT_TRUE(
      (*encoder)
          ->read(sequences, [&](std::size_t,
                                std::span<const float> states) { with.assign(states.begin(), states.end()); })
          .ok());
  ASSERT_TRUE((*plain)
                  ->read(sequences,
                         [&](std::size_t, std::span<const float> states) {
                           without.assign(states.begin(), states.end());
                         })
                  .ok());
  EXPECT_GT(testing::relative_error(with, without), 1e-2);
}

INSTANTIATE_TEST_SUITE_P(kinds, EncoderRun,
                         ::testing::Values(engine::HeadKind::reader, engine::HeadKind::reranker,
                                           engine::HeadKind::embedder, engine::HeadKind::classifier),
                         [](const auto& one) { return std::string(engine::name_of(one.param)); });

// proves P-TRAIN-21
TEST(EncoderTrainerTest, a_step_in_several_parts_is_the_step_as_a_whole) {
  EncoderRequest request = small_request(engine::HeadKind::embedder, "encoder_step.gguf");
  request.options.precision = Precision::f32;
  request.options.steps = 1;
  std::vector<StepEvent> events;
  for (const int tokens : {150, 4000}) {
    request.options.micro_batch_tokens = tokens;
    const auto report = train_it(request, [&](const StepEvent& event) { events.push_back(event); });
    ASSERT_TRUE(report.ok()) << report.error().line();
  }
  ASSERT_EQ(events.size(), 2U);
  EXPECT_NEAR(events[0].loss, events[1].loss, 1e-5 * events[1].loss);
  EXPECT_NEAR(events[0].gradient_norm, events[1].gradient_norm, 1e-4 * events[1].gradient_norm);
}

// proves P-TRAIN-12
TEST(EncoderTrainerTest, a_loss_that_is_no_number_ends_the_run_with_step_and_lines) {
  EncoderRequest request = small_request(engine::HeadKind::reranker, "encoder_nan.gguf");
  request.options.learning_rate = 1e30;
  request.options.clip_norm = 0;
  request.options.epochs = 20;
  const auto report = train_it(request);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().kind, Kind::bad_data);
  EXPECT_NE(report.error().message.find("lines"), std::string::npos) << report.error().line();
  EXPECT_TRUE(fs::exists(checkpoint_path(request.out)));
  EXPECT_FALSE(fs::exists(request.out));
}

TEST(EncoderTrainerTest, what_cannot_be_trained_is_refused_by_name) {
  EncoderRequest chat = small_request(engine::HeadKind::reader, "encoder_refused.gguf");
  chat.base = engine::testing::tiny_model()->file();
  const auto refused = EncoderTrainer::open(chat);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("encoder"), std::string::npos);

  EncoderRequest wide = small_request(engine::HeadKind::reader, "encoder_refused.gguf");
  wide.options.sequence_tokens = 100000;
  const auto too_wide = EncoderTrainer::open(wide);
  ASSERT_FALSE(too_wide.ok());
  EXPECT_NE(too_wide.error().next_step.find("--seq-len"), std::string::npos);

  EncoderRequest other = small_request(engine::HeadKind::reader, "encoder_other.gguf");
  std::stop_source stop;
  ASSERT_TRUE(train_it(
                  other, [&](const StepEvent&) { stop.request_stop(); }, stop.get_token())
                  .ok());
  other.resume = true;
  other.options.seed = 8;
  const auto another = EncoderTrainer::open(other);
  ASSERT_FALSE(another.ok());
  EXPECT_NE(another.error().message.find("seed"), std::string::npos);
}

}  // namespace
}  // namespace loam::train
