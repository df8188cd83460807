#include "cli/interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

namespace loam::cli {
namespace {

/// Committed work is safe: the store survives a kill at any moment.
[[noreturn]] void leave(int signal) { std::_Exit(128 + signal); }

/// A child has our blocked signals and would outlive us. Linux lists the children of each thread.
void end_children() {
  std::error_code failure;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", failure)) {
    std::ifstream children(task.path() / "children");
    pid_t child = 0;
    while (children >> child) {
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);  // it must have stopped writing before its file is removed
    }
  }
}
}  // namespace

struct Interrupts::State {
  std::mutex mutex;
  std::stop_source work;
  bool busy = false;
  bool warned = false;
  bool closing = false;
  std::string hint;
  std::function<void()> tidy;  // set while the work cannot be stopped otherwise
  sigset_t before{};
  std::thread listener;

  void listen() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGUSR1);  // our own, to end this thread
    for (;;) {
      int signal = 0;
      if (sigwait(&set, &signal) != 0) continue;
      const std::lock_guard lock(mutex);
      if (closing) return;
      if (signal == SIGUSR1) continue;
      if (busy && tidy) {
        end_children();
        tidy();
        leave(signal);
      } else if (busy && !work.stop_requested()) {
        work.request_stop();
      } else if (!busy && !warned && !hint.empty() && signal == SIGINT) {
        warned = true;
        [[maybe_unused]] const auto written = ::write(STDERR_FILENO, hint.data(), hint.size());
      } else {
        leave(signal);
      }
    }
  }
};

Interrupts::Interrupts(std::string hint_when_idle) : state_(std::make_unique<State>()) {
  state_->hint = std::move(hint_when_idle);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &set, &state_->before);
  state_->listener = std::thread([state = state_.get()] { state->listen(); });
}

Interrupts::~Interrupts() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->closing = true;
  }
  pthread_kill(state_->listener.native_handle(), SIGUSR1);
  state_->listener.join();
  pthread_sigmask(SIG_SETMASK, &state_->before, nullptr);
}

std::stop_token Interrupts::begin() {
  const std::lock_guard lock(state_->mutex);
  state_->work = std::stop_source();
  state_->busy = true;
  state_->warned = false;
  return state_->work.get_token();
}

void Interrupts::begin_unstoppable(std::function<void()> tidy) {
  const std::lock_guard lock(state_->mutex);
  state_->tidy = std::move(tidy);
  state_->busy = true;
  state_->warned = false;
}

void Interrupts::end() {
  const std::lock_guard lock(state_->mutex);
  state_->busy = false;
  state_->tidy = nullptr;
}

}  // namespace loam::cli
