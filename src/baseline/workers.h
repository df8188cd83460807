// A few threads for loops whose turns do not depend on each other.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace loam::baseline {

/// Threads that live as long as the object. One loop at a time.
class Workers {
 public:
  explicit Workers(int threads);  ///< 0: one for each core; 1: the caller's thread alone
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  int threads() const;
  /// Runs `body(i)` for every i below `count`, each once, on any thread and in any order; returns when all
  /// are done. `body` must not throw. What a turn computes must not depend on which thread runs it: then the
  /// result is the same for any number of threads.
  void run(std::size_t count, const std::function<void(std::size_t)>& body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace loam::baseline
