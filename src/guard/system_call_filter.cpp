// Which system calls untrusted programs may make.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>

#include "guard/sandbox_start.h"

#if LOAM_HAVE_SECCOMP
#include <seccomp.h>
#endif

namespace loam::guard {

#if LOAM_HAVE_SECCOMP
namespace {

// What Python, compilers and ordinary command line tools need to compute, to read and write files, to start
// processes and threads of their own, and to wait.
constexpr int kAllowed[] = {
    // files
    SCMP_SYS(access), SCMP_SYS(chdir), SCMP_SYS(chmod), SCMP_SYS(chown), SCMP_SYS(close),
    SCMP_SYS(close_range), SCMP_SYS(copy_file_range), SCMP_SYS(creat), SCMP_SYS(dup), SCMP_SYS(dup2),
    SCMP_SYS(dup3), SCMP_SYS(epoll_create), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_wait), SCMP_SYS(eventfd), SCMP_SYS(eventfd2), SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2), SCMP_SYS(fadvise64), SCMP_SYS(fallocate), SCMP_SYS(fchdir), SCMP_SYS(fchmod),
    SCMP_SYS(fchmodat), SCMP_SYS(fchown), SCMP_SYS(fchownat), SCMP_SYS(fcntl), SCMP_SYS(fdatasync),
    SCMP_SYS(fgetxattr), SCMP_SYS(flistxattr), SCMP_SYS(flock), SCMP_SYS(fstat), SCMP_SYS(fstatfs),
    SCMP_SYS(fsync), SCMP_SYS(ftruncate), SCMP_SYS(futimesat), SCMP_SYS(getcwd), SCMP_SYS(getdents),
    SCMP_SYS(getdents64), SCMP_SYS(getxattr), SCMP_SYS(lchown), SCMP_SYS(lgetxattr), SCMP_SYS(link),
    SCMP_SYS(linkat), SCMP_SYS(listxattr), SCMP_SYS(llistxattr), SCMP_SYS(lseek), SCMP_SYS(lstat),
    SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(newfstatat), SCMP_SYS(open), SCMP_SYS(openat),
    SCMP_SYS(openat2), SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(pread64),
    SCMP_SYS(preadv), SCMP_SYS(preadv2), SCMP_SYS(pselect6), SCMP_SYS(pwrite64), SCMP_SYS(pwritev),
    SCMP_SYS(pwritev2), SCMP_SYS(read), SCMP_SYS(readahead), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
    SCMP_SYS(readv), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(rmdir),
    SCMP_SYS(select), SCMP_SYS(sendfile), SCMP_SYS(splice), SCMP_SYS(stat), SCMP_SYS(statfs), SCMP_SYS(statx),
    SCMP_SYS(symlink), SCMP_SYS(symlinkat), SCMP_SYS(tee), SCMP_SYS(truncate), SCMP_SYS(umask),
    SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(utime), SCMP_SYS(utimensat), SCMP_SYS(utimes),
    SCMP_SYS(write), SCMP_SYS(writev),
    // memory
    SCMP_SYS(brk), SCMP_SYS(madvise), SCMP_SYS(membarrier), SCMP_SYS(mincore), SCMP_SYS(mmap),
    SCMP_SYS(mprotect), SCMP_SYS(mremap), SCMP_SYS(msync), SCMP_SYS(munmap),
    // processes, threads, signals among themselves
    SCMP_SYS(arch_prctl), SCMP_SYS(capget), SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(exit),
    SCMP_SYS(exit_group), SCMP_SYS(fork), SCMP_SYS(futex), SCMP_SYS(get_robust_list), SCMP_SYS(getcpu),
    SCMP_SYS(getegid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getgroups), SCMP_SYS(getpgid),
    SCMP_SYS(getpgrp), SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(getpriority), SCMP_SYS(getresgid),
    SCMP_SYS(getresuid), SCMP_SYS(getrlimit), SCMP_SYS(getrusage), SCMP_SYS(getsid), SCMP_SYS(gettid),
    SCMP_SYS(getuid), SCMP_SYS(kill), SCMP_SYS(prlimit64), SCMP_SYS(restart_syscall), SCMP_SYS(rseq),
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigpending), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigsuspend), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sched_get_priority_max),
    SCMP_SYS(sched_get_priority_min), SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_getparam),
    SCMP_SYS(sched_getscheduler), SCMP_SYS(sched_setaffinity), SCMP_SYS(sched_yield),
    SCMP_SYS(set_robust_list), SCMP_SYS(set_tid_address), SCMP_SYS(setpgid), SCMP_SYS(setpriority),
    SCMP_SYS(setrlimit), SCMP_SYS(setsid), SCMP_SYS(sigaltstack), SCMP_SYS(tgkill), SCMP_SYS(tkill),
    SCMP_SYS(uname), SCMP_SYS(vfork), SCMP_SYS(wait4), SCMP_SYS(waitid),
    // time and chance
    SCMP_SYS(alarm), SCMP_SYS(clock_getres), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep),
    SCMP_SYS(getitimer), SCMP_SYS(getrandom), SCMP_SYS(gettimeofday), SCMP_SYS(nanosleep), SCMP_SYS(pause),
    SCMP_SYS(setitimer), SCMP_SYS(sysinfo), SCMP_SYS(time), SCMP_SYS(timer_create), SCMP_SYS(timer_delete),
    SCMP_SYS(timer_getoverrun), SCMP_SYS(timer_gettime), SCMP_SYS(timer_settime), SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_gettime), SCMP_SYS(timerfd_settime), SCMP_SYS(times),
    // sockets between its own processes: made by socketpair() below, never connected to anything
    SCMP_SYS(getpeername), SCMP_SYS(getsockname), SCMP_SYS(getsockopt), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(setsockopt), SCMP_SYS(shutdown),
    // locking itself in further: what the first program does
    SCMP_SYS(landlock_add_rule), SCMP_SYS(landlock_create_ruleset), SCMP_SYS(landlock_restrict_self)};

// Refused as a matter of right, so that a program reads "not permitted" and not "not implemented".
constexpr int kRefused[] = {SCMP_SYS(accept),
                            SCMP_SYS(accept4),
                            SCMP_SYS(acct),
                            SCMP_SYS(add_key),
                            SCMP_SYS(adjtimex),
                            SCMP_SYS(bind),
                            SCMP_SYS(bpf),
                            SCMP_SYS(chroot),
                            SCMP_SYS(clock_adjtime),
                            SCMP_SYS(clock_settime),
                            SCMP_SYS(connect),
                            SCMP_SYS(delete_module),
                            SCMP_SYS(fanotify_init),
                            SCMP_SYS(finit_module),
                            SCMP_SYS(fsopen),
                            SCMP_SYS(init_module),
                            SCMP_SYS(io_uring_enter),
                            SCMP_SYS(io_uring_register),
                            SCMP_SYS(io_uring_setup),
                            SCMP_SYS(ioperm),
                            SCMP_SYS(iopl),
                            SCMP_SYS(kcmp),
                            SCMP_SYS(kexec_file_load),
                            SCMP_SYS(kexec_load),
                            SCMP_SYS(keyctl),
                            SCMP_SYS(listen),
                            SCMP_SYS(memfd_create),
                            SCMP_SYS(mknod),
                            SCMP_SYS(mknodat),
                            SCMP_SYS(mount),
                            SCMP_SYS(mount_setattr),
                            SCMP_SYS(move_mount),
                            SCMP_SYS(msgget),
                            SCMP_SYS(name_to_handle_at),
                            SCMP_SYS(open_by_handle_at),
                            SCMP_SYS(open_tree),
                            SCMP_SYS(perf_event_open),
                            SCMP_SYS(personality),
                            SCMP_SYS(pidfd_getfd),
                            SCMP_SYS(pivot_root),
                            SCMP_SYS(process_madvise),
                            SCMP_SYS(process_vm_readv),
                            SCMP_SYS(process_vm_writev),
                            SCMP_SYS(ptrace),
                            SCMP_SYS(quotactl),
                            SCMP_SYS(reboot),
                            SCMP_SYS(request_key),
                            SCMP_SYS(semget),
                            SCMP_SYS(setdomainname),
                            SCMP_SYS(setfsgid),
                            SCMP_SYS(setfsuid),
                            SCMP_SYS(setgid),
                            SCMP_SYS(setgroups),
                            SCMP_SYS(sethostname),
                            SCMP_SYS(setns),
                            SCMP_SYS(setregid),
                            SCMP_SYS(setresgid),
                            SCMP_SYS(setresuid),
                            SCMP_SYS(setreuid),
                            SCMP_SYS(settimeofday),
                            SCMP_SYS(setuid),
                            SCMP_SYS(shmget),
                            SCMP_SYS(socket),
                            SCMP_SYS(swapoff),
                            SCMP_SYS(swapon),
                            SCMP_SYS(syslog),
                            SCMP_SYS(umount2),
                            SCMP_SYS(unshare),
                            SCMP_SYS(userfaultfd),
                            SCMP_SYS(vhangup)};

// clone() flags that make namespaces: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET,
// NEWTIME (clone(2)). clone3() is left to ENOSYS, for a filter cannot look into its arguments; the C library
// falls back to clone().
constexpr std::uint64_t kNamespaceFlags =
    0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000 | 0x00000080;

// Arguments that the kernel reads as 32 bits are compared as such.
bool allow_value(scmp_filter_ctx filter, int call, unsigned argument, std::uint64_t value) {
  const scmp_arg_cmp condition{argument, SCMP_CMP_MASKED_EQ, 0xFFFFFFFFU, value};
  return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &condition) == 0;
}

bool add_rules(scmp_filter_ctx filter) {
  bool ok = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0;
  for (const int call : kAllowed) ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) == 0;
  for (const int call : kRefused) ok = ok && seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0) == 0;
  const scmp_arg_cmp plain{0, SCMP_CMP_MASKED_EQ, kNamespaceFlags, 0};
  ok = ok && seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &plain) == 0;
  ok = ok && allow_value(filter, SCMP_SYS(socketpair), 0, AF_UNIX);
  // Asking a descriptor what it is; never TIOCSTI and its like, which write into a terminal.
  for (const std::uint64_t request :
       {std::uint64_t{TCGETS}, std::uint64_t{TIOCGWINSZ}, std::uint64_t{FIONREAD}, std::uint64_t{FIONBIO},
        std::uint64_t{FIOCLEX}, std::uint64_t{FIONCLEX}}) {
    ok = ok && allow_value(filter, SCMP_SYS(ioctl), 1, request);
  }
  for (const int option : {PR_SET_NAME, PR_GET_NAME, PR_SET_PDEATHSIG, PR_GET_NO_NEW_PRIVS, PR_GET_SECCOMP,
                           PR_GET_DUMPABLE, PR_CAPBSET_READ}) {
    ok = ok && allow_value(filter, SCMP_SYS(prctl), 0, static_cast<std::uint64_t>(option));
  }
  return ok;
}

}  // namespace

Result<std::string> system_call_filter() {
  struct Release {
    void operator()(void* filter) const { seccomp_release(filter); }
  };
  const Error failed{Kind::unavailable, "sandbox", "the system call filter cannot be made", "loam doctor"};
  const std::unique_ptr<void, Release> filter(seccomp_init(SCMP_ACT_ERRNO(ENOSYS)));
  if (filter == nullptr || !add_rules(filter.get())) return failed;
  const int file = memfd_create("loam-filter", MFD_CLOEXEC);
  if (file < 0) return failed;
  std::string program;
  if (seccomp_export_bpf(filter.get(), file) == 0) {
    const off_t size = lseek(file, 0, SEEK_END);
    program.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    if (pread(file, program.data(), program.size(), 0) != size) program.clear();
  }
  close(file);
  if (program.empty()) return failed;
  return program;
}

#else

Result<std::string> system_call_filter() {
  return Error{Kind::unavailable, "sandbox", "this program was built without libseccomp",
               "apt-get install libseccomp-dev, and build again"};
}

#endif

}  // namespace loam::guard
