// The two index legs.
#include <algorithm>
#include <bit>
#include <cstring>

#include "store/bm25.h"
#include "store/sqlite_store.h"

namespace loam::store {

namespace {

/// A total order: equal scores go by passage id, so that results repeat.
bool better(const Scored& a, const Scored& b) {
  return a.score != b.score ? a.score > b.score : number_of(a.passage) < number_of(b.passage);
}

/// An FTS5 string: whatever stands inside is words, never syntax (sqlite.org/fts5.html, section 3.1).
std::string quote(std::string_view term) {
  std::string quoted = "\"";
  for (const char c : term) {
    // A NUL would end the query text early.
    if (c == '\0') continue;
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace

std::optional<std::string> SqliteStore::quoted(std::span<const std::string> terms) {
  std::string query;
  for (const std::string& term : terms) {
    if (term.empty()) continue;
    if (!query.empty()) query += " OR ";
    query += quote(term);
  }
  if (query.empty()) return std::nullopt;
  return query;
}

Result<std::vector<Scored>> SqliteStore::search_terms(CollectionId collection,
                                                      std::span<const std::string> terms, int k) {
  if (auto known = collection_by_id(collection); !known) return known.error();
  const auto query = quoted(terms);
  if (!query || k <= 0) return std::vector<Scored>{};

  static constexpr Bm25 kBm25{};
  const std::string table = full_text_table(collection);
  auto statement = database_->prepare("SELECT rowid, loam_bm25(" + table + ", ?2, ?3, ?4) FROM " + table +
                                      " WHERE " + table + " MATCH ?1");
  statement.with(*query, kBm25.k1, kBm25.b, kBm25.heading_weight);
  std::vector<Scored> best;  // a heap with the worst of the best on top
  const auto limit = static_cast<std::size_t>(k);
  while (statement.next()) {
    const Scored candidate{PassageId{static_cast<std::uint64_t>(statement.integer(0))},
                           static_cast<float>(statement.real(1))};
    if (best.size() < limit) {
      best.push_back(candidate);
      std::push_heap(best.begin(), best.end(), better);
    } else if (better(candidate, best.front())) {
      std::pop_heap(best.begin(), best.end(), better);
      best.back() = candidate;
      std::push_heap(best.begin(), best.end(), better);
    }
  }
  if (auto bad = statement.failure()) return *bad;
  std::sort(best.begin(), best.end(), better);
  return best;
}

Result<std::vector<std::uint64_t>> SqliteStore::document_frequencies(CollectionId collection,
                                                                     std::span<const std::string> terms) {
  if (auto known = collection_by_id(collection); !known) return known.error();
  const std::string table = full_text_table(collection);
  std::vector<std::uint64_t> frequencies;
  frequencies.reserve(terms.size());
  for (const std::string& term : terms) {
    std::uint64_t count = 0;
    if (const auto query = quoted({&term, 1})) {
      auto statement = database_->prepare("SELECT count(*) FROM " + table + " WHERE " + table + " MATCH ?1");
      if (statement.with(*query).next()) count = static_cast<std::uint64_t>(statement.integer(0));
      if (auto bad = statement.failure()) return *bad;
    }
    frequencies.push_back(count);
  }
  return frequencies;
}

Result<void> SqliteStore::for_each_vector(
    CollectionId collection, const std::function<void(PassageId, std::span<const float>)>& visit) {
  static_assert(std::endian::native == std::endian::little, "vectors are kept as little-endian floats");
  const auto owner = collection_by_id(collection);
  if (!owner) return owner.error();
  auto statement = database_->prepare(
      "SELECT p.id, v.vector FROM passages p INDEXED BY passages_by_collection JOIN vectors v ON v.passage = "
      "p.id "
      "WHERE p.collection = ?1 ORDER BY p.id");
  statement.with(collection);
  // SQLite's blob need not be aligned for floats.
  std::vector<float> vector(static_cast<std::size_t>(owner->dimensions));
  while (statement.next()) {
    const std::string_view blob = statement.bytes(1);
    if (blob.size() != vector.size() * sizeof(float)) {
      return database_->damaged("the vector of passage " + statement.text(0) + " has the wrong size");
    }
    std::memcpy(vector.data(), blob.data(), blob.size());
    visit(PassageId{static_cast<std::uint64_t>(statement.integer(0))}, vector);
  }
  if (auto bad = statement.failure()) return *bad;
  return done();
}

}  // namespace loam::store
