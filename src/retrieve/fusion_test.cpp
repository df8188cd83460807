#include "retrieve/fusion.h"

#include <gtest/gtest.h>

namespace loam::retrieve {
namespace {

store::Scored scored(std::uint64_t id, float score) { return {PassageId{id}, score}; }

std::vector<std::uint64_t> ids_of(const std::vector<Fused>& fused) {
  std::vector<std::uint64_t> ids;
  for (const Fused& one : fused) ids.push_back(number_of(one.passage));
  return ids;
}

TEST(Fusion, a_passage_that_both_legs_like_beats_one_that_a_single_leg_likes_best) {
  const std::vector<store::Scored> words{scored(1, 9.0F), scored(2, 8.0F)};
  const std::vector<store::Scored> meaning{scored(3, 0.9F), scored(2, 0.8F)};
  EXPECT_EQ(ids_of(fuse({words}, {meaning}, 60)), (std::vector<std::uint64_t>{2, 1, 3}));
}

TEST(Fusion, the_score_is_the_sum_of_one_over_k_plus_rank) {
  const std::vector<store::Scored> words{scored(1, 9.0F), scored(2, 8.0F)};
  const std::vector<store::Scored> meaning{scored(3, 0.9F), scored(2, 0.8F)};
  const auto fused = fuse({words}, {meaning}, 60);
  EXPECT_FLOAT_EQ(fused[0].score, 2.0F / 62.0F);
  EXPECT_FLOAT_EQ(fused[1].score, 1.0F / 61.0F);
}

// proves P-RET-02
TEST(Fusion, why_holds_rank_and_score_of_each_leg_that_saw_the_passage_and_nothing_else) {
  const std::vector<store::Scored> words{scored(1, 9.0F), scored(2, 8.0F)};
  const std::vector<store::Scored> meaning{scored(2, 0.75F)};
  const auto fused = fuse({words}, {meaning}, 60);
  ASSERT_EQ(fused.size(), 2u);
  EXPECT_EQ(number_of(fused[0].passage), 2u);
  EXPECT_FLOAT_EQ(*fused[0].why.bm25, 8.0F);
  EXPECT_EQ(*fused[0].why.bm25_rank, 2);
  EXPECT_FLOAT_EQ(*fused[0].why.cosine, 0.75F);
  EXPECT_EQ(*fused[0].why.cosine_rank, 1);
  EXPECT_FALSE(fused[1].why.cosine);
  EXPECT_FALSE(fused[1].why.cosine_rank);
  EXPECT_FALSE(fused[1].why.rerank);
}

TEST(Fusion, a_heavier_leg_decides) {
  const std::vector<store::Scored> words{scored(1, 9.0F)};
  const std::vector<store::Scored> meaning{scored(2, 0.9F)};
  EXPECT_EQ(ids_of(fuse({words, 1.0F}, {meaning, 2.0F}, 60)), (std::vector<std::uint64_t>{2, 1}));
  EXPECT_EQ(ids_of(fuse({words, 2.0F}, {meaning, 1.0F}, 60)), (std::vector<std::uint64_t>{1, 2}));
}

TEST(Fusion, ties_are_broken_by_the_better_rank_then_by_id_so_that_results_repeat) {
  const std::vector<store::Scored> words{scored(9, 3.0F), scored(5, 2.0F)};
  const std::vector<store::Scored> meaning{scored(4, 0.9F), scored(8, 0.8F)};
  EXPECT_EQ(ids_of(fuse({words}, {meaning}, 60)), (std::vector<std::uint64_t>{4, 9, 5, 8}));
}

TEST(Fusion, one_empty_leg_leaves_the_other_in_its_order) {
  const std::vector<store::Scored> words{scored(7, 3.0F), scored(5, 2.0F), scored(6, 1.0F)};
  EXPECT_EQ(ids_of(fuse({words}, {}, 60)), (std::vector<std::uint64_t>{7, 5, 6}));
  EXPECT_EQ(ids_of(fuse({}, {words}, 60)), (std::vector<std::uint64_t>{7, 5, 6}));
  EXPECT_TRUE(fuse({}, {}, 60).empty());
}

TEST(Fusion, a_list_that_repeats_a_passage_does_not_vote_twice) {
  const std::vector<store::Scored> words{scored(1, 3.0F), scored(1, 3.0F), scored(2, 2.0F)};
  const auto fused = fuse({words}, {}, 60);
  ASSERT_EQ(fused.size(), 2u);
  EXPECT_FLOAT_EQ(fused[0].score, 1.0F / 61.0F);
  EXPECT_EQ(*fused[1].why.bm25_rank, 2);
}

}  // namespace
}  // namespace loam::retrieve
