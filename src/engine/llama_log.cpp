#include "engine/llama_log.h"

#include <log.h>  // llama-common's own logger: it would print to stderr from a thread of its own

#include <mutex>
#include <string_view>

#include "llama.h"

namespace loam::engine {
namespace {

thread_local LlamaLogScope* current_scope = nullptr;

LogLevel level_of(ggml_log_level level) {
  switch (level) {
    case GGML_LOG_LEVEL_ERROR:
      return LogLevel::error;
    case GGML_LOG_LEVEL_WARN:
      return LogLevel::warning;
    default:
      return LogLevel::debug;
  }
}

/// "llama_model_load: error loading model: x" to "error loading model: x".
std::string_view without_function_name(std::string_view line) {
  const std::size_t colon = line.find(": ");
  if (colon == std::string_view::npos || line.substr(0, colon).find(' ') != std::string_view::npos) {
    return line;
  }
  return line.substr(colon + 2);
}

}  // namespace

struct LlamaLogSink {
  static void write(ggml_log_level level, const char* text, void* /*user_data*/) {
    LlamaLogScope* scope = current_scope;
    if (scope == nullptr || text == nullptr) {
      return;
    }
    if (level != GGML_LOG_LEVEL_CONT) {
      scope->pending_level_ = level_of(level);
    }
    for (const char* c = text; *c != '\0'; ++c) {
      if (*c == '\n') {
        flush(*scope);
      } else {
        scope->pending_.push_back(*c);
      }
    }
  }

  static void flush(LlamaLogScope& scope) {
    if (scope.pending_.empty()) {
      return;
    }
    if (scope.pending_level_ == LogLevel::error) {
      scope.last_error_ = without_function_name(scope.pending_);
    }
    scope.logger_.write(LogLevel::debug, "llama.cpp: " + scope.pending_);
    scope.pending_.clear();
  }
};

LlamaLogScope::LlamaLogScope(Logger& logger) : logger_(logger), outer_(current_scope) {
  static std::once_flag once;
  std::call_once(once, [] {
    llama_log_set(&LlamaLogSink::write, nullptr);
    common_log_set_verbosity_thold(-1);
    llama_backend_init();
  });
  current_scope = this;
}

LlamaLogScope::~LlamaLogScope() {
  LlamaLogSink::flush(*this);
  current_scope = outer_;
}

std::string LlamaLogScope::last_error(const std::string& otherwise) const {
  if (!last_error_.empty()) {
    return last_error_;
  }
  return otherwise;
}

}  // namespace loam::engine
