// A disk that fails on purpose: a wrapper around SQLite's own file layer, registered as its default.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace loam::fault {

enum class Failure {
  io_error,     ///< the operation fails and does nothing
  short_write,  ///< half of the bytes are written, then it fails
  disk_full,    ///< writes fail with "no space left"
};

enum class Lasting {
  once,      ///< only the chosen operation fails
  from_now,  ///< and every later one: the disk is gone until the plan is cleared
};

/// Which of the changing operations (write, flush, truncate, delete) fails. Counting starts with plan().
class FaultDisk {
 public:
  /// The one disk of this process; the first call registers it with SQLite. Flushes are not passed on: what
  /// would have survived a loss of power is kept in memory instead, and tests stay quick.
  static FaultDisk& instance();

  void plan(std::int64_t nth, Failure failure, Lasting lasting);
  void clear();
  std::int64_t operations() const { return operations_; }
  bool has_failed() const { return failed_; }

  /// Forgets what was flushed so far; call when a test starts on new files.
  void forget();
  /// Writes to `folder` what a loss of power now could leave of the files in `from`: everything flushed, and
  /// of what was not, each write or not, as `seed` decides.
  void lose_power(const std::filesystem::path& from, const std::filesystem::path& folder,
                  std::uint32_t seed) const;

  // Called by the file layer. Zero: go on.
  int next_operation(int error_code, Failure* how);
  void note_write(const std::string& path, std::int64_t offset, const void* bytes, int size);
  void note_truncate(const std::string& path, std::int64_t size);
  void note_flush(const std::string& path);
  void note_delete(const std::string& path);

 private:
  struct Change {
    std::int64_t offset = 0;
    std::optional<std::string> bytes;  // none: truncated to offset
  };
  struct Image {
    std::optional<std::string> flushed;  // none: the file would not even be there
    std::vector<Change> pending;
  };
  static void apply(std::string& content, const Change& change);

  std::map<std::string, Image> images_;
  std::int64_t operations_ = 0;
  std::int64_t failing_ = 0;
  Failure failure_ = Failure::io_error;
  Lasting lasting_ = Lasting::once;
  bool failed_ = false;
};

}  // namespace loam::fault
