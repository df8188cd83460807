// The first program inside the sandbox: sets the limits that can only be set from within, looks whether every
// layer is really there, and becomes the untrusted program. A static program of its own, because what runs
// inside may see nothing of the machine but the system's folders. Built by room.cmake, carried inside the
// library, laid into the sandbox as /start.
//
//   /start ADDRESS_SPACE CPU_SECONDS FILE_BYTES PROCESSES DESCRIPTORS LANDLOCK_VERSION PROGRAM [ARGUMENT...]
//
// Descriptor 3 hears one letter: 's' right before the program starts; 'n' with errno when there is no such
// program; else the letter of the layer that is missing, with errno. Never starts anything when one is
// missing.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>

namespace {

constexpr int kStatusFd = 3;

// Landlock's interface (Documentation/userspace-api/landlock.rst): the headers of Debian 12 know version 2
// only.
struct RulesetAttributes {
  std::uint64_t handled_access_fs;
  std::uint64_t handled_access_net;
  std::uint64_t scoped;
};
struct [[gnu::packed]] PathRule {
  std::uint64_t allowed_access;
  std::int32_t parent_fd;
};
constexpr std::uint64_t kExecute = 1, kWriteFile = 2, kReadFile = 4, kReadFolder = 8;
constexpr std::uint64_t kMakeCharacterDevice = 1ULL << 6, kMakeBlockDevice = 1ULL << 11;
constexpr std::uint64_t kAllOfVersion1 = (1ULL << 13) - 1;
constexpr std::uint64_t kRefer = 1ULL << 13, kTruncate = 1ULL << 14, kDeviceControl = 1ULL << 15;

[[noreturn]] void fail(char layer) {
  const int number = errno;
  const char message[2] = {layer, static_cast<char>(number)};
  static_cast<void>(write(kStatusFd, message, sizeof message) == 0);
  _exit(125);
}

void limit(__rlimit_resource resource, rlim_t soft, rlim_t hard) {
  const rlimit value{soft, hard};
  if (setrlimit(resource, &value) != 0) fail('r');
}

bool allow(int ruleset, const char* path, std::uint64_t access) {
  const int folder = open(path, O_PATH | O_CLOEXEC);
  if (folder < 0) return errno == ENOENT;  // a system without /lib64, say
  const PathRule rule{access, folder};
  const bool done = syscall(SYS_landlock_add_rule, ruleset, 1 /* path beneath */, &rule, 0) == 0;
  close(folder);
  return done;
}

void enter_landlock(int version) {
  std::uint64_t all = kAllOfVersion1;
  if (version >= 2) all |= kRefer;
  if (version >= 3) all |= kTruncate;
  if (version >= 5) all |= kDeviceControl;
  RulesetAttributes attributes{all, 0, 0};
  if (version >= 4) attributes.handled_access_net = 3;  // TCP bind and connect: no rule allows them
  if (version >= 6) attributes.scoped = 3;              // abstract sockets and signals stay inside
  const int ruleset = static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes,
                                               version >= 6   ? 24
                                               : version >= 4 ? 16
                                                              : 8,
                                               0));
  if (ruleset < 0) fail('l');
  const std::uint64_t read = kExecute | kReadFile | kReadFolder;
  for (const char* path : {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc"}) {
    if (!allow(ruleset, path, read)) fail('l');
  }
  const std::uint64_t device = (kReadFile | kWriteFile | kTruncate) & all;
  for (const char* path : {"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"}) {
    if (!allow(ruleset, path, device)) fail('l');
  }
  if (!allow(ruleset, "/box", all & ~(kMakeCharacterDevice | kMakeBlockDevice | kDeviceControl))) fail('l');
  if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) fail('l');
  close(ruleset);
}

bool has_no_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) return false;
  return (data[0].effective | data[0].permitted | data[0].inheritable | data[1].effective |
          data[1].permitted | data[1].inheritable) == 0;
}

// The namespaces are bubblewrap's work; what can be seen of them from inside is looked at here.
void look_at_the_layers() {
  errno = 0;
  if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) fail('p');
  if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 2) fail('S');
  if (!has_no_capabilities()) fail('c');
  if (getuid() == 0 || geteuid() == 0) fail('u');
  if (getpid() > 16 || getppid() > 1) fail('i');  // the first ones of a process namespace
  if (access("/proc/self", F_OK) == 0 || access("/root", F_OK) == 0 || access("/home", F_OK) == 0) fail('m');
  if (access("/", W_OK) == 0 || access("/usr", W_OK) == 0) fail('m');
}

}  // namespace

int main(int count, char** words) {
  if (count < 8) fail('a');
  const auto number = [&](int i) { return static_cast<rlim_t>(std::strtoull(words[i], nullptr, 10)); };
  fcntl(kStatusFd, F_SETFD, FD_CLOEXEC);
  // Everything that bubblewrap left open, were it to leave something, ends here.
  if (syscall(SYS_close_range, kStatusFd + 1, ~0U, 0) != 0) {
    for (int fd = kStatusFd + 1; fd < 1024; ++fd) close(fd);
  }
  look_at_the_layers();
  if (const auto landlock = static_cast<int>(number(6)); landlock > 0) enter_landlock(landlock);
  limit(RLIMIT_CORE, 0, 0);
  limit(RLIMIT_CPU, number(2), number(2) + 1);
  limit(RLIMIT_FSIZE, number(3), number(3));
  limit(RLIMIT_NOFILE, number(5), number(5));
  limit(RLIMIT_MEMLOCK, 0, 0);
  limit(RLIMIT_NPROC, number(4), number(4));
  // Last, for what comes before must not fail for want of memory.
  limit(RLIMIT_AS, number(1), number(1));
  const char started = 's';
  if (write(kStatusFd, &started, 1) != 1) _exit(125);
  execvp(words[7], words + 7);
  fail('n');
}
