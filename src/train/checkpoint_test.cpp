#include "train/checkpoint.h"

#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "engine/testing/fixture.h"
#include "gtest/gtest.h"
#include "train/testing/numbers.h"

namespace loam::train {
namespace {

namespace fs = std::filesystem;

struct Numbers {
  std::vector<float> values, first, second;
  explicit Numbers(std::size_t count, std::uint64_t seed = 0)
      : values(testing::random_floats(count, seed)),
        first(testing::random_floats(count, seed + 1)),
        second(testing::random_floats(count, seed + 2)) {}
  TrainingState state() { return {values, first, second}; }
  bool operator==(const Numbers&) const = default;
};

fs::path fresh(const std::string& name) {
  const fs::path path = engine::testing::scratch_folder() / name;
  fs::remove(path);
  return path;
}

Progressed at_step(std::uint64_t step) {
  Progressed progress;
  progress.step = step;
  progress.last_loss = 0.5 * static_cast<double>(step);
  return progress;
}

/// Saves steps 1 to `steps`, each with numbers of its own.
void save_steps(const fs::path& path, std::uint64_t steps, Checkpoint::Sync sync = Checkpoint::Sync::no) {
  auto made = Checkpoint::create(path, "a run", 5000);
  ASSERT_TRUE(made.ok()) << made.error().line();
  for (std::uint64_t step = 1; step <= steps; ++step) {
    Numbers numbers(5000, 100 * step);
    ASSERT_TRUE((*made)->save(at_step(step), numbers.state(), sync).ok());
  }
}

TEST(CheckpointTest, the_newest_state_comes_back_with_its_run) {
  const fs::path path = fresh("newest.checkpoint");
  save_steps(path, 7);
  auto opened = Checkpoint::open(path);
  ASSERT_TRUE(opened.ok()) << opened.error().line();
  EXPECT_EQ((*opened)->run(), "a run");
  Numbers numbers(5000, 1);
  const auto progress = (*opened)->load(numbers.state());
  ASSERT_TRUE(progress.ok());
  EXPECT_EQ(progress->step, 7U);
  EXPECT_EQ(progress->last_loss, 3.5);
  EXPECT_TRUE(numbers == Numbers(5000, 700));
}

// proves P-TRAIN-07
TEST(CheckpointTest, a_torn_slot_gives_way_to_the_step_before) {
  const fs::path path = fresh("torn.checkpoint");
  save_steps(path, 5);
  // Damage whichever slot holds the newest step, in the middle of its numbers.
  for (const std::uint64_t expected : {4U, 3U}) {
    const auto size = fs::file_size(path);
    bool found = false;
    for (std::uint64_t offset = 4096; offset < size && !found; offset += 4096) {
      std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
      std::uint64_t head[3] = {};
      file.seekg(static_cast<std::streamoff>(offset));
      file.read(reinterpret_cast<char*>(head), sizeof(head));
      if (head[1] != expected + 1 || head[2] != expected + 1) continue;  // sequence and step
      file.seekp(static_cast<std::streamoff>(offset + 4096 + 20000));
      file.put('x');
      file.put('y');
      found = true;
    }
    ASSERT_TRUE(found);
    auto opened = Checkpoint::open(path);
    ASSERT_TRUE(opened.ok());
    Numbers numbers(5000, 1);
    const auto progress = (*opened)->load(numbers.state());
    if (expected == 3) {  // nothing was synced, so that two slots took turns: both are damaged now
      ASSERT_FALSE(progress.ok());
      EXPECT_EQ(progress.error().kind, Kind::bad_data);
      return;
    }
    ASSERT_TRUE(progress.ok()) << progress.error().line();
    EXPECT_EQ(progress->step, expected);
    EXPECT_TRUE(numbers == Numbers(5000, 100 * expected));
  }
}

TEST(CheckpointTest, what_is_synced_is_not_overwritten_before_something_newer_is) {
  const fs::path path = fresh("synced.checkpoint");
  {
    auto made = Checkpoint::create(path, "a run", 10);
    ASSERT_TRUE(made.ok());
    for (std::uint64_t step = 1; step <= 9; ++step) {
      Numbers numbers(10, step);
      const auto sync = step == 2 ? Checkpoint::Sync::yes : Checkpoint::Sync::no;
      ASSERT_TRUE((*made)->save(at_step(step), numbers.state(), sync).ok());
    }
  }
  std::ifstream file(path, std::ios::binary);
  bool there = false;
  for (std::uint64_t offset = 4096; offset < fs::file_size(path); offset += 4096) {
    std::uint64_t head[3] = {};
    file.seekg(static_cast<std::streamoff>(offset));
    file.read(reinterpret_cast<char*>(head), sizeof(head));
    there = there || (head[1] == 2 && head[2] == 2);
  }
  EXPECT_TRUE(there);
}

TEST(CheckpointTest, damaged_and_foreign_files_are_refused) {
  const fs::path path = fresh("damaged.checkpoint");
  EXPECT_EQ(Checkpoint::open(path).error().kind, Kind::unavailable);
  std::ofstream(path) << "GGUF and so on, long enough to hold a head of thirty-two bytes";
  EXPECT_EQ(Checkpoint::open(path).error().kind, Kind::bad_data);
  save_steps(path, 1);
  fs::resize_file(path, 5000);
  EXPECT_EQ(Checkpoint::open(path).error().kind, Kind::bad_data);
  fs::remove(path);
  save_steps(path, 1);
  auto opened = Checkpoint::open(path);
  ASSERT_TRUE(opened.ok());
  Numbers other(4999);
  EXPECT_EQ((*opened)->load(other.state()).error().kind, Kind::bad_data);
  EXPECT_EQ(Checkpoint::open(path).error().kind, Kind::unavailable) << "two runs at once";
}

TEST(CheckpointTest, an_unused_file_leaves_nothing_behind) {
  const fs::path path = fresh("unused.checkpoint");
  { ASSERT_TRUE(Checkpoint::create(path, "a run", 10).ok()); }
  EXPECT_FALSE(fs::exists(path));
  EXPECT_FALSE(fs::exists(path.string() + ".part"));
}

TEST(CheckpointTest, no_room_is_said_before_anything_is_written) {
  const fs::path path = fresh("full.checkpoint");
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 20000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto made = Checkpoint::create(path, "a run", 5000);
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().kind, Kind::out_of_room);
  EXPECT_NE(made.error().message.find("MB"), std::string::npos);
  EXPECT_FALSE(fs::exists(path.string() + ".part"));
}

}  // namespace
}  // namespace loam::train
