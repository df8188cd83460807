#include "engine/gguf_metadata.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <unordered_set>

#include "base/utf8.h"
#include "engine/gguf_check.h"

namespace loam::engine {
namespace {

// Limits far above any real model (the largest have about 2,500 tensors and 5 MB of tokenizer text), low
// enough that a lying file cannot make us or llama.cpp, which compares names pairwise, work for long.
constexpr std::uint64_t kMaxKeys = 16384;
constexpr std::uint64_t kMaxTensors = 32768;
constexpr std::uint64_t kMaxMetadataBytes = 512ULL << 20U;
constexpr std::uint64_t kMaxStringBytes = 32ULL << 20U;
constexpr std::uint64_t kMaxKeyBytes = 1024;
constexpr std::uint64_t kMaxTensorNameBytes = 63;  // GGML_MAX_NAME is 64 with the final zero
constexpr std::uint32_t kMaxDimensions = 4;        // GGML_MAX_DIMS
constexpr std::uint64_t kMaxElements = 1ULL << 62U;
constexpr std::uint64_t kDefaultAlignment = 32;
constexpr std::uint64_t kLeastAlignment = 8;  // docs/gguf.md: a multiple of 8
constexpr std::uint64_t kMaxAlignment = 1ULL << 16U;

std::uint64_t bytes_of(GgufType type) {
  switch (type) {
    case GgufType::uint8:
    case GgufType::int8:
    case GgufType::boolean:
      return 1;
    case GgufType::uint16:
    case GgufType::int16:
      return 2;
    case GgufType::uint32:
    case GgufType::int32:
    case GgufType::float32:
      return 4;
    case GgufType::uint64:
    case GgufType::int64:
    case GgufType::float64:
      return 8;
    default:
      return 0;
  }
}

/// Reads forward through a window, so that a file is never mapped or held whole.
class Cursor {
 public:
  Cursor(GgufBytes& bytes, std::string_view place)
      : bytes_(bytes), place_(place), end_(std::min(bytes.size(), kMaxMetadataBytes)) {}

  std::uint64_t position() const { return position_; }
  std::uint64_t left() const { return end_ - position_; }

  Result<void> read(void* out, std::uint64_t count, std::string_view what) {
    if (count > left()) {
      const bool truncated = end_ == bytes_.size();
      return gguf_error(place_,
                        std::string(what) + " at byte " + std::to_string(position_) + " needs " +
                            std::to_string(count) + " bytes, " +
                            (truncated ? "but the file ends at byte " : "but metadata may not pass byte ") +
                            std::to_string(end_));
    }
    auto* target = static_cast<char*>(out);
    while (count > 0) {
      if (position_ < window_start_ || position_ >= window_start_ + window_.size()) {
        if (auto filled = fill(); !filled) return filled.error();
      }
      const auto at = static_cast<std::size_t>(position_ - window_start_);
      const auto piece = std::min<std::uint64_t>(count, window_.size() - at);
      std::memcpy(target, window_.data() + at, static_cast<std::size_t>(piece));
      target += piece;
      position_ += piece;
      count -= piece;
    }
    return done();
  }

  template <typename T>
  Result<T> number(std::string_view what) {
    T value{};
    if (auto got = read(&value, sizeof(T), what); !got) return got.error();
    return value;
  }

  Result<std::string> string(std::uint64_t limit, std::string_view what) {
    const auto length = number<std::uint64_t>(what);
    if (!length) return length.error();
    if (*length > limit || *length > left()) {
      return gguf_error(place_, std::string(what) + " at byte " + std::to_string(position_ - 8) + " claims " +
                                    std::to_string(*length) +
                                    " bytes, more than allowed or left in the file");
    }
    std::string text(static_cast<std::size_t>(*length), '\0');
    if (auto got = read(text.data(), *length, what); !got) return got.error();
    return text;
  }

 private:
  static constexpr std::uint64_t kWindowBytes = 1ULL << 18U;

  Result<void> fill() {
    window_start_ = position_;
    window_.resize(static_cast<std::size_t>(std::min(kWindowBytes, end_ - position_)));
    return bytes_.read_at(window_start_, window_.data(), window_.size());
  }

  GgufBytes& bytes_;
  std::string_view place_;
  std::uint64_t end_;
  std::uint64_t position_ = 0;
  std::uint64_t window_start_ = 0;
  std::vector<char> window_;
};

template <typename T>
void set_integer(GgufValue& value, const char* raw) {
  T number{};
  std::memcpy(&number, raw, sizeof(T));
  value.signed_value = static_cast<std::int64_t>(number);
  value.unsigned_value = static_cast<std::uint64_t>(number);
  value.number = static_cast<double>(number);
}

/// Decodes one number; false for a boolean that is neither 0 nor 1.
bool decode_number(GgufType type, const char* raw, GgufValue& value) {
  switch (type) {
    case GgufType::uint8:
      set_integer<std::uint8_t>(value, raw);
      break;
    case GgufType::int8:
      set_integer<std::int8_t>(value, raw);
      break;
    case GgufType::uint16:
      set_integer<std::uint16_t>(value, raw);
      break;
    case GgufType::int16:
      set_integer<std::int16_t>(value, raw);
      break;
    case GgufType::uint32:
      set_integer<std::uint32_t>(value, raw);
      break;
    case GgufType::int32:
      set_integer<std::int32_t>(value, raw);
      break;
    case GgufType::uint64:
      set_integer<std::uint64_t>(value, raw);
      break;
    case GgufType::int64:
      set_integer<std::int64_t>(value, raw);
      break;
    case GgufType::boolean:
      set_integer<std::uint8_t>(value, raw);
      return value.unsigned_value <= 1;
    case GgufType::float32: {
      float number = 0;
      std::memcpy(&number, raw, sizeof(number));
      value.number = number;
      break;
    }
    case GgufType::float64:
      std::memcpy(&value.number, raw, sizeof(value.number));
      break;
    default:
      return false;
  }
  return true;
}

Result<void> read_array(Cursor& cursor, GgufMetadata& out, GgufValue& value, const std::string& who,
                        std::string_view place) {
  const auto element = cursor.number<std::uint32_t>(who);
  if (!element) return element.error();
  const auto count = cursor.number<std::uint64_t>(who);
  if (!count) return count.error();
  value.is_array = true;
  value.type = static_cast<GgufType>(*element);
  value.count = *count;
  if (value.type == GgufType::array)
    return gguf_error(place, who + " is an array of arrays, which is not supported");
  if (value.type == GgufType::string) {
    if (*count > cursor.left() / 8) {
      return gguf_error(place,
                        who + " claims " + std::to_string(*count) + " strings, more than the file can hold");
    }
    // One buffer for all, with the places noted: half a million small strings would be slow.
    auto text = std::make_unique<std::string>();
    std::vector<std::size_t> ends;
    ends.reserve(static_cast<std::size_t>(*count));
    for (std::uint64_t i = 0; i < *count; ++i) {
      const auto length = cursor.number<std::uint64_t>(who);
      if (!length) return length.error();
      if (*length > kMaxStringBytes || *length > cursor.left()) {
        return gguf_error(place, who + " element " + std::to_string(i) + " claims " +
                                     std::to_string(*length) +
                                     " bytes, more than allowed or left in the file");
      }
      const std::size_t start = text->size();
      text->resize(start + static_cast<std::size_t>(*length));
      if (auto got = cursor.read(text->data() + start, *length, who); !got) return got.error();
      ends.push_back(text->size());
    }
    std::size_t start = 0;
    value.strings.reserve(ends.size());
    for (const std::size_t end : ends) {
      value.strings.push_back(std::string_view(*text).substr(start, end - start));
      start = end;
    }
    out.text.push_back(std::move(text));
    return done();
  }
  const std::uint64_t width = bytes_of(value.type);
  if (width == 0) return gguf_error(place, who + " has the unknown element type " + std::to_string(*element));
  if (*count > cursor.left() / width) {
    return gguf_error(place,
                      who + " claims " + std::to_string(*count) + " elements, more than the file can hold");
  }
  value.data_offset = cursor.position();
  char raw[8];
  for (std::uint64_t i = 0; i < *count; ++i) {
    if (auto got = cursor.read(raw, width, who); !got) return got.error();
    GgufValue one;
    if (!decode_number(value.type, raw, one))
      return gguf_error(place, who + " has a boolean that is not 0 or 1");
    if (value.is_integer() && *count <= kMaxKeptElements) value.integers.push_back(one.signed_value);
  }
  return done();
}

Result<GgufValue> read_value(Cursor& cursor, GgufMetadata& out, const std::string& key,
                             std::string_view place) {
  const std::string who = "key " + shown_name(key);
  const auto type = cursor.number<std::uint32_t>(who);
  if (!type) return type.error();
  GgufValue value;
  value.type = static_cast<GgufType>(*type);
  if (value.type == GgufType::array) {
    if (auto read = read_array(cursor, out, value, who, place); !read) return read.error();
    return value;
  }
  if (value.type == GgufType::string) {
    auto text = cursor.string(kMaxStringBytes, who);
    if (!text) return text.error();
    value.text = std::move(*text);
    return value;
  }
  const std::uint64_t width = bytes_of(value.type);
  if (width == 0) return gguf_error(place, who + " has the unknown type " + std::to_string(*type));
  char raw[8];
  if (auto got = cursor.read(raw, width, who); !got) return got.error();
  if (!decode_number(value.type, raw, value))
    return gguf_error(place, who + " is a boolean that is not 0 or 1");
  return value;
}

Result<GgufTensor> read_tensor(Cursor& cursor, std::uint64_t index, std::string_view place) {
  auto name = cursor.string(kMaxTensorNameBytes, "name of tensor " + std::to_string(index));
  if (!name) return name.error();
  GgufTensor tensor;
  tensor.name = std::move(*name);
  const std::string who = "tensor " + shown_name(tensor.name);
  if (tensor.name.empty() || tensor.name.find('\0') != std::string::npos) {
    return gguf_error(place,
                      "tensor " + std::to_string(index) + " has an empty name or one with a zero byte");
  }
  const auto dimensions = cursor.number<std::uint32_t>(who);
  if (!dimensions) return dimensions.error();
  if (*dimensions == 0 || *dimensions > kMaxDimensions) {
    return gguf_error(place, who + " has " + std::to_string(*dimensions) + " dimensions, not 1 to 4");
  }
  for (std::uint32_t i = 0; i < *dimensions; ++i) {
    const auto dimension = cursor.number<std::uint64_t>(who);
    if (!dimension) return dimension.error();
    if (*dimension == 0) return gguf_error(place, who + " has a dimension of zero");
    if (__builtin_mul_overflow(tensor.elements, *dimension, &tensor.elements) ||
        tensor.elements > kMaxElements) {
      return gguf_error(place, who + " has more elements than can be counted");
    }
    tensor.dimensions.push_back(*dimension);
  }
  const auto type = cursor.number<std::uint32_t>(who);
  if (!type) return type.error();
  tensor.type = *type;
  const GgmlTypeInfo info = ggml_type_info(*type);
  if (info.block == 0)
    return gguf_error(place, who + " has the unknown or removed type " + std::to_string(*type));
  if (tensor.dimensions[0] % info.block != 0) {
    return gguf_error(place, who + " has rows of " + std::to_string(tensor.dimensions[0]) +
                                 " elements, which do not fill blocks of " + std::to_string(info.block));
  }
  if (__builtin_mul_overflow(tensor.elements / info.block, std::uint64_t{info.bytes}, &tensor.bytes)) {
    return gguf_error(place, who + " has more bytes than can be counted");
  }
  const auto offset = cursor.number<std::uint64_t>(who);
  if (!offset) return offset.error();
  tensor.offset = *offset;
  return tensor;
}

/// llama.cpp asks that tensors follow each other without holes, each aligned.
Result<void> check_layout(const GgufMetadata& out, std::uint64_t alignment, std::string_view place) {
  const std::uint64_t data_bytes = out.file_bytes - std::min(out.file_bytes, out.data_start);
  std::uint64_t expected = 0;
  std::unordered_set<std::string_view> names;
  names.reserve(out.tensors.size());
  for (const GgufTensor& tensor : out.tensors) {
    const std::string who = "tensor " + shown_name(tensor.name);
    if (!names.insert(tensor.name).second) return gguf_error(place, who + " is there twice");
    if (tensor.offset % alignment != 0) {
      return gguf_error(place, who + " begins at byte " + std::to_string(tensor.offset) +
                                   " of the data, not aligned to " + std::to_string(alignment));
    }
    if (tensor.offset > data_bytes || tensor.bytes > data_bytes - tensor.offset) {
      return gguf_error(place, who + " lies at byte " + std::to_string(tensor.offset) + " with " +
                                   std::to_string(tensor.bytes) + " bytes, but the data has only " +
                                   std::to_string(data_bytes));
    }
    if (tensor.offset != expected) {
      return gguf_error(
          place,
          who + (tensor.offset < expected ? " overlaps the tensor before it" : " leaves a hole before it") +
              ": byte " + std::to_string(tensor.offset) + ", expected " + std::to_string(expected));
    }
    expected = (tensor.offset + tensor.bytes + alignment - 1) / alignment * alignment;
  }
  return done();
}

}  // namespace

bool GgufValue::is_integer() const {
  return type != GgufType::float32 && type != GgufType::float64 && type != GgufType::string &&
         type != GgufType::array && type != GgufType::boolean;
}

const GgufValue* GgufMetadata::find(const std::string& key) const {
  const auto found = keys.find(key);
  return found == keys.end() ? nullptr : &found->second;
}

Error gguf_error(std::string_view place, std::string message) {
  return Error{Kind::bad_data, std::string(place), std::move(message),
               "fetch the model again, or use another file"};
}

std::string shown_name(std::string_view name) {
  std::string text = to_valid_utf8(name.substr(0, utf8_floor(name, 80)));
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return "'" + text + "'";
}

Result<GgufMetadata> read_gguf_metadata(GgufBytes& bytes, std::string_view place) {
  static_assert(std::endian::native == std::endian::little, "GGUF numbers are read as they lie");
  GgufMetadata out;
  out.file_bytes = bytes.size();
  Cursor cursor(bytes, place);
  char magic[4] = {};
  if (auto got = cursor.read(magic, 4, "the magic number"); !got) return got.error();
  if (std::memcmp(magic, "GGUF", 4) != 0)
    return gguf_error(place, "this is not a GGUF: it does not begin with GGUF");
  const auto version = cursor.number<std::uint32_t>("the version");
  if (!version) return version.error();
  if ((*version & 0xFFFFU) == 0) {
    return gguf_error(place, "this GGUF is big-endian; this machine needs a little-endian one");
  }
  if (*version < 2 || *version > 3) {
    return gguf_error(place, "GGUF version " + std::to_string(*version) + " is not supported, only 2 and 3");
  }
  out.version = *version;
  const auto tensor_count = cursor.number<std::uint64_t>("the tensor count");
  if (!tensor_count) return tensor_count.error();
  const auto key_count = cursor.number<std::uint64_t>("the key count");
  if (!key_count) return key_count.error();
  if (*tensor_count > kMaxTensors || *tensor_count > out.file_bytes / 32) {
    return gguf_error(place, "the file claims " + std::to_string(*tensor_count) +
                                 " tensors, more than allowed or possible");
  }
  if (*key_count > kMaxKeys || *key_count > out.file_bytes / 13) {
    return gguf_error(
        place, "the file claims " + std::to_string(*key_count) + " keys, more than allowed or possible");
  }
  for (std::uint64_t i = 0; i < *key_count; ++i) {
    auto key = cursor.string(kMaxKeyBytes, "key " + std::to_string(i));
    if (!key) return key.error();
    if (key->empty() || key->find('\0') != std::string::npos) {
      return gguf_error(place, "key " + std::to_string(i) + " is empty or has a zero byte");
    }
    auto value = read_value(cursor, out, *key, place);
    if (!value) return value.error();
    if (!out.keys.emplace(*key, std::move(*value)).second) {
      return gguf_error(place, "key " + shown_name(*key) + " is there twice");
    }
  }
  std::uint64_t alignment = kDefaultAlignment;
  if (const GgufValue* value = out.find("general.alignment")) {
    alignment = value->unsigned_value;
    if (value->is_array || value->type != GgufType::uint32 || alignment < kLeastAlignment ||
        alignment > kMaxAlignment || !std::has_single_bit(alignment)) {
      return gguf_error(place, "general.alignment is not a power of two between 8 and 65536");
    }
  }
  out.tensors.reserve(static_cast<std::size_t>(*tensor_count));
  for (std::uint64_t i = 0; i < *tensor_count; ++i) {
    auto tensor = read_tensor(cursor, i, place);
    if (!tensor) return tensor.error();
    out.tensors.push_back(std::move(*tensor));
  }
  out.metadata_bytes = cursor.position();
  out.data_start = (cursor.position() + alignment - 1) / alignment * alignment;
  if (auto checked = check_layout(out, alignment, place); !checked) return checked.error();
  return out;
}

}  // namespace loam::engine
