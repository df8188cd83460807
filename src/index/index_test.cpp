#include "index/index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "index/dense.h"
#include "store/testing/sample.h"

namespace loam::index {
namespace {

using store::testing::kDimensions;
using store::testing::put;
using store::testing::sample;
using store::testing::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Query terms -------------------------------------------------------------------------------------------

TEST(QueryTerms, are_lower_case_without_function_words_and_duplicates) {
  EXPECT_THAT(query_terms("What does the Parking cost, and who pays parking?"),
              ElementsAre("parking", "cost", "pays"));
  EXPECT_THAT(query_terms("Wie hoch ist die K\xC3\xBCndigungsfrist?"),
              ElementsAre("hoch", "die", "k\xC3\xBCndigungsfrist"));
  EXPECT_THAT(query_terms("Quel est le prix?"), ElementsAre("prix"));
}

TEST(QueryTerms, keep_function_words_when_nothing_else_is_left) {
  EXPECT_THAT(query_terms("to be or not to be"), ElementsAre("not"));
  EXPECT_THAT(query_terms("who is it"), ElementsAre("who", "is", "it"));
}

TEST(QueryTerms, keep_identifiers_whole_beside_their_parts) {
  EXPECT_THAT(query_terms("Clause A-17"), ElementsAre("clause", "a-17", "17"));
  EXPECT_THAT(query_terms("GPL-2.0-or-later"), ElementsAre("gpl-2-0-or-later", "gpl", "2", "0", "later"));
  EXPECT_THAT(query_terms("\xC2\xA7"
                          "4 pays 3.5 %, 1,000 euros on 2024-05-01"),
              ElementsAre("4", "pays", "3-5", "1-000", "euros", "2024-05-01"));
  EXPECT_THAT(query_terms("well-known facts"), ElementsAre("well", "known", "facts"));
}

TEST(QueryTerms, drop_what_an_apostrophe_cuts_off) {
  EXPECT_THAT(query_terms("What's Anna's d\xC3\xA9lai d'attente?"),
              ElementsAre("anna", "d\xC3\xA9lai", "attente"));
  EXPECT_THAT(query_terms("plan s"), ElementsAre("plan", "s"));
}

TEST(QueryTerms, of_nothing_are_none) {
  EXPECT_THAT(query_terms(""), IsEmpty());
  EXPECT_THAT(query_terms("?!... -- \xFF\xFE"), IsEmpty());
}

// Dense -------------------------------------------------------------------------------------------------

TEST(Dense, dot_matches_dot_plain_for_every_length) {
  std::minstd_rand random(7);
  const auto component = [&] { return static_cast<float>(random() % 2001) / 1000.0F - 1.0F; };
  for (std::size_t size = 0; size <= 400; ++size) {
    std::vector<float> a, b;
    double exact = 0;
    for (std::size_t i = 0; i < size; ++i) {
      a.push_back(component());
      b.push_back(component());
      exact += static_cast<double>(a.back()) * static_cast<double>(b.back());
    }
    EXPECT_NEAR(dot(a, b), dot_plain(a, b), 1e-4) << size;
    EXPECT_NEAR(dot(a, b), exact, 1e-4) << size;
  }
}

TEST(Dense, nearest_equals_sorting_everything) {
  std::minstd_rand random(11);
  constexpr std::size_t kRows = 500, kWidth = 24;
  std::vector<float> vectors(kRows * kWidth), query(kWidth);
  // Few distinct values, so that equal scores occur and their order is tested too.
  for (float& value : vectors) value = static_cast<float>(random() % 3) - 1.0F;
  for (float& value : query) value = static_cast<float>(random() % 3) - 1.0F;
  std::vector<PassageId> ids;
  std::vector<std::pair<float, std::uint64_t>> all;
  for (std::size_t row = 0; row < kRows; ++row) {
    ids.push_back(PassageId{row * 3 + 1});
    all.emplace_back(-dot_plain(query, std::span(vectors).subspan(row * kWidth, kWidth)), row * 3 + 1);
  }
  std::sort(all.begin(), all.end());
  for (const int k : {1, 7, 499, 500, 600}) {
    const auto best = nearest(query, vectors, ids, k);
    ASSERT_EQ(best.size(), std::min<std::size_t>(static_cast<std::size_t>(k), kRows));
    for (std::size_t i = 0; i < best.size(); ++i) {
      EXPECT_EQ(number_of(best[i].passage), all[i].second);
      EXPECT_FLOAT_EQ(best[i].score, -all[i].first);
    }
  }
  EXPECT_THAT(nearest(query, vectors, ids, 0), IsEmpty());
  EXPECT_THAT(nearest(query, {}, {}, 5), IsEmpty());
}

// Index -------------------------------------------------------------------------------------------------

class IndexTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = store::Store::open(folder_ / "loam.db");
    ASSERT_TRUE(opened);
    store_ = std::move(*opened);
    collection_ = store_->ensure_collection("docs", "fake", "fingerprint", kDimensions)->id;
  }
  void add(std::string_view source, const std::vector<std::string>& lines) {
    ASSERT_TRUE(put(*store_, collection_, sample(source, lines)));
  }

  TemporaryFolder folder_;
  std::unique_ptr<store::Store> store_;
  CollectionId collection_{};
};

TEST_F(IndexTest, both_legs_find_what_was_put) {
  add("a.md", {"parking costs ten euros", "short"});
  auto index = Index::open(*store_, collection_);
  ASSERT_TRUE(index);
  EXPECT_EQ((*index)->size(), 2U);
  const auto lexical = (*index)->lexical("What does parking cost?", 5);
  ASSERT_TRUE(lexical && lexical->size() == 1);
  const auto made = sample("a.md", {"parking costs ten euros", "short"});
  const auto dense = (*index)->dense(std::span(made.vectors).first(kDimensions), 5);
  ASSERT_TRUE(dense && dense->size() == 2);
  EXPECT_EQ(dense->front().passage, lexical->front().passage);
  EXPECT_NEAR(dense->front().score, 1.0F, 1e-5);
}

// proves P-RET-10
TEST_F(IndexTest, a_change_by_another_process_shows_in_the_next_query_of_both_legs) {
  add("a.md", {"one"});
  auto index = Index::open(*store_, collection_);
  ASSERT_TRUE(index);
  const std::vector<float> query = {1, 0, 0, 0};
  EXPECT_EQ((*index)->dense(query, 5)->size(), 1U);
  auto other = store::Store::open(folder_ / "loam.db");
  ASSERT_TRUE(other);
  ASSERT_TRUE(put(**other, collection_, sample("b.md", {"two words"})));
  EXPECT_EQ((*index)->dense(query, 5)->size(), 2U);
  EXPECT_EQ((*index)->lexical("words", 5)->size(), 1U);
  ASSERT_TRUE((*other)->remove_document((*(*other)->find_document(collection_, "b.md"))->id));
  EXPECT_EQ((*index)->dense(query, 5)->size(), 1U);
  EXPECT_THAT(*(*index)->lexical("words", 5), IsEmpty());
  EXPECT_EQ((*index)->size(), 1U);
}

TEST_F(IndexTest, an_empty_collection_finds_nothing) {
  auto index = Index::open(*store_, collection_);
  ASSERT_TRUE(index);
  EXPECT_EQ((*index)->size(), 0U);
  EXPECT_THAT(*(*index)->lexical("anything", 5), IsEmpty());
  EXPECT_THAT(*(*index)->dense(std::vector<float>(kDimensions, 0.5F), 5), IsEmpty());
}

TEST_F(IndexTest, a_query_vector_of_another_size_or_without_numbers_is_refused) {
  add("a.md", {"one"});
  auto index = Index::open(*store_, collection_);
  ASSERT_TRUE(index);
  EXPECT_EQ((*index)->dense(std::vector<float>(3, 0.5F), 5).error().kind, Kind::bad_request);
  EXPECT_FALSE((*index)->dense(std::vector<float>(kDimensions, std::nanf("")), 5));
  EXPECT_EQ(Index::open(*store_, CollectionId{99}).error().kind, Kind::bad_request);
}

}  // namespace
}  // namespace loam::index
