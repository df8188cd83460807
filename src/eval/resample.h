// Drawing again from what was measured. Internal to the room. Every draw has a stream of random numbers of
// its own that depends on the seed and the number of the draw alone, so that results are the same on every
// machine, in any order and over any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "eval/metrics.h"

namespace loam::eval {

/// SplitMix64 (Steele, Lea & Flood, OOPSLA 2014). The standard fixes neither the seeding nor the
/// distributions that we would need of its own generators.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::uint64_t stream) : state_(mix(mix(seed) + stream)) {}
  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15ULL;
    return mix(state_);
  }
  /// Below n, which must be at most 2^32; the bias of multiply-and-shift is below n / 2^32.
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(((next() >> 32U) * n) >> 32U); }
  /// In [0, 1), of 53 bits.
  double uniform() { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }

 private:
  static std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31U);
  }
  std::uint64_t state_;
};

/// Visits n indexes below n, drawn with replacement: resample number `resample`. Two indexes a random number.
template <typename Visit>
void for_each_drawn(std::uint64_t seed, std::uint64_t resample, std::size_t n, const Visit& visit) {
  RandomStream random(seed, resample);
  const std::uint64_t count = n;
  for (std::size_t i = 0; i + 1 < n; i += 2) {
    const std::uint64_t bits = random.next();
    visit(static_cast<std::size_t>(((bits >> 32U) * count) >> 32U));
    visit(static_cast<std::size_t>(((bits & 0xFFFFFFFFULL) * count) >> 32U));
  }
  if (n % 2 == 1) visit(random.below(n));
}

/// What is drawn as one: an item, or all items of a cluster.
struct PairedUnit {
  double a = 0, b = 0;  ///< sums of the scores
  double items = 1;
};

struct ResampledMeans {
  std::vector<double> a, b, difference;  ///< one per resample; difference is b - a
};

/// Bootstrap of both means and their difference over the same draws.
ResampledMeans resample_pairs(std::span<const PairedUnit> units, int resamples, std::uint64_t seed);

/// Two-sided p of "the signs of these differences are chance" (Fisher's randomisation test; Noreen, Computer
/// Intensive Methods for Testing Hypotheses, 1989): how often random signs give a sum at least as far from 0.
/// Every combination of signs is tried when there are at most `resamples` of them, else that many are drawn
/// and the observed one counts with them. 1 when nothing differs.
double sign_flip_p(std::span<const double> differences, int resamples, std::uint64_t seed);

/// The quantile of sorted values, linear between neighbours.
double quantile_of_sorted(std::span<const double> sorted, double share);

/// The value with the percentile interval of its resampled values, which are sorted in place.
Estimate percentile_interval(double value, std::size_t n, std::vector<double>& resampled, double confidence);

}  // namespace loam::eval
