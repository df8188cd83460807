// Whose turn is it at the model? First come, first served, with a bounded queue.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>

namespace loam::server {

class Turns {
 public:
  /// `waiting`: how many may stand in the queue beside the one being served.
  explicit Turns(int waiting) : most_waiting_(waiting) {}

  enum class Entry : std::uint8_t { granted, full, gone, closed };

  /// Waits for the turn. `gone` is asked now and then and ends the wait when true (the client hung up).
  /// REQUIRES: leave() after `granted`.
  Entry enter(const std::function<bool()>& gone);
  void leave();
  /// Nobody enters any more, and those who wait are sent away.
  void close();
  /// Being served and waiting, now.
  int present() const;

 private:
  const int most_waiting_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t next_ticket_ = 0;
  std::deque<std::uint64_t> queue_;  ///< its first is being served
  bool closed_ = false;
};

}  // namespace loam::server
