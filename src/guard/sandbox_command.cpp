// How bubblewrap is called, and what of it this machine has.
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>

#include "guard/sandbox_start.h"

namespace loam::guard {
namespace fs = std::filesystem;
namespace {

constexpr int kMostDescriptors = 64;

/// Debian's merged /usr has links in the root; older systems have folders.
void add_system_folder(std::vector<std::string>& words, const std::string& path) {
  std::error_code failure;
  const fs::file_status status = fs::symlink_status(path, failure);
  if (failure) return;
  if (fs::is_symlink(status)) {
    const fs::path target = fs::read_symlink(path, failure);
    if (!failure) words.insert(words.end(), {"--symlink", target.string(), path});
  } else if (fs::is_directory(status)) {
    words.insert(words.end(), {"--ro-bind", path, path});
  }
}

}  // namespace

int landlock_version() {
#ifdef SYS_landlock_create_ruleset
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version > 0 ? static_cast<int>(version) : 0;
#else
  return 0;
#endif
}

std::string find_bubblewrap() {
  // Only where an administrator puts programs: one from the user's PATH could be anybody's.
  for (const char* path : {"/usr/bin/bwrap", "/bin/bwrap", "/usr/local/bin/bwrap"}) {
    struct stat info {};
    if (::stat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == 0 && (info.st_mode & 022) == 0 &&
        ::access(path, X_OK) == 0) {
      return path;
    }
  }
  return "";
}

std::vector<std::string> sandbox_command(const std::string& bubblewrap, const SandboxRequest& request) {
  const SandboxLimits& limits = request.limits;
  std::vector<std::string> words = {
      bubblewrap,
      // Every namespace there is; the one of users is asked for by name, for
      // --unshare-all would go on without it.
      "--unshare-all", "--unshare-user", "--uid", "1000", "--gid", "1000", "--hostname", "sandbox",
      "--new-session", "--die-with-parent", "--cap-drop", "ALL", "--clearenv", "--setenv", "PATH",
      "/usr/local/bin:/usr/bin:/bin", "--setenv", "HOME", "/box", "--setenv", "LANG", "C.UTF-8", "--setenv",
      "TMPDIR", "/box", "--ro-bind", "/usr", "/usr"};
  for (const char* path : {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}) {
    add_system_folder(words, path);
  }
  // Of /etc only what the loader and Debian's alternatives need: no accounts, no host names, no keys.
  for (const char* path : {"/etc/ld.so.cache", "/etc/alternatives"}) {
    words.insert(words.end(), {"--ro-bind-try", path, path});
  }
  // No /proc: nothing of the host's processes or settings, and it works where a container masks /proc. A few
  // devices by hand in place of --dev, whose file system would be writable and of any size.
  for (const char* path : {"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"}) {
    words.insert(words.end(), {"--dev-bind", path, path});
  }
  words.insert(words.end(),
               {"--perms", "0700", "--size", std::to_string(limits.file_bytes), "--tmpfs", "/box"});
  for (std::size_t i = 0; i < request.files.size(); ++i) {
    words.insert(words.end(),
                 {"--perms", "0644", "--file", std::to_string(kFirstFileFd + static_cast<int>(i)),
                  "/box/" + request.files[i].first});
  }
  words.insert(words.end(), {"--perms", "0555", "--file", std::to_string(kStartFd), "/start", "--remount-ro",
                             "/", "--chdir", "/box", "--info-fd", std::to_string(kInfoFd), "--seccomp",
                             std::to_string(kFilterFd), "--", "/start"});
  words.push_back(std::to_string(limits.memory_bytes));
  words.push_back(std::to_string(limits.cpu_seconds));
  words.push_back(std::to_string(limits.file_bytes));
  words.push_back(std::to_string(limits.processes));
  words.push_back(std::to_string(kMostDescriptors));
  words.push_back(std::to_string(std::min(landlock_version(), 6)));
  words.insert(words.end(), request.command.begin(), request.command.end());
  return words;
}

}  // namespace loam::guard
