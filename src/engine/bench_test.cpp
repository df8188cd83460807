#include "engine/bench.h"

#include "engine/testing/fixture.h"

namespace loam::engine {
namespace {

TEST(measure_speed, gives_one_sample_per_repetition_and_their_median) {
  SpeedOptions options;
  options.prefill_tokens = 32;
  options.decode_tokens = 4;
  options.repetitions = 3;
  options.threads = 1;
  const auto report = measure_speed(*testing::tiny_model(), options);
  ASSERT_TRUE(report.ok()) << report.error().line();
  ASSERT_EQ(report->prefill_samples.size(), 3U);
  ASSERT_EQ(report->decode_samples.size(), 3U);
  EXPECT_GT(report->prefill_median, 0);
  EXPECT_GE(report->decode_median,
            *std::min_element(report->decode_samples.begin(), report->decode_samples.end()));
  EXPECT_LE(report->decode_median,
            *std::max_element(report->decode_samples.begin(), report->decode_samples.end()));
}

TEST(measure_speed, a_phase_of_no_tokens_is_left_out_and_nonsense_is_refused) {
  SpeedOptions options;
  options.prefill_tokens = 0;
  options.decode_tokens = 2;
  options.repetitions = 1;
  options.threads = 1;
  const auto report = measure_speed(*testing::tiny_model(), options);
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->prefill_samples.empty());
  options.repetitions = 0;
  EXPECT_FALSE(measure_speed(*testing::tiny_model(), options).ok());
  const auto path = testing::scratch_folder() / "bench_embedder.gguf";
  ASSERT_TRUE(testing::write_tiny_embedder(path).ok());
  options.repetitions = 1;
  EXPECT_FALSE(measure_speed(path, options).ok());
}

}  // namespace
}  // namespace loam::engine
