// How much memory a process may take, from made-up /proc and cgroup trees.
#include "engine/fit.h"

#include <gtest/gtest.h>

#include <fstream>

#include "engine/testing/fixture.h"

namespace loam::engine {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t kGiB = 1ULL << 30U;

class AvailableMemory : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = testing::scratch_folder() / ::testing::UnitTest::GetInstance()->current_test_info()->name();
    put("proc/meminfo",
        "MemTotal:       16777216 kB\nMemFree:         1048576 kB\nMemAvailable:    8388608 kB\n");
  }
  void put(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  std::uint64_t available() {
    const auto found = available_memory(root_);
    EXPECT_TRUE(found.ok());
    return found ? *found : 0;
  }
  fs::path root_;
};

TEST_F(AvailableMemory, without_a_group_it_is_what_the_kernel_calls_available) {
  EXPECT_EQ(available(), 8 * kGiB);
}

TEST_F(AvailableMemory, a_limit_of_the_group_counts_without_its_droppable_page_cache) {
  put("proc/self/cgroup", "0::/box\n");
  put("sys/fs/cgroup/box/memory.max", std::to_string(4 * kGiB));
  put("sys/fs/cgroup/box/memory.current", std::to_string(3 * kGiB));
  put("sys/fs/cgroup/box/memory.stat",
      "anon 100\ninactive_file " + std::to_string(1 * kGiB) + "\nactive_file 5\n");
  EXPECT_EQ(available(), 2 * kGiB);
}

TEST_F(AvailableMemory, a_limit_of_any_group_above_counts_too) {
  put("proc/self/cgroup", "0::/outer/inner\n");
  put("sys/fs/cgroup/outer/inner/memory.max", "max\n");
  put("sys/fs/cgroup/outer/memory.max", std::to_string(1 * kGiB));
  put("sys/fs/cgroup/outer/memory.current", "0\n");
  EXPECT_EQ(available(), 1 * kGiB);
}

TEST_F(AvailableMemory, a_group_that_is_over_its_limit_leaves_nothing) {
  put("proc/self/cgroup", "0::/\n");
  put("sys/fs/cgroup/memory.max", "1000\n");
  put("sys/fs/cgroup/memory.current", "2000\n");
  EXPECT_EQ(available(), 0U);
}

TEST_F(AvailableMemory, version_one_is_read_and_its_huge_number_means_no_limit) {
  put("proc/self/cgroup", "5:cpu,cpuacct:/\n4:memory:/job\n");
  put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(available(), 8 * kGiB);
  put("sys/fs/cgroup/memory/job/memory.limit_in_bytes", std::to_string(2 * kGiB));
  put("sys/fs/cgroup/memory/job/memory.usage_in_bytes", std::to_string(1 * kGiB));
  put("sys/fs/cgroup/memory/job/memory.stat", "total_inactive_file " + std::to_string(kGiB / 2) + "\n");
  EXPECT_EQ(available(), kGiB + kGiB / 2);
}

TEST_F(AvailableMemory, damaged_files_do_not_make_a_limit) {
  put("proc/self/cgroup", "nonsense\n0:\n0::/../../..\n");
  put("sys/fs/cgroup/memory.max", "soon\n");
  EXPECT_EQ(available(), 8 * kGiB);
}

TEST_F(AvailableMemory, without_meminfo_it_is_an_error) {
  fs::remove(root_ / "proc/meminfo");
  EXPECT_FALSE(available_memory(root_).ok());
}

TEST(Fit, a_tiny_model_is_planned_within_its_trained_context_and_refused_where_memory_is_short) {
  const fs::path gguf = testing::scratch_folder() / "fit.gguf";
  ASSERT_TRUE(testing::write_tiny_model(gguf).ok());
  FitOptions options;
  options.context_tokens = 4096;
  options.prefill_tokens_per_s = 100;
  options.decode_tokens_per_s = 35;
  options.available_bytes = kGiB;
  auto report = predict_fit(gguf, options);
  ASSERT_TRUE(report.ok()) << report.error().line();
  EXPECT_EQ(report->context_tokens, 1024);
  EXPECT_EQ(report->notes.size(), 1U);
  EXPECT_TRUE(report->fits);
  EXPECT_EQ(report->largest_context_tokens, 1024);
  EXPECT_EQ(report->word, SpeedWord::good);
  options.available_bytes = 1U << 20U;
  report = predict_fit(gguf, options);
  ASSERT_TRUE(report.ok());
  EXPECT_FALSE(report->fits);
  EXPECT_EQ(report->largest_context_tokens, 0);
  options.slots = 0;
  EXPECT_FALSE(predict_fit(gguf, options).ok());
}

TEST(Fit, the_cache_grows_with_context_slots_and_precision) {
  const fs::path gguf = testing::scratch_folder() / "fit-cache.gguf";
  ASSERT_TRUE(testing::write_tiny_model(gguf).ok());
  FitOptions options;
  options.context_tokens = 512;
  options.prefill_tokens_per_s = options.decode_tokens_per_s = 1;
  options.available_bytes = kGiB;
  const auto cache = [&] { return predict_fit(gguf, options)->memory.kv_cache; };
  const std::uint64_t plain = cache();
  // 2 layers, one head of 32 for keys and one for values, two bytes each
  EXPECT_EQ(plain, 512U * 2 * 2 * 32 * 2);
  options.slots = 3;
  EXPECT_EQ(cache(), 3 * plain);
  options.slots = 1;
  options.kv = KvPrecision::f32;
  EXPECT_EQ(cache(), 2 * plain);
  options.kv = KvPrecision::q8_0;
  EXPECT_EQ(cache(), plain * 34 / 64);
}

}  // namespace
}  // namespace loam::engine
