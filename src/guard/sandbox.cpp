// One run from the words of a request to what came out, every layer on or nothing started. The layers are in
// sandbox_command.cpp (namespaces, file systems), system_call_filter.cpp and helper/sandbox_start.cpp
// (limits, Landlock, and the check that all of them are there).
#include "guard/sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "guard/sandbox_start.h"
#include "guard/sandbox_watch.h"

namespace loam::guard {
namespace {

constexpr std::size_t kMostFiles = 32;
constexpr std::size_t kMostWords = 256;
constexpr std::size_t kLargestWord = 64 * 1024;
constexpr std::size_t kLargestInput = 64U << 20U;
constexpr std::int64_t kMostFilesMade = 20'000;  // empty files take no room of the folder, but kernel memory
constexpr int kLookEveryMs = 20;
constexpr unsigned kNobody = 65534;  // of Linux's overflowuid: owns nothing

/// A descriptor that closes itself.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    reset();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }
  void reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

struct Pipe {
  Fd read, write;
};

Error broken(const std::string& what) {
  return Error{Kind::unavailable, "sandbox", what + ": " + std::strerror(errno),
               "try again, or: loam doctor"};
}

std::optional<Pipe> make_pipe() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

/// Bytes as a file that can be read and never written to.
Fd file_of(std::string_view bytes) {
  Fd file(::memfd_create("loam-sandbox", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.open()) return file;
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t wrote = ::write(file.get(), bytes.data() + done, bytes.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return {};
    done += static_cast<std::size_t>(wrote);
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0 ||
      ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
    return {};
  }
  return file;
}

Result<void> check(const SandboxRequest& request) {
  const auto refuse = [](std::string place, std::string message) {
    return Error{Kind::bad_request, std::move(place), std::move(message), ""};
  };
  if (request.command.empty() || request.command.front().empty()) {
    return refuse("sandbox command", "there is no program to run");
  }
  if (request.command.size() > kMostWords) return refuse("sandbox command", "more than 256 words");
  for (const std::string& word : request.command) {
    if (word.size() > kLargestWord || word.find('\0') != std::string::npos) {
      return refuse("sandbox command", "a word is too long or holds a zero byte");
    }
  }
  if (request.files.size() > kMostFiles) return refuse("sandbox files", "more than 32 files");
  std::int64_t bytes = 0;
  for (std::size_t i = 0; i < request.files.size(); ++i) {
    const auto& [name, content] = request.files[i];
    if (name.empty() || name.size() > 200 || name == "." || name == ".." ||
        name.find_first_of(std::string_view("/\0", 2)) != std::string::npos) {
      return refuse("sandbox file \"" + name + "\"", "is not a plain file name");
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (request.files[j].first == name) return refuse("sandbox file \"" + name + "\"", "is there twice");
    }
    bytes += static_cast<std::int64_t>(content.size());
  }
  if (bytes > request.limits.file_bytes) {
    return Error{Kind::out_of_room, "sandbox files",
                 std::to_string(bytes) + " bytes do not fit into a folder of " +
                     std::to_string(request.limits.file_bytes),
                 "give smaller files, or a larger limit"};
  }
  if (request.input.size() > kLargestInput) {
    return Error{Kind::out_of_room, "sandbox input", "more than 64 MiB", "give less"};
  }
  const SandboxLimits& limits = request.limits;
  if (!(limits.wall_seconds > 0 && limits.wall_seconds <= 86400) || limits.cpu_seconds < 1 ||
      limits.memory_bytes < (16 << 20) || limits.file_bytes < 4096 || limits.processes < 1 ||
      limits.output_bytes > (1U << 30U)) {
    return refuse("sandbox limits", "a limit is zero, negative or beyond what makes sense");
  }
  return done();
}

/// What the child needs, laid out before fork(): between fork and exec only plain system calls are allowed.
struct Plan {
  std::vector<char*> words;
  std::vector<int> descriptors;  // i becomes descriptor i
};

constexpr int kMostLaidOut = kFirstFileFd + static_cast<int>(kMostFiles);

[[noreturn]] void become_bubblewrap(const Plan& plan) {
  // The caller's signal dispositions and mask are its own.
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction standard {};
    standard.sa_handler = SIG_DFL;
    ::sigaction(number, &standard, nullptr);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::setsid();  // Ctrl-C at the terminal is for the caller, who ends us
  const int count = static_cast<int>(plan.descriptors.size());
  // First out of the way, then into place.
  std::array<int, kMostLaidOut> apart{};
  for (int i = 0; i < count; ++i) {
    apart[static_cast<std::size_t>(i)] =
        ::fcntl(plan.descriptors[static_cast<std::size_t>(i)], F_DUPFD, kMostLaidOut);
    if (apart[static_cast<std::size_t>(i)] < 0) ::_exit(126);
  }
  for (int i = 0; i < count; ++i) {
    if (::dup2(apart[static_cast<std::size_t>(i)], i) < 0) ::_exit(126);
  }
  if (::syscall(SYS_close_range, static_cast<unsigned>(count), ~0U, 0) != 0) {
    for (int fd = count; fd < 4096; ++fd) ::close(fd);
  }
  // As root, the sandbox belongs to nobody on this machine: what only root may read stays closed even where
  // it can be seen, and the limit on processes holds, which root is exempt from. Raw calls: those of the C
  // library would speak to threads that are not here.
  if (::geteuid() == 0) {
    if (::syscall(SYS_setgroups, 0, nullptr) != 0 ||
        ::syscall(SYS_setresgid, kNobody, kNobody, kNobody) != 0 ||
        ::syscall(SYS_setresuid, kNobody, kNobody, kNobody) != 0) {
      ::_exit(126);
    }
  }
  if (::chdir("/") != 0) ::_exit(126);
  char* environment[] = {nullptr};
  ::execve(plan.words.front(), plan.words.data(), environment);
  ::_exit(126);
}

/// One stream, read to its end and kept up to a limit.
struct Stream {
  Fd fd;
  std::string text;
  bool cut = false;

  void read(std::size_t most) {
    std::array<char, 65536> buffer{};
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (got <= 0) {
      fd.reset();
      return;
    }
    const auto size = static_cast<std::size_t>(got);
    const std::size_t room = most > text.size() ? most - text.size() : 0;
    text.append(buffer.data(), std::min(size, room));
    cut = cut || size > room;
  }
};

std::optional<pid_t> first_process(const std::string& info) {
  // {"child-pid": 4711, ...}: written by bubblewrap, read without a parser of JSON.
  constexpr std::string_view kKey = "\"child-pid\":";
  const std::size_t at = info.find(kKey);
  if (at == std::string::npos) return std::nullopt;
  const std::size_t end = info.find_first_of(",}", at);
  if (end == std::string::npos) return std::nullopt;
  const long number = std::strtol(info.c_str() + at + kKey.size(), nullptr, 10);
  return number > 1 ? std::optional(static_cast<pid_t>(number)) : std::nullopt;
}

/// The running sandbox. Killed as a whole when it goes out of scope.
class Running {
 public:
  Running(pid_t bubblewrap, Stream out, Stream err, Stream status, Stream info)
      : bubblewrap_(bubblewrap),
        out_(std::move(out)),
        err_(std::move(err)),
        status_(std::move(status)),
        info_(std::move(info)) {}
  ~Running() {
    if (bubblewrap_ > 0) {
      kill_all();
      wait();
    }
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  /// Until both streams are closed: bubblewrap and process 1 hold them, so all are gone then.
  void follow(const SandboxLimits& limits) {
    const double start = system_clock().seconds();
    while (out_.fd.open() || err_.fd.open()) {
      const double left = limits.wall_seconds - (system_clock().seconds() - start);
      if (left <= 0 && !killed_) {
        timed_out_ = true;
        kill_all();
      }
      if (killed_ && left < -5) break;  // never seen; better a lost stream than a caller that waits for ever
      std::array<pollfd, 4> waiting = {pollfd{out_.fd.get(), POLLIN, 0}, pollfd{err_.fd.get(), POLLIN, 0},
                                       pollfd{status_.fd.get(), POLLIN, 0},
                                       pollfd{info_.fd.get(), POLLIN, 0}};
      const int wait_ms =
          killed_ ? kLookEveryMs : std::clamp(static_cast<int>(left * 1000) + 1, 1, kLookEveryMs);
      if (::poll(waiting.data(), waiting.size(), wait_ms) < 0 && errno != EINTR) break;
      if (waiting[0].revents != 0) out_.read(limits.output_bytes);
      if (waiting[1].revents != 0) err_.read(limits.output_bytes);
      if (waiting[2].revents != 0) status_.read(16);
      if (waiting[3].revents != 0) info_.read(4096);
      if (!first_) first_ = first_process(info_.text);
      if (!killed_) watch(limits, start);
    }
    while (status_.fd.open()) status_.read(16);
    exit_status_ = wait();
  }

  bool started() const { return !status_.text.empty() && status_.text.front() == 's'; }
  /// What the first program said instead of starting: the layer's letter and errno.
  std::string_view refusal() const { return std::string_view(status_.text).substr(started() ? 1 : 0); }
  int exit_status() const { return exit_status_; }
  bool timed_out() const { return timed_out_; }
  bool over_memory() const { return over_memory_; }
  bool over_files() const { return over_files_; }
  Stream& out() { return out_; }
  Stream& err() { return err_; }

 private:
  void watch(const SandboxLimits& limits, double start) {
    const double now = system_clock().seconds();
    if (!first_ || now - looked_ < kLookEveryMs * 0.9e-3 || now - start < kLookEveryMs * 1e-3) return;
    looked_ = now;
    const auto use = look_into_sandbox(*first_);
    if (!use) return;
    if (use->memory_bytes > limits.memory_bytes) {
      over_memory_ = true;
      kill_all();
    } else if (use->files > kMostFilesMade) {
      over_files_ = true;
      kill_all();
    }
  }

  /// Process 1 of the sandbox first: the kernel ends the whole process namespace with it.
  void kill_all() {
    killed_ = true;
    if (first_) ::kill(*first_, SIGKILL);
    ::kill(bubblewrap_, SIGKILL);
  }

  int wait() {
    int status = 0;
    while (::waitpid(bubblewrap_, &status, 0) < 0 && errno == EINTR) {
    }
    bubblewrap_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  pid_t bubblewrap_;
  Stream out_, err_, status_, info_;
  std::optional<pid_t> first_;
  double looked_ = 0;
  int exit_status_ = 0;
  bool killed_ = false, timed_out_ = false, over_memory_ = false, over_files_ = false;
};

std::string layer_of(char letter) {
  switch (letter) {
    case 'S':
      return "the system call filter is not in force";
    case 'l':
      return "Landlock cannot be entered";
    case 'r':
      return "a resource limit cannot be set";
    case 'c':
      return "capabilities are left";
    case 'u':
      return "it would run as root";
    case 'p':
      return "new privileges are not given up";
    case 'i':
      return "there is no process namespace of its own";
    case 'm':
      return "the machine's files are not shut out";
    default:
      return "the first program failed";
  }
}

std::string first_line(std::string_view text) {
  std::string line(text.substr(0, std::min(text.find('\n'), std::size_t{300})));
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
  return line;
}

Error why_not_started(Running& running, const SandboxRequest& request) {
  const std::string_view refusal = running.refusal();
  if (running.started()) {  // the layers were there, the program was not
    const int number = refusal.size() > 1 ? static_cast<unsigned char>(refusal[1]) : ENOENT;
    return Error{
        Kind::unavailable, "sandbox",
        "the program " + request.command.front() + " cannot be started there: " + std::strerror(number),
        "apt-get install " + request.command.front()};
  }
  if (!refusal.empty()) {
    std::string message = layer_of(refusal[0]);
    if (refusal.size() > 1 && refusal[1] != 0) {
      message += std::string(": ") + std::strerror(static_cast<unsigned char>(refusal[1]));
    }
    return Error{Kind::unavailable, "sandbox", message + "; nothing was run", "loam doctor"};
  }
  const std::string said = first_line(running.err().text);
  const bool namespaces =
      said.find("namespace") != std::string::npos || said.find("uid map") != std::string::npos;
  return Error{Kind::unavailable, "sandbox",
               (said.empty() ? std::string("bubblewrap cannot set it up") : said) + "; nothing was run",
               namespaces ? "allow user namespaces: sysctl -w user.max_user_namespaces=10000 "
                            "kernel.unprivileged_userns_clone=1; in a container, its own settings"
                          : "loam doctor"};
}

/// Python and C++ end with these words when an allocation is refused.
bool says_out_of_memory(std::string_view err) {
  while (!err.empty() && (err.back() == '\n' || err.back() == ' ')) err.remove_suffix(1);
  const std::size_t line = err.rfind('\n');
  const std::string_view last = line == std::string_view::npos ? err : err.substr(line + 1);
  return last.starts_with("MemoryError") || last.find("std::bad_alloc") != std::string_view::npos;
}

}  // namespace

Result<SandboxResult> run_sandboxed(const SandboxRequest& request) {
  if (auto ok = check(request); !ok) return ok.error();
  const std::string bubblewrap = find_bubblewrap();
  if (bubblewrap.empty()) {
    return Error{Kind::unavailable, "sandbox", "bubblewrap is not installed, and without it nothing is run",
                 "apt-get install bubblewrap"};
  }
  auto filter = system_call_filter();
  if (!filter) return filter.error();

  std::vector<std::string> words = sandbox_command(bubblewrap, request);
  Plan plan;
  for (std::string& word : words) plan.words.push_back(word.data());
  plan.words.push_back(nullptr);

  std::vector<Fd> files;
  files.push_back(file_of(request.input));
  files.push_back(file_of(*filter));
  files.push_back(file_of(sandbox_start_program()));
  for (const auto& [name, content] : request.files) files.push_back(file_of(content));
  for (const Fd& file : files) {
    if (!file.open()) return broken("no memory file can be made");
  }
  auto out = make_pipe(), err = make_pipe(), status = make_pipe(), info = make_pipe();
  if (!out || !err || !status || !info) return broken("no pipe can be made");
  plan.descriptors = {files[0].get(),    out->write.get(), err->write.get(), status->write.get(),
                      info->write.get(), files[1].get(),   files[2].get()};
  for (std::size_t i = 3; i < files.size(); ++i) plan.descriptors.push_back(files[i].get());

  const Stopwatch watch;
  const pid_t child = ::fork();
  if (child < 0) return broken("no process can be started");
  if (child == 0) become_bubblewrap(plan);
  for (auto* pipe : {&*out, &*err, &*status, &*info}) pipe->write.reset();
  Running running(child, Stream{std::move(out->read), "", false}, Stream{std::move(err->read), "", false},
                  Stream{std::move(status->read), "", false}, Stream{std::move(info->read), "", false});
  running.follow(request.limits);
  // A sandbox that timed out while it was being set up is an honest time-out.
  if ((!running.started() && !running.timed_out()) || !running.refusal().empty()) {
    return why_not_started(running, request);
  }

  SandboxResult result;
  result.exit_status = running.exit_status();
  // SIGXCPU at the limit; SIGKILL a second later for a program that ignores it.
  const bool over_cpu =
      result.exit_status == 128 + SIGXCPU ||
      (result.exit_status == 128 + SIGKILL && !running.over_memory() && !running.over_files() &&
       watch.milliseconds() >= request.limits.cpu_seconds * 1000.0);
  result.timed_out = running.timed_out() || over_cpu;
  result.out_of_memory = running.over_memory() || (result.exit_status != 0 && !result.timed_out &&
                                                   says_out_of_memory(running.err().text));
  result.out = std::move(running.out().text);
  result.err = std::move(running.err().text);
  result.out_cut = running.out().cut;
  result.err_cut = running.err().cut;
  if (running.over_memory() || running.over_files()) {
    result.exit_status = 128 + SIGKILL;
    if (!result.err.empty() && result.err.back() != '\n') result.err += '\n';
    result.err += running.over_memory() ? "killed: its processes together used more memory than allowed\n"
                                        : "killed: it made too many files\n";
  }
  result.seconds = watch.milliseconds() / 1000.0;
  return result;
}

SandboxLayers sandbox_layers() {
  SandboxLayers layers;
  layers.bubblewrap = !find_bubblewrap().empty();
  layers.landlock = landlock_version() > 0;
  layers.seccomp = system_call_filter().ok() && ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
  if (!layers.bubblewrap) {
    layers.missing = "bubblewrap is not installed. Try: apt-get install bubblewrap";
    return layers;
  }
  // The rest is asked of a real run, for what the kernel allows is written in too many places to read.
  SandboxRequest request;
  request.command = {"true"};
  const auto tried = run_sandboxed(request);
  layers.user_namespaces = tried.ok() && tried->exit_status == 0;
  if (!tried) {
    layers.missing = tried.error().message;
    if (!tried.error().next_step.empty()) layers.missing += ". Try: " + tried.error().next_step;
  } else if (tried->exit_status != 0) {
    layers.missing = "a program that does nothing failed inside it";
  }
  return layers;
}

}  // namespace loam::guard
