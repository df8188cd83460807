#include "retrieve/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace loam::retrieve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Passages 1..n in this order, with falling scores.
std::vector<store::Scored> list_of(const std::vector<std::uint64_t>& ids, float first_score) {
  std::vector<store::Scored> list;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    list.push_back({PassageId{ids[i]}, first_score - static_cast<float>(i) * 0.001F});
  }
  return list;
}

std::vector<std::uint64_t> count_up(std::uint64_t from, std::uint64_t to) {
  std::vector<std::uint64_t> ids;
  for (std::uint64_t id = from; id <= to; ++id) ids.push_back(id);
  return ids;
}

DeepRanking ranking_of(std::vector<std::uint64_t> words, std::vector<std::uint64_t> meaning,
                       std::vector<std::uint64_t> own, int shown = 4, int candidates = 100) {
  DeepRanking ranking;
  ranking.source = "handbook.md";
  ranking.shown = shown;
  ranking.candidates = candidates;
  ranking.passages_in_collection = static_cast<int>(meaning.size());
  ranking.lexical = list_of(words, 9.0F);
  ranking.dense = list_of(meaning, 0.9F);
  const auto first = [&](const std::vector<store::Scored>& list) {
    return std::span(list).first(std::min(list.size(), static_cast<std::size_t>(candidates)));
  };
  ranking.fused = fuse({first(ranking.lexical)}, {first(ranking.dense)});
  ranking.fused_deep = fuse({ranking.lexical}, {ranking.dense});
  for (const std::uint64_t id : own) ranking.own_passages.push_back(PassageId{id});
  if (const auto best = best_passage(ranking)) {
    store::Store::PassageRow row;
    row.passage.id = *best;
    row.passage.text = "Parking is free.";
    row.source = ranking.source;
    ranking.best_row = row;
  }
  ranking.terms = {"parking", "cost"};
  return ranking;
}

// proves P-RET-03
TEST(Explain, every_stage_has_the_rank_and_score_of_the_best_passage) {
  const Explanation out = explain_ranking(ranking_of({1, 2, 3}, {3, 2, 1, 4}, {3}), {true, false});
  ASSERT_EQ(out.stages.size(), 4u);
  EXPECT_EQ(out.stages[0].name, "lexical");
  EXPECT_EQ(out.stages[0].rank, 3);
  EXPECT_EQ(out.stages[0].depth, 3);
  EXPECT_EQ(out.stages[1].name, "dense");
  EXPECT_EQ(out.stages[1].rank, 1);
  EXPECT_FLOAT_EQ(*out.stages[1].score, 0.9F);
  EXPECT_EQ(out.stages[2].name, "fused");
  EXPECT_EQ(out.stages[3].name, "shown");
  EXPECT_EQ(out.stages[3].rank, out.stages[2].rank);
  ASSERT_TRUE(out.best);
  EXPECT_EQ(number_of(out.best->passage.id), 3u);
  EXPECT_EQ(out.best->why.bm25_rank, 3);
  EXPECT_EQ(out.best->why.cosine_rank, 1);
  EXPECT_THAT(out.matched_terms, ElementsAre("parking"));
  EXPECT_THAT(out.missing_terms, ElementsAre("cost"));
}

TEST(Explain, a_document_that_fell_out_is_told_in_one_plain_sentence) {
  // Passage 14 is 14th in both lists of 230.
  const Explanation out = explain_ranking(ranking_of(count_up(1, 20), count_up(1, 230), {14}), {true, false});
  EXPECT_EQ(
      out.sentence,
      "Its best passage is 14th of 20 in BM25 (the term 'cost' does not occur) and 14th of 230 by meaning, "
      "so the fused rank 14 is below the 4 shown.");
  EXPECT_FALSE(out.stages[3].rank);
}

TEST(Explain, a_shown_document_says_at_which_rank) {
  const Explanation out = explain_ranking(ranking_of({1, 2}, {2, 1}, {2}), {true, true});
  EXPECT_THAT(out.sentence, HasSubstr("so it is shown at rank "));
  EXPECT_THAT(out.sentence, ::testing::Not(HasSubstr("does not occur")));
}

// proves P-RET-03
TEST(Explain, ranks_beyond_the_candidates_are_still_told) {
  const Explanation out =
      explain_ranking(ranking_of(count_up(1, 300), count_up(1, 2067), {230}, 4, 100), {true, true});
  EXPECT_EQ(out.stages[0].rank, 230);
  EXPECT_EQ(out.stages[1].rank, 230);
  EXPECT_EQ(out.stages[2].rank, 230);
  EXPECT_THAT(out.stages[2].note, HasSubstr("not among the candidates"));
  EXPECT_FALSE(out.stages[3].rank);
  EXPECT_THAT(out.sentence, HasSubstr("230th of 2,067 by meaning"));
  EXPECT_THAT(out.sentence, HasSubstr("beyond the 100 candidates"));
}

TEST(Explain, a_passage_without_any_word_of_the_question_says_so) {
  const Explanation out = explain_ranking(ranking_of({1, 2}, {1, 2, 3}, {3}, 1), {false, false});
  EXPECT_FALSE(out.stages[0].rank);
  EXPECT_EQ(out.sentence,
            "Its best passage: none of the words 'parking', 'cost' occurs in it, so BM25 does not see it, "
            "and it is "
            "3rd of 3 by meaning, so the fused rank 3 is below the 1 shown.");
}

TEST(Explain, a_better_sibling_at_one_stage_is_named) {
  // The document has passages 1 and 9: 9 is best by words, 1 is best after fusion.
  const Explanation out =
      explain_ranking(ranking_of({9, 1, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 9}), {true, true});
  ASSERT_TRUE(out.best);
  EXPECT_EQ(number_of(out.best->passage.id), 1u);
  EXPECT_THAT(out.stages[0].note, HasSubstr("another passage of this document is 1st here"));
  EXPECT_EQ(out.stages[1].note, "");
}

TEST(Explain, an_unused_leg_is_marked_and_not_spoken_of) {
  DeepRanking words_only = ranking_of({1, 2}, {}, {2}, 1);
  words_only.legs = Legs::lexical_only;
  const Explanation words = explain_ranking(words_only, {true, true});
  EXPECT_EQ(words.stages[1].note, "not used");
  EXPECT_EQ(words.sentence,
            "Its best passage is 2nd of 2 in BM25, so the fused rank 2 is below the 1 shown.");

  DeepRanking meaning_only = ranking_of({}, {1, 2}, {2}, 1);
  meaning_only.legs = Legs::dense_only;
  const Explanation meaning = explain_ranking(meaning_only, {true, true});
  EXPECT_EQ(meaning.stages[0].note, "not used");
  EXPECT_EQ(meaning.sentence,
            "Its best passage is 2nd of 2 by meaning, so the fused rank 2 is below the 1 shown.");
}

TEST(Explain, a_document_without_passages_is_not_an_error) {
  const Explanation out = explain_ranking(ranking_of({1}, {1}, {}), {false, false});
  EXPECT_FALSE(out.best);
  EXPECT_TRUE(out.stages.empty());
  EXPECT_THAT(out.sentence, HasSubstr("has no passages"));
}

TEST(Explain, a_document_that_no_leg_can_see_is_said_to_be_not_found) {
  DeepRanking ranking = ranking_of({1}, {}, {2});
  ranking.legs = Legs::lexical_only;
  const Explanation out = explain_ranking(ranking, {false, false});
  EXPECT_THAT(out.sentence, HasSubstr("not found at all"));
}

TEST(Explain, ordinals_read_as_people_say_them) {
  for (const auto& [rank, words] : std::vector<std::pair<std::uint64_t, std::string>>{{1, "1st of"},
                                                                                      {2, "2nd of"},
                                                                                      {3, "3rd of"},
                                                                                      {11, "11th of"},
                                                                                      {12, "12th of"},
                                                                                      {21, "21st of"},
                                                                                      {112, "112th of"},
                                                                                      {123, "123rd of"},
                                                                                      {1001, "1,001st of"}}) {
    const Explanation out = explain_ranking(ranking_of({}, count_up(1, 1200), {rank}), {false, false});
    EXPECT_THAT(out.sentence, HasSubstr(words)) << rank;
  }
}

}  // namespace
}  // namespace loam::retrieve
