// A head's rows times states, and the way back: vectors of a few hundred numbers. Sums run in a fixed order.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace loam::train {

inline float dot_of(const float* a, const float* b, std::size_t count) {
  float part[8] = {};
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (std::size_t lane = 0; lane < 8; ++lane) part[lane] += a[i + lane] * b[i + lane];
  }
  float sum = ((part[0] + part[4]) + (part[1] + part[5])) + ((part[2] + part[6]) + (part[3] + part[7]));
  for (; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

/// to += factor * from
inline void add_scaled(const float* from, float factor, std::size_t count, float* to) {
  for (std::size_t i = 0; i < count; ++i) to[i] += factor * from[i];
}

/// -log softmax(scores)[target]; the scores become their softmax.
inline double softmax_loss(std::vector<double>& scores, std::size_t target) {
  double most = scores[0];
  for (const double score : scores) most = score > most ? score : most;
  double sum = 0;
  for (const double score : scores) sum += std::exp(score - most);
  const double loss = std::log(sum) + most - scores[target];
  for (double& score : scores) score = std::exp(score - most) / sum;
  return loss;
}

}  // namespace loam::train
