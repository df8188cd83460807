// How good is a classifier, how far can its probabilities be trusted, and how much may it decide alone?
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "eval/metrics.h"

namespace loam::eval {

/// What a classifier said of one item.
struct Prediction {
  int truth = 0;          ///< index of the right class
  int said = 0;           ///< index of the class it chose; below 0: none of them
  double confidence = 0;  ///< 0..1: its probability of `said`
};

/// Share of right ones. 0 for no predictions.
double accuracy(std::span<const Prediction> predictions);
/// The same with its exact interval (Clopper-Pearson).
Estimate accuracy_estimate(std::span<const Prediction> predictions, double confidence = 0.95);
/// Mean of the F1 of each class that occurs in truth or predictions (scikit-learn's macro average over the
/// union of labels). 0 for no predictions.
double macro_f1(std::span<const Prediction> predictions, int classes);
/// The same with its percentile bootstrap interval over items.
Estimate macro_f1_estimate(std::span<const Prediction> predictions, int classes,
                           const BootstrapOptions& options = {});

/// One class: 0 where a denominator is 0, as scikit-learn's zero_division=0.
struct ClassScore {
  double precision = 0, recall = 0, f1 = 0;
  std::size_t items = 0;  ///< whose truth it is
};
std::vector<ClassScore> class_scores(std::span<const Prediction> predictions, int classes);
/// (classes, classes) row-major: row truth, column said. Predictions outside 0..classes-1 are not in it.
std::vector<std::size_t> confusion(std::span<const Prediction> predictions, int classes);
/// Expected calibration error over `bins` bins of equal width (Guo et al., ICML 2017).
/// Bins are open below and closed above; the first holds 0. 0 for no predictions.
double expected_calibration_error(std::span<const Prediction> predictions, int bins = 15);
/// Mean of -ln(probability of the right class); probabilities are held away from 0 by 2^-52, as scikit-learn
/// does for doubles. 0 for none.
double log_loss(std::span<const double> probability_of_truth);

/// One point of the risk-coverage curve: the most confident share of items, and the error among them.
struct RiskPoint {
  double threshold = 0;  ///< items of at least this confidence are decided
  double coverage = 0;
  double error = 0;
};
/// From the most confident item down; items of equal confidence enter together. Empty for no predictions.
std::vector<RiskPoint> risk_coverage(std::span<const Prediction> predictions);
/// Area under the risk-coverage curve (Geifman & El-Yaniv, NeurIPS 2017): mean error over all coverages 1/n,
/// 2/n, ... 1; lower is better. Among items of equal confidence it is the mean over their orders. 0 for none.
double aurc(std::span<const Prediction> predictions);

/// Which share may be decided alone at a target accuracy, and how sure that is.
struct Automation {
  double target = 0.95;
  double threshold = 2;  ///< confidence from which an item is decided alone; above 1: nothing is
  double coverage = 0;   ///< share of the verification part decided alone
  double accuracy = 0;   ///< of that share, on the verification part
  double low = 0;        ///< lower bound of that accuracy (Clopper-Pearson, one-sided at `confidence`)
  std::size_t decided = 0, n = 0;
  bool met = false;  ///< low >= target on the verification part
};

/// The threshold is the lowest for which a one-sided exact binomial test on `fit_part` (the one behind
/// Clopper-Pearson's bound) shows the target. Thresholds are tried from the most confident down, and a few of
/// them, fixed before by their rank alone, share 1 - confidence and hand theirs on with each success ("Learn
/// then Test", Angelopoulos et al., 2021, by the fallback procedure of Wiens & Dmitrienko, J. Biopharm. Stat.
/// 15, 2005): with probability `confidence` the accuracy behind the threshold truly is at least the target,
/// however the confidences mislead. About 120 items are the least that can show 0.95. Coverage and accuracy
/// are those of `verify_part`, which chose nothing. A target of 1 or above is never shown.
Automation automate(std::span<const Prediction> fit_part, std::span<const Prediction> verify_part,
                    double target, double confidence = 0.95);

}  // namespace loam::eval
