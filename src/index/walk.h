// Walks the named paths in name order and says what stands there. Reads no file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace loam::index {

enum class EntryKind : std::uint8_t {
  file,        ///< a regular file to ingest
  skipped,     ///< something that is not read, with the reason
  unreadable,  ///< a folder or file that cannot be looked at, with the reason
};

struct Entry {
  EntryKind kind = EntryKind::file;
  std::filesystem::path path;  ///< absolute, symbolic links resolved
  std::string source;          ///< relative to the named folder, '/'-separated, valid UTF-8
  std::string root;            ///< the named folder or file, absolute
  std::int64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::string reason;
};

struct WalkOptions {
  bool follow_symlinks = false;
  bool include_hidden = false;
};

/// A path the user named, as it was found.
struct Root {
  std::filesystem::path named;
  std::filesystem::path path;  ///< absolute, symbolic links resolved; when missing, only made absolute
  enum class State : std::uint8_t { folder, file, missing, unreadable } state = State::missing;
  std::string reason;
};

/// Resolves what was named. A root that lies inside another named folder is dropped, so that nothing is seen
/// twice.
std::vector<Root> resolve_roots(const std::vector<std::filesystem::path>& paths);

/// Visits everything under `root` in name order (a folder's entries sorted by bytes). Hidden entries are
/// passed over in silence unless asked for; symbolic links, devices, pipes and sockets are reported as
/// skipped. With follow_symlinks, a folder that was visited already is not entered again. Return false from
/// `visit` to stop.
void walk(const Root& root, const WalkOptions& options, const std::function<bool(const Entry&)>& visit);

/// Whether `path` is `folder` or lies in it. Both absolute.
bool lies_in(const std::string& path, const std::string& folder);

}  // namespace loam::index
