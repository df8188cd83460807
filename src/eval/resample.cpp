#include "eval/resample.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace loam::eval {
namespace {

// A sum that ties with the observed one must count as equal although rounding parts them; sums that truly
// differ do so by far more.
constexpr double kTieShare = 1e-12;

// Sums of up to eight differences under each of their 256 choices of signs, so that a draw adds one number
// for eight differences.
constexpr std::size_t kBlock = 8;
using SignedSums = std::array<double, 256>;

SignedSums signed_sums(std::span<const double> block) {
  SignedSums sums{};
  for (std::size_t signs = 0; signs < sums.size(); ++signs) {
    double sum = 0;
    for (std::size_t i = 0; i < block.size(); ++i) sum += (signs >> i) % 2 == 0 ? block[i] : -block[i];
    sums[signs] = sum;
  }
  return sums;
}

double exact_sign_flip_p(std::span<const double> differences, double bound) {
  const std::size_t choices = std::size_t{1} << differences.size();
  std::size_t extreme = 0;
  for (std::size_t signs = 0; signs < choices; ++signs) {
    double sum = 0;
    for (std::size_t i = 0; i < differences.size(); ++i) {
      sum += (signs >> i) % 2 == 0 ? differences[i] : -differences[i];
    }
    if (std::abs(sum) >= bound) ++extreme;
  }
  return static_cast<double>(extreme) / static_cast<double>(choices);
}

}  // namespace

ResampledMeans resample_pairs(std::span<const PairedUnit> units, int resamples, std::uint64_t seed) {
  ResampledMeans means;
  if (units.empty() || resamples <= 0) return means;
  const auto count = static_cast<std::size_t>(resamples);
  for (std::vector<double>* list : {&means.a, &means.b, &means.difference}) list->reserve(count);
  const bool alone =
      std::all_of(units.begin(), units.end(), [](const PairedUnit& u) { return u.items == 1; });
  // Items that stand alone need no count, and two numbers an item stay closer to the processor than three.
  struct Pair {
    double a = 0, b = 0;
  };
  std::vector<Pair> pairs;
  if (alone) {
    pairs.reserve(units.size());
    for (const PairedUnit& unit : units) pairs.push_back({unit.a, unit.b});
  }
  for (std::size_t resample = 0; resample < count; ++resample) {
    double a = 0;
    double b = 0;
    double items = 0;
    if (alone) {
      for_each_drawn(seed, resample, pairs.size(), [&](std::size_t i) {
        a += pairs[i].a;
        b += pairs[i].b;
      });
      items = static_cast<double>(pairs.size());
    } else {
      for_each_drawn(seed, resample, units.size(), [&](std::size_t i) {
        a += units[i].a;
        b += units[i].b;
        items += units[i].items;
      });
    }
    means.a.push_back(a / items);
    means.b.push_back(b / items);
    means.difference.push_back((b - a) / items);
  }
  return means;
}

double sign_flip_p(std::span<const double> differences, int resamples, std::uint64_t seed) {
  std::vector<double> moving;  // zeros have no sign
  double sum = 0;
  double size = 0;
  for (const double difference : differences) {
    if (difference == 0) continue;
    moving.push_back(difference);
    sum += difference;
    size += std::abs(difference);
  }
  if (moving.empty()) return 1;
  const double bound = std::abs(sum) - kTieShare * size;
  const std::size_t draws = resamples > 0 ? static_cast<std::size_t>(resamples) : 0;
  if (moving.size() < 32 && (std::size_t{1} << moving.size()) <= draws)
    return exact_sign_flip_p(moving, bound);

  std::vector<SignedSums> blocks;
  for (std::size_t start = 0; start < moving.size(); start += kBlock) {
    const std::size_t length = std::min(kBlock, moving.size() - start);
    blocks.push_back(signed_sums(std::span(moving).subspan(start, length)));
  }
  std::size_t extreme = 0;
  for (std::size_t draw = 0; draw < draws; ++draw) {
    RandomStream random(seed, draw);
    double drawn = 0;
    std::uint64_t bits = 0;
    for (std::size_t block = 0; block < blocks.size(); ++block) {
      if (block % 8 == 0) bits = random.next();
      drawn += blocks[block][bits & 0xFFU];
      bits >>= 8U;
    }
    if (std::abs(drawn) >= bound) ++extreme;
  }
  return (static_cast<double>(extreme) + 1) / (static_cast<double>(draws) + 1);
}

double quantile_of_sorted(std::span<const double> sorted, double share) {
  if (sorted.empty()) return 0.0;
  const double place = std::clamp(share, 0.0, 1.0) * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  const double part = place - static_cast<double>(below);
  return sorted[below] + part * (sorted[above] - sorted[below]);
}

Estimate percentile_interval(double value, std::size_t n, std::vector<double>& resampled, double confidence) {
  Estimate estimate{value, value, value, n};
  if (resampled.empty()) return estimate;
  std::sort(resampled.begin(), resampled.end());
  const double tail = (1.0 - std::clamp(confidence, 0.0, 1.0)) / 2.0;
  estimate.low = quantile_of_sorted(resampled, tail);
  estimate.high = quantile_of_sorted(resampled, 1.0 - tail);
  return estimate;
}

}  // namespace loam::eval
