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
  const std::vector<store::Scored> meaning{scored(3, 0.9F), scored(2, 0.8F), scored(4, 0.1F)};
  EXPECT_EQ(ids_of(fuse({words}, {meaning})), (std::vector<std::uint64_t>{2, 1, 3, 4}));
}

TEST(Fusion, the_score_is_the_weighted_sum_of_scores_scaled_to_one) {
  const std::vector<store::Scored> words{scored(1, 8.0F), scored(2, 6.0F)};
  const std::vector<store::Scored> meaning{scored(3, 0.9F), scored(2, 0.7F), scored(4, 0.4F)};
  const auto fused = fuse({words, 0.6F}, {meaning, 0.4F});
  ASSERT_EQ(ids_of(fused), (std::vector<std::uint64_t>{2, 1, 3, 4}));
  EXPECT_FLOAT_EQ(fused[0].score, 0.6F * 6.0F / 8.0F + 0.4F * 0.3F / 0.5F);
  EXPECT_FLOAT_EQ(fused[1].score, 0.6F);
  EXPECT_FLOAT_EQ(fused[2].score, 0.4F);
  EXPECT_FLOAT_EQ(fused[3].score, 0.0F);
}

TEST(Fusion, how_clearly_a_leg_prefers_its_first_counts) {
  const std::vector<store::Scored> close{scored(1, 8.0F), scored(2, 7.9F)};
  const std::vector<store::Scored> clear{scored(1, 8.0F), scored(2, 1.0F)};
  const std::vector<store::Scored> meaning{scored(2, 0.9F), scored(1, 0.6F), scored(3, 0.1F)};
  EXPECT_EQ(ids_of(fuse({close}, {meaning})), (std::vector<std::uint64_t>{2, 1, 3}));
  EXPECT_EQ(ids_of(fuse({clear}, {meaning})), (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST(Fusion, an_embedder_whose_cosines_are_all_high_ranks_as_one_whose_cosines_spread) {
  const std::vector<store::Scored> words{scored(1, 8.0F), scored(2, 5.0F), scored(3, 4.0F)};
  const std::vector<store::Scored> spread{scored(3, 0.8F), scored(2, 0.5F), scored(1, 0.0F)};
  const std::vector<store::Scored> narrow{scored(3, 0.9F), scored(2, 0.8625F), scored(1, 0.8F)};
  EXPECT_EQ(ids_of(fuse({words}, {spread})), ids_of(fuse({words}, {narrow})));
}

TEST(Fusion, the_only_passage_that_holds_the_words_is_worth_a_full_vote) {
  const std::vector<store::Scored> words{scored(5, 0.3F)};
  const std::vector<store::Scored> meaning{scored(1, 0.9F), scored(2, 0.8F), scored(5, 0.7F)};
  EXPECT_EQ(ids_of(fuse({words, 0.55F}, {meaning, 0.45F})), (std::vector<std::uint64_t>{5, 1, 2}));
}

TEST(Fusion, a_list_without_differences_counts_in_full) {
  const std::vector<store::Scored> meaning{scored(1, 0.5F), scored(2, 0.5F)};
  const auto fused = fuse({}, {meaning, 0.4F});
  EXPECT_FLOAT_EQ(fused[0].score, 0.4F);
  EXPECT_FLOAT_EQ(fused[1].score, 0.4F);
}

// proves P-RET-02
TEST(Fusion, why_holds_rank_and_score_of_each_leg_that_saw_the_passage_and_nothing_else) {
  const std::vector<store::Scored> words{scored(1, 9.0F), scored(2, 8.0F)};
  const std::vector<store::Scored> meaning{scored(2, 0.75F)};
  const auto fused = fuse({words}, {meaning});
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
  EXPECT_EQ(ids_of(fuse({words, 1.0F}, {meaning, 2.0F})), (std::vector<std::uint64_t>{2, 1}));
  EXPECT_EQ(ids_of(fuse({words, 2.0F}, {meaning, 1.0F})), (std::vector<std::uint64_t>{1, 2}));
}

TEST(Fusion, ties_are_broken_by_the_better_rank_then_by_id_so_that_results_repeat) {
  const std::vector<store::Scored> words{scored(9, 4.0F), scored(5, 2.0F)};
  const std::vector<store::Scored> meaning{scored(4, 0.75F), scored(8, 0.5F), scored(7, 0.25F)};
  EXPECT_EQ(ids_of(fuse({words}, {meaning})), (std::vector<std::uint64_t>{4, 9, 5, 8, 7}));
}

TEST(Fusion, one_empty_leg_leaves_the_other_in_its_order) {
  const std::vector<store::Scored> words{scored(7, 3.0F), scored(5, 2.0F), scored(6, 1.0F)};
  EXPECT_EQ(ids_of(fuse({words}, {})), (std::vector<std::uint64_t>{7, 5, 6}));
  EXPECT_EQ(ids_of(fuse({}, {words})), (std::vector<std::uint64_t>{7, 5, 6}));
  EXPECT_TRUE(fuse({}, {}).empty());
}

TEST(Fusion, a_list_that_repeats_a_passage_does_not_vote_twice) {
  const std::vector<store::Scored> words{scored(1, 3.0F), scored(1, 3.0F), scored(2, 2.0F)};
  const auto fused = fuse({words}, {});
  ASSERT_EQ(fused.size(), 2u);
  EXPECT_FLOAT_EQ(fused[0].score, 1.0F);
  EXPECT_EQ(*fused[1].why.bm25_rank, 2);
}

}  // namespace
}  // namespace loam::retrieve
