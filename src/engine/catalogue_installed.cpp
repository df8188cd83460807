// The models under HOME/models and their manifests.
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/json.h"
#include "engine/catalogue.h"
#include "engine/model_file.h"

namespace loam::engine {

Json weights_json(const std::vector<WeightsRow>& rows) {
  Json list = Json::array();
  for (const WeightsRow& row : rows) {
    list.push_back({{"form", row.form},
                    {"size_bytes", row.size_bytes},
                    {"prefill_tokens_per_s", row.prefill_tokens_per_s},
                    {"decode_tokens_per_s", row.decode_tokens_per_s},
                    {"typical_ask_ms", row.typical_ask_ms},
                    {"mean_kl", row.mean_kl},
                    {"top1_agreement", row.top1_agreement},
                    {"chosen", row.chosen},
                    {"reason", row.reason}});
  }
  return list;
}

namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t kMaxManifestBytes = 1U << 20U;
constexpr int kManifestVersion = 1;

Json to_json(const InstalledModel& model, const fs::path& folder) {
  // A file in the folder is named without it, so that the home can be moved.
  const bool beside = model.file.parent_path() == folder;
  Json json = {{"manifest_version", kManifestVersion},
               {"name", model.name},
               {"role", name_of(model.role)},
               {"file", beside ? model.file.filename().string() : model.file.string()},
               {"size_bytes", model.size_bytes},
               {"sha256", model.sha256},
               {"source", model.source},
               {"source_sha256", model.source_sha256},
               {"licence", model.licence},
               {"architecture", model.architecture},
               {"file_type", model.file_type},
               {"parameters", model.parameters},
               {"context_tokens", model.context_tokens},
               {"installed_unix_seconds", model.installed_unix_seconds}};
  if (model.role == ModelRole::chat) json["weights_measured"] = model.weights_measured;
  if (!model.weights.empty()) {
    json["weights"] = weights_json(model.weights);
    json["weights_machine"] = model.weights_machine;
  }
  return json;
}

InstalledModel from_json(const Json& json, const fs::path& folder) {
  InstalledModel model;
  model.name = json.at("name").get<std::string>();
  model.role = model_role_from(json.at("role").get<std::string>()).value_or(ModelRole::chat);
  const fs::path file = json.at("file").get<std::string>();
  model.file = file.is_absolute() ? file : folder / file;
  model.size_bytes = json.value("size_bytes", std::uint64_t{0});
  model.sha256 = json.value("sha256", std::string());
  model.source = json.value("source", std::string());
  model.source_sha256 = json.value("source_sha256", std::string());
  model.licence = json.value("licence", std::string());
  model.architecture = json.value("architecture", std::string());
  model.file_type = json.value("file_type", std::string());
  model.parameters = json.value("parameters", std::uint64_t{0});
  model.context_tokens = json.value("context_tokens", 0);
  model.installed_unix_seconds = json.value("installed_unix_seconds", std::int64_t{0});
  model.weights_machine = json.value("weights_machine", std::string());
  // Manifests of before this key hold the table only when it was finished.
  model.weights_measured = json.value("weights_measured", json.contains("weights"));
  if (json.contains("weights")) {
    for (const Json& row : json.at("weights")) {
      WeightsRow weights;
      weights.form = row.at("form").get<std::string>();
      weights.size_bytes = row.value("size_bytes", std::uint64_t{0});
      weights.prefill_tokens_per_s = row.value("prefill_tokens_per_s", 0.0);
      weights.decode_tokens_per_s = row.value("decode_tokens_per_s", 0.0);
      weights.typical_ask_ms = row.value("typical_ask_ms", 0.0);
      weights.mean_kl = row.value("mean_kl", 0.0);
      weights.top1_agreement = row.value("top1_agreement", 0.0);
      weights.chosen = row.value("chosen", false);
      weights.reason = row.value("reason", std::string());
      model.weights.push_back(std::move(weights));
    }
  }
  return model;
}

Result<InstalledModel> read_manifest(const fs::path& path) {
  auto text = read_small_file(path, kMaxManifestBytes);
  if (!text) return text.error();
  const auto json = parse_json(*text, path.string(), 8);
  if (!json) return json.error();
  const auto damaged = [&](std::string message) {
    return Error{Kind::bad_data, path.string(), std::move(message),
                 "loam models pull " + path.stem().string()};
  };
  try {
    if (json->at("manifest_version").get<int>() != kManifestVersion)
      return damaged("the manifest is of another version");
    auto model = from_json(*json, path.parent_path());
    if (model.name != path.stem().string()) return damaged("the manifest names the model " + model.name);
    return model;
  } catch (const nlohmann::json::exception& failure) {
    return damaged(std::string("the manifest is damaged: ") + failure.what());
  }
}

Error unknown_model(std::string_view name, const std::vector<InstalledModel>& installed) {
  Error error{Kind::bad_request, std::string(name), "there is no such model here", "loam models list"};
  for (const InstalledModel& model : installed) {
    if (model.name.find(name) != std::string::npos) {
      error.next_step = "use " + model.name;
      return error;
    }
  }
  if (Catalogue::built_in().find(name) != nullptr) {
    error.message = "this model is not installed";
    error.next_step = "loam models pull " + std::string(name);
  } else if (const auto near = Catalogue::built_in().suggestions(name); !near.empty()) {
    error.next_step = "loam models pull " + near.front();
  }
  return error;
}

}  // namespace

InstalledModels::InstalledModels(fs::path home) : folder_(std::move(home) / "models") {}

Result<std::vector<InstalledModel>> InstalledModels::list(std::vector<Error>* damaged) const {
  std::vector<InstalledModel> models;
  std::error_code failure;
  fs::directory_iterator entries(folder_, failure);
  if (failure == std::errc::no_such_file_or_directory) return models;
  if (failure) {
    return Error{Kind::unavailable, folder_.string(), "the folder cannot be read: " + failure.message(),
                 "check its permissions"};
  }
  for (const auto& entry : entries) {
    if (entry.path().extension() != ".json" || !is_model_name(entry.path().stem().string())) continue;
    auto model = read_manifest(entry.path());
    if (model) {
      models.push_back(std::move(*model));
    } else if (damaged != nullptr) {
      damaged->push_back(model.error());
    }
  }
  std::sort(models.begin(), models.end(),
            [](const InstalledModel& a, const InstalledModel& b) { return a.name < b.name; });
  return models;
}

Result<InstalledModel> InstalledModels::show(std::string_view name) const {
  std::error_code ignored;
  const fs::path manifest = folder_ / (std::string(name) + ".json");
  if (is_model_name(name) && fs::exists(manifest, ignored)) return read_manifest(manifest);
  const auto installed = list();
  return unknown_model(name, installed ? *installed : std::vector<InstalledModel>{});
}

Result<fs::path> InstalledModels::resolve(std::string_view name_or_path) const {
  std::error_code ignored;
  if (name_or_path.find('/') == std::string_view::npos) {
    const auto model = show(name_or_path);
    if (model) {
      if (fs::is_regular_file(model->file, ignored)) return model->file;
      return Error{Kind::unavailable, model->file.string(),
                   "the file of the model " + model->name + " is gone", "loam models pull " + model->name};
    }
    if (model.error().kind != Kind::bad_request || !fs::is_regular_file(fs::path(name_or_path), ignored))
      return model.error();
  }
  const fs::path path(name_or_path);
  if (fs::is_regular_file(path, ignored)) return path;
  return Error{Kind::bad_request, path.string(), "there is no such file", "loam models list"};
}

Result<std::uint64_t> InstalledModels::remove(std::string_view name) const {
  const auto model = show(name);
  if (!model) return model.error();
  std::error_code failure;
  std::uint64_t freed = 0;
  if (model->file.parent_path() == folder_ && fs::is_regular_file(fs::symlink_status(model->file, failure))) {
    freed = fs::file_size(model->file, failure);
    // The manifest goes last: when the file cannot be removed, the model is still listed.
    if (!fs::remove(model->file, failure) || failure) {
      return Error{Kind::unavailable, model->file.string(),
                   "the file cannot be removed: " + failure.message(), "check its permissions"};
    }
  }
  if (!fs::remove(folder_ / (model->name + ".json"), failure) || failure) {
    return Error{Kind::unavailable, folder_.string(), "the manifest cannot be removed: " + failure.message(),
                 "check its permissions"};
  }
  return freed;
}

Result<void> InstalledModels::save(const InstalledModel& model) const {
  if (!is_model_name(model.name)) {
    return Error{Kind::bad_request, model.name, "this cannot be the name of a model",
                 "use a-z, 0-9, '.', '-' and '_'"};
  }
  std::error_code failure;
  fs::create_directories(folder_, failure);
  const fs::path manifest = folder_ / (model.name + ".json");
  const fs::path part = folder_ / ("." + model.name + ".json.part-" + std::to_string(::getpid()));
  {
    std::ofstream file(part, std::ios::binary | std::ios::trunc);
    file << dump_json_pretty(to_json(model, folder_)) << '\n';
    file.flush();
    if (!file) {
      fs::remove(part, failure);
      return Error{Kind::out_of_room, manifest.string(), "the manifest cannot be written",
                   "free disk space or check permissions"};
    }
  }
  fs::rename(part, manifest, failure);
  if (failure) {
    return Error{Kind::unavailable, manifest.string(),
                 "the manifest cannot be put in place: " + failure.message(), "check permissions"};
  }
  return done();
}

}  // namespace loam::engine
