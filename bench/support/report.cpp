#include "support/report.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <ctime>
#include <fstream>
#include <map>

#include "base/json.h"

namespace loam::bench {
namespace {

std::string environment(const char* name, std::string_view fallback) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? std::string(value) : std::string(fallback);
}

/// The text behind "key : " in a file like /proc/cpuinfo.
std::string line_value(const char* file, std::string_view key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::size_t start = line.find_first_not_of(" \t", colon + 1);
    return start == std::string::npos ? std::string() : line.substr(start);
  }
  return {};
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d", &parts);
  return text;
}

std::string now_text() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace

Settings settings_from(int argc, char** argv, std::vector<std::string>* others) {
  Settings settings;
  settings.data = environment("LOAM_BENCH_DATA", "");
  settings.models = environment("LOAM_TEST_MODELS", "");
  settings.work = environment("LOAM_BENCH_WORK", "build/bench-work");
  settings.out = environment("LOAM_BENCH_OUT", "");
  const std::map<std::string, std::filesystem::path*> paths{{"--data", &settings.data},
                                                            {"--models", &settings.models},
                                                            {"--work", &settings.work},
                                                            {"--out", &settings.out}};
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::size_t equals = argument.find('=');
    const std::string flag = argument.substr(0, equals);
    const auto value = [&]() -> std::string {  // --limit 5 and --limit=5
      if (equals != std::string::npos) return argument.substr(equals + 1);
      if (++i >= argc) fail(flag + " needs a value");
      return argv[i];
    };
    if (const auto found = paths.find(flag); found != paths.end()) {
      *found->second = value();
    } else if (flag == "--limit") {
      settings.limit = std::atoi(value().c_str());
    } else if (flag == "--sweep") {
      settings.sweep = true;
    } else if (flag.starts_with("--") && others != nullptr) {
      others->push_back(argument.substr(2));
    } else {
      fail("unknown argument " + flag +
           ". Known: --data DIR --models DIR --work DIR --out DIR --limit N --sweep, and --name=value of the "
           "program");
    }
  }
  std::filesystem::create_directories(settings.work);
  return settings;
}

std::string other(const std::vector<std::string>& others, std::string_view name, std::string_view fallback) {
  for (const std::string& one : others) {
    if (one == name) return "1";
    if (one.size() > name.size() && one.starts_with(name) && one[name.size()] == '=')
      return one.substr(name.size() + 1);
  }
  return std::string(fallback);
}

void fail(const std::string& line) {
  std::fprintf(stderr, "%s\n", line.c_str());
  std::exit(2);
}

ProgressSink told_every(std::uint64_t step) {
  return [step](const Progress& progress) {
    if (progress.done % step != 0) return;
    std::fprintf(stderr, "%llu of %llu\n", static_cast<unsigned long long>(progress.done),
                 static_cast<unsigned long long>(progress.total));
  };
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(share * static_cast<double>(values.size()));
  const auto place = static_cast<std::size_t>(std::max(rank, 1.0)) - 1;
  return values[std::min(place, values.size() - 1)];
}

Json spread(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return {{"p50", percentile(values, 0.5)},
          {"p95", percentile(values, 0.95)},
          {"mean", values.empty() ? 0 : sum / static_cast<double>(values.size())},
          {"n", values.size()}};
}

Json to_json(const eval::Estimate& estimate) {
  return {{"value", estimate.value}, {"low", estimate.low}, {"high", estimate.high}, {"n", estimate.n}};
}

std::string shown(const eval::Estimate& estimate) {
  char text[96];
  std::snprintf(text, sizeof text, "%.4f [%.4f, %.4f]", estimate.value, estimate.low, estimate.high);
  return text;
}

Json machine() {
  utsname system{};
  uname(&system);
  double load[3] = {0, 0, 0};
  if (getloadavg(load, 3) != 3) load[0] = load[1] = load[2] = -1;
#ifdef NDEBUG
  const char* build = "optimised, NDEBUG";
#else
  const char* build = "with asserts";
#endif
  return {{"processor", line_value("/proc/cpuinfo", "model name")},
          {"cores", sysconf(_SC_NPROCESSORS_ONLN)},
          {"memory", line_value("/proc/meminfo", "MemTotal")},
          {"kernel", std::string(system.sysname) + " " + system.release},
          {"compiler", __VERSION__},
          {"build", build},
          {"commit", environment("LOAM_BENCH_COMMIT", "")},
          {"time", now_text()},
          {"load_average", {load[0], load[1], load[2]}}};
}

std::string run_folder_name() {
  std::string name;
  for (const char letter : line_value("/proc/cpuinfo", "model name")) {
    const auto byte = static_cast<unsigned char>(letter);
    if (std::isalnum(byte) != 0) {
      name += static_cast<char>(std::tolower(byte));
    } else if (!name.empty() && name.back() != '-') {
      name += '-';
    }
  }
  while (name.ends_with('-')) name.pop_back();
  if (name.empty()) name = "unknown-cpu";
  return today() + "-" + name + "-" + std::to_string(sysconf(_SC_NPROCESSORS_ONLN)) + "c";
}

void keep(const Settings& settings, const std::string& name, const Json& result,
          const Json& machine_at_start) {
  if (settings.out.empty()) return;
  const std::filesystem::path folder = settings.out / run_folder_name();
  std::filesystem::create_directories(folder);
  const std::filesystem::path file = folder / (name + ".json");
  std::ofstream out(file);
  out << dump_json_pretty({{"name", name},
                           {"machine", machine_at_start},
                           {"load_average_at_end", machine()["load_average"]},
                           {"result", result}})
      << "\n";
  if (!out.flush()) fail("cannot write " + file.string());
  std::printf("kept: %s\n", file.c_str());
}

}  // namespace loam::bench
