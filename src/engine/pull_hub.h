// Files of HuggingFace repositories, in the layout of its own cache, so that both find each other's
// downloads:
//   models--ORG--REPO/blobs/ETAG, refs/main, snapshots/COMMIT/FILE -> ../../blobs/ETAG
// (huggingface.co/docs/huggingface_hub, "Understand caching"). Only pull*.cpp include this.
#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/progress.h"
#include "base/result.h"
#include "engine/pull.h"

namespace loam::engine {

struct HubFile {
  std::filesystem::path path;  ///< in the snapshot
  std::string sha256;          ///< of its bytes
};

/// The file, from the cache or the network. `expected_sha256` may be empty; the hub's own hash is checked
/// too.
Result<HubFile> hub_file(const std::string& repository, const std::string& file,
                         const std::string& expected_sha256, const std::filesystem::path& cache,
                         const PullOptions& options, const ProgressSink& progress, Logger& logger,
                         std::stop_token stop);

/// Names of the repository's files, from the hub, or from the cache when the network is refused.
Result<std::vector<std::string>> hub_listing(const std::string& repository,
                                             const std::filesystem::path& cache, const PullOptions& options);

/// "ORG/REPO" with plain names on both sides.
bool is_repository_name(std::string_view text);
/// A relative path without "..", empty parts or control characters.
bool is_safe_file_name(std::string_view text);

}  // namespace loam::engine
