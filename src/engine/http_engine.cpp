#include "engine/http_engine.h"

#include <cpp-httplib/httplib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"

namespace loam::engine {
namespace {

constexpr std::size_t kMostLine = std::size_t{16} << 20;  // of one event

std::unique_ptr<httplib::Client> client_of(const HttpEngineOptions& options) {
  const bool is_socket = options.address.starts_with("unix:");
  auto client = std::make_unique<httplib::Client>(is_socket ? options.address.substr(5) : options.address);
  if (is_socket) client->set_address_family(AF_UNIX);
  client->set_connection_timeout(options.connect_timeout_ms / 1000, options.connect_timeout_ms % 1000 * 1000);
  client->set_read_timeout(options.read_timeout_ms / 1000, options.read_timeout_ms % 1000 * 1000);
  client->set_keep_alive(true);
  return client;
}

/// What a server says when it refuses, as an error of ours.
Error refusal(int status, const std::string& body, const std::string& place) {
  std::string message = "the server answered with status " + std::to_string(status);
  std::string code;
  if (auto json = parse_json(body, "an answer"); json && json->is_object() && json->contains("error")) {
    const Json& error = (*json)["error"];
    if (error.is_object() && error.contains("message") && error["message"].is_string())
      message = error["message"].get<std::string>();
    if (error.is_object() && error.contains("code") && error["code"].is_string())
      code = error["code"].get<std::string>();
  }
  if (code == "context_length_exceeded") return {Kind::out_of_room, place, message, ""};
  if (status == 429 || status >= 500) return {Kind::unavailable, place, message, "try again in a moment"};
  return {Kind::bad_request, place, message, ""};
}

Error broken(const std::string& place, httplib::Error error) {
  return {Kind::unavailable, place, "the connection broke: " + httplib::to_string(error),
          "try again in a moment"};
}

Error not_understood(const std::string& place) {
  return {Kind::bad_data, place, "the server's answer is not what OpenAI's protocol has", ""};
}

std::string_view role_name(Role role) {
  switch (role) {
    case Role::system:
      return "system";
    case Role::user:
      return "user";
    case Role::assistant:
      break;
  }
  return "assistant";
}

Json messages_json(const std::vector<Message>& messages) {
  Json list = Json::array();
  for (const Message& one : messages)
    list.push_back({{"role", role_name(one.role)}, {"content", one.content}});
  return list;
}

/// One connection, and how to talk over it.
struct Line {
  HttpEngineOptions options;
  std::unique_ptr<httplib::Client> client;

  explicit Line(HttpEngineOptions given) : options(std::move(given)), client(client_of(options)) {}
  const std::string& place() const { return options.address; }

  Result<Json> answered(const httplib::Result& result) const {
    if (!result) return broken(place(), result.error());
    if (result->status != 200) return refusal(result->status, result->body, place());
    auto json = parse_json(result->body, place());
    if (!json) return json.error();
    if (!json->is_object()) return not_understood(place());
    return json;
  }
  Result<Json> get(const std::string& path) const { return answered(client->Get(path)); }
  Result<Json> post(const std::string& path, const Json& body) const {
    return answered(client->Post(path, dump_json(body), "application/json"));
  }
  Result<int> number_of(const std::string& path, const Json& body, const char* name) const {
    auto json = post(path, body);
    if (!json) return json.error();
    const auto found = json->find(name);
    if (found == json->end() || !found->is_number_integer()) return not_understood(place());
    return found->get<int>();
  }
};

template <typename T>
T value_or(const Json& json, const char* name, T otherwise) {
  const auto found = json.find(name);
  if (found == json.end()) return otherwise;
  if constexpr (std::is_same_v<T, std::string>) {
    return found->is_string() ? found->get<std::string>() : otherwise;
  } else {
    return found->is_number() ? found->get<T>() : otherwise;
  }
}

/// Cuts a stream into the "data:" lines of its events.
class EventLines {
 public:
  /// False: a line grew beyond all reason.
  template <typename Each>
  bool feed(std::string_view bytes, const Each& each) {
    pending_ += bytes;
    std::size_t at = 0;
    for (std::size_t end = pending_.find('\n'); end != std::string::npos; end = pending_.find('\n', at)) {
      std::string_view line = std::string_view(pending_).substr(at, end - at);
      at = end + 1;
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (!line.starts_with("data:")) continue;
      line.remove_prefix(5);
      if (line.starts_with(' ')) line.remove_prefix(1);
      if (!each(line)) return false;
    }
    pending_.erase(0, at);
    return pending_.size() <= kMostLine;
  }

 private:
  std::string pending_;
};

}  // namespace

struct HttpEngine::Impl {
  Line line;
  std::string model;
  int context = 0;

  explicit Impl(HttpEngineOptions options) : line(std::move(options)) {}

  Json body_of(const GenerateRequest& request) const {
    const Sampling& sampling = request.sampling;
    Json body = {{"model", line.options.model.empty() ? model : line.options.model},
                 {"messages", messages_json(request.messages)},
                 {"max_tokens", request.max_tokens},
                 {"temperature", sampling.temperature},
                 {"top_p", sampling.top_p},
                 {"top_k", sampling.top_k},
                 {"min_p", sampling.min_p},
                 {"repeat_penalty", sampling.repeat_penalty},
                 {"seed", sampling.seed}};
    if (!request.stop.empty()) body["stop"] = request.stop;
    if (!request.json_schema.empty()) {
      auto schema = parse_json(request.json_schema, "the schema");
      if (schema)
        body["response_format"] = {{"type", "json_schema"},
                                   {"json_schema", {{"name", "answer"}, {"schema", *schema}}}};
    }
    return body;
  }
};

HttpEngine::HttpEngine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpEngine::~HttpEngine() = default;

Result<std::unique_ptr<HttpEngine>> HttpEngine::open(HttpEngineOptions options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  auto info = impl->line.get("/loam/info");
  if (!info) return info.error();
  impl->model = value_or<std::string>(*info, "model", "");
  impl->context = value_or<int>(*info, "context_tokens", 0);
  if (impl->model.empty() || impl->context <= 0) return not_understood(impl->line.place());
  return std::unique_ptr<HttpEngine>(new HttpEngine(std::move(impl)));
}

const std::string& HttpEngine::model_name() const { return impl_->model; }
int HttpEngine::context_tokens() const { return impl_->context; }

Result<int> HttpEngine::count_tokens(std::string_view text) {
  return impl_->line.number_of("/loam/count", {{"text", text}}, "tokens");
}

Result<int> HttpEngine::count_tokens(const std::vector<Message>& messages) {
  return impl_->line.number_of("/loam/count", {{"messages", messages_json(messages)}}, "tokens");
}

Result<std::string> HttpEngine::render(const std::vector<Message>& messages) {
  auto json = impl_->line.post("/loam/render", {{"messages", messages_json(messages)}});
  if (!json) return json.error();
  return value_or<std::string>(*json, "text", "");
}

Result<Draft> HttpEngine::generate(const GenerateRequest& request, const TextSink& sink,
                                   std::stop_token stop) {
  const std::string& place = impl_->line.place();
  if (request.messages.empty() || !request.grammar.empty() || request.top_alternatives > 0) {
    return Error{Kind::bad_request, place, "raw prompts, grammars and alternatives are not sent to a server",
                 "use a local model"};
  }
  Json body = impl_->body_of(request);
  body["stream"] = true;
  body["stream_options"] = {{"include_usage", true}};
  Draft draft;
  std::string refused;  // the body of an answer that is no stream
  std::optional<Error> failure;
  bool finished = false, cancelled = false;
  int status = 0;
  const Stopwatch watch;
  EventLines events;
  const auto on_event = [&](std::string_view data) {
    if (data == "[DONE]") {
      finished = true;
      return true;
    }
    auto event = parse_json(data, place);
    if (!event || !event->is_object()) {
      failure = not_understood(place);
      return false;
    }
    if (event->contains("error")) {
      failure = refusal(500, std::string(data), place);
      return false;
    }
    if (const auto usage = event->find("usage"); usage != event->end() && usage->is_object()) {
      draft.usage.prompt_tokens = value_or<int>(*usage, "prompt_tokens", 0);
      draft.usage.answer_tokens = value_or<int>(*usage, "completion_tokens", 0);
    }
    const auto choices = event->find("choices");
    if (choices == event->end() || !choices->is_array() || choices->empty()) return true;
    const Json& choice = choices->front();
    if (!choice.is_object()) return true;
    if (value_or<std::string>(choice, "finish_reason", "") == "length") draft.finish = FinishReason::length;
    const auto delta = choice.find("delta");
    if (delta == choice.end() || !delta->is_object()) return true;
    const std::string piece = value_or<std::string>(*delta, "content", "");
    if (piece.empty()) return true;
    if (draft.text.empty()) draft.usage.first_token_ms = watch.milliseconds();
    draft.text += piece;
    cancelled = sink && !sink(piece);
    return !cancelled;
  };
  httplib::Request post;
  post.method = "POST";
  post.path = "/v1/chat/completions";
  post.body = dump_json(body);
  post.set_header("Content-Type", "application/json");
  post.response_handler = [&](const httplib::Response& response) {
    status = response.status;
    return true;
  };
  post.content_receiver = [&](const char* bytes, std::size_t size, std::size_t, std::size_t) {
    if (stop.stop_requested()) {
      cancelled = true;
      return false;
    }
    if (status != 200) {
      refused.append(bytes, std::min(size, kMostLine - std::min(kMostLine, refused.size())));
      return true;
    }
    return events.feed({bytes, size}, on_event);
  };
  const httplib::Result result = impl_->line.client->send(post);
  if (cancelled) {
    draft.finish = FinishReason::cancelled;
    return draft;
  }
  if (failure) return *failure;
  if (!result) return broken(place, result.error());
  if (status != 200) return refusal(status, refused, place);
  if (!finished) {
    return Error{Kind::unavailable, place, "the answer broke off before its end", "try again in a moment"};
  }
  draft.usage.prefill_ms = draft.usage.first_token_ms;
  draft.usage.decode_ms = watch.milliseconds() - draft.usage.first_token_ms;
  return draft;
}

}  // namespace loam::engine
