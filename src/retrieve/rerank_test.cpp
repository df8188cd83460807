#include "retrieve/rerank.h"

#include <gtest/gtest.h>

#include <cmath>

namespace loam::retrieve {
namespace {

std::vector<Fused> falling(int count) {
  std::vector<Fused> fused;
  for (int i = 0; i < count; ++i)
    fused.push_back({PassageId{static_cast<std::uint64_t>(i) + 1}, 1.0F - 0.1F * static_cast<float>(i), {}});
  return fused;
}

std::vector<std::uint64_t> ids(const std::vector<Fused>& fused) {
  std::vector<std::uint64_t> out;
  for (const Fused& one : fused) out.push_back(number_of(one.passage));
  return out;
}

// proves P-RET-06
TEST(Rerank, what_was_looked_at_twice_never_falls_behind_what_was_not) {
  std::vector<Fused> fused = falling(6);
  const std::vector<float> scores = {-30.0F, -30.0F, -30.0F};
  combine(fused, scores, 0.9F);
  EXPECT_EQ(ids(fused), (std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_TRUE(fused[2].why.rerank);
  EXPECT_FALSE(fused[3].why.rerank);
  for (std::size_t i = 1; i < fused.size(); ++i) EXPECT_LE(fused[i].score, fused[i - 1].score);
}

TEST(Rerank, the_weight_decides_between_both_opinions) {
  const std::vector<float> scores = {-4.0F, 0.0F, 4.0F};
  std::vector<Fused> fused = falling(4);
  combine(fused, scores, 0.0F);
  EXPECT_EQ(ids(fused), (std::vector<std::uint64_t>{1, 2, 3, 4}));
  fused = falling(4);
  combine(fused, scores, 1.0F);
  EXPECT_EQ(ids(fused), (std::vector<std::uint64_t>{3, 2, 1, 4}));
  EXPECT_EQ(fused[0].why.rerank_rank, 1);
  EXPECT_EQ(fused[2].why.rerank_rank, 3);
  EXPECT_FLOAT_EQ(fused[1].score, 0.5F);
  fused = falling(4);
  combine(fused, scores, 0.05F);
  EXPECT_EQ(ids(fused), (std::vector<std::uint64_t>{1, 2, 3, 4}));
}

TEST(Rerank, equal_scores_stay_in_the_order_of_the_fusion) {
  std::vector<Fused> fused = falling(3);
  for (Fused& one : fused) one.score = 0.5F;
  combine(fused, std::vector<float>{1.0F, 1.0F, 1.0F}, 0.5F);
  EXPECT_EQ(ids(fused), (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_EQ(fused[0].why.rerank_rank, 1);
  fused.clear();
  combine(fused, std::vector<float>{1.0F}, 0.5F);
  EXPECT_TRUE(fused.empty());
}

TEST(Rerank, a_share_lies_between_nothing_and_one) {
  EXPECT_FLOAT_EQ(rerank_share(0), 0.5F);
  EXPECT_GT(rerank_share(200), 0.999F);
  EXPECT_LT(rerank_share(-200), 0.001F);
  EXPECT_GE(rerank_share(-INFINITY), 0.0F);
}

}  // namespace
}  // namespace loam::retrieve
