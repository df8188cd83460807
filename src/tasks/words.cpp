#include "tasks/words.h"

#include <fmt/format.h>

#include <cmath>

#include "reader/text.h"

namespace loam::tasks {

std::string percent(double share) { return fmt::format("{:.1f}%", 100.0 * share); }

std::string points(double difference) { return fmt::format("{:.1f} points", 100.0 * std::abs(difference)); }

std::string chance(double p) { return p < 0.001 ? "p < 0.001" : fmt::format("p = {:.2g}", p); }

std::string thousands(std::size_t count) { return reader::with_thousands(count); }

}  // namespace loam::tasks
