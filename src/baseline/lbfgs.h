// Minimises a smooth function by limited-memory BFGS (Nocedal & Wright, Numerical Optimization, 2nd ed.,
// 2006, algorithms 7.4 and 7.5) with a line search for the weak Wolfe conditions (Lewis & Overton, Math.
// Program. 141, 2013). Deterministic for any number of threads.
#pragma once

#include <functional>
#include <vector>

#include "base/team.h"

namespace loam::baseline {

/// Value at `at`; writes the gradient, of the same length.
using Objective = std::function<double(const std::vector<double>& at, std::vector<double>& gradient)>;

struct LbfgsOptions {
  int max_iterations = 200;
  double tolerance = 1e-4;  ///< done when no entry of the gradient is larger
  int memory = 10;          ///< pairs of steps remembered; 8 bytes each and parameter
};

struct LbfgsResult {
  double value = 0;
  int iterations = 0;
  bool converged = false;
};

/// `at` is the start, and in the end the best point found. `told` hears of each iteration; false stops.
LbfgsResult minimise(const Objective& objective, std::vector<double>& at, const LbfgsOptions& options,
                     Team& workers,
                     const std::function<bool(int iteration, double largest_gradient)>& told = {});

}  // namespace loam::baseline
