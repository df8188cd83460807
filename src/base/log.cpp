#include "base/log.h"

namespace loam {
namespace {
class SilentLogger final : public Logger {
 public:
  void write(LogLevel, std::string_view) override {}
};
}  // namespace

Logger& silent_logger() {
  static SilentLogger logger;
  return logger;
}

}  // namespace loam
