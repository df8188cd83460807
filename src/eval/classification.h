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
  int said = 0;           ///< index of the class it chose
  double confidence = 0;  ///< 0..1: its probability of `said`
};

double accuracy(std::span<const Prediction> predictions);
/// Mean of the F1 of each class that occurs in truth or predictions (scikit-learn's macro average over the
/// union of labels). 0 for no predictions.
double macro_f1(std::span<const Prediction> predictions, int classes);
/// (classes, classes) row-major: row truth, column said.
std::vector<std::size_t> confusion(std::span<const Prediction> predictions, int classes);
/// Expected calibration error over `bins` bins of equal width (Guo et al., ICML 2017).
double expected_calibration_error(std::span<const Prediction> predictions, int bins = 15);

/// One point of the risk-coverage curve: the most confident share of items, and the error among them.
struct RiskPoint {
  double threshold = 0;  ///< items of at least this confidence are decided
  double coverage = 0;
  double error = 0;
};
/// From the most confident item down; items of equal confidence enter together. Empty for no predictions.
std::vector<RiskPoint> risk_coverage(std::span<const Prediction> predictions);
/// Area under the risk-coverage curve (Geifman & El-Yaniv, NeurIPS 2017): mean error over all coverages;
/// lower is better.
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

/// The threshold is the lowest whose one-sided Clopper-Pearson bound of accuracy on `fit_part`, at
/// `confidence`, reaches the target (fixed-sequence testing from the most confident down, so that the choice
/// keeps its guarantee: Angelopoulos et al., "Learn then Test", 2021); coverage and accuracy are those of
/// `verify_part`, which chose nothing.
Automation automate(std::span<const Prediction> fit_part, std::span<const Prediction> verify_part,
                    double target, double confidence = 0.95);

}  // namespace loam::eval
