// Memory of this process and of the machine.
#pragma once

#include <cstdint>

namespace loam::train {

/// Bytes that can still be taken: what the system calls available, and no more than the limit of the control
/// group that this process is in. 2^63 where neither can be told.
std::uint64_t available_memory();
/// Largest resident memory of this program since it started; 0 where it cannot be told.
std::uint64_t peak_memory();

}  // namespace loam::train
