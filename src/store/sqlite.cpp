#include "store/sqlite.h"

#include <cerrno>
#include <cstring>

namespace loam::store {

namespace {

bool disk_is_full(sqlite3* handle, int code) {
  if ((code & 0xff) == SQLITE_FULL) return true;
  if ((code & 0xff) != SQLITE_IOERR) return false;
  const int reason = sqlite3_system_errno(handle);
  return reason == ENOSPC || reason == EDQUOT || reason == EFBIG;
}

}  // namespace

// Statement ---------------------------------------------------------------------------------------------

Statement::~Statement() {
  if (!handle_) return;
  sqlite3_reset(handle_.get());
  sqlite3_clear_bindings(handle_.get());
  database_->idle_[sql_].push_back(std::move(handle_));
}

void Statement::bind(int position, std::int64_t value) {
  if (code_ == SQLITE_OK) keep(sqlite3_bind_int64(handle_.get(), position, value));
}

void Statement::bind(int position, double value) {
  if (code_ == SQLITE_OK) keep(sqlite3_bind_double(handle_.get(), position, value));
}

void Statement::bind(int position, std::string_view value) {
  // An empty view may hold a null pointer, which SQLite would take for NULL.
  const char* const data = value.data() == nullptr ? "" : value.data();
  if (code_ == SQLITE_OK) {
    keep(sqlite3_bind_text64(handle_.get(), position, data, value.size(), SQLITE_STATIC, SQLITE_UTF8));
  }
}

void Statement::bind(int position, std::span<const float> blob) {
  if (code_ == SQLITE_OK) {
    keep(sqlite3_bind_blob64(handle_.get(), position, blob.data(), blob.size_bytes(), SQLITE_STATIC));
  }
}

void Statement::bind(int position, const std::optional<int>& value) {
  if (value) {
    bind(position, *value);
  } else if (code_ == SQLITE_OK) {
    keep(sqlite3_bind_null(handle_.get(), position));
  }
}

bool Statement::next() {
  if (code_ != SQLITE_OK) return false;
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) code_ = code;
  return false;
}

Result<void> Statement::run() {
  while (next()) {
  }
  if (auto bad = failure()) return *bad;
  return done();
}

std::optional<Error> Statement::failure() const {
  if (code_ == SQLITE_OK) return std::nullopt;
  return database_->error_of(code_);
}

std::string_view Statement::bytes(int column) const {
  const void* const data = sqlite3_column_blob(handle_.get(), column);
  const int size = sqlite3_column_bytes(handle_.get(), column);
  return data == nullptr ? std::string_view{}
                         : std::string_view(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

// Database ----------------------------------------------------------------------------------------------

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path& file,
                                                 const StoreOptions& options) {
  // NOMUTEX: one object per thread is our contract, so SQLite need not lock. EXRESCODE: error_of() can tell
  // a failed write from a failed flush. NOFOLLOW is not used: a store reached through a symlink is wished
  // for.
  const int access = options.read_only ? SQLITE_OPEN_READONLY : (SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  const int flags = access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE;
  const auto open_handle = [&](const std::string& name, int more_flags, DatabaseHandle& handle) {
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(name.c_str(), &raw, flags | more_flags, nullptr);
    handle.reset(raw);
    return code;
  };
  DatabaseHandle handle;
  int code = open_handle(file.string(), 0, handle);
  std::unique_ptr<Database> database(new Database(file, std::move(handle)));
  if (!database->handle_)
    return Error{Kind::out_of_room, file.string(), "no memory to open the store", "close other programs"};
  if (code == SQLITE_OK && options.read_only) {
    // A WAL file's index needs a writable folder. On read-only media nobody can be writing, so that reading
    // the file as it stands is safe, as long as no change waits in the -wal file.
    auto probe = database->number("SELECT count(*) FROM sqlite_schema");
    std::error_code ignored;
    std::filesystem::path wal = file;
    wal += "-wal";
    const std::uintmax_t waiting =
        std::filesystem::exists(wal, ignored) ? std::filesystem::file_size(wal, ignored) : 0;
    if (!probe && probe.error().kind != Kind::bad_data && waiting == 0 &&
        std::filesystem::exists(file, ignored)) {
      std::string address = "file:";
      for (const char c : std::filesystem::absolute(file, ignored).string()) {
        if (c == '%' || c == '?' || c == '#') {
          static constexpr char kHex[] = "0123456789ABCDEF";
          const auto byte = static_cast<unsigned char>(c);
          address += {'%', kHex[byte >> 4], kHex[byte & 15]};
        } else {
          address += c;
        }
      }
      database->idle_.clear();
      code = open_handle(address + "?immutable=1", SQLITE_OPEN_URI, database->handle_);
    }
  }
  if (code != SQLITE_OK) return database->error_of(code);
  sqlite3* const raw = database->handle();
  sqlite3_busy_timeout(raw, options.busy_timeout_ms);
  // The file may come from anyone: no code in its schema may run, and its internals cannot be rewritten by
  // SQL.
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_ENABLE_FKEY, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, nullptr);
  return database;
}

Statement Database::prepare(std::string sql) {
  if (const auto found = idle_.find(sql); found != idle_.end() && !found->second.empty()) {
    StatementHandle handle = std::move(found->second.back());
    found->second.pop_back();
    return {*this, std::move(sql), std::move(handle), SQLITE_OK};
  }
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  return {*this, std::move(sql), StatementHandle(raw), code};
}

Result<void> Database::execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error_of(code);
  return done();
}

Result<std::int64_t> Database::number(const std::string& sql) {
  auto statement = prepare(sql);
  if (statement.next()) return statement.integer(0);
  if (auto bad = statement.failure()) return *bad;
  return damaged("an expected row is missing");
}

Error Database::error_of(int code) const {
  const std::string place = file_.string();
  const std::string detail = sqlite3_errstr(code);
  if (disk_is_full(handle_.get(), code)) {
    return {Kind::out_of_room, place, "the disk is full; the store is as it was before this change",
            "free some space on that disk and run the same command again"};
  }
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
      return damaged("the store is damaged (" + detail + ")");
    case SQLITE_NOTADB:
      return damaged("this is not a Loam store (" + detail + ")");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Kind::unavailable, place, "another process is writing to the store",
              "wait until it has finished, then run the same command again"};
    case SQLITE_READONLY:
      return {Kind::unavailable, place, "the store cannot be written",
              "check who may write to this file and its folder"};
    case SQLITE_CANTOPEN:
      return {Kind::unavailable, place, "the store cannot be opened",
              "check that the folder exists and that you may read and write it"};
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return {Kind::unavailable, place, "access to the store is denied", "check the file's permissions"};
    case SQLITE_IOERR: {
      const int reason = sqlite3_system_errno(handle_.get());
      const std::string why = reason == 0 ? detail : detail + ": " + std::strerror(reason);
      return {Kind::unavailable, place, "the disk reported an error (" + why + ")",
              "check the disk, then run the same command again"};
    }
    case SQLITE_NOMEM:
      return {Kind::out_of_room, place, "not enough memory", "close other programs or use a smaller batch"};
    case SQLITE_TOOBIG:
      return {Kind::out_of_room, place, "a value is larger than one row may hold", "split the file"};
    case SQLITE_INTERRUPT:
      return {Kind::unavailable, place, "the work was interrupted", "run the same command again"};
    default: {
      const std::string message = handle_ ? sqlite3_errmsg(handle_.get()) : detail;
      // A damaged header is a general error to SQLite, told apart only by its words.
      if (message == "unsupported file format" ||
          message.starts_with("attached databases must use the same text"))
        return damaged("the store is damaged (" + message + ")");
      return {Kind::our_bug, place, "SQLite refused a statement: " + message, "please report this"};
    }
  }
}

Error Database::damaged(std::string message) const {
  return {Kind::bad_data, file_.string(), std::move(message),
          "restore a backup, or move the file away and ingest your documents again"};
}

// Transaction -------------------------------------------------------------------------------------------

Transaction::Transaction(Database& database, TransactionKind kind) : database_(database) {
  // IMMEDIATE takes the write lock at once: a transaction that began can never lose a race half-way.
  begun_ = database_.prepare(kind == TransactionKind::write ? "BEGIN IMMEDIATE" : "BEGIN").run();
  open_ = begun_.ok();
}

Transaction::~Transaction() {
  // SQLite rolls back by itself after some failures (disk full, I/O error); a second ROLLBACK would be
  // refused.
  if (open_ && sqlite3_get_autocommit(database_.handle()) == 0) (void)database_.prepare("ROLLBACK").run();
}

Result<void> Transaction::commit() {
  auto committed = database_.prepare("COMMIT").run();
  if (committed) open_ = false;
  return committed;
}

}  // namespace loam::store
