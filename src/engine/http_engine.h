// A model behind OpenAI's protocol: the worker process of `loam serve` over a Unix socket, or any server that
// speaks it.
#pragma once

#include <memory>
#include <string>

#include "engine/engine.h"

namespace loam::engine {

struct HttpEngineOptions {
  std::string address;  ///< "unix:/run/loam/worker.sock", "http://127.0.0.1:8080"
  std::string model;    ///< as the server names it; empty: the one it has
  int connect_timeout_ms = 2000;
  int read_timeout_ms = 600000;  ///< between two pieces of an answer
};

/// One call at a time per object. A server that dies in the middle of an answer gives unavailable; what was
/// already given to the sink stays given.
class HttpEngine final : public Engine {
 public:
  /// Asks the server what it has. unavailable when nothing answers there.
  static Result<std::unique_ptr<HttpEngine>> open(HttpEngineOptions options);
  ~HttpEngine() override;

  const std::string& model_name() const override;
  int context_tokens() const override;
  Result<int> count_tokens(std::string_view text) override;
  Result<int> count_tokens(const std::vector<Message>& messages) override;
  Result<std::string> render(const std::vector<Message>& messages) override;
  Result<Draft> generate(const GenerateRequest& request, const TextSink& sink = {},
                         std::stop_token stop = {}) override;

 private:
  struct Impl;
  explicit HttpEngine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace loam::engine
