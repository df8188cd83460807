#include "eval/classification.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "eval/resample.h"
#include "eval/significance.h"

namespace loam::eval {
namespace {

bool is_right(const Prediction& one) { return one.said == one.truth; }

std::size_t right_ones(std::span<const Prediction> predictions) {
  return static_cast<std::size_t>(std::count_if(predictions.begin(), predictions.end(), is_right));
}

double share(std::size_t part, std::size_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

/// What F1 needs of each class; whatever lies outside the classes belongs to none of them.
class ClassCounts {
 public:
  explicit ClassCounts(int classes) : counts_(static_cast<std::size_t>(std::max(classes, 0))) {}

  void clear() { std::fill(counts_.begin(), counts_.end(), Counts{}); }
  void add(const Prediction& one) {
    if (Counts* truth = find(one.truth)) {
      ++truth->truth;
      if (is_right(one)) ++truth->right;
    }
    if (Counts* said = find(one.said)) ++said->said;
  }
  ClassScore score(std::size_t i) const {
    const Counts& c = counts_[i];
    return {share(c.right, c.said), share(c.right, c.truth), f1(c), c.truth};
  }
  double macro_f1() const {
    double sum = 0;
    std::size_t seen = 0;
    for (const Counts& c : counts_) {
      if (c.truth + c.said == 0) continue;
      ++seen;
      sum += f1(c);
    }
    return seen == 0 ? 0.0 : sum / static_cast<double>(seen);
  }
  std::size_t size() const { return counts_.size(); }

 private:
  struct Counts {
    std::size_t truth = 0, said = 0, right = 0;
  };
  static double f1(const Counts& c) { return share(2 * c.right, c.truth + c.said); }
  Counts* find(int index) {
    const auto i = static_cast<std::size_t>(index);
    return index >= 0 && i < counts_.size() ? &counts_[i] : nullptr;
  }
  std::vector<Counts> counts_;
};

/// Confidence for sorting: what is not a number is trusted least.
double trust(const Prediction& one) { return std::isnan(one.confidence) ? -1.0 : one.confidence; }

/// Items from the most to the least confident, equal ones in one group.
struct TrustGroup {
  double threshold = 0;
  std::size_t items = 0, wrong = 0;                ///< of this group
  std::size_t items_so_far = 0, wrong_so_far = 0;  ///< of this and all before
};

std::vector<TrustGroup> trust_groups(std::span<const Prediction> predictions) {
  std::vector<Prediction> sorted(predictions.begin(), predictions.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Prediction& x, const Prediction& y) { return trust(x) > trust(y); });
  std::vector<TrustGroup> groups;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const double confidence = trust(sorted[i]);
    if (groups.empty() || groups.back().threshold != confidence) {
      const TrustGroup before = groups.empty() ? TrustGroup{} : groups.back();
      groups.push_back({confidence, 0, 0, before.items_so_far, before.wrong_so_far});
    }
    TrustGroup& group = groups.back();
    const std::size_t wrong = is_right(sorted[i]) ? 0 : 1;
    ++group.items;
    ++group.items_so_far;
    group.wrong += wrong;
    group.wrong_so_far += wrong;
  }
  return groups;
}

/// How likely so few are wrong if the accuracy were only `target`.
double p_of_shortfall(std::size_t right, std::size_t n, double target) {
  if (right == 0) return 1;
  return beta_cdf(target, static_cast<double>(right), static_cast<double>(n - right) + 1);
}

/// The fewest items that, all right, show the target at this level.
std::size_t fewest_items(double level, double target) {
  const double items = std::ceil(std::log(level) / std::log(target) - 1e-9);
  return items < 1 ? 1 : static_cast<std::size_t>(std::min(items, 1e15));
}

/// Ranks at which a sequence of tests may begin: chosen from the size of the part alone, so that labels have
/// no say in it. The first leaves room for an error or two, each next has three times as many items.
std::vector<std::size_t> starting_ranks(std::size_t n, double level, double target) {
  std::size_t first = 2 * fewest_items(level, target);
  if (first >= n) first = fewest_items(level / 2, target);
  std::vector<std::size_t> ranks;
  for (std::size_t rank = first; rank < n; rank *= 3) ranks.push_back(rank);
  ranks.push_back(n);
  return ranks;
}

/// The lowest threshold that is shown, or above 1 when none is.
double lowest_shown_threshold(std::span<const Prediction> fit_part, double target, double level) {
  constexpr double kNothing = 2;
  constexpr std::size_t kMostSteps = 200;  // finer steps only give chance more chances
  const std::size_t n = fit_part.size();
  if (n == 0 || !(target < 1) || !(level > 0)) return kNothing;
  const std::vector<TrustGroup> groups = trust_groups(fit_part);
  if (target <= 0) return groups.back().threshold;

  const std::vector<std::size_t> starts = starting_ranks(n, level, target);
  const double own_level = level / static_cast<double>(starts.size());
  const std::size_t step = std::max<std::size_t>(1, n / kMostSteps);
  double threshold = kNothing;
  double carried = 0;
  std::size_t next_rank = starts.front();
  std::size_t next_start = 0;
  for (const TrustGroup& group : groups) {
    if (group.items_so_far < next_rank &&
        (next_start >= starts.size() || group.items_so_far < starts[next_start]))
      continue;
    double available = carried;
    for (; next_start < starts.size() && starts[next_start] <= group.items_so_far; ++next_start)
      available += own_level;
    const double p = p_of_shortfall(group.items_so_far - group.wrong_so_far, group.items_so_far, target);
    const bool shown = available > 0 && p <= available;
    carried = shown ? available : 0;
    if (shown) threshold = group.threshold;
    next_rank = group.items_so_far + step;
  }
  return threshold;
}

}  // namespace

double accuracy(std::span<const Prediction> predictions) {
  return share(right_ones(predictions), predictions.size());
}

Estimate accuracy_estimate(std::span<const Prediction> predictions, double confidence) {
  return clopper_pearson(right_ones(predictions), predictions.size(), confidence);
}

double macro_f1(std::span<const Prediction> predictions, int classes) {
  ClassCounts counts(classes);
  for (const Prediction& one : predictions) counts.add(one);
  return counts.macro_f1();
}

Estimate macro_f1_estimate(std::span<const Prediction> predictions, int classes,
                           const BootstrapOptions& options) {
  if (predictions.empty()) return {};
  std::vector<double> resampled;
  ClassCounts counts(classes);
  for (int resample = 0; resample < options.resamples; ++resample) {
    counts.clear();
    for_each_drawn(options.seed, static_cast<std::uint64_t>(resample), predictions.size(),
                   [&](std::size_t i) { counts.add(predictions[i]); });
    resampled.push_back(counts.macro_f1());
  }
  return percentile_interval(macro_f1(predictions, classes), predictions.size(), resampled,
                             options.confidence);
}

std::vector<ClassScore> class_scores(std::span<const Prediction> predictions, int classes) {
  ClassCounts counts(classes);
  for (const Prediction& one : predictions) counts.add(one);
  std::vector<ClassScore> scores;
  for (std::size_t i = 0; i < counts.size(); ++i) scores.push_back(counts.score(i));
  return scores;
}

std::vector<std::size_t> confusion(std::span<const Prediction> predictions, int classes) {
  const auto width = static_cast<std::size_t>(std::max(classes, 0));
  std::vector<std::size_t> table(width * width);
  for (const Prediction& one : predictions) {
    if (one.truth < 0 || one.truth >= classes || one.said < 0 || one.said >= classes) continue;
    ++table[static_cast<std::size_t>(one.truth) * width + static_cast<std::size_t>(one.said)];
  }
  return table;
}

double expected_calibration_error(std::span<const Prediction> predictions, int bins) {
  if (predictions.empty() || bins < 1) return 0;
  struct Bin {
    double confidence = 0, right = 0;
  };
  std::vector<Bin> found(static_cast<std::size_t>(bins));
  for (const Prediction& one : predictions) {
    const double confidence = std::isnan(one.confidence) ? 0 : std::clamp(one.confidence, 0.0, 1.0);
    const double place = std::ceil(confidence * bins) - 1;
    Bin& bin = found[static_cast<std::size_t>(std::clamp(place, 0.0, static_cast<double>(bins - 1)))];
    bin.confidence += confidence;
    if (is_right(one)) bin.right += 1;
  }
  double sum = 0;  // a bin's gap weighs as many items as it has, so its count cancels out
  for (const Bin& bin : found) sum += std::abs(bin.right - bin.confidence);
  return sum / static_cast<double>(predictions.size());
}

double log_loss(std::span<const double> probability_of_truth) {
  if (probability_of_truth.empty()) return 0;
  double sum = 0;
  for (const double probability : probability_of_truth) {
    sum -= std::log(std::clamp(probability, std::numeric_limits<double>::epsilon(),
                               1 - std::numeric_limits<double>::epsilon()));
  }
  return sum / static_cast<double>(probability_of_truth.size());
}

std::vector<RiskPoint> risk_coverage(std::span<const Prediction> predictions) {
  std::vector<RiskPoint> curve;
  for (const TrustGroup& group : trust_groups(predictions)) {
    curve.push_back({group.threshold, share(group.items_so_far, predictions.size()),
                     share(group.wrong_so_far, group.items_so_far)});
  }
  return curve;
}

double aurc(std::span<const Prediction> predictions) {
  if (predictions.empty()) return 0;
  double sum = 0;
  for (const TrustGroup& group : trust_groups(predictions)) {
    const double rate = share(group.wrong, group.items);
    const std::size_t items_before = group.items_so_far - group.items;
    const auto wrong_before = static_cast<double>(group.wrong_so_far - group.wrong);
    for (std::size_t i = 1; i <= group.items; ++i) {
      sum += (wrong_before + rate * static_cast<double>(i)) / static_cast<double>(items_before + i);
    }
  }
  return sum / static_cast<double>(predictions.size());
}

Automation automate(std::span<const Prediction> fit_part, std::span<const Prediction> verify_part,
                    double target, double confidence) {
  Automation result;
  result.target = target;
  result.threshold = lowest_shown_threshold(fit_part, target, 1 - std::clamp(confidence, 0.0, 1.0));
  result.n = verify_part.size();
  std::size_t right = 0;
  for (const Prediction& one : verify_part) {
    if (trust(one) < result.threshold) continue;
    ++result.decided;
    if (is_right(one)) ++right;
  }
  result.coverage = share(result.decided, result.n);
  result.accuracy = share(right, result.decided);
  result.low = clopper_pearson_low(right, result.decided, confidence);
  result.met = result.decided > 0 && result.low >= target;
  return result;
}

}  // namespace loam::eval
