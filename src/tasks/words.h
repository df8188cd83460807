// Figures in words, the same wherever a task explains itself.
#pragma once

#include <cstddef>
#include <string>

namespace loam::tasks {

std::string percent(double share);         ///< "91.6%"
std::string points(double difference);     ///< "2.2 points": of a share, without its sign
std::string chance(double p);              ///< "p = 0.01", "p < 0.001"
std::string thousands(std::size_t count);  ///< "3,080"

}  // namespace loam::tasks
