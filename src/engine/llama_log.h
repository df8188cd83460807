// llama.cpp's log lines, led to the logger of whoever called into it. For this room only.
#pragma once

#include <string>

#include "base/log.h"

namespace loam::engine {

/// While one lives, log lines that llama.cpp writes on this thread go to `logger` (at debug level: they are
/// about its inner life), and the last error line is kept, so that a failure can say why. Scopes nest. The
/// first one installs llama.cpp's global callback, once per process; lines written outside any scope are
/// dropped.
class LlamaLogScope {
 public:
  explicit LlamaLogScope(Logger& logger);
  ~LlamaLogScope();
  LlamaLogScope(const LlamaLogScope&) = delete;
  LlamaLogScope& operator=(const LlamaLogScope&) = delete;

  /// The last error line since this scope began, without the function name in front; or `otherwise`.
  std::string last_error(const std::string& otherwise) const;

 private:
  friend struct LlamaLogSink;
  Logger& logger_;
  LlamaLogScope* outer_;
  std::string pending_;  ///< a line still without its end
  std::string last_error_;
  LogLevel pending_level_ = LogLevel::debug;
};

}  // namespace loam::engine
