// The parent's side: opens files, hands them to the worker, watches the clock, and checks every reply.
#include "reader/reader.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <ctime>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "reader/formats.h"
#include "reader/text.h"
#include "reader/wire.h"

namespace loam::reader {
namespace {

using SteadyClock = std::chrono::steady_clock;

// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Descriptor() { reset(); }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  void reset() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

struct OpenFile {
  Descriptor descriptor;
  std::int64_t size = 0;
};

Error cannot_open(int code, std::string_view source, Symlinks symlinks) {
  const std::string place(source);
  switch (code) {
    case ENOENT:
      return {Kind::bad_request, place, "does not exist", "check the path"};
    case ENOTDIR:
      return {Kind::bad_request, place, "leads through something that is not a folder", "check the path"};
    case EACCES:
    case EPERM:
      return {Kind::unavailable, place, "may not be read", "change its permissions (chmod +r)"};
    case ELOOP:
      if (symlinks == Symlinks::refuse) {
        return {Kind::bad_request, place, "is a symbolic link", "name the file that it points to"};
      }
      return {Kind::bad_request, place, "is a symbolic link that leads back to itself",
              "remove or mend the link"};
    case ENAMETOOLONG:
      return {Kind::bad_request, place, "has a name that is too long", "rename it"};
    case ENXIO:
      return {Kind::bad_request, place, "is a socket, not a file", "name a file"};
    case EMFILE:
    case ENFILE:
      return {Kind::out_of_room, place, "too many files are open", "close some, or raise ulimit -n"};
    default:
      return {Kind::unavailable, place, std::string("cannot be opened: ") + std::strerror(code),
              "check the disk and try again"};
  }
}

Result<OpenFile> open_file(const std::filesystem::path& path, std::string_view source,
                           const Reader::Options& options) {
  // O_NONBLOCK: opening a FIFO must not wait for someone to write into it.
  const int links = options.symlinks == Symlinks::refuse ? O_NOFOLLOW : 0;
  Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | links));
  if (!file.valid()) return cannot_open(errno, source, options.symlinks);
  struct stat info {};
  if (fstat(file.get(), &info) != 0) return cannot_open(errno, source, options.symlinks);
  if (!S_ISREG(info.st_mode)) {
    const char* what = S_ISDIR(info.st_mode) ? "a folder" : S_ISFIFO(info.st_mode) ? "a pipe" : "a device";
    return Error{Kind::bad_request, std::string(source), std::string("is ") + what + ", not a file",
                 "name a file"};
  }
  if (info.st_size > options.limits.max_file_bytes) {
    return Error{Kind::out_of_room, std::string(source),
                 "has " + with_thousands(static_cast<std::size_t>(info.st_size)) + " bytes; the limit is " +
                     with_thousands(static_cast<std::size_t>(options.limits.max_file_bytes)),
                 "split the file into smaller ones"};
  }
  return OpenFile{std::move(file), info.st_size};
}

Result<std::string> read_whole(const OpenFile& file, std::string_view source) {
  std::string bytes(static_cast<std::size_t>(file.size), '\0');
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = ::read(file.descriptor.get(), bytes.data() + have, bytes.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot_open(errno, source, Symlinks::refuse);
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

// Parses in this process.
class PlainReader : public Reader {
 public:
  explicit PlainReader(Options options) : options_(std::move(options)) {}

  Result<Document> read(const std::filesystem::path& file, std::string_view source) override {
    const Result<OpenFile> opened = open_file(file, source, options_);
    if (!opened) return opened.error();
    const Result<std::string> bytes = read_whole(*opened, source);
    if (!bytes) return bytes.error();
    const Format format = detect_format(std::string_view(*bytes).substr(0, 4096), source);
    return parse(*bytes, source, format, options_.limits, options_.libraries);
  }

 private:
  Options options_;
};

enum class Ending { replied, died, too_slow, garbled };

// How a worker process ended.
struct Death {
  bool by_signal = false;
  int code = 0;  // signal or exit status
};

class Worker {
 public:
  ~Worker() { stop(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  static Result<std::unique_ptr<Worker>> start(const Reader::Options& options) {
    std::unique_ptr<Worker> worker(new Worker);
    if (Result<void> spawned = worker->spawn(options.worker_command); !spawned) return spawned.error();
    const std::string settings = encode_settings({options.limits, options.libraries});
    FrameHeader header;
    std::string payload;
    const bool sent = worker->send(FrameKind::settings, settings, -1);
    const Ending ending =
        sent ? worker->receive(options.limits, options.limits.wall_seconds, header, payload) : Ending::died;
    if (ending == Ending::replied && header.kind == FrameKind::ready) return worker;
    std::string reason = "it does not answer as a reader's worker";
    if (ending == Ending::replied && header.kind == FrameKind::error) {
      if (const std::optional<Error> error = decode_error(payload, "reader worker")) reason = error->message;
    }
    if (ending == Ending::died) {
      const Death death = worker->stop();
      reason = "it ended with " + std::string(death.by_signal ? "signal " : "status ") +
               std::to_string(death.code);
    }
    return Error{Kind::unavailable, options.worker_command.front(),
                 "the reader's worker cannot be started: " + reason, "run loam doctor"};
  }

  // CPU time of one file: the process may use what it has used, and that much more.
  void allow_cpu(int seconds) const {
    clockid_t clock{};
    timespec used{};
    if (clock_getcpuclockid(pid_, &clock) != 0 || clock_gettime(clock, &used) != 0) return;
    rlimit limit{};
    if (prlimit(pid_, RLIMIT_CPU, nullptr, &limit) != 0) return;
    limit.rlim_cur = static_cast<rlim_t>(used.tv_sec) + static_cast<rlim_t>(std::max(1, seconds)) + 1;
    prlimit(pid_, RLIMIT_CPU, &limit, nullptr);
  }

  bool send(FrameKind kind, std::string_view payload, int file) const {
    const Header header = encode_header({kind, static_cast<std::uint32_t>(payload.size())});
    std::string bytes(header.data(), header.size());
    bytes += payload;
    std::string_view left = bytes;
    while (!left.empty()) {
      std::string piece_bytes(left);
      iovec piece{piece_bytes.data(), piece_bytes.size()};
      alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
      msghdr message{};
      message.msg_iov = &piece;
      message.msg_iovlen = 1;
      if (file >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        cmsghdr* rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(rights), &file, sizeof file);
      }
      const ssize_t sent = sendmsg(requests_.get(), &message, MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return false;
      left.remove_prefix(static_cast<std::size_t>(sent));
      file = -1;
    }
    return true;
  }

  // One frame, within the time. The payload grows with what really arrives, never with what is announced.
  Ending receive(const ReadLimits& limits, int seconds, FrameHeader& header, std::string& payload) const {
    const auto deadline = SteadyClock::now() + std::chrono::seconds(std::max(1, seconds));
    std::string bytes;
    if (const Ending ending = receive_bytes(kHeaderBytes, deadline, bytes); ending != Ending::replied)
      return ending;
    Header raw{};
    std::copy(bytes.begin(), bytes.end(), raw.begin());
    const Result<FrameHeader> decoded = decode_header(raw);
    if (!decoded || decoded->payload_bytes > max_reply_bytes(limits)) return Ending::garbled;
    header = *decoded;
    payload.clear();
    return receive_bytes(header.payload_bytes, deadline, payload);
  }

  bool has_unasked_reply() const {
    pollfd waiting{replies_.get(), POLLIN, 0};
    return poll(&waiting, 1, 0) != 0;
  }

  // Ends the process, with force if it does not end by itself, and says how it had ended.
  Death stop() {
    if (pid_ <= 0) return death_;
    requests_.reset();
    replies_.reset();
    int status = 0;
    bool ended = false;
    for (int i = 0; i < 20 && !ended; ++i) {
      ended = waitpid(pid_, &status, WNOHANG) == pid_;
      if (!ended) poll(nullptr, 0, 5);
    }
    if (!ended) {
      kill(pid_, SIGKILL);
      while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
      }
    }
    pid_ = -1;
    death_ = WIFSIGNALED(status) ? Death{true, WTERMSIG(status)} : Death{false, WEXITSTATUS(status)};
    return death_;
  }

  int files_read = 0;

 private:
  Worker() = default;

  Ending receive_bytes(std::size_t size, SteadyClock::time_point deadline, std::string& out) const {
    std::array<char, 65536> buffer;
    while (out.size() < size) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now()).count();
      if (left <= 0) return Ending::too_slow;
      pollfd waiting{replies_.get(), POLLIN, 0};
      const int ready = poll(&waiting, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
      if (ready < 0 && errno != EINTR) return Ending::died;
      if (ready <= 0) continue;
      const ssize_t got = ::read(replies_.get(), buffer.data(), std::min(buffer.size(), size - out.size()));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return Ending::died;
      out.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return Ending::replied;
  }

  Result<void> spawn(const std::vector<std::string>& command) {
    const auto failed = [&](int code) {
      return Error{Kind::unavailable, command.front(),
                   std::string("the reader's worker cannot be started: ") + std::strerror(code),
                   "run loam doctor"};
    };
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) return failed(errno);
    requests_ = Descriptor(sockets[0]);
    Descriptor low_request(sockets[1]);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return failed(errno);
    replies_ = Descriptor(ends[0]);
    Descriptor low_reply(ends[1]);
    // Above the numbers that they become in the child, so that neither overwrites the other.
    const Descriptor child_request(fcntl(low_request.get(), F_DUPFD_CLOEXEC, 16));
    const Descriptor child_reply(fcntl(low_reply.get(), F_DUPFD_CLOEXEC, 16));
    if (!child_request.valid() || !child_reply.valid()) return failed(errno);

    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int code = 0;
    for (int standard = 0; standard < 3 && code == 0; ++standard) {
      code = posix_spawn_file_actions_addopen(&actions, standard, "/dev/null",
                                              standard == 0 ? O_RDONLY : O_WRONLY, 0);
    }
    if (code == 0) code = posix_spawn_file_actions_adddup2(&actions, child_request.get(), kWorkerRequestFd);
    if (code == 0) code = posix_spawn_file_actions_adddup2(&actions, child_reply.get(), kWorkerReplyFd);
    if (code == 0) code = posix_spawn_file_actions_addclosefrom_np(&actions, kWorkerReplyFd + 1);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    // Its own process group: Ctrl-C is for the program, which then ends its worker.
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    std::vector<std::string> arguments = command;
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    char* no_environment[] = {nullptr};
    pid_t pid = -1;
    if (code == 0)
      code =
          posix_spawn(&pid, command.front().c_str(), &actions, &attributes, pointers.data(), no_environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (code != 0) return failed(code);
    pid_ = pid;
    return done();
  }

  Descriptor requests_;
  Descriptor replies_;
  pid_t pid_ = -1;
  Death death_;
};

class WorkerReader : public Reader {
 public:
  WorkerReader(Options options, Logger& logger) : options_(std::move(options)), logger_(logger) {}

  Result<Document> read(const std::filesystem::path& file, std::string_view source) override {
    const Result<OpenFile> opened = open_file(file, source, options_);
    if (!opened) return opened.error();
    if (worker_ && worker_->files_read >= std::max(1, options_.files_per_worker)) worker_.reset();
    // Bytes that no one asked for would be taken for the answer to this file.
    if (worker_ && worker_->has_unasked_reply()) replace_worker(source, "spoke without being asked");
    if (!worker_) {
      Result<std::unique_ptr<Worker>> started = Worker::start(options_);
      if (!started) return started.error();
      worker_ = std::move(*started);
    }
    ++worker_->files_read;
    worker_->allow_cpu(options_.limits.cpu_seconds);
    FrameHeader header;
    std::string payload;
    Ending ending = Ending::died;
    if (worker_->send(FrameKind::request, encode_request(source), opened->descriptor.get())) {
      ending = worker_->receive(options_.limits, options_.limits.wall_seconds, header, payload);
    }
    if (ending == Ending::replied && header.kind == FrameKind::error) {
      if (const std::optional<Error> error = decode_error(payload, source)) return *error;
      return explain(Ending::garbled, source);
    }
    if (ending == Ending::replied && header.kind == FrameKind::document) {
      Result<Document> document = decode_document(payload, source, options_.limits);
      if (!document) replace_worker(source, "sent a garbled reply");
      return document;
    }
    return explain(ending, source);
  }

 private:
  void replace_worker(std::string_view source, std::string_view why) {
    logger_.warning("reader worker " + std::string(why) + " on " + std::string(source) + "; it is replaced");
    worker_.reset();
  }

  // The file's error when the worker gave no reply.
  Error explain(Ending ending, std::string_view source) {
    const std::string place(source);
    const std::string next_step = "leave this file out, or convert it to plain text first";
    if (ending == Ending::too_slow) {
      replace_worker(source, "was too slow");
      return {Kind::out_of_room, place,
              "took more than " + std::to_string(options_.limits.wall_seconds) + " s to read", next_step};
    }
    if (ending != Ending::died) {
      replace_worker(source, "sent a garbled reply");
      return {Kind::bad_data, place, "made the reader send a garbled reply", next_step + "; and report it"};
    }
    const Death death = worker_->stop();
    if (death.by_signal && (death.code == SIGXCPU || death.code == SIGKILL)) {
      replace_worker(source, "used up its CPU time");
      return {Kind::out_of_room, place,
              death.code == SIGXCPU
                  ? "took more than " + std::to_string(options_.limits.cpu_seconds) + " s of CPU time"
                  : std::string("got its reader killed, likely because the machine ran out of memory"),
              next_step};
    }
    replace_worker(source, "crashed");
    const std::string how = death.by_signal ? strsignal(death.code) : "status " + std::to_string(death.code);
    return {Kind::bad_data, place, "crashed the reader, or needs more memory than it may use (" + how + ")",
            next_step};
  }

  Options options_;
  Logger& logger_;
  std::unique_ptr<Worker> worker_;
};

}  // namespace

Result<std::unique_ptr<Reader>> Reader::open(Options options, Logger& logger) {
  if (options.limits.max_file_bytes <= 0 || options.limits.max_text_bytes <= 0 ||
      options.limits.max_pages <= 0 || options.limits.max_blocks <= 0 ||
      options.limits.max_text_bytes > (1LL << 30)) {
    return Error{Kind::bad_request, "reader limits", "a limit is not positive, or text is over 1 GiB",
                 "use the defaults"};
  }
  if (options.worker_command.empty()) return std::unique_ptr<Reader>(new PlainReader(std::move(options)));
  return std::unique_ptr<Reader>(new WorkerReader(std::move(options), logger));
}

}  // namespace loam::reader
