// Reciprocal rank fusion: joins ranked lists whose scores cannot be compared.
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
  float score = 0;  ///< sum over the lists that hold it of weight / (rrf_k + rank)
  Why why;
};

/// Cormack, Clarke & Buettcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
/// Methods", SIGIR 2009. Best first; equal scores in order of the better single rank, then of the passage id,
/// so that results repeat. Passages in neither list do not appear; a leg of weight 0 takes no part in the
/// score but fills its half of Why. Any thread.
std::vector<Fused> fuse(RankedLeg lexical, RankedLeg dense, int rrf_k);

}  // namespace loam::retrieve
