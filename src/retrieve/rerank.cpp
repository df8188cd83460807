#include "retrieve/rerank.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace loam::retrieve {

float rerank_share(float log_odds) { return 1.0F / (1.0F + std::exp(-log_odds)); }

void combine(std::vector<Fused>& fused, std::span<const float> scores, float weight) {
  const std::size_t count = std::min(scores.size(), fused.size());
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  for (std::size_t rank = 0; rank < count; ++rank) {
    fused[order[rank]].why.rerank = scores[order[rank]];
    fused[order[rank]].why.rerank_rank = static_cast<int>(rank) + 1;
  }
  for (std::size_t i = 0; i < fused.size(); ++i) {
    fused[i].score *= 1.0F - weight;
    if (i < count) fused[i].score += weight * rerank_share(scores[i]);
  }
  std::stable_sort(fused.begin(), fused.end(),
                   [](const Fused& a, const Fused& b) { return a.score > b.score; });
}

}  // namespace loam::retrieve
