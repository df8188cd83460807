#include "baseline/lbfgs.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace loam::baseline {
namespace {

// Sums are made block by block and then over the blocks in order, whoever did which block.
constexpr std::size_t kBlock = 1U << 15U;

class Vectors {
 public:
  Vectors(Team& workers, std::size_t size)
      : workers_(workers), size_(size), blocks_((size + kBlock - 1) / kBlock), partial_(blocks_) {}

  template <typename Body>
  void each_block(const Body& body) {
    workers_.run(blocks_, [&](std::size_t block) {
      const std::size_t begin = block * kBlock;
      body(block, begin, std::min(size_, begin + kBlock));
    });
  }

  template <typename A, typename B>
  double dot(const std::vector<A>& a, const std::vector<B>& b) {
    each_block([&](std::size_t block, std::size_t begin, std::size_t end) {
      double sum = 0.0;
      for (std::size_t i = begin; i < end; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
      partial_[block] = sum;
    });
    double sum = 0.0;
    for (const double part : partial_) sum += part;
    return sum;
  }

  double largest(const std::vector<double>& a) {
    double result = 0.0;
    for (const double value : a) result = std::max(result, std::abs(value));
    return result;
  }

  /// y += factor * x
  template <typename X>
  void add(std::vector<double>& y, double factor, const std::vector<X>& x) {
    each_block([&](std::size_t, std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) y[i] += factor * static_cast<double>(x[i]);
    });
  }

 private:
  Team& workers_;
  std::size_t size_;
  std::size_t blocks_;
  std::vector<double> partial_;
};

/// One remembered step. Kept in float: it only shapes the direction, the line search decides.
struct Pair {
  std::vector<float> step, change;
  double inverse = 0;  ///< 1 / (step . change)
};

}  // namespace

LbfgsResult minimise(const Objective& objective, std::vector<double>& at, const LbfgsOptions& options,
                     Team& workers, const std::function<bool(int, double)>& told) {
  constexpr double kDecrease = 1e-4;       // Armijo's condition
  constexpr double kCurvature = 0.9;       // Wolfe's
  constexpr double kValueRounding = 1e-7;  // the objective sums floats
  constexpr int kMostTries = 40;
  const std::size_t size = at.size();
  Vectors vectors(workers, size);
  LbfgsResult result;
  std::vector<double> gradient(size), next(size), next_gradient(size), direction(size);
  std::vector<Pair> pairs;  // oldest first
  result.value = objective(at, gradient);
  double scale = 1.0;
  for (;;) {
    const double largest = vectors.largest(gradient);
    if (largest <= options.tolerance) {
      result.converged = true;
      break;
    }
    if (result.iterations >= options.max_iterations || !std::isfinite(result.value)) break;
    if (told && !told(result.iterations, largest)) break;

    // The two loops of algorithm 7.4.
    for (std::size_t i = 0; i < size; ++i) direction[i] = -gradient[i];
    std::vector<double> alpha(pairs.size());
    for (std::size_t p = pairs.size(); p-- > 0;) {
      alpha[p] = pairs[p].inverse * vectors.dot(pairs[p].step, direction);
      vectors.add(direction, -alpha[p], pairs[p].change);
    }
    if (!pairs.empty()) {
      for (double& value : direction) value *= scale;
    }
    for (std::size_t p = 0; p < pairs.size(); ++p) {
      const double beta = pairs[p].inverse * vectors.dot(pairs[p].change, direction);
      vectors.add(direction, alpha[p] - beta, pairs[p].step);
    }
    double slope = vectors.dot(gradient, direction);
    if (!(slope < 0.0)) {  // rounding has spoilt the memory: begin again downhill
      pairs.clear();
      for (std::size_t i = 0; i < size; ++i) direction[i] = -gradient[i];
      slope = vectors.dot(gradient, direction);
    }

    double step = pairs.empty() ? std::min(1.0, 1.0 / std::sqrt(-slope)) : 1.0;
    double low = 0.0;
    double high = std::numeric_limits<double>::infinity();
    double value = result.value;
    bool found = false;
    for (int tries = 0; tries < kMostTries; ++tries) {
      vectors.each_block([&](std::size_t, std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) next[i] = at[i] + step * direction[i];
      });
      value = objective(next, next_gradient);
      // Where the value's own rounding hides the decrease, the slope decides (Hager & Zhang, SIAM J. Optim.
      // 16, 2005, "approximate Wolfe").
      const double next_slope = vectors.dot(next_gradient, direction);
      const bool decreased = value <= result.value + kDecrease * step * slope ||
                             (value <= result.value + kValueRounding * std::abs(result.value) &&
                              next_slope <= (2.0 * kDecrease - 1.0) * slope);
      if (!decreased) {
        high = step;
      } else if (next_slope < kCurvature * slope) {
        low = step;
      } else {
        found = true;
        break;
      }
      step = std::isfinite(high) ? (low + high) / 2.0 : 2.0 * step;
    }
    if (!found) break;  // as far as the arithmetic reaches

    Pair pair;
    if (static_cast<int>(pairs.size()) == options.memory) {
      pair = std::move(pairs.front());
      pairs.erase(pairs.begin());
    }
    pair.step.resize(size);
    pair.change.resize(size);
    vectors.each_block([&](std::size_t, std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        pair.step[i] = static_cast<float>(next[i] - at[i]);
        pair.change[i] = static_cast<float>(next_gradient[i] - gradient[i]);
      }
    });
    const double curvature = vectors.dot(pair.step, pair.change);
    const double change_squared = vectors.dot(pair.change, pair.change);
    if (curvature > 1e-12 * change_squared && change_squared > 0.0) {
      pair.inverse = 1.0 / curvature;
      scale = curvature / change_squared;
      pairs.push_back(std::move(pair));
    }
    at.swap(next);
    gradient.swap(next_gradient);
    result.value = value;
    ++result.iterations;
  }
  return result;
}

}  // namespace loam::baseline
