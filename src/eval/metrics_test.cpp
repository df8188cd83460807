#include "eval/metrics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace loam::eval {
namespace {

using Ranking = std::vector<std::string>;

TEST(Ranking, a_perfect_order_has_ndcg_one) {
  const Judgements judged{{"a", 2}, {"b", 1}};
  EXPECT_DOUBLE_EQ(ndcg_at_k(Ranking{"a", "b", "c"}, judged, 10), 1.0);
}

TEST(Ranking, ndcg_of_a_known_order_is_the_hand_computed_one) {  // proves P-EVAL-01
  // Gains 0, 2, 1 at ranks 1..3: 2/log2(3) + 1/log2(4) = 1.26186 + 0.5; ideal 2/log2(2) + 1/log2(3)
  // = 2.63093.
  const Judgements judged{{"a", 2}, {"b", 1}};
  EXPECT_NEAR(ndcg_at_k(Ranking{"x", "a", "b"}, judged, 10), 1.76186 / 2.63093, 1e-5);
}

TEST(Ranking, ndcg_sees_only_the_first_k) {
  const Judgements judged{{"a", 1}};
  EXPECT_DOUBLE_EQ(ndcg_at_k(Ranking{"x", "y", "a"}, judged, 2), 0.0);
  EXPECT_DOUBLE_EQ(ndcg_at_k(Ranking{"x", "y", "a"}, judged, 3), 0.5);  // 1/log2(4)
}

TEST(Ranking, the_ideal_of_ndcg_holds_at_most_k_documents) {
  const Judgements judged{{"a", 1}, {"b", 1}, {"c", 1}};
  EXPECT_DOUBLE_EQ(ndcg_at_k(Ranking{"a", "b"}, judged, 2), 1.0);
}

TEST(Ranking, a_repeated_document_counts_once_and_takes_one_place) {
  const Judgements judged{{"a", 1}, {"b", 1}};
  EXPECT_DOUBLE_EQ(ndcg_at_k(Ranking{"a", "a", "b"}, judged, 2), 1.0);
  EXPECT_DOUBLE_EQ(recall_at_k(Ranking{"a", "a"}, judged, 2), 0.5);
  EXPECT_DOUBLE_EQ(recall_at_k(Ranking{"a", "a", "a", "b"}, judged, 2), 1.0);
}

TEST(Ranking, nothing_relevant_scores_zero_everywhere) {
  const Judgements judged{{"a", 0}};
  EXPECT_DOUBLE_EQ(ndcg_at_k(Ranking{"a"}, judged, 10), 0.0);
  EXPECT_DOUBLE_EQ(recall_at_k(Ranking{"a"}, judged, 10), 0.0);
  EXPECT_DOUBLE_EQ(reciprocal_rank(Ranking{"a"}, judged), 0.0);
  EXPECT_DOUBLE_EQ(ndcg_at_k(Ranking{}, {}, 10), 0.0);
}

TEST(Ranking, recall_is_the_share_of_the_relevant_ones) {
  const Judgements judged{{"a", 1}, {"b", 1}, {"c", 2}, {"d", 0}};
  EXPECT_NEAR(recall_at_k(Ranking{"d", "a", "x", "c"}, judged, 3), 1.0 / 3.0, 1e-12);
  EXPECT_NEAR(recall_at_k(Ranking{"d", "a", "x", "c"}, judged, 4), 2.0 / 3.0, 1e-12);
}

TEST(Ranking, mrr_is_the_mean_of_one_over_the_first_relevant_rank) {
  const std::vector<Ranking> rankings{{"x", "a"}, {"a"}, {"x"}};
  const std::vector<Judgements> judged{{{"a", 1}}, {{"a", 1}}, {{"a", 1}}};
  EXPECT_DOUBLE_EQ(mrr(rankings, judged), (0.5 + 1.0 + 0.0) / 3.0);
  EXPECT_DOUBLE_EQ(mrr({}, {}), 0.0);
}

TEST(Answers, normalisation_drops_case_punctuation_and_articles) {
  EXPECT_EQ(normalise_answer("The  Denver Broncos!"), "denver broncos");
  EXPECT_EQ(normalise_answer("an apple, a pear and the plum"), "apple pear and plum");
  EXPECT_EQ(normalise_answer("U.S.A."), "usa");
  EXPECT_EQ(normalise_answer("Theodore's theatre"), "theodores theatre");
  EXPECT_EQ(normalise_answer("  the  "), "");
}

TEST(Answers, articles_are_whole_words_after_punctuation_is_gone) {
  // "a." and "(the)" become articles, "a-b" becomes the word "ab".
  EXPECT_EQ(normalise_answer("vitamin a."), "vitamin");
  EXPECT_EQ(normalise_answer("(the) end"), "end");
  EXPECT_EQ(normalise_answer("a-b"), "ab");
}

TEST(Answers, only_ascii_punctuation_is_dropped) {
  EXPECT_EQ(normalise_answer("1914\xE2\x80\x93"
                             "1918"),
            "1914\xE2\x80\x93"
            "1918");                                                      // en dash stays
  EXPECT_EQ(normalise_answer("\xC3\x89t\xC3\xA9"), "\xC3\xA9t\xC3\xA9");  // Ete with accents, lowered
  EXPECT_EQ(normalise_answer("5\xC2\xA0km"), "5 km");                     // no-break space is white
}

TEST(Answers, exact_match_takes_any_accepted_answer) {
  const std::vector<std::string> accepted{"Santa Clara", "the Levi's Stadium"};
  EXPECT_DOUBLE_EQ(exact_match("levis stadium", accepted), 1.0);
  EXPECT_DOUBLE_EQ(exact_match("Stadium", accepted), 0.0);
  EXPECT_DOUBLE_EQ(exact_match("", {}), 0.0);
}

TEST(Answers, token_f1_is_the_hand_computed_one) {  // proves P-EVAL-01
  // "broncos of denver" against "denver broncos": 2 common, precision 2/3, recall 1: 0.8.
  EXPECT_NEAR(token_f1("Broncos of Denver", std::vector<std::string>{"Denver Broncos"}), 0.8, 1e-12);
  // Repeated words count as often as both have them: 1 common of 2 and 1 of 1.
  EXPECT_NEAR(token_f1("ten ten", std::vector<std::string>{"ten"}), 2.0 * 0.5 / 1.5, 1e-12);
}

TEST(Answers, token_f1_takes_the_best_accepted_answer) {
  EXPECT_DOUBLE_EQ(token_f1("blue", std::vector<std::string>{"red", "blue", "blue whale"}), 1.0);
  EXPECT_DOUBLE_EQ(token_f1("blue", std::vector<std::string>{"red"}), 0.0);
}

TEST(Answers, two_empty_answers_agree_and_one_does_not) {
  EXPECT_DOUBLE_EQ(token_f1("the", std::vector<std::string>{""}), 1.0);
  EXPECT_DOUBLE_EQ(token_f1("", std::vector<std::string>{"blue"}), 0.0);
}

TEST(Bootstrap, the_value_is_the_mean_and_lies_in_its_interval) {
  const std::vector<double> values{0, 1, 1, 0, 1, 1, 1, 0, 1, 1};
  const Estimate estimate = bootstrap_mean(values);
  EXPECT_DOUBLE_EQ(estimate.value, 0.7);
  EXPECT_EQ(estimate.n, 10u);
  EXPECT_LT(estimate.low, 0.7);
  EXPECT_GT(estimate.high, 0.7);
  // The binomial's 2.5% and 97.5% points at n = 10, p = 0.7 are 4 and 10 (P(X <= 9) is 0.972).
  EXPECT_DOUBLE_EQ(estimate.low, 0.4);
  EXPECT_DOUBLE_EQ(estimate.high, 1.0);
}

TEST(Bootstrap, the_width_is_that_of_the_normal_approximation_for_many_values) {
  std::vector<double> values;
  for (int i = 0; i < 1000; ++i) values.push_back(i % 2);
  const Estimate estimate = bootstrap_mean(values);
  const double half_width = 1.96 * std::sqrt(0.25 / 1000.0);
  EXPECT_NEAR(estimate.high - estimate.low, 2.0 * half_width, 0.003);
}

TEST(Bootstrap, the_same_seed_gives_the_same_interval_and_another_seed_another) {  // proves P-EVAL-02
  std::vector<double> values;
  for (int i = 0; i < 97; ++i) values.push_back(std::sqrt(static_cast<double>(i * 7919 % 97)));
  const Estimate one = bootstrap_mean(values, {.resamples = 500, .seed = 7});
  const Estimate same = bootstrap_mean(values, {.resamples = 500, .seed = 7});
  const Estimate other = bootstrap_mean(values, {.resamples = 500, .seed = 8});
  EXPECT_DOUBLE_EQ(one.low, same.low);
  EXPECT_DOUBLE_EQ(one.high, same.high);
  EXPECT_NE(one.low, other.low);
}

TEST(Bootstrap, no_values_and_one_value_have_no_width) {
  EXPECT_EQ(bootstrap_mean({}).n, 0u);
  const Estimate one = bootstrap_mean(std::vector<double>{0.25});
  EXPECT_DOUBLE_EQ(one.low, 0.25);
  EXPECT_DOUBLE_EQ(one.high, 0.25);
}

TEST(Bootstrap, values_that_hang_together_widen_the_interval) {
  // 20 groups of 50 equal values are 20 observations, not 1,000.
  std::vector<double> values;
  std::vector<std::size_t> group_of;
  for (std::size_t i = 0; i < 1000; ++i) {
    group_of.push_back(i / 50);
    values.push_back((i / 50) % 2 == 0 ? 1.0 : 0.0);
  }
  const Estimate flat = bootstrap_mean(values);
  const auto grouped = bootstrap_mean_by_group(values, group_of);
  ASSERT_TRUE(grouped);
  EXPECT_DOUBLE_EQ(grouped->value, flat.value);
  EXPECT_GT(grouped->high - grouped->low, 5.0 * (flat.high - flat.low));
}

TEST(Bootstrap, group_numbers_must_match_the_values) {
  const auto result = bootstrap_mean_by_group(std::vector<double>{1, 2}, std::vector<std::size_t>{0});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::bad_request);
}

TEST(PairedBootstrap, a_steady_small_gain_is_found_although_the_questions_differ_widely) {
  std::vector<double> a;
  std::vector<double> b;
  for (int i = 0; i < 200; ++i) {
    const double hard = static_cast<double>(i % 10) / 10.0;
    b.push_back(hard);
    a.push_back(hard + (i % 3 == 0 ? 0.03 : 0.0));
  }
  const auto result = paired_bootstrap(a, b);
  ASSERT_TRUE(result);
  EXPECT_GT(result->difference.low, 0.0);
  EXPECT_LT(result->p, 0.001);
  EXPECT_GT(result->p, 0.0);
  EXPECT_EQ(result->better, 67u);
  EXPECT_EQ(result->worse, 0u);
  EXPECT_EQ(result->equal, 133u);
}

TEST(PairedBootstrap, swapping_the_sides_turns_the_sign) {
  const std::vector<double> a{1, 0, 1, 1};
  const std::vector<double> b{0, 0, 1, 0};
  const auto one = paired_bootstrap(a, b);
  const auto other = paired_bootstrap(b, a);
  ASSERT_TRUE(one);
  ASSERT_TRUE(other);
  EXPECT_DOUBLE_EQ(one->difference.value, 0.5);
  EXPECT_DOUBLE_EQ(other->difference.value, -0.5);
  EXPECT_DOUBLE_EQ(one->p, other->p);
}

TEST(PairedBootstrap, equal_scores_show_no_difference) {
  const std::vector<double> a{0.5, 0.1, 0.9};
  const auto result = paired_bootstrap(a, a);
  ASSERT_TRUE(result);
  EXPECT_DOUBLE_EQ(result->difference.low, 0.0);
  EXPECT_DOUBLE_EQ(result->difference.high, 0.0);
  EXPECT_DOUBLE_EQ(result->p, 1.0);
}

TEST(PairedBootstrap, lists_of_different_length_are_refused) {
  const auto result = paired_bootstrap(std::vector<double>{1}, std::vector<double>{1, 2});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::bad_request);
}

}  // namespace
}  // namespace loam::eval
