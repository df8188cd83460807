#include "server/turns.h"

#include <algorithm>
#include <chrono>

namespace loam::server {
namespace {

// How soon a client that hung up is noticed while it waits.
constexpr std::chrono::milliseconds kLook{100};

}  // namespace

Turns::Entry Turns::enter(const std::function<bool()>& gone) {
  std::unique_lock lock(mutex_);
  if (closed_) return Entry::closed;
  if (static_cast<int>(queue_.size()) >= most_waiting_ + 1) return Entry::full;
  const std::uint64_t ticket = next_ticket_++;
  queue_.push_back(ticket);
  const auto leave_queue = [&](Entry entry) {
    queue_.erase(std::find(queue_.begin(), queue_.end(), ticket));
    changed_.notify_all();
    return entry;
  };
  while (queue_.front() != ticket) {
    changed_.wait_for(lock, kLook);
    if (closed_) return leave_queue(Entry::closed);
    if (queue_.front() == ticket) break;
    lock.unlock();
    const bool left = gone && gone();
    lock.lock();
    if (left) return leave_queue(Entry::gone);
  }
  return Entry::granted;
}

void Turns::leave() {
  const std::lock_guard lock(mutex_);
  if (!queue_.empty()) queue_.pop_front();
  changed_.notify_all();
}

void Turns::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

int Turns::present() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(queue_.size());
}

}  // namespace loam::server
