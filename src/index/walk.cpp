#include "index/walk.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <system_error>

#include "base/utf8.h"

namespace loam::index {

namespace fs = std::filesystem;

namespace {

std::string kind_of_special(mode_t mode) {
  if (S_ISFIFO(mode)) return "named pipe";
  if (S_ISSOCK(mode)) return "socket";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "device";
  return "not a regular file";
}

std::string source_name(const fs::path& relative) { return to_valid_utf8(relative.generic_string()); }

class Walker {
 public:
  Walker(const Root& root, const WalkOptions& options, const std::function<bool(const Entry&)>& visit)
      : root_(root), options_(options), visit_(visit) {}

  void run() {
    if (root_.state == Root::State::file) {
      look_at(root_.path, root_.path.filename());
      return;
    }
    struct stat status {};
    if (::stat(root_.path.c_str(), &status) == 0) entered_.insert({status.st_dev, status.st_ino});
    folder(root_.path, {});
  }

 private:
  bool report(EntryKind kind, const fs::path& path, const fs::path& relative, std::string reason) {
    Entry entry;
    entry.kind = kind;
    entry.path = path;
    entry.source = source_name(relative);
    entry.root = root_.path.string();
    entry.reason = std::move(reason);
    return visit_(entry);
  }

  /// False: the visitor wants to stop.
  bool folder(const fs::path& path, const fs::path& relative) {
    std::error_code failed;
    std::vector<std::string> names;
    for (fs::directory_iterator at(path, failed), end; !failed && at != end; at.increment(failed)) {
      names.push_back(at->path().filename().string());
    }
    if (failed) {
      return report(EntryKind::unreadable, path, relative.empty() ? path.filename() : relative,
                    "the folder cannot be read: " + failed.message());
    }
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
      if (!options_.include_hidden && name.front() == '.') continue;
      if (!look_at(path / name, relative / name)) return false;
    }
    return true;
  }

  bool look_at(const fs::path& path, const fs::path& relative) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) {
      return report(EntryKind::unreadable, path, relative,
                    std::string("it cannot be looked at: ") + std::strerror(errno));
    }
    if (S_ISLNK(status.st_mode)) {
      if (!options_.follow_symlinks) return report(EntryKind::skipped, path, relative, "symbolic link");
      std::error_code failed;
      const fs::path target = fs::canonical(path, failed);
      if (failed || ::stat(target.c_str(), &status) != 0) {
        return report(EntryKind::skipped, path, relative, "symbolic link that leads nowhere or in a circle");
      }
      return enter(target, relative, status);
    }
    return enter(path, relative, status);
  }

  bool enter(const fs::path& path, const fs::path& relative, const struct stat& status) {
    if (S_ISDIR(status.st_mode)) {
      // Each folder once, however many links lead to it: loops end here.
      if (!entered_.insert({status.st_dev, status.st_ino}).second) {
        return report(EntryKind::skipped, path, relative, "folder that was visited already");
      }
      return folder(path, relative);
    }
    if (!S_ISREG(status.st_mode))
      return report(EntryKind::skipped, path, relative, kind_of_special(status.st_mode));
    Entry entry;
    entry.path = path;
    entry.source = source_name(relative);
    entry.root = root_.path.string();
    entry.size = status.st_size;
    entry.mtime_ns =
        static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec;
    return visit_(entry);
  }

  const Root& root_;
  const WalkOptions& options_;
  const std::function<bool(const Entry&)>& visit_;
  std::set<std::pair<dev_t, ino_t>> entered_;
};

Root resolve(const fs::path& named) {
  Root root;
  root.named = named;
  std::error_code failed;
  root.path = fs::canonical(named, failed);
  if (failed) {
    root.state = failed == std::errc::no_such_file_or_directory || failed == std::errc::not_a_directory
                     ? Root::State::missing
                     : Root::State::unreadable;
    root.reason = failed.message();
    std::error_code ignored;
    const fs::path absolute = fs::absolute(named, ignored).lexically_normal();
    // The folder may still be there under its real name: documents are known by real paths.
    const fs::path folder = fs::canonical(absolute.parent_path(), ignored);
    root.path = ignored ? absolute : folder / absolute.filename();
    return root;
  }
  root.state = fs::is_directory(root.path, failed) ? Root::State::folder : Root::State::file;
  return root;
}

}  // namespace

bool lies_in(const std::string& path, const std::string& folder) {
  if (!path.starts_with(folder)) return false;
  return path.size() == folder.size() || folder.back() == '/' || path[folder.size()] == '/';
}

std::vector<Root> resolve_roots(const std::vector<fs::path>& paths) {
  std::vector<Root> roots;
  for (const fs::path& named : paths) roots.push_back(resolve(named));
  std::vector<Root> kept;
  for (std::size_t i = 0; i < roots.size(); ++i) {
    bool inside = false;
    for (std::size_t j = 0; j < roots.size() && !inside; ++j) {
      const bool same = roots[i].path == roots[j].path;
      inside = i != j && (same ? j < i
                               : roots[j].state == Root::State::folder &&
                                     lies_in(roots[i].path.string(), roots[j].path.string()));
    }
    // What is hidden inside the other root would be passed over there, so it stays when it was named.
    const std::string relative = roots[i].path.string();
    const bool hidden = relative.find("/.") != std::string::npos;
    if (!inside || (hidden && roots[i].state != Root::State::missing)) kept.push_back(roots[i]);
  }
  return kept;
}

void walk(const Root& root, const WalkOptions& options, const std::function<bool(const Entry&)>& visit) {
  if (root.state == Root::State::folder || root.state == Root::State::file)
    Walker(root, options, visit).run();
}

}  // namespace loam::index
