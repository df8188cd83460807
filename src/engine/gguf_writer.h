// Writes GGUF version 3 files: keys first, then the tensor list, then the tensors' bytes, one after another.
// The format is described in ggml's docs/gguf.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace loam::engine {

/// Collects a file's metadata and writes it in one go. Keys and names are not checked for doubles: callers
/// own them, and check_gguf() reads every file that is made here.
class GgufWriter {
 public:
  void set(std::string_view key, std::uint32_t value);
  void set(std::string_view key, std::uint64_t value);
  void set(std::string_view key, float value);
  void set(std::string_view key, bool value);
  void set(std::string_view key, std::string_view value);
  void set(std::string_view key, const char* value) { set(key, std::string_view(value)); }
  void set(std::string_view key, std::span<const std::string> values);
  void set(std::string_view key, std::span<const std::int32_t> values);
  void set(std::string_view key, std::span<const float> values);

  /// `dimensions` innermost first, as ggml counts; `type` a ggml type number; `bytes` of its data. Returns
  /// its index.
  std::size_t add_tensor(std::string_view name, std::vector<std::uint64_t> dimensions, std::uint32_t type,
                         std::uint64_t bytes);

  /// Gives the bytes of tensor `index`, exactly as many as were announced.
  using TensorBytes = std::function<Result<std::string>(std::size_t index)>;
  /// Writes beside `path` first and renames at the end, so that a failure leaves nothing behind.
  Result<std::uint64_t> write(const std::filesystem::path& path, const TensorBytes& bytes_of) const;

  /// The header, keys and tensor list, padded to where the data begins.
  std::string metadata() const;

  static constexpr std::uint64_t kAlignment = 32;

 private:
  struct Tensor {
    std::string name;
    std::vector<std::uint64_t> dimensions;
    std::uint32_t type = 0;
    std::uint64_t bytes = 0;
    std::uint64_t offset = 0;
  };

  void begin(std::string_view key, std::uint32_t type);
  void begin_array(std::string_view key, std::uint32_t type, std::size_t count);

  std::string keys_;
  std::uint64_t key_count_ = 0;
  std::vector<Tensor> tensors_;
  std::uint64_t data_bytes_ = 0;
};

}  // namespace loam::engine
