#include "train/contrast.h"

#include <cmath>

#include "train/encoder_math.h"

namespace loam::train {

double contrast(std::span<const float> rows, std::size_t width, std::span<const std::size_t> anchors,
                std::span<const std::size_t> candidates,
                const std::function<Against(std::size_t, std::size_t)>& relation, double temperature,
                float weight, float* drows) {
  const std::size_t count = rows.size() / width;
  std::vector<float> unit(rows.begin(), rows.end()), lengths(count);
  for (std::size_t r = 0; r < count; ++r) {
    float* row = unit.data() + r * width;
    lengths[r] = std::sqrt(dot_of(row, row, width));
    for (std::size_t i = 0; i < width; ++i) row[i] /= lengths[r];
  }
  std::vector<float> dunit(drows == nullptr ? 0 : rows.size(), 0.0F);
  double total = 0;
  std::vector<double> scores;
  std::vector<std::size_t> at;
  for (const std::size_t anchor : anchors) {
    scores.clear();
    at.clear();
    std::size_t right = candidates.size();
    for (const std::size_t candidate : candidates) {
      const Against is = relation(anchor, candidate);
      if (is == Against::ignored) continue;
      if (is == Against::right) right = at.size();
      at.push_back(candidate);
      scores.push_back(
          static_cast<double>(dot_of(unit.data() + anchor * width, unit.data() + candidate * width, width)) /
          temperature);
    }
    if (right == candidates.size() || at.size() < 2) continue;
    total += softmax_loss(scores, right);
    if (drows == nullptr) continue;
    for (std::size_t i = 0; i < at.size(); ++i) {
      const double off = (scores[i] - (i == right ? 1.0 : 0.0)) / temperature;
      const auto gradient = static_cast<float>(static_cast<double>(weight) * off);
      add_scaled(unit.data() + at[i] * width, gradient, width, dunit.data() + anchor * width);
      add_scaled(unit.data() + anchor * width, gradient, width, dunit.data() + at[i] * width);
    }
  }
  if (drows == nullptr) return total;
  for (std::size_t r = 0; r < count; ++r) {
    const float* row = unit.data() + r * width;
    const float* drow = dunit.data() + r * width;
    const float along = dot_of(row, drow, width);
    for (std::size_t i = 0; i < width; ++i) drows[r * width + i] += (drow[i] - along * row[i]) / lengths[r];
  }
  return total;
}

}  // namespace loam::train
