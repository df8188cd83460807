// Reads safetensors files: eight bytes of header length, a JSON header, then the tensors' bytes. Format:
// https://github.com/huggingface/safetensors, section "Format". Nothing in the header is trusted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace loam::engine {

enum class SafetensorType : std::uint8_t { f64, f32, f16, bf16, i64, i32, i16, i8, u8, boolean };

struct SafetensorInfo {
  std::string name;
  SafetensorType type = SafetensorType::f32;
  std::vector<std::uint64_t> shape;  ///< row-major, outermost first; empty for a scalar
  std::uint64_t elements = 1;
  std::uint64_t offset = 0;  ///< of its first byte in its file
  std::uint64_t bytes = 0;
  std::size_t file = 0;  ///< which of the opened files it lies in
};

/// One model's tensors: one file, or the several that a model.safetensors.index.json names. Reads are
/// independent: any thread.
class Safetensors {
 public:
  /// A .safetensors file, or a folder with model.safetensors or model.safetensors.index.json. bad_data names
  /// file and tensor when offsets overlap, leave gaps, run past the file or do not match shape and type.
  static Result<Safetensors> open(const std::filesystem::path& file_or_folder);

  Safetensors(Safetensors&&) noexcept;
  Safetensors& operator=(Safetensors&&) noexcept;
  ~Safetensors();

  /// In order of their place in the files.
  const std::vector<SafetensorInfo>& tensors() const;
  /// nullptr when there is none.
  const SafetensorInfo* find(std::string_view name) const;
  /// All elements as float. f64 is rounded; integer types are refused.
  Result<std::vector<float>> read_f32(const SafetensorInfo& tensor) const;
  /// Total bytes of the opened files.
  std::uint64_t file_bytes() const;

 private:
  struct Files;
  explicit Safetensors(std::unique_ptr<Files> files);
  std::unique_ptr<Files> files_;
};

/// The header of one file's bytes, checked; for tests and the fuzzer. `file_bytes` is the size of the whole.
Result<std::vector<SafetensorInfo>> parse_safetensors_header(std::string_view start_of_file,
                                                             std::uint64_t file_bytes,
                                                             std::string_view place);

}  // namespace loam::engine
