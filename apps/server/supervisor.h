// Keeps one worker process alive.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"

namespace loam::server {

struct SupervisorOptions {
  std::vector<std::string> command;  ///< program and arguments of the worker
  std::filesystem::path socket;      ///< where it answers /health
  int start_timeout_ms = 120000;     ///< loading a model may take long
  int look_every_ms = 1000;          ///< how often a living worker is asked whether it is well
  int looks_missed = 30;             ///< so many in a row without an answer: it hangs, and is killed
};

/// Starts the worker again when it dies, at once the first time, then after longer and longer pauses (at most
/// 10 s) until it has lived for a minute. The worker dies with this process.
class Supervisor {
 public:
  explicit Supervisor(SupervisorOptions options, Logger& logger = silent_logger());
  ~Supervisor();  ///< ends the worker: politely, then after five seconds for good
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  /// Starts the worker and waits until it answers. unavailable, with the last lines it wrote, when it ends
  /// first.
  Result<void> start();
  bool is_ready() const;           ///< it answered when it was last asked
  std::uint64_t restarts() const;  ///< since start()
  int process() const;             ///< its number; -1: none is running

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace loam::server
