// The logger that rooms are handed. Rooms never print; apps/ decides where lines go.
#pragma once

#include <string_view>

namespace loam {

enum class LogLevel { debug, info, warning, error };

/// Any thread may write. Lines carry no newline and no secrets or document text above debug level.
class Logger {
 public:
  virtual ~Logger() = default;
  virtual void write(LogLevel level, std::string_view line) = 0;

  void debug(std::string_view line) { write(LogLevel::debug, line); }
  void info(std::string_view line) { write(LogLevel::info, line); }
  void warning(std::string_view line) { write(LogLevel::warning, line); }
  void error(std::string_view line) { write(LogLevel::error, line); }
};

/// Drops every line. Lives for ever; any thread.
Logger& silent_logger();

}  // namespace loam
