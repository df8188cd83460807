#include "engine/merge.h"

#include "engine/gguf_check.h"
#include "engine/testing/fixture.h"

namespace loam::engine {
namespace {

namespace fs = std::filesystem;
using testing::scratch_folder;

fs::path lora(const std::string& name, testing::LoraB b, const testing::TinyModelOptions& model = {}) {
  const fs::path path = scratch_folder() / (name + ".gguf");
  EXPECT_TRUE(testing::write_tiny_lora(path, b, 7, model).ok());
  return path;
}

// proves P-ADAPT-06
TEST(merge, a_merged_model_says_what_model_and_adapter_say_and_the_loss_is_told) {
  const fs::path base = testing::tiny_model()->file();
  const fs::path adapter = lora("merged", testing::LoraB::random);
  for (const auto& [type, name, most] :
       {std::tuple{MergeType::f16, "F16", 1e-3}, {MergeType::q8_0, "Q8_0", 0.05}}) {
    MergeOptions options;
    options.type = type;
    options.scale = 0.5F;
    options.max_tokens = 256;
    const fs::path out = scratch_folder() / ("merged-" + std::string(name) + ".gguf");
    const auto report = merge_adapter(base, adapter, out, options);
    ASSERT_TRUE(report.ok()) << report.error().line();
    EXPECT_EQ(report->merged, 4);
    ASSERT_TRUE(report->has_loss);
    EXPECT_LT(report->loss.mean_kl, most) << name;
    const auto summary = check_gguf(out);
    ASSERT_TRUE(summary.ok()) << summary.error().line();
    EXPECT_EQ(summary->file_type, name);
    EXPECT_EQ(report->bytes, fs::file_size(out));
    // It is far from the base alone, so the adapter is in it.
    const auto alone = measure_loss(base, out, {}, 256);
    ASSERT_TRUE(alone.ok());
    EXPECT_GT(alone->mean_kl, 20 * report->loss.mean_kl) << name;
  }
}

TEST(merge, with_a_scale_of_0_it_is_the_base) {
  MergeOptions options;
  options.scale = 0;
  options.type = MergeType::f16;
  options.loss = Measure::no;
  const fs::path out = scratch_folder() / "merged-zero.gguf";
  ASSERT_TRUE(
      merge_adapter(testing::tiny_model()->file(), lora("zero-scale", testing::LoraB::random), out, options)
          .ok());
  const auto loss = measure_loss(testing::tiny_model()->file(), out, {}, 128);
  ASSERT_TRUE(loss.ok());
  EXPECT_LT(loss->mean_kl, 1e-4);
}

// proves P-ADAPT-06
TEST(merge, nothing_coarser_than_q8_0_and_no_wrong_base) {
  EXPECT_EQ(*merge_type_from("f16"), MergeType::f16);
  EXPECT_EQ(*merge_type_from("Q8_0"), MergeType::q8_0);
  for (const char* coarse : {"Q4_0", "Q4_K_M", "", "bf16"})
    EXPECT_FALSE(merge_type_from(coarse).ok()) << coarse;
  testing::TinyModelOptions larger;
  larger.dimensions = 128;
  const fs::path out = scratch_folder() / "merged-wrong.gguf";
  const auto wrong =
      merge_adapter(testing::tiny_model()->file(), lora("larger", testing::LoraB::random, larger), out);
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().kind, Kind::bad_request);
  EXPECT_FALSE(fs::exists(out));
  EXPECT_FALSE(merge_adapter(testing::tiny_model()->file(), scratch_folder() / "absent.gguf", out).ok());
}

TEST(merge, a_folder_that_is_not_there_or_a_full_disk_is_told) {
  const auto refused = merge_adapter(testing::tiny_model()->file(), lora("place", testing::LoraB::random),
                                     scratch_folder() / "no" / "such" / "folder.gguf");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, Kind::unavailable);
}

}  // namespace
}  // namespace loam::engine
