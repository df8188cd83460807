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
  std::int64_t max_text_bytes = 64LL << 20;  ///< of extracted text
  std::int64_t max_line_bytes = 16LL << 20;  ///< a longer line is not text for people
  int max_pages = 5000;
  int max_blocks = 2'000'000;             ///< headings, paragraphs, rows ... of one document
  int cpu_seconds = 30;                   ///< per file
  int wall_seconds = 60;                  ///< per file; the child is killed
  std::int64_t memory_bytes = 1LL << 30;  ///< address space of the child
};

/// Foreign code that is loaded at run time, never linked.
struct Libraries {
  std::filesystem::path pdfium;  ///< libpdfium.so; empty: PDF files are refused as unavailable
};

/// Parses in this process. Used by the child and by tests and fuzz targets.
/// Errors: bad_data for damaged, encrypted, lying or unsupported files; out_of_room for limits.
/// Whatever the format, a document that comes out satisfies check_document().
Result<Document> parse(std::string_view bytes, std::string_view source, Format format,
                       const ReadLimits& limits, const Libraries& libraries = {});

/// What every document promises: valid UTF-8 without NUL and carriage return, blocks ascending and not
/// overlapping, on code point borders and with only white space between them, pages ascending and covering,
/// all sizes within the limits. The parent holds each reply of a worker to it; bad_data when one is broken.
Result<void> check_document(const Document& document, const ReadLimits& limits);

enum class Symlinks : std::uint8_t { refuse, follow };

/// Where the worker finds its two channels (see run_reader_worker). The parent puts them there.
inline constexpr int kWorkerRequestFd = 3;
inline constexpr int kWorkerReplyFd = 4;

/// Reads files through a worker child that is started at need, reused, and replaced after a crash, a limit
/// or `files_per_worker` files. One thread at a time.
class Reader {
 public:
  struct Options {
    ReadLimits limits;
    Libraries libraries;  ///< loaded by the worker before it locks itself in
    /// Program and arguments of the worker, e.g. {"/proc/self/exe", "reader-worker"}; it must call
    /// run_reader_worker(kWorkerRequestFd, kWorkerReplyFd). It starts with an empty environment, /dev/null as
    /// standard streams and no other open file. Empty: parse in this process (tests only).
    std::vector<std::string> worker_command;
    /// Refused: a path whose last part is a symbolic link is an error. A caller that follows links resolves
    /// them first (and so finds loops), or says follow.
    Symlinks symlinks = Symlinks::refuse;
    int files_per_worker = 500;
  };
  static Result<std::unique_ptr<Reader>> open(Options options, Logger& logger = silent_logger());
  virtual ~Reader() = default;

  /// `source` becomes Document::source and the place of errors. A file that is
  /// not readable, not a regular file, of an unknown format, encrypted, truncated or over a limit is an
  /// Error that says which, where and what to do; the reader stays usable.
  virtual Result<Document> read(const std::filesystem::path& file, std::string_view source) = 0;
};

/// Body of the worker process, called first thing in its main() as
/// `return run_reader_worker(kWorkerRequestFd, kWorkerReplyFd);`. Takes the parent's settings, loads the
/// libraries, locks itself in (resource limits, no new privileges, a system call filter without network, new
/// processes or opening files), then serves one file per request until end of file; files come as read-only
/// descriptors. `request_fd` is a Unix stream socket. Returns the exit status. Never throws, prints or reads
/// the environment.
int run_reader_worker(int request_fd, int reply_fd);

}  // namespace loam::reader
