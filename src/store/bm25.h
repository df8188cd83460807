// BM25 as a ranking function of FTS5. SQLite's own bm25() gives a term that stands in more than half of the
// rows no weight at all, which empties the ranking of small collections, and fixes k1 and b.
#pragma once

#include "base/result.h"
#include "store/sqlite.h"

namespace loam::store {

struct Bm25 {
  double k1 = 1.2;              ///< how soon repeating a term stops helping
  double b = 0.75;              ///< how much long passages are held back, 0..1
  double heading_weight = 1.0;  ///< what an occurrence in the heading path counts, against 1 in the text
};

/// Makes `loam_bm25(table, k1, b, heading_weight)` known to this connection: higher is better, never
/// negative. Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009, with the
/// idf ln(1 + (N - n + 0.5) / (n + 0.5)) that stays positive.
Result<void> register_bm25(Database& database);

}  // namespace loam::store
