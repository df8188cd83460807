#include "server/supervisor.h"

#include <cpp-httplib/httplib.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

namespace loam::server {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{0};
constexpr milliseconds kLongestPause{10000};
constexpr milliseconds kLivedLong{60000};
constexpr milliseconds kFarewell{5000};
constexpr milliseconds kStep{20};
constexpr std::size_t kWordsKept = 2000;

/// A child whose standard error comes to us. -1: it could not be started.
struct Child {
  pid_t number = -1;
  int errors = -1;
};

Child spawn(const std::vector<std::string>& command) {
  // Everything that allocates happens before the fork: other threads may hold the allocator's lock.
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& one : command) arguments.push_back(const_cast<char*>(one.c_str()));
  arguments.push_back(nullptr);
  std::array<int, 2> pipe{-1, -1};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return {};
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);  // the parent died before that
    ::dup2(pipe[1], STDERR_FILENO);
    const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(nothing, STDOUT_FILENO);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execv(arguments.front(), arguments.data());
    ::_exit(127);
  }
  ::close(pipe[1]);
  if (child < 0) {
    ::close(pipe[0]);
    return {};
  }
  ::fcntl(pipe[0], F_SETFL, O_NONBLOCK);
  return {child, pipe[0]};
}

bool is_well(const std::filesystem::path& socket) {
  httplib::Client client(socket.string());
  client.set_address_family(AF_UNIX);
  client.set_connection_timeout(1);
  client.set_read_timeout(1);
  const auto answer = client.Get("/health");
  return answer && answer->status == 200;
}

std::string way_it_ended(int status) {
  if (WIFSIGNALED(status))
    return fmt::format("was ended by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
  return fmt::format("ended with status {}", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

}  // namespace

struct Supervisor::State {
  SupervisorOptions options;
  Logger& logger;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::thread thread;
  std::atomic<bool> ready{false};
  std::atomic<std::uint64_t> restarts{0};
  std::atomic<int> process{-1};
  bool ending = false;
  bool failed = false;  ///< the first start
  std::string words;    ///< the last that the worker wrote to its standard error

  State(SupervisorOptions o, Logger& l) : options(std::move(o)), logger(l) {}

  bool pause(milliseconds time) {
    std::unique_lock lock(mutex);
    return !changed.wait_for(lock, time, [&] { return ending; });
  }

  void take_words(int errors) {
    std::array<char, 4096> bytes{};
    for (ssize_t got = ::read(errors, bytes.data(), bytes.size()); got > 0;
         got = ::read(errors, bytes.data(), bytes.size())) {
      const std::string_view text(bytes.data(), static_cast<std::size_t>(got));
      logger.debug("worker: " + std::string(text));
      const std::lock_guard lock(mutex);
      words += text;
      if (words.size() > kWordsKept) words.erase(0, words.size() - kWordsKept);
    }
  }

  void end(pid_t child) {
    ::kill(child, SIGTERM);
    const auto last = Clock::now() + kFarewell;
    while (Clock::now() < last) {
      if (::waitpid(child, nullptr, WNOHANG) == child) return;
      std::this_thread::sleep_for(kStep);
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }

  /// Watches one child from its start to its end. False: we are ending.
  bool watch(const Child& child) {
    const auto started = Clock::now();
    auto next_look = started;
    int missed = 0;
    for (;;) {
      take_words(child.errors);
      int status = 0;
      if (::waitpid(child.number, &status, WNOHANG) == child.number) {
        take_words(child.errors);
        logger.error("the worker " + way_it_ended(status));
        return true;
      }
      if (Clock::now() >= next_look) {
        if (is_well(options.socket)) {
          missed = 0;
          if (!ready) {
            const std::lock_guard lock(mutex);  // start() must not miss it between looking and waiting
            ready = true;
            changed.notify_all();
          }
          next_look = Clock::now() + milliseconds(options.look_every_ms);
        } else if (!ready) {
          next_look = Clock::now() + kStep;
          if (Clock::now() - started > milliseconds(options.start_timeout_ms)) {
            logger.error("the worker did not answer in time");
            ::kill(child.number, SIGKILL);
          }
        } else {
          next_look = Clock::now() + milliseconds(options.look_every_ms);
          if (++missed >= options.looks_missed) {
            logger.error("the worker does not answer any more, and is ended");
            ::kill(child.number, SIGKILL);
          }
        }
      }
      if (!pause(kStep)) {
        end(child.number);
        return false;
      }
    }
  }

  void live() {
    milliseconds wait = kFirstPause;
    for (bool first = true;; first = false) {
      if (!first) {
        ++restarts;
        if (!pause(wait)) return;
      }
      const auto started = Clock::now();
      const Child child = spawn(options.command);
      process = child.number;
      bool go_on = true;
      if (child.number >= 0) {
        go_on = watch(child);
        ::close(child.errors);
      } else {
        logger.error(std::string("the worker cannot be started: ") + std::strerror(errno));
      }
      process = -1;
      const bool was_ready = ready.exchange(false);
      if (!go_on) return;
      if (first && !was_ready) {
        const std::lock_guard lock(mutex);
        failed = true;
        changed.notify_all();
        return;
      }
      wait = Clock::now() - started > kLivedLong
                 ? kFirstPause
                 : std::min(kLongestPause, std::max(milliseconds(100), wait * 2));
    }
  }
};

Supervisor::Supervisor(SupervisorOptions options, Logger& logger)
    : state_(std::make_unique<State>(std::move(options), logger)) {}

Supervisor::~Supervisor() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ending = true;
  }
  state_->changed.notify_all();
  if (state_->thread.joinable()) state_->thread.join();
}

Result<void> Supervisor::start() {
  State& s = *state_;
  s.thread = std::thread([&s] { s.live(); });
  std::unique_lock lock(s.mutex);
  s.changed.wait(lock, [&] { return s.ready.load() || s.failed; });
  if (s.ready) return done();
  return Error{Kind::unavailable, "the worker process",
               s.words.empty() ? "it ended before it was ready" : s.words,
               "loam doctor shows what is missing"};
}

bool Supervisor::is_ready() const { return state_->ready; }
std::uint64_t Supervisor::restarts() const { return state_->restarts; }
int Supervisor::process() const { return state_->process; }

}  // namespace loam::server
