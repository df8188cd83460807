// The structure of a GGUF, read without trust: every count, length and offset is held against the file's size
// before it is used. What the values mean is checked in gguf_check.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace loam::engine {

/// Value types of GGUF (docs/gguf.md).
enum class GgufType : std::uint32_t {
  uint8 = 0,
  int8 = 1,
  uint16 = 2,
  int16 = 3,
  uint32 = 4,
  int32 = 5,
  float32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  uint64 = 10,
  int64 = 11,
  float64 = 12,
};

/// Where the bytes come from: a file, or memory.
class GgufBytes {
 public:
  virtual ~GgufBytes() = default;
  virtual std::uint64_t size() const = 0;
  /// Exactly `bytes` bytes; the caller has checked that they are there.
  virtual Result<void> read_at(std::uint64_t offset, void* out, std::size_t bytes) = 0;
};

/// One key's value. Small numeric arrays are kept whole, string arrays as views into GgufMetadata::text.
struct GgufValue {
  GgufType type = GgufType::uint8;  ///< of the value, or of the elements of an array
  bool is_array = false;
  std::uint64_t count = 1;                ///< elements of an array
  std::uint64_t data_offset = 0;          ///< of an array of numbers: where in the file its elements begin
  std::uint64_t unsigned_value = 0;       ///< integers and booleans that are not negative
  std::int64_t signed_value = 0;          ///< integers
  double number = 0;                      ///< numbers of any type
  std::string text;                       ///< strings
  std::vector<std::int64_t> integers;     ///< integer arrays of at most kMaxKeptElements
  std::vector<std::string_view> strings;  ///< string arrays

  bool is_integer() const;
  bool is_negative() const { return is_integer() && signed_value < 0; }
};

struct GgufTensor {
  std::string name;
  std::vector<std::uint64_t> dimensions;  ///< innermost first
  std::uint32_t type = 0;
  std::uint64_t elements = 1;
  std::uint64_t offset = 0;  ///< in the data section
  std::uint64_t bytes = 0;
};

struct GgufMetadata {
  std::uint32_t version = 0;
  std::unordered_map<std::string, GgufValue> keys;
  std::vector<GgufTensor> tensors;
  std::uint64_t data_start = 0;
  std::uint64_t metadata_bytes = 0;
  std::uint64_t file_bytes = 0;
  std::vector<std::unique_ptr<std::string>> text;  ///< owns what GgufValue::strings point to

  const GgufValue* find(const std::string& key) const;
};

inline constexpr std::size_t kMaxKeptElements = 4096;

Result<GgufMetadata> read_gguf_metadata(GgufBytes& bytes, std::string_view place);

/// A refusal that names the byte, key or tensor.
Error gguf_error(std::string_view place, std::string message);
/// A name from a file as it may appear in an error: printable and short.
std::string shown_name(std::string_view name);

}  // namespace loam::engine
