// Kills the real program while it trains, at twenty random moments, and goes on each time.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>
#include <vector>

#include "engine/testing/tiny_model.h"

namespace loam::fault {
namespace {

namespace fs = std::filesystem;

constexpr int kKills = 20;

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class TrainingFolder {
 public:
  TrainingFolder() : path_(fs::temp_directory_path() / ("loam_train_kill_" + std::to_string(::getpid()))) {
    fs::create_directories(path_);
  }
  ~TrainingFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TrainingFolder(const TrainingFolder&) = delete;
  TrainingFolder& operator=(const TrainingFolder&) = delete;
  fs::path operator/(const std::string& name) const { return path_ / name; }

  /// The program in a process group of its own, so that its child is killed with it.
  pid_t start(const std::string& out) const {
    std::vector<std::string> words = {LOAM_PROGRAM,
                                      "train",
                                      "lora",
                                      "--home",
                                      path_ / "home",
                                      "--base",
                                      path_ / "tiny.gguf",
                                      "--data",
                                      path_ / "facts.jsonl",
                                      "--out",
                                      path_ / out,
                                      "--steps",
                                      "600",
                                      "--batch-size",
                                      "6",
                                      "--holdout",
                                      "0",
                                      "--rank",
                                      "4"};
    if (fs::exists(path_ / (out + ".checkpoint"))) words.push_back("--resume");
    const pid_t child = ::fork();
    if (child != 0) return child;
    ::setpgid(0, 0);
    const std::string log = path_ / "log";
    if (std::freopen(log.c_str(), "w", stdout) == nullptr || ::dup2(1, 2) < 0) ::_exit(126);
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execv(arguments.front(), arguments.data());
    ::_exit(127);
  }
  int finish(pid_t child) const {
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
  }

 private:
  fs::path path_;
};

// proves P-TRAIN-07
TEST(TrainKillTest, killed_at_twenty_random_moments_and_resumed_the_adapter_has_the_same_bytes) {
  const TrainingFolder folder;
  ASSERT_TRUE(engine::testing::write_tiny_model(folder / "tiny.gguf").ok());
  {
    std::ofstream facts(folder / "facts.jsonl");
    for (int i = 0; i < 24; ++i) {
      facts << "{\"prompt\":\"Word " << i << "?\",\"response\":\"" << (i % 2 == 0 ? "red" : "blue")
            << "\"}\n";
    }
  }
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_EQ(folder.finish(folder.start("whole.gguf")), 0) << bytes_of(folder / "log");
  const double whole_ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  const std::string expected = bytes_of(folder / "whole.gguf");
  ASSERT_FALSE(expected.empty());

  std::mt19937 random(std::random_device{}());
  int kills = 0, with_checkpoint = 0;
  for (int tries = 0; kills < kKills && tries < 10 * kKills; ++tries) {
    const pid_t child = folder.start("parts.gguf");
    ASSERT_GT(child, 0);
    const double wait_ms = std::uniform_real_distribution<double>(0.0, whole_ms)(random);
    std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(wait_ms));
    ::kill(-child, SIGKILL);
    const int status = folder.finish(child);
    if (WIFSIGNALED(status)) {
      ++kills;
      with_checkpoint += fs::exists(folder / "parts.gguf.checkpoint") ? 1 : 0;
      continue;
    }
    // Done before it could be killed: it begins again.
    ASSERT_EQ(status, 0) << bytes_of(folder / "log");
    ASSERT_TRUE(bytes_of(folder / "parts.gguf") == expected);
    fs::remove(folder / "parts.gguf");
  }
  EXPECT_EQ(kills, kKills);
  EXPECT_GT(with_checkpoint, 0);
  RecordProperty("kills_with_a_checkpoint", with_checkpoint);
  ASSERT_EQ(folder.finish(folder.start("parts.gguf")), 0) << bytes_of(folder / "log");
  EXPECT_TRUE(bytes_of(folder / "parts.gguf") == expected);
  EXPECT_FALSE(fs::exists(folder / "parts.gguf.checkpoint"));
}

}  // namespace
}  // namespace loam::fault
