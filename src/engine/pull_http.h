// HTTP(S) for pull: what a hub says about a file, and fetching it with resume. Only pull*.cpp include this.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>

#include "base/log.h"
#include "base/progress.h"
#include "base/result.h"
#include "engine/pull.h"

namespace loam::engine {

/// What the hub's headers say about a file.
struct RemoteFile {
  std::string url;          ///< absolute
  std::string etag;         ///< without quotes; the SHA-256 for large files on HuggingFace
  std::string commit;       ///< revision of the repository; may be empty
  std::uint64_t bytes = 0;  ///< 0: not said
  bool accepts_ranges = true;
};

/// Asks for a file's headers. bad_request for 404, unavailable for everything else that fails.
Result<RemoteFile> ask_about(const std::string& url, const PullOptions& options);

/// Fetches a small text.
Result<std::string> fetch_text(const std::string& url, const PullOptions& options, std::uint64_t limit_bytes);

/// Fetches into `part`, going on where an earlier call ended. When it returns, `part` has the file's size;
/// its hash is not checked here. A broken transfer is resumed up to options.attempts times.
Result<void> fetch_file(const RemoteFile& remote, const std::filesystem::path& part,
                        const PullOptions& options, const ProgressSink& progress, Logger& logger,
                        std::stop_token stop);

}  // namespace loam::engine
