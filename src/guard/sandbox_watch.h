// What the processes of one sandbox use together, seen from outside.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace loam::guard {

struct SandboxUse {
  std::int64_t memory_bytes = 0;  ///< anonymous and shared memory of all processes; files of /box not counted
  int processes = 0;
  std::int64_t files = 0;  ///< in /box; 0 where the kernel does not let us look
};

/// `first` is the sandbox's first process (its process 1), as the host numbers it. Empty when it is gone.
std::optional<SandboxUse> look_into_sandbox(pid_t first);

}  // namespace loam::guard
