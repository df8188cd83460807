// A file that appears whole or not at all.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace loam::engine {

/// A file under a temporary name; removed unless it was put in place.
class PartFile {
 public:
  explicit PartFile(const std::filesystem::path& final_path)
      : final_path_(final_path), path_(final_path.string() + ".part-" + std::to_string(::getpid())) {
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  }
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;
  ~PartFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!placed_) ::unlink(path_.c_str());
  }

  bool is_open() const { return descriptor_ >= 0; }

  Result<void> add(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t put = ::write(descriptor_, bytes.data(), bytes.size());
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return failure("writing failed");
      bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    return done();
  }

  Result<void> put_in_place() {
    if (::fsync(descriptor_) != 0) return failure("writing failed");
    const int closed = ::close(descriptor_);
    descriptor_ = -1;
    if (closed != 0) return failure("writing failed");
    if (::rename(path_.c_str(), final_path_.c_str()) != 0) return failure("renaming failed");
    placed_ = true;
    return done();
  }

  Error failure(std::string_view what) const {
    const int reason = errno;
    const bool no_room = reason == ENOSPC || reason == EDQUOT || reason == EFBIG;
    return Error{no_room ? Kind::out_of_room : Kind::unavailable, final_path_.string(),
                 std::string(what) + ": " + std::strerror(reason),
                 no_room ? "free disk space and try again" : "check the folder and its permissions"};
  }

 private:
  std::filesystem::path final_path_;
  std::string path_;
  int descriptor_ = -1;
  bool placed_ = false;
};

}  // namespace loam::engine
