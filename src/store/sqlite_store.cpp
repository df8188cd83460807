#include "store/sqlite_store.h"

#include "base/utf8.h"
#include "store/bm25.h"

namespace loam::store {

namespace {

constexpr std::size_t kMaxNameBytes = 200;

Collection collection_from(const Statement& row) {
  Collection collection;
  collection.id = CollectionId{static_cast<std::uint64_t>(row.integer(0))};
  collection.name = row.text(1);
  collection.embedder = row.text(2);
  collection.embedder_fingerprint = row.text(3);
  collection.dimensions = static_cast<int>(row.integer(4));
  return collection;
}

constexpr const char* kSelectCollection =
    "SELECT id, name, embedder, fingerprint, dimensions FROM collections ";

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const std::filesystem::path& file, StoreOptions options,
                                           Logger& logger) {
  std::error_code failed;
  const auto status = std::filesystem::status(file, failed);
  if (options.read_only && !std::filesystem::exists(status)) {
    return Error{Kind::unavailable, file.string(), "there is no store here yet", "loam ingest PATH"};
  }
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    return Error{Kind::bad_request, file.string(), "the store must be a file, and this is none",
                 "name another file"};
  }
  // SQLite takes a file of a few bytes for an empty one and would write over it.
  constexpr std::uintmax_t kSmallestDatabase = 512;
  const std::uintmax_t size = std::filesystem::exists(status) ? std::filesystem::file_size(file, failed) : 0;
  if (!failed && size > 0 && size < kSmallestDatabase) {
    return Error{Kind::bad_data, file.string(), "this is not a Loam store",
                 "name another folder with --home"};
  }
  auto database = Database::open(file, options);
  if (!database) return database.error();
  if (auto ready = prepare_schema(**database, options, logger); !ready) return ready.error();
  if (auto ready = register_bm25(**database); !ready) return ready.error();
  return std::unique_ptr<Store>(std::make_unique<SqliteStore>(std::move(*database)));
}

Error SqliteStore::gone(const char* what, std::uint64_t id) const {
  return {Kind::bad_request, database_->file().string(),
          std::string(what) + " " + std::to_string(id) + " is not in the store",
          "it may have been removed meanwhile; look it up again"};
}

// Collections -------------------------------------------------------------------------------------------

Result<Collection> SqliteStore::ensure_collection(std::string_view name, std::string_view embedder,
                                                  std::string_view fingerprint, int dimensions) {
  if (name.empty() || name.size() > kMaxNameBytes || !is_valid_utf8(name)) {
    return Error{Kind::bad_request, "collection", "a collection's name has 1 to 200 bytes of UTF-8",
                 "choose another name"};
  }
  if (dimensions < 1 || dimensions > 65536) {
    return Error{Kind::bad_request, std::string(name),
                 "vectors of " + std::to_string(dimensions) + " dimensions cannot be kept",
                 "choose another embedding model"};
  }
  const auto same_embedder = [&](const Collection& found) -> Result<Collection> {
    if (found.embedder_fingerprint == fingerprint && found.dimensions == dimensions) return found;
    return Error{Kind::bad_request, "collection " + found.name,
                 "it was made with the embedder " + found.embedder + " (" +
                     found.embedder_fingerprint.substr(0, 12) + ") and cannot be used with " +
                     std::string(embedder) + " (" + std::string(fingerprint.substr(0, 12)) + ")",
                 "use " + found.embedder + ", or ingest into a new collection with -c NAME"};
  };
  // Most calls find it; reading first spares them the write lock.
  auto known = find_collection(name);
  if (!known) return known.error();
  if (*known) return same_embedder(**known);

  Transaction transaction(*database_);
  if (!transaction.begun()) return transaction.begun().error();
  known = find_collection(name);
  if (!known) return known.error();
  if (*known) return same_embedder(**known);
  auto inserted =
      database_
          ->prepare("INSERT INTO collections(name, embedder, fingerprint, dimensions) VALUES(?1, ?2, ?3, ?4)")
          .with(name, embedder, fingerprint, dimensions)
          .run();
  if (!inserted) return inserted.error();
  Collection collection{CollectionId{static_cast<std::uint64_t>(database_->last_insert_id())},
                        std::string(name), std::string(embedder), std::string(fingerprint), dimensions};
  if (auto made = create_full_text(*database_, collection.id); !made) return made.error();
  if (auto kept = transaction.commit(); !kept) return kept.error();
  return collection;
}

Result<std::optional<Collection>> SqliteStore::find_collection(std::string_view name) {
  auto statement = database_->prepare(std::string(kSelectCollection) + "WHERE name = ?1");
  std::optional<Collection> found;
  if (statement.with(name).next()) found = collection_from(statement);
  if (auto bad = statement.failure()) return *bad;
  return found;
}

Result<std::vector<Collection>> SqliteStore::collections() {
  auto statement = database_->prepare(std::string(kSelectCollection) + "ORDER BY name");
  std::vector<Collection> all;
  while (statement.next()) all.push_back(collection_from(statement));
  if (auto bad = statement.failure()) return *bad;
  return all;
}

Result<Collection> SqliteStore::collection_by_id(CollectionId collection) {
  auto statement = database_->prepare(std::string(kSelectCollection) + "WHERE id = ?1");
  if (statement.with(collection).next()) return collection_from(statement);
  if (auto bad = statement.failure()) return *bad;
  return gone("collection", number_of(collection));
}

Result<CollectionCounts> SqliteStore::counts(CollectionId collection) {
  auto statement = database_->prepare(
      "SELECT count(*), total(passage_count), total(text_bytes) FROM documents WHERE collection = ?1");
  CollectionCounts counts;
  if (statement.with(collection).next()) {
    counts.documents = static_cast<std::uint64_t>(statement.integer(0));
    counts.passages = static_cast<std::uint64_t>(statement.integer(1));
    counts.text_bytes = static_cast<std::uint64_t>(statement.integer(2));
  }
  if (auto bad = statement.failure()) return *bad;
  return counts;
}

Result<void> SqliteStore::remove_collection(CollectionId collection) {
  Transaction transaction(*database_);
  if (!transaction.begun()) return transaction.begun();
  if (auto known = collection_by_id(collection); !known) return known.error();
  for (const char* sql :
       {"DELETE FROM vectors WHERE passage IN (SELECT id FROM passages WHERE collection = ?1)",
        "DELETE FROM passages WHERE collection = ?1",
        "DELETE FROM pages WHERE document IN (SELECT id FROM documents WHERE collection = ?1)",
        "DELETE FROM texts WHERE document IN (SELECT id FROM documents WHERE collection = ?1)",
        "DELETE FROM documents WHERE collection = ?1", "DELETE FROM collections WHERE id = ?1"}) {
    if (auto erased = database_->prepare(sql).with(collection).run(); !erased) return erased;
  }
  const std::string scope = scope_of(collection);
  auto forgotten = database_->prepare("DELETE FROM adoptions WHERE scope = ?1").with(scope).run();
  if (!forgotten) return forgotten;
  if (auto dropped = drop_full_text(*database_, collection); !dropped) return dropped;
  return transaction.commit();
}

Result<std::uint64_t> SqliteStore::generation(CollectionId collection) {
  auto statement = database_->prepare("SELECT generation FROM collections WHERE id = ?1");
  if (statement.with(collection).next()) return static_cast<std::uint64_t>(statement.integer(0));
  if (auto bad = statement.failure()) return *bad;
  return gone("collection", number_of(collection));
}

Result<void> SqliteStore::grow_generation(CollectionId collection) {
  auto grown = database_->prepare("UPDATE collections SET generation = generation + 1 WHERE id = ?1")
                   .with(collection)
                   .run();
  if (grown && database_->changes() == 0) return gone("collection", number_of(collection));
  return grown;
}

}  // namespace loam::store
