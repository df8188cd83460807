// Attempts of our own to get out of the sandbox, or to harm the machine from inside. Each must be contained,
// and the machine alive afterwards.
#include "guard/sandbox.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/clock.h"
#include "guard/testing/sandbox_fixture.h"

namespace loam::guard {
namespace {
using testing::HostFile;
using testing::processes_with;

// proves P-SANDBOX-02: where a layer is missing, the fixture asks for the refusal.
using testing::Sandbox;

// What must work -----------------------------------------------------------------------------------------

TEST_F(Sandbox, runs_a_program_with_its_files_and_input) {
  SandboxRequest request = program(
      "import sys\n"
      "from helper import twice\n"
      "print(twice(int(sys.stdin.read())))\n"
      "print('aside', file=sys.stderr)\n"
      "sys.exit(3)\n");
  request.command = {"python3", "-s", "-E", "main.py"};
  request.files.emplace_back("helper.py", "def twice(x):\n    return 2 * x\n");
  request.input = "21";
  const SandboxResult result = run(request);
  EXPECT_EQ(result.out, "42\n");
  EXPECT_EQ(result.err, "aside\n");
  EXPECT_EQ(result.exit_status, 3);
  EXPECT_FALSE(result.timed_out || result.out_of_memory || result.out_cut || result.err_cut);
  EXPECT_GT(result.seconds, 0);
}

TEST_F(Sandbox, threads_processes_and_files_of_its_own_work) {
  const SandboxResult result = run(
      "import json, math, os, random, re, subprocess, tempfile, threading, time\n"
      "threads = [threading.Thread(target=time.sleep, args=(0.01,)) for _ in range(5)]\n"
      "[t.start() for t in threads]; [t.join() for t in threads]\n"
      "print(subprocess.run(['sh', '-c', 'echo from a child | tr a-z A-Z'], capture_output=True).stdout)\n"
      "open('note.txt', 'w').write('kept')\n"
      "print(open('/box/note.txt').read(), os.listdir('.') != [])\n");
  EXPECT_EQ(result.out, "b'FROM A CHILD\\n'\nkept True\n") << result.err;
}

TEST_F(Sandbox, works_as_an_ordinary_user_too) {
  if (::geteuid() != 0) GTEST_SKIP() << "these tests run as an ordinary user already";
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (::setresgid(23456, 23456, 23456) != 0 || ::setresuid(23456, 23456, 23456) != 0) ::_exit(9);
    const auto result = run_sandboxed(program("print(6 * 7)"));
    ::_exit(!result ? 8 : result->out == "42\n" ? 0 : 7);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(Sandbox, a_program_that_is_not_there_is_named) {
  SandboxRequest request;
  request.command = {"no-such-program-4711"};
  const auto result = run_sandboxed(request);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, Kind::unavailable);
  EXPECT_NE(result.error().message.find("no-such-program-4711"), std::string::npos) << result.error().line();
}

TEST_F(Sandbox, bad_requests_are_refused_before_anything_runs) {
  SandboxRequest request = program("print(1)");
  for (const char* name : {"", ".", "..", "../escape", "/etc/passwd", "a/b"}) {
    SandboxRequest bad = request;
    bad.files.emplace_back(name, "x");
    EXPECT_FALSE(run_sandboxed(bad).ok()) << name;
  }
  SandboxRequest twice = request;
  twice.files.emplace_back("main.py", "x");
  EXPECT_FALSE(run_sandboxed(twice).ok());
  SandboxRequest large = request;
  large.files.emplace_back("large", std::string(17U << 20U, 'x'));
  const auto refused = run_sandboxed(large);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, Kind::out_of_room);
  EXPECT_FALSE(run_sandboxed(SandboxRequest{}).ok());
  SandboxRequest no_time = request;
  no_time.limits.wall_seconds = 0;
  EXPECT_FALSE(run_sandboxed(no_time).ok());
}

// Network ------------------------------------------------------------------------------------------------

// proves P-SANDBOX-01
TEST_F(Sandbox, attempt_network_connection) {
  expect_contained(
      "import socket\n"
      "try:\n"
      "    socket.create_connection(('192.0.2.1', 80), timeout=2)\n"
      "except OSError:\n"
      "    print('contained')\n");
}

TEST_F(Sandbox, attempt_host_loopback) {
  const int listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(listening, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listening, 1), 0);
  socklen_t size = sizeof address;
  ::getsockname(listening, reinterpret_cast<sockaddr*>(&address), &size);
  expect_contained(
      "import socket\n"
      "try:\n"
      "    socket.create_connection(('127.0.0.1', " +
      std::to_string(ntohs(address.sin_port)) +
      "), timeout=2)\n"
      "except OSError:\n"
      "    print('contained')\n");
  ::close(listening);
}

TEST_F(Sandbox, attempt_abstract_socket_of_the_host) {
  const int listening = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = "loam-test-" + std::to_string(::getpid());
  std::copy(name.begin(), name.end(), address.sun_path + 1);
  ASSERT_EQ(::bind(listening, reinterpret_cast<sockaddr*>(&address),
                   static_cast<socklen_t>(sizeof(sa_family_t) + 1 + name.size())),
            0);
  ASSERT_EQ(::listen(listening, 1), 0);
  expect_contained(
      "import socket\n"
      "try:\n"
      "    socket.socket(socket.AF_UNIX).connect('\\0" +
      name +
      "')\n"
      "except OSError:\n"
      "    print('contained')\n");
  ::close(listening);
}

TEST_F(Sandbox, attempt_a_socket_pair_that_is_connected_elsewhere) {
  expect_contained(
      "import socket\n"
      "one, other = socket.socketpair()\n"
      "try:\n"
      "    one.connect('/run/systemd/notify')\n"
      "except OSError:\n"
      "    print('contained')\n");
}

// Files of the host --------------------------------------------------------------------------------------

TEST_F(Sandbox, attempt_reading_accounts_and_keys) {
  expect_contained(
      "import os\n"
      "seen = []\n"
      "for path in ('/etc/shadow', '/etc/passwd', '/etc/ssh', '/root', '/home', '/var', '/run', '/tmp', "
      "'/boot',\n"
      "             '/sys', '/opt', '/srv', '/mnt', '/proc/1/environ', '/proc/self/status'):\n"
      "    try:\n"
      "        seen.append(open(path).read() if not os.path.isdir(path) else os.listdir(path))\n"
      "    except OSError:\n"
      "        pass\n"
      "print('contained' if not seen else seen)\n");
}

TEST_F(Sandbox, the_root_holds_the_system_and_nothing_else) {
  const SandboxResult result = run("import os\nprint(sorted(os.listdir('/')), sorted(os.listdir('/etc')))");
  for (const char* name : {"home", "root", "proc", "sys", "var", "tmp", "passwd", "hosts"}) {
    EXPECT_EQ(result.out.find("'" + std::string(name) + "'"), std::string::npos) << result.out;
  }
}

TEST_F(Sandbox, attempt_reading_a_file_of_the_host) {
  const HostFile secret("the secret");
  expect_contained("try:\n    print(open('" + secret.path.string() +
                   "').read())\nexcept OSError:\n    print('contained')\n");
}

TEST_F(Sandbox, attempt_symbolic_link_to_the_host) {
  const HostFile secret("the secret");
  expect_contained(
      "import os\n"
      "os.symlink('" +
      secret.path.string() +
      "', 'link')\n"
      "os.symlink('../../../../etc/shadow', 'other')\n"
      "for name in ('link', 'other'):\n"
      "    try:\n"
      "        print(open(name).read())\n"
      "        break\n"
      "    except OSError:\n"
      "        pass\n"
      "else:\n"
      "    print('contained')\n");
}

TEST_F(Sandbox, attempt_writing_outside_its_folder) {
  expect_contained(
      "import os\n"
      "done = []\n"
      "for path in ('/x', '/usr/x', '/usr/bin/python3', '/etc/x', '/dev/x', '/start', '/usr/lib/x', "
      "'/box/../x'):\n"
      "    for how in ('w', 'a'):\n"
      "        try:\n"
      "            open(path, how).write('x')\n"
      "            done.append(path)\n"
      "        except OSError:\n"
      "            pass\n"
      "for call in (lambda: os.mkdir('/d'), lambda: os.remove('/start'), lambda: os.rename('/box', '/b'),\n"
      "             lambda: os.chmod('/usr/bin/env', 0o777), lambda: os.link('/usr/bin/env', '/box/env')):\n"
      "    try:\n"
      "        call()\n"
      "        done.append('call')\n"
      "    except OSError:\n"
      "        pass\n"
      "print('contained' if not done else done)\n");
}

TEST_F(Sandbox, attempt_devices) {
  expect_contained(
      "import glob\n"
      "extra = set(glob.glob('/dev/*')) - {'/dev/null', '/dev/zero', '/dev/random', '/dev/urandom'}\n"
      "print('contained' if not extra else extra)\n");
}

TEST_F(Sandbox, attempt_making_a_device) {
  expect_contained(
      "import os, stat\n"
      "try:\n"
      "    os.mknod('disk', 0o600 | stat.S_IFBLK, os.makedev(8, 0))\n"
      "except OSError:\n"
      "    print('contained')\n");
}

TEST_F(Sandbox, attempt_inherited_descriptors) {
  const HostFile secret("the secret of an open file");
  // Opened without FD_CLOEXEC, as a careless library would.
  const int leaked = ::open(secret.path.c_str(), O_RDWR);
  ASSERT_GE(leaked, 0);
  expect_contained(
      "import os\n"
      "seen = []\n"
      "for fd in range(3, 1024):\n"
      "    try:\n"
      "        os.fstat(fd)\n"
      "        seen.append(fd)\n"
      "    except OSError:\n"
      "        pass\n"
      "print('contained' if not seen else seen)\n");
  ::close(leaked);
}

TEST_F(Sandbox, attempt_writing_to_its_input) {
  SandboxRequest request = program(
      "import os\n"
      "try:\n"
      "    os.write(0, b'x')\n"
      "except OSError:\n"
      "    print('contained')\n");
  request.input = "what the caller gave";
  EXPECT_EQ(run(request).out, "contained\n");
}

TEST_F(Sandbox, attempt_reading_the_environment_of_the_caller) {
  ::setenv("LOAM_TEST_SECRET", "hunter2", 1);
  const SandboxResult result = run("import os\nprint(sorted(os.environ))");
  ::unsetenv("LOAM_TEST_SECRET");
  EXPECT_EQ(result.out.find("SECRET"), std::string::npos) << result.out;
  for (const char* name : {"LOAM", "SSH", "USER", "XDG", "LD_"}) {
    EXPECT_EQ(result.out.find(name), std::string::npos) << result.out;
  }
}

// Processes and rights -----------------------------------------------------------------------------------

TEST_F(Sandbox, attempt_seeing_or_ending_processes_of_the_host) {
  const pid_t victim = ::fork();
  ASSERT_GE(victim, 0);
  if (victim == 0) {
    ::pause();
    ::_exit(0);
  }
  const SandboxResult result =
      run("import os\n"
          "for number in (" +
          std::to_string(victim) + ", " + std::to_string(::getpid()) +
          "):\n"
          "    try:\n"
          "        os.kill(number, 9)\n"
          "        print('sent')\n"
          "    except OSError:\n"
          "        print('contained')\n"
          "try:\n"
          "    os.kill(-1, 9)\n"
          "except OSError:\n"
          "    pass\n");
  EXPECT_EQ(result.out.find("sent"), std::string::npos);
  EXPECT_EQ(::waitpid(victim, nullptr, WNOHANG), 0) << "the victim is dead";
  ::kill(victim, SIGKILL);
  ::waitpid(victim, nullptr, 0);
}

TEST_F(Sandbox, attempt_signal_to_its_own_warden) {
  const SandboxResult result =
      run("import os\n"
          "for number in (1, os.getppid()):\n"
          "    try:\n"
          "        os.kill(number, 9)\n"
          "    except OSError:\n"
          "        pass\n"
          "print('contained')\n");
  EXPECT_EQ(result.out, "contained\n");
}

TEST_F(Sandbox, attempt_becoming_root) {
  expect_contained(
      "import os\n"
      "done = []\n"
      "for call in (lambda: os.setuid(0), lambda: os.seteuid(0), lambda: os.setgid(0), lambda: "
      "os.setgroups([0])):\n"
      "    try:\n"
      "        call()\n"
      "        done.append(os.getresuid())\n"
      "    except OSError:\n"
      "        pass\n"
      "print('contained' if not done and os.getuid() != 0 else done)\n");
}

TEST_F(Sandbox, attempt_setuid_programs) {
  expect_contained(
      "import os, subprocess\n"
      "bad = []\n"
      "for name in ('/usr/bin/su', '/usr/bin/mount', '/usr/bin/passwd', '/usr/bin/sudo', "
      "'/usr/bin/newgrp'):\n"
      "    if os.path.exists(name):\n"
      "        try:\n"
      "            done = subprocess.run([name], stdin=subprocess.DEVNULL, capture_output=True, timeout=3)\n"
      "            if b'uid=0' in done.stdout: bad.append(name)\n"
      "        except (OSError, subprocess.TimeoutExpired):\n"
      "            pass\n"
      "import shutil\n"
      "shutil.copy('/usr/bin/id', 'id')\n"
      "os.chmod('id', 0o6755)\n"
      "out = subprocess.run(['./id', '-u'], capture_output=True, text=True).stdout.strip()\n"
      "if out == '0': bad.append(out)\n"
      "print('contained' if not bad else bad)\n");
}

TEST_F(Sandbox, attempt_capabilities) {
  expect_contained(
      "import ctypes\n"
      "libc = ctypes.CDLL(None)\n"
      "header = (ctypes.c_uint32 * 2)(0x20080522, 0)\n"
      "data = (ctypes.c_uint32 * 6)()\n"
      "answer = libc.capget(header, data)\n"
      "print('contained' if answer == 0 and not any(data) else list(data))\n");
}

TEST_F(Sandbox, attempt_ptrace) {
  expect_contained(
      "import ctypes, errno, os, time\n"
      "libc = ctypes.CDLL(None, use_errno=True)\n"
      "child = os.fork()\n"
      "if child == 0:\n"
      "    time.sleep(5)\n"
      "    os._exit(0)\n"
      "answers = [libc.ptrace(16, n, 0, 0) for n in (1, child)]\n"
      "print('contained' if answers == [-1, -1] else answers)\n"
      "os.kill(child, 9)\n");
}

TEST_F(Sandbox, attempt_reading_memory_of_its_warden) {
  expect_contained(
      "import ctypes\n"
      "libc = ctypes.CDLL(None, use_errno=True)\n"
      "buffer = ctypes.create_string_buffer(8)\n"
      "vector = (ctypes.c_uint64 * 2)(ctypes.addressof(buffer), 8)\n"
      "answer = libc.process_vm_readv(1, vector, 1, vector, 1, 0)\n"
      "print('contained' if answer == -1 else answer)\n");
}

TEST_F(Sandbox, attempt_mounts) {
  expect_contained(
      "import ctypes\n"
      "libc = ctypes.CDLL(None, use_errno=True)\n"
      "answers = [libc.mount(b'proc', b'/box', b'proc', 0, None), libc.mount(b'none', b'/box', b'tmpfs', 0, "
      "None),\n"
      "           libc.mount(b'/usr', b'/usr', None, 32 | 4096, None), libc.umount2(b'/usr', 2),\n"
      "           libc.umount2(b'/box', 2), libc.chroot(b'/box'), libc.syscall(155, b'/box', b'/box')]\n"
      "print('contained' if set(answers) == {-1} else answers)\n");
}

TEST_F(Sandbox, attempt_new_namespaces) {
  expect_contained(
      "import ctypes, errno\n"
      "libc = ctypes.CDLL(None, use_errno=True)\n"
      "answers = [libc.unshare(flag) for flag in (0x10000000, 0x00020000, 0x40000000, 0x20000000)]\n"
      "print('contained' if set(answers) == {-1} else answers)\n");
}

#if defined(__x86_64__)
TEST_F(Sandbox, attempt_clone_with_a_user_namespace) {
  expect_contained(raw_call("56, 0x10000000 | 17, 0, 0, 0, 0"));
}
TEST_F(Sandbox, attempt_clone3) { expect_contained(raw_call("435, None, 0")); }
TEST_F(Sandbox, attempt_io_uring) { expect_contained(raw_call("425, 8, ctypes.create_string_buffer(120)")); }
TEST_F(Sandbox, attempt_bpf) { expect_contained(raw_call("321, 5, ctypes.create_string_buffer(120), 120")); }
TEST_F(Sandbox, attempt_keyring) { expect_contained(raw_call("250, 0, -3, 1")); }
TEST_F(Sandbox, attempt_userfaultfd) { expect_contained(raw_call("323, 0")); }
TEST_F(Sandbox, attempt_perf_events) {
  expect_contained(raw_call("298, ctypes.create_string_buffer(120), 0, -1, -1, 0"));
}
TEST_F(Sandbox, attempt_kernel_module) { expect_contained(raw_call("175, None, 0, b''")); }
TEST_F(Sandbox, attempt_a_memory_file) { expect_contained(raw_call("319, b'x', 0")); }
TEST_F(Sandbox, attempt_shared_memory_of_system_v) { expect_contained(raw_call("29, 0, 1 << 20, 0o1600")); }
TEST_F(Sandbox, attempt_typing_into_a_terminal) {
  expect_contained(raw_call("16, 1, 0x5412, ctypes.create_string_buffer(b'x')"));
}
TEST_F(Sandbox, attempt_a_system_call_number_that_nobody_knows) { expect_contained(raw_call("4000, 0")); }

TEST_F(Sandbox, attempt_system_calls_of_another_architecture) {
  // int 0x80 with the number of getpid() of 32-bit programs: a filter for one architecture only would let
  // any call through by that door.
  const SandboxResult result =
      run("import ctypes, mmap\n"
          "page = mmap.mmap(-1, 4096, prot=7)\n"
          "page.write(bytes([0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3]))\n"
          "call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))\n"
          "print('got', call(), flush=True)\n");
  EXPECT_EQ(result.out.find("got"), std::string::npos) << result.out;
  EXPECT_GE(result.exit_status, 128);
}
#endif

TEST_F(Sandbox, attempt_raising_its_limits) {
  expect_contained(
      "import resource\n"
      "done = []\n"
      "for what in (resource.RLIMIT_AS, resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU,\n"
      "             resource.RLIMIT_NOFILE, resource.RLIMIT_CORE):\n"
      "    soft, hard = resource.getrlimit(what)\n"
      "    if hard == resource.RLIM_INFINITY: done.append(('no limit', what))\n"
      "    try:\n"
      "        resource.setrlimit(what, (hard + 1, hard + 1))\n"
      "        done.append(what)\n"
      "    except (ValueError, OSError):\n"
      "        pass\n"
      "print('contained' if not done else done)\n");
}

// Using everything up ------------------------------------------------------------------------------------

// proves P-SANDBOX-03
TEST_F(Sandbox, attempt_fork_bomb) {
  SandboxLimits limits;
  limits.wall_seconds = 3;
  const SandboxResult result =
      run("import os, time\n"
          "made = 0\n"
          "try:\n"
          "    for _ in range(500):\n"
          "        if os.fork() == 0:\n"
          "            time.sleep(10)\n"
          "            os._exit(0)\n"
          "        made += 1\n"
          "except OSError:\n"
          "    print('stopped at', made)\n",
          limits);
  ASSERT_TRUE(result.out.starts_with("stopped at ")) << result.out << result.err << result.exit_status;
  EXPECT_LT(std::stoi(result.out.substr(11)), 32);
}

TEST_F(Sandbox, attempt_fork_bomb_that_keeps_trying) {
  SandboxLimits limits;
  limits.wall_seconds = 2;
  const Stopwatch watch;
  const SandboxResult result =
      run("import os\n"
          "while True:\n"
          "    try:\n"
          "        os.fork()\n"
          "    except OSError:\n"
          "        pass\n",
          limits);
  EXPECT_TRUE(result.timed_out);
  EXPECT_LT(watch.milliseconds(), 20000);
}

TEST_F(Sandbox, attempt_memory_bomb) {
  SandboxLimits limits;
  limits.memory_bytes = 256 << 20;
  const SandboxResult result = run("x = bytearray(1 << 30)\nprint('got it')\n", limits);
  EXPECT_EQ(result.out, "");
  EXPECT_NE(result.exit_status, 0);
  EXPECT_TRUE(result.out_of_memory) << result.err;
}

TEST_F(Sandbox, attempt_memory_bomb_by_many_processes) {
  SandboxLimits limits;
  limits.memory_bytes = 192 << 20;
  limits.wall_seconds = 20;
  const SandboxResult result =
      run("import os, time\n"
          "for _ in range(16):\n"
          "    if os.fork() == 0:\n"
          "        break\n"
          "keep = b'x' * (64 << 20)\n"
          "time.sleep(15)\n"
          "print('all there')\n",
          limits);
  EXPECT_TRUE(result.out_of_memory) << result.err;
  EXPECT_FALSE(result.timed_out);
  EXPECT_EQ(result.out, "");
}

TEST_F(Sandbox, attempt_shared_memory_bomb) {
  SandboxLimits limits;
  limits.memory_bytes = 192 << 20;
  limits.wall_seconds = 20;
  const SandboxResult result =
      run("import mmap, os, time\n"
          "for _ in range(12):\n"
          "    if os.fork() == 0:\n"
          "        break\n"
          "page = mmap.mmap(-1, 96 << 20)\n"
          "page.write(b'x' * (96 << 20))\n"
          "time.sleep(15)\n"
          "print('all there')\n",
          limits);
  EXPECT_TRUE(result.out_of_memory) << result.err;
  EXPECT_EQ(result.out.find("all there"), std::string::npos);
}

TEST_F(Sandbox, attempt_huge_output) {
  SandboxLimits limits;
  limits.wall_seconds = 20;
  const SandboxResult result =
      run("import sys\n"
          "for _ in range(200):\n"
          "    sys.stdout.write('y' * 1000000)\n"
          "    sys.stderr.write('z' * 100000)\n",
          limits);
  EXPECT_EQ(result.out.size(), 64U * 1024U);
  EXPECT_EQ(result.err.size(), 64U * 1024U);
  EXPECT_TRUE(result.out_cut && result.err_cut);
  EXPECT_EQ(result.exit_status, 0);
}

TEST_F(Sandbox, attempt_endless_output) {
  SandboxLimits limits;
  limits.wall_seconds = 1;
  const SandboxResult result = run("while True: print('y' * 10000)", limits);
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.out.size(), 64U * 1024U);
}

TEST_F(Sandbox, attempt_filling_the_disk) {
  const SandboxResult result =
      run("written = 0\n"
          "try:\n"
          "    for i in range(100):\n"
          "        with open(f'file{i}', 'wb') as out:\n"
          "            for _ in range(100):\n"
          "                written += out.write(b'x' * 1000000)\n"
          "                out.flush()\n"
          "except OSError:\n"
          "    pass\n"
          "print(written <= 17 << 20)\n");
  EXPECT_TRUE(result.out == "True\n" || result.exit_status == 128 + SIGXFSZ) << result.out << result.err;
}

TEST_F(Sandbox, attempt_one_large_file) {
  SandboxLimits limits;
  limits.file_bytes = 1 << 20;
  const SandboxResult result = run("open('large', 'wb').write(b'x' * (8 << 20))\nprint('got it')", limits);
  EXPECT_EQ(result.out, "");
  EXPECT_NE(result.exit_status, 0);
}

TEST_F(Sandbox, attempt_a_million_files) {
  SandboxLimits limits;
  limits.wall_seconds = 20;
  limits.cpu_seconds = 18;
  const SandboxResult result =
      run("for i in range(1000000):\n"
          "    open(f'f{i}', 'w').close()\n"
          "print('made them')\n",
          limits);
  EXPECT_EQ(result.out, "");
  EXPECT_NE(result.exit_status, 0);
}

// Time ---------------------------------------------------------------------------------------------------

// proves P-SANDBOX-04
TEST_F(Sandbox, attempt_sleeping_for_ever) {
  SandboxLimits limits;
  limits.wall_seconds = 0.5;
  const Stopwatch watch;
  const SandboxResult result =
      run("import signal, time\n"
          "for number in range(1, 32):\n"
          "    try:\n"
          "        signal.signal(number, signal.SIG_IGN)\n"
          "    except (OSError, ValueError):\n"
          "        pass\n"
          "print('asleep', flush=True)\n"
          "time.sleep(1000)\n",
          limits);
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.exit_status, 128 + SIGKILL);
  EXPECT_EQ(result.out, "asleep\n");
  EXPECT_LT(watch.milliseconds(), 5000);
}

TEST_F(Sandbox, attempt_using_up_the_processor) {
  SandboxLimits limits;
  limits.wall_seconds = 60;
  limits.cpu_seconds = 1;
  const SandboxResult result = run("while True: pass", limits);
  EXPECT_TRUE(result.timed_out);
  EXPECT_GE(result.exit_status, 128);
}

TEST_F(Sandbox, attempt_ignoring_the_processor_limit) {
  SandboxLimits limits;
  limits.wall_seconds = 60;
  limits.cpu_seconds = 1;
  const SandboxResult result =
      run("import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass", limits);
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.exit_status, 128 + SIGKILL);
}

TEST_F(Sandbox, attempt_leaving_a_process_behind) {
  const std::string mark = "loam-left-behind-" + std::to_string(::getpid());
  SandboxRequest request = program(
      "import os, sys, time\n"
      "if os.fork() == 0:\n"
      "    os.setsid()\n"
      "    if os.fork() == 0:\n"
      "        for fd in (0, 1, 2):\n"
      "            os.close(fd)\n"
      "        time.sleep(60)\n"
      "    os._exit(0)\n"
      "print('left')\n");
  request.command.push_back(mark);
  EXPECT_EQ(run(request).out, "left\n");
  for (int i = 0; i < 100 && processes_with(mark) > 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(processes_with(mark), 0);
}

TEST_F(Sandbox, dies_with_its_caller) {
  const std::string mark = "loam-orphan-" + std::to_string(::getpid());
  const pid_t caller = ::fork();
  ASSERT_GE(caller, 0);
  if (caller == 0) {
    SandboxLimits limits;
    limits.wall_seconds = 60;
    SandboxRequest request = program("import time\ntime.sleep(60)", limits);
    request.command.push_back(mark);
    ::_exit(run_sandboxed(request).ok() ? 0 : 1);
  }
  for (int i = 0; i < 500 && processes_with(mark) == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_GT(processes_with(mark), 0);
  ::kill(caller, SIGKILL);
  ::waitpid(caller, nullptr, 0);
  for (int i = 0; i < 250 && processes_with(mark) > 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(processes_with(mark), 0);
}

TEST_F(Sandbox, a_caller_that_ignores_signals_does_not_pass_that_on) {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  // Like other programs, Python sets SIGPIPE itself; `sh` keeps what it was given.
  SandboxRequest request;
  request.command = {"sh", "-c", "kill -PIPE $$; echo still here"};
  const SandboxResult result = run(request);
  std::signal(SIGPIPE, before);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.exit_status, 128 + SIGPIPE);
}

TEST_F(Sandbox, several_run_at_the_same_time) {
  std::vector<std::thread> threads;
  std::vector<std::string> outs(6);
  for (std::size_t i = 0; i < outs.size(); ++i) {
    threads.emplace_back([&outs, i] {
      const auto result = run_sandboxed(program("print(" + std::to_string(i) + " ** 2)"));
      outs[i] = result ? result->out : result.error().line();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < outs.size(); ++i) EXPECT_EQ(outs[i], std::to_string(i * i) + "\n");
}

// proves P-SANDBOX-05
TEST(SandboxLayers, a_missing_layer_has_a_next_step) {
  const SandboxLayers layers = sandbox_layers();
  if (layers.bubblewrap && layers.user_namespaces && layers.seccomp) {
    EXPECT_EQ(layers.missing, "");
  } else {
    EXPECT_NE(layers.missing.find("Try: "), std::string::npos) << layers.missing;
  }
}

}  // namespace
}  // namespace loam::guard
