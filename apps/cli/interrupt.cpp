#include "cli/interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <thread>

namespace loam::cli {

struct Interrupts::State {
  std::mutex mutex;
  std::stop_source work;
  bool busy = false;
  bool warned = false;
  bool closing = false;
  std::string hint;
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
      if (busy && !work.stop_requested()) {
        work.request_stop();
      } else if (!busy && !warned && !hint.empty() && signal == SIGINT) {
        warned = true;
        [[maybe_unused]] const auto written = ::write(STDERR_FILENO, hint.data(), hint.size());
      } else {
        std::_Exit(128 + signal);  // committed work is safe: the store survives a kill at any moment
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

void Interrupts::end() {
  const std::lock_guard lock(state_->mutex);
  state_->busy = false;
}

}  // namespace loam::cli
