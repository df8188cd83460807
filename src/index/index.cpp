#include "index/index.h"

#include <cmath>
#include <optional>

#include "index/dense.h"

namespace loam::index {

namespace {

class StoreIndex final : public Index {
 public:
  StoreIndex(store::Store& store, store::Collection collection, std::size_t size)
      : store_(store), collection_(std::move(collection)), size_(size) {}

  Result<std::vector<store::Scored>> lexical(std::string_view query, int k) override {
    const auto terms = query_terms(query);
    return store_.search_terms(collection_.id, terms, k);
  }

  Result<std::vector<store::Scored>> dense(std::span<const float> query, int k) override {
    if (query.size() != static_cast<std::size_t>(collection_.dimensions)) {
      return Error{Kind::bad_request, "collection " + collection_.name,
                   "the query has " + std::to_string(query.size()) + " dimensions, the collection " +
                       std::to_string(collection_.dimensions),
                   "use its embedder " + collection_.embedder};
    }
    for (const float component : query) {
      if (!std::isfinite(component)) {
        return Error{Kind::our_bug, "collection " + collection_.name, "the query's vector is not finite",
                     "please report this"};
      }
    }
    if (auto fresh = refresh(); !fresh) return fresh.error();
    return nearest(query, vectors_, ids_, k);
  }

  std::size_t size() const override { return size_; }

 private:
  /// Loads the vectors at the first dense query, and again when the collection has changed.
  Result<void> refresh() {
    const auto generation = store_.generation(collection_.id);
    if (!generation) return generation.error();
    if (loaded_ == *generation) return done();
    const auto counts = store_.counts(collection_.id);
    if (!counts) return counts.error();
    loaded_.reset();
    ids_.clear();
    vectors_.clear();
    // Growing by doubling would hold the vectors twice for a moment.
    ids_.reserve(counts->passages);
    vectors_.reserve(counts->passages * static_cast<std::size_t>(collection_.dimensions));
    auto read = store_.for_each_vector(collection_.id, [&](PassageId id, std::span<const float> vector) {
      ids_.push_back(id);
      vectors_.insert(vectors_.end(), vector.begin(), vector.end());
    });
    if (!read) return read;
    size_ = ids_.size();
    // What changed while we read shows in the generation, and the next query reads again.
    loaded_ = *generation;
    return done();
  }

  store::Store& store_;
  store::Collection collection_;
  std::size_t size_ = 0;
  std::optional<std::uint64_t> loaded_;
  std::vector<PassageId> ids_;
  std::vector<float> vectors_;  // (ids_.size(), dimensions), row-major
};

}  // namespace

Result<std::unique_ptr<Index>> Index::open(store::Store& store, CollectionId collection) {
  auto all = store.collections();
  if (!all) return all.error();
  for (store::Collection& candidate : *all) {
    if (candidate.id != collection) continue;
    const auto counts = store.counts(collection);
    if (!counts) return counts.error();
    return std::unique_ptr<Index>(
        std::make_unique<StoreIndex>(store, std::move(candidate), counts->passages));
  }
  return Error{Kind::bad_request, "collection " + std::to_string(number_of(collection)),
               "there is no such collection", "loam ingest PATH -c NAME"};
}

}  // namespace loam::index
