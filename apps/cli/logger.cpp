#include "cli/logger.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace loam::cli {
namespace {

class SpdlogLogger final : public Logger {
 public:
  explicit SpdlogLogger(const Options& options) {
    auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>(
        options.color == "never" ? spdlog::color_mode::never : spdlog::color_mode::automatic);
    log_ = std::make_unique<spdlog::logger>("loam", std::move(sink));
    log_->set_pattern(options.verbose ? "%H:%M:%S.%e %^%l%$ %v" : "loam: %^%l%$: %v");
    log_->set_level(options.verbose ? spdlog::level::debug
                    : options.quiet ? spdlog::level::err
                                    : spdlog::level::warn);
  }

  void write(LogLevel level, std::string_view line) override {
    const spdlog::level::level_enum at = level == LogLevel::debug     ? spdlog::level::debug
                                         : level == LogLevel::info    ? spdlog::level::info
                                         : level == LogLevel::warning ? spdlog::level::warn
                                                                      : spdlog::level::err;
    if (!log_->should_log(at)) return;
    log_->log(at, printable(one_line(line)));
  }

 private:
  std::unique_ptr<spdlog::logger> log_;
};
}  // namespace

std::unique_ptr<Logger> make_logger(const Options& options) {
  return std::make_unique<SpdlogLogger>(options);
}

}  // namespace loam::cli
