#include "store/schema.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <system_error>
#include <thread>
#include <utility>

namespace loam::store {

namespace {

struct Object {
  const char* name;
  const char* sql;
};

// Made by create() and by the migration from version 1: one text, so that both give the same schema.
// The key comes first: see "pages".
constexpr const char* kCreateRunItems =
    "CREATE TABLE run_items(run INTEGER NOT NULL REFERENCES runs(id), ordinal INTEGER NOT NULL, "
    "item TEXT NOT NULL, cluster TEXT NOT NULL, scores TEXT NOT NULL, output TEXT NOT NULL, "
    "PRIMARY KEY(run, ordinal)) STRICT, WITHOUT ROWID";

// The same for what came with version 3. A scope is no reference: it may be a collection or a data file.
constexpr const char* kCreateAdoptions =
    "CREATE TABLE adoptions(id INTEGER PRIMARY KEY AUTOINCREMENT, scope TEXT NOT NULL, at INTEGER NOT NULL, "
    "settings TEXT NOT NULL, run INTEGER NOT NULL REFERENCES runs(id), undone_at INTEGER NOT NULL DEFAULT 0) "
    "STRICT";

// The text of each statement is part of the format: verify_schema() compares it with what the file holds.
constexpr Object kObjects[] = {
    {"collections",
     "CREATE TABLE collections(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, "
     "embedder TEXT NOT NULL, fingerprint TEXT NOT NULL, dimensions INTEGER NOT NULL CHECK(dimensions "
     "BETWEEN 1 AND 65536), "
     "generation INTEGER NOT NULL DEFAULT 0) STRICT"},
    {"documents",
     "CREATE TABLE documents(id INTEGER PRIMARY KEY AUTOINCREMENT, "
     "collection INTEGER NOT NULL REFERENCES collections(id), source TEXT NOT NULL, title TEXT NOT NULL, "
     "media_type TEXT NOT NULL, content_hash TEXT NOT NULL, recipe TEXT NOT NULL, root TEXT NOT NULL, "
     "path TEXT NOT NULL, file_size INTEGER NOT NULL, file_mtime_ns INTEGER NOT NULL, ingested_at INTEGER "
     "NOT NULL, "
     "text_bytes INTEGER NOT NULL, passage_count INTEGER NOT NULL, UNIQUE(collection, source)) STRICT"},
    {"documents_by_path",
     "CREATE UNIQUE INDEX documents_by_path ON documents(collection, path) WHERE path <> ''"},
    {"documents_by_hash", "CREATE INDEX documents_by_hash ON documents(collection, content_hash)"},
    {"texts",
     "CREATE TABLE texts(document INTEGER PRIMARY KEY REFERENCES documents(id), text TEXT NOT NULL) STRICT"},
    // The key comes first: integrity_check of SQLite 3.40 reads the other column in its place otherwise.
    {"pages",
     "CREATE TABLE pages(document INTEGER NOT NULL REFERENCES documents(id), start INTEGER NOT NULL, "
     "number INTEGER NOT NULL, \"end\" INTEGER NOT NULL, PRIMARY KEY(document, start, number)) STRICT, "
     "WITHOUT ROWID"},
    {"passages",
     "CREATE TABLE passages(id INTEGER PRIMARY KEY AUTOINCREMENT, "
     "document INTEGER NOT NULL REFERENCES documents(id), collection INTEGER NOT NULL REFERENCES "
     "collections(id), "
     "ordinal INTEGER NOT NULL, start INTEGER NOT NULL, \"end\" INTEGER NOT NULL, page INTEGER, "
     "heading_path TEXT NOT NULL, text TEXT NOT NULL, tokens INTEGER NOT NULL, UNIQUE(document, ordinal)) "
     "STRICT"},
    {"passages_by_collection", "CREATE INDEX passages_by_collection ON passages(collection)"},
    {"vectors",
     "CREATE TABLE vectors(passage INTEGER PRIMARY KEY REFERENCES passages(id), vector BLOB NOT NULL) "
     "STRICT"},
    {"runs",
     "CREATE TABLE runs(id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, task TEXT NOT NULL, "
     "config TEXT NOT NULL, result TEXT NOT NULL) STRICT"},
    {"runs_by_task", "CREATE INDEX runs_by_task ON runs(task)"},
    {"run_items", kCreateRunItems},
    {"adoptions", kCreateAdoptions},
};

// Each change of kObjects adds a line here, and a frozen sample in tests/compat.
constexpr Migration kMigrations[] = {{1, kCreateRunItems}, {2, kCreateAdoptions}};

/// The format number in a store file's header (bytes 60 to 63, big-endian); -1 when it cannot be read.
std::int64_t version_in(const std::filesystem::path& file) {
  constexpr std::streamoff kUserVersionAt = 60;
  std::ifstream stream(file, std::ios::binary);
  unsigned char bytes[4] = {};
  stream.seekg(kUserVersionAt);
  for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(stream.get());
  if (!stream) return -1;
  std::int64_t version = 0;
  for (const unsigned char byte : bytes) version = version * 256 + byte;
  return version;
}

/// Removes what migrations that were killed have left: unfinished backups whose process is no more.
void remove_abandoned_backups(const std::filesystem::path& backup) {
  const std::string prefix = backup.filename().string() + ".";
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(backup.parent_path(), failed)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix) || !name.ends_with(".partial")) continue;
    const long process = std::strtol(name.c_str() + prefix.size(), nullptr, 10);
    if (process > 0 && ::kill(static_cast<pid_t>(process), 0) != 0 && errno == ESRCH)
      std::filesystem::remove(entry.path(), failed);
  }
}

std::string rows_view(CollectionId collection) { return full_text_table(collection) + "_rows"; }

std::string create_view_sql(CollectionId collection) {
  return "CREATE VIEW " + rows_view(collection) +
         " AS SELECT id, heading_path, text FROM passages WHERE collection = " +
         std::to_string(number_of(collection));
}

std::string create_full_text_sql(CollectionId collection) {
  // The text is not kept a second time: FTS5 reads it through the view when it is asked to verify itself.
  // Porter stems and folded diacritics: measured on SciFact in docs/formats/store.md.
  return "CREATE VIRTUAL TABLE " + full_text_table(collection) + " USING fts5(heading_path, text, content='" +
         rows_view(collection) + "', content_rowid='id', tokenize='porter unicode61 remove_diacritics 2')";
}

Error newer(const Database& database, std::int64_t version) {
  return {Kind::bad_request, database.file().string(),
          "the store was written by a newer Loam (format " + std::to_string(version) +
              ", this program knows " + std::to_string(kSchemaVersion) + ")",
          "install the newer Loam, or name another folder with --home"};
}

Error foreign(const Database& database) {
  return {Kind::bad_data, database.file().string(), "this is a database of another program, not a Loam store",
          "name another folder with --home"};
}

/// Switches to WAL. SQLite does not wait on its busy handler here, so two processes that create a store at
/// the same moment need this loop.
Result<void> use_wal(Database& database, const StoreOptions& options) {
  constexpr int kPauseMs = 5;
  for (int waited_ms = 0;; waited_ms += kPauseMs) {
    auto statement = database.prepare("PRAGMA journal_mode = WAL");
    if (statement.next()) {
      if (statement.text(0) == "wal") return done();
      return Error{Kind::unavailable, database.file().string(),
                   "this disk cannot hold the store's write-ahead log",
                   "put the store on a local disk with --home"};
    }
    auto bad = statement.failure();
    if (bad && (bad->kind != Kind::unavailable || waited_ms >= options.busy_timeout_ms)) return *bad;
    std::this_thread::sleep_for(std::chrono::milliseconds(kPauseMs));
  }
}

Result<void> create(Database& database, const StoreOptions& options) {
  // 8 KiB pages hold five 384-dimension vectors with 6% left over; 4 KiB pages hold two and waste 25%.
  if (auto set = database.execute("PRAGMA page_size = 8192"); !set) return set;
  if (auto set = use_wal(database, options); !set) return set;
  Transaction transaction(database);
  if (!transaction.begun()) return transaction.begun();
  const auto tables = database.number("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables.error();
  if (*tables != 0) return done();  // another process was quicker; the caller looks again
  for (const Object& object : kObjects) {
    if (auto made = database.execute(object.sql); !made) return made;
  }
  if (auto set = database.execute("PRAGMA application_id = " + std::to_string(kApplicationId)); !set)
    return set;
  if (auto set = database.execute("PRAGMA user_version = " + std::to_string(kSchemaVersion)); !set)
    return set;
  return transaction.commit();
}

struct Identity {
  std::int64_t application = 0;
  std::int64_t version = 0;
  std::int64_t objects = 0;
};

Result<Identity> identity_of(Database& database) {
  Transaction transaction(database, TransactionKind::read);
  if (!transaction.begun()) return transaction.begun().error();
  const auto objects = database.number("SELECT count(*) FROM sqlite_schema");
  if (!objects) return objects.error();
  const auto application = database.number("PRAGMA application_id");
  if (!application) return application.error();
  const auto version = database.number("PRAGMA user_version");
  if (!version) return version.error();
  return Identity{*application, *version, *objects};
}

}  // namespace

std::string full_text_table(CollectionId collection) {
  return "fts_" + std::to_string(number_of(collection));
}

Result<void> create_full_text(Database& database, CollectionId collection) {
  if (auto made = database.execute(create_view_sql(collection)); !made) return made;
  return database.execute(create_full_text_sql(collection));
}

Result<void> drop_full_text(Database& database, CollectionId collection) {
  if (auto dropped = database.execute("DROP TABLE " + full_text_table(collection)); !dropped) return dropped;
  return database.execute("DROP VIEW " + rows_view(collection));
}

Result<void> verify_schema(Database& database) {
  Transaction transaction(database, TransactionKind::read);
  if (!transaction.begun()) return transaction.begun();
  std::map<std::string, std::string> expected;
  for (const Object& object : kObjects) expected[object.name] = object.sql;
  std::map<std::string, std::string> found;
  {
    auto statement =
        database.prepare("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'");
    while (statement.next()) found[statement.text(0)] = statement.text(1);
    if (auto bad = statement.failure()) return *bad;
  }
  for (const auto& [name, sql] : expected) {
    if (const auto at = found.find(name); at == found.end() || at->second != sql) {
      return database.damaged("the store's table or index " + name + " is missing or altered");
    }
    found.erase(name);
  }
  auto statement = database.prepare("SELECT id FROM collections");
  while (statement.next()) {
    const CollectionId id{static_cast<std::uint64_t>(statement.integer(0))};
    const std::string table = full_text_table(id);
    if (found[table] != create_full_text_sql(id) || found[rows_view(id)] != create_view_sql(id)) {
      return database.damaged("the full-text index " + table + " is missing or altered");
    }
    found.erase(table);
    found.erase(rows_view(id));
    // FTS5's own tables; their text is SQLite's, and DEFENSIVE mode keeps SQL from writing to them.
    for (const char* part : {"_data", "_idx", "_docsize", "_config"}) {
      if (found.erase(table + part) == 0)
        return database.damaged("the full-text index " + table + " is incomplete");
    }
  }
  if (auto bad = statement.failure()) return *bad;
  if (!found.empty()) {
    return database.damaged("the store holds \"" + found.begin()->first + "\", which Loam did not make");
  }
  return done();
}

Result<void> migrate(Database& database, std::int64_t to, std::span<const Migration> migrations,
                     Logger& logger) {
  auto before = database.number("PRAGMA user_version");
  if (!before) return before.error();
  if (*before >= to) return done();

  // The backup is complete before the first change, and appears under its name only when it is complete.
  // Each process and thread writes a file of its own: two may open an old store at the same moment.
  static std::atomic<unsigned> backups{0};
  std::filesystem::path backup = database.file();
  backup += ".v" + std::to_string(*before) + ".backup";
  std::filesystem::path partial = backup;
  partial += "." + std::to_string(::getpid()) + "-" + std::to_string(++backups) + ".partial";
  std::error_code failed;
  std::filesystem::remove(partial, failed);
  const std::string partial_name = partial.string();
  if (auto saved = database.prepare("VACUUM INTO ?1").with(partial_name).run(); !saved) {
    std::filesystem::remove(partial, failed);
    return saved;
  }
  // Another process may have migrated the store before it was copied; its backup is the old one.
  if (version_in(partial) != *before) {
    std::filesystem::remove(partial, failed);
    return migrate(database, to, migrations, logger);
  }
  std::filesystem::rename(partial, backup, failed);
  if (failed) {
    return Error{Kind::unavailable, backup.string(), "the backup could not be named: " + failed.message(),
                 "check who may write to this folder"};
  }

  Transaction transaction(database);
  if (!transaction.begun()) return transaction.begun();
  auto version = database.number("PRAGMA user_version");  // another process may have done it meanwhile
  if (!version) return version.error();
  for (; *version < to; ++*version) {
    const Migration* step = nullptr;
    for (const Migration& candidate : migrations) {
      if (candidate.from == *version) step = &candidate;
    }
    if (step == nullptr) {
      return Error{Kind::bad_data, database.file().string(),
                   "no way leads from store format " + std::to_string(*version) + " to " + std::to_string(to),
                   "use the Loam that wrote it"};
    }
    if (auto changed = database.execute(step->sql); !changed) return changed;
  }
  if (auto set = database.execute("PRAGMA user_version = " + std::to_string(to)); !set) return set;
  if (auto kept = transaction.commit(); !kept) return kept;
  remove_abandoned_backups(backup);
  logger.info("store migrated to format " + std::to_string(to) + "; the old one is kept as " +
              backup.string());
  return done();
}

Result<void> prepare_schema(Database& database, const StoreOptions& options, Logger& logger) {
  auto identity = identity_of(database);
  if (!identity) return identity.error();
  if (identity->objects == 0 && identity->application == 0 && identity->version == 0) {
    if (options.read_only) {
      return Error{Kind::unavailable, database.file().string(), "the store is empty", "loam ingest PATH"};
    }
    if (auto made = create(database, options); !made) return made;
    identity = identity_of(database);
    if (!identity) return identity.error();
  }
  // Nothing has been written to a file of another program so far.
  if (identity->application != kApplicationId) return foreign(database);
  if (identity->version > kSchemaVersion) return newer(database, identity->version);
  if (identity->version < 1) return database.damaged("the store's format number is damaged");

  const std::string cache = "PRAGMA cache_size = " + std::to_string(-1024LL * std::max(1, options.cache_mib));
  for (const std::string& setting : {cache, std::string("PRAGMA cell_size_check = ON")}) {
    if (auto set = database.execute(setting); !set) return set;
  }
  if (!options.read_only) {
    if (auto set = use_wal(database, options); !set) return set;
    // FULL: every commit is flushed before it is acknowledged, so it survives loss of power. The log is cut
    // back to 64 MiB after a checkpoint, so that one large document does not leave a large file behind.
    for (const char* setting : {"PRAGMA synchronous = FULL", "PRAGMA journal_size_limit = 67108864"}) {
      if (auto set = database.execute(setting); !set) return set;
    }
    if (auto migrated = migrate(database, kSchemaVersion, kMigrations, logger); !migrated) return migrated;
  } else if (identity->version < kSchemaVersion) {
    return Error{Kind::bad_request, database.file().string(),
                 "the store has an older format and is opened for reading only",
                 "run any loam command that may write to it once"};
  }
  return verify_schema(database);
}

}  // namespace loam::store
