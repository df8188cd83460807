#include "train/durable_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace loam::train {
namespace {

Result<void> write_all(int file, std::string_view bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return file_error(path, written == 0 ? ENOSPC : errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(file) != 0) return file_error(path, errno);
  return done();
}

}  // namespace

Error file_error(const std::filesystem::path& path, int code) {
  const bool full = code == ENOSPC || code == EDQUOT || code == EFBIG;
  return {full ? Kind::out_of_room : Kind::unavailable, path.string(), std::strerror(code),
          full ? "make room on the disk, then run again" : "check the folder and its rights"};
}

Result<void> write_durably(const std::filesystem::path& path, std::string_view bytes) {
  const std::filesystem::path beside = path.string() + ".part";
  const int file = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return file_error(beside, errno);
  auto written = write_all(file, bytes, path);
  if (::close(file) != 0 && written) written = file_error(path, errno);
  if (written && ::rename(beside.c_str(), path.c_str()) != 0) written = file_error(path, errno);
  if (!written) {
    ::unlink(beside.c_str());
    return written;
  }
  std::filesystem::path folder = path.parent_path();
  if (folder.empty()) folder = ".";
  const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory >= 0) {
    ::fsync(directory);  // the new name survives a power cut; some file systems cannot, which is no failure
    ::close(directory);
  }
  return done();
}

}  // namespace loam::train
