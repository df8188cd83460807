// Other programs: run one and take its output, or keep one running in the background; and the memory of a
// child.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace loam::bench {

/// What a program wrote to stdout. Ends this program when it cannot be started or fails; its stderr is
/// dropped.
std::string output_of(const std::vector<std::string>& command);

/// A program that runs until this object dies. Its output is dropped.
class Background {
 public:
  explicit Background(const std::vector<std::string>& command);
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  bool is_running() const;

 private:
  pid_t child_ = -1;
};

struct ChildUse {
  bool ok = false;      ///< ended with status 0
  double peak_mib = 0;  ///< largest resident memory
  double seconds = 0;   ///< wall clock
  double cpu_seconds = 0;
};

/// Runs `work` in a forked child, so that its peak memory is its own. Fork before any model is loaded.
ChildUse in_child(const std::function<int()>& work);

/// One HTTP/1.1 POST of JSON to 127.0.0.1. Returns the status, or 0 when nothing answers. `first_event_ms` is
/// the time to the first "data:" of a stream, from before the connection; `body` everything received.
int post_json(int port, const std::string& path, const std::string& json, double* first_event_ms,
              std::string* body);

}  // namespace loam::bench
