// What the sandbox is made of: its first program, its system call filter, and the words given to bubblewrap.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "guard/sandbox.h"

namespace loam::guard {

/// The static program of helper/sandbox_start.cpp, as bytes.
std::string_view sandbox_start_program();

/// The system call filter as the kernel's BPF program, for bwrap --seccomp. An allow-list: what is not on it
/// does not exist (ENOSYS), what is known to be dangerous is refused (EPERM), other architectures are killed.
/// unavailable without libseccomp at build time.
Result<std::string> system_call_filter();

/// The version of Landlock's interface that this kernel has; 0: none.
int landlock_version();

/// Where bubblewrap is, looked for in the system's folders only; empty: nowhere.
std::string find_bubblewrap();

/// Descriptors as the sandbox's parent lays them out.
inline constexpr int kStatusFd = 3, kInfoFd = 4, kFilterFd = 5, kStartFd = 6, kFirstFileFd = 7;

/// The whole command line, bubblewrap first. File i of the request comes as descriptor kFirstFileFd + i.
std::vector<std::string> sandbox_command(const std::string& bubblewrap, const SandboxRequest& request);

}  // namespace loam::guard
