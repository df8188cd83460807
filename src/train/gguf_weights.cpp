#include "train/gguf_weights.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/gguf_check.h"
#include "engine/widen.h"
#include "train/narrow.h"

namespace loam::train {

Result<std::unique_ptr<GgufWeights>> GgufWeights::open(const std::filesystem::path& gguf,
                                                       std::string next_step, Team& team,
                                                       const ProgressSink& progress) {
  if (auto checked = engine::check_gguf(gguf); !checked) return checked.error();
  auto opened = engine::ReadOnlyFile::open(gguf);
  if (!opened) return opened.error();
  engine::GgufFile file(*std::move(opened));
  auto metadata = engine::read_gguf_metadata(file, gguf.string());
  if (!metadata) return metadata.error();
  return std::unique_ptr<GgufWeights>(
      new GgufWeights(gguf, std::move(file), *std::move(metadata), std::move(next_step), team, progress));
}

GgufWeights::GgufWeights(const std::filesystem::path& path, engine::GgufFile file,
                         engine::GgufMetadata metadata, std::string next_step, Team& team,
                         const ProgressSink& progress)
    : place_(path.string()),
      file_(std::move(file)),
      metadata_(std::move(metadata)),
      next_step_(std::move(next_step)),
      team_(team),
      progress_(progress) {
  const engine::GgufValue* architecture = metadata_.find("general.architecture");
  architecture_ = architecture == nullptr ? "" : architecture->text;
  for (const engine::GgufTensor& tensor : metadata_.tensors) tensors_[tensor.name] = &tensor;
}

Error GgufWeights::refuse(std::string message) const {
  return {Kind::bad_request, place_, std::move(message), next_step_};
}
Error GgufWeights::damaged(std::string message) const {
  return {Kind::bad_data, place_, std::move(message), "pull the model again: loam models pull"};
}

const engine::GgufTensor* GgufWeights::find(const std::string& tensor) const {
  const auto found = tensors_.find(tensor);
  return found == tensors_.end() ? nullptr : found->second;
}

const engine::GgufValue* GgufWeights::setting(const std::string& name) const {
  return metadata_.find(architecture_ + "." + name);
}
std::optional<std::size_t> GgufWeights::count(const std::string& name) const {
  const engine::GgufValue* value = setting(name);
  if (value == nullptr || value->is_array || !value->is_integer() || value->is_negative())
    return std::nullopt;
  return static_cast<std::size_t>(value->unsigned_value);
}
double GgufWeights::number(const std::string& name, double fallback) const {
  const engine::GgufValue* value = setting(name);
  return value == nullptr || value->is_array ? fallback : value->number;
}
std::string GgufWeights::text(const std::string& name) const {
  const engine::GgufValue* value = setting(name);
  return value == nullptr || value->is_array ? std::string() : value->text;
}

Result<const engine::GgufTensor*> GgufWeights::shaped(const std::string& name,
                                                      const std::vector<std::uint64_t>& shape) {
  const engine::GgufTensor* tensor = find(name);
  if (tensor == nullptr) return refuse("tensor " + name + " is missing");
  if (tensor->dimensions != shape) return damaged("tensor " + name + " has an unexpected shape");
  if (!engine::can_widen(tensor->type)) {
    return refuse("tensor " + name + " has a type that cannot be widened");
  }
  if (shape[0] % engine::ggml_type_info(tensor->type).block != 0) {
    return damaged("tensor " + name + " has rows that are no whole blocks");
  }
  used_.insert(name);
  return tensor;
}

Result<void> GgufWeights::vector(const std::string& name, std::size_t size, std::vector<float>& out) {
  auto tensor = shaped(name, {size});
  if (!tensor) return tensor.error();
  out.resize(size);
  return rows(**tensor, 0, 1, size,
              [&](std::size_t, const float* values) { std::copy_n(values, size, out.data()); });
}

Result<void> GgufWeights::matrix(const std::string& name, std::size_t row_count, std::size_t columns,
                                 Precision precision, Operand& out) {
  auto tensor = shaped(name, {columns, row_count});
  if (!tensor) return tensor.error();
  out.shape(precision, row_count, columns);
  const std::size_t at_once = std::max<std::size_t>(1, (1U << 16U) / columns);
  const std::size_t parts = (row_count + at_once - 1) / at_once;
  std::vector<Result<void>> outcomes(parts, done());
  with_type(precision, [&](auto type) {
    using T = decltype(type);
    team_.run(parts, [&](std::size_t part) {
      const std::size_t first = part * at_once;
      outcomes[part] = rows(**tensor, first, std::min(at_once, row_count - first), columns,
                            [&](std::size_t row, const float* values) {
                              narrow_row(values, columns, out.row<T>(first + row));
                            });
    });
  });
  for (const Result<void>& outcome : outcomes) {
    if (!outcome) return outcome;
  }
  done_bytes_ += (*tensor)->bytes;
  if (progress_) progress_({"loading the base model", done_bytes_, metadata_.file_bytes});
  return done();
}

template <typename Take>
Result<void> GgufWeights::rows(const engine::GgufTensor& tensor, std::size_t first, std::size_t count,
                               std::size_t columns, Take&& take) {
  const engine::GgmlTypeInfo info = engine::ggml_type_info(tensor.type);
  const std::size_t row_bytes = columns / info.block * info.bytes;
  std::vector<char> bytes(row_bytes * count);
  const std::uint64_t offset = metadata_.data_start + tensor.offset + first * row_bytes;
  if (auto read = file_.read_at(offset, bytes.data(), bytes.size()); !read) return read;
  std::vector<float> values(columns);
  for (std::size_t row = 0; row < count; ++row) {
    const char* from = bytes.data() + row * row_bytes;
    engine::widen(tensor.type, from, columns, values.data());
    if (!std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); })) {
      return damaged("tensor " + engine::shown_name(tensor.name) + " holds values that are not numbers");
    }
    take(row, values.data());
  }
  return done();
}

Result<void> GgufWeights::all_used() const {
  for (const engine::GgufTensor& tensor : metadata_.tensors) {
    if (!used_.contains(tensor.name)) {
      return refuse("the trainer does not know what tensor " + engine::shown_name(tensor.name) +
                    " does in a model of the architecture '" + architecture_ + "'");
    }
  }
  return done();
}

}  // namespace loam::train
