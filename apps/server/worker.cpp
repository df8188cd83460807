#include "server/worker.h"

#include <cpp-httplib/httplib.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <atomic>
#include <cmath>
#include <mutex>
#include <random>

#include "base/clock.h"
#include "base/json.h"
#include "server/chat_api.h"
#include "server/turns.h"

namespace loam::server {
namespace {

constexpr std::size_t kMostBody = std::size_t{64} << 20;
constexpr std::size_t kMostTexts = 2048;

void answer_error(httplib::Response& response, const ApiError& error) {
  response.status = error.status;
  if (error.retry_after_s > 0) response.set_header("Retry-After", std::to_string(error.retry_after_s));
  response.set_content(error_body(error), "application/json");
}

void answer_json(httplib::Response& response, const Json& json) {
  response.set_content(dump_json(json), "application/json");
}

}  // namespace

struct Worker::State {
  engine::Engine& engine;
  engine::Embedder* embedder;
  WorkerOptions options;
  Logger& logger;
  httplib::Server server;
  Turns turns;
  std::mutex embedding;
  std::atomic<std::uint64_t> requests{0};
  std::random_device entropy;

  State(engine::Engine& e, engine::Embedder* m, WorkerOptions o, Logger& l)
      : engine(e), embedder(m), options(std::move(o)), logger(l), turns(options.waiting) {}

  /// Ends the turn however the request ends.
  struct Turn {
    Turns* turns = nullptr;
    explicit Turn(Turns* of) : turns(of) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
      if (turns != nullptr) turns->leave();
    }
  };

  /// Null: the response says why not.
  std::shared_ptr<Turn> turn_for(const httplib::Request& request, httplib::Response& response) {
    switch (turns.enter([&] { return request.is_connection_closed(); })) {
      case Turns::Entry::granted:
        return std::make_shared<Turn>(&turns);
      case Turns::Entry::full:
        answer_error(response, {429, "too many requests wait for the model", "", "queue_full", 1});
        return nullptr;
      case Turns::Entry::gone:
        response.status = 499;
        return nullptr;
      case Turns::Entry::closed:
        break;
    }
    answer_error(response, {503, "the server is shutting down", "", "shutting_down", 1});
    return nullptr;
  }

  /// As many tokens as the context has room for, when the client did not say.
  Result<void> fill_limits(ChatRequest& chat) {
    if (!chat.seed_said) chat.generate.sampling.seed = entropy();
    if (chat.max_tokens_said) return done();
    auto prompt = engine.count_tokens(chat.generate.messages);
    if (!prompt) return prompt.error();
    chat.generate.max_tokens = std::max(1, engine.context_tokens() - *prompt);
    return done();
  }

  void chat(const httplib::Request& request, httplib::Response& response) {
    ChatParse parsed = parse_chat(request.body);
    if (!parsed.request) return answer_error(response, parsed.error);
    auto turn = turn_for(request, response);
    if (!turn) return;
    auto asked = std::make_shared<ChatRequest>(*std::move(parsed.request));
    if (auto filled = fill_limits(*asked); !filled) return answer_error(response, api_error(filled.error()));
    const ChatStamp stamp{"chatcmpl-" + std::to_string(++requests), system_clock().unix_seconds(),
                          engine.model_name()};
    if (asked->stream) {
      stream(asked, stamp, turn, response);
      return;
    }
    std::vector<engine::Draft> drafts;
    for (int i = 0; i < asked->choices; ++i) {
      engine::GenerateRequest generate = asked->generate;
      generate.sampling.seed += static_cast<std::uint32_t>(i);
      auto draft =
          engine.generate(generate, [&](std::string_view) { return !request.is_connection_closed(); });
      if (!draft) return answer_error(response, api_error(draft.error()));
      drafts.push_back(std::move(*draft));
    }
    answer_json(response, chat_answer(stamp, drafts, asked->logprobs, Json::object()));
  }

  void stream(const std::shared_ptr<ChatRequest>& asked, const ChatStamp& stamp,
              const std::shared_ptr<Turn>& turn, httplib::Response& response) {
    response.set_header("Cache-Control", "no-cache");
    response.set_chunked_content_provider(
        "text/event-stream", [this, asked, stamp, turn](std::size_t, httplib::DataSink& sink) {
          const auto write = [&](std::string_view text) { return sink.write(text.data(), text.size()); };
          engine::Usage total;
          for (int choice = 0; choice < asked->choices; ++choice) {
            if (!write(first_event(stamp, choice))) return false;
            engine::GenerateRequest generate = asked->generate;
            generate.sampling.seed += static_cast<std::uint32_t>(choice);
            auto draft = engine.generate(generate, [&](std::string_view piece) {
              return piece.empty() || write(text_event(stamp, choice, piece));
            });
            if (!draft) {
              write(error_event(api_error(draft.error())));
              return false;
            }
            if (draft->finish == engine::FinishReason::cancelled) return false;
            total.prompt_tokens = draft->usage.prompt_tokens;
            total.reused_tokens = draft->usage.reused_tokens;
            total.answer_tokens += draft->usage.answer_tokens;
            if (!write(last_event(stamp, choice, draft->finish, Json::object()))) return false;
          }
          if (asked->usage_in_stream && !write(usage_event(stamp, total))) return false;
          write(kDoneEvent);
          sink.done();
          return true;
        });
  }

  void embeddings(const httplib::Request& request, httplib::Response& response) {
    if (embedder == nullptr) return answer_error(response, {503, "no embedding model is loaded", "", "", 0});
    auto body = parse_json(request.body, "the body");
    if (!body) return answer_error(response, api_error(body.error()));
    std::vector<std::string> texts;
    const auto refuse = [&](const std::string& field, const std::string& why) {
      answer_error(response, {400, field + ": " + why, field, "", 0});
    };
    if (!body->is_object() || !body->contains("input")) return refuse("input", "is missing");
    const Json& input = (*body)["input"];
    if (input.is_string()) {
      texts = {input.get<std::string>()};
    } else if (input.is_array() && !input.empty()) {
      for (std::size_t i = 0; i < input.size(); ++i) {
        if (!input[i].is_string()) return refuse("input[" + std::to_string(i) + "]", "must be a string");
        texts.push_back(input[i].get<std::string>());
      }
    } else {
      return refuse("input", "must be a string or an array of strings, and not empty");
    }
    if (texts.size() > kMostTexts) return refuse("input", "at most 2,048 texts are taken at once");
    const std::lock_guard lock(embedding);
    std::uint64_t tokens = 0;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      auto count = embedder->count_tokens(texts[i]);
      if (!count) return answer_error(response, api_error(count.error()));
      tokens += static_cast<std::uint64_t>(*count);
    }
    auto vectors = embedder->embed(texts);
    if (!vectors) return answer_error(response, api_error(vectors.error()));
    const auto width = static_cast<std::size_t>(embedder->dimensions());
    Json data = Json::array();
    for (std::size_t i = 0; i < texts.size(); ++i) {
      data.push_back({{"object", "embedding"},
                      {"index", i},
                      {"embedding",
                       std::vector<float>(vectors->begin() + static_cast<std::ptrdiff_t>(i * width),
                                          vectors->begin() + static_cast<std::ptrdiff_t>((i + 1) * width))}});
    }
    answer_json(response, {{"object", "list"},
                           {"data", std::move(data)},
                           {"model", embedder->model_name()},
                           {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}}}});
  }

  /// The body is {"messages":[...]} or {"text":"..."}; the engine is asked in its turn.
  template <typename Work>
  void with_messages(const httplib::Request& request, httplib::Response& response, const Work& work) {
    auto body = parse_json(request.body, "the body");
    if (!body) return answer_error(response, api_error(body.error()));
    std::vector<engine::Message> messages;
    std::string text;
    const bool of_text = body->is_object() && body->contains("text") && (*body)["text"].is_string();
    if (of_text) {
      text = (*body)["text"].get<std::string>();
    } else {
      (*body)["model"] = "any";
      ChatParse parsed = parse_chat(dump_json(*body));
      if (!parsed.request) return answer_error(response, parsed.error);
      messages = std::move(parsed.request->generate.messages);
    }
    auto turn = turn_for(request, response);
    if (!turn) return;
    const Result<Json> answer = work(messages, text, of_text);
    if (!answer) return answer_error(response, api_error(answer.error()));
    answer_json(response, *answer);
  }

  void info(httplib::Response& response) {
    Json json = {{"model", engine.model_name()},
                 {"context_tokens", engine.context_tokens()},
                 {"present", turns.present()}};
    if (embedder != nullptr) {
      json["embedder"] = {{"model", embedder->model_name()},
                          {"fingerprint", embedder->fingerprint()},
                          {"dimensions", embedder->dimensions()},
                          {"max_tokens", embedder->max_tokens()}};
    }
    answer_json(response, json);
  }
};

Worker::Worker(engine::Engine& engine, engine::Embedder* embedder, WorkerOptions options, Logger& logger)
    : state_(std::make_unique<State>(engine, embedder, std::move(options), logger)) {}
Worker::~Worker() = default;

Result<void> Worker::open() {
  State& s = *state_;
  httplib::Server& server = s.server;
  server.set_address_family(AF_UNIX);
  server.set_payload_max_length(kMostBody);
  server.new_task_queue = [] { return new httplib::ThreadPool(4, 256); };
  server.set_keep_alive_max_count(1000000);
  server.set_exception_handler(
      [&s](const httplib::Request&, httplib::Response& response, std::exception_ptr error) {
        std::string what = "an exception that is none of the standard's";
        try {
          std::rethrow_exception(error);
        } catch (const std::exception& known) {
          what = known.what();
        } catch (...) {
        }
        s.logger.error("worker: " + what);
        answer_error(response, {500, "the worker failed: " + what, "", "", 0});
      });
  server.Get("/health", [](const httplib::Request&, httplib::Response& response) {
    answer_json(response, {{"status", "ok"}});
  });
  server.Get("/loam/info", [&s](const httplib::Request&, httplib::Response& response) { s.info(response); });
  server.Post("/loam/count", [&s](const httplib::Request& request, httplib::Response& response) {
    s.with_messages(request, response,
                    [&](const std::vector<engine::Message>& messages, const std::string& text,
                        bool of_text) -> Result<Json> {
                      auto count = of_text ? s.engine.count_tokens(text) : s.engine.count_tokens(messages);
                      if (!count) return count.error();
                      return Json{{"tokens", *count}};
                    });
  });
  server.Post("/loam/render", [&s](const httplib::Request& request, httplib::Response& response) {
    s.with_messages(
        request, response,
        [&](const std::vector<engine::Message>& messages, const std::string&, bool) -> Result<Json> {
          auto text = s.engine.render(messages);
          if (!text) return text.error();
          return Json{{"text", *text}};
        });
  });
  server.Post("/v1/chat/completions", [&s](const httplib::Request& request, httplib::Response& response) {
    s.chat(request, response);
  });
  server.Post("/v1/embeddings", [&s](const httplib::Request& request, httplib::Response& response) {
    s.embeddings(request, response);
  });
  std::error_code ignored;
  std::filesystem::remove(s.options.socket, ignored);
  const mode_t before = ::umask(0077);
  const bool bound = server.bind_to_port(s.options.socket.string(), 80);
  ::umask(before);
  if (!bound) {
    return Error{Kind::unavailable, s.options.socket.string(), "the socket cannot be opened",
                 "check that its folder exists and may be written"};
  }
  return done();
}

void Worker::run() { state_->server.listen_after_bind(); }

void Worker::stop() {
  state_->turns.close();
  state_->server.stop();
}

}  // namespace loam::server
