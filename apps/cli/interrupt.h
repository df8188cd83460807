// Ctrl-C: the first one stops what is being done, the second one leaves.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

namespace loam::cli {

/// While one exists, SIGINT and SIGTERM are taken by a thread of its own. Create it before other threads, so
/// that they inherit the blocked signals; one at a time. Without one, the signals end the program.
class Interrupts {
 public:
  /// `hint_when_idle` is shown on standard error for the first Ctrl-C outside begin()..end(); when it is
  /// empty, that Ctrl-C leaves at once.
  explicit Interrupts(std::string hint_when_idle = "");
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  /// Opens a stretch of work that a Ctrl-C stops.
  std::stop_token begin();
  /// Opens a stretch of work that takes no stop token: the first Ctrl-C ends our child processes, runs `tidy`
  /// (on the listening thread, while the work still goes on) and leaves.
  void begin_unstoppable(std::function<void()> tidy);
  void end();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace loam::cli
