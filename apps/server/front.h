// The process that people and programs talk to: HTTP, keys, collections as models. It holds no language
// model; plain requests go to the worker as they came, questions to a collection are answered here by the
// same code as `loam ask`.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "answer/answer.h"
#include "base/log.h"
#include "base/result.h"
#include "engine/engine.h"

namespace loam::server {

/// What the front needs of the documents. Any thread.
class Library {
 public:
  virtual ~Library() = default;
  /// Names of the collections that can be asked.
  virtual Result<std::vector<std::string>> collections() = 0;
  /// The very answer of `loam ask`, ledger row included. bad_request when there is no such collection.
  virtual Result<answer::Answer> ask(const std::string& collection, const std::string& question,
                                     const std::vector<engine::Message>& memory,
                                     const engine::TextSink& on_draft, std::stop_token stop) = 0;
};

struct FrontOptions {
  std::string host = "127.0.0.1";
  int port = 8642;                 ///< 0: any that is free
  std::string worker_socket;       ///< path
  std::vector<std::string> keys;   ///< API keys; none: only allowed on a loopback address
  std::vector<std::string> hosts;  ///< names of this server that a Host header may carry, beside loopback's
  int threads = 256;               ///< connections served at once
  std::string version;
};

/// True for 127.0.0.0/8, ::1 and localhost.
bool is_loopback(std::string_view host);
/// Do both have the same bytes? Takes the same time wherever they differ.
bool same_secret(std::string_view a, std::string_view b);
/// Is this Host header (with or without port) one of ours? What a page of another origin can make a browser
/// send is not: DNS rebinding.
bool is_host_allowed(std::string_view header, const std::vector<std::string>& allowed);

class Front {
 public:
  /// `library` and `is_worker_ready` must outlive the front.
  Front(Library& library, std::function<bool()> is_worker_ready, FrontOptions options,
        Logger& logger = silent_logger());
  ~Front();
  Front(const Front&) = delete;
  Front& operator=(const Front&) = delete;

  /// bad_request for an address beyond loopback without a key; unavailable when the port is taken.
  Result<void> open();
  int port() const;
  /// Serves until stop(); what is being answered then is finished.
  void run();
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace loam::server
