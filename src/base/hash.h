// SHA-256 (FIPS 180-4, by OpenSSL's libcrypto): content addresses of files, models and settings.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace loam {

/// 64 lower-case hex digits.
std::string sha256_hex(std::string_view bytes);

/// Hash of a file's bytes, read in pieces. Fails with unavailable when it cannot be read.
Result<std::string> sha256_hex_of_file(const std::filesystem::path& path);

/// Hashes a stream piece by piece.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void add(std::string_view bytes);
  /// The digest of all bytes added; the object is used up.
  std::string hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace loam
