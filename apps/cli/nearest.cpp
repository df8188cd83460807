#include "cli/nearest.h"

#include <algorithm>

namespace loam::cli {

// Optimal string alignment: Damerau-Levenshtein where no substring is edited twice.
int edit_distance(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  std::vector<int> cost((a.size() + 1) * width);
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i * width] = static_cast<int>(i);
  for (std::size_t j = 0; j <= b.size(); ++j) cost[j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      int best = std::min(cost[(i - 1) * width + j], cost[i * width + j - 1]) + 1;
      best = std::min(best, cost[(i - 1) * width + j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        best = std::min(best, cost[(i - 2) * width + j - 2] + 1);
      }
      cost[i * width + j] = best;
    }
  }
  return cost.back();
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known) {
  if (word.empty() || word.size() > 64) return std::nullopt;  // longer is no typing mistake
  std::optional<std::string> best;
  int best_cost = 0;
  for (const std::string& candidate : known) {
    int cost = edit_distance(word, candidate);
    const bool begins = word.size() >= 3 && (candidate.starts_with(word) || word.starts_with(candidate));
    const int allowed = std::max(1, static_cast<int>(std::max(word.size(), candidate.size())) / 3);
    if (cost > allowed && !(begins && candidate.size() >= 3)) continue;
    if (begins) cost = std::min(cost, 1);
    if (!best || cost < best_cost) {
      best = candidate;
      best_cost = cost;
    }
  }
  return best;
}

}  // namespace loam::cli
