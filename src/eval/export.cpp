// The ledger for other programs: CSV, MLflow's files, and JSON lines that come back.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <fstream>
#include <limits>
#include <set>

#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"
#include "eval/ledger.h"
#include "eval/run_json.h"
#include "eval/run_rows.h"

namespace loam::eval {
namespace fs = std::filesystem;

namespace {

constexpr int kAll = std::numeric_limits<int>::max();

/// Rows without items, oldest first; damaged ones are counted apart.
Result<std::vector<Run>> sound_runs(store::Store& store, std::string_view task, ExportReport& report) {
  auto all = runs(store, task, kAll);
  if (!all) return all;
  std::vector<Run> sound;
  for (Run& run : *all) {
    if (run.damage.empty()) {
      sound.push_back(std::move(run));
    } else {
      report.damaged.push_back(run.id);
    }
  }
  std::reverse(sound.begin(), sound.end());
  std::reverse(report.damaged.begin(), report.damaged.end());
  return sound;
}

std::string number_text(double value) { return dump_json(Json(value)); }  // as short as it can be read back

std::string date_text(std::int64_t unix_seconds) {
  const auto seconds = static_cast<std::time_t>(unix_seconds);
  std::tm parts{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return std::to_string(unix_seconds);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string models_text(const Run& run) {
  std::string all;
  for (const ModelUse& model : run.models) {
    if (!all.empty()) all += "; ";
    all += fmt::format("{}: {}", model.role, model.name);
    if (!model.sha256.empty()) all += " " + model.sha256;
  }
  return all;
}

// CSV
// ---------------------------------------------------------------------------------------------------------

/// A text cell by RFC 4180. What a spreadsheet would run as a formula (OWASP, "CSV Injection") gets an
/// apostrophe.
std::string cell(std::string_view text) {
  std::string out;
  if (!text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos) out += '\'';
  out += to_valid_utf8(text);
  if (out.find_first_of(",\"\r\n") == std::string::npos) return out;
  std::string quoted = "\"";
  for (const char c : out) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

// Files
// -------------------------------------------------------------------------------------------------------

Error write_error(const fs::path& file, int code) {
  return {code == ENOSPC || code == EDQUOT ? Kind::out_of_room : Kind::unavailable, file.string(),
          fmt::format("cannot be written: {}", std::strerror(code != 0 ? code : EIO)),
          "name a place with room that can be written to"};
}

Result<void> write_file(const fs::path& file, std::string_view bytes) {
  errno = 0;
  std::ofstream stream(file, std::ios::binary | std::ios::trunc);
  stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  stream.close();
  if (!stream) return write_error(file, errno);
  return done();
}

Result<void> make_folders(const fs::path& folder) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) return write_error(folder, failed.value());
  return done();
}

std::string item_lines(const Run& run) {
  std::string lines;
  for (const ItemResult& item : run.items) {
    const Json line = {
        {"id", item.id}, {"cluster", item.cluster}, {"scores", scores_json(item)}, {"output", item.output}};
    lines += dump_json(line) + "\n";
  }
  return lines;
}

// MLflow
// ------------------------------------------------------------------------------------------------------

/// A name that MLflow allows: letters, digits, '_', '-', '.', ' '. A name cannot leave its folder.
std::string mlflow_name(std::string_view name, std::set<std::string>& taken) {
  std::string out;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-' || c == '.' || c == ' ';
    out += c == '@' ? std::string("_at_") : std::string(1, plain ? c : '_');
  }
  constexpr std::size_t kLongest = 200;  // MLflow allows 250
  if (out.size() > kLongest) out.resize(kLongest);
  if (out.find_first_not_of(". ") == std::string::npos) out = "unnamed";
  std::string unique = out;
  for (int i = 2; !taken.insert(unique).second; ++i) unique = fmt::format("{}_{}", out, i);
  return unique;
}

/// A YAML scalar: JSON's strings are YAML's.
std::string yaml(std::string_view text) { return dump_json(Json(to_valid_utf8(text))); }

std::string file_uri(const fs::path& path) {
  std::string uri = "file://";
  for (const char c : path.string()) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("/-_.~").find(c) != std::string_view::npos;
    uri += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return uri;
}

/// MLflow's ids of experiments are decimal; the same task has the same one in every export.
std::string experiment_id(std::string_view task) {
  const std::string hash = sha256_hex(fmt::format("loam experiment {}", task));
  return fmt::format("{:018}", std::stoull(hash.substr(0, 15), nullptr, 16) % 1'000'000'000'000'000'000ULL);
}

std::string mlflow_run_id(const Run& run) {
  const store::LedgerRow row = row_of(run);
  return sha256_hex(fmt::format("loam run {} {} {}\n{}\n{}", number_of(run.id), run.at, row.task, row.config,
                                row.result))
      .substr(0, 32);
}

/// MLflow refuses longer values; all of them are whole in artifacts/run.json.
std::string parameter_text(std::string text) {
  constexpr std::size_t kLongest = 6000;
  if (utf8_length(text) <= kLongest) return text;
  text.resize(utf8_floor(text, kLongest - 100));
  return text + "... (cut; whole in the artifact run.json)";
}

class MlflowWriter {
 public:
  explicit MlflowWriter(fs::path folder) : folder_(std::move(folder)) {}

  Result<void> add(const Run& run) {
    const std::string experiment = experiment_id(run.task);
    const fs::path experiment_folder = folder_ / experiment;
    const std::int64_t end_ms = run.at * 1000;
    const std::int64_t start_ms = end_ms - static_cast<std::int64_t>(run.cost.seconds * 1000);
    if (experiments_.insert(experiment).second) {
      if (auto made = make_folders(experiment_folder); !made) return made;
      const std::string meta = fmt::format(
          "artifact_location: {}\ncreation_time: {}\nexperiment_id: '{}'\nlast_update_time: {}\n"
          "lifecycle_stage: active\nname: {}\n",
          yaml(file_uri(experiment_folder)), start_ms, experiment, end_ms, yaml("loam " + run.task));
      if (auto written = write_file(experiment_folder / "meta.yaml", meta); !written) return written;
    }
    const std::string id = mlflow_run_id(run);
    const fs::path at = experiment_folder / id;
    for (const char* part : {"metrics", "params", "tags", "artifacts"}) {
      if (auto made = make_folders(at / part); !made) return made;
    }
    for (auto write : {&MlflowWriter::write_metrics, &MlflowWriter::write_parameters,
                       &MlflowWriter::write_tags, &MlflowWriter::write_artifacts}) {
      if (auto written = (this->*write)(run, at); !written) return written;
    }
    // Last, so that a run whose export was interrupted does not show.
    const std::string name = run.name.empty() ? fmt::format("run {}", number_of(run.id)) : run.name;
    return write_file(
        at / "meta.yaml",
        fmt::format("artifact_uri: {}\nend_time: {}\nentry_point_name: ''\nexperiment_id: '{}'\n"
                    "lifecycle_stage: active\nrun_id: {}\nrun_name: {}\nrun_uuid: {}\nsource_name: ''\n"
                    "source_type: 4\nsource_version: ''\nstart_time: {}\nstatus: 3\ntags: []\n"
                    "user_id: loam\n",
                    yaml(file_uri(at / "artifacts")), end_ms, experiment, yaml(id), yaml(name), yaml(id),
                    start_ms));
  }

 private:
  Result<void> write_metrics(const Run& run, const fs::path& at) {
    std::set<std::string> taken;
    const auto put = [&](const std::string& name, double value) {
      return write_file(at / "metrics" / mlflow_name(name, taken),
                        fmt::format("{} {} 0\n", run.at * 1000, number_text(value)));
    };
    std::vector<std::pair<std::string, double>> all;
    for (const Metric& metric : run.metrics) {
      all.emplace_back(metric.name, metric.estimate.value);
      all.emplace_back(metric.name + ".low", metric.estimate.low);
      all.emplace_back(metric.name + ".high", metric.estimate.high);
      all.emplace_back(metric.name + ".n", static_cast<double>(metric.estimate.n));
    }
    all.emplace_back("seconds", run.cost.seconds);
    all.emplace_back("cpu_seconds", run.cost.cpu_seconds);
    all.emplace_back("tokens", static_cast<double>(run.cost.tokens));
    if (run.cost.joules) all.emplace_back("joules", *run.cost.joules);
    if (run.cost.peak_mb) all.emplace_back("peak_mb", *run.cost.peak_mb);
    for (const auto& [name, value] : all) {
      if (auto written = put(name, value); !written) return written;
    }
    return done();
  }

  Result<void> write_parameters(const Run& run, const fs::path& at) {
    std::set<std::string> taken;
    std::vector<std::pair<std::string, std::string>> all = {{"data.file", run.data.file},
                                                            {"data.sha256", run.data.sha256},
                                                            {"data.items", std::to_string(run.data.items)},
                                                            {"split", run.split},
                                                            {"seed", std::to_string(run.seed)}};
    const auto settings = parse_json(run.settings.empty() ? "{}" : run.settings, "settings");
    if (settings && settings->is_object()) {
      for (const auto& [key, value] : settings->items()) {
        all.emplace_back("settings." + key, value.is_string() ? value.get<std::string>() : dump_json(value));
      }
    }
    for (const ModelUse& model : run.models)
      all.emplace_back("model." + model.role,
                       model.sha256.empty() ? model.name : model.name + " " + model.sha256);
    for (const auto& [name, value] : all) {
      const std::string text = parameter_text(to_valid_utf8(value));
      if (auto written = write_file(at / "params" / mlflow_name(name, taken), text); !written) return written;
    }
    return done();
  }

  Result<void> write_tags(const Run& run, const fs::path& at) {
    const std::pair<const char*, std::string> all[] = {
        {"mlflow.runName", run.name.empty() ? fmt::format("run {}", number_of(run.id)) : run.name},
        {"loam.run", std::to_string(number_of(run.id))},
        {"loam.task", run.task},
        {"loam.machine", run.machine},
        {"loam.version", run.version}};
    for (const auto& [name, value] : all) {
      if (auto written = write_file(at / "tags" / name, to_valid_utf8(value)); !written) return written;
    }
    return done();
  }

  Result<void> write_artifacts(const Run& run, const fs::path& at) {
    Json whole = run_json(run);
    whole.erase("items");
    if (auto written = write_file(at / "artifacts" / "run.json", dump_json_pretty(whole) + "\n"); !written)
      return written;
    if (run.items.empty()) return done();
    return write_file(at / "artifacts" / "items.jsonl", item_lines(run));
  }

  fs::path folder_;
  std::set<std::string> experiments_;
};

/// What makes two rows the same run.
std::string fingerprint(const store::LedgerRow& row) {
  return sha256_hex(fmt::format("{}\n{}\n{}\n{}", row.at, row.task, row.config, row.result));
}

Error with_count(const Error& error, std::size_t written) {
  Error counted = error;
  counted.message += fmt::format(" ({} run{} written before)", written, written == 1 ? " was" : "s were");
  return counted;
}

}  // namespace

Result<std::string> export_csv(store::Store& store, std::string_view task, ExportReport* report) {
  ExportReport scratch;
  ExportReport& told = report != nullptr ? *report : scratch;
  auto all = sound_runs(store, task, told);
  if (!all) return all.error();
  std::string csv =
      "run,at,task,name,split,data_file,data_sha256,data_items,seed,metric,value,low,high,n,higher_is_better,"
      "seconds,cpu_seconds,tokens,joules,peak_mb,models,settings,machine,version\r\n";
  for (const Run& run : *all) {
    const std::string head = fmt::format("{},{},{},{},{},{},{},{},{},", number_of(run.id), date_text(run.at),
                                         cell(run.task), cell(run.name), cell(run.split), cell(run.data.file),
                                         cell(run.data.sha256), run.data.items, run.seed);
    const auto known = [](const std::optional<double>& value) {
      return value ? number_text(*value) : std::string{};
    };
    const std::string tail = fmt::format(
        ",{},{},{},{},{},{},{},{},{}\r\n", number_text(run.cost.seconds), number_text(run.cost.cpu_seconds),
        run.cost.tokens, known(run.cost.joules), known(run.cost.peak_mb), cell(models_text(run)),
        cell(run.settings), cell(run.machine), cell(run.version));
    for (const Metric& metric : run.metrics) {
      const Estimate& e = metric.estimate;
      csv += head +
             fmt::format("{},{},{},{},{},{}", cell(metric.name), number_text(e.value), number_text(e.low),
                         number_text(e.high), e.n, metric.higher_is_better ? "true" : "false") +
             tail;
    }
    if (run.metrics.empty()) csv += head + ",,,,," + tail;
  }
  told.runs = all->size();
  return csv;
}

Result<void> export_mlflow(store::Store& store, const fs::path& folder, std::string_view task,
                           ExportReport* report) {
  ExportReport scratch;
  ExportReport& told = report != nullptr ? *report : scratch;
  auto all = sound_runs(store, task, told);
  if (!all) return all.error();
  std::error_code failed;
  const fs::path absolute = fs::absolute(folder, failed).lexically_normal();
  if (auto made = make_folders(absolute); !made) return made;
  MlflowWriter writer(absolute);
  for (const Run& row : *all) {
    auto run = load_run(store, row.id);
    if (!run && run.error().kind == Kind::bad_data) {
      told.damaged.push_back(row.id);
      continue;
    }
    if (!run) return run.error();
    if (auto written = writer.add(*run); !written) return with_count(written.error(), told.runs);
    ++told.runs;
  }
  return done();
}

Result<void> export_jsonl(store::Store& store, const fs::path& file, std::string_view task,
                          ExportReport* report) {
  ExportReport scratch;
  ExportReport& told = report != nullptr ? *report : scratch;
  auto all = sound_runs(store, task, told);
  if (!all) return all.error();
  errno = 0;
  std::ofstream stream(file, std::ios::binary | std::ios::trunc);
  if (!stream) return write_error(file, errno);
  for (const Run& row : *all) {
    if (row.name.empty()) {
      ++told.without_scores;
      continue;
    }
    auto run = load_run(store, row.id);
    if (!run && run.error().kind == Kind::bad_data) {
      told.damaged.push_back(row.id);
      continue;
    }
    if (!run) return run.error();
    stream << dump_json(run_json(*run)) << '\n';
    if (!stream) return with_count(write_error(file, errno), told.runs);
    ++told.runs;
  }
  stream.close();
  if (!stream) return write_error(file, errno);
  return done();
}

Result<ImportReport> import_runs(store::Store& store, const fs::path& file) {
  errno = 0;
  std::error_code failed;
  if (fs::is_directory(file, failed))
    return Error{Kind::bad_request, file.string(), "is a folder, not a file of JSON lines", ""};
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    return Error{Kind::unavailable, file.string(),
                 fmt::format("cannot be read: {}", std::strerror(errno != 0 ? errno : EIO)),
                 "check its name"};
  }
  std::vector<Run> imported;
  std::vector<bool> has_time;
  std::string line;
  for (std::size_t number = 1; std::getline(stream, line); ++number) {
    const std::string place = fmt::format("{} line {}", file.string(), number);
    if (number == 1 && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    if (!is_valid_utf8(line))
      return Error{Kind::bad_data, place, "not valid UTF-8", "convert the file to UTF-8 first"};
    auto json = parse_json(line, place);
    if (!json) return json.error();
    auto run = run_from_json(*json, place);
    if (!run) return run.error();
    has_time.push_back(run->at != 0);
    if (run->at == 0) run->at = system_clock().unix_seconds();
    imported.push_back(std::move(*run));
  }
  if (stream.bad())
    return Error{Kind::unavailable, file.string(), "could not be read to its end", "check the disk"};
  if (imported.empty())
    return Error{Kind::bad_data, file.string(), "holds no run",
                 "docs/formats/runs.md has the shape of a line"};

  std::set<std::string> known;
  auto read = store.for_each_run("", [&](const store::LedgerRow& row) {
    known.insert(fingerprint(row));
    return true;
  });
  if (!read) return read.error();
  ImportReport report;
  for (std::size_t i = 0; i < imported.size(); ++i) {
    const store::LedgerRow row = row_of(imported[i]);
    if (has_time[i] && !known.insert(fingerprint(row)).second) {
      ++report.already_there;
      continue;
    }
    auto id = store.add_run(row, rows_of_items(imported[i]));
    if (!id) return with_count(id.error(), report.added.size());
    report.added.push_back(*id);
  }
  return report;
}

}  // namespace loam::eval
