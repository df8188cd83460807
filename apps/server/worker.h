// The process that holds the models: OpenAI's protocol over a Unix socket, for the front alone. Whatever ends
// it costs its own requests, and the front starts another.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/log.h"
#include "base/result.h"
#include "engine/engine.h"

namespace loam::server {

struct WorkerOptions {
  std::filesystem::path socket;  ///< is created, for this user only
  int waiting = 32;              ///< requests in the queue beside the one being served; more get 429
};

/// Routes: /v1/chat/completions, /v1/embeddings, and for the front's own engine /loam/info, /loam/count,
/// /loam/render.
class Worker {
 public:
  /// Both must outlive the worker. `embedder` may be null.
  Worker(engine::Engine& engine, engine::Embedder* embedder, WorkerOptions options,
         Logger& logger = silent_logger());
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Binds the socket; unavailable when that fails.
  Result<void> open();
  /// Serves until stop(). What is being written then is finished.
  void run();
  /// Any thread.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace loam::server
