#include "engine/gguf_writer.h"

#include <bit>
#include <cstring>

#include "engine/part_file.h"

namespace loam::engine {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF files are little-endian");

// Value types of GGUF version 3.
constexpr std::uint32_t kUint32 = 4;
constexpr std::uint32_t kInt32 = 5;
constexpr std::uint32_t kFloat32 = 6;
constexpr std::uint32_t kBool = 7;
constexpr std::uint32_t kString = 8;
constexpr std::uint32_t kArray = 9;
constexpr std::uint32_t kUint64 = 10;

template <typename T>
void append(std::string& out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

void append_string(std::string& out, std::string_view text) {
  append<std::uint64_t>(out, text.size());
  out += text;
}

std::uint64_t padded(std::uint64_t bytes) {
  return (bytes + GgufWriter::kAlignment - 1) / GgufWriter::kAlignment * GgufWriter::kAlignment;
}

}  // namespace

void GgufWriter::begin(std::string_view key, std::uint32_t type) {
  append_string(keys_, key);
  append(keys_, type);
  ++key_count_;
}

void GgufWriter::begin_array(std::string_view key, std::uint32_t type, std::size_t count) {
  begin(key, kArray);
  append(keys_, type);
  append<std::uint64_t>(keys_, count);
}

void GgufWriter::set(std::string_view key, std::uint32_t value) {
  begin(key, kUint32);
  append(keys_, value);
}

void GgufWriter::set(std::string_view key, std::uint64_t value) {
  begin(key, kUint64);
  append(keys_, value);
}

void GgufWriter::set(std::string_view key, float value) {
  begin(key, kFloat32);
  append(keys_, value);
}

void GgufWriter::set(std::string_view key, bool value) {
  begin(key, kBool);
  append<std::uint8_t>(keys_, value ? 1 : 0);
}

void GgufWriter::set(std::string_view key, std::string_view value) {
  begin(key, kString);
  append_string(keys_, value);
}

void GgufWriter::set(std::string_view key, std::span<const std::string> values) {
  begin_array(key, kString, values.size());
  for (const std::string& value : values) append_string(keys_, value);
}

void GgufWriter::set(std::string_view key, std::span<const std::int32_t> values) {
  begin_array(key, kInt32, values.size());
  for (const std::int32_t value : values) append(keys_, value);
}

void GgufWriter::set(std::string_view key, std::span<const float> values) {
  begin_array(key, kFloat32, values.size());
  for (const float value : values) append(keys_, value);
}

std::size_t GgufWriter::add_tensor(std::string_view name, std::vector<std::uint64_t> dimensions,
                                   std::uint32_t type, std::uint64_t bytes) {
  tensors_.push_back({std::string(name), std::move(dimensions), type, bytes, data_bytes_});
  data_bytes_ += padded(bytes);
  return tensors_.size() - 1;
}

std::string GgufWriter::metadata() const {
  std::string out = "GGUF";
  append<std::uint32_t>(out, 3);
  append<std::uint64_t>(out, tensors_.size());
  append<std::uint64_t>(out, key_count_);
  out += keys_;
  for (const Tensor& tensor : tensors_) {
    append_string(out, tensor.name);
    append(out, static_cast<std::uint32_t>(tensor.dimensions.size()));
    for (const std::uint64_t dimension : tensor.dimensions) append(out, dimension);
    append(out, tensor.type);
    append(out, tensor.offset);
  }
  out.resize(static_cast<std::size_t>(padded(out.size())), '\0');
  return out;
}

Result<std::uint64_t> GgufWriter::write(const std::filesystem::path& path,
                                        const TensorBytes& bytes_of) const {
  PartFile file(path);
  if (!file.is_open()) return file.failure("the file cannot be created");
  const std::string head = metadata();
  if (auto put = file.add(head); !put) return put.error();
  const std::string zeros(kAlignment, '\0');
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const auto bytes = bytes_of(i);
    if (!bytes) return bytes.error();
    if (bytes->size() != tensors_[i].bytes) {
      return Error{Kind::our_bug, tensors_[i].name,
                   "tensor has " + std::to_string(bytes->size()) + " bytes, announced were " +
                       std::to_string(tensors_[i].bytes),
                   "please report this"};
    }
    if (auto put = file.add(*bytes); !put) return put.error();
    const std::uint64_t padding = padded(bytes->size()) - bytes->size();
    if (auto put = file.add(std::string_view(zeros).substr(0, static_cast<std::size_t>(padding))); !put) {
      return put.error();
    }
  }
  if (auto placed = file.put_in_place(); !placed) return placed.error();
  return head.size() + data_bytes_;
}

}  // namespace loam::engine
