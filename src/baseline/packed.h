// How fitted models are written to files: little-endian numbers in sections that carry their kind, version,
// length and checksum. Reading believes nothing: a damaged or hostile file is an error, never a crash.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace loam::baseline {

class PackedWriter {
 public:
  void u8(std::uint8_t value) { bytes_ += static_cast<char>(value); }
  void u32(std::uint32_t value) { fixed(value, 4); }
  void u64(std::uint64_t value) { fixed(value, 8); }
  void varint(std::uint64_t value);  ///< seven bits a byte, lowest first (LEB128)
  void f32(float value);
  void f64(double value);
  void text(std::string_view value);           ///< length, bytes
  void floats(std::span<const float> values);  ///< count, values
  const std::string& bytes() const { return bytes_; }

 private:
  void fixed(std::uint64_t value, int size);
  std::string bytes_;
};

/// After the first read beyond the end everything reads as zero and ok() is false.
class PackedReader {
 public:
  explicit PackedReader(std::string_view bytes) : rest_(bytes) {}
  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  std::size_t left() const { return rest_.size(); }
  std::uint8_t u8() { return static_cast<std::uint8_t>(fixed(1)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(fixed(4)); }
  std::uint64_t u64() { return fixed(8); }
  std::uint64_t varint();
  float f32();
  double f64();
  std::string_view text();
  /// Finite numbers only.
  std::vector<float> floats();
  /// A count of things that take at least `least_bytes` each: more than the rest can hold is refused before
  /// anything is allocated.
  std::size_t count(std::size_t least_bytes);
  void fail() { ok_ = false; }

 private:
  std::uint64_t fixed(int size);
  std::string_view rest_;
  bool ok_ = true;
};

/// `kind` has 8 bytes. Appends kind, version, length, payload, and the SHA-256 (hex) of all these.
void append_section(std::string& out, std::string_view kind, std::uint32_t version, std::string_view payload);

/// The payload of the section at the front of `in`, which is then moved past it. bad_data for another kind, a
/// version above `newest`, a length beyond the end, or a wrong checksum.
Result<std::string_view> take_section(std::string_view& in, std::string_view kind, std::uint32_t newest,
                                      std::uint32_t* version = nullptr);

/// The error for a section whose checksum is right but whose contents cannot be.
Error damaged(std::string_view kind, std::string_view what);

}  // namespace loam::baseline
