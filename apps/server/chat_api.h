// OpenAI's chat completions as JSON: requests in, answers and stream events out. Pure: no network, no model.
// The field names and their meaning are those of platform.openai.com/docs/api-reference/chat.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_fwd.h"
#include "base/result.h"
#include "engine/engine.h"

namespace loam::server {

/// Why a request is refused: the status, and the field that is to blame ("messages[2].content").
struct ApiError {
  int status = 400;
  std::string message;
  std::string field;      ///< empty where no field is to blame
  std::string code;       ///< for programs: "model_not_found"; may be empty
  int retry_after_s = 0;  ///< 0: no such header
};

/// {"error":{"message","type","param","code"}}, as OpenAI's clients read it.
std::string error_body(const ApiError& error);
/// An error of a room: bad_request and bad_data are the client's (400), out_of_room 400 or 507, unavailable
/// 503, our_bug 500.
ApiError api_error(const Error& error);

/// A parsed chat request. What a client may ask for and Loam cannot do is refused by the field's name;
/// unknown fields are passed over, as OpenAI's own server does.
struct ChatRequest {
  std::string model;
  engine::GenerateRequest generate;
  bool stream = false;
  bool usage_in_stream = false;
  bool logprobs = false;
  int choices = 1;  ///< n
  bool max_tokens_said = false;
  bool seed_said = false;
};

/// The request, or what is wrong with it.
struct ChatParse {
  std::optional<ChatRequest> request;
  ApiError error;
};
ChatParse parse_chat(std::string_view body);

/// What all events and answers of one request share.
struct ChatStamp {
  std::string id;  ///< "chatcmpl-..."
  std::int64_t created = 0;
  std::string model;
};

/// The whole answer. `drafts`: one for each choice. `extra` (an object) is added to each message: citations.
Json chat_answer(const ChatStamp& stamp, const std::vector<engine::Draft>& drafts, bool logprobs,
                 const Json& extra);

/// Stream events, each "data: {...}\n\n".
std::string first_event(const ChatStamp& stamp, int choice);
std::string text_event(const ChatStamp& stamp, int choice, std::string_view text);
/// `extra` goes into the delta of the last event of a choice.
std::string last_event(const ChatStamp& stamp, int choice, engine::FinishReason finish, const Json& extra);
std::string usage_event(const ChatStamp& stamp, const engine::Usage& usage);
std::string error_event(const ApiError& error);
inline constexpr std::string_view kDoneEvent = "data: [DONE]\n\n";

Json usage_json(const engine::Usage& usage);
std::string_view finish_name(engine::FinishReason finish);

}  // namespace loam::server
