// Energy counters of the processor, as Linux shows them (RAPL under /sys/class/powercap). Private to this
// room.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace loam::eval {

/// Sums all packages and their memory from its birth on. The counters start over after some minutes of full
/// load, so a thread reads them three times a minute.
class EnergyCounter {
 public:
  /// nullptr when there is no counter that this process may read.
  static std::unique_ptr<EnergyCounter> open(const std::filesystem::path& powercap);
  ~EnergyCounter();

  /// Since the birth; empty once a counter could not be read any more.
  std::optional<double> joules();

 private:
  struct Zone {
    std::filesystem::path counter;
    std::uint64_t range = 0;  ///< microjoules at which it starts over
    std::uint64_t last = 0;
  };
  explicit EnergyCounter(std::vector<Zone> zones);
  void read_zones();  // with mutex_ held

  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;
  bool failed_ = false;
  std::vector<Zone> zones_;
  double joules_ = 0;
  std::thread reader_;
};

}  // namespace loam::eval
