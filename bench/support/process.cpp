#include "support/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "support/report.h"

extern char** environ;

namespace loam::bench {
namespace {

pid_t start(const std::vector<std::string>& command, int out) {
  std::vector<char*> arguments;
  std::vector<std::string> copy = command;
  for (std::string& one : copy) arguments.push_back(one.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  if (out >= 0) {
    posix_spawn_file_actions_adddup2(&actions, out, 1);
  } else {
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  }
  pid_t child = -1;
  const int status = posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (status != 0)
    fail(command[0] + ": " + std::strerror(status) + ". Set LOAM_LLAMA_TOOLS to the tools' folder");
  return child;
}

int wait_for(pid_t child, rusage* use) {
  int status = 0;
  while (wait4(child, &status, 0, use) < 0 && errno == EINTR) {
  }
  return status;
}

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

std::string output_of(const std::vector<std::string>& command) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe failed");
  const pid_t child = start(command, ends[1]);
  close(ends[1]);
  std::string out;
  std::array<char, 65536> buffer{};
  for (ssize_t got = 0; (got = read(ends[0], buffer.data(), buffer.size())) > 0;) {
    out.append(buffer.data(), static_cast<std::size_t>(got));
  }
  close(ends[0]);
  const int status = wait_for(child, nullptr);
  if (status != 0) fail(command[0] + " ended with status " + std::to_string(status));
  return out;
}

Background::Background(const std::vector<std::string>& command) : child_(start(command, -1)) {}

Background::~Background() {
  if (child_ <= 0) return;
  kill(child_, SIGTERM);
  wait_for(child_, nullptr);
}

bool Background::is_running() const { return child_ > 0 && kill(child_, 0) == 0; }

ChildUse in_child(const std::function<int()>& work) {
  std::fflush(nullptr);
  const Stopwatch watch;
  const pid_t child = fork();
  if (child < 0) fail("fork failed");
  if (child == 0) {
    const int status = work();
    std::fflush(nullptr);
    _exit(status);
  }
  rusage use{};
  const int status = wait_for(child, &use);
  ChildUse out;
  out.ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  out.peak_mib = static_cast<double>(use.ru_maxrss) / 1024.0;
  out.seconds = watch.milliseconds() / 1000.0;
  out.cpu_seconds = seconds_of(use.ru_utime) + seconds_of(use.ru_stime);
  return out;
}

int post_json(int port, const std::string& path, const std::string& json, double* first_event_ms,
              std::string* body) {
  const Stopwatch watch;
  const int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection < 0) return 0;
  const int on = 1;
  setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    close(connection);
    return 0;
  }
  const std::string request = "POST " + path +
                              " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                              "Connection: close\r\nContent-Length: " +
                              std::to_string(json.size()) + "\r\n\r\n" + json;
  for (std::size_t sent = 0; sent < request.size();) {
    const ssize_t now = send(connection, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (now <= 0) break;
    sent += static_cast<std::size_t>(now);
  }
  std::string reply;
  bool seen = false;
  std::array<char, 16384> buffer{};
  for (ssize_t got = 0; (got = recv(connection, buffer.data(), buffer.size(), 0)) > 0;) {
    reply.append(buffer.data(), static_cast<std::size_t>(got));
    if (!seen && reply.find("data:") != std::string::npos) {
      seen = true;
      if (first_event_ms != nullptr) *first_event_ms = watch.milliseconds();
    }
  }
  close(connection);
  if (body != nullptr) *body = reply;
  return reply.starts_with("HTTP/1.1 ") && reply.size() > 12 ? std::atoi(reply.c_str() + 9) : 0;
}

}  // namespace loam::bench
