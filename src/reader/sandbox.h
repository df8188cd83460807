// How the worker locks itself in before it sees the first byte of a file.
#pragma once

#include "base/result.h"
#include "reader/reader.h"

namespace loam::reader {

/// Sets resource limits (address space, no files written, few descriptors, no core), gives up new privileges
/// and installs a system call filter: memory, time, reading, and writing to `reply_fd` go on; opening files,
/// the network, new processes and signals to others fail with EPERM. Not to be undone. Without libseccomp at
/// build time, or under a sanitizer's needs, what is there is applied. CPU time is set by the parent, per
/// file.
Result<void> lock_in(const ReadLimits& limits, int request_fd, int reply_fd);

}  // namespace loam::reader
