#include "engine/model_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace loam::engine {

Result<ReadOnlyFile> ReadOnlyFile::open(const std::filesystem::path& path) {
  // O_NONBLOCK so that opening a FIFO without a writer returns instead of waiting.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  if (descriptor < 0) {
    const int reason = errno;
    return Error{reason == ENOENT ? Kind::bad_request : Kind::unavailable, path.string(),
                 std::string("the file cannot be opened: ") + std::strerror(reason),
                 "check the path and its permissions"};
  }
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    return Error{Kind::bad_request, path.string(), "this is not a regular file", "name a file"};
  }
  return ReadOnlyFile(descriptor, static_cast<std::uint64_t>(status.st_size), path.string());
}

ReadOnlyFile::ReadOnlyFile(ReadOnlyFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_),
      place_(std::move(other.place_)) {}

ReadOnlyFile& ReadOnlyFile::operator=(ReadOnlyFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  std::swap(place_, other.place_);
  return *this;
}

ReadOnlyFile::~ReadOnlyFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<void> ReadOnlyFile::read_at(std::uint64_t offset, void* out, std::size_t bytes) const {
  if (offset > size_ || bytes > size_ - offset) {
    return Error{Kind::bad_data, place_,
                 "the file ends at byte " + std::to_string(size_) + " but " + std::to_string(bytes) +
                     " bytes from byte " + std::to_string(offset) + " are needed",
                 "fetch the file again"};
  }
  std::size_t done_bytes = 0;
  while (done_bytes < bytes) {
    const ssize_t got = ::pread(descriptor_, static_cast<char*>(out) + done_bytes, bytes - done_bytes,
                                static_cast<off_t>(offset + done_bytes));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      return Error{Kind::unavailable, place_,
                   got < 0 ? std::string("reading failed: ") + std::strerror(errno)
                           : std::string("the file became shorter while it was read"),
                   "check the disk and try again"};
    }
    done_bytes += static_cast<std::size_t>(got);
  }
  return done();
}

Result<std::string> read_small_file(const std::filesystem::path& path, std::uint64_t limit_bytes) {
  auto file = ReadOnlyFile::open(path);
  if (!file) return file.error();
  if (file->size() > limit_bytes) {
    return Error{Kind::out_of_room, path.string(),
                 "the file has " + std::to_string(file->size()) + " bytes, more than the limit of " +
                     std::to_string(limit_bytes),
                 "check that this is the right file"};
  }
  std::string text(static_cast<std::size_t>(file->size()), '\0');
  if (auto read = file->read_at(0, text.data(), text.size()); !read) return read.error();
  return text;
}

}  // namespace loam::engine
