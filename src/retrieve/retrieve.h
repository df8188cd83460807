// Question in, fused and explained hits out.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/passage.h"
#include "base/result.h"
#include "engine/engine.h"
#include "index/index.h"
#include "store/store.h"

namespace loam::retrieve {

enum class Legs : std::uint8_t { both, lexical_only, dense_only };

struct RetrieveOptions {
  Legs legs = Legs::both;
  // Chosen on bench/runs/2026-11-22-amd-epyc-2c/retrieval-sweep.json; see docs/decisions/0011.
  int candidates = 300;                  ///< taken from each leg before fusion
  float lexical_weight = 0.55F;          ///< of BM25, scaled to 0..1 (fusion.h)
  float dense_weight = 0.45F;            ///< of the cosine, scaled to 0..1
  engine::Reranker* reranker = nullptr;  ///< borrowed; null: the fused order stays
  // Where the search for better ones begins; see docs/decisions/0017.
  int reranked = 10;           ///< first fused hits that it reads; each costs 100 ms of one core
  float rerank_weight = 0.5F;  ///< of its opinion beside the fused score (rerank.h)
};

struct RetrieveTimings {
  double lexical_ms = 0, embed_ms = 0, dense_ms = 0, fuse_ms = 0, rerank_ms = 0;
};

/// Where the best passage of one document stood at each stage; an empty rank means it was not there.
struct Explanation {
  struct Stage {
    std::string name;
    std::optional<int> rank;
    std::optional<float> score;
    int depth = 0;
    std::string note;
  };
  std::string source;
  std::vector<Stage> stages;  ///< lexical, dense, fused, re-ranked (where one runs), shown
  std::optional<Hit> best;    ///< the document's best passage
  std::string sentence;       ///< plain words: where it fell out and why
  std::vector<std::string> matched_terms, missing_terms;
};

/// One thread at a time. Questions may hold anything: query syntax, emoji, broken UTF-8. An empty question is
/// bad_request; so is one longer than the embedder's max_tokens() (both numbers are named), unless only words
/// are searched. A question of stop words alone is searched like any other.
class Retriever {
 public:
  static Result<std::unique_ptr<Retriever>> open(store::Store& store, CollectionId collection,
                                                 engine::Embedder& embedder);
  /// The same over an index that the caller opened.
  static Result<std::unique_ptr<Retriever>> over(std::unique_ptr<index::Index> index, store::Store& store,
                                                 CollectionId collection, engine::Embedder& embedder);
  virtual ~Retriever() = default;
  /// Best first, at most k. Empty means nothing relevant was found, which is a normal outcome.
  virtual Result<std::vector<Hit>> find(std::string_view question, int k, const RetrieveOptions& options = {},
                                        RetrieveTimings* timings = nullptr) = 0;
  /// bad_request when `source` is no document of the collection.
  virtual Result<Explanation> explain(std::string_view question, std::string_view source, int shown,
                                      const RetrieveOptions& options = {}) = 0;
  /// Inverse document frequency of terms in this collection, for baseline and answerability.
  virtual Result<std::vector<float>> idf(const std::vector<std::string>& terms) = 0;
};

}  // namespace loam::retrieve
