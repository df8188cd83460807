#include "engine/text_loss.h"

#include <cmath>

#include "engine/local_engine_impl.h"
#include "engine/testing/fixture.h"

namespace loam::engine {
namespace {

using testing::tiny_engine;
using testing::tiny_model;

std::string some_text() {
  std::string text;
  for (int i = 0; i < 12; ++i)
    text += "The hen and the cat sat in the sand, number " + std::to_string(i) + ".\n";
  return text;
}

LocalEngineOptions in_f32() {
  LocalEngineOptions options;
  options.k_type = options.v_type = KvType::f32;
  return options;
}

/// -ln p of token `at`, predicted from what a window shows of what is before it.
double loss_of(LocalEngine& engine, const std::vector<Token>& read, std::size_t begin, std::size_t at) {
  double nats = 0;
  const std::span<const Token> seen(read.data() + begin, at + 1 - begin);
  EXPECT_TRUE(engine
                  .for_each_logits(
                      seen,
                      [&](int, std::span<const float> logits) {
                        nats = log_sum_exp(logits) -
                               static_cast<double>(logits[static_cast<std::size_t>(read[at + 1])]);
                      },
                      static_cast<int>(seen.size()) - 1)
                  .ok());
  return nats;
}

// proves P-ENG-15
TEST(text_loss, every_token_is_scored_once_from_the_window_as_stated) {
  const auto engine = tiny_engine(in_f32());
  const std::string text = some_text();
  const std::vector<Token> tokens = *tiny_model()->encode(text, AddSpecial::no, ParseSpecial::no);
  std::vector<Token> read = {engine->first_token()};
  read.insert(read.end(), tokens.begin(), tokens.end());
  TextLossOptions options;
  options.window_tokens = 64;
  options.stride_tokens = 24;
  std::vector<std::size_t> starts;
  std::vector<double> losses;
  const auto loss = text_loss(*engine, text, options, [&](std::size_t byte, double nats) {
    starts.push_back(byte);
    losses.push_back(nats);
  });
  ASSERT_TRUE(loss.ok()) << loss.error().line();
  ASSERT_EQ(losses.size(), tokens.size());
  EXPECT_EQ(loss->tokens, tokens.size());
  EXPECT_EQ(loss->bytes, text.size());
  EXPECT_TRUE(std::is_sorted(starts.begin(), starts.end()));
  EXPECT_EQ(starts.front(), 0U);
  double sum = 0;
  for (const double nats : losses) sum += nats;
  EXPECT_NEAR(loss->nats, sum, 1e-9);
  EXPECT_NEAR(loss->nats_per_token(), sum / static_cast<double>(tokens.size()), 1e-12);
  EXPECT_NEAR(loss->perplexity(), std::exp(loss->nats_per_token()), 1e-9);
  EXPECT_NEAR(loss->bits_per_byte(), sum / std::log(2.0) / static_cast<double>(text.size()), 1e-12);
  // The first of all, the last of the first window, the first and last of the second, and the last of all.
  const std::size_t last = tokens.size() - 1;
  EXPECT_NEAR(losses[0], loss_of(*engine, read, 0, 0), 2e-3);
  EXPECT_NEAR(losses[63], loss_of(*engine, read, 0, 63), 2e-3);
  EXPECT_NEAR(losses[64], loss_of(*engine, read, 24, 64), 2e-3);
  EXPECT_NEAR(losses[87], loss_of(*engine, read, 24, 87), 2e-3);
  EXPECT_NEAR(losses[last], loss_of(*engine, read, last + 1 - 64, last), 2e-3);
  const std::size_t windows = 1 + (tokens.size() - 64 + 23) / 24;
  EXPECT_EQ(loss->windows, windows);
  EXPECT_EQ(loss->tokens_read, windows * 64);
}

TEST(text_loss, a_short_text_needs_one_window_and_equals_its_score) {
  const auto engine = tiny_engine(in_f32());
  const auto loss = text_loss(*engine, "the hen");
  ASSERT_TRUE(loss.ok());
  EXPECT_EQ(loss->windows, 1U);
  ScoreRequest request;
  request.continuations = {"the hen"};
  const auto score = engine->score(request);
  ASSERT_TRUE(score.ok());
  EXPECT_NEAR(loss->nats, -score->front().log_probability, 1e-3);
}

TEST(text_loss, bad_requests_and_stops_are_errors) {
  const auto engine = tiny_engine();
  TextLossOptions options;
  options.window_tokens = 4096;
  EXPECT_EQ(text_loss(*engine, "a text", options).error().kind, Kind::out_of_room);
  options.window_tokens = 64;
  options.stride_tokens = 65;
  EXPECT_EQ(text_loss(*engine, "a text", options).error().place, "stride");
  options.stride_tokens = 0;
  EXPECT_EQ(text_loss(*engine, "a text", options).error().place, "stride");
  options.stride_tokens = 64;
  EXPECT_EQ(text_loss(*engine, "", options).error().place, "text");
  EXPECT_EQ(text_loss(*engine, "\xFF\xFE", options).error().place, "text");
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(text_loss(*engine, some_text(), options, {}, {}, source.get_token()).error().kind,
            Kind::unavailable);
}

}  // namespace
}  // namespace loam::engine
