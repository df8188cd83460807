#include "engine/merge.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <memory>

#include "engine/adapter_check.h"
#include "engine/gguf_check.h"
#include "engine/gguf_file.h"
#include "engine/part_file.h"
#include "engine/widen.h"
#include "ggml.h"
#include "gguf.h"

namespace loam::engine {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kChunkElements = std::uint64_t{1} << 20U;
constexpr float kLargestF16 = 65504.0F;

struct MetaFree {
  void operator()(gguf_context* context) const { gguf_free(context); }
  void operator()(ggml_context* context) const { ggml_free(context); }
};

/// B A of one matrix, ready to be added row by row.
struct Update {
  std::size_t in = 0, rank = 0;
  float scale = 0;
  std::vector<float> a;  ///< (rank, in) row-major
  std::vector<float> b;  ///< (out, rank) row-major

  void add_to(std::size_t row, float* weights) const {
    for (std::size_t r = 0; r < rank; ++r) {
      const float factor = scale * b[row * rank + r];
      const float* from = a.data() + r * in;
      for (std::size_t i = 0; i < in; ++i) weights[i] += factor * from[i];
    }
  }
};

Result<std::map<std::string, Update>> read_updates(const fs::path& adapter, float scale) {
  const auto info = read_adapter(adapter);
  if (!info) return info.error();
  auto file = ReadOnlyFile::open(adapter);
  if (!file) return file.error();
  GgufFile bytes(std::move(*file));
  const auto metadata = read_gguf_metadata(bytes, adapter.string());
  if (!metadata) return metadata.error();
  std::map<std::string, Update> updates;
  for (const GgufTensor& tensor : metadata->tensors) {
    const bool is_a = tensor.name.ends_with(".lora_a");
    const std::string name = tensor.name.substr(0, tensor.name.size() - 7);
    if (name == "token_embd.weight") {
      return Error{Kind::bad_request, adapter.string(),
                   "it adapts the token embeddings, which are not merged", "serve it beside the model"};
    }
    std::string raw(tensor.bytes, '\0');
    if (auto read = bytes.read_at(metadata->data_start + tensor.offset, raw.data(), raw.size()); !read)
      return read.error();
    std::vector<float> values(tensor.elements);
    widen(tensor.type, raw.data(), values.size(), values.data());
    Update& update = updates[name];
    if (is_a) {
      update.in = tensor.dimensions[0];
      update.rank = tensor.dimensions[1];
      // alpha 0 means to llama.cpp that the scale stands alone
      update.scale = info->alpha == 0.0F ? scale : scale * info->alpha / static_cast<float>(update.rank);
      update.a = std::move(values);
    } else {
      update.b = std::move(values);
    }
  }
  return updates;
}

/// Matrices get the wanted type where their rows fill its blocks; vectors stay as they are.
ggml_type merged_type(const GgufTensor& tensor, MergeType wanted) {
  if (tensor.dimensions.size() < 2) return static_cast<ggml_type>(tensor.type);
  const bool blocks = tensor.dimensions[0] % static_cast<std::uint64_t>(ggml_blck_size(GGML_TYPE_Q8_0)) == 0;
  return wanted == MergeType::q8_0 && blocks ? GGML_TYPE_Q8_0 : GGML_TYPE_F16;
}

class Merger {
 public:
  Merger(GgufFile& source, const GgufMetadata& metadata, PartFile& out, const fs::path& place)
      : source_(source), metadata_(metadata), out_(out), place_(place) {}

  Result<void> copy(const GgufTensor& tensor) {
    std::string buffer;
    for (std::uint64_t at = 0; at < tensor.bytes; at += kChunkElements) {
      buffer.resize(std::min(kChunkElements, tensor.bytes - at));
      if (auto read = read_at(tensor, at, buffer); !read) return read;
      if (auto added = out_.add(buffer); !added) return added;
    }
    return done();
  }

  Result<void> convert(const GgufTensor& tensor, ggml_type type, const Update* update) {
    const GgmlTypeInfo from = ggml_type_info(tensor.type);
    const std::uint64_t columns = tensor.dimensions[0];
    const std::uint64_t rows = tensor.elements / columns;
    const std::uint64_t row_bytes = columns / from.block * from.bytes;
    const std::uint64_t rows_at_once = std::max<std::uint64_t>(1, kChunkElements / columns);
    std::string raw, made;
    std::vector<float> values;
    for (std::uint64_t row = 0; row < rows; row += rows_at_once) {
      const std::uint64_t now = std::min(rows_at_once, rows - row);
      raw.resize(now * row_bytes);
      if (auto read = read_at(tensor, row * row_bytes, raw); !read) return read;
      values.resize(now * columns);
      widen(tensor.type, raw.data(), values.size(), values.data());
      for (std::uint64_t i = 0; update != nullptr && i < now; ++i)
        update->add_to(row + i, values.data() + i * columns);
      for (const float value : values) {
        if (!std::isfinite(value) || (type == GGML_TYPE_F16 && std::abs(value) > kLargestF16)) {
          return Error{Kind::bad_data, place_.string(),
                       "tensor " + shown_name(tensor.name) + " gets a value that F16 cannot hold",
                       "merge into Q8_0, or with a smaller scale"};
        }
      }
      made.resize(ggml_row_size(type, static_cast<std::int64_t>(columns)) * now);
      const std::size_t put =
          ggml_quantize_chunk(type, values.data(), made.data(), 0, static_cast<std::int64_t>(now),
                              static_cast<std::int64_t>(columns), nullptr);
      if (put != made.size())
        return Error{Kind::our_bug, place_.string(), "a tensor has another size than announced", ""};
      if (auto added = out_.add(made); !added) return added;
    }
    return done();
  }

 private:
  Result<void> read_at(const GgufTensor& tensor, std::uint64_t at, std::string& into) {
    return source_.read_at(metadata_.data_start + tensor.offset + at, into.data(), into.size());
  }

  GgufFile& source_;
  const GgufMetadata& metadata_;
  PartFile& out_;
  const fs::path& place_;
};

}  // namespace

Result<MergeType> merge_type_from(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  if (lower == "f16") return MergeType::f16;
  if (lower == "q8_0") return MergeType::q8_0;
  return Error{Kind::bad_request, "--type " + std::string(name),
               "a merged model is written as F16 or Q8_0; anything coarser rounds the adapter away",
               "--type q8_0"};
}

Result<MergeReport> merge_adapter(const fs::path& base, const fs::path& adapter, const fs::path& out,
                                  const MergeOptions& options, const ProgressSink& progress) {
  if (const auto match = check_adapter_base(adapter, base); !match) return match.error();
  if (const auto sound = check_gguf(base); !sound) return sound.error();
  const auto updates = read_updates(adapter, options.scale);
  if (!updates) return updates.error();
  auto file = ReadOnlyFile::open(base);
  if (!file) return file.error();
  GgufFile source(std::move(*file));
  const auto metadata = read_gguf_metadata(source, base.string());
  if (!metadata) return metadata.error();
  for (const GgufTensor& tensor : metadata->tensors) {
    if (!can_widen(tensor.type)) {
      return Error{Kind::bad_request, base.string(),
                   "tensor " + shown_name(tensor.name) + " is of a type that cannot be widened",
                   "merge into another form of the model"};
    }
  }

  // The keys as they are; only the kind of the file is said anew.
  ggml_context* described = nullptr;
  const std::unique_ptr<gguf_context, MetaFree> keys(gguf_init_from_file(base.c_str(), {true, &described}));
  const std::unique_ptr<ggml_context, MetaFree> tensors(described);
  const std::unique_ptr<gguf_context, MetaFree> merged(gguf_init_empty());
  if (!keys || !tensors || !merged)
    return Error{Kind::bad_data, base.string(), "its metadata cannot be read", "fetch the model again"};
  gguf_set_kv(merged.get(), keys.get());
  gguf_set_val_u32(merged.get(), "general.file_type", options.type == MergeType::f16 ? 1 : 7);
  std::map<std::string, const GgufTensor*> by_name;
  for (const GgufTensor& tensor : metadata->tensors) by_name[tensor.name] = &tensor;
  const std::int64_t count = gguf_get_n_tensors(keys.get());
  for (std::int64_t i = 0; i < count; ++i) {
    const char* name = gguf_get_tensor_name(keys.get(), i);
    gguf_add_tensor(merged.get(), ggml_get_tensor(tensors.get(), name));
    gguf_set_tensor_type(merged.get(), name, merged_type(*by_name.at(name), options.type));
  }
  std::string head(gguf_get_meta_size(merged.get()), '\0');
  gguf_get_meta_data(merged.get(), head.data());

  MergeReport report;
  {
    PartFile part(out);
    if (!part.is_open()) return part.failure("it cannot be written");
    if (auto added = part.add(head); !added) return added.error();
    Merger merger(source, *metadata, part, base);
    std::uint64_t written = 0;
    const std::uint64_t alignment = gguf_get_alignment(merged.get());
    for (std::int64_t i = 0; i < count; ++i) {
      const std::string name = gguf_get_tensor_name(merged.get(), i);
      const GgufTensor& tensor = *by_name.at(name);
      const ggml_type type = merged_type(tensor, options.type);
      const auto update = updates->find(name);
      const Update* change = update == updates->end() ? nullptr : &update->second;
      const bool as_it_is = change == nullptr && static_cast<std::uint32_t>(type) == tensor.type;
      if (auto ok = as_it_is ? merger.copy(tensor) : merger.convert(tensor, type, change); !ok)
        return ok.error();
      report.merged += change != nullptr ? 1 : 0;
      written += gguf_get_tensor_size(merged.get(), i);
      const std::uint64_t gap = (alignment - written % alignment) % alignment;
      if (auto added = part.add(std::string(gap, '\0')); !added) return added.error();
      written += gap;
      if (progress)
        progress({"merging", static_cast<std::uint64_t>(i) + 1, static_cast<std::uint64_t>(count)});
    }
    report.bytes = head.size() + written;
    if (auto placed = part.put_in_place(); !placed) return placed.error();
  }
  report.file = out;
  if (const auto sound = check_gguf(out); !sound) return sound.error();
  if (options.loss == Measure::yes) {
    auto loss = measure_loss(base, {{adapter, options.scale}}, out, options.text, options.max_tokens,
                             options.threads, progress);
    if (!loss) return loss.error();
    report.has_loss = true;
    report.loss = *loss;
  }
  return report;
}

}  // namespace loam::engine
