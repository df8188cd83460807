// Runs a program that nobody trusts: without network, without the user's files, within limits. For generated
// code.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace loam::guard {

struct SandboxLimits {
  double wall_seconds = 10;
  int cpu_seconds = 8;
  std::int64_t memory_bytes = std::int64_t{1} << 30;
  std::int64_t file_bytes = std::int64_t{16} << 20;  ///< largest file, and the size of the scratch folder
  int processes = 32;
  std::size_t output_bytes = 64 * 1024;  ///< of each stream; what is beyond is dropped and said so
};

struct SandboxRequest {
  std::vector<std::string> command;  ///< {"python3", "-I", "main.py"}: found in the read-only system folders
  std::vector<std::pair<std::string, std::string>>
      files;  ///< name (no '/'), content: put into the scratch folder
  std::string input;
  SandboxLimits limits;
};

struct SandboxResult {
  int exit_status = 0;  ///< 128 + signal when it was killed
  bool timed_out = false;
  bool out_of_memory = false;
  std::string out, err;
  bool out_cut = false, err_cut = false;
  double seconds = 0;
};

/// bubblewrap with every namespace unshared, an empty environment, no capabilities, the system read-only, a
/// size-limited tmpfs as home; rlimits and a seccomp filter; killed as a whole. If a layer is missing this is
/// unavailable, not weaker.
Result<SandboxResult> run_sandboxed(const SandboxRequest& request);
/// Which layers this machine has; for `loam doctor`.
struct SandboxLayers {
  bool bubblewrap = false, user_namespaces = false, seccomp = false, landlock = false;
  std::string missing;
};
SandboxLayers sandbox_layers();

}  // namespace loam::guard
