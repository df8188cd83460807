// Time comes from a clock that is handed in, so that tests decide what time it is.
#pragma once

#include <chrono>
#include <cstdint>

namespace loam {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t unix_seconds() const = 0;  ///< wall clock
  virtual double seconds() const = 0;             ///< monotonic, for durations
};

/// The machine's clocks. Lives for ever; any thread.
const Clock& system_clock();

/// Measures a duration on a clock.
class Stopwatch {
 public:
  explicit Stopwatch(const Clock& clock = system_clock()) : clock_(clock), start_(clock.seconds()) {}
  double milliseconds() const { return (clock_.seconds() - start_) * 1000.0; }

 private:
  const Clock& clock_;
  double start_;
};

}  // namespace loam
