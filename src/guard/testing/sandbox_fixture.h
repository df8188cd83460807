// A sandbox to attack: what every test of it shares.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "guard/sandbox.h"
#include "guard/sandbox_start.h"

namespace loam::guard::testing {
namespace fs = std::filesystem;

inline long number_in(const char* path, long otherwise) {
  std::ifstream in(path);
  long number = otherwise;
  return in >> number ? number : otherwise;
}

/// What the machine says of itself, before anything is tried.
inline bool machine_claims_support() {
  return !find_bubblewrap().empty() && number_in("/proc/sys/user/max_user_namespaces", 0) > 0 &&
         number_in("/proc/sys/kernel/unprivileged_userns_clone", 1) != 0 && system_call_filter().ok();
}

class Sandbox : public ::testing::Test {
 protected:
  void SetUp() override {
    if (machine_claims_support()) {
      const SandboxLayers layers = sandbox_layers();
      ASSERT_EQ(layers.missing, "") << "This machine claims to support the sandbox and does not. Next step: "
                                    << layers.missing;
      return;
    }
    SandboxRequest request;
    request.command = {"true"};
    const auto refused = run_sandboxed(request);
    ASSERT_FALSE(refused.ok()) << "a layer is missing, and something was run nevertheless";
    EXPECT_EQ(refused.error().kind, Kind::unavailable);
    EXPECT_FALSE(refused.error().next_step.empty());
    GTEST_SKIP() << "this machine has no sandbox, and says so: " << refused.error().line();
  }

  static SandboxRequest program(const std::string& python, SandboxLimits limits = {}) {
    SandboxRequest request;
    request.command = {"python3", "-I", "-S", "main.py"};
    request.files = {{"main.py", python}};
    request.limits = limits;
    return request;
  }

  static SandboxResult run(const SandboxRequest& request) {
    auto result = run_sandboxed(request);
    EXPECT_TRUE(result.ok()) << (result ? "" : result.error().line());
    return result ? *std::move(result) : SandboxResult{};
  }

  static SandboxResult run(const std::string& python, SandboxLimits limits = {}) {
    return run(program(python, limits));
  }

  /// Runs Python that prints "contained" when the attempt failed as it should.
  static void expect_contained(const std::string& python, SandboxLimits limits = {}) {
    const SandboxResult result = run(python, limits);
    EXPECT_EQ(result.out, "contained\n") << "status " << result.exit_status << "\n" << result.err;
    EXPECT_EQ(result.exit_status, 0) << result.err;
  }

  /// A call of the C library's syscall(): prints "contained" when errno is one of those of a refusal.
  static std::string raw_call(const std::string& arguments) {
    return "import ctypes, errno\n"
           "libc = ctypes.CDLL(None, use_errno=True)\n"
           "answer = libc.syscall(" +
           arguments +
           ")\n"
           "why = ctypes.get_errno()\n"
           "print('contained' if answer == -1 and why in (errno.EPERM, errno.ENOSYS) else (answer, why))\n";
  }
};

/// A file of the host that the sandbox must not see, readable for everybody.
struct HostFile {
  fs::path path;
  explicit HostFile(const std::string& content) {
    path = fs::temp_directory_path() / ("loam-sandbox-test-" + std::to_string(::getpid()));
    std::ofstream(path) << content;
    fs::permissions(path, fs::perms::all);
  }
  ~HostFile() {
    std::error_code ignored;
    fs::remove(path, ignored);
  }
  HostFile(const HostFile&) = delete;
  HostFile& operator=(const HostFile&) = delete;
};

/// Processes of the host whose command line holds a word.
inline int processes_with(const std::string& word) {
  int count = 0;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator("/proc", failure)) {
    std::ifstream in(entry.path() / "cmdline");
    std::ostringstream line;
    line << in.rdbuf();
    if (line.str().find(word) != std::string::npos) ++count;
  }
  return count;
}

}  // namespace loam::guard::testing
