#include "engine/adapters.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>

#include "base/hash.h"
#include "base/json.h"
#include "engine/model_file.h"

namespace loam::engine {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kMaxDecisionBytes = 8U << 20U;
constexpr int kDecisionsVersion = 1;
constexpr float kStrongestScale = 1000.0F;

std::string_view text_of(Promotion promotion) {
  switch (promotion) {
    case Promotion::no:
      return "no";
    case Promotion::by_gate:
      return "by gate";
    case Promotion::by_force:
      return "by force";
  }
  return "no";
}

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// How many single-letter changes lead from one word to the other; for "did you mean".
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

/// What adapters.json holds.
struct InstalledAdapters::Decisions {
  struct One {
    float scale = 1.0F;
    std::string trained_from;
    std::optional<GateResult> gate;
    Promotion promotion = Promotion::no;
    std::string promoted_sha256;
  };
  std::map<std::string, One> adapters;
  std::map<std::string, std::string> defaults;  ///< base identity to name
};

bool is_adapter_name(std::string_view name) {
  return !name.empty() && name.size() <= 96 && is_letter_or_digit(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return is_letter_or_digit(c) || c == '.' || c == '-' || c == '_'; });
}

Result<AdapterWish> adapter_wish(std::string_view text) {
  AdapterWish wish{std::string(text), {}};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wish;
  const std::string_view tail = text.substr(colon + 1);
  float scale = 0;
  const auto [stop, failure] = std::from_chars(tail.data(), tail.data() + tail.size(), scale);
  if (tail.empty() || failure == std::errc::invalid_argument || stop != tail.data() + tail.size()) {
    // A path may hold a colon; a name may not.
    if (text.find('/') != std::string_view::npos) return wish;
    return Error{Kind::bad_request, "adapter " + wish.name, "behind the colon stands no number",
                 "--adapter NAME:0.5"};
  }
  if (failure != std::errc{} || !std::isfinite(scale) || std::abs(scale) > kStrongestScale) {
    return Error{Kind::bad_request, "adapter " + wish.name, "the scale must be a number from -1000 to 1000",
                 "use 1"};
  }
  wish.name = std::string(text.substr(0, colon));
  wish.scale = scale;
  return wish;
}

InstalledAdapters::InstalledAdapters(fs::path home) : folder_(std::move(home) / "adapters") {}

Result<InstalledAdapters::Decisions> InstalledAdapters::read() const {
  Decisions decisions;
  const fs::path path = folder_ / "adapters.json";
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return decisions;
  auto text = read_small_file(path, kMaxDecisionBytes);
  if (!text) return text.error();
  const auto json = parse_json(*text, path.string(), 8);
  if (!json) return json.error();
  const auto damaged = [&](const std::string& message) {
    return Error{Kind::bad_data, path.string(), message,
                 "remove it; scales, defaults and promotions are then to be said again"};
  };
  try {
    if (json->at("version").get<int>() != kDecisionsVersion) return damaged("it is of another version");
    for (const auto& [name, value] : json->at("adapters").items()) {
      Decisions::One one;
      one.scale = value.value("scale", 1.0F);
      one.trained_from = value.value("trained_from", std::string());
      const std::string promotion = value.value("promoted", std::string("no"));
      one.promotion = promotion == "by gate"    ? Promotion::by_gate
                      : promotion == "by force" ? Promotion::by_force
                                                : Promotion::no;
      one.promoted_sha256 = value.value("promoted_sha256", std::string());
      if (value.contains("gate")) {
        const Json& gate = value.at("gate");
        one.gate = GateResult{gate.at("run").get<std::uint64_t>(), gate.at("at").get<std::int64_t>(),
                              gate.at("passed").get<bool>(), gate.at("summary").get<std::string>(),
                              gate.at("sha256").get<std::string>()};
      }
      if (!std::isfinite(one.scale) || std::abs(one.scale) > kStrongestScale)
        return damaged("the scale of " + name + " is out of range");
      decisions.adapters[name] = std::move(one);
    }
    for (const auto& [identity, name] : json->at("defaults").items())
      decisions.defaults[identity] = name.get<std::string>();
  } catch (const nlohmann::json::exception& failure) {
    return damaged(std::string("it is damaged: ") + failure.what());
  }
  return decisions;
}

Result<void> InstalledAdapters::write(const Decisions& decisions) const {
  Json adapters = Json::object();
  for (const auto& [name, one] : decisions.adapters) {
    Json value = {{"scale", one.scale}, {"promoted", text_of(one.promotion)}};
    if (one.promotion != Promotion::no) value["promoted_sha256"] = one.promoted_sha256;
    if (!one.trained_from.empty()) value["trained_from"] = one.trained_from;
    if (one.gate) {
      value["gate"] = {{"run", one.gate->run},
                       {"at", one.gate->at},
                       {"passed", one.gate->passed},
                       {"summary", one.gate->summary},
                       {"sha256", one.gate->sha256}};
    }
    adapters[name] = std::move(value);
  }
  const Json document = {
      {"version", kDecisionsVersion}, {"adapters", std::move(adapters)}, {"defaults", decisions.defaults}};
  std::error_code failure;
  fs::create_directories(folder_, failure);
  const fs::path path = folder_ / "adapters.json";
  const fs::path part = folder_ / (".adapters.json.part-" + std::to_string(::getpid()));
  {
    std::ofstream file(part, std::ios::binary | std::ios::trunc);
    file << dump_json_pretty(document) << '\n';
    file.flush();
    if (!file) {
      fs::remove(part, failure);
      return Error{Kind::out_of_room, path.string(), "it cannot be written",
                   "free disk space or check permissions"};
    }
  }
  fs::rename(part, path, failure);
  if (failure) {
    return Error{Kind::unavailable, path.string(), "it cannot be put in place: " + failure.message(),
                 "check permissions"};
  }
  return done();
}

Result<InstalledAdapter> InstalledAdapters::describe(const std::string& name,
                                                     const Decisions& decisions) const {
  InstalledAdapter adapter;
  adapter.name = name;
  adapter.file = folder_ / (name + ".gguf");
  auto info = read_adapter(adapter.file);
  if (!info) return info.error();
  adapter.info = *std::move(info);
  adapter.trained_from = adapter.info.trained_from;
  if (const auto found = decisions.adapters.find(name); found != decisions.adapters.end()) {
    adapter.scale = found->second.scale;
    adapter.gate = found->second.gate;
    adapter.promotion = found->second.promotion;
    if (!found->second.trained_from.empty()) adapter.trained_from = found->second.trained_from;
  }
  if (adapter.gate || adapter.promotion != Promotion::no) {
    auto hash = sha256_hex_of_file(adapter.file);
    if (!hash) return hash.error();
    adapter.sha256 = *std::move(hash);
    // Trained anew under the same name: what was shown of the old one says nothing of this.
    if (adapter.gate && adapter.gate->sha256 != adapter.sha256) adapter.gate.reset();
    if (decisions.adapters.at(name).promoted_sha256 != adapter.sha256) adapter.promotion = Promotion::no;
  }
  adapter.in_use = std::any_of(decisions.defaults.begin(), decisions.defaults.end(),
                               [&](const auto& one) { return one.second == name; });
  return adapter;
}

Result<std::vector<InstalledAdapter>> InstalledAdapters::list(std::vector<Error>* damaged) const {
  std::vector<InstalledAdapter> adapters;
  std::error_code failure;
  fs::directory_iterator entries(folder_, failure);
  if (failure == std::errc::no_such_file_or_directory) return adapters;
  if (failure) {
    return Error{Kind::unavailable, folder_.string(), "the folder cannot be read: " + failure.message(),
                 "check its permissions"};
  }
  const auto decisions = read();
  if (!decisions) return decisions.error();
  for (const auto& entry : entries) {
    const std::string name = entry.path().stem().string();
    if (entry.path().extension() != ".gguf" || !is_adapter_name(name)) continue;
    auto adapter = describe(name, *decisions);
    if (adapter) {
      adapters.push_back(*std::move(adapter));
    } else if (damaged != nullptr) {
      damaged->push_back(adapter.error());
    }
  }
  std::sort(adapters.begin(), adapters.end(),
            [](const InstalledAdapter& a, const InstalledAdapter& b) { return a.name < b.name; });
  return adapters;
}

Result<InstalledAdapter> InstalledAdapters::show(std::string_view name) const {
  std::error_code ignored;
  const std::string wanted(name);
  if (is_adapter_name(name) && fs::is_regular_file(folder_ / (wanted + ".gguf"), ignored)) {
    const auto decisions = read();
    if (!decisions) return decisions.error();
    auto adapter = describe(wanted, *decisions);
    if (!adapter) return adapter;
    if (adapter->sha256.empty()) {
      auto hash = sha256_hex_of_file(adapter->file);
      if (!hash) return hash.error();
      adapter->sha256 = *std::move(hash);
    }
    return adapter;
  }
  Error error{Kind::bad_request, "adapter \"" + wanted + "\"", "there is no such adapter here",
              "loam adapters list"};
  std::size_t nearest = std::max<std::size_t>(2, wanted.size() / 2);
  fs::directory_iterator entries(folder_, ignored);
  if (!ignored) {
    for (const auto& entry : entries) {
      const std::string other = entry.path().stem().string();
      if (entry.path().extension() != ".gguf" || !is_adapter_name(other)) continue;
      if (const std::size_t far = distance(wanted, other); far < nearest) {
        nearest = far;
        error.next_step = "use " + other;
      }
    }
  }
  return error;
}

Result<fs::path> InstalledAdapters::resolve(std::string_view name_or_path) const {
  std::error_code ignored;
  const std::string text(name_or_path);
  if (is_adapter_name(name_or_path) && fs::is_regular_file(folder_ / (text + ".gguf"), ignored))
    return folder_ / (text + ".gguf");
  if (text.find('/') == std::string::npos && !text.ends_with(".gguf")) {
    const auto missing = show(name_or_path);
    return missing.error();
  }
  if (fs::is_regular_file(fs::path(text), ignored)) return fs::path(text);
  return Error{Kind::bad_request, text, "there is no such file", "loam adapters list"};
}

Result<void> InstalledAdapters::save(const InstalledAdapter& adapter) const {
  auto decisions = read();
  if (!decisions) return decisions.error();
  decisions->adapters[adapter.name] = {adapter.scale, adapter.trained_from, adapter.gate, adapter.promotion,
                                       adapter.sha256};
  return write(*decisions);
}

Result<void> InstalledAdapters::use(std::string_view name, const std::string& base_identity) const {
  auto decisions = read();
  if (!decisions) return decisions.error();
  decisions->defaults[base_identity] = std::string(name);
  return write(*decisions);
}

Result<bool> InstalledAdapters::use_none(const std::string& base_identity) const {
  auto decisions = read();
  if (!decisions) return decisions.error();
  if (decisions->defaults.erase(base_identity) == 0) return false;
  if (auto written = write(*decisions); !written) return written.error();
  return true;
}

bool InstalledAdapters::has_defaults() const {
  const auto decisions = read();
  return !decisions || !decisions->defaults.empty();  // a damaged file is told by default_for()
}

Result<std::optional<InstalledAdapter>> InstalledAdapters::default_for(
    const std::string& base_identity) const {
  const auto decisions = read();
  if (!decisions) return decisions.error();
  const auto found = decisions->defaults.find(base_identity);
  if (found == decisions->defaults.end()) return std::optional<InstalledAdapter>();
  auto adapter = show(found->second);
  if (!adapter) {
    Error error = adapter.error();
    error.message = "it is to be used by default, but " + error.message;
    error.next_step = "loam adapters use none, or --adapter none";
    return error;
  }
  return std::optional<InstalledAdapter>(*std::move(adapter));
}

Result<std::uint64_t> InstalledAdapters::remove(std::string_view name) const {
  const std::string wanted(name);
  std::error_code failure;
  const fs::path file = folder_ / (wanted + ".gguf");
  // A damaged file can be removed too.
  if (!is_adapter_name(name) || !fs::is_regular_file(file, failure)) return show(name).error();
  auto decisions = read();
  if (!decisions) return decisions.error();
  const std::uint64_t freed = fs::file_size(file, failure);
  decisions->adapters.erase(wanted);
  std::erase_if(decisions->defaults, [&](const auto& one) { return one.second == wanted; });
  // What was decided goes first: a default never names a file that is gone.
  if (auto written = write(*decisions); !written) return written.error();
  if (!fs::remove(file, failure) || failure) {
    return Error{Kind::unavailable, file.string(), "the file cannot be removed: " + failure.message(),
                 "check its permissions"};
  }
  return freed;
}

}  // namespace loam::engine
