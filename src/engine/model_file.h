// Reads parts of a file that came from outside, without trusting its kind or size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "base/result.h"

namespace loam::engine {

/// An open regular file. Reads are independent: any thread.
class ReadOnlyFile {
 public:
  /// Never blocks: a FIFO, device or folder is refused (bad_request); unavailable when it cannot be opened.
  static Result<ReadOnlyFile> open(const std::filesystem::path& path);

  ReadOnlyFile(ReadOnlyFile&& other) noexcept;
  ReadOnlyFile& operator=(ReadOnlyFile&& other) noexcept;
  ~ReadOnlyFile();

  std::uint64_t size() const { return size_; }
  /// Exactly `bytes` bytes from `offset`, or an error: bad_data past the end, unavailable on a read error.
  Result<void> read_at(std::uint64_t offset, void* out, std::size_t bytes) const;

 private:
  ReadOnlyFile(int descriptor, std::uint64_t size, std::string place)
      : descriptor_(descriptor), size_(size), place_(std::move(place)) {}

  int descriptor_ = -1;
  std::uint64_t size_ = 0;
  std::string place_;
};

/// The whole of a small text file; out_of_room when it is larger than `limit_bytes`.
Result<std::string> read_small_file(const std::filesystem::path& path, std::uint64_t limit_bytes);

}  // namespace loam::engine
