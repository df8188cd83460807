#include "eval/significance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"
#include "eval/resample.h"
#include "eval/test_reference.h"

namespace loam::eval {
namespace {
using testing::HasSubstr;
using Numbers = std::vector<double>;

TEST(Significance, paired_tests_and_intervals_agree_with_scipys) {  // proves P-EVAL-04
  const Json pairs = reference("significance").at("pairs");
  ASSERT_GE(pairs.size(), 5u);
  for (const Json& one : pairs) {
    const auto name = one.at("name").get<std::string>();
    const auto clusters = one.at("clusters").get<std::vector<std::string>>();
    CompareOptions options;
    options.bootstrap.resamples = 40'000;
    const auto found =
        compare_paired(one.at("a").get<Numbers>(), one.at("b").get<Numbers>(), clusters, options);
    ASSERT_TRUE(found) << name;
    EXPECT_NEAR(found->difference.value, one.at("difference").get<double>(), 1e-12) << name;
    EXPECT_NEAR(found->a.value, one.at("mean_a").get<double>(), 1e-12) << name;
    EXPECT_NEAR(found->b.value, one.at("mean_b").get<double>(), 1e-12) << name;
    EXPECT_NEAR(found->minimum_detectable, one.at("minimum_detectable").get<double>(),
                1e-5 * one.at("minimum_detectable").get<double>())
        << name;
    // Few signs are tried all and give p exactly; else four standard errors of the share of draws, ours and
    // theirs.
    const auto p = one.at("p").get<double>();
    const double p_error = one.at("exact").get<bool>() && one.at("a").size() <= 15
                               ? 1e-12
                               : 4 * std::sqrt(p * (1 - p) * (1.0 / 40'000 + 1.0 / 200'000)) + 2.0 / 40'000;
    EXPECT_NEAR(found->p, p, p_error) << name;
    // The error of a percentile of resampled means at 2.5% is about 2.7 standard errors / sqrt(resamples); at
    // the 0.24% that six documents ask for it is 6.
    const double spread = one.at("name") == "six documents" ? 6 : 2.9;
    const auto expect_interval = [&](const Estimate& ours, const Json& theirs) {
      // Means of ten scores with one decimal lie on a grid of 0.01.
      const double grid = one.at("a").size() == 10 ? 0.0101 : 0;
      const double error =
          grid + 4 * spread * theirs.at(2).get<double>() * std::sqrt(1.0 / 40'000 + 1.0 / 200'000);
      EXPECT_NEAR(ours.low, theirs.at(0).get<double>(), error) << name;
      EXPECT_NEAR(ours.high, theirs.at(1).get<double>(), error) << name;
    };
    expect_interval(found->a, one.at("interval_a"));
    expect_interval(found->b, one.at("interval_b"));
    expect_interval(found->difference, one.at("interval_difference"));
  }
}

TEST(Significance, exact_mcnemar_equals_statsmodels) {  // proves P-EVAL-04
  const Json cases = reference("significance");
  for (const Json& one : cases.at("mcnemar")) {
    const double p = one.at(2).get<double>();
    EXPECT_NEAR(mcnemar_exact_p(one.at(0).get<std::size_t>(), one.at(1).get<std::size_t>()), p, 1e-9 * p)
        << one.dump();
  }
}

TEST(Significance, holm_equals_statsmodels) {  // proves P-EVAL-04
  const Json cases = reference("significance");
  for (const Json& one : cases.at("holm")) {
    const Numbers ours = holm(one.at(0).get<Numbers>());
    const auto theirs = one.at(1).get<Numbers>();
    ASSERT_EQ(ours.size(), theirs.size());
    for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_NEAR(ours[i], theirs[i], 1e-12) << one.dump();
  }
}

TEST(Significance, quantiles_and_exact_intervals_equal_scipys) {  // proves P-EVAL-04
  const Json part = reference("significance");
  for (const Json& one : part.at("normal_quantile")) {
    const double z = one.at(1).get<double>();
    EXPECT_NEAR(normal_quantile(one.at(0).get<double>()), z, 1e-13 * (1 + std::abs(z))) << one.dump();
  }
  for (const Json& one : part.at("student_quantile")) {
    const double t = one.at(2).get<double>();
    EXPECT_NEAR(student_quantile(one.at(0).get<double>(), one.at(1).get<double>()), t,
                1e-9 * (1 + std::abs(t)))
        << one.dump();
  }
  for (const Json& one : part.at("beta_quantile")) {
    const double x = one.at(3).get<double>();
    EXPECT_NEAR(beta_quantile(one.at(0).get<double>(), one.at(1).get<double>(), one.at(2).get<double>()), x,
                1e-9 * x)
        << one.dump();
  }
  for (const Json& one : part.at("clopper_pearson")) {
    const Estimate ours =
        clopper_pearson(one.at(0).get<std::size_t>(), one.at(1).get<std::size_t>(), one.at(2).get<double>());
    EXPECT_NEAR(ours.low, one.at(3).get<double>(), 1e-10) << one.dump();
    EXPECT_NEAR(ours.high, one.at(4).get<double>(), 1e-10) << one.dump();
    const double one_sided = clopper_pearson_low(one.at(0).get<std::size_t>(), one.at(1).get<std::size_t>(),
                                                 1 - (1 - one.at(2).get<double>()) / 2);
    EXPECT_NEAR(one_sided, ours.low, 1e-10);
  }
}

TEST(Significance, power_equals_statsmodels) {  // proves P-EVAL-04
  const Json part = reference("significance");
  for (const Json& one : part.at("minimum_detectable")) {
    const double effect = one.at(4).get<double>();
    EXPECT_NEAR(minimum_detectable_effect(one.at(0).get<double>(), one.at(1).get<std::size_t>(),
                                          one.at(2).get<double>(), one.at(3).get<double>()),
                effect, 1e-4 * effect)  // statsmodels solves to about 3e-5
        << one.dump();
  }
  for (const Json& one : part.at("items_needed")) {
    const double items = one.at(2).get<double>();
    EXPECT_NEAR(static_cast<double>(items_needed(one.at(0).get<double>(), one.at(1).get<double>())), items,
                1 + 1e-5 * items)
        << one.dump();
  }
  EXPECT_EQ(items_needed(0, 0.01), 0u);
  EXPECT_EQ(items_needed(0.5, 0), 0u);
  EXPECT_EQ(minimum_detectable_effect(0.5, 0), 0.0);
}

TEST(Significance, shares_at_the_ends_have_bounds_at_the_ends) {
  EXPECT_EQ(clopper_pearson(0, 20).low, 0.0);
  EXPECT_EQ(clopper_pearson(20, 20).high, 1.0);
  EXPECT_EQ(clopper_pearson(0, 0).high, 1.0);
  EXPECT_NEAR(clopper_pearson_low(59, 59, 0.95), std::pow(0.05, 1.0 / 59.0), 1e-12);  // by hand: p^59 = 0.05
  EXPECT_TRUE(std::isnan(normal_quantile(1.5)));
  EXPECT_TRUE(std::isnan(beta_quantile(0.5, -1, 1)));
}

TEST(ComparePaired, takes_mcnemar_for_right_and_wrong_of_items_that_stand_alone) {
  Numbers a(20, 1.0);
  Numbers b(20, 1.0);
  for (std::size_t i = 0; i < 9; ++i) (i == 0 ? b : a)[i] = 0;
  const auto found = compare_paired(a, b);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->test, "exact McNemar");
  EXPECT_DOUBLE_EQ(found->p, mcnemar_exact_p(1, 8));
  EXPECT_EQ(found->better, 8u);
  EXPECT_EQ(found->worse, 1u);
  EXPECT_EQ(found->equal, 11u);
  EXPECT_NEAR(found->difference.value, 7.0 / 20, 1e-15);
}

TEST(ComparePaired, clusters_that_hold_one_item_each_are_no_clusters) {
  const Numbers a{0, 1, 1, 0, 1};
  const Numbers b{1, 1, 1, 0, 1};
  const std::vector<std::string> alone{"a", "b", "c", "", ""};
  const auto found = compare_paired(a, b, alone);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->clusters, 0u);
  EXPECT_EQ(found->test, "exact McNemar");
  const auto together = compare_paired(a, b, std::vector<std::string>{"a", "a", "c", "", ""});
  ASSERT_TRUE(together);
  EXPECT_EQ(together->clusters, 4u);
  EXPECT_EQ(together->test, "paired randomisation by cluster");
}

TEST(ComparePaired, items_of_one_document_count_as_one_observation) {  // proves P-EVAL-05
  // 8 documents of 50 equal items each: as 400 lone items the difference would be beyond doubt.
  Numbers a;
  Numbers b;
  std::vector<std::string> document;
  for (std::size_t i = 0; i < 400; ++i) {
    a.push_back(0);
    b.push_back(i / 50 < 6 ? 1 : -1);
    document.push_back("d" + std::to_string(i / 50));
  }
  const auto alone = compare_paired(a, b);
  const auto clustered = compare_paired(a, b, document);
  ASSERT_TRUE(alone && clustered);
  EXPECT_LT(alone->p, 0.001);
  EXPECT_DOUBLE_EQ(clustered->p, 74.0 / 256.0);  // 2 * (1 + 8 + 28) of 2^8 signs
  EXPECT_LT(clustered->difference.low, 0.01);
  EXPECT_GT(clustered->minimum_detectable, 3 * alone->minimum_detectable);
}

TEST(ComparePaired, the_same_input_gives_the_same_result_and_swapping_turns_the_sign) {  // proves P-EVAL-02
  Numbers a;
  Numbers b;
  RandomStream random(3, 0);
  for (int i = 0; i < 60; ++i) {
    a.push_back(random.uniform());
    b.push_back(random.uniform());
  }
  const auto one = compare_paired(a, b);
  const auto again = compare_paired(a, b);
  const auto swapped = compare_paired(b, a);
  ASSERT_TRUE(one && again && swapped);
  EXPECT_EQ(one->p, again->p);
  EXPECT_EQ(one->difference.low, again->difference.low);
  EXPECT_DOUBLE_EQ(one->p, swapped->p);
  EXPECT_NEAR(one->difference.low, -swapped->difference.high, 1e-12);
  // Frozen: any machine, compiler and optimisation must give these.
  EXPECT_EQ(RandomStream(1, 2).next(), 7315055658720408282ULL);
}

TEST(ComparePaired, nothing_to_compare_is_refused) {
  const Numbers one{1};
  const Numbers two{1, 2};
  EXPECT_EQ(compare_paired(one, two).error().kind, Kind::bad_request);
  EXPECT_EQ(compare_paired({}, {}).error().kind, Kind::bad_request);
  EXPECT_EQ(compare_paired(two, two, std::vector<std::string>{"a"}).error().kind, Kind::bad_request);
  EXPECT_THAT(compare_paired(two, Numbers{1, NAN}).error().message, HasSubstr("score 2"));
}

TEST(ComparePaired, one_item_and_equal_scores_show_nothing) {
  const auto single = compare_paired(Numbers{0.2}, Numbers{0.7});
  ASSERT_TRUE(single);
  EXPECT_DOUBLE_EQ(single->p, 1.0);
  EXPECT_EQ(single->items_for_one_point, 0u);
  const Numbers same{0.1, 0.7, 0.3};
  const auto equal = compare_paired(same, same);
  ASSERT_TRUE(equal);
  EXPECT_DOUBLE_EQ(equal->p, 1.0);
  EXPECT_DOUBLE_EQ(equal->difference.high, 0.0);
  EXPECT_EQ(equal->minimum_detectable, 0.0);
}

TEST(ComparePaired, no_resamples_give_no_width_and_no_verdict) {
  CompareOptions options;
  options.bootstrap.resamples = 0;
  Numbers a(50, 0.5);
  Numbers b(50, 0.7);
  const auto found = compare_paired(a, b, {}, options);
  ASSERT_TRUE(found);
  EXPECT_DOUBLE_EQ(found->p, 1.0);
  EXPECT_DOUBLE_EQ(found->difference.low, found->difference.high);
}

// Two runs of one configuration that differ by the noise of their seeds only.
struct Twins {
  Numbers a, b;
  std::vector<std::string> document;
};
enum class Scores { right_or_wrong, graded, graded_by_document };

Twins twins(Scores kind, std::uint64_t number, std::size_t n) {
  RandomStream random(2026, number);
  Twins made;
  double ease = 0;
  double luck_a = 0;
  double luck_b = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (kind != Scores::graded_by_document || i % 10 == 0) {
      ease = random.uniform();
      luck_a = random.uniform();
      luck_b = random.uniform();
    }
    if (kind == Scores::right_or_wrong) {
      made.a.push_back(random.uniform() < ease ? 1 : 0);
      made.b.push_back(random.uniform() < ease ? 1 : 0);
    } else {
      const double shared = kind == Scores::graded_by_document ? 1 : 0;  // luck strikes whole documents
      made.a.push_back(ease + shared * luck_a + random.uniform());
      made.b.push_back(ease + shared * luck_b + random.uniform());
    }
    if (kind == Scores::graded_by_document) made.document.push_back("d" + std::to_string(i / 10));
  }
  return made;
}

TEST(ComparePaired, identical_configurations_are_called_different_no_more_often_than_the_level) {
  // proves P-EVAL-06. 200 comparisons at 5%: 10 are expected, 3 standard deviations are 9 more.
  for (const Scores kind : {Scores::right_or_wrong, Scores::graded, Scores::graded_by_document}) {
    int called = 0;
    for (std::uint64_t i = 0; i < 200; ++i) {
      const Twins made = twins(kind, i, 150);
      CompareOptions options;
      options.bootstrap.resamples = 1000;
      options.bootstrap.seed = i;
      const auto found = compare_paired(made.a, made.b, made.document, options);
      ASSERT_TRUE(found);
      if (found->p < 0.05) ++called;
    }
    EXPECT_LE(called, 19) << static_cast<int>(kind);
  }
}

TEST(ComparePaired, treating_the_items_of_a_document_as_alone_would_cry_wolf) {
  int called = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    const Twins made = twins(Scores::graded_by_document, i, 150);
    CompareOptions options;
    options.bootstrap.resamples = 500;
    const auto found = compare_paired(made.a, made.b, {}, options);
    ASSERT_TRUE(found);
    if (found->p < 0.05) ++called;
  }
  EXPECT_GT(called, 20);  // which is why clusters are asked for
}

TEST(Verdict, says_who_is_better_by_how_much) {
  PairedResult result;
  result.n = 300;
  result.p = 0.01;
  result.difference = {0.018, 0.004, 0.031, 300};
  EXPECT_EQ(verdict_sentence(result, "A", "B"), "B is better by 1.8 points, between 0.4 and 3.1, p = 0.01");
  EXPECT_EQ(verdict_sentence(result, "A", "B", false),
            "A is better by 1.8 points, between 0.4 and 3.1, p = 0.01");
  result.difference = {-0.018, -0.031, -0.004, 300};
  EXPECT_EQ(verdict_sentence(result, "A", "B"), "A is better by 1.8 points, between 0.4 and 3.1, p = 0.01");
  result.p = 1e-7;
  result.point = 1;
  result.difference = {12.34, 10, 15, 300};
  EXPECT_EQ(verdict_sentence(result, "A", "B"),
            "B is better by 12.3 points, between 10.0 and 15.0, p < 0.001");
}

TEST(Verdict, says_what_so_many_items_could_have_shown) {
  PairedResult result;
  result.n = 300;
  result.p = 0.3;
  result.difference = {0.005, -0.01, 0.02, 300};
  result.items_for_one_point = 3900;
  result.minimum_detectable = 0.036;
  EXPECT_EQ(verdict_sentence(result, "A", "B"),
            "no difference that 300 items could show; 3,900 would be needed for one point");
  result.clusters = 12;
  EXPECT_THAT(verdict_sentence(result, "A", "B"), HasSubstr("300 items in 12 groups"));
  result.items_for_one_point = 200;
  result.minimum_detectable = 0.008;
  EXPECT_THAT(verdict_sentence(result, "A", "B"), HasSubstr("one of 0.8 points would have been found"));
  result.equal = 300;
  EXPECT_EQ(verdict_sentence(result, "A", "B"), "A and B scored the same on all 300 items");
}

}  // namespace
}  // namespace loam::eval
