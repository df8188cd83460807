// Re-ranking: a second, dearer opinion on the first of the fused hits.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "retrieve/fusion.h"

namespace loam::retrieve {

/// What a re-ranker's log-odds count for beside a fused score: 0..1.
float rerank_share(float log_odds);

/// The first scores.size() of `fused`, which is sorted, get their score and their rank among each other in
/// Why, and every passage a combined score: (1 - weight) * fused + weight * share of the log-odds, which is 0
/// for those that were not re-ranked. So nothing that was looked at twice falls behind what was not; why it
/// is a sum and not the re-ranker's order alone is in docs/decisions/0017. Sorted again; equal scores stay in
/// the order of the fusion. Any thread.
void combine(std::vector<Fused>& fused, std::span<const float> scores, float weight);

}  // namespace loam::retrieve
