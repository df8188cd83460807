#include "train/gemm.h"

#include <cstring>

#include "gtest/gtest.h"
#include "train/gemm_kernels.h"
#include "train/testing/numbers.h"

namespace loam::train {
namespace {

using testing::doubles;
using testing::fill;
using testing::random_floats;
using testing::relative_error;

/// The plain product in double.
std::vector<double> slow_product(const std::vector<double>& left, const std::vector<double>& right,
                                 Right turn, std::size_t rows, std::size_t depth, std::size_t columns) {
  std::vector<double> out(rows * columns);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      double sum = 0;
      for (std::size_t k = 0; k < depth; ++k) {
        sum +=
            left[r * depth + k] * (turn == Right::as_it_is ? right[k * columns + c] : right[c * depth + k]);
      }
      out[r * columns + c] = sum;
    }
  }
  return out;
}

struct Case {
  std::size_t rows, depth, columns;
};
constexpr Case kCases[] = {{1, 2, 1},    {3, 8, 5},      {14, 64, 32}, {16, 1026, 48}, {17, 30, 33},
                           {64, 96, 64}, {130, 2050, 7}, {5, 16, 100}, {29, 4, 95}};

class Gemm : public ::testing::TestWithParam<Precision> {};

TEST_P(Gemm, products_equal_the_plain_loop_in_double) {
  Team team(2);
  for (const Case& one : kCases) {
    for (const Right turn : {Right::as_it_is, Right::transposed}) {
      Operand left, right;
      fill(left, GetParam(), one.rows, one.depth, random_floats(one.rows * one.depth, 1));
      const std::size_t right_rows = turn == Right::as_it_is ? one.depth : one.columns;
      const std::size_t right_columns = turn == Right::as_it_is ? one.columns : one.depth;
      fill(right, GetParam(), right_rows, right_columns, random_floats(one.depth * one.columns, 2));
      const Product product = {left.view(), right.view(), turn};
      std::vector<float> out(one.rows * one.columns, 7.0F);
      multiply(team, {&product, 1}, out.data(), one.columns, one.rows, one.columns, Add::no);
      const auto expected =
          slow_product(doubles(left), doubles(right), turn, one.rows, one.depth, one.columns);
      EXPECT_LT(relative_error(out, expected), 2e-6) << one.rows << " " << one.depth << " " << one.columns;

      Buffer scratch;
      std::vector<float> alone(out.size());
      multiply_alone({&product, 1}, alone.data(), one.columns, one.rows, one.columns, Add::no, scratch);
      EXPECT_EQ(out, alone);

      PackedFactor packed;
      packed.pack(right.view(), turn);
      std::vector<float> from_packed(out.size());
      multiply_packed(left.view(), packed, one.columns, from_packed.data(), one.columns, Add::no);
      EXPECT_LT(relative_error(from_packed, expected), 2e-6);
    }
  }
}

TEST_P(Gemm, several_products_are_added_to_what_is_there) {
  Team team(3);
  constexpr std::size_t kRows = 50, kColumns = 70;
  const std::size_t depths[] = {40, 1500, 16};
  Operand lefts[3], rights[3];
  std::vector<Product> products;
  std::vector<double> expected(kRows * kColumns, 0.25);
  for (std::size_t i = 0; i < 3; ++i) {
    fill(lefts[i], GetParam(), kRows, depths[i], random_floats(kRows * depths[i], 10 + i));
    const Right turn = i == 1 ? Right::transposed : Right::as_it_is;
    const std::size_t rows = i == 1 ? kColumns : depths[i];
    const std::size_t columns = i == 1 ? depths[i] : kColumns;
    fill(rights[i], GetParam(), rows, columns, random_floats(rows * columns, 20 + i));
    products.push_back({lefts[i].view(), rights[i].view(), turn});
    const auto part = slow_product(doubles(lefts[i]), doubles(rights[i]), turn, kRows, depths[i], kColumns);
    for (std::size_t j = 0; j < part.size(); ++j) expected[j] += part[j];
  }
  std::vector<float> out(kRows * kColumns, 0.25F);
  multiply(team, products, out.data(), kColumns, kRows, kColumns, Add::yes);
  EXPECT_LT(relative_error(out, expected), 2e-6);
}

TEST_P(Gemm, any_number_of_threads_gives_the_same_bytes) {
  Operand left, right;
  fill(left, GetParam(), 300, 222, random_floats(300 * 222, 3));
  fill(right, GetParam(), 20, 222, random_floats(20 * 222, 4));
  const Product product = {left.view(), right.view(), Right::transposed};
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 5}) {
    Team team(threads);
    std::vector<float> out(300 * 20);
    multiply(team, {&product, 1}, out.data(), 20, 300, 20, Add::no);
    results.push_back(out);
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

TEST_P(Gemm, every_kernel_of_this_processor_equals_the_plain_one) {
  std::size_t count = 0;
  const Kernel* kernels = kernels_for(GetParam(), count);
  ASSERT_GT(count, 0U);
  EXPECT_EQ(kernels[count - 1].name, "plain");
  Operand left, right;
  fill(left, GetParam(), 16, 100, random_floats(1600, 5));
  fill(right, GetParam(), 100, 32, random_floats(3200, 6));
  std::vector<char> panel(100 * kPanelColumns * 4);
  pack_rows(right.view().data, right.stride(), GetParam(), 0, 100, 0, 32, {panel.data(), 0});
  const auto expected = slow_product(doubles(left), doubles(right), Right::as_it_is, 16, 100, 32);
  for (std::size_t k = 0; k < count; ++k) {
    for (std::size_t rows = 1; rows <= kernels[k].most_rows; ++rows) {
      std::vector<float> out(rows * 32, 1.0F);
      const TilePart part = {left.view().data, left.stride(), panel.data(), 100};
      kernels[k].tile(&part, 1, rows, out.data(), 32, true);
      for (float& value : out) value -= 1.0F;
      const std::vector<double> first(expected.begin(),
                                      expected.begin() + static_cast<std::ptrdiff_t>(rows * 32));
      EXPECT_LT(relative_error(out, first), 1e-5) << kernels[k].name << " " << rows;
    }
  }
}

TEST_P(Gemm, an_empty_product_clears_or_leaves) {
  Team team(1);
  Operand left, right;
  fill(left, GetParam(), 4, 0, {});
  fill(right, GetParam(), 0, 3, {});
  const Product product = {left.view(), right.view(), Right::as_it_is};
  std::vector<float> out(12, 5.0F);
  multiply(team, {&product, 1}, out.data(), 3, 4, 3, Add::yes);
  EXPECT_EQ(out, std::vector<float>(12, 5.0F));
  multiply(team, {&product, 1}, out.data(), 3, 4, 3, Add::no);
  EXPECT_EQ(out, std::vector<float>(12, 0.0F));
}

INSTANTIATE_TEST_SUITE_P(both_precisions, Gemm, ::testing::Values(Precision::f32, Precision::bf16),
                         [](const auto& one) { return std::string(name_of(one.param)); });

TEST(Bf16Test, rounds_to_nearest_even_and_keeps_what_is_no_number) {
  EXPECT_EQ(to_float(to_bf16(1.0F)), 1.0F);
  EXPECT_EQ(to_float(to_bf16(1.00390625F)), 1.0F);       // half way, down to even
  EXPECT_EQ(to_float(to_bf16(1.01171875F)), 1.015625F);  // half way, up to even
  EXPECT_EQ(to_float(to_bf16(-1.0040F)), -1.0078125F);
  EXPECT_TRUE(std::isnan(to_float(to_bf16(std::nanf("")))));
  EXPECT_TRUE(std::isnan(to_float(to_bf16(std::bit_cast<float>(0x7FFFFFFFU)))));
  EXPECT_TRUE(std::isinf(to_float(to_bf16(INFINITY))));
}

}  // namespace
}  // namespace loam::train
