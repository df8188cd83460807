#include "engine/safetensors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>

#include "base/utf8.h"
#include "engine/json_files.h"
#include "engine/model_file.h"
#include "ggml.h"

namespace loam::engine {
namespace {

// The limit of the reference implementation (safetensors 0.4, MAX_HEADER_SIZE).
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::size_t kMaxDimensions = 8;
constexpr std::size_t kMaxFiles = 1024;

struct TypeRow {
  std::string_view name;
  SafetensorType type;
  std::uint64_t bytes;
};
constexpr TypeRow kTypes[] = {
    {"F64", SafetensorType::f64, 8},      {"F32", SafetensorType::f32, 4}, {"F16", SafetensorType::f16, 2},
    {"BF16", SafetensorType::bf16, 2},    {"I64", SafetensorType::i64, 8}, {"I32", SafetensorType::i32, 4},
    {"I16", SafetensorType::i16, 2},      {"I8", SafetensorType::i8, 1},   {"U8", SafetensorType::u8, 1},
    {"BOOL", SafetensorType::boolean, 1},
};

Error damaged(std::string_view place, std::string message) {
  return Error{Kind::bad_data, std::string(place), std::move(message), "fetch the file again"};
}

bool multiply(std::uint64_t a, std::uint64_t b, std::uint64_t& product) {
  return !__builtin_mul_overflow(a, b, &product);
}

/// A name as it may appear in an error: printable and short.
std::string shown(std::string_view name) {
  return "'" + to_valid_utf8(name.substr(0, utf8_floor(name, 100))) + "'";
}

Result<SafetensorInfo> parse_tensor(const std::string& name, const nlohmann::json& entry,
                                    std::uint64_t data_start, std::uint64_t data_bytes,
                                    std::string_view place) {
  const std::string who = "tensor " + shown(name);
  if (!entry.is_object()) return damaged(place, who + " is not described by an object");
  const auto type = entry.find("dtype");
  const auto shape = entry.find("shape");
  const auto offsets = entry.find("data_offsets");
  if (type == entry.end() || !type->is_string() || shape == entry.end() || !shape->is_array() ||
      offsets == entry.end() || !offsets->is_array() || offsets->size() != 2 ||
      !(*offsets)[0].is_number_unsigned() || !(*offsets)[1].is_number_unsigned()) {
    return damaged(place, who + " lacks dtype, shape or data_offsets");
  }
  SafetensorInfo info;
  info.name = name;
  const auto& type_name = type->get_ref<const std::string&>();
  const auto* row = std::find_if(std::begin(kTypes), std::end(kTypes),
                                 [&](const TypeRow& candidate) { return candidate.name == type_name; });
  if (row == std::end(kTypes)) {
    return Error{Kind::bad_data, std::string(place),
                 who + " has the type " + shown(type_name) + ", which is not supported",
                 "export the model as F32, F16 or BF16"};
  }
  info.type = row->type;
  if (shape->size() > kMaxDimensions) return damaged(place, who + " has more than 8 dimensions");
  for (const auto& dimension : *shape) {
    if (!dimension.is_number_unsigned()) return damaged(place, who + " has a dimension that is not a count");
    info.shape.push_back(dimension.get<std::uint64_t>());
    if (!multiply(info.elements, info.shape.back(), info.elements)) {
      return damaged(place, who + " has more elements than 64 bits can count");
    }
  }
  const auto begin = (*offsets)[0].get<std::uint64_t>();
  const auto end = (*offsets)[1].get<std::uint64_t>();
  if (begin > end || end > data_bytes) {
    return damaged(place, who + " lies at bytes " + std::to_string(begin) + " to " + std::to_string(end) +
                              " of " + std::to_string(data_bytes) + " bytes of data");
  }
  if (!multiply(info.elements, row->bytes, info.bytes) || info.bytes != end - begin) {
    return damaged(
        place, who + " has " + std::to_string(end - begin) + " bytes, which do not match its shape and type");
  }
  info.offset = data_start + begin;
  return info;
}

}  // namespace

Result<std::vector<SafetensorInfo>> parse_safetensors_header(std::string_view start_of_file,
                                                             std::uint64_t file_bytes,
                                                             std::string_view place) {
  if (start_of_file.size() < 8 || file_bytes < 8)
    return damaged(place, "the file is shorter than its header");
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, start_of_file.data(), 8);
  if (header_bytes > kMaxHeaderBytes || header_bytes > file_bytes - 8 ||
      header_bytes > start_of_file.size() - 8) {
    return damaged(place, "the header claims " + std::to_string(header_bytes) +
                              " bytes, more than the file has or the format allows");
  }
  const auto header = parse_large_json(start_of_file.substr(8, static_cast<std::size_t>(header_bytes)),
                                       std::string(place) + " header");
  if (!header) return header.error();
  if (!header->is_object()) return damaged(place, "the header is not a JSON object");
  const std::uint64_t data_start = 8 + header_bytes;
  const std::uint64_t data_bytes = file_bytes - data_start;
  std::vector<SafetensorInfo> tensors;
  tensors.reserve(header->size());
  for (const auto& [name, entry] : header->items()) {
    if (name == "__metadata__") continue;
    auto info = parse_tensor(name, entry, data_start, data_bytes, place);
    if (!info) return info.error();
    tensors.push_back(std::move(*info));
  }
  std::sort(tensors.begin(), tensors.end(), [](const SafetensorInfo& a, const SafetensorInfo& b) {
    return a.offset != b.offset ? a.offset < b.offset : a.bytes < b.bytes;
  });
  // The format allows neither holes nor overlaps; a doubled key shows up here too, as a hole.
  std::uint64_t expected = data_start;
  for (const SafetensorInfo& info : tensors) {
    if (info.offset != expected) {
      return damaged(place, "tensor " + shown(info.name) + " begins at byte " + std::to_string(info.offset) +
                                ", expected " + std::to_string(expected));
    }
    expected += info.bytes;
  }
  if (expected != file_bytes) {
    return damaged(place, "the tensors end at byte " + std::to_string(expected) + " but the file has " +
                              std::to_string(file_bytes) + " bytes");
  }
  return tensors;
}

struct Safetensors::Files {
  std::vector<ReadOnlyFile> files;
  std::vector<std::string> places;
  std::vector<SafetensorInfo> tensors;
  std::unordered_map<std::string_view, const SafetensorInfo*> by_name;

  Result<void> add(const std::filesystem::path& path) {
    auto file = ReadOnlyFile::open(path);
    if (!file) return file.error();
    std::uint64_t header_bytes = 0;
    if (file->size() < 8) return damaged(path.string(), "the file is shorter than its header");
    if (auto read = file->read_at(0, &header_bytes, 8); !read) return read.error();
    if (header_bytes > kMaxHeaderBytes || header_bytes > file->size() - 8) {
      return damaged(path.string(), "the header claims " + std::to_string(header_bytes) +
                                        " bytes, more than the file has or the format allows");
    }
    std::string head(static_cast<std::size_t>(header_bytes) + 8, '\0');
    if (auto read = file->read_at(0, head.data(), head.size()); !read) return read.error();
    auto found = parse_safetensors_header(head, file->size(), path.string());
    if (!found) return found.error();
    for (SafetensorInfo& info : *found) {
      info.file = files.size();
      tensors.push_back(std::move(info));
    }
    files.push_back(std::move(*file));
    places.push_back(path.string());
    return done();
  }

  Result<void> index_names() {
    by_name.reserve(tensors.size());
    for (const SafetensorInfo& info : tensors) {
      if (!by_name.emplace(info.name, &info).second) {
        return damaged(places[info.file], "tensor " + shown(info.name) + " is there twice");
      }
    }
    return done();
  }
};

Safetensors::Safetensors(std::unique_ptr<Files> files) : files_(std::move(files)) {}
Safetensors::Safetensors(Safetensors&&) noexcept = default;
Safetensors& Safetensors::operator=(Safetensors&&) noexcept = default;
Safetensors::~Safetensors() = default;

Result<Safetensors> Safetensors::open(const std::filesystem::path& file_or_folder) {
  std::error_code ignored;
  auto files = std::make_unique<Files>();
  const auto index = file_or_folder / "model.safetensors.index.json";
  const auto single = file_or_folder / "model.safetensors";
  if (!std::filesystem::is_directory(file_or_folder, ignored)) {
    if (auto added = files->add(file_or_folder); !added) return added.error();
  } else if (std::filesystem::exists(single, ignored)) {
    if (auto added = files->add(single); !added) return added.error();
  } else if (std::filesystem::exists(index, ignored)) {
    const auto listing = read_json_file(index);
    if (!listing) return listing.error();
    const auto map = listing->find("weight_map");
    if (map == listing->end() || !map->is_object()) return damaged(index.string(), "there is no weight_map");
    std::set<std::string> names;
    for (const auto& [tensor, file] : map->items()) {
      if (!file.is_string()) return damaged(index.string(), "tensor " + shown(tensor) + " has no file name");
      names.insert(file.get<std::string>());
    }
    if (names.size() > kMaxFiles) return damaged(index.string(), "more than 1024 files are named");
    for (const std::string& name : names) {
      // Only plain names: an index must not reach outside its folder.
      if (name.empty() || name.find('/') != std::string::npos || name == "." || name == "..") {
        return damaged(index.string(), "the file name " + shown(name) + " leaves the folder");
      }
      if (auto added = files->add(file_or_folder / name); !added) return added.error();
    }
    if (auto indexed = files->index_names(); !indexed) return indexed.error();
    for (const auto& [tensor, file] : map->items()) {
      const auto found = files->by_name.find(tensor);
      if (found == files->by_name.end()) {
        return damaged(index.string(), "tensor " + shown(tensor) + " is not in any of the files");
      }
    }
    return Safetensors(std::move(files));
  } else {
    return Error{Kind::bad_request, file_or_folder.string(),
                 "the folder has neither model.safetensors nor model.safetensors.index.json",
                 "name a folder with a model in the safetensors format"};
  }
  if (auto indexed = files->index_names(); !indexed) return indexed.error();
  return Safetensors(std::move(files));
}

const std::vector<SafetensorInfo>& Safetensors::tensors() const { return files_->tensors; }

const SafetensorInfo* Safetensors::find(std::string_view name) const {
  const auto found = files_->by_name.find(name);
  return found == files_->by_name.end() ? nullptr : found->second;
}

std::uint64_t Safetensors::file_bytes() const {
  std::uint64_t total = 0;
  for (const ReadOnlyFile& file : files_->files) total += file.size();
  return total;
}

Result<std::vector<float>> Safetensors::read_f32(const SafetensorInfo& tensor) const {
  const std::string& place = files_->places[tensor.file];
  const auto count = static_cast<std::size_t>(tensor.elements);
  std::vector<float> values(count);
  const ReadOnlyFile& file = files_->files[tensor.file];
  if (tensor.type == SafetensorType::f32) {
    if (auto read = file.read_at(tensor.offset, values.data(), count * sizeof(float)); !read)
      return read.error();
    return values;
  }
  std::vector<char> raw(static_cast<std::size_t>(tensor.bytes));
  if (auto read = file.read_at(tensor.offset, raw.data(), raw.size()); !read) return read.error();
  for (std::size_t i = 0; i < count; ++i) {
    switch (tensor.type) {
      case SafetensorType::f16: {
        ggml_fp16_t half = 0;
        std::memcpy(&half, raw.data() + i * 2, 2);
        values[i] = ggml_fp16_to_fp32(half);
        break;
      }
      case SafetensorType::bf16: {
        std::uint16_t upper = 0;  // bfloat16 is the upper half of a float
        std::memcpy(&upper, raw.data() + i * 2, 2);
        values[i] = std::bit_cast<float>(static_cast<std::uint32_t>(upper) << 16U);
        break;
      }
      case SafetensorType::f64: {
        double wide = 0;
        std::memcpy(&wide, raw.data() + i * 8, 8);
        values[i] = static_cast<float>(wide);
        break;
      }
      default:
        return Error{Kind::bad_data, place,
                     "tensor " + shown(tensor.name) + " holds integers where numbers are needed",
                     "export the model as F32, F16 or BF16"};
    }
  }
  return values;
}

}  // namespace loam::engine
