#include "server/chat_api.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/json.h"
#include "base/utf8.h"

namespace loam::server {
namespace {

using engine::Message;
using engine::Role;

constexpr std::size_t kMostMessages = 10000;
constexpr std::size_t kMostStops = 16;
constexpr int kMostTokens = 1 << 20;

/// Thrown inside this file only, to leave the parsing of one request.
struct Refusal {
  ApiError error;
};

[[noreturn]] void refuse(const std::string& field, const std::string& message) {
  throw Refusal{{400, field + ": " + message, field, "", 0}};
}

std::string_view type_of(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::boolean:
      return "a boolean";
    case Json::value_t::string:
      return "a string";
    case Json::value_t::array:
      return "an array";
    case Json::value_t::object:
      return "an object";
    default:
      return "a number";
  }
}

/// The member, or nothing where it is missing or null.
const Json* member(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

bool boolean(const Json& object, const std::string& name, bool otherwise) {
  const Json* value = member(object, name.c_str());
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) refuse(name, "must be true or false, it is " + std::string(type_of(*value)));
  return value->get<bool>();
}

double number(const Json& object, const std::string& name, double low, double high, double otherwise) {
  const Json* value = member(object, name.c_str());
  if (value == nullptr) return otherwise;
  if (!value->is_number()) refuse(name, "must be a number, it is " + std::string(type_of(*value)));
  const double given = value->get<double>();
  if (!(given >= low && given <= high))
    refuse(name, "must lie between " + dump_json(low) + " and " + dump_json(high));
  return given;
}

std::int64_t whole(const Json& object, const std::string& name, std::int64_t low, std::int64_t high,
                   std::int64_t otherwise) {
  const Json* value = member(object, name.c_str());
  if (value == nullptr) return otherwise;
  const bool is_whole =
      value->is_number_integer() ||
      (value->is_number_float() && std::floor(value->get<double>()) == value->get<double>());
  if (!is_whole) refuse(name, "must be a whole number, it is " + std::string(type_of(*value)));
  const double given = value->get<double>();
  if (!(given >= static_cast<double>(low) && given <= static_cast<double>(high)))
    refuse(name, "must lie between " + std::to_string(low) + " and " + std::to_string(high));
  return static_cast<std::int64_t>(given);
}

std::string text(const Json& value, const std::string& field) {
  if (!value.is_string()) refuse(field, "must be a string, it is " + std::string(type_of(value)));
  return value.get<std::string>();
}

/// A message's content: a string, or parts of type "text".
std::string content_of(const Json& message, const std::string& field) {
  const Json* content = member(message, "content");
  if (content == nullptr) refuse(field + ".content", "is missing");
  if (content->is_string()) return content->get<std::string>();
  if (!content->is_array())
    refuse(field + ".content",
           "must be a string or an array of parts, it is " + std::string(type_of(*content)));
  std::string whole_text;
  for (std::size_t i = 0; i < content->size(); ++i) {
    const Json& part = (*content)[i];
    const std::string place = field + ".content[" + std::to_string(i) + "]";
    if (!part.is_object()) refuse(place, "must be an object, it is " + std::string(type_of(part)));
    const Json* type = member(part, "type");
    if (type == nullptr) refuse(place + ".type", "is missing");
    if (text(*type, place + ".type") != "text")
      refuse(place + ".type", "only parts of type \"text\" are read by this model");
    const Json* words = member(part, "text");
    if (words == nullptr) refuse(place + ".text", "is missing");
    whole_text += text(*words, place + ".text");
  }
  return whole_text;
}

Message message_of(const Json& value, const std::string& field) {
  if (!value.is_object()) refuse(field, "must be an object, it is " + std::string(type_of(value)));
  const Json* role = member(value, "role");
  if (role == nullptr) refuse(field + ".role", "is missing");
  const std::string name = text(*role, field + ".role");
  Message message;
  if (name == "system" || name == "developer") {
    message.role = Role::system;
  } else if (name == "user") {
    message.role = Role::user;
  } else if (name == "assistant") {
    message.role = Role::assistant;
  } else {
    refuse(field + ".role", "must be \"system\", \"developer\", \"user\" or \"assistant\"");
  }
  message.content = content_of(value, field);
  return message;
}

void read_format(const Json& body, engine::GenerateRequest& generate) {
  const Json* format = member(body, "response_format");
  if (format == nullptr) return;
  if (!format->is_object())
    refuse("response_format", "must be an object, it is " + std::string(type_of(*format)));
  const Json* type = member(*format, "type");
  if (type == nullptr) refuse("response_format.type", "is missing");
  const std::string name = text(*type, "response_format.type");
  if (name == "text") return;
  if (name == "json_object") {
    generate.json_schema = R"({"type":"object"})";
    return;
  }
  if (name != "json_schema")
    refuse("response_format.type", "must be \"text\", \"json_object\" or \"json_schema\"");
  const Json* outer = member(*format, "json_schema");
  if (outer == nullptr || !outer->is_object())
    refuse("response_format.json_schema", "must be an object with a \"schema\"");
  const Json* schema = member(*outer, "schema");
  if (schema == nullptr || !schema->is_object())
    refuse("response_format.json_schema.schema", "must be an object");
  generate.json_schema = dump_json(*schema);
}

void read_stop(const Json& body, engine::GenerateRequest& generate) {
  const Json* stop = member(body, "stop");
  if (stop == nullptr) return;
  if (stop->is_string()) {
    generate.stop = {stop->get<std::string>()};
  } else if (stop->is_array()) {
    if (stop->size() > kMostStops) refuse("stop", "at most " + std::to_string(kMostStops) + " are taken");
    for (std::size_t i = 0; i < stop->size(); ++i)
      generate.stop.push_back(text((*stop)[i], "stop[" + std::to_string(i) + "]"));
  } else {
    refuse("stop", "must be a string or an array of strings, it is " + std::string(type_of(*stop)));
  }
  for (const std::string& one : generate.stop) {
    if (one.empty()) refuse("stop", "an empty string would stop every answer at once");
  }
}

/// Fields whose usual value changes nothing, and that no other value is supported for.
void refuse_unsupported(const Json& body) {
  for (const char* name : {"frequency_penalty", "presence_penalty"}) {
    if (number(body, name, -2, 2, 0) != 0) refuse(name, "is not supported; leave it out, or use 0");
  }
  for (const char* name : {"logit_bias", "tools", "functions", "audio", "prediction", "web_search_options"}) {
    const Json* value = member(body, name);
    if (value != nullptr && !value->empty()) refuse(name, "is not supported");
  }
}

ChatRequest chat_of(const Json& body) {
  if (!body.is_object()) refuse("the body", "must be an object, it is " + std::string(type_of(body)));
  ChatRequest request;
  const Json* model = member(body, "model");
  if (model == nullptr) refuse("model", "is missing");
  request.model = text(*model, "model");
  if (request.model.empty()) refuse("model", "is empty");
  const Json* messages = member(body, "messages");
  if (messages == nullptr) refuse("messages", "is missing");
  if (!messages->is_array()) refuse("messages", "must be an array, it is " + std::string(type_of(*messages)));
  if (messages->empty()) refuse("messages", "is empty");
  if (messages->size() > kMostMessages)
    refuse("messages", "at most " + std::to_string(kMostMessages) + " are taken");
  for (std::size_t i = 0; i < messages->size(); ++i)
    request.generate.messages.push_back(message_of((*messages)[i], "messages[" + std::to_string(i) + "]"));
  refuse_unsupported(body);

  engine::GenerateRequest& generate = request.generate;
  const char* limit =
      member(body, "max_completion_tokens") != nullptr ? "max_completion_tokens" : "max_tokens";
  request.max_tokens_said = member(body, limit) != nullptr;
  generate.max_tokens = static_cast<int>(whole(body, limit, 1, kMostTokens, generate.max_tokens));
  generate.sampling.temperature = static_cast<float>(number(body, "temperature", 0, 2, 1));
  generate.sampling.top_p = static_cast<float>(number(body, "top_p", 0, 1, 1));
  // Fields that llama-server and vLLM take too.
  generate.sampling.top_k = static_cast<int>(whole(body, "top_k", 0, 1 << 20, 0));
  generate.sampling.min_p = static_cast<float>(number(body, "min_p", 0, 1, 0));
  generate.sampling.repeat_penalty = static_cast<float>(number(body, "repeat_penalty", 0.01, 10, 1));
  constexpr std::int64_t kMostSeed = std::numeric_limits<std::int64_t>::max() / 1024;
  request.seed_said = member(body, "seed") != nullptr;
  generate.sampling.seed = static_cast<std::uint32_t>(whole(body, "seed", -kMostSeed, kMostSeed, 0));
  read_stop(body, generate);
  read_format(body, generate);
  request.choices = static_cast<int>(whole(body, "n", 1, 8, 1));
  request.stream = boolean(body, "stream", false);
  if (const Json* options = member(body, "stream_options"); options != nullptr) {
    if (!options->is_object())
      refuse("stream_options", "must be an object, it is " + std::string(type_of(*options)));
    if (!request.stream) refuse("stream_options", "is only allowed with \"stream\": true");
    if (const Json* usage = member(*options, "include_usage"); usage != nullptr) {
      if (!usage->is_boolean()) refuse("stream_options.include_usage", "must be true or false");
      request.usage_in_stream = usage->get<bool>();
    }
  }
  request.logprobs = boolean(body, "logprobs", false);
  const auto top = whole(body, "top_logprobs", 0, 20, 0);
  if (top > 0 && !request.logprobs) refuse("top_logprobs", "needs \"logprobs\": true");
  if (request.logprobs && request.stream) refuse("logprobs", "is not supported in a stream");
  if (request.logprobs) generate.top_alternatives = std::max<int>(1, static_cast<int>(top));
  return request;
}

Json stamp_json(const ChatStamp& stamp, const char* object) {
  return {{"id", stamp.id}, {"object", object}, {"created", stamp.created}, {"model", stamp.model}};
}

std::string event_of(const Json& event) { return "data: " + dump_json(event) + "\n\n"; }

std::string chunk(const ChatStamp& stamp, int choice, Json delta, Json finish) {
  Json event = stamp_json(stamp, "chat.completion.chunk");
  event["choices"] = Json::array({{{"index", choice},
                                   {"delta", std::move(delta)},
                                   {"logprobs", nullptr},
                                   {"finish_reason", std::move(finish)}}});
  return event_of(event);
}

Json token_json(const std::string& token, float probability) {
  Json bytes = Json::array();
  for (const char byte : token) bytes.push_back(static_cast<unsigned char>(byte));
  // A probability that rounds to 0 in float has no logarithm; -100 is what OpenAI calls very unlikely.
  const double log = probability > 0 ? std::log(static_cast<double>(probability)) : -100.0;
  return {{"token", token}, {"logprob", log}, {"bytes", std::move(bytes)}};
}

Json logprobs_json(const engine::Draft& draft) {
  Json content = Json::array();
  for (const engine::Step& step : draft.steps) {
    Json one = token_json(step.text, step.probability);
    one["top_logprobs"] = Json::array();
    for (const engine::Alternative& other : step.alternatives)
      one["top_logprobs"].push_back(token_json(other.text, other.probability));
    content.push_back(std::move(one));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

void add_all(Json& to, const Json& extra) {
  for (const auto& [name, value] : extra.items()) to[name] = value;
}

}  // namespace

std::string error_body(const ApiError& error) {
  const char* type = error.status == 401   ? "authentication_error"
                     : error.status == 403 ? "permission_error"
                     : error.status == 404 ? "not_found_error"
                     : error.status == 429 ? "rate_limit_error"
                     : error.status < 500  ? "invalid_request_error"
                                           : "server_error";
  return dump_json({{"error",
                     {{"message", error.message},
                      {"type", type},
                      {"param", error.field.empty() ? Json() : Json(error.field)},
                      {"code", error.code.empty() ? Json() : Json(error.code)}}}});
}

ApiError api_error(const Error& error) {
  ApiError out;
  out.message = error.line();
  switch (error.kind) {
    case Kind::bad_request:
    case Kind::bad_data:
    case Kind::out_of_room:
      out.status = 400;
      break;
    case Kind::unavailable:
      out.status = 503;
      out.retry_after_s = 1;
      break;
    case Kind::our_bug:
      out.status = 500;
      break;
  }
  if (error.kind == Kind::out_of_room) out.code = "context_length_exceeded";
  return out;
}

ChatParse parse_chat(std::string_view body) {
  auto json = parse_json(body, "the body");
  if (!json) return {std::nullopt, {400, json.error().message + " (the body is no JSON)", "", "", 0}};
  try {
    return {chat_of(*json), {}};
  } catch (const Refusal& refusal) {
    return {std::nullopt, refusal.error};
  }
}

std::string_view finish_name(engine::FinishReason finish) {
  return finish == engine::FinishReason::length ? "length" : "stop";
}

Json usage_json(const engine::Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.answer_tokens},
          {"total_tokens", usage.prompt_tokens + usage.answer_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.reused_tokens}}}};
}

Json chat_answer(const ChatStamp& stamp, const std::vector<engine::Draft>& drafts, bool logprobs,
                 const Json& extra) {
  Json answer = stamp_json(stamp, "chat.completion");
  answer["choices"] = Json::array();
  engine::Usage total;
  for (std::size_t i = 0; i < drafts.size(); ++i) {
    const engine::Draft& draft = drafts[i];
    Json message = {{"role", "assistant"}, {"content", draft.text}, {"refusal", nullptr}};
    add_all(message, extra);
    answer["choices"].push_back({{"index", i},
                                 {"message", std::move(message)},
                                 {"logprobs", logprobs ? logprobs_json(draft) : Json()},
                                 {"finish_reason", finish_name(draft.finish)}});
    total.prompt_tokens = draft.usage.prompt_tokens;
    total.reused_tokens = i == 0 ? draft.usage.reused_tokens : total.reused_tokens;
    total.answer_tokens += draft.usage.answer_tokens;
  }
  answer["usage"] = usage_json(total);
  return answer;
}

std::string first_event(const ChatStamp& stamp, int choice) {
  return chunk(stamp, choice, {{"role", "assistant"}, {"content", ""}}, nullptr);
}

std::string text_event(const ChatStamp& stamp, int choice, std::string_view text) {
  return chunk(stamp, choice, {{"content", text}}, nullptr);
}

std::string last_event(const ChatStamp& stamp, int choice, engine::FinishReason finish, const Json& extra) {
  Json delta = Json::object();
  add_all(delta, extra);
  return chunk(stamp, choice, std::move(delta), finish_name(finish));
}

std::string usage_event(const ChatStamp& stamp, const engine::Usage& usage) {
  Json event = stamp_json(stamp, "chat.completion.chunk");
  event["choices"] = Json::array();
  event["usage"] = usage_json(usage);
  return event_of(event);
}

std::string error_event(const ApiError& error) { return "data: " + error_body(error) + "\n\n"; }

}  // namespace loam::server
