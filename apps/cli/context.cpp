#include "cli/context.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

#include "base/utf8.h"
#include "cli/logger.h"
#include "cli/nearest.h"
#include "engine/adapters.h"
#include "engine/base_identity.h"
#include "tasks/improve.h"

namespace loam::cli {
namespace fs = std::filesystem;
namespace {

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

/// NAME.gguf in a folder, or the only NAME-*.gguf there (a name without the weight type).
std::optional<fs::path> gguf_in(const fs::path& folder, const std::string& name) {
  if (is_file(folder / (name + ".gguf"))) return folder / (name + ".gguf");
  std::vector<fs::path> found;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(folder, failure)) {
    const std::string file = entry.path().filename().string();
    if (file.starts_with(name + "-") && file.ends_with(".gguf")) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found.size() == 1 ? std::optional(found.front()) : std::nullopt;
}

std::string_view option_of(engine::ModelRole role) {
  return role == engine::ModelRole::embedding ? "--embedder" : "--model";
}
}  // namespace

Context::Context(const Verb& verb, Options options, std::vector<std::string> arguments, Terminal& terminal)
    : verb_(verb),
      options_(std::move(options)),
      arguments_(std::move(arguments)),
      terminal_(terminal),
      logger_(make_logger(options_)) {}

std::vector<fs::path> Context::model_folders() const {
  std::vector<fs::path> folders = {home() / "models"};
  if (!options_.models.empty() && fs::path(options_.models) != folders.front())
    folders.emplace_back(options_.models);
  return folders;
}

fs::path Context::pdfium() const {
  const fs::path here = own_program().parent_path();
  const std::vector<fs::path> places = {here / ".." / "lib" / "loam" / "libpdfium.so",
                                        home() / "lib" / "libpdfium.so",
                                        fs::path(LOAM_DEPS_DIR) / "pdfium" / "lib" / "libpdfium.so"};
  for (const fs::path& place : places) {
    std::error_code ignored;
    if (is_file(place)) return fs::canonical(place, ignored);
  }
  return {};
}

Result<std::unique_ptr<store::Store>> Context::open_store() {
  std::error_code failure;
  fs::create_directories(home(), failure);
  if (failure) {
    return Error{Kind::unavailable, home().string(), "the folder cannot be made: " + failure.message(),
                 "loam --home DIR, with a folder that can be written to"};
  }
  return store::Store::open(store_file(), {}, logger());
}

Result<std::unique_ptr<store::Store>> Context::open_store_to_read() {
  std::error_code ignored;
  if (!fs::exists(store_file(), ignored)) {
    return Error{Kind::bad_request, home().string(), "nothing has been ingested yet", "loam ingest PATH"};
  }
  return open_store();
}

Result<store::Collection> Context::find_collection(store::Store& store, const std::string& name) {
  auto found = store.find_collection(name);
  if (!found) return found.error();
  if (found->has_value()) return **found;
  auto all = store.collections();
  if (!all) return all.error();
  std::vector<std::string> names;
  for (const store::Collection& one : *all) names.push_back(one.name);
  if (names.empty())
    return Error{Kind::bad_request, home().string(), "nothing has been ingested yet", "loam ingest PATH"};
  const auto meant = nearest(name, names);
  return Error{Kind::bad_request, "collection \"" + name + "\"",
               fmt::format("there is no such collection; there {} {}", names.size() == 1 ? "is" : "are",
                           fmt::join(names, ", ")),
               "-c " + meant.value_or(names.front())};
}

Result<fs::path> Context::find_model(const std::string& wanted, engine::ModelRole role) {
  const engine::InstalledModels installed(home());
  if (!wanted.empty()) {
    const bool is_path = wanted.find('/') != std::string::npos || wanted.ends_with(".gguf");
    if (!is_path) {
      for (const fs::path& folder : model_folders()) {
        if (auto file = gguf_in(folder, wanted)) return *file;
      }
    }
    return installed.resolve(wanted);
  }
  // Nothing asked for: the catalogue's default where it is installed, else the only model of that role.
  auto list = installed.list();
  if (!list) return list.error();
  const engine::CatalogueEntry* entry = engine::Catalogue::built_in().default_for(role);
  if (entry != nullptr) {
    for (const engine::InstalledModel& model : *list) {
      if (model.name == entry->name && is_file(model.file)) return model.file;
    }
    for (const fs::path& folder : model_folders()) {
      if (auto file = gguf_in(folder, entry->name)) return *file;
    }
  }
  std::vector<const engine::InstalledModel*> of_role;
  for (const engine::InstalledModel& model : *list) {
    if (model.role == role && is_file(model.file)) of_role.push_back(&model);
  }
  if (of_role.size() == 1) return of_role.front()->file;
  if (of_role.size() > 1) {
    return Error{Kind::bad_request, std::string(option_of(role)), "several models could be meant",
                 fmt::format("{} {}", option_of(role), of_role.front()->name)};
  }
  const std::string what = role == engine::ModelRole::embedding ? "embedding model" : "language model";
  return Error{Kind::unavailable, model_folders().front().string(), fmt::format("there is no {} here", what),
               entry != nullptr ? "loam models pull " + entry->name : "loam models list --all"};
}

Result<std::unique_ptr<engine::LocalEmbedder>> Context::open_embedder() {
  auto file = find_model(options_.embedder, engine::ModelRole::embedding);
  if (!file) return file.error();
  engine::LocalEmbedderOptions options;
  options.threads = options_.threads;
  if (!options_.embedder_adapter.empty()) {
    auto adapter = engine::InstalledAdapters(home()).resolve(options_.embedder_adapter);
    if (!adapter) return adapter.error();
    options.adapter = *std::move(adapter);
  }
  return engine::LocalEmbedder::open(*file, options, logger());
}

Result<void> Context::use_adopted(store::Store& store, const std::string& scope) {
  auto adoption = store.adopted(scope);
  if (!adoption) return adoption.error();
  if (!*adoption) return done();
  auto chosen = tasks::settings_of(**adoption);
  if (!chosen) return chosen.error();
  for (const auto& [key, value] : *chosen) {
    const Setting* setting = find_setting_by_key(key);
    if (setting == nullptr || config_lines.contains(key)) continue;
    if (std::find(given_names.begin(), given_names.end(), setting->name) != given_names.end()) continue;
    const std::string place = fmt::format("{}, adopted with ledger run {}", key, number_of((*adoption)->run));
    if (auto ok = apply(*setting, value, place, options_); !ok) {
      Error bad = ok.error();
      bad.kind = Kind::bad_data;
      bad.next_step = "loam improve --undo";
      return bad;
    }
    adopted_[key] = value;
  }
  adopted_run_ = (*adoption)->run;
  return done();
}

std::string Context::adopted_text() const {
  if (adopted_.empty()) return "";
  std::vector<std::string> words;
  for (const auto& [key, value] : adopted_) words.push_back(key + " " + value);
  return fmt::format("{} (loam improve, run {})", fmt::join(words, ", "), number_of(adopted_run_));
}

Result<OpenCollection> Context::open_collection() {
  OpenCollection open;
  auto store = open_store_to_read();
  if (!store) return store.error();
  open.store = std::move(*store);
  auto collection = find_collection(*open.store, options_.collection);
  if (!collection) return collection.error();
  open.collection = std::move(*collection);
  if (auto used = use_adopted(*open.store, store::scope_of(open.collection.id)); !used) return used.error();
  auto embedder = open_embedder();
  if (!embedder) return embedder.error();
  open.embedder = std::move(*embedder);
  if (open.collection.embedder_fingerprint != open.embedder->fingerprint()) {
    // Its vectors would be compared with those of another model, and mean nothing.
    return Error{
        Kind::bad_request, "collection \"" + open.collection.name + "\"",
        fmt::format("it was made with {} ({}) and cannot be searched with {} ({})", open.collection.embedder,
                    open.collection.embedder_fingerprint.substr(0, 12), open.embedder->model_name(),
                    open.embedder->fingerprint().substr(0, 12)),
        "name its embedder with --embedder and --embedder-adapter, or ingest into another collection"};
  }
  auto retriever = retrieve::Retriever::open(*open.store, open.collection.id, *open.embedder);
  if (!retriever) return retriever.error();
  open.retriever = std::move(*retriever);
  return open;
}

Result<std::unique_ptr<engine::LocalEngine>> Context::open_engine() {
  auto file = find_model(options_.model, engine::ModelRole::chat);
  if (!file) return file.error();
  engine::LocalEngineOptions options = engine_options();
  auto adapters = wanted_adapters(*file);
  if (!adapters) return adapters.error();
  options.adapters = adapters_in_use_ = *std::move(adapters);
  return engine::LocalEngine::open(*file, std::move(options), logger());
}

Result<std::vector<engine::Adapter>> Context::wanted_adapters(const fs::path& model) const {
  const engine::InstalledAdapters installed(home());
  std::vector<engine::Adapter> adapters;
  if (!options_.adapters.empty()) {
    for (const std::string& text : options_.adapters) {
      if (text == "none") {
        if (options_.adapters.size() == 1) return adapters;
        return Error{Kind::bad_request, "--adapter none", "none and another one cannot both be",
                     "leave one out"};
      }
      const auto wish = engine::adapter_wish(text);
      if (!wish) return wish.error();
      auto file = installed.resolve(wish->name);
      if (!file) return file.error();
      float scale = wish->scale.value_or(1.0F);
      if (!wish->scale && file->parent_path() == installed.folder()) {
        const auto known = installed.show(file->stem().string());
        if (!known) return known.error();
        scale = known->scale;
      }
      adapters.push_back({*file, scale});
    }
    return adapters;
  }
  if (!installed.has_defaults()) return adapters;
  const auto identity = engine::base_identity(model);
  if (!identity) return identity.error();
  const auto standard = installed.default_for(*identity);
  if (!standard) return standard.error();
  if (*standard) adapters.push_back({(*standard)->file, (*standard)->scale});
  return adapters;
}

engine::LocalEngineOptions Context::engine_options() const {
  engine::LocalEngineOptions options;
  options.context_tokens = options_.context;
  options.threads = options_.threads;
  if (auto type = engine::kv_type_from_name(options_.kv_type)) options.k_type = options.v_type = *type;
  return options;
}

retrieve::RetrieveOptions Context::retrieve_options() const {
  retrieve::RetrieveOptions options;
  options.candidates = options_.candidates;
  options.lexical_weight = static_cast<float>(options_.lexical_weight);
  options.dense_weight = static_cast<float>(1 - options_.lexical_weight);
  options.legs = options_.legs == "bm25"    ? retrieve::Legs::lexical_only
                 : options_.legs == "dense" ? retrieve::Legs::dense_only
                                            : retrieve::Legs::both;
  return options;
}

engine::Sampling Context::sampling() const {
  engine::Sampling sampling;
  sampling.temperature = static_cast<float>(options_.temperature);
  sampling.top_k = options_.top_k;
  sampling.top_p = static_cast<float>(options_.top_p);
  sampling.min_p = static_cast<float>(options_.min_p);
  sampling.repeat_penalty = static_cast<float>(options_.repeat_penalty);
  sampling.seed = static_cast<std::uint32_t>(options_.seed);
  return sampling;
}

Result<std::unique_ptr<reader::Reader>> Context::open_reader() {
  reader::Reader::Options options;
  options.limits.max_file_bytes = static_cast<std::int64_t>(options_.max_file_mib) << 20;
  options.limits.wall_seconds = options_.file_seconds;
  options.limits.cpu_seconds = options_.file_seconds;
  options.limits.memory_bytes = static_cast<std::int64_t>(options_.file_memory_mib) << 20;
  options.libraries.pdfium = pdfium();
  options.worker_command = {own_program().string(), "reader-worker"};
  return reader::Reader::open(std::move(options), logger());
}

fs::path own_program() {
  std::error_code failure;
  fs::path path = fs::read_symlink("/proc/self/exe", failure);
  return failure ? fs::path("/proc/self/exe") : path;
}

Result<std::string> read_text_file(const fs::path& path) {
  constexpr std::uintmax_t kLargest = 16U << 20U;
  std::error_code failure;
  if (fs::is_directory(path, failure)) {
    return Error{Kind::bad_request, path.string(), "is a folder, not a file", ""};
  }
  std::ifstream in(path, std::ios::binary);
  if (!in)
    return Error{Kind::unavailable, path.string(), std::string("cannot be read: ") + std::strerror(errno),
                 ""};
  const std::uintmax_t size = fs::file_size(path, failure);
  if (!failure && size > kLargest) {
    return Error{Kind::out_of_room, path.string(),
                 fmt::format("{} bytes are more than the {} allowed", size, kLargest), ""};
  }
  return std::string(std::istreambuf_iterator<char>(in), {});
}

Result<std::string> read_standard_input() {
  constexpr std::size_t kLargest = 256U << 20U;
  std::string text;
  char buffer[65536];
  while (std::cin.read(buffer, sizeof buffer) || std::cin.gcount() > 0) {
    text.append(buffer, static_cast<std::size_t>(std::cin.gcount()));
    if (text.size() > kLargest) {
      return Error{Kind::out_of_room, "standard input", "more than 256 MiB", "give a smaller text"};
    }
  }
  return text;
}

Result<std::string> argument_or_input(Context& context, const std::string& what) {
  const auto& arguments = context.arguments();
  std::string text;
  if (!arguments.empty() && arguments.front() != "-") {
    text = arguments.front();
  } else {
    if (arguments.empty() && ::isatty(STDIN_FILENO) == 1) {
      return Error{Kind::bad_request, "loam " + context.verb().name, what + " is missing",
                   context.verb().examples.front().command};
    }
    auto input = read_standard_input();
    if (!input) return input.error();
    text = std::move(*input);
  }
  if (!is_valid_utf8(text)) {
    return Error{Kind::bad_request, what, "not valid UTF-8", "convert the text to UTF-8 first"};
  }
  return text;
}

}  // namespace loam::cli
