#include "baseline/textrank.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <numeric>
#include <set>
#include <string>

#include "baseline/words.h"

namespace loam::baseline {
namespace {

std::set<std::string> content_of(std::string_view sentence) {
  std::set<std::string> stems;
  for (const Word& word : words_of(sentence)) {
    if (!word.stop) stems.insert(word.stem);
  }
  return stems;
}

/// The paper's formulas with the whole matrix, for comparison.
std::vector<double> plain(const std::vector<std::string_view>& sentences, int steps) {
  const std::size_t n = sentences.size();
  std::vector<std::set<std::string>> stems;
  for (const std::string_view sentence : sentences) stems.push_back(content_of(sentence));
  std::vector<std::vector<double>> weight(n, std::vector<double>(n, 0));
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      if (i == j || stems[i].size() < 2 || stems[j].size() < 2) continue;
      double shared = 0;
      for (const std::string& stem : stems[i]) shared += stems[j].contains(stem) ? 1 : 0;
      weight[i][j] = shared / (std::log(static_cast<double>(stems[i].size())) +
                               std::log(static_cast<double>(stems[j].size())));
    }
  }
  std::vector<double> scores(n, 1);
  for (int step = 0; step < steps; ++step) {
    std::vector<double> next(n, 0.15);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        const double out = std::accumulate(weight[j].begin(), weight[j].end(), 0.0);
        if (out > 0) next[i] += 0.85 * weight[j][i] / out * scores[j];
      }
    }
    scores = next;
  }
  return scores;
}

const std::vector<std::string_view> kText = {
    "The bakery opens at six in the morning.",
    "Fresh bread leaves the bakery oven at seven.",
    "Customers of the bakery buy bread and rolls.",
    "A cat sleeps on the roof.",
    "Rolls and bread are sold out before noon, customers say.",
    "Yes.",
};

TEST(TextRank, equals_the_papers_formulas_on_the_whole_matrix) {
  // proves P-BASE-20
  const std::vector<double> fast = textrank(kText, {.tolerance = 1e-12, .max_iterations = 500});
  const std::vector<double> slow = plain(kText, 500);
  ASSERT_EQ(fast.size(), slow.size());
  for (std::size_t i = 0; i < fast.size(); ++i) EXPECT_NEAR(fast[i], slow[i], 1e-6) << kText[i];
}

TEST(TextRank, a_sentence_that_shares_words_with_many_wins) {
  const std::vector<double> scores = textrank(kText);
  const std::vector<std::size_t> best = best_sentences(kText, scores, 1);
  ASSERT_EQ(best.size(), 1U);
  EXPECT_EQ(best.front(), 2U);
}

TEST(TextRank, what_shares_no_word_keeps_the_least_score) {
  const std::vector<double> scores = textrank(kText);
  EXPECT_NEAR(scores[3], 0.15, 1e-9);
  EXPECT_NEAR(scores[5], 0.15, 1e-9);
}

TEST(TextRank, the_choice_stands_in_the_order_of_the_text_and_says_nothing_twice) {
  const std::vector<std::string_view> text = {
      "Bread is sold in the bakery shop.", "Bread is sold in the bakery shop!",
      "The bakery shop sells rolls.", "Rolls and bread from the bakery are fresh."};
  const std::vector<std::size_t> best = best_sentences(text, textrank(text), 3);
  ASSERT_EQ(best.size(), 3U);
  EXPECT_TRUE(std::is_sorted(best.begin(), best.end()));
  EXPECT_FALSE(best[0] == 0 && best[1] == 1);
}

TEST(TextRank, nothing_gives_nothing) {
  EXPECT_TRUE(textrank({}).empty());
  EXPECT_TRUE(best_sentences({}, {}, 3).empty());
}

TEST(TextRank, long_texts_cost_time_in_proportion_to_their_words) {
  // 20,000 sentences would be 200 million pairs; the bound is generous for a busy machine.
  std::vector<std::string> texts;
  for (int i = 0; i < 20000; ++i) {
    texts.push_back("word" + std::to_string(i % 997) + " meets word" + std::to_string(i % 89) +
                    " and bread " + std::string(static_cast<std::size_t>(i % 7), 'x') + " today in bakery" +
                    std::to_string(i % 13) + ".");
  }
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  const auto start = std::chrono::steady_clock::now();
  const std::vector<double> scores = textrank(views);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  EXPECT_EQ(scores.size(), views.size());
  EXPECT_LT(seconds, 20);
}

}  // namespace
}  // namespace loam::baseline
