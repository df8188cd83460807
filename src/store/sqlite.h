// SQLite with our manners: handles own themselves, statements are prepared once, failures become Errors.
// Private to this room: nothing outside src/store/ includes it.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/store.h"

namespace loam::store {

struct CloseDatabase {
  void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
};
using DatabaseHandle = std::unique_ptr<sqlite3, CloseDatabase>;
using StatementHandle = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

class Database;

/// A prepared statement on loan from its database; it goes back when this object ends. The first failure of a
/// bind or step is kept, so that a loop over next() needs one check at its end.
class Statement {
 public:
  Statement(Database& database, std::string sql, StatementHandle handle, int code)
      : database_(&database), sql_(std::move(sql)), handle_(std::move(handle)), code_(code) {}
  ~Statement();
  Statement(Statement&&) noexcept = default;
  Statement& operator=(Statement&&) = delete;

  /// Binds the values to ?1, ?2, ... Views must live until the last next().
  template <typename... Values>
  Statement& with(const Values&... values) {
    int position = 0;
    (bind(++position, values), ...);
    return *this;
  }

  /// True: there is a row. False: the end, or a failure (see failure()).
  bool next();
  /// Steps a statement that returns no rows.
  Result<void> run();
  /// What went wrong, if something did.
  std::optional<Error> failure() const;

  std::int64_t integer(int column) const { return sqlite3_column_int64(handle_.get(), column); }
  double real(int column) const { return sqlite3_column_double(handle_.get(), column); }
  bool is_null(int column) const { return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL; }
  /// Bytes of a text or blob. The view lives until the next step.
  std::string_view bytes(int column) const;
  std::string text(int column) const { return std::string(bytes(column)); }

 private:
  void bind(int position, std::int64_t value);
  void bind(int position, int value) { bind(position, static_cast<std::int64_t>(value)); }
  void bind(int position, std::size_t value) { bind(position, static_cast<std::int64_t>(value)); }
  void bind(int position, double value);
  void bind(int position, std::string_view value);
  void bind(int position, const std::string& value) { bind(position, std::string_view(value)); }
  void bind(int position, const char* value) { bind(position, std::string_view(value)); }
  void bind(int position, std::span<const float> blob);
  void bind(int position, const std::optional<int>& value);
  template <typename Id>
  requires std::is_enum_v<Id>
  void bind(int position, Id id) { bind(position, static_cast<std::int64_t>(id)); }
  void keep(int code) {
    if (code_ == SQLITE_OK) code_ = code;
  }

  Database* database_;
  std::string sql_;
  StatementHandle handle_;
  int code_;
};

/// One connection.
class Database {
 public:
  /// Opens a file. Nothing is read from it yet.
  static Result<std::unique_ptr<Database>> open(const std::filesystem::path& file,
                                                const StoreOptions& options);

  /// A statement with clean bindings; prepared at its first use, kept for the next.
  Statement prepare(std::string sql);
  /// Runs statements that return nothing, uncached.
  Result<void> execute(const std::string& sql);
  /// The first column of the first row.
  Result<std::int64_t> number(const std::string& sql);

  /// The Error for an SQLite result code of this connection.
  Error error_of(int code) const;
  Error damaged(std::string message) const;

  sqlite3* handle() const { return handle_.get(); }
  const std::filesystem::path& file() const { return file_; }
  std::int64_t last_insert_id() const { return sqlite3_last_insert_rowid(handle_.get()); }
  int changes() const { return sqlite3_changes(handle_.get()); }

 private:
  friend class Statement;
  Database(std::filesystem::path file, DatabaseHandle handle)
      : file_(std::move(file)), handle_(std::move(handle)) {}

  std::filesystem::path file_;
  DatabaseHandle handle_;
  // After handle_, so that statements are finalised before the connection is closed.
  std::map<std::string, std::vector<StatementHandle>, std::less<>> idle_;
};

enum class TransactionKind { write, read };

/// Begins at birth; rolls back at its end unless commit() went well.
class Transaction {
 public:
  explicit Transaction(Database& database, TransactionKind kind = TransactionKind::write);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  /// Whether it began: a failure here is most often another process that holds the write lock.
  const Result<void>& begun() const { return begun_; }
  Result<void> commit();

 private:
  Database& database_;
  Result<void> begun_;
  bool open_ = false;
};

}  // namespace loam::store
