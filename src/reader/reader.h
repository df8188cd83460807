// Bytes in, text with a page-and-offset map out. Parsing happens in a child process with limits of time and
// memory, so that a hostile file costs only itself (DESIGN D8).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/document.h"
#include "base/log.h"
#include "base/result.h"

namespace loam::reader {

/// Version of what the readers produce. Raise it when the extracted text or map of any format changes, so
/// that ingest reads those files again.
inline constexpr int kReaderVersion = 1;

enum class Format : std::uint8_t { unknown, text, markdown, html, csv, pdf };

std::string_view media_type_of(Format format);

/// By content first, extension second: a PDF named .txt is a PDF. `head` is the first bytes (4 KiB is
/// plenty). Binary content of no known format is Format::unknown.
Format detect_format(std::string_view head, std::string_view file_name);

struct ReadLimits {
  std::int64_t max_file_bytes = 256LL << 20;
  std::int64_t max_text_bytes = 64LL << 20;   ///< of extracted text
  std::int64_t max_line_bytes = 16LL << 20;   ///< a longer line is not text for people
  int max_pages = 5000;
  int cpu_seconds = 30;                       ///< per file
  int wall_seconds = 60;                      ///< per file; the child is killed
  std::int64_t memory_bytes = 1LL << 30;      ///< address space of the child
};

/// Parses in this process. Used by the child and by tests and fuzz targets.
/// Errors: bad_data for damaged, encrypted, lying or unsupported files; out_of_room for limits.
Result<Document> parse(std::string_view bytes, std::string_view source, Format format, const ReadLimits& limits);

/// Reads files through a worker child that is started at need, reused, and replaced after a crash, a limit
/// or `files_per_worker` files. One thread at a time.
class Reader {
 public:
  struct Options {
    ReadLimits limits;
    /// Program and arguments of the worker, e.g. {"/proc/self/exe", "reader-worker"}; it must call
    /// run_reader_worker(). Empty: parse in this process (tests only).
    std::vector<std::string> worker_command;
    int files_per_worker = 500;
  };
  static Result<std::unique_ptr<Reader>> open(Options options, Logger& logger = silent_logger());
  virtual ~Reader() = default;

  /// `source` becomes Document::source. Opens with O_NOFOLLOW semantics left to the caller. A file that is
  /// not readable, not a regular file, of an unknown format, encrypted, truncated or over a limit is an
  /// Error that says which, where and what to do; the reader stays usable.
  virtual Result<Document> read(const std::filesystem::path& file, std::string_view source) = 0;
};

/// Body of the worker process: applies limits, serves requests from `request_fd` to `reply_fd` until end of
/// file. Returns the exit status. Never throws, prints or reads the environment.
int run_reader_worker(int request_fd, int reply_fd);

}  // namespace loam::reader
