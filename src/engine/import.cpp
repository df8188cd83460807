#include "engine/import.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "base/hash.h"
#include "engine/gguf_check.h"
#include "engine/import_plan.h"
#include "engine/json_files.h"
#include "ggml.h"

namespace loam::engine {
namespace {

constexpr std::uint32_t kQuantizationVersion = 2;  // ggml.h, GGML_QNT_VERSION

std::string shape_text(const std::vector<std::uint64_t>& shape) {
  std::string text = "(";
  for (const std::uint64_t dimension : shape)
    text += (text.size() > 1 ? ", " : "") + std::to_string(dimension);
  return text + ")";
}

std::uint64_t product(const std::vector<std::uint64_t>& shape) {
  std::uint64_t elements = 1;
  for (const std::uint64_t dimension : shape)
    elements *= dimension;  // shapes were checked by safetensors.cpp
  return elements;
}

ggml_type ggml_type_of(ImportType type) {
  switch (type) {
    case ImportType::f32:
      return GGML_TYPE_F32;
    case ImportType::f16:
      return GGML_TYPE_F16;
    case ImportType::bf16:
      return GGML_TYPE_BF16;
    case ImportType::q8_0:
      return GGML_TYPE_Q8_0;
  }
  return GGML_TYPE_F32;
}

/// llama.cpp's number for "most tensors are of this type" (llama.h, enum llama_ftype).
std::uint32_t file_type_of(ImportType type) {
  switch (type) {
    case ImportType::f32:
      return 0;
    case ImportType::f16:
      return 1;
    case ImportType::bf16:
      return 32;
    case ImportType::q8_0:
      return 7;
  }
  return 0;
}

/// The type a tensor is stored in: vectors and tables that are added stay f32; a row that does not fill
/// blocks of Q8_0 becomes f16.
ggml_type stored_type(const PlannedTensor& tensor, ImportType asked) {
  if (tensor.precision == Precision::always_f32 || tensor.shape.size() < 2) return GGML_TYPE_F32;
  const ggml_type type = ggml_type_of(asked);
  const auto block = static_cast<std::uint64_t>(ggml_blck_size(type));
  return tensor.shape.back() % block == 0 ? type : GGML_TYPE_F16;
}

Result<std::string> encode(const PlannedTensor& tensor, ggml_type type, std::uint64_t bytes) {
  auto values = tensor.values();
  if (!values) return values.error();
  for (const float value : *values) {
    if (!std::isfinite(value)) {
      return Error{Kind::bad_data, tensor.name, "the tensor holds a value that is not finite",
                   "fetch the model again, or train it to finite weights"};
    }
  }
  std::string out(static_cast<std::size_t>(bytes), '\0');
  const auto count = static_cast<std::int64_t>(values->size());
  switch (type) {
    case GGML_TYPE_F32:
      std::memcpy(out.data(), values->data(), out.size());
      break;
    case GGML_TYPE_F16: {
      std::vector<ggml_fp16_t> halves(values->size());
      ggml_fp32_to_fp16_row(values->data(), halves.data(), count);
      const bool overflow = std::any_of(values->begin(), values->end(),
                                        [](float value) { return std::fabs(value) > 65504.0F; });
      if (overflow) {
        return Error{Kind::bad_data, tensor.name, "the tensor holds a value that f16 cannot hold",
                     "import as bf16 or f32"};
      }
      std::memcpy(out.data(), halves.data(), out.size());
      break;
    }
    case GGML_TYPE_BF16: {
      std::vector<ggml_bf16_t> halves(values->size());
      ggml_fp32_to_bf16_row_ref(values->data(), halves.data(), count);
      std::memcpy(out.data(), halves.data(), out.size());
      break;
    }
    default: {
      const auto columns = static_cast<std::int64_t>(tensor.shape.back());
      ggml_quantize_chunk(type, values->data(), out.data(), 0, count / columns, columns, nullptr);
    }
  }
  return out;
}

Result<ModelFolder> open_folder(const std::filesystem::path& dir_or_file, const Safetensors& tensors) {
  ModelFolder folder;
  std::error_code ignored;
  folder.path = std::filesystem::is_directory(dir_or_file, ignored) ? dir_or_file : dir_or_file.parent_path();
  if (folder.path.empty()) folder.path = ".";
  auto config = read_json_file(folder.path / "config.json", 16U << 20U);
  if (!config) return config.error();
  if (!config->is_object()) {
    return Error{Kind::bad_data, (folder.path / "config.json").string(), "this is not a JSON object",
                 "fetch the file again"};
  }
  folder.config = std::move(*config);
  folder.tensors = &tensors;
  return folder;
}

Result<ImportPlan> plan_model(const ModelFolder& folder, std::string_view name) {
  if (const auto quantized = folder.config.find("quantization_config");
      quantized != folder.config.end() && !quantized->is_null()) {
    return config_error(folder, "the weights are quantised already (quantization_config)");
  }
  std::string architecture;
  if (const auto list = folder.config.find("architectures");
      list != folder.config.end() && list->is_array() && !list->empty() && list->front().is_string()) {
    architecture = list->front().get<std::string>();
  }
  try {
    if (architecture == "BertModel" || architecture == "BertForMaskedLM") return plan_bert(folder, name);
    if (architecture == "LlamaForCausalLM" || architecture == "MistralForCausalLM")
      return plan_llama(folder, name);
  } catch (const nlohmann::json::exception& failure) {
    return config_error(folder, std::string("a value has an unexpected type: ") + failure.what());
  }
  return config_error(
      folder, "the architecture '" + architecture +
                  "' is not one of BertModel, BertForMaskedLM, LlamaForCausalLM and MistralForCausalLM");
}

/// Tensors of the source that the plan does not use, by name.
std::vector<std::string> unused_tensors(const ImportPlan& plan, const Safetensors& tensors,
                                        const std::set<std::string>& used) {
  std::vector<std::string> unused = plan.skipped;
  for (const SafetensorInfo& info : tensors.tensors()) {
    if (!used.contains(info.name)) unused.push_back(info.name);
  }
  return unused;
}

/// Names that carry no weights of the encoder or decoder itself.
bool may_be_left_out(std::string_view name) {
  return name.find("pooler.") != std::string_view::npos || name.ends_with("position_ids") ||
         name.find("rotary_emb.inv_freq") != std::string_view::npos ||
         name.find("cls.predictions") != std::string_view::npos ||
         name.find("cls.seq_relationship") != std::string_view::npos || name == "lm_head.weight";
}

}  // namespace

std::string_view name_of(ImportType type) {
  switch (type) {
    case ImportType::f32:
      return "f32";
    case ImportType::f16:
      return "f16";
    case ImportType::bf16:
      return "bf16";
    case ImportType::q8_0:
      return "q8_0";
  }
  return "unknown";
}

Error config_error(const ModelFolder& folder, std::string message) {
  return Error{Kind::bad_data, (folder.path / "config.json").string(), std::move(message),
               "use a supported model, or a ready-made GGUF"};
}

Result<std::uint32_t> config_count(const ModelFolder& folder, const char* key, std::uint32_t least,
                                   std::uint32_t most) {
  const auto found = folder.config.find(key);
  if (found == folder.config.end() || !found->is_number_unsigned()) {
    return config_error(folder, std::string(key) + " is missing or not a count");
  }
  const auto value = found->get<std::uint64_t>();
  if (value < least || value > most) {
    return config_error(folder, std::string(key) + " is " + std::to_string(value) + ", outside " +
                                    std::to_string(least) + " to " + std::to_string(most));
  }
  return static_cast<std::uint32_t>(value);
}

Result<float> config_number(const ModelFolder& folder, const char* key, float fallback) {
  const auto found = folder.config.find(key);
  if (found == folder.config.end() || found->is_null()) return fallback;
  if (!found->is_number() || !std::isfinite(found->get<float>())) {
    return config_error(folder, std::string(key) + " is not a number");
  }
  return found->get<float>();
}

Result<void> plan_tensor(ImportPlan& plan, const ModelFolder& folder, const std::string& source,
                         const std::string& target, std::vector<std::uint64_t> shape, Precision precision) {
  const SafetensorInfo* info = folder.tensors->find(source);
  if (info == nullptr) {
    return Error{Kind::bad_data, folder.path.string(), "the tensor " + source + " is missing",
                 "fetch the model again"};
  }
  if (info->shape != shape) {
    return Error{Kind::bad_data, folder.path.string(),
                 "the tensor " + source + " has the shape " + shape_text(info->shape) +
                     ", config.json asks for " + shape_text(shape),
                 "fetch the model again"};
  }
  const Safetensors* tensors = folder.tensors;
  plan.tensors.push_back(
      {target, std::move(shape), precision, [tensors, info] { return tensors->read_f32(*info); }});
  plan.used.insert(source);
  return done();
}

Result<ImportReport> import_model(const std::filesystem::path& dir_or_file,
                                  const std::filesystem::path& out_gguf, const ImportOptions& options,
                                  const ProgressSink& progress, Logger& logger) {
  const auto tensors = Safetensors::open(dir_or_file);
  if (!tensors) return tensors.error();
  auto folder = open_folder(dir_or_file, *tensors);
  if (!folder) return folder.error();
  std::string name = options.name;
  if (name.empty()) name = std::filesystem::absolute(folder->path).lexically_normal().filename().string();
  auto plan = plan_model(*folder, name);
  if (!plan) return plan.error();

  ImportReport report;
  report.skipped = unused_tensors(*plan, *tensors, plan->used);
  for (const std::string& left_out : report.skipped) {
    if (!may_be_left_out(left_out)) {
      return Error{Kind::bad_data, folder->path.string(),
                   "the tensor " + left_out + " has no place in this architecture",
                   "use a supported model, or a ready-made GGUF"};
    }
  }
  GgufWriter& writer = plan->writer;
  writer.set("general.file_type", file_type_of(options.type));
  writer.set("general.quantization_version", kQuantizationVersion);
  std::vector<ggml_type> types;
  std::vector<std::uint64_t> sizes;
  std::uint64_t total_bytes = 0;
  int fell_back = 0;
  for (const PlannedTensor& tensor : plan->tensors) {
    const ggml_type type = stored_type(tensor, options.type);
    if (type == GGML_TYPE_F16 && options.type == ImportType::q8_0) ++fell_back;
    const std::uint64_t elements = product(tensor.shape);
    const std::uint64_t bytes =
        elements / static_cast<std::uint64_t>(ggml_blck_size(type)) * ggml_type_size(type);
    writer.add_tensor(tensor.name, {tensor.shape.rbegin(), tensor.shape.rend()},
                      static_cast<std::uint32_t>(type), bytes);
    types.push_back(type);
    sizes.push_back(bytes);
    report.parameters += elements;
    total_bytes += bytes;
  }
  if (fell_back > 0) {
    plan->notes.push_back(std::to_string(fell_back) +
                          " tensors have rows that Q8_0 cannot hold; they are f16");
  }
  std::uint64_t done_bytes = 0;
  const auto written = writer.write(out_gguf, [&](std::size_t index) -> Result<std::string> {
    if (progress) progress({"importing " + name, done_bytes, total_bytes});
    auto bytes = encode(plan->tensors[index], types[index], sizes[index]);
    done_bytes += sizes[index];
    return bytes;
  });
  if (!written) return written.error();
  if (progress) progress({"importing " + name, total_bytes, total_bytes});
  const auto checked = check_gguf(out_gguf);
  if (!checked) {
    std::error_code ignored;
    std::filesystem::remove(out_gguf, ignored);
    return Error{Kind::our_bug, out_gguf.string(),
                 "the imported model fails our own check: " + checked.error().message, "please report this"};
  }
  for (const std::string& note : plan->notes) logger.info(name + ": " + note);

  std::error_code ignored;
  const auto weights =
      std::filesystem::is_directory(dir_or_file, ignored) ? dir_or_file / "model.safetensors" : dir_or_file;
  if (std::filesystem::is_regular_file(weights, ignored)) {
    if (const auto hash = sha256_hex_of_file(weights)) report.source_sha256 = *hash;
  }
  report.file = out_gguf;
  report.architecture = plan->architecture;
  report.name = name;
  report.tensors = static_cast<int>(plan->tensors.size());
  report.bytes_written = *written;
  report.notes = std::move(plan->notes);
  return report;
}

}  // namespace loam::engine
