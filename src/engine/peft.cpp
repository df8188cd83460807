#include "engine/peft.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "base/json.h"
#include "engine/adapter_check.h"
#include "engine/base_identity.h"
#include "engine/gguf_file.h"
#include "engine/gguf_writer.h"
#include "engine/json_files.h"
#include "engine/part_file.h"
#include "engine/rope_rows.h"
#include "engine/safetensors.h"
#include "engine/widen.h"

namespace loam::engine {
namespace fs = std::filesystem;
namespace {

constexpr std::uint32_t kF32 = 0;
constexpr std::uint64_t kMaxConfigBytes = 4U << 20U;
constexpr std::uint64_t kHighestRank = 4096;
constexpr std::uint64_t kMostLayers = 4096;

/// One linear layer under its two names.
struct Module {
  const char* gguf;
  const char* peft;
};
constexpr Module kDecoderModules[] = {
    {"attn_q", "self_attn.q_proj"},      {"attn_k", "self_attn.k_proj"}, {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"}, {"ffn_gate", "mlp.gate_proj"},  {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
};
constexpr Module kEncoderModules[] = {
    {"attn_q", "attention.self.query"}, {"attn_k", "attention.self.key"},
    {"attn_v", "attention.self.value"}, {"attn_output", "attention.output.dense"},
    {"ffn_up", "intermediate.dense"},   {"ffn_down", "output.dense"},
};

/// What must be known of the model.
struct Base {
  std::string architecture;
  std::uint64_t layers = 0, query_rows = 0, key_rows = 0, head_size = 0;
  std::string name;

  bool is_encoder() const { return architecture == "bert"; }
  std::span<const Module> modules() const {
    return is_encoder() ? std::span<const Module>(kEncoderModules) : std::span<const Module>(kDecoderModules);
  }
  std::string layer_prefix() const { return is_encoder() ? "encoder.layer." : "model.layers."; }
  /// Rows of one head when this matrix's rows are in another order in GGUF, else 0.
  std::uint64_t turned_heads(std::string_view module) const {
    return architecture == "llama" && (module == "attn_q" || module == "attn_k") ? head_size : 0;
  }
};

Error refused(const fs::path& place, std::string message, std::string next = "") {
  return {Kind::bad_request, place.string(), std::move(message), std::move(next)};
}

Result<Base> read_base(const fs::path& path) {
  auto file = ReadOnlyFile::open(path);
  if (!file) return file.error();
  GgufFile bytes(std::move(*file));
  const auto metadata = read_gguf_metadata(bytes, path.string());
  if (!metadata) return metadata.error();
  Base base;
  base.name = path.stem().string();
  if (const GgufValue* value = metadata->find("general.architecture"); value != nullptr) {
    base.architecture = value->text;
  }
  if (base.architecture != "llama" && base.architecture != "qwen2" && base.architecture != "qwen3" &&
      base.architecture != "bert") {
    return refused(path, "adapters for the architecture '" + shown_name(base.architecture) +
                             "' are not exchanged with PEFT; llama, qwen2, qwen3 and bert are");
  }
  const auto count = [&](const char* key) -> std::uint64_t {
    const GgufValue* value = metadata->find(base.architecture + "." + key);
    return value != nullptr && !value->is_array && value->is_integer() && !value->is_negative()
               ? value->unsigned_value
               : 0;
  };
  base.layers = count("block_count");
  const std::uint64_t heads = count("attention.head_count");
  const std::uint64_t width = count("embedding_length");
  const std::uint64_t said = count("attention.head_count_kv");
  if (base.layers == 0 || base.layers > kMostLayers || heads == 0 || heads > width) {
    return gguf_error(path.string(), "its numbers of layers and heads are not those of a model");
  }
  base.head_size = count("attention.key_length") != 0 ? count("attention.key_length") : width / heads;
  base.query_rows = heads * base.head_size;
  base.key_rows = (said != 0 ? said : heads) * base.head_size;
  if (base.head_size == 0 || base.head_size % 2 != 0)
    return gguf_error(path.string(), "its head size is odd");
  return base;
}

/// Number of a layer and the rest of a name: "3.attn_q" -> (3, "attn_q").
std::optional<std::pair<std::uint64_t, std::string_view>> layer_of(std::string_view text) {
  std::uint64_t layer = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), layer);
  if (failure != std::errc{} || end == text.data() + text.size() || *end != '.') return std::nullopt;
  return std::pair(layer, text.substr(static_cast<std::size_t>(end - text.data()) + 1));
}

/// Files of a folder that appear whole.
Result<void> write_whole(const fs::path& path, std::span<const std::string> parts) {
  PartFile file(path);
  if (!file.is_open()) return file.failure("it cannot be written");
  for (const std::string& bytes : parts) {
    if (auto added = file.add(bytes); !added) return added;
  }
  return file.put_in_place();
}

std::string bytes_of(const std::vector<float>& values) {
  static_assert(std::endian::native == std::endian::little);
  std::string bytes(values.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// Export
// -----------------------------------------------------------------------------------------------------

struct PeftTensor {
  std::string name;
  std::uint64_t rows = 0, columns = 0;
  std::string bytes;
};

std::string safetensors_header(const std::vector<PeftTensor>& tensors) {
  Json header = {{"__metadata__", {{"format", "pt"}}}};
  std::uint64_t at = 0;
  for (const PeftTensor& tensor : tensors) {
    header[tensor.name] = {{"dtype", "F32"},
                           {"shape", {tensor.rows, tensor.columns}},
                           {"data_offsets", {at, at + tensor.bytes.size()}}};
    at += tensor.bytes.size();
  }
  std::string text = dump_json(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data begins aligned
  std::string out(8, '\0');
  const std::uint64_t size = text.size();
  std::memcpy(out.data(), &size, sizeof size);
  return out + text;
}

}  // namespace

Result<PeftReport> export_peft(const fs::path& adapter, const fs::path& base_file, const fs::path& folder) {
  const auto info = read_adapter(adapter);
  if (!info) return info.error();
  if (const auto match = check_adapter_base(adapter, base_file); !match) return match.error();
  const auto base = read_base(base_file);
  if (!base) return base.error();
  auto file = ReadOnlyFile::open(adapter);
  if (!file) return file.error();
  GgufFile source(std::move(*file));
  const auto metadata = read_gguf_metadata(source, adapter.string());
  if (!metadata) return metadata.error();

  PeftReport report;
  report.alpha = info->alpha;
  report.rank = info->rank;
  std::vector<PeftTensor> tensors;
  std::map<std::string, std::uint64_t> ranks;  // by module, "model.layers.0.self_attn.q_proj"
  std::map<std::string, std::set<std::uint64_t>> layers_of_kind;  // "q_proj" -> {0, 1, ...}
  for (const GgufTensor& tensor : metadata->tensors) {
    std::string_view name = tensor.name;
    const bool is_a = name.ends_with(".lora_a");
    name.remove_suffix(7);
    const auto no_name = [&] {
      return refused(adapter, "PEFT has no name for " + shown_name(tensor.name) + " of a " +
                                  base->architecture + " model");
    };
    if (!name.starts_with("blk.") || !name.ends_with(".weight")) return no_name();
    name.remove_suffix(7);
    const auto place = layer_of(name.substr(4));
    if (!place) return no_name();
    const Module* module = nullptr;
    for (const Module& one : base->modules()) {
      if (place->second == one.gguf) module = &one;
    }
    if (module == nullptr) return no_name();
    const std::uint64_t columns = tensor.dimensions[0];
    const std::uint64_t rows = tensor.dimensions[1];
    std::string raw(tensor.bytes, '\0');
    if (auto read = source.read_at(metadata->data_start + tensor.offset, raw.data(), raw.size()); !read)
      return read.error();
    std::vector<float> values(tensor.elements);
    widen(tensor.type, raw.data(), values.size(), values.data());
    if (const std::uint64_t head = base->turned_heads(module->gguf); head != 0 && !is_a)
      part_halves(values, rows, head);
    const std::string path = base->layer_prefix() + std::to_string(place->first) + "." + module->peft;
    tensors.push_back({"base_model.model." + path + (is_a ? ".lora_A.weight" : ".lora_B.weight"), rows,
                       columns, bytes_of(values)});
    if (is_a) {
      ranks[path] = rows;
      layers_of_kind[module->peft].insert(place->first);
    }
  }
  report.matrices = static_cast<int>(ranks.size());
  std::sort(tensors.begin(), tensors.end(),
            [](const PeftTensor& a, const PeftTensor& b) { return a.name < b.name; });

  Json targets = Json::array();
  Json rank_pattern = Json::object();
  const bool everywhere = std::all_of(layers_of_kind.begin(), layers_of_kind.end(),
                                      [&](const auto& kind) { return kind.second.size() == base->layers; });
  if (everywhere) {
    for (const auto& [kind, layers] : layers_of_kind) {
      const bool short_name = !base->is_encoder();  // "dense" alone would be several layers of an encoder
      targets.push_back(short_name ? kind.substr(kind.rfind('.') + 1) : kind);
    }
  }
  for (const auto& [path, rank] : ranks) {
    if (!everywhere) targets.push_back(path);
    if (rank != static_cast<std::uint64_t>(info->rank)) rank_pattern[path] = rank;
  }
  const Json config = {
      {"peft_type", "LORA"},
      {"task_type", base->is_encoder() ? "FEATURE_EXTRACTION" : "CAUSAL_LM"},
      {"base_model_name_or_path", info->base_name.empty() ? base->name : info->base_name},
      {"r", info->rank},
      {"lora_alpha", info->alpha},
      {"lora_dropout", 0.0},
      {"use_rslora", false},  // alpha says it: llama.cpp and PEFT both scale by alpha / r then
      {"use_dora", false},
      {"bias", "none"},
      {"fan_in_fan_out", false},
      {"inference_mode", true},
      {"init_lora_weights", true},
      {"modules_to_save", nullptr},
      {"target_modules", std::move(targets)},
      {"rank_pattern", std::move(rank_pattern)},
      {"alpha_pattern", Json::object()}};
  if (!info->head.empty()) {
    report.notes.push_back("its head (" + shown_name(info->head) +
                           ") has no place in PEFT's format and stays out");
  }
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) {
    return Error{Kind::unavailable, folder.string(), "the folder cannot be made: " + failure.message(),
                 "name another folder"};
  }
  std::vector<std::string> parts = {safetensors_header(tensors)};
  for (PeftTensor& tensor : tensors) parts.push_back(std::move(tensor.bytes));
  if (auto written = write_whole(folder / "adapter_model.safetensors", parts); !written)
    return written.error();
  const std::string text = dump_json_pretty(config) + "\n";
  if (auto written = write_whole(folder / "adapter_config.json", std::span(&text, 1)); !written)
    return written.error();
  report.written = folder;
  return report;
}

// Import
// -----------------------------------------------------------------------------------------------------

namespace {

struct Config {
  double alpha = 0;
  bool by_root_rank = false;
  std::string base_name;
  std::vector<std::pair<std::string, double>> alphas;  ///< alpha_pattern
};

bool is_set(const nlohmann::json& config, const char* key) {
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) return false;
  if (found->is_boolean()) return found->get<bool>();
  if (found->is_array() || found->is_object() || found->is_string()) return !found->empty();
  return true;
}

Result<Config> read_config(const fs::path& file) {
  const auto read = read_json_file(file, kMaxConfigBytes);
  if (!read) return read.error();
  const nlohmann::json& json = *read;
  const auto damaged = [&](const std::string& message) {
    return Error{Kind::bad_data, file.string(), message, "fetch the adapter again"};
  };
  if (!json.is_object()) return damaged("it is no JSON object");
  const auto text = [&](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (text("peft_type") != "LORA") {
    return refused(file, "peft_type is '" + shown_name(text("peft_type")) + "'; only LORA can be served");
  }
  for (const char* key : {"use_dora", "modules_to_save", "layer_replication", "lora_bias", "fan_in_fan_out",
                          "trainable_token_indices", "target_parameters", "alora_invocation_tokens",
                          "use_qalora", "use_bdlora", "arrow_config", "velora_config", "monteclora_config"}) {
    if (is_set(json, key))
      return refused(file, std::string(key) + " is set, which llama.cpp's adapters cannot say");
  }
  if (const std::string bias = text("bias"); !bias.empty() && bias != "none") {
    return refused(file, "bias is '" + shown_name(bias) + "': trained biases are not part of a LoRA");
  }
  const std::string init = text("init_lora_weights");
  for (const char* changed : {"pissa", "olora", "corda", "loftq"}) {
    if (init.starts_with(changed)) {
      return refused(file,
                     "init_lora_weights is '" + shown_name(init) + "', for which the base was changed too",
                     "save it converted to a plain LoRA (PEFT: path_initial_model_for_weight_conversion)");
    }
  }
  Config config;
  const auto alpha = json.find("lora_alpha");
  if (alpha == json.end() || !alpha->is_number()) return damaged("lora_alpha is no number");
  config.alpha = alpha->get<double>();
  if (!std::isfinite(config.alpha) || std::abs(config.alpha) > 1e6)
    return damaged("lora_alpha is out of range");
  config.by_root_rank = is_set(json, "use_rslora");
  config.base_name = text("base_model_name_or_path");
  if (is_set(json, "alpha_pattern")) {
    const nlohmann::json& pattern = json["alpha_pattern"];
    if (!pattern.is_object()) return damaged("alpha_pattern is no object");
    for (const auto& [key, value] : pattern.items()) {
      if (key.empty() || key.find_first_of("\\^$*+?()[]{}|") != std::string::npos)
        return refused(file, "alpha_pattern '" + shown_name(key) + "' is a pattern; only names are read");
      if (!value.is_number() || !std::isfinite(value.get<double>()) || std::abs(value.get<double>()) > 1e6)
        return damaged("alpha_pattern of '" + shown_name(key) + "' is no number in range");
      config.alphas.emplace_back(key, value.get<double>());
    }
  }
  return config;
}

/// PEFT takes the first pattern that the module's name ends with, at a dot.
double alpha_of(const Config& config, const std::string& module) {
  for (const auto& [name, alpha] : config.alphas) {
    if (module == name || module.ends_with("." + name)) return alpha;
  }
  return config.alpha;
}

/// "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", taken apart.
struct PeftName {
  std::string module;  ///< "model.layers.0.self_attn.q_proj"
  std::string matrix;  ///< "blk.0.attn_q.weight"
  const Module* kind = nullptr;
  bool is_a = false;
};

Result<PeftName> parse_name(const fs::path& file, const std::string& full, const Base& base) {
  std::string_view name = full;
  if (name.find("lora_embedding_") != std::string_view::npos) {
    return refused(file, shown_name(full) + ": adapted embeddings are not served");
  }
  if (name.find("lora_magnitude_vector") != std::string_view::npos) {
    return refused(file, shown_name(full) + ": DoRA is not served");
  }
  PeftName parsed;
  bool found = false;
  for (const auto& [suffix, is_a] :
       {std::pair{".lora_A.weight", true}, std::pair{".lora_B.weight", false},
        std::pair{".lora_A.default.weight", true}, std::pair{".lora_B.default.weight", false}}) {
    if (name.ends_with(suffix)) {
      name.remove_suffix(std::strlen(suffix));
      parsed.is_a = is_a;
      found = true;
      break;
    }
  }
  const Error unknown =
      refused(file, shown_name(full) + " is no LoRA matrix of a " + base.architecture + " model",
              "name the model it was trained on: --model MODEL");
  if (!found) return unknown;
  if (constexpr std::string_view kPeft = "base_model.model."; name.starts_with(kPeft))
    name.remove_prefix(kPeft.size());
  parsed.module = std::string(name);
  const std::string_view marker = base.is_encoder() ? "encoder.layer." : "layers.";
  const std::size_t at = name.find(marker);
  if (at == std::string_view::npos) return unknown;
  const std::string_view before = name.substr(0, at);
  if (!before.empty() && before != "model." && before != "bert." && before != "auto_model." &&
      before != "0.auto_model." && before != "model.model.")
    return unknown;
  const auto place = layer_of(name.substr(at + marker.size()));
  if (!place || place->first >= base.layers) return unknown;
  for (const Module& one : base.modules()) {
    if (place->second == one.peft) parsed.kind = &one;
  }
  if (parsed.kind == nullptr) return unknown;
  parsed.matrix = "blk." + std::to_string(place->first) + "." + parsed.kind->gguf + ".weight";
  return parsed;
}

struct ImportedPair {
  const SafetensorInfo* a = nullptr;
  const SafetensorInfo* b = nullptr;
  const Module* kind = nullptr;
  std::string module;
};

}  // namespace

Result<PeftReport> import_peft(const fs::path& folder, const fs::path& base_file, const fs::path& out_gguf) {
  const fs::path weights = folder / "adapter_model.safetensors";
  std::error_code ignored;
  if (!fs::exists(folder / "adapter_config.json", ignored)) {
    return refused(folder, "there is no adapter_config.json", "name a folder that PEFT saved");
  }
  if (!fs::exists(weights, ignored)) {
    return refused(folder, "there is no adapter_model.safetensors",
                   "save it with safe_serialization=True; pickled .bin files can run code and are not read");
  }
  const auto config = read_config(folder / "adapter_config.json");
  if (!config) return config.error();
  const auto base = read_base(base_file);
  if (!base) return base.error();
  const auto tensors = Safetensors::open(weights);
  if (!tensors) return tensors.error();

  std::map<std::string, ImportedPair> pairs;
  for (const SafetensorInfo& tensor : tensors->tensors()) {
    const auto name = parse_name(weights, tensor.name, *base);
    if (!name) return name.error();
    if (tensor.shape.size() != 2 || tensor.elements == 0) {
      return Error{Kind::bad_data, weights.string(), shown_name(tensor.name) + " is no matrix", ""};
    }
    ImportedPair& pair = pairs[name->matrix];
    const SafetensorInfo*& place = name->is_a ? pair.a : pair.b;
    if (place != nullptr) {
      return Error{Kind::bad_data, weights.string(), shown_name(tensor.name) + " comes twice", ""};
    }
    place = &tensor;
    pair.kind = name->kind;
    pair.module = name->module;
  }
  if (pairs.empty()) return Error{Kind::bad_data, weights.string(), "it holds no matrices", ""};

  PeftReport report;
  for (const auto& [matrix, pair] : pairs) {
    if (pair.a == nullptr || pair.b == nullptr) {
      return Error{Kind::bad_data, weights.string(),
                   shown_name(pair.module) + " has only one of lora_A and lora_B", "fetch the adapter again"};
    }
    const std::uint64_t rank = pair.a->shape[0];
    if (rank != pair.b->shape[1] || rank > kHighestRank) {
      return Error{Kind::bad_data, weights.string(),
                   shown_name(pair.module) + " has the ranks " + std::to_string(rank) + " and " +
                       std::to_string(pair.b->shape[1]),
                   "fetch the adapter again"};
    }
    const std::uint64_t rows =
        pair.kind->gguf == std::string_view("attn_q") ? base->query_rows : base->key_rows;
    if (base->turned_heads(pair.kind->gguf) != 0 && pair.b->shape[0] != rows) {
      return refused(weights,
                     shown_name(pair.module) + " has " + std::to_string(pair.b->shape[0]) + " rows; " +
                         base->name + " has " + std::to_string(rows),
                     "name the model it was trained on: --model MODEL");
    }
    report.rank = std::max(report.rank, static_cast<int>(rank));
  }
  // One alpha serves all matrices: llama.cpp adds alpha / rank times B A, each with its own rank.
  const auto wanted_scale = [&](const ImportedPair& pair) {
    const auto rank = static_cast<double>(pair.a->shape[0]);
    return alpha_of(*config, pair.module) / (config->by_root_rank ? std::sqrt(rank) : rank);
  };
  const ImportedPair& first = pairs.begin()->second;
  const auto first_rank = static_cast<double>(first.a->shape[0]);
  // PEFT's own alpha where it can be: no number is rounded then.
  report.alpha = static_cast<float>(config->by_root_rank ? wanted_scale(first) * first_rank : config->alpha);
  report.matrices = static_cast<int>(pairs.size());

  GgufWriter writer;
  writer.set("general.type", "adapter");
  writer.set("general.architecture", std::string_view(base->architecture));
  writer.set("general.name", std::string_view(out_gguf.stem().string()));
  writer.set("adapter.type", "lora");
  writer.set("adapter.lora.alpha", report.alpha);
  if (!config->base_name.empty()) writer.set(kBaseNameKey, std::string_view(config->base_name));
  struct Planned {
    const ImportedPair* pair;
    bool is_a;
  };
  std::vector<Planned> planned;
  int folded = 0;
  for (const auto& [matrix, pair] : pairs) {
    for (const bool is_a : {true, false}) {
      const SafetensorInfo& tensor = is_a ? *pair.a : *pair.b;
      writer.add_tensor(matrix + (is_a ? ".lora_a" : ".lora_b"), {tensor.shape[1], tensor.shape[0]}, kF32,
                        tensor.elements * sizeof(float));
      planned.push_back({&pair, is_a});
    }
  }
  const auto values_of = [&](std::size_t index) -> Result<std::string> {
    const auto& [pair, is_a] = planned[index];
    const SafetensorInfo& tensor = is_a ? *pair->a : *pair->b;
    auto values = tensors->read_f32(tensor);
    if (!values) return values.error();
    for (const float value : *values) {
      if (!std::isfinite(value)) {
        return Error{Kind::bad_data, weights.string(),
                     shown_name(tensor.name) + " holds a value that is no number", "fetch the adapter again"};
      }
    }
    if (is_a) return bytes_of(*values);
    const double rank = static_cast<double>(pair->a->shape[0]);
    const double served = static_cast<double>(report.alpha) / rank;
    const double wanted = wanted_scale(*pair);
    if (std::abs(wanted - served) > 1e-7 * std::abs(wanted)) {
      if (served == 0) {
        return refused(folder, "lora_alpha is 0 while alpha_pattern is not");
      }
      ++folded;
      for (float& value : *values) value = static_cast<float>(static_cast<double>(value) * wanted / served);
    }
    if (const std::uint64_t head = base->turned_heads(pair->kind->gguf); head != 0)
      interleave_halves(*values, tensor.shape[0], head);
    return bytes_of(*values);
  };
  // Beside first: only what fits the model gets the name.
  const fs::path beside = out_gguf.parent_path() / ("." + out_gguf.filename().string() + ".import");
  if (auto written = writer.write(beside, values_of); !written) return written.error();
  const auto match = check_adapter_base(beside, base_file);
  if (!match) {
    fs::remove(beside, ignored);
    Error error = match.error();
    error.place = folder.string();
    return error;
  }
  std::error_code failure;
  fs::rename(beside, out_gguf, failure);
  if (failure) {
    fs::remove(beside, ignored);
    return Error{Kind::unavailable, out_gguf.string(), failure.message(), "check the folder and its rights"};
  }
  report.written = out_gguf;
  if (folded > 0) {
    report.notes.push_back(std::to_string(folded) +
                           " matrices have a scale of their own, which was put into them");
  }
  if (!config->base_name.empty())
    report.notes.push_back("it says it was trained on " + shown_name(config->base_name));
  return report;
}

}  // namespace loam::engine
