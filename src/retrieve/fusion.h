// Score fusion: joins two ranked lists after bringing their scores to the same scale.
#pragma once

#include <span>
#include <vector>

#include "base/ids.h"
#include "base/passage.h"
#include "store/store.h"

namespace loam::retrieve {

/// One ranked list, best first, and how much its opinion weighs.
struct RankedLeg {
  std::span<const store::Scored> list;
  float weight = 1.0F;
};

/// A passage after fusion, with what each leg said of it.
struct Fused {
  PassageId passage{};
  float score = 0;  ///< sum over the legs of weight * scaled score, so at most the sum of the weights
  Why why;
};

/// The convex combination of Bruch, Gai & Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", ACM
/// TOIS 42(1), 2023. Each leg's scores are scaled to 0..1: its best is 1; BM25's 0 is 0 (no word matches),
/// the worst listed cosine is 0, because what cosine means nothing differs between embedders. A passage that
/// a leg does not list has 0 there. Unlike ranks, this keeps how clearly a leg prefers its first; what that
/// brought is in docs/decisions/0011.
///
/// Best first; equal scores in order of the better single rank, then of the passage id, so that results
/// repeat. Passages in neither list do not appear; a leg of weight 0 takes no part in the score but fills its
/// half of Why. Any thread.
std::vector<Fused> fuse(RankedLeg lexical, RankedLeg dense);

}  // namespace loam::retrieve
