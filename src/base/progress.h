// How long-running work tells how far it is. Libraries report; only apps/ draws.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace loam {

struct Progress {
  std::string what;  ///< "embedding", "downloading all-MiniLM-L6-v2"
  std::uint64_t done = 0;
  std::uint64_t total = 0;  ///< 0 when not known
};

/// Called often and cheaply, from the thread that does the work. May be empty.
using ProgressSink = std::function<void(const Progress&)>;

}  // namespace loam
