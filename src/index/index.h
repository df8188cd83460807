// Finds passages fast: BM25 and dense, side by side over one collection.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "store/store.h"

namespace loam::index {

/// The words of a query that BM25 should look for: lower-cased, split like the full-text index splits,
/// without stop words unless nothing else is left. Order kept, duplicates dropped.
std::vector<std::string> query_terms(std::string_view query);

/// Both legs over one collection. Loads the vectors at the first dense query and again when the generation
/// changes (4 bytes a component). One thread at a time.
class Index {
 public:
  static Result<std::unique_ptr<Index>> open(store::Store& store, CollectionId collection);
  virtual ~Index() = default;

  /// BM25, best first, at most k. Empty when no term matches.
  virtual Result<std::vector<store::Scored>> lexical(std::string_view query, int k) = 0;
  /// Cosine to a unit vector, best first, at most k.
  virtual Result<std::vector<store::Scored>> dense(std::span<const float> query, int k) = 0;
  virtual std::size_t size() const = 0;
};

}  // namespace loam::index
