#include "guard/sandbox_watch.h"

#include <sys/statvfs.h>

#include <cctype>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace loam::guard {
namespace {

// Whoever loses its parent inside becomes a child of process 1, so all are found from there.
constexpr std::size_t kMostProcesses = 4096;

std::optional<std::int64_t> memory_of(pid_t process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  if (!status) return std::nullopt;
  std::int64_t kilobytes = 0;
  for (std::string line; std::getline(status, line);) {
    // Pages of programs and libraries are shared with the whole system and not counted.
    if (line.starts_with("RssAnon:") || line.starts_with("RssShmem:") || line.starts_with("VmSwap:")) {
      kilobytes += std::strtoll(line.c_str() + line.find(':') + 1, nullptr, 10);
    }
  }
  return kilobytes * 1024;
}

void add_children(pid_t process, std::vector<pid_t>& processes) {
  // A process that has just forked in a thread of its own has its child listed under that thread.
  const std::string tasks =
      "/proc/" + std::to_string(process) + "/task/" + std::to_string(process) + "/children";
  std::ifstream list(tasks);
  for (pid_t child = 0; processes.size() < kMostProcesses && list >> child;) processes.push_back(child);
}

}  // namespace

std::optional<SandboxUse> look_into_sandbox(pid_t first) {
  SandboxUse use;
  std::vector<pid_t> processes = {first};
  for (std::size_t i = 0; i < processes.size(); ++i) {
    const auto memory = memory_of(processes[i]);
    if (!memory) {
      if (i == 0) return std::nullopt;
      continue;
    }
    use.memory_bytes += *memory;
    ++use.processes;
    add_children(processes[i], processes);
  }
  struct statvfs folder {};
  if (::statvfs(("/proc/" + std::to_string(first) + "/root" + "/box").c_str(), &folder) == 0) {
    use.files = static_cast<std::int64_t>(folder.f_files - folder.f_ffree);
  }
  return use;
}

}  // namespace loam::guard
