#include "engine/quantize.h"

#include <gtest/gtest.h>

#include "engine/gguf_check.h"
#include "engine/testing/fixture.h"

namespace loam::engine {
namespace {

namespace fs = std::filesystem;

const fs::path& source() {
  static const fs::path path = [] {
    const fs::path file = testing::scratch_folder() / "quantize-source.gguf";
    EXPECT_TRUE(testing::write_tiny_model(file).ok());
    return file;
  }();
  return path;
}

std::string some_text() {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "The pump runs at " + std::to_string(i * 7) + " bar. ";
  return text;
}

QuantizeOptions quick() {
  QuantizeOptions options;
  options.threads = 1;
  options.speed = Measure::no;
  options.text = some_text();
  options.max_tokens = 128;
  return options;
}

TEST(Quantize, says_what_was_lost_and_how_small_it_became) {
  const fs::path out = testing::scratch_folder() / "quantize-q8_0.gguf";
  const auto report = quantize(source(), out, "q8_0", quick());
  ASSERT_TRUE(report.ok()) << report.error().line();
  EXPECT_EQ(report->type, "Q8_0");
  EXPECT_EQ(report->bytes_after, fs::file_size(out));
  EXPECT_LT(report->bytes_after, report->bytes_before / 2);
  EXPECT_EQ(check_gguf(out)->file_type, "Q8_0");
  ASSERT_TRUE(report->has_loss);
  EXPECT_GT(report->loss.tokens, 60);
  EXPECT_GT(report->loss.mean_kl, 0);
  EXPECT_LT(report->loss.mean_kl, 0.05);
  EXPECT_GT(report->loss.top1_agreement, 0.8);
  EXPECT_FALSE(report->has_speed);
}

TEST(Quantize, fewer_bits_lose_more) {
  const fs::path eight = testing::scratch_folder() / "loss-q8_0.gguf";
  const fs::path four = testing::scratch_folder() / "loss-q4_0.gguf";
  QuantizeOptions options = quick();
  options.loss = Measure::no;
  ASSERT_TRUE(quantize(source(), eight, "Q8_0", options).ok());
  ASSERT_TRUE(quantize(source(), four, "Q4_0", options).ok());
  const auto losses = measure_losses(source(), {source(), eight, four}, 200, 1);
  ASSERT_TRUE(losses.ok()) << losses.error().line();
  EXPECT_EQ((*losses)[0].mean_kl, 0) << "a model against itself loses nothing";
  EXPECT_EQ((*losses)[0].top1_agreement, 1);
  EXPECT_EQ((*losses)[0].perplexity, (*losses)[0].perplexity_source);
  EXPECT_GT((*losses)[2].mean_kl, 5 * (*losses)[1].mean_kl);
  // One by one gives what all at once gives.
  const auto alone = measure_loss(source(), four, {}, 200, 1);
  ASSERT_TRUE(alone.ok()) << alone.error().line();
  EXPECT_DOUBLE_EQ(alone->mean_kl, (*losses)[2].mean_kl);
  EXPECT_DOUBLE_EQ(alone->perplexity, (*losses)[2].perplexity);
}

TEST(Quantize, models_with_other_vocabularies_are_not_compared) {
  const fs::path other = testing::scratch_folder() / "loss-other.gguf";
  ASSERT_TRUE(testing::write_tiny_embedder(other).ok());
  EXPECT_FALSE(measure_loss(source(), other, some_text(), 100, 1).ok());
}

TEST(Quantize, a_text_that_is_too_short_to_score_is_refused) {
  const auto loss = measure_loss(source(), source(), "short", 100, 1);
  ASSERT_FALSE(loss.ok());
  EXPECT_EQ(loss.error().kind, Kind::bad_request);
}

TEST(Quantize, an_unknown_type_lists_the_known_ones) {
  const auto report = quantize(source(), testing::scratch_folder() / "none.gguf", "q9", quick());
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().kind, Kind::bad_request);
  EXPECT_NE(report.error().line().find("Q8_0"), std::string::npos) << report.error().line();
}

TEST(Quantize, a_quantising_that_runs_out_of_time_leaves_nothing_behind) {
  const fs::path folder = testing::scratch_folder() / "late";
  fs::create_directories(folder);
  QuantizeOptions options = quick();
  options.time_limit_ms = 0;
  const auto report = quantize(source(), folder / "out.gguf", "Q8_0", options);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().kind, Kind::out_of_room) << report.error().line();
  EXPECT_TRUE(fs::is_empty(folder));
}

TEST(Quantize, a_file_that_is_no_model_is_refused_and_a_source_is_never_its_own_result) {
  EXPECT_FALSE(quantize(testing::scratch_folder() / "missing.gguf", testing::scratch_folder() / "x.gguf",
                        "Q8_0", quick())
                   .ok());
  const auto before = fs::file_size(source());
  EXPECT_FALSE(quantize(source(), source(), "Q8_0", quick()).ok());
  EXPECT_EQ(fs::file_size(source()), before);
}

}  // namespace
}  // namespace loam::engine
