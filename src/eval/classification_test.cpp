#include "eval/classification.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"
#include "eval/resample.h"
#include "eval/significance.h"
#include "eval/test_reference.h"

namespace loam::eval {
namespace {

std::vector<Prediction> predictions_of(const Json& set) {
  std::vector<Prediction> predictions;
  for (std::size_t i = 0; i < set.at("truth").size(); ++i) {
    predictions.push_back({set.at("truth").at(i).get<int>(), set.at("said").at(i).get<int>(),
                           set.at("confidence").at(i).get<double>()});
  }
  return predictions;
}

TEST(Classification, scores_equal_scikit_learns) {  // proves P-EVAL-03
  const Json sets = reference("classification").at("sets");
  ASSERT_EQ(sets.size(), 3u);
  for (const Json& set : sets) {
    const std::vector<Prediction> predictions = predictions_of(set);
    const int classes = set.at("classes").get<int>();
    EXPECT_NEAR(accuracy(predictions), set.at("accuracy").get<double>(), 1e-12);
    EXPECT_NEAR(macro_f1(predictions, classes), set.at("macro_f1").get<double>(), 1e-12);
    EXPECT_EQ(confusion(predictions, classes), set.at("confusion").get<std::vector<std::size_t>>());
    EXPECT_NEAR(expected_calibration_error(predictions), set.at("ece").get<double>(), 1e-12);
    EXPECT_NEAR(aurc(predictions), set.at("aurc").get<double>(), 1e-12);
    EXPECT_NEAR(log_loss(set.at("probability_of_truth").get<std::vector<double>>()),
                set.at("log_loss").get<double>(), 1e-12);
    const std::vector<ClassScore> scores = class_scores(predictions, classes);
    for (std::size_t i = 0; i < scores.size(); ++i) {
      EXPECT_NEAR(scores[i].precision, set.at("precision").at(i).get<double>(), 1e-12);
      EXPECT_NEAR(scores[i].recall, set.at("recall").at(i).get<double>(), 1e-12);
      EXPECT_NEAR(scores[i].f1, set.at("f1").at(i).get<double>(), 1e-12);
      EXPECT_EQ(scores[i].items, set.at("items").at(i).get<std::size_t>());
    }
  }
}

TEST(Classification, nothing_scores_zero_and_nothing_breaks) {
  EXPECT_EQ(accuracy({}), 0.0);
  EXPECT_EQ(macro_f1({}, 3), 0.0);
  EXPECT_EQ(macro_f1({}, -3), 0.0);
  EXPECT_EQ(expected_calibration_error({}), 0.0);
  EXPECT_EQ(aurc({}), 0.0);
  EXPECT_TRUE(risk_coverage({}).empty());
  EXPECT_EQ(log_loss({}), 0.0);
  EXPECT_EQ(macro_f1_estimate({}, 3).n, 0u);
}

TEST(Classification, an_answer_that_is_no_class_is_wrong_and_in_no_column) {
  const std::vector<Prediction> predictions{{0, 0, 0.9}, {1, -1, NAN}, {1, 1, 0.8}, {0, 99, 2.0}};
  EXPECT_DOUBLE_EQ(accuracy(predictions), 0.5);
  EXPECT_NEAR(macro_f1(predictions, 2), 2.0 / 3.0, 1e-12);
  EXPECT_EQ(confusion(predictions, 2), (std::vector<std::size_t>{1, 0, 0, 1}));
  EXPECT_EQ(risk_coverage(predictions).size(), 4u);
  EXPECT_GE(expected_calibration_error(predictions), 0.0);
}

TEST(Classification, intervals_hold_the_value) {
  std::vector<Prediction> predictions;
  RandomStream random(4, 0);
  for (int i = 0; i < 300; ++i) predictions.push_back({i % 4, random.uniform() < 0.8 ? i % 4 : 0, 0.5});
  const Estimate f1 = macro_f1_estimate(predictions, 4, {.resamples = 2000});
  EXPECT_DOUBLE_EQ(f1.value, macro_f1(predictions, 4));
  EXPECT_LT(f1.low, f1.value);
  EXPECT_GT(f1.high, f1.value);
  EXPECT_NEAR(f1.high - f1.low, 0.09, 0.03);  // about 4 standard errors of a share of 0.8 in 300
  const Estimate share = accuracy_estimate(predictions);
  EXPECT_LT(share.low, share.value);
  EXPECT_EQ(share.n, 300u);
}

TEST(RiskCoverage, goes_from_the_most_confident_down_and_ties_enter_together) {
  const std::vector<Prediction> predictions{{0, 0, 0.9}, {0, 1, 0.5}, {0, 0, 0.5}, {0, 1, 0.2}};
  const std::vector<RiskPoint> curve = risk_coverage(predictions);
  ASSERT_EQ(curve.size(), 3u);
  EXPECT_DOUBLE_EQ(curve[0].coverage, 0.25);
  EXPECT_DOUBLE_EQ(curve[0].error, 0.0);
  EXPECT_DOUBLE_EQ(curve[1].threshold, 0.5);
  EXPECT_DOUBLE_EQ(curve[1].coverage, 0.75);
  EXPECT_DOUBLE_EQ(curve[1].error, 1.0 / 3.0);
  EXPECT_DOUBLE_EQ(curve[2].coverage, 1.0);
  EXPECT_DOUBLE_EQ(curve[2].error, 0.5);
}

// How a classifier's confidence and its being right hang together.
enum class Calibration { good, overconfident, underconfident, uninformative, upside_down };

std::vector<Prediction> drawn(Calibration calibration, std::size_t n, RandomStream& random) {
  std::vector<Prediction> predictions;
  for (std::size_t i = 0; i < n; ++i) {
    // Most items are easy: the chance of being right is 1 - u^2 / 2, from 0.5 to 1.
    const double u = random.uniform();
    double chance = 1 - u * u / 2;
    double confidence = chance;
    if (calibration == Calibration::overconfident) confidence = std::pow(chance, 0.2);
    if (calibration == Calibration::underconfident) confidence = chance * chance * chance;
    if (calibration == Calibration::uninformative) {  // just below a target of 0.95, whatever it says
      chance = 0.945;
      confidence = random.uniform();
    }
    if (calibration == Calibration::upside_down) confidence = 1.5 - chance;
    predictions.push_back({1, random.uniform() < chance ? 1 : 0, confidence});
  }
  return predictions;
}

/// Whether so many right ones speak against the target: below it by more than chance explains at 95%.
bool breaks(const Automation& result) {
  const auto right =
      static_cast<std::size_t>(std::lround(result.accuracy * static_cast<double>(result.decided)));
  const double high = 1 - clopper_pearson_low(result.decided - right, result.decided, 0.95);
  return result.decided > 0 && high < result.target;
}

TEST(Automate, keeps_its_target_over_random_splits_however_confidences_mislead) {  // proves P-EVAL-07
  for (const Calibration calibration :
       {Calibration::good, Calibration::overconfident, Calibration::underconfident,
        Calibration::uninformative, Calibration::upside_down}) {
    for (const double target : {0.9, 0.95}) {
      RandomStream random(99, static_cast<std::uint64_t>(calibration));
      std::vector<Prediction> pool = drawn(calibration, 3000, random);
      int broken = 0;
      double coverage = 0;
      for (int split = 0; split < 100; ++split) {
        for (std::size_t i = pool.size(); i > 1; --i) std::swap(pool[i - 1], pool[random.below(i)]);
        const std::span<const Prediction> all(pool);
        const Automation result = automate(all.first(1500), all.subspan(1500), target);
        if (breaks(result)) ++broken;
        coverage += result.coverage / 100;
        EXPECT_EQ(result.n, 1500u);
      }
      EXPECT_LE(broken, 5) << static_cast<int>(calibration) << " at " << target;
      if (calibration == Calibration::good || calibration == Calibration::overconfident) {
        EXPECT_GT(coverage, 0.3) << "a guarantee that decides nothing helps no one";
      }
    }
  }
}

TEST(Automate, the_true_accuracy_behind_the_threshold_reaches_the_target_in_95_of_100_fresh_samples) {
  // proves P-EVAL-07. Here the truth is known: the threshold is judged by the chances, not by another sample.
  RandomStream random(7, 0);
  int wrong = 0;
  for (int sample = 0; sample < 400; ++sample) {
    const std::vector<Prediction> fit = drawn(Calibration::uninformative, 800, random);
    const Automation result = automate(fit, fit, 0.95);
    if (result.threshold <= 1) ++wrong;  // every item is right with 0.945 only: nothing may be decided
  }
  EXPECT_LE(wrong, 28);  // 20 of 400 are allowed; 2 standard deviations are 9 more
}

TEST(Automate, finds_most_of_what_a_good_classifier_could_decide) {
  // The chance is 1 - u^2 / 2, so that the mean accuracy of the first x of all is 1 - x^2 / 6: 0.95 at 0.548.
  RandomStream random(8, 0);
  const std::vector<Prediction> fit = drawn(Calibration::good, 5000, random);
  const std::vector<Prediction> verify = drawn(Calibration::good, 5000, random);
  const Automation result = automate(fit, verify, 0.95);
  EXPECT_GT(result.coverage, 0.40);
  EXPECT_LT(result.coverage, 0.60);
  EXPECT_GT(result.accuracy, 0.94);
  EXPECT_EQ(result.decided, static_cast<std::size_t>(std::lround(result.coverage * 5000)));
  EXPECT_NEAR(result.low,
              clopper_pearson_low(static_cast<std::size_t>(
                                      std::lround(result.accuracy * static_cast<double>(result.decided))),
                                  result.decided, 0.95),
              1e-12);
}

TEST(Automate, decides_everything_when_all_are_right) {
  const std::vector<Prediction> right(200, Prediction{1, 1, 0.7});
  const Automation result = automate(right, right, 0.95);
  EXPECT_DOUBLE_EQ(result.coverage, 1.0);
  EXPECT_DOUBLE_EQ(result.threshold, 0.7);
  EXPECT_TRUE(result.met);
}

TEST(Automate, decides_nothing_where_too_little_is_known) {
  const std::vector<Prediction> few(50, Prediction{1, 1, 0.99});
  EXPECT_GT(automate(few, few, 0.95).threshold, 1.0);
  EXPECT_GT(automate({}, few, 0.95).threshold, 1.0);
  const std::vector<Prediction> many(5000, Prediction{1, 1, 0.99});
  EXPECT_GT(automate(many, many, 1.0).threshold, 1.0);
  const std::vector<Prediction> wrong(5000, Prediction{1, 0, 0.99});
  const Automation nothing = automate(wrong, wrong, 0.9);
  EXPECT_GT(nothing.threshold, 1.0);
  EXPECT_EQ(nothing.decided, 0u);
  EXPECT_FALSE(nothing.met);
  const Automation unverified = automate(many, {}, 0.95);
  EXPECT_LT(unverified.threshold, 1.0);
  EXPECT_FALSE(unverified.met);
}

}  // namespace
}  // namespace loam::eval
