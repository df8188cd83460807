// Each operation against its slow twin in double, and its gradient against finite differences of that twin.
#include <cmath>
#include <numeric>

#include "gtest/gtest.h"
#include "train/adamw.h"
#include "train/attention.h"
#include "train/cross_entropy.h"
#include "train/gelu.h"
#include "train/lanes.h"
#include "train/layer_norm.h"
#include "train/rms_norm.h"
#include "train/rope.h"
#include "train/swiglu.h"
#include "train/testing/numbers.h"

namespace loam::train {
namespace {

using testing::doubles;
using testing::fill;
using testing::random_floats;
using testing::relative_error;
using testing::slopes;
using Doubles = std::vector<double>;

double dot(const Doubles& a, const Doubles& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

// rms_norm -------------------------------------------------------------------------------------------------
Doubles slow_rms_norm(const Doubles& x, std::size_t columns, const Doubles& weight, double epsilon) {
  Doubles y(x.size());
  for (std::size_t r = 0; r < x.size() / columns; ++r) {
    double squares = 0;
    for (std::size_t c = 0; c < columns; ++c) squares += x[r * columns + c] * x[r * columns + c];
    const double rms = std::sqrt(squares / static_cast<double>(columns) + epsilon);
    for (std::size_t c = 0; c < columns; ++c) y[r * columns + c] = x[r * columns + c] / rms * weight[c];
  }
  return y;
}

TEST(RmsNorm, forward_and_gradient_equal_the_slow_twin) {
  constexpr std::size_t kRows = 3, kColumns = 37;
  constexpr float kEpsilon = 1e-3F;
  Team team(2);
  const auto x = random_floats(kRows * kColumns, 1), weight = random_floats(kColumns, 2),
             dy = random_floats(kRows * kColumns, 3);
  Operand y;
  rms_norm(team, x.data(), kRows, kColumns, weight.data(), kEpsilon, Precision::f32, y);
  const Doubles wide = doubles(weight);
  const double epsilon = kEpsilon;
  EXPECT_LT(relative_error(doubles(y), slow_rms_norm(doubles(x), kColumns, wide, epsilon)), 1e-6);

  std::vector<float> dx(x.size(), 0.5F);
  rms_norm_backward(team, x.data(), kRows, kColumns, weight.data(), kEpsilon, dy.data(), dx.data());
  for (float& value : dx) value -= 0.5F;
  const auto expected =
      slopes([&](const Doubles& at) { return dot(slow_rms_norm(at, kColumns, wide, epsilon), doubles(dy)); },
             doubles(x));
  EXPECT_LT(relative_error(dx, expected), 1e-5);
}

// layer_norm -----------------------------------------------------------------------------------------------
TEST(LayerNorm, forward_and_gradient_equal_the_slow_twin) {
  constexpr std::size_t kRows = 3, kColumns = 37;
  constexpr float kEpsilon = 1e-3F;
  Team team(2);
  const auto x = random_floats(kRows * kColumns, 21), weight = random_floats(kColumns, 22),
             bias = random_floats(kColumns, 23), dy = random_floats(kRows * kColumns, 24);
  const auto slow = [&](const Doubles& at) {
    Doubles y(at.size());
    for (std::size_t r = 0; r < kRows; ++r) {
      const double* row = &at[r * kColumns];
      const double mean = std::accumulate(row, row + kColumns, 0.0) / kColumns;
      double squares = 0;
      for (std::size_t c = 0; c < kColumns; ++c) squares += (row[c] - mean) * (row[c] - mean);
      const double root = std::sqrt(squares / kColumns + static_cast<double>(kEpsilon));
      for (std::size_t c = 0; c < kColumns; ++c) {
        y[r * kColumns + c] =
            (row[c] - mean) / root * static_cast<double>(weight[c]) + static_cast<double>(bias[c]);
      }
    }
    return y;
  };
  std::vector<float> y(x.size()), dx(x.size());
  layer_norm(team, x.data(), kRows, kColumns, weight.data(), bias.data(), kEpsilon, y.data());
  EXPECT_LT(relative_error(y, slow(doubles(x))), 1e-6);
  layer_norm_backward(team, x.data(), kRows, kColumns, weight.data(), kEpsilon, dy.data(), dx.data());
  const auto expected = slopes([&](const Doubles& at) { return dot(slow(at), doubles(dy)); }, doubles(x));
  EXPECT_LT(relative_error(dx, expected), 1e-5);
}

// gelu -----------------------------------------------------------------------------------------------------
TEST(Gelu, forward_and_gradient_equal_the_slow_twin) {
  constexpr std::size_t kRows = 4, kColumns = 21;
  Team team(2);
  const auto values = random_floats(kRows * kColumns, 25, 6.0F), dy = random_floats(kRows * kColumns, 26);
  const auto slow = [](const Doubles& at) {
    Doubles y(at.size());
    for (std::size_t i = 0; i < at.size(); ++i) {
      const double inner =
          std::sqrt(2.0 / 3.14159265358979323846) * (at[i] + 0.044715 * at[i] * at[i] * at[i]);
      y[i] = 0.5 * at[i] * (1.0 + std::tanh(inner));
    }
    return y;
  };
  Operand x, y, dx;
  fill(x, Precision::f32, kRows, kColumns, values);
  gelu(team, x, y);
  EXPECT_LT(relative_error(doubles(y), slow(doubles(values))), 1e-6);
  gelu_backward(team, x, dy.data(), dx);
  const auto expected =
      slopes([&](const Doubles& at) { return dot(slow(at), doubles(dy)); }, doubles(values));
  EXPECT_LT(relative_error(doubles(dx), expected), 1e-5);
}

// swiglu ---------------------------------------------------------------------------------------------------
TEST(Swiglu, forward_and_gradient_equal_the_slow_twin) {
  constexpr std::size_t kRows = 4, kColumns = 21;
  Team team(2);
  const auto gate = random_floats(kRows * kColumns, 4, 4.0F), up = random_floats(kRows * kColumns, 5),
             dy = random_floats(kRows * kColumns, 6);
  const auto slow = [](const Doubles& g, const Doubles& u) {
    Doubles y(g.size());
    for (std::size_t i = 0; i < g.size(); ++i) y[i] = g[i] / (1.0 + std::exp(-g[i])) * u[i];
    return y;
  };
  Operand g, u, y, dgate, dup;
  fill(g, Precision::f32, kRows, kColumns, gate);
  fill(u, Precision::f32, kRows, kColumns, up);
  swiglu(team, g, u, y);
  EXPECT_LT(relative_error(doubles(y), slow(doubles(gate), doubles(up))), 1e-6);
  swiglu_backward(team, g, u, dy.data(), dgate, dup);
  const auto by_gate =
      slopes([&](const Doubles& at) { return dot(slow(at, doubles(up)), doubles(dy)); }, doubles(gate));
  const auto by_up =
      slopes([&](const Doubles& at) { return dot(slow(doubles(gate), at), doubles(dy)); }, doubles(up));
  EXPECT_LT(relative_error(doubles(dgate), by_gate), 1e-5);
  EXPECT_LT(relative_error(doubles(dup), by_up), 1e-5);
}

TEST(FastExp, is_exact_to_the_last_bits_and_has_ends) {
  double worst = 0;
  for (float x = -86.5F; x < 87.5F; x += 0.0137F) {
    const double exact = std::exp(static_cast<double>(x));
    worst = std::max(worst, std::abs(static_cast<double>(fast_exp(x)) / exact - 1.0));
  }
  EXPECT_LT(worst, 2.5e-7);
  EXPECT_LT(fast_exp(-1000.0F), 1e-37F);
  EXPECT_TRUE(std::isfinite(fast_exp(1000.0F)));
  EXPECT_TRUE(std::isnan(fast_exp(std::nanf(""))));
}

// rope -----------------------------------------------------------------------------------------------------
TEST(RopeTest, turns_pairs_by_their_angle_and_back) {
  for (const RopePairs pairs : {RopePairs::neighbours, RopePairs::halves}) {
    constexpr std::size_t kSize = 8, kPosition = 11;
    Rope rope(pairs, kSize, 1000.0F, 2.0F, {1.0F, 1.0F, 4.0F, 1.0F});
    rope.prepare(kPosition + 1);
    const auto before = random_floats(kSize, 7);
    auto head = before;
    rope.turn(head.data(), kPosition);
    for (std::size_t i = 0; i < kSize / 2; ++i) {
      const double divisor = i == 2 ? 4.0 : 1.0;
      const double angle = static_cast<double>(kPosition) / 2.0 *
                           std::pow(1000.0, -2.0 * static_cast<double>(i) / kSize) / divisor;
      const std::size_t one = pairs == RopePairs::neighbours ? 2 * i : i;
      const std::size_t two = pairs == RopePairs::neighbours ? 2 * i + 1 : i + kSize / 2;
      EXPECT_NEAR(head[one], before[one] * std::cos(angle) - before[two] * std::sin(angle), 1e-6);
      EXPECT_NEAR(head[two], before[one] * std::sin(angle) + before[two] * std::cos(angle), 1e-6);
    }
    rope.turn_back(head.data(), kPosition);
    for (std::size_t i = 0; i < kSize; ++i) EXPECT_NEAR(head[i], before[i], 1e-6);
  }
}

// attention ------------------------------------------------------------------------------------------------
Doubles slow_attention(const AttentionShape& shape, const std::vector<Segment>& segments,
                       const Doubles& qkv) {
  const std::size_t columns = shape.all_columns(), size = shape.head_size;
  Doubles out(qkv.size() / columns * shape.query_columns());
  for (const Segment& segment : segments) {
    for (std::size_t head = 0; head < shape.heads; ++head) {
      const std::size_t kv = head / (shape.heads / shape.kv_heads);
      for (std::size_t q = 0; q < segment.length; ++q) {
        const double* query = &qkv[(segment.start + q) * columns + head * size];
        const std::size_t seen = shape.sees == Sees::all ? segment.length : q + 1;
        Doubles weights(seen);
        double sum = 0;
        for (std::size_t k = 0; k < seen; ++k) {
          const double* key = &qkv[(segment.start + k) * columns + shape.query_columns() + kv * size];
          weights[k] =
              std::exp(static_cast<double>(shape.scale) * std::inner_product(query, query + size, key, 0.0));
          sum += weights[k];
        }
        for (std::size_t k = 0; k < seen; ++k) {
          const double* value =
              &qkv[(segment.start + k) * columns + shape.query_columns() + shape.key_columns() + kv * size];
          for (std::size_t i = 0; i < size; ++i) {
            out[(segment.start + q) * shape.query_columns() + head * size + i] += weights[k] / sum * value[i];
          }
        }
      }
    }
  }
  return out;
}

class AttentionOf : public ::testing::TestWithParam<Sees> {};

TEST_P(AttentionOf, forward_and_gradient_equal_the_slow_twin) {
  const AttentionShape shape = {4, 2, 6, 0.4F, GetParam()};
  const std::vector<Segment> segments = {{0, 1}, {1, 7}, {8, 5}};
  Team team(2);
  const auto values = random_floats(13 * shape.all_columns(), 8);
  const auto dvalues = random_floats(13 * shape.query_columns(), 9);
  Operand qkv, out, dout;
  fill(qkv, Precision::f32, 13, shape.all_columns(), values);
  fill(dout, Precision::f32, 13, shape.query_columns(), dvalues);
  std::vector<float> log_sums(13 * shape.heads), dqkv(values.size(), 9.0F);
  attention(team, shape, segments, qkv, out, log_sums.data());
  EXPECT_LT(relative_error(doubles(out), slow_attention(shape, segments, doubles(values))), 1e-6);
  attention_backward(team, shape, segments, qkv, log_sums.data(), dout, dqkv.data());
  const auto expected =
      slopes([&](const Doubles& at) { return dot(slow_attention(shape, segments, at), doubles(dvalues)); },
             doubles(values));
  EXPECT_LT(relative_error(dqkv, expected), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(masks, AttentionOf, ::testing::Values(Sees::earlier, Sees::all),
                         [](const auto& one) { return one.param == Sees::all ? "all" : "earlier"; });

TEST(Attention, of_encoders_reaches_over_all_blocks_of_a_long_sequence) {
  const AttentionShape shape = {2, 2, 8, 0.35F, Sees::all};
  const std::vector<Segment> segments = {{0, 131}, {131, 66}};
  Team team(2);
  const auto values = random_floats(197 * shape.all_columns(), 15);
  const auto dvalues = random_floats(197 * shape.query_columns(), 16);
  Operand qkv, out, dout;
  fill(qkv, Precision::f32, 197, shape.all_columns(), values);
  fill(dout, Precision::f32, 197, shape.query_columns(), dvalues);
  std::vector<float> log_sums(197 * shape.heads), dqkv(values.size(), 9.0F);
  attention(team, shape, segments, qkv, out, log_sums.data());
  EXPECT_LT(relative_error(doubles(out), slow_attention(shape, segments, doubles(values))), 1e-5);
  attention_backward(team, shape, segments, qkv, log_sums.data(), dout, dqkv.data());
  // Along the gradient the product with `dvalues` grows by the gradient's squared length.
  const Doubles direction = doubles(dqkv);
  const auto product_at = [&](double distance) {
    Doubles at = doubles(values);
    for (std::size_t i = 0; i < at.size(); ++i) at[i] += distance * direction[i];
    return dot(slow_attention(shape, segments, at), doubles(dvalues));
  };
  const double step = 1e-4 / std::sqrt(dot(direction, direction));
  EXPECT_NEAR((product_at(step) - product_at(-step)) / (2 * step) / dot(direction, direction), 1.0, 1e-5);
}

// proves P-TRAIN-05
TEST(Attention, long_sequences_cross_blocks_and_see_only_themselves) {
  const AttentionShape shape = {3, 1, 8, 0.35F};
  const std::vector<Segment> segments = {{0, 131}, {131, 66}};
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    const double tolerance = precision == Precision::f32 ? 1e-5 : 1e-2;
    Team team(2);
    Operand qkv, out, changed_qkv, changed;
    auto values = random_floats(197 * shape.all_columns(), 10);
    fill(qkv, precision, 197, shape.all_columns(), values);
    std::vector<float> log_sums(197 * shape.heads);
    attention(team, shape, segments, qkv, out, log_sums.data());
    EXPECT_LT(relative_error(doubles(out), slow_attention(shape, segments, doubles(qkv))), tolerance);
    for (std::size_t i = 0; i < 131 * shape.all_columns(); ++i) values[i] += 3.0F;
    fill(changed_qkv, precision, 197, shape.all_columns(), values);
    attention(team, shape, segments, changed_qkv, changed, log_sums.data());
    const auto before = doubles(out), after = doubles(changed);
    for (std::size_t i = 131 * shape.query_columns(); i < before.size(); ++i) ASSERT_EQ(before[i], after[i]);
  }
}

TEST(Attention, gradients_of_long_sequences_equal_those_of_short_ones_by_differences) {
  const AttentionShape shape = {2, 1, 4, 0.5F};
  const std::vector<Segment> segments = {{0, 70}};
  Team team(1);
  const auto values = random_floats(70 * shape.all_columns(), 11);
  const auto dvalues = random_floats(70 * shape.query_columns(), 12);
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    Operand qkv, out, dout;
    fill(qkv, precision, 70, shape.all_columns(), values);
    fill(dout, precision, 70, shape.query_columns(), dvalues);
    std::vector<float> log_sums(70 * shape.heads), dqkv(values.size());
    attention(team, shape, segments, qkv, out, log_sums.data());
    attention_backward(team, shape, segments, qkv, log_sums.data(), dout, dqkv.data());
    const auto expected =
        slopes([&](const Doubles& at) { return dot(slow_attention(shape, segments, at), doubles(dout)); },
               doubles(qkv));
    EXPECT_LT(relative_error(dqkv, expected), precision == Precision::f32 ? 1e-5 : 1e-2);
  }
}

// cross entropy --------------------------------------------------------------------------------------------
TEST(CrossEntropy, loss_and_gradient_equal_the_slow_twin) {
  constexpr std::size_t kRows = 3, kVocabulary = 45;
  constexpr float kWeight = 0.25F;
  Team team(2);
  const auto logits = random_floats(kRows * kVocabulary, 13, 5.0F);
  const std::vector<std::int32_t> targets = {44, 0, 17};
  const auto slow = [&](const Doubles& at) {
    double loss = 0;
    for (std::size_t r = 0; r < kRows; ++r) {
      double sum = 0;
      for (std::size_t i = 0; i < kVocabulary; ++i) sum += std::exp(at[r * kVocabulary + i]);
      loss += std::log(sum) - at[r * kVocabulary + static_cast<std::size_t>(targets[r])];
    }
    return loss;
  };
  Operand gradient;
  const double loss =
      cross_entropy(team, logits.data(), kVocabulary, targets, kWeight, Precision::f32, &gradient);
  EXPECT_NEAR(loss, slow(doubles(logits)), 1e-5);
  auto expected = slopes(slow, doubles(logits));
  for (double& value : expected) value *= static_cast<double>(kWeight);
  EXPECT_LT(relative_error(doubles(gradient), expected), 1e-5);
}

TEST(CrossEntropy, a_row_of_odd_length_ends_with_a_zero_for_the_product_of_pairs) {
  Team team(1);
  const auto logits = random_floats(21, 21);
  const std::vector<std::int32_t> targets = {3};
  Operand gradient;
  gradient.shape(Precision::bf16, 1, 64);
  for (std::size_t i = 0; i < 64; ++i) gradient.row<Bf16>(0)[i] = to_bf16(std::nanf(""));
  cross_entropy(team, logits.data(), 21, targets, 1.0F, Precision::bf16, &gradient);
  EXPECT_EQ(to_float(gradient.row<Bf16>(0)[21]), 0.0F);
}

TEST(CrossEntropy, a_logit_that_is_no_number_gives_no_number) {
  Team team(1);
  auto logits = random_floats(20, 14);
  logits[7] = std::nanf("");
  const std::vector<std::int32_t> targets = {3};
  EXPECT_FALSE(std::isfinite(cross_entropy(team, logits.data(), 20, targets, 1.0F, Precision::f32, nullptr)));
}

// adamw ----------------------------------------------------------------------------------------------------
TEST(AdamW, steps_as_the_paper_says) {
  Team team(2);
  const AdamWOptions options = {0.8F, 0.9F, 1e-6F, 0.1F};
  auto values = random_floats(5, 15);
  Doubles slow = doubles(values), m(5), v(5);
  std::vector<float> first(5), second(5);
  for (int step = 1; step <= 4; ++step) {
    const auto gradients = random_floats(5, 16 + static_cast<std::uint64_t>(step));
    adamw_step(team, values, gradients, first, second, step, 0.01F, 0.5F, options);
    for (std::size_t i = 0; i < 5; ++i) {
      const double g = 0.5 * static_cast<double>(gradients[i]);
      m[i] = 0.8 * m[i] + 0.2 * g;
      v[i] = 0.9 * v[i] + 0.1 * g * g;
      const double m_hat = m[i] / (1 - std::pow(0.8, step)), v_hat = v[i] / (1 - std::pow(0.9, step));
      slow[i] -= 0.01 * (m_hat / (std::sqrt(v_hat) + 1e-6) + 0.1 * slow[i]);
    }
  }
  EXPECT_LT(relative_error(values, slow), 1e-5);
}

TEST(AdamW, the_norm_does_not_depend_on_threads) {
  const auto values = random_floats(100000, 20);
  Team one(1), three(3);
  EXPECT_EQ(norm_of(one, values), norm_of(three, values));
  double squares = 0;
  for (const float value : values) squares += static_cast<double>(value) * static_cast<double>(value);
  EXPECT_NEAR(norm_of(one, values), std::sqrt(squares), 1e-6);
}

TEST(ScheduleTest, warms_up_and_falls_as_half_a_cosine) {
  const Schedule schedule = {1.0, 4, 12, 0.1};
  EXPECT_DOUBLE_EQ(schedule.at(1), 0.25);
  EXPECT_DOUBLE_EQ(schedule.at(4), 1.0);
  EXPECT_DOUBLE_EQ(schedule.at(5), 1.0);
  EXPECT_NEAR(schedule.at(9), 0.55, 1e-12);
  EXPECT_GT(schedule.at(12), 0.1);
  EXPECT_NEAR(schedule.at(13), 0.1, 1e-12);
  EXPECT_DOUBLE_EQ((Schedule{2.0, 0, 1, 0.0}.at(1)), 2.0);
}

}  // namespace
}  // namespace loam::train
