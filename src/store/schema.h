// What the store file holds and how it grows: docs/formats/store.md says why.
#pragma once

#include <span>
#include <string>

#include "base/log.h"
#include "base/result.h"
#include "store/sqlite.h"

namespace loam::store {

inline constexpr std::int64_t kApplicationId = 0x4C6F616D;  ///< "Loam", at byte 68 of the file
inline constexpr std::int64_t kSchemaVersion = 3;           ///< PRAGMA user_version

/// Takes a file from version `from` to `from` + 1.
struct Migration {
  std::int64_t from = 0;
  const char* sql = "";
};

/// Makes an opened database a Loam store of the current version: creates the schema in an empty file,
/// migrates an older one after a backup beside it, and refuses a newer one, a foreign one, and one whose
/// schema holds anything that Loam did not make.
Result<void> prepare_schema(Database& database, const StoreOptions& options, Logger& logger);

/// The migration frame on its own. The backup is `<file>.v<from>.backup`; it is made before the first change.
Result<void> migrate(Database& database, std::int64_t to, std::span<const Migration> migrations,
                     Logger& logger);

/// Each collection has its own full-text table, because BM25 counts terms within a table, and what one
/// collection holds must neither show in nor shift the scores of another.
std::string full_text_table(CollectionId collection);
Result<void> create_full_text(Database& database, CollectionId collection);
Result<void> drop_full_text(Database& database, CollectionId collection);

/// Compares the file's schema with what this version makes, object by object.
Result<void> verify_schema(Database& database);

}  // namespace loam::store
