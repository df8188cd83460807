#include "baseline/packed.h"

#include <bit>
#include <cmath>

#include "base/hash.h"

namespace loam::baseline {
namespace {
constexpr std::size_t kKindBytes = 8;
constexpr std::size_t kHeaderBytes = kKindBytes + 4 + 8;
constexpr std::size_t kChecksumBytes = 64;
}  // namespace

void PackedWriter::fixed(std::uint64_t value, int size) {
  for (int i = 0; i < size; ++i) bytes_ += static_cast<char>((value >> (8 * i)) & 0xFFU);
}

void PackedWriter::varint(std::uint64_t value) {
  while (value >= 0x80U) {
    bytes_ += static_cast<char>((value & 0x7FU) | 0x80U);
    value >>= 7U;
  }
  bytes_ += static_cast<char>(value);
}

void PackedWriter::f32(float value) { u32(std::bit_cast<std::uint32_t>(value)); }
void PackedWriter::f64(double value) { u64(std::bit_cast<std::uint64_t>(value)); }

void PackedWriter::text(std::string_view value) {
  varint(value.size());
  bytes_ += value;
}

void PackedWriter::floats(std::span<const float> values) {
  varint(values.size());
  for (const float value : values) f32(value);
}

std::uint64_t PackedReader::fixed(int size) {
  if (rest_.size() < static_cast<std::size_t>(size)) {
    ok_ = false;
    rest_ = {};
    return 0;
  }
  std::uint64_t value = 0;
  for (int i = 0; i < size; ++i) {
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(rest_[static_cast<std::size_t>(i)]))
             << (8 * i);
  }
  rest_.remove_prefix(static_cast<std::size_t>(size));
  return value;
}

std::uint64_t PackedReader::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const std::uint64_t byte = fixed(1);
    value |= (byte & 0x7FU) << shift;
    if ((byte & 0x80U) == 0) return value;
  }
  ok_ = false;
  return 0;
}

float PackedReader::f32() { return std::bit_cast<float>(u32()); }
double PackedReader::f64() { return std::bit_cast<double>(u64()); }

std::size_t PackedReader::count(std::size_t least_bytes) {
  const std::uint64_t value = varint();
  if (value > rest_.size() / (least_bytes == 0 ? 1 : least_bytes)) {
    ok_ = false;
    return 0;
  }
  return static_cast<std::size_t>(value);
}

std::string_view PackedReader::text() {
  const std::size_t size = count(1);
  const std::string_view value = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return value;
}

std::vector<float> PackedReader::floats() {
  std::vector<float> values(count(4));
  for (float& value : values) {
    value = f32();
    if (!std::isfinite(value)) ok_ = false;
  }
  return values;
}

void append_section(std::string& out, std::string_view kind, std::uint32_t version,
                    std::string_view payload) {
  PackedWriter header;
  for (std::size_t i = 0; i < kKindBytes; ++i) {
    header.u8(i < kind.size() ? static_cast<std::uint8_t>(kind[i]) : std::uint8_t{' '});
  }
  header.u32(version);
  header.u64(payload.size());
  Sha256 hash;
  hash.add(header.bytes());
  hash.add(payload);
  out += header.bytes();
  out += payload;
  out += hash.hex();
}

Error damaged(std::string_view kind, std::string_view what) {
  return Error{Kind::bad_data, std::string(kind), std::string(what), "fit it again from its data"};
}

Result<std::string_view> take_section(std::string_view& in, std::string_view kind, std::uint32_t newest,
                                      std::uint32_t* version) {
  std::string padded_kind(kind);
  padded_kind.resize(kKindBytes, ' ');
  if (in.size() < kHeaderBytes + kChecksumBytes) return damaged(kind, "the file ends too early");
  if (in.substr(0, kKindBytes) != padded_kind) return damaged(kind, "something else stands in its place");
  PackedReader header(in.substr(kKindBytes, kHeaderBytes - kKindBytes));
  const std::uint32_t found = header.u32();
  const std::uint64_t length = header.u64();
  if (found == 0 || found > newest) {
    return Error{
        Kind::bad_data, std::string(kind),
        "it is of version " + std::to_string(found) + ", and this program knows " + std::to_string(newest),
        "use a newer loam, or fit it again from its data"};
  }
  if (length > in.size() - kHeaderBytes - kChecksumBytes) return damaged(kind, "the file ends too early");
  const std::size_t end = kHeaderBytes + static_cast<std::size_t>(length);
  if (sha256_hex(in.substr(0, end)) != in.substr(end, kChecksumBytes)) {
    return damaged(kind, "its checksum is wrong: the file was altered or damaged");
  }
  const std::string_view payload = in.substr(kHeaderBytes, static_cast<std::size_t>(length));
  in.remove_prefix(end + kChecksumBytes);
  if (version != nullptr) *version = found;
  return payload;
}

}  // namespace loam::baseline
