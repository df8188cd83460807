#include "base/team.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace loam {
namespace {

// About ten microseconds: longer than the gap between two loops of a step, shorter than waking a thread.
constexpr int kLooks = 2000;

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

struct Team::State {
  std::mutex mutex;
  std::condition_variable wake, finished;
  const std::function<void(std::size_t)>* turn = nullptr;
  std::size_t count = 0;
  std::atomic<std::size_t> next{0};
  std::atomic<std::size_t> inside{0};  ///< threads that have joined the present loop and not left it
  std::atomic<std::uint64_t> loop{0};  ///< number of the present loop
  bool open = false;                   ///< the present loop may be joined
  bool ending = false;
  std::vector<std::thread> threads;

  void take_turns() {
    for (std::size_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) (*turn)(i);
  }

  void live() {
    std::uint64_t seen = 0;
    for (;;) {
      for (int look = 0; look < kLooks && loop.load(std::memory_order_acquire) == seen; ++look)
        pause_briefly();
      {
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return ending || (open && loop.load(std::memory_order_relaxed) != seen); });
        if (ending) return;
        seen = loop.load(std::memory_order_relaxed);
        inside.fetch_add(1, std::memory_order_relaxed);
      }
      take_turns();
      const std::lock_guard lock(mutex);
      if (inside.fetch_sub(1, std::memory_order_acq_rel) == 1) finished.notify_one();
    }
  }
};

Team::Team(int threads) : state_(std::make_unique<State>()) {
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

Team::~Team() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ending = true;
  }
  state_->wake.notify_all();
  for (std::thread& thread : state_->threads) thread.join();
}

int Team::threads() const { return static_cast<int>(state_->threads.size()) + 1; }

void Team::run(std::size_t count, const std::function<void(std::size_t)>& turn) {
  State& state = *state_;
  if (count <= 1 || state.threads.empty()) {
    for (std::size_t i = 0; i < count; ++i) turn(i);
    return;
  }
  {
    const std::lock_guard lock(state.mutex);
    state.turn = &turn;
    state.count = count;
    state.next.store(0, std::memory_order_relaxed);
    state.loop.fetch_add(1, std::memory_order_release);
    state.open = true;
  }
  state.wake.notify_all();
  state.take_turns();
  // Nobody waits for a thread that has not come: where others want the processor too, it may take a while.
  {
    const std::lock_guard lock(state.mutex);
    state.open = false;
  }
  for (int look = 0; look < kLooks && state.inside.load(std::memory_order_acquire) != 0; ++look)
    pause_briefly();
  std::unique_lock lock(state.mutex);
  state.finished.wait(lock, [&] { return state.inside.load(std::memory_order_acquire) == 0; });
}

void run_ranges(Team& team, std::size_t count, std::size_t grain,
                const std::function<void(std::size_t begin, std::size_t end)>& range) {
  if (count == 0) return;
  const std::size_t most = static_cast<std::size_t>(team.threads()) * 4;
  const std::size_t parts = std::clamp<std::size_t>(count / std::max<std::size_t>(grain, 1), 1, most);
  team.run(parts, [&](std::size_t part) { range(count * part / parts, count * (part + 1) / parts); });
}

}  // namespace loam
