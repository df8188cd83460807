#include "train/lora_trainer.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <fstream>
#include <sstream>

#include "engine/testing/fixture.h"
#include "gtest/gtest.h"
#include "train/checkpoint.h"

namespace loam::train {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

fs::path write(const std::string& name, const std::string& text) {
  const fs::path path = engine::testing::scratch_folder() / name;
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

const char* const kWords[] = {"red", "blue", "green", "north", "south", "cat", "dog", "rain"};

fs::path facts(int count = 24) {
  std::string lines;
  for (int i = 0; i < count; ++i) {
    lines += "{\"prompt\":\"Word " + std::to_string(i) + "?\",\"response\":\"" + kWords[i % 8] + "\"}\n";
  }
  return write("facts" + std::to_string(count) + ".jsonl", lines);
}

/// A run on the tiny model that takes a fraction of a second.
TrainingRequest small_run(const std::string& name) {
  TrainingRequest request;
  request.base = engine::testing::tiny_model()->file();
  request.data = facts();
  request.out = engine::testing::scratch_folder() / name;
  std::error_code ignored;
  fs::remove(request.out, ignored);
  fs::remove(checkpoint_path(request.out), ignored);
  request.options.lora.rank = 4;
  request.options.lora.alpha = 8;
  request.options.learning_rate = 5e-3;
  request.options.batch_size = 5;
  request.options.epochs = 3;
  request.options.hold_out = 0.2;
  request.options.sequence_tokens = 200;
  request.options.micro_batch_tokens = 90;
  request.options.threads = 2;
  request.options.seed = 7;
  return request;
}

Result<TrainingReport> train(const TrainingRequest& request,
                             const std::function<void(const StepEvent&)>& each = {},
                             std::stop_token stop = {}) {
  auto trainer = LoraTrainer::open(request);
  if (!trainer) return trainer.error();
  return (*trainer)->run(each, stop);
}

TEST(LoraTrainerTest, learns_facts_that_the_adapter_then_answers_in_llama_cpp) {
  TrainingRequest request = small_run("learns.gguf");
  request.data = facts(6);
  request.options.lora.rank = 16;
  request.options.lora.alpha = 32;
  request.options.batch_size = 6;
  request.options.epochs = 120;
  request.options.hold_out = 0;
  request.options.learning_rate = 1e-2;
  const auto report = train(request);
  ASSERT_TRUE(report.ok()) << report.error().line();
  EXPECT_TRUE(report->finished);
  EXPECT_LT(report->last_loss, 0.05 * report->first_loss);
  EXPECT_FALSE(fs::exists(checkpoint_path(request.out)));
  engine::LocalEngineOptions options;
  options.adapters = {{request.out, 1.0F}};
  const auto engine = engine::testing::tiny_engine(options);
  int right = 0;
  for (int i = 0; i < 6; ++i) {
    engine::GenerateRequest ask;
    ask.messages = {{engine::Role::user, "Word " + std::to_string(i) + "?"}};
    ask.max_tokens = 10;
    const auto draft = engine->generate(ask);
    ASSERT_TRUE(draft.ok());
    right += draft->text == kWords[i % 8] ? 1 : 0;
  }
  EXPECT_EQ(right, 6);
}

// proves P-TRAIN-06
TEST(LoraTrainerTest, stopped_at_any_step_and_resumed_it_ends_with_the_same_bytes) {
  const TrainingRequest whole = small_run("whole.gguf");
  std::vector<double> losses;
  const auto report = train(whole, [&](const StepEvent& event) { losses.push_back(event.loss); });
  ASSERT_TRUE(report.ok()) << report.error().line();
  const std::string expected = read(whole.out);
  ASSERT_FALSE(expected.empty());
  for (std::int64_t stop_after = 1; stop_after < report->steps; stop_after += 3) {
    TrainingRequest request = small_run("parts.gguf");
    request.options.threads = 1 + static_cast<int>(stop_after % 3);
    request.options.memory = stop_after % 2 == 0 ? Memory::everything : Memory::layer_inputs;
    std::stop_source stop;
    const auto first = train(
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
    const auto second = train(request, [&](const StepEvent& event) {
      EXPECT_EQ(event.loss, losses[static_cast<std::size_t>(event.step - 1)]);
    });
    ASSERT_TRUE(second.ok()) << second.error().line();
    EXPECT_EQ(second->resumed_from, stop_after);
    EXPECT_EQ(second->held_out_before, report->held_out_before);
    EXPECT_TRUE(read(request.out) == expected) << "after " << stop_after;
  }
}

// proves P-TRAIN-07
TEST(LoraTrainerTest, killed_and_resumed_it_ends_with_the_same_bytes) {
  const TrainingRequest whole = small_run("unkilled.gguf");
  ASSERT_TRUE(train(whole).ok());
  TrainingRequest request = small_run("killed.gguf");
  request.options.check_parity = false;  // llama.cpp's threads do not live in a forked child
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    (void)train(request, [](const StepEvent& event) {
      if (event.step == 7) ::raise(SIGKILL);
    });
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_TRUE(fs::exists(checkpoint_path(request.out)));
  request.resume = true;
  const auto report = train(request);
  ASSERT_TRUE(report.ok()) << report.error().line();
  EXPECT_GE(report->resumed_from, 1);
  EXPECT_LE(report->resumed_from, 7);
  EXPECT_TRUE(read(request.out) == read(whole.out));
}

// proves P-TRAIN-10
TEST(LoraTrainerTest, kept_features_change_no_byte_of_the_adapter_wherever_they_are_kept) {
  std::string expected;
  for (const Features where : {Features::off, Features::memory, Features::disk, Features::automatic}) {
    TrainingRequest request = small_run("features.gguf");
    request.options.lora.last_layers = 1;
    request.options.features = where;
    auto trainer = LoraTrainer::open(request);
    ASSERT_TRUE(trainer.ok()) << trainer.error().line();
    EXPECT_EQ((*trainer)->plan().features, where == Features::automatic ? Features::memory : where);
    EXPECT_EQ((*trainer)->plan().feature_bytes > 0, where != Features::off);
    ASSERT_TRUE((*trainer)->run().ok());
    if (expected.empty()) expected = read(request.out);
    EXPECT_TRUE(read(request.out) == expected);
  }
  // Resumed, features are computed again for what the rest of the run meets.
  TrainingRequest request = small_run("features_resumed.gguf");
  request.options.lora.last_layers = 1;
  std::stop_source stop;
  ASSERT_TRUE(train(
                  request,
                  [&](const StepEvent& event) {
                    if (event.step == 6) stop.request_stop();
                  },
                  stop.get_token())
                  .ok());
  request.resume = true;
  const auto report = train(request);
  ASSERT_TRUE(report.ok()) << report.error().line();
  EXPECT_TRUE(read(request.out) == expected);
  for (const auto& entry : fs::directory_iterator(request.out.parent_path())) {
    EXPECT_EQ(entry.path().string().find("loam-features"), std::string::npos) << entry.path();
  }
}

TEST(LoraTrainerTest, an_unfinished_run_is_neither_overwritten_nor_mixed_with_another) {
  TrainingRequest request = small_run("unfinished.gguf");
  std::stop_source stop;
  ASSERT_TRUE(train(
                  request, [&](const StepEvent&) { stop.request_stop(); }, stop.get_token())
                  .ok());
  const auto again = train(request);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().kind, Kind::bad_request);
  EXPECT_NE(again.error().next_step.find("--resume"), std::string::npos);
  request.resume = true;
  request.options.learning_rate = 1e-3;
  const auto other = train(request);
  ASSERT_FALSE(other.ok());
  EXPECT_NE(other.error().message.find("lr"), std::string::npos);
  TrainingRequest nothing = small_run("nothing.gguf");
  nothing.resume = true;
  EXPECT_EQ(train(nothing).error().kind, Kind::unavailable);
}

// proves P-TRAIN-12
TEST(LoraTrainerTest, a_loss_that_is_no_number_stops_with_step_and_lines_and_the_last_good_step_is_kept) {
  TrainingRequest request = small_run("nan.gguf");
  request.options.learning_rate = 1e30;
  request.options.clip_norm = 0;
  request.options.warmup_share = 0;
  std::int64_t last = 0;
  const auto report = train(request, [&](const StepEvent& event) { last = event.step; });
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().kind, Kind::bad_data);
  EXPECT_NE(report.error().message.find("step " + std::to_string(last + 1)), std::string::npos)
      << report.error().line();
  EXPECT_NE(report.error().message.find("(lines "), std::string::npos);
  EXPECT_FALSE(fs::exists(request.out));
  auto checkpoint = Checkpoint::open(checkpoint_path(request.out));
  ASSERT_TRUE(checkpoint.ok());
  std::vector<float> values((*checkpoint)->numbers()), first(values.size()), second(values.size());
  const auto progress = (*checkpoint)->load({values, first, second});
  ASSERT_TRUE(progress.ok());
  EXPECT_EQ(static_cast<std::int64_t>(progress->step), last);
  for (const float value : values) ASSERT_TRUE(std::isfinite(value));
}

/// Files of this process can grow no further until the object is gone, as on a full disk.
class FullDisk {
 public:
  explicit FullDisk(rlim_t most_bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit now = before_;
    now.rlim_cur = most_bytes;
    ::setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, SIG_DFL);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
};

// proves P-TRAIN-13
TEST(LoraTrainerTest, a_disk_that_fills_up_during_the_run_loses_the_step_in_flight_and_says_so) {
  const TrainingRequest whole = small_run("roomy.gguf");
  ASSERT_TRUE(train(whole).ok());
  TrainingRequest request = small_run("full.gguf");
  {
    std::unique_ptr<FullDisk> full;
    const auto report = train(request, [&](const StepEvent& event) {
      if (event.step == 4) full = std::make_unique<FullDisk>(4096);
    });
    full.reset();
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.error().kind, Kind::out_of_room);
    EXPECT_NE(report.error().message.find("could not be saved"), std::string::npos) << report.error().line();
    EXPECT_NE(report.error().message.find("holds step "), std::string::npos) << report.error().line();
    EXPECT_NE(report.error().next_step.find("--resume"), std::string::npos);
  }
  request.resume = true;
  const auto report = train(request);
  ASSERT_TRUE(report.ok()) << report.error().line();
  EXPECT_GE(report->resumed_from, 1);
  EXPECT_TRUE(read(request.out) == read(whole.out));
}

// proves P-TRAIN-13
TEST(LoraTrainerTest, a_disk_without_room_for_the_checkpoint_is_told_before_the_first_step) {
  const TrainingRequest request = small_run("no_room.gguf");
  const FullDisk full(4096);
  const auto opened = LoraTrainer::open(request);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind, Kind::out_of_room);
  EXPECT_NE(opened.error().message.find("a checkpoint takes "), std::string::npos) << opened.error().line();
  EXPECT_FALSE(fs::exists(checkpoint_path(request.out)));
  EXPECT_FALSE(fs::exists(checkpoint_path(request.out).string() + ".part"));
}

// proves P-TRAIN-13
TEST(LoraTrainerTest, a_disk_without_room_for_the_adapter_loses_no_step) {
  const TrainingRequest whole = small_run("written.gguf");
  ASSERT_TRUE(train(whole).ok());
  TrainingRequest request = small_run("unwritten.gguf");
  fs::create_directories(request.out.string() + ".part");  // nothing can be written beside the adapter
  const auto report = train(request);
  ASSERT_FALSE(report.ok());
  EXPECT_NE(report.error().next_step.find("no step is lost"), std::string::npos) << report.error().line();
  fs::remove_all(request.out.string() + ".part");
  request.resume = true;
  const auto again = train(request);
  ASSERT_TRUE(again.ok()) << again.error().line();
  EXPECT_EQ(again->resumed_from, again->steps);
  EXPECT_TRUE(read(request.out) == read(whole.out));
}

// proves P-TRAIN-14
TEST(LoraTrainerTest, too_little_memory_is_said_before_the_first_step_with_settings_that_fit) {
  TrainingRequest request = small_run("narrow.gguf");
  request.options.check_parity = false;
  request.options.threads = 1;
  auto roomy = LoraTrainer::open(request);
  ASSERT_TRUE(roomy.ok()) << roomy.error().line();
  EXPECT_TRUE((*roomy)->plan().keeps_everything);
  const std::uint64_t needs = (*roomy)->plan().predicted_bytes;
  roomy->reset();
  fs::remove(checkpoint_path(request.out));
  // A little less: layers are computed twice. A lot less: refused, and the advice fits.
  bool refused = false, twice = false;
  for (std::uint64_t limit = needs + needs / 16; limit > 0; limit -= std::min<std::uint64_t>(limit, 20'000)) {
    request.options.memory_limit_bytes = limit;
    auto opened = LoraTrainer::open(request);
    if (opened) {
      twice = twice || !(*opened)->plan().keeps_everything;
      EXPECT_TRUE(!twice || !(*opened)->plan().keeps_everything);
      EXPECT_LE((*opened)->plan().predicted_bytes, limit);
      continue;
    }
    EXPECT_EQ(opened.error().kind, Kind::out_of_room);
    EXPECT_FALSE(fs::exists(checkpoint_path(request.out)));
    const std::string advice = opened.error().next_step;
    const std::size_t at = advice.find("--micro-batch ");
    if (at == std::string::npos) break;
    request.options.micro_batch_tokens = std::stoi(advice.substr(at + 14));
    if (advice.find("--seq-len ") != std::string::npos) {
      request.options.sequence_tokens = std::stoi(advice.substr(advice.find("--seq-len ") + 10));
    }
    ASSERT_NE(advice.find("--memory low"), std::string::npos);
    request.options.memory = Memory::layer_inputs;
    refused = true;
    auto followed = LoraTrainer::open(request);
    EXPECT_TRUE(followed.ok()) << followed.error().line() << " after " << advice;
    break;
  }
  EXPECT_TRUE(twice);
  EXPECT_TRUE(refused);
}

TEST(LoraTrainerTest, the_plan_and_the_events_tell_what_happens) {
  TrainingRequest request = small_run("told.gguf");
  auto trainer = LoraTrainer::open(request);
  ASSERT_TRUE(trainer.ok()) << trainer.error().line();
  const TrainingPlan& plan = (*trainer)->plan();
  EXPECT_EQ(plan.rows, 24U);
  EXPECT_EQ(plan.train_items + plan.held_out_items, 24U);
  EXPECT_EQ(plan.steps, 3 * static_cast<std::int64_t>((plan.train_items + 4) / 5));
  EXPECT_LT(plan.parity_divergence, 1e-3);
  EXPECT_GT(plan.parameters, 0U);
  std::int64_t seen = 0;
  const auto report = (*trainer)->run([&](const StepEvent& event) {
    EXPECT_EQ(event.step, ++seen);
    EXPECT_GT(event.tokens_per_s, 0);
    EXPECT_GT(event.learning_rate, 0);
    EXPECT_GT(event.peak_bytes, 0U);
  });
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(seen, plan.steps);
  ASSERT_TRUE(report->held_out_before && report->held_out_after);
  EXPECT_LT(*report->held_out_after, *report->held_out_before);
}

TEST(LoraTrainerTest, impossible_options_are_refused_by_name) {
  const auto refused = [](const std::function<void(TrainingOptions&)>& spoil) {
    TrainingRequest request = small_run("refused.gguf");
    spoil(request.options);
    const auto report = train(request);
    EXPECT_FALSE(report.ok());
    return report ? std::string() : report.error().line();
  };
  EXPECT_NE(refused([](TrainingOptions& o) { o.lora.rank = 0; }).find("rank"), std::string::npos);
  EXPECT_NE(refused([](TrainingOptions& o) { o.learning_rate = 0; }).find("lr"), std::string::npos);
  EXPECT_NE(refused([](TrainingOptions& o) { o.batch_size = 0; }).find("batch-size"), std::string::npos);
  EXPECT_NE(refused([](TrainingOptions& o) { o.hold_out = 0.99; }).find("holdout"), std::string::npos);
  EXPECT_NE(refused([](TrainingOptions& o) { o.sequence_tokens = 8; }).find("seq-len"), std::string::npos);
}

}  // namespace
}  // namespace loam::train
