#include "reader/sandbox.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#if LOAM_HAVE_SECCOMP
#include <seccomp.h>
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LOAM_UNDER_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define LOAM_UNDER_SANITIZER 1
#endif
#endif
#ifndef LOAM_UNDER_SANITIZER
#define LOAM_UNDER_SANITIZER 0
#endif

namespace loam::reader {
namespace {

constexpr rlim_t kMostDescriptors = 8;  // three standard streams, two channels, one file, two to spare

Error failed(const char* what) {
  return Error{Kind::unavailable, "reader worker", std::string(what) + " failed: " + std::strerror(errno),
               ""};
}

bool limit(__rlimit_resource resource, rlim_t most) {
  const rlimit value{most, most};
  return setrlimit(resource, &value) == 0;
}

#if LOAM_HAVE_SECCOMP
// A rule that says: this call, if its argument has that value.
bool allow_if(scmp_filter_ctx filter, int call, unsigned argument, scmp_compare how, std::uint64_t a,
              std::uint64_t b = 0) {
  const scmp_arg_cmp condition{argument, how, a, b};
  return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &condition) == 0;
}

bool filter_system_calls(int request_fd, int reply_fd) {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (filter == nullptr) return false;
  bool ok = true;
  for (const int call : {SCMP_SYS(read),
                         SCMP_SYS(readv),
                         SCMP_SYS(pread64),
                         SCMP_SYS(lseek),
                         SCMP_SYS(fstat),
                         SCMP_SYS(close),
                         SCMP_SYS(munmap),
                         SCMP_SYS(mremap),
                         SCMP_SYS(madvise),
                         SCMP_SYS(brk),
                         SCMP_SYS(exit),
                         SCMP_SYS(exit_group),
                         SCMP_SYS(rt_sigreturn),
                         SCMP_SYS(rt_sigaction),
                         SCMP_SYS(rt_sigprocmask),
                         SCMP_SYS(sigaltstack),
                         SCMP_SYS(clock_gettime),
                         SCMP_SYS(gettimeofday),
                         SCMP_SYS(time),
                         SCMP_SYS(futex),
                         SCMP_SYS(getrandom),
                         SCMP_SYS(sched_yield),
                         SCMP_SYS(sched_getaffinity),
                         SCMP_SYS(getpid),
                         SCMP_SYS(gettid),
                         SCMP_SYS(getrusage),
                         SCMP_SYS(restart_syscall),
                         SCMP_SYS(membarrier),
                         SCMP_SYS(rseq)}) {
    ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) == 0;
  }
  // fstat by its newer name takes an empty path; with a path it would need none of our files either.
  ok = ok && allow_if(filter, SCMP_SYS(newfstatat), 3, SCMP_CMP_EQ, 0x1000 /* AT_EMPTY_PATH */);
  ok = ok && allow_if(filter, SCMP_SYS(mmap), 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
  ok = ok && allow_if(filter, SCMP_SYS(mprotect), 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
  ok = ok && allow_if(filter, SCMP_SYS(write), 0, SCMP_CMP_EQ, static_cast<std::uint64_t>(reply_fd));
  ok = ok && allow_if(filter, SCMP_SYS(recvmsg), 0, SCMP_CMP_EQ, static_cast<std::uint64_t>(request_fd));
  // abort() signals the process itself.
  ok = ok && allow_if(filter, SCMP_SYS(tgkill), 0, SCMP_CMP_EQ, static_cast<std::uint64_t>(getpid()));
  ok = ok && seccomp_load(filter) == 0;
  seccomp_release(filter);
  return ok;
}
#endif

}  // namespace

Result<void> lock_in(const ReadLimits& limits, int request_fd, int reply_fd) {
  if (!limit(RLIMIT_CORE, 0)) return failed("setting the core limit");
  if (!limit(RLIMIT_FSIZE, 0)) return failed("setting the file size limit");
  if (!limit(RLIMIT_NOFILE,
             std::max<rlim_t>(kMostDescriptors, static_cast<rlim_t>(std::max(request_fd, reply_fd)) + 4))) {
    return failed("setting the descriptor limit");
  }
  // Sanitizers reserve terabytes of address space for their shadow.
  if (LOAM_UNDER_SANITIZER == 0 && limits.memory_bytes > 0 &&
      !limit(RLIMIT_AS, static_cast<rlim_t>(limits.memory_bytes))) {
    return failed("setting the memory limit");
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("giving up new privileges");
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failed("giving up core dumps");
#if LOAM_HAVE_SECCOMP
  if (!filter_system_calls(request_fd, reply_fd)) return failed("installing the system call filter");
#else
  static_cast<void>(request_fd);
#endif
  return done();
}

}  // namespace loam::reader
