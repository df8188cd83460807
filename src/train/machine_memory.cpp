#include "train/machine_memory.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>

namespace loam::train {
namespace {

/// The value of a line "Key:   123 kB" of a file under /proc, in bytes.
std::optional<std::uint64_t> kilobytes_of(const char* file, const std::string& key,
                                          std::uint64_t unit = 1024) {
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line)) {
    if (!line.starts_with(key)) continue;
    const std::size_t digit = line.find_first_of("0123456789");
    if (digit == std::string::npos) return std::nullopt;
    return std::stoull(line.substr(digit)) * unit;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> number_in(const std::string& file) {
  std::ifstream in(file);
  std::uint64_t value = 0;
  if (!(in >> value)) return std::nullopt;  // "max" is no limit
  return value;
}

}  // namespace

std::uint64_t available_memory() {
  std::uint64_t most = kilobytes_of("/proc/meminfo", "MemAvailable:").value_or(std::uint64_t{1} << 63U);
  // Control groups, version 2: the group of this process is the root of what a container sees.
  const auto limit = number_in("/sys/fs/cgroup/memory.max"),
             used = number_in("/sys/fs/cgroup/memory.current");
  if (limit && used) {
    std::uint64_t taken = *used;  // the page cache is counted, but gives way
    for (const char* cache : {"inactive_file ", "active_file "}) {
      taken -= std::min(taken, kilobytes_of("/sys/fs/cgroup/memory.stat", cache, 1).value_or(0));
    }
    most = std::min(most, *limit > taken ? *limit - taken : 0);
  }
  return most;
}

std::uint64_t peak_memory() { return kilobytes_of("/proc/self/status", "VmHWM:").value_or(0); }

}  // namespace loam::train
