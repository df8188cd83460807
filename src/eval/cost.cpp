// What a run cost: time, processor time, memory, energy.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include <algorithm>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "eval/energy.h"
#include "eval/ledger.h"

namespace loam::eval {
namespace fs = std::filesystem;

namespace {

double cpu_seconds_of(int who) {
  rusage usage{};
  if (::getrusage(who, &usage) != 0) return 0;
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double cpu_seconds() { return cpu_seconds_of(RUSAGE_SELF) + cpu_seconds_of(RUSAGE_CHILDREN); }

/// Largest child that has ended, ever, in kB.
long largest_child_kb() {
  rusage usage{};
  return ::getrusage(RUSAGE_CHILDREN, &usage) == 0 ? usage.ru_maxrss : 0;
}

/// Highest memory of this process since the mark was last taken back, in kB.
std::optional<long> high_water_kb() {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with("VmHWM:")) return std::strtol(line.c_str() + 6, nullptr, 10);
  }
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) != 0 || usage.ru_maxrss <= 0) return std::nullopt;
  return usage.ru_maxrss;
}

/// proc(5): "5" takes the mark of the highest memory back to what is used now. Where that is not allowed,
/// peaks are those of the process's whole life: too high, never too low.
void take_back_high_water() { std::ofstream("/proc/self/clear_refs") << "5"; }

std::optional<std::uint64_t> number_in(const fs::path& file) {
  std::ifstream stream(file);
  std::uint64_t value = 0;
  if (!(stream >> value)) return std::nullopt;
  return value;
}

std::string first_line_of(const fs::path& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

}  // namespace

// Energy
// ------------------------------------------------------------------------------------------------------

EnergyCounter::EnergyCounter(std::vector<Zone> zones) : zones_(std::move(zones)) {
  // A package of 1,000 W fills the smallest counter in use (65,500 J) within 65 seconds.
  constexpr auto kPeriod = std::chrono::seconds(20);
  reader_ = std::thread([this, kPeriod] {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, kPeriod, [this] { return ending_; })) read_zones();
  });
}

EnergyCounter::~EnergyCounter() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  reader_.join();
}

std::unique_ptr<EnergyCounter> EnergyCounter::open(const fs::path& powercap) {
  std::vector<Zone> packages;
  std::vector<Zone> platform;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(powercap, failed)) {
    const std::string folder = entry.path().filename().string();
    // The same packages a second time, through another door.
    if (folder.find("-mmio") != std::string::npos) continue;
    const std::string name = first_line_of(entry.path() / "name");
    const bool is_package = name.starts_with("package") || name == "dram";
    const bool is_platform = name == "psys";  // packages and more: only where there is nothing else
    if (!is_package && !is_platform) continue;
    const auto now = number_in(entry.path() / "energy_uj");
    if (!now) continue;
    const Zone zone{entry.path() / "energy_uj", number_in(entry.path() / "max_energy_range_uj").value_or(0),
                    *now};
    (is_package ? packages : platform).push_back(zone);
  }
  if (packages.empty()) packages = std::move(platform);
  if (packages.empty()) return nullptr;
  return std::unique_ptr<EnergyCounter>(new EnergyCounter(std::move(packages)));
}

void EnergyCounter::read_zones() {
  for (Zone& zone : zones_) {
    const auto now = number_in(zone.counter);
    if (!now || (*now < zone.last && zone.range < zone.last)) {
      failed_ = true;
      return;
    }
    const std::uint64_t used = *now >= zone.last ? *now - zone.last : zone.range - zone.last + *now;
    joules_ += static_cast<double>(used) / 1e6;
    zone.last = *now;
  }
}

std::optional<double> EnergyCounter::joules() {
  const std::lock_guard lock(mutex_);
  if (!failed_) read_zones();
  return failed_ ? std::nullopt : std::optional(joules_);
}

// All together
// --------------------------------------------------------------------------------------------------

struct CostMeter::State {
  State(const Clock& c, const fs::path& powercap) : clock(c) {
    {
      // A new meter takes the mark back for all, so those that live keep what they have seen.
      const std::lock_guard lock(mutex());
      note_peaks();
      take_back_high_water();
      living().push_back(this);
    }
    children_kb = largest_child_kb();
    energy = EnergyCounter::open(powercap);
    start_cpu_seconds = loam::eval::cpu_seconds();
    start_seconds = clock.seconds();
  }
  ~State() {
    const std::lock_guard lock(mutex());
    std::erase(living(), this);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  std::optional<double> peak_mb() {
    const std::lock_guard lock(mutex());
    note_peaks();
    long peak = peak_kb;
    // A child's peak is only known as the largest of all: it counts when it has grown since the birth.
    if (const long now = largest_child_kb(); now > children_kb) peak = std::max(peak, now);
    if (peak <= 0) return std::nullopt;
    return static_cast<double>(peak) * 1024.0 / 1e6;
  }

  static std::mutex& mutex() {
    static std::mutex one;
    return one;
  }
  static std::vector<State*>& living() {
    static std::vector<State*> all;
    return all;
  }
  static void note_peaks() {
    const auto now = high_water_kb();
    for (State* state : living()) state->peak_kb = std::max(state->peak_kb, now.value_or(0));
  }

  const Clock& clock;
  double start_seconds = 0, start_cpu_seconds = 0;
  long peak_kb = 0, children_kb = 0;
  std::unique_ptr<EnergyCounter> energy;
};

CostMeter::CostMeter(const Clock& clock, const fs::path& powercap)
    : state_(std::make_unique<State>(clock, powercap)) {}
CostMeter::~CostMeter() = default;
CostMeter::CostMeter(CostMeter&&) noexcept = default;
CostMeter& CostMeter::operator=(CostMeter&&) noexcept = default;

Cost CostMeter::cost() const {
  Cost cost;
  cost.seconds = state_->clock.seconds() - state_->start_seconds;
  cost.cpu_seconds = cpu_seconds() - state_->start_cpu_seconds;
  if (state_->energy) cost.joules = state_->energy->joules();
  cost.peak_mb = state_->peak_mb();
  return cost;
}

std::string this_machine() {
  std::string processor = "unknown processor";
  std::string memory;
  std::string line;
  std::ifstream processors("/proc/cpuinfo");
  while (std::getline(processors, line)) {
    const std::size_t colon = line.find(':');
    if (line.starts_with("model name") && colon != std::string::npos) {
      processor = line.substr(std::min(line.size(), colon + 2));
      break;
    }
  }
  std::ifstream memories("/proc/meminfo");
  while (std::getline(memories, line)) {
    if (!line.starts_with("MemTotal:")) continue;
    memory = fmt::format(", {:.1f} GB",
                         static_cast<double>(std::strtoll(line.c_str() + 9, nullptr, 10)) * 1024 / 1e9);
  }
  utsname system{};
  const bool named = ::uname(&system) == 0;
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  return fmt::format("{}, {} core{}{}{}", processor, cores, cores == 1 ? "" : "s", memory,
                     named ? fmt::format(", {} {} {}", system.sysname, system.release, system.machine) : "");
}

}  // namespace loam::eval
