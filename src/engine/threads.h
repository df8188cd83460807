// How many threads a model should use on a machine that others use too.
#pragma once

#include <optional>
#include <string_view>

namespace loam::engine {

/// Tasks that run or wait for a processor, from a line of /proc/loadavg ("0.20 0.18 0.12 3/80 11206" holds
/// 3).
std::optional<int> runnable_tasks(std::string_view loadavg);

/// Threads for `cores` cores while `others` other tasks want them: the cores that are left, at least one.
/// Threads of one model wait for each other many times per token, so one that has to share its core holds up
/// all of them. With twelve compilers running on two cores, an answer of 63 tokens took 4.5 minutes with two
/// threads and seconds with one.
int threads_beside(int cores, int others);

/// `requested`, or as many threads as this machine has cores to spare at the moment (the lowest of a few
/// looks within about 3 ms; where /proc does not tell, one per core).
int free_threads(int requested);

}  // namespace loam::engine
