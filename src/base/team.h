// A few threads for loops whose turns do not depend on each other.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace loam {

/// Threads that live as long as the object. Work may be thousands of short loops (a training step is), so a
/// thread looks for the next one for a moment before it sleeps. One loop at a time, from one thread.
class Team {
 public:
  explicit Team(int threads);  ///< 0: one for each core; 1: the caller's thread alone
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int threads() const;
  /// Runs `turn(i)` once for every i below `count`, on any thread and in any order; returns when all are
  /// done. `turn` must not throw. What a turn computes must not depend on its thread: results are then the
  /// same for any number of threads.
  void run(std::size_t count, const std::function<void(std::size_t)>& turn);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Splits [0, count) into ranges of at least `grain` items, a few for each thread, and runs `range(begin,
/// end)` for each.
void run_ranges(Team& team, std::size_t count, std::size_t grain,
                const std::function<void(std::size_t begin, std::size_t end)>& range);

}  // namespace loam
