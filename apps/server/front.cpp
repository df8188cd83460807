#include "server/front.h"

#include <cpp-httplib/httplib.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>

#include "answer/answer_json.h"
#include "base/clock.h"
#include "base/json.h"
#include "server/chat_api.h"

namespace loam::server {
namespace {

constexpr std::size_t kMostBody = std::size_t{64} << 20;
constexpr std::string_view kCollectionPrefix = "docs:";
constexpr int kWorkerSeconds = 600;  // between two pieces of an answer

void answer_error(httplib::Response& response, const ApiError& error) {
  response.status = error.status;
  if (error.retry_after_s > 0) response.set_header("Retry-After", std::to_string(error.retry_after_s));
  response.set_content(error_body(error), "application/json");
}

void answer_json(httplib::Response& response, const Json& json) {
  response.set_content(dump_json(json), "application/json");
}

std::unique_ptr<httplib::Client> worker_client(const std::string& socket) {
  auto client = std::make_unique<httplib::Client>(socket);
  client->set_address_family(AF_UNIX);
  client->set_connection_timeout(2);
  client->set_read_timeout(kWorkerSeconds);
  return client;
}

/// Gives `take` all that comes until it says no. False: it said no, or the connection broke.
template <typename Take>
bool read_all(httplib::ClientImpl::StreamHandle& handle, const Take& take) {
  std::array<char, 8192> bytes{};
  for (;;) {
    const ssize_t got = handle.read(bytes.data(), bytes.size());
    if (got < 0 || handle.has_read_error()) return false;
    if (got == 0) return true;
    if (!take(bytes.data(), static_cast<std::size_t>(got))) return false;
  }
}

const ApiError kNoWorker{503, "the model is not ready; it is being started again", "", "worker_unavailable",
                         1};

/// "[1]" behind each sentence that has citations.
std::string text_with_marks(const answer::Answer& answer) {
  if (answer.abstained || !answer.text) return "This is not in the documents.";
  std::string text;
  for (const answer::AnswerSentence& sentence : answer.sentences) {
    if (!text.empty()) text += ' ';
    text += sentence.text;
    for (const int id : sentence.citations) text += fmt::format(" [{}]", id);
  }
  return text.empty() ? *answer.text : text;
}

/// What an answer from documents carries beside its text.
Json evidence_of(const answer::Answer& answer) {
  Json whole = answer::to_json(answer);
  Json citations = whole.contains("citations") ? whole["citations"] : Json::array();
  return {{"citations", std::move(citations)}, {"loam", std::move(whole)}};
}

}  // namespace

bool is_loopback(std::string_view host) {
  const bool is_number = host.find_first_not_of("0123456789.") == std::string_view::npos;
  return host == "localhost" || host == "::1" || host == "[::1]" || (is_number && host.starts_with("127."));
}

bool same_secret(std::string_view a, std::string_view b) {
  // The length may be learnt by timing; what is in it may not.
  unsigned difference = a.size() == b.size() ? 0U : 1U;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const char other = b.empty() ? '\0' : b[i % b.size()];
    difference |= static_cast<unsigned>(static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(other));
  }
  return difference == 0;
}

bool is_host_allowed(std::string_view header, const std::vector<std::string>& allowed) {
  std::string name(header);
  const std::size_t bracket = name.rfind(']');
  const std::size_t colon = name.rfind(':');
  if (colon != std::string::npos && (bracket == std::string::npos || colon > bracket)) name.resize(colon);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (name == "localhost" || name == "127.0.0.1" || name == "[::1]") return true;
  return std::find(allowed.begin(), allowed.end(), name) != allowed.end();
}

struct Front::State {
  Library& library;
  std::function<bool()> is_worker_ready;
  FrontOptions options;
  Logger& logger;
  httplib::Server server;
  int port = 0;
  std::atomic<std::uint64_t> answers{0};
  std::atomic<std::uint64_t> requests{0}, refused{0}, failed{0}, abstained{0};
  std::int64_t started = system_clock().unix_seconds();
  std::stop_source stopping;

  State(Library& l, std::function<bool()> ready, FrontOptions o, Logger& log)
      : library(l), is_worker_ready(std::move(ready)), options(std::move(o)), logger(log) {}

  using Handled = httplib::Server::HandlerResponse;

  Handled let_in(const httplib::Request& request, httplib::Response& response) {
    ++requests;
    if (!is_host_allowed(request.get_header_value("Host"), options.hosts)) {
      answer_error(response, {421, "this server is not known by that name; name it with --allow-host", "Host",
                              "host_not_allowed", 0});
      return Handled::Handled;
    }
    if (options.keys.empty() || request.path == "/health" || request.path == "/ready")
      return Handled::Unhandled;
    std::string key = request.get_header_value("x-api-key");
    const std::string bearer = request.get_header_value("Authorization");
    if (key.empty() && bearer.starts_with("Bearer ")) key = bearer.substr(7);
    const bool known = std::count_if(options.keys.begin(), options.keys.end(),
                                     [&](const std::string& one) { return same_secret(key, one); }) > 0;
    if (known) return Handled::Unhandled;
    response.set_header("WWW-Authenticate", "Bearer");
    answer_error(response,
                 {401, key.empty() ? "no key was sent" : "the key is not known", "", "invalid_api_key", 0});
    return Handled::Handled;
  }

  /// The name of the worker's model; empty when there is none now.
  std::string model_name() {
    const auto answer = worker_client(options.worker_socket)->Get("/loam/info");
    if (!answer || answer->status != 200) return "";
    auto json = parse_json(answer->body, "the worker");
    if (!json || !json->is_object() || !json->contains("model") || !(*json)["model"].is_string()) return "";
    return (*json)["model"].get<std::string>();
  }

  void models(httplib::Response& response) {
    Json data = Json::array();
    const auto add = [&](const std::string& id, const char* owner) {
      data.push_back({{"id", id}, {"object", "model"}, {"created", started}, {"owned_by", owner}});
    };
    if (const std::string name = model_name(); !name.empty()) add(name, "loam");
    auto names = library.collections();
    if (!names) return answer_error(response, api_error(names.error()));
    for (const std::string& name : *names) add(std::string(kCollectionPrefix) + name, "documents");
    answer_json(response, {{"object", "list"}, {"data", std::move(data)}});
  }

  /// Sends a request on to the worker, byte for byte, and its answer back, as it comes.
  void pass_on(const httplib::Request& request, httplib::Response& response) {
    if (!is_worker_ready()) return answer_error(response, kNoWorker);
    auto client = std::shared_ptr<httplib::Client>(worker_client(options.worker_socket));
    auto handle = std::make_shared<httplib::ClientImpl::StreamHandle>(
        client->open_stream("POST", request.path, {}, {}, request.body, "application/json"));
    if (!handle->is_valid()) return answer_error(response, kNoWorker);
    response.status = handle->response->status;
    for (const char* name : {"Retry-After", "Cache-Control"}) {
      if (handle->response->has_header(name))
        response.set_header(name, handle->response->get_header_value(name));
    }
    const std::string type = handle->response->get_header_value("Content-Type");
    if (!type.starts_with("text/event-stream")) {
      std::string body;
      const bool whole = read_all(*handle, [&](const char* bytes, std::size_t size) {
        body.append(bytes, size);
        return body.size() <= kMostBody;
      });
      if (!whole) {
        ++failed;
        return answer_error(response, kNoWorker);
      }
      response.set_content(std::move(body), type);
      return;
    }
    response.set_chunked_content_provider(type, [this, client, handle](std::size_t, httplib::DataSink& sink) {
      bool listens = true;
      const bool whole = read_all(
          *handle, [&](const char* bytes, std::size_t size) { return listens = sink.write(bytes, size); });
      if (!listens) return false;
      if (!whole) {  // the stream says so in its own language
        ++failed;
        logger.error("the worker broke off an answer");
        const std::string event = error_event(kNoWorker);
        sink.write(event.data(), event.size());
        return false;
      }
      sink.done();
      return true;
    });
  }

  void chat(const httplib::Request& request, httplib::Response& response) {
    ChatParse parsed = parse_chat(request.body);
    if (!parsed.request) {
      ++refused;
      return answer_error(response, parsed.error);
    }
    if (parsed.request->model.starts_with(kCollectionPrefix)) {
      return documents(std::move(*parsed.request), response);
    }
    const std::string model = model_name();
    if (model.empty()) return answer_error(response, kNoWorker);
    if (parsed.request->model != model) {
      ++refused;
      return answer_error(
          response,
          {404, fmt::format("there is no model \"{}\"; GET /v1/models lists them", parsed.request->model),
           "model", "model_not_found", 0});
    }
    pass_on(request, response);
  }

  void documents(ChatRequest chat, httplib::Response& response) {
    const std::string collection = chat.model.substr(kCollectionPrefix.size());
    auto names = library.collections();
    if (!names) return answer_error(response, api_error(names.error()));
    if (std::find(names->begin(), names->end(), collection) == names->end()) {
      ++refused;
      return answer_error(response, {404, fmt::format("there is no collection \"{}\"", collection), "model",
                                     "model_not_found", 0});
    }
    auto& messages = chat.generate.messages;
    if (messages.back().role != engine::Role::user) {
      ++refused;
      return answer_error(response,
                          {400, "messages: the last one must be the user's question", "messages", "", 0});
    }
    if (chat.choices > 1) {
      ++refused;
      return answer_error(response, {400, "n: an answer from documents is always the same", "n", "", 0});
    }
    if (!is_worker_ready()) return answer_error(response, kNoWorker);
    const std::string question = messages.back().content;
    std::vector<engine::Message> memory;
    for (std::size_t i = 0; i + 1 < messages.size(); ++i) {
      if (messages[i].role != engine::Role::system) memory.push_back(messages[i]);
    }
    const ChatStamp stamp{fmt::format("chatcmpl-docs-{}", ++answers), system_clock().unix_seconds(),
                          chat.model};
    if (!chat.stream) {
      auto answer = library.ask(collection, question, memory, {}, stopping.get_token());
      if (!answer) return answer_error(response, api_error(answer.error()));
      if (answer->abstained) ++abstained;
      engine::Draft draft;
      draft.text = text_with_marks(*answer);
      draft.usage = answer->usage;
      return answer_json(response, chat_answer(stamp, {draft}, false, evidence_of(*answer)));
    }
    response.set_header("Cache-Control", "no-cache");
    response.set_chunked_content_provider(
        "text/event-stream", [this, collection, question, memory, stamp, usage = chat.usage_in_stream](
                                 std::size_t, httplib::DataSink& sink) {
          const auto write = [&](std::string_view text) { return sink.write(text.data(), text.size()); };
          if (!write(first_event(stamp, 0))) return false;
          // The draft is not shown while it is unchecked; a comment keeps the connection awake, and tells
          // whether somebody still listens.
          std::uint64_t pieces = 0;
          auto answer = library.ask(
              collection, question, memory,
              [&](std::string_view) { return ++pieces % 16 != 0 || write(": drafting\n\n"); },
              stopping.get_token());
          if (!answer) {
            write(error_event(api_error(answer.error())));
            return false;
          }
          if (answer->abstained) ++abstained;
          bool listens = write(text_event(stamp, 0, text_with_marks(*answer))) &&
                         write(last_event(stamp, 0, engine::FinishReason::stop, evidence_of(*answer)));
          if (listens && usage) listens = write(usage_event(stamp, answer->usage));
          if (!listens || !write(kDoneEvent)) return false;
          sink.done();
          return true;
        });
  }

  void metrics(httplib::Response& response) {
    std::string out;
    const auto add = [&](const char* name, const char* type, const char* help, std::uint64_t value) {
      out += fmt::format("# HELP loam_{0} {1}\n# TYPE loam_{0} {2}\nloam_{0} {3}\n", name, help, type, value);
    };
    add("requests_total", "counter", "HTTP requests", requests);
    add("refused_total", "counter", "requests that were refused as wrong", refused);
    add("broken_answers_total", "counter", "answers that the worker broke off", failed);
    add("document_answers_total", "counter", "answers from collections", answers);
    add("abstained_total", "counter", "of these, answers that said the documents do not hold it", abstained);
    add("worker_ready", "gauge", "1 when the model answers", is_worker_ready() ? 1 : 0);
    response.set_content(out, "text/plain; version=0.0.4");
  }
};

Front::Front(Library& library, std::function<bool()> is_worker_ready, FrontOptions options, Logger& logger)
    : state_(std::make_unique<State>(library, std::move(is_worker_ready), std::move(options), logger)) {}
Front::~Front() = default;

Result<void> Front::open() {
  State& s = *state_;
  if (!is_loopback(s.options.host) && s.options.keys.empty()) {
    return Error{Kind::bad_request, "--host " + s.options.host, "beyond this machine a key is needed",
                 "loam serve --host " + s.options.host + " --key-file FILE"};
  }
  httplib::Server& server = s.server;
  server.set_payload_max_length(kMostBody);
  server.set_tcp_nodelay(true);
  const auto threads = static_cast<std::size_t>(std::max(8, s.options.threads));
  server.new_task_queue = [threads] { return new httplib::ThreadPool(8, threads); };
  server.set_read_timeout(30);
  server.set_write_timeout(30);
  server.set_default_headers({{"X-Content-Type-Options", "nosniff"}, {"Referrer-Policy", "no-referrer"}});
  server.set_pre_routing_handler([&s](const httplib::Request& request, httplib::Response& response) {
    return s.let_in(request, response);
  });
  server.set_exception_handler(
      [&s](const httplib::Request& request, httplib::Response& response, std::exception_ptr error) {
        std::string what = "unknown";
        try {
          std::rethrow_exception(error);
        } catch (const std::exception& known) {
          what = known.what();
        } catch (...) {
        }
        s.logger.error(fmt::format("{}: {}", request.path, what));
        answer_error(response, {500, "the server failed; its log says more", "", "", 0});
      });
  server.set_error_handler([](const httplib::Request& request, httplib::Response& response) {
    if (!response.body.empty()) return httplib::Server::HandlerResponse::Unhandled;
    ApiError error{response.status, std::string(httplib::status_message(response.status)), "", "", 0};
    if (response.status == 404)
      error.message = fmt::format("there is nothing at {} {}", request.method, request.path);
    answer_error(response, error);
    return httplib::Server::HandlerResponse::Handled;
  });
  server.Get("/health", [&s](const httplib::Request&, httplib::Response& response) {
    answer_json(response, {{"status", "ok"},
                           {"version", s.options.version},
                           {"worker", s.is_worker_ready() ? "ready" : "starting"}});
  });
  server.Get("/ready", [&s](const httplib::Request&, httplib::Response& response) {
    if (!s.is_worker_ready()) return answer_error(response, kNoWorker);
    answer_json(response, {{"status", "ready"}});
  });
  server.Get("/metrics", [&s](const httplib::Request&, httplib::Response& response) { s.metrics(response); });
  server.Get("/v1/models",
             [&s](const httplib::Request&, httplib::Response& response) { s.models(response); });
  server.Post("/v1/chat/completions", [&s](const httplib::Request& request, httplib::Response& response) {
    s.chat(request, response);
  });
  server.Post("/v1/embeddings", [&s](const httplib::Request& request, httplib::Response& response) {
    s.pass_on(request, response);
  });
  s.port = s.options.port == 0 ? server.bind_to_any_port(s.options.host)
                               : (server.bind_to_port(s.options.host, s.options.port) ? s.options.port : -1);
  if (s.port <= 0) {
    return Error{Kind::unavailable, fmt::format("{}:{}", s.options.host, s.options.port),
                 "the address cannot be bound; another program may use it",
                 "loam serve --port 0 takes a free one"};
  }
  return done();
}

int Front::port() const { return state_->port; }
void Front::run() { state_->server.listen_after_bind(); }
void Front::stop() { state_->server.stop(); }

}  // namespace loam::server
