#include "baseline/workers.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace loam::baseline {

struct Workers::State {
  std::mutex mutex;
  std::condition_variable wake, finished;
  const std::function<void(std::size_t)>* body = nullptr;
  std::size_t count = 0;
  std::atomic<std::size_t> next{0};
  std::size_t running = 0;  ///< threads that have not yet left the present loop
  std::uint64_t loop = 0;   ///< number of the present loop
  bool ending = false;
  std::vector<std::thread> threads;

  void take_turns() {
    for (std::size_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) (*body)(i);
  }

  void live() {
    std::uint64_t seen = 0;
    for (;;) {
      {
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return ending || loop != seen; });
        if (ending) return;
        seen = loop;
      }
      take_turns();
      const std::lock_guard lock(mutex);
      if (--running == 0) finished.notify_one();
    }
  }
};

Workers::Workers(int threads) : state_(std::make_unique<State>()) {
  const auto cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const int wanted = threads > 0 ? std::min(threads, 256) : cores;
  for (int i = 1; i < wanted; ++i) {
    try {
      state_->threads.emplace_back([this] { state_->live(); });
    } catch (const std::exception&) {
      break;  // the machine gives no more threads: fewer do the same work
    }
  }
}

Workers::~Workers() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ending = true;
  }
  state_->wake.notify_all();
  for (std::thread& thread : state_->threads) thread.join();
}

int Workers::threads() const { return static_cast<int>(state_->threads.size()) + 1; }

void Workers::run(std::size_t count, const std::function<void(std::size_t)>& body) {
  if (count <= 1 || state_->threads.empty()) {
    for (std::size_t i = 0; i < count; ++i) body(i);
    return;
  }
  {
    const std::lock_guard lock(state_->mutex);
    state_->body = &body;
    state_->count = count;
    state_->next.store(0);
    state_->running = state_->threads.size();
    ++state_->loop;
  }
  state_->wake.notify_all();
  state_->take_turns();
  std::unique_lock lock(state_->mutex);
  state_->finished.wait(lock, [&] { return state_->running == 0; });
}

}  // namespace loam::baseline
