#include "eval/significance.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <numeric>
#include <utility>

#include "eval/resample.h"
#include "reader/text.h"

namespace loam::eval {
namespace {

Error not_comparable(std::string message, std::string next_step) {
  return Error{Kind::bad_request, "paired comparison", std::move(message), std::move(next_step)};
}

Result<void> check(std::span<const double> a, std::span<const double> b,
                   std::span<const std::string> cluster_of) {
  if (a.size() != b.size()) {
    return not_comparable(std::to_string(a.size()) + " scores stand against " + std::to_string(b.size()),
                          "score both on the same items");
  }
  if (a.empty()) return not_comparable("there are no scores", "score both on at least one item");
  if (!cluster_of.empty() && cluster_of.size() != a.size()) {
    return not_comparable(std::to_string(a.size()) + " scores come with " +
                              std::to_string(cluster_of.size()) + " cluster names",
                          "give each item its cluster, or none of them");
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i]) || !std::isfinite(b[i])) {
      return not_comparable("score " + std::to_string(i + 1) + " is not a finite number",
                            "leave out items without a score on both sides");
    }
  }
  return done();
}

bool is_binary(std::span<const double> scores) {
  return std::all_of(scores.begin(), scores.end(), [](double score) { return score == 0 || score == 1; });
}

bool is_share(std::span<const double> scores) {
  return std::all_of(scores.begin(), scores.end(), [](double score) { return score >= 0 && score <= 1; });
}

/// Items that stand alone are units of one; the others are summed by cluster, in order of first appearance.
std::vector<PairedUnit> units_of(std::span<const double> a, std::span<const double> b,
                                 std::span<const std::string> cluster_of) {
  std::vector<PairedUnit> units;
  std::map<std::string_view, std::size_t> unit_of;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (cluster_of.empty() || cluster_of[i].empty()) {
      units.push_back({a[i], b[i], 1});
      continue;
    }
    const auto [found, is_new] = unit_of.try_emplace(cluster_of[i], units.size());
    if (is_new) {
      units.push_back({a[i], b[i], 1});
    } else {
      PairedUnit& unit = units[found->second];
      unit.a += a[i];
      unit.b += b[i];
      unit.items += 1;
    }
  }
  return units;
}

/// The standard error of the mean difference when whole units are drawn (Cochran, Sampling Techniques, 3rd
/// ed., section 9A.2; for units of one item the usual deviation / sqrt(n)).
double standard_error(std::span<const PairedUnit> units, double mean, double items) {
  if (units.size() < 2) return 0;
  double squares = 0;
  double size = 0;
  for (const PairedUnit& unit : units) {
    const double off = (unit.b - unit.a) - mean * unit.items;
    squares += off * off;
    size += std::abs(unit.b - unit.a);
  }
  const auto count = static_cast<double>(units.size());
  const double error = std::sqrt(squares * count / (count - 1)) / items;
  return error * items <= 1e-12 * size ? 0 : error;  // equal differences, but for rounding
}

/// Which share of the resampled means lies inside the interval, so that it is as wide as t wants it.
double expanded(double confidence, std::size_t units) {
  if (units < 2) return confidence;
  const auto count = static_cast<double>(units);
  const double t = student_quantile(1 - (1 - confidence) / 2, count - 1);
  return 1 - 2 * normal_cdf(-std::sqrt(count / (count - 1)) * t);
}

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::string decimals(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

/// At least one figure that is not zero, at most four decimals.
std::string points(double value) {
  for (int digits = 1; digits < 4; ++digits) {
    if (std::abs(value) >= 0.5 * std::pow(10.0, -digits) || value == 0) {
      const std::string text = decimals(value, digits);
      return text == "-0.0" ? "0.0" : text;
    }
  }
  return decimals(value, 4);
}

std::string shown_p(double p) {
  if (p < 0.001) return "p < 0.001";
  std::string text = decimals(p, 3);
  while (text.ends_with('0') && !text.ends_with(".0")) text.pop_back();
  return "p = " + text;
}

std::string counted(std::size_t count, std::string_view what) {
  return reader::with_thousands(count) + " " + std::string(what) + (count == 1 ? "" : "s");
}

}  // namespace

Result<PairedResult> compare_paired(std::span<const double> a, std::span<const double> b,
                                    std::span<const std::string> cluster_of, const CompareOptions& options) {
  if (Result<void> checked = check(a, b, cluster_of); !checked) return checked.error();
  PairedResult result;
  result.n = a.size();
  result.level = options.level;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (b[i] > a[i]) ++result.better;
    if (b[i] < a[i]) ++result.worse;
    if (b[i] == a[i]) ++result.equal;
  }
  const std::vector<PairedUnit> units = units_of(a, b, cluster_of);
  const bool clustered = units.size() < a.size();
  if (clustered) result.clusters = units.size();

  std::vector<double> differences;
  differences.reserve(units.size());
  for (const PairedUnit& unit : units) differences.push_back(unit.b - unit.a);
  const auto items = static_cast<double>(a.size());
  const double mean = std::accumulate(differences.begin(), differences.end(), 0.0) / items;

  if (!clustered && is_binary(a) && is_binary(b)) {
    result.test = "exact McNemar";
    result.p = mcnemar_exact_p(result.worse, result.better);
  } else {
    result.test = clustered ? "paired randomisation by cluster" : "paired randomisation";
    result.p = sign_flip_p(differences, options.bootstrap.resamples, options.bootstrap.seed);
  }

  ResampledMeans drawn = resample_pairs(units, options.bootstrap.resamples, options.bootstrap.seed);
  const double confidence = expanded(std::clamp(options.bootstrap.confidence, 0.0, 1.0), units.size());
  result.a = percentile_interval(mean_of(a), a.size(), drawn.a, confidence);
  result.b = percentile_interval(mean_of(b), a.size(), drawn.b, confidence);
  result.difference = percentile_interval(mean, a.size(), drawn.difference, confidence);

  result.point = is_share(a) && is_share(b) ? 0.01 : 1.0;
  // As if items stood alone with the deviation that gives this error: more items then mean more clusters.
  const double deviation = standard_error(units, mean, items) * std::sqrt(items);
  result.minimum_detectable = minimum_detectable_effect(deviation, a.size(), options.level, options.power);
  result.items_for_one_point = items_needed(deviation, result.point, options.level, options.power);
  return result;
}

double mcnemar_exact_p(std::size_t b, std::size_t c) {
  if (b == c) return 1;
  const std::size_t fewer = std::min(b, c);
  const std::size_t more = std::max(b, c);
  // P(X <= fewer) of a binomial with 1/2 is I_{1/2}(n - fewer, fewer + 1).
  const double tail = beta_cdf(0.5, static_cast<double>(more), static_cast<double>(fewer) + 1);
  return std::min(1.0, 2 * tail);
}

std::vector<double> holm(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return p[i] < p[j]; });
  std::vector<double> adjusted(p.size());
  double largest = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const auto left = static_cast<double>(p.size() - rank);
    largest = std::max(largest, std::min(1.0, left * p[order[rank]]));
    adjusted[order[rank]] = largest;
  }
  return adjusted;
}

double minimum_detectable_effect(double deviation, std::size_t n, double level, double power) {
  if (n == 0) return 0;
  return (normal_quantile(1 - level / 2) + normal_quantile(power)) * deviation /
         std::sqrt(static_cast<double>(n));
}

std::size_t items_needed(double deviation, double effect, double level, double power) {
  if (!(deviation > 0) || effect == 0 || !std::isfinite(effect)) return 0;
  const double root = (normal_quantile(1 - level / 2) + normal_quantile(power)) * deviation / effect;
  const double items = std::ceil(root * root);
  if (!std::isfinite(items) || items >= 1e18) return 0;
  return static_cast<std::size_t>(items);
}

std::string verdict_sentence(const PairedResult& result, std::string_view name_a, std::string_view name_b,
                             bool higher_is_better) {
  const std::string items = counted(result.n, "item");
  const std::string groups = result.clusters > 0 ? " in " + counted(result.clusters, "group") : std::string();
  const double point = result.point > 0 ? result.point : 1;
  if (result.p < result.level && result.difference.value != 0) {
    const bool b_wins = (result.difference.value > 0) == higher_is_better;
    const bool rises = result.difference.value > 0;
    const double low = (rises ? result.difference.low : -result.difference.high) / point;
    const double high = (rises ? result.difference.high : -result.difference.low) / point;
    return std::string(b_wins ? name_b : name_a) + " is better by " +
           points(std::abs(result.difference.value) / point) + " points, between " + points(low) + " and " +
           points(high) + ", " + shown_p(result.p);
  }
  if (result.equal == result.n) {
    return std::string(name_a) + " and " + std::string(name_b) + " scored the same on " +
           (result.n == 1 ? "the one item" : "all " + items);
  }
  std::string sentence = "no difference that " + items + groups + " could show";
  if (result.items_for_one_point > result.n) {
    sentence += "; " + reader::with_thousands(result.items_for_one_point) + " would be needed for one point";
  } else if (result.minimum_detectable > 0) {
    sentence += "; one of " + points(result.minimum_detectable / point) + " points would have been found";
  }
  return sentence;
}

}  // namespace loam::eval
