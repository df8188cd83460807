#include "engine/threads.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <fstream>
#include <string>
#include <thread>

#include "engine/llama_handles.h"

namespace loam::engine {

std::optional<int> runnable_tasks(std::string_view loadavg) {
  for (int field = 0; field < 3; ++field) {
    const std::size_t blank = loadavg.find(' ');
    if (blank == std::string_view::npos) return std::nullopt;
    loadavg.remove_prefix(blank + 1);
  }
  int tasks = 0;
  const auto [end, failure] = std::from_chars(loadavg.data(), loadavg.data() + loadavg.size(), tasks);
  if (failure != std::errc() || end == loadavg.data() + loadavg.size() || *end != '/' || tasks < 0)
    return std::nullopt;
  return tasks;
}

int threads_beside(int cores, int others) { return std::max(1, cores - std::max(0, others)); }

int free_threads(int requested) {
  const int cores = thread_count(requested);
  if (requested > 0 || cores == 1) return cores;
  // The lowest of several looks: a task that runs for a moment only is no reason to leave a core idle.
  constexpr int kLooks = 4;
  std::optional<int> lowest;
  for (int look = 0; look < kLooks; ++look) {
    if (look > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::ifstream file("/proc/loadavg");
    std::string line;
    std::getline(file, line);
    const std::optional<int> now = runnable_tasks(line);
    if (!now) return cores;
    lowest = std::min(lowest.value_or(*now), *now);
  }
  return threads_beside(cores, *lowest - 1);  // one of them is this thread
}

}  // namespace loam::engine
