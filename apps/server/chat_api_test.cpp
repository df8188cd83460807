#include "server/chat_api.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace loam::server {
namespace {

std::string field_refused(const std::string& body) {
  const ChatParse parsed = parse_chat(body);
  EXPECT_FALSE(parsed.request.has_value()) << body;
  EXPECT_EQ(parsed.error.status, 400);
  EXPECT_FALSE(parsed.error.message.empty());
  return parsed.error.field;
}

std::string with(const std::string& members) {
  return R"({"model":"m","messages":[{"role":"user","content":"hi"}],)" + members + "}";
}

TEST(chat_request, everything_a_client_may_say_is_read) {
  const ChatParse parsed = parse_chat(R"({
    "model": "docs:handbook",
    "messages": [{"role": "developer", "content": "Be brief."},
                 {"role": "user", "content": [{"type": "text", "text": "How "}, {"type": "text", "text": "many?"}]},
                 {"role": "assistant", "content": "Two."}],
    "max_completion_tokens": 12, "max_tokens": 99, "temperature": 0.5, "top_p": 0.25, "seed": -7, "n": 2,
    "stop": ["END", "\n\n"], "stream": true, "stream_options": {"include_usage": true},
    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
    "frequency_penalty": 0, "user": "somebody", "tools": [], "logit_bias": {}})");
  ASSERT_TRUE(parsed.request.has_value()) << parsed.error.message;
  const ChatRequest& request = *parsed.request;
  EXPECT_EQ(request.model, "docs:handbook");
  ASSERT_EQ(request.generate.messages.size(), 3U);
  EXPECT_EQ(request.generate.messages[0].role, engine::Role::system);
  EXPECT_EQ(request.generate.messages[1].content, "How many?");
  EXPECT_EQ(request.generate.messages[2].role, engine::Role::assistant);
  EXPECT_EQ(request.generate.max_tokens, 12);
  EXPECT_FLOAT_EQ(request.generate.sampling.temperature, 0.5F);
  EXPECT_FLOAT_EQ(request.generate.sampling.top_p, 0.25F);
  EXPECT_TRUE(request.seed_said);
  EXPECT_EQ(request.choices, 2);
  EXPECT_EQ(request.generate.stop, (std::vector<std::string>{"END", "\n\n"}));
  EXPECT_EQ(request.generate.json_schema, R"({"type":"object"})");
  EXPECT_TRUE(request.stream);
  EXPECT_TRUE(request.usage_in_stream);
}

TEST(chat_request, what_is_left_out_has_the_defaults_of_openai) {
  const ChatParse parsed =
      parse_chat(R"({"model":"m","messages":[{"role":"user","content":"hi"}],"stop":null})");
  ASSERT_TRUE(parsed.request.has_value());
  EXPECT_FLOAT_EQ(parsed.request->generate.sampling.temperature, 1.0F);
  EXPECT_FLOAT_EQ(parsed.request->generate.sampling.top_p, 1.0F);
  EXPECT_FALSE(parsed.request->max_tokens_said);
  EXPECT_FALSE(parsed.request->seed_said);
  EXPECT_FALSE(parsed.request->stream);
  EXPECT_EQ(parsed.request->choices, 1);
  EXPECT_TRUE(parsed.request->generate.stop.empty());
}

// proves P-SERVE-03
TEST(chat_request, each_mistake_is_named_by_its_field) {
  EXPECT_EQ(field_refused("{"), "");
  EXPECT_EQ(field_refused("[]"), "the body");
  EXPECT_EQ(field_refused("{}"), "model");
  EXPECT_EQ(field_refused(R"({"model":7})"), "model");
  EXPECT_EQ(field_refused(R"({"model":""})"), "model");
  EXPECT_EQ(field_refused(R"({"model":"m"})"), "messages");
  EXPECT_EQ(field_refused(R"({"model":"m","messages":"hi"})"), "messages");
  EXPECT_EQ(field_refused(R"({"model":"m","messages":[]})"), "messages");
  EXPECT_EQ(field_refused(R"({"model":"m","messages":["hi"]})"), "messages[0]");
  EXPECT_EQ(field_refused(R"({"model":"m","messages":[{"content":"hi"}]})"), "messages[0].role");
  EXPECT_EQ(field_refused(R"({"model":"m","messages":[{"role":"tool","content":"x"}]})"), "messages[0].role");
  EXPECT_EQ(field_refused(R"({"model":"m","messages":[{"role":"user"}]})"), "messages[0].content");
  EXPECT_EQ(field_refused(R"({"model":"m","messages":[{"role":"user","content":[{"type":"image_url"}]}]})"),
            "messages[0].content[0].type");
  EXPECT_EQ(field_refused(with(R"("temperature":2.1)")), "temperature");
  EXPECT_EQ(field_refused(with(R"("temperature":"hot")")), "temperature");
  EXPECT_EQ(field_refused(with(R"("top_p":-0.1)")), "top_p");
  EXPECT_EQ(field_refused(with(R"("max_tokens":0)")), "max_tokens");
  EXPECT_EQ(field_refused(with(R"("max_tokens":1.5)")), "max_tokens");
  EXPECT_EQ(field_refused(with(R"("max_tokens":1e300)")), "max_tokens");
  EXPECT_EQ(field_refused(with(R"("n":0)")), "n");
  EXPECT_EQ(field_refused(with(R"("n":9)")), "n");
  EXPECT_EQ(field_refused(with(R"("seed":"7")")), "seed");
  EXPECT_EQ(field_refused(with(R"("stop":7)")), "stop");
  EXPECT_EQ(field_refused(with(R"("stop":"")")), "stop");
  EXPECT_EQ(field_refused(with(R"("stop":["a",1])")), "stop[1]");
  EXPECT_EQ(field_refused(with(R"("stream":1)")), "stream");
  EXPECT_EQ(field_refused(with(R"("stream_options":{"include_usage":true})")), "stream_options");
  EXPECT_EQ(field_refused(with(R"("stream":true,"stream_options":{"include_usage":1})")),
            "stream_options.include_usage");
  EXPECT_EQ(field_refused(with(R"("top_logprobs":3)")), "top_logprobs");
  EXPECT_EQ(field_refused(with(R"("response_format":"json")")), "response_format");
  EXPECT_EQ(field_refused(with(R"("response_format":{"type":"xml"})")), "response_format.type");
  EXPECT_EQ(field_refused(with(R"("response_format":{"type":"json_schema"})")),
            "response_format.json_schema");
  EXPECT_EQ(field_refused(with(R"("frequency_penalty":1)")), "frequency_penalty");
  EXPECT_EQ(field_refused(with(R"("tools":[{"type":"function"}])")), "tools");
}

TEST(chat_request, deep_nesting_is_refused) {
  const std::string deep(100000, '[');
  EXPECT_EQ(field_refused(with("\"x\":" + deep)), "");
}

TEST(chat_answer, has_the_shape_that_clients_read) {
  engine::Draft draft;
  draft.text = "Two.";
  draft.finish = engine::FinishReason::length;
  draft.usage.prompt_tokens = 10;
  draft.usage.answer_tokens = 2;
  draft.usage.reused_tokens = 8;
  const Json answer =
      chat_answer({"chatcmpl-1", 17, "m"}, {draft, draft}, false, {{"citations", Json::array()}});
  EXPECT_EQ(answer["object"], "chat.completion");
  EXPECT_EQ(answer["choices"].size(), 2U);
  EXPECT_EQ(answer["choices"][1]["index"], 1);
  EXPECT_EQ(answer["choices"][0]["message"]["content"], "Two.");
  EXPECT_EQ(answer["choices"][0]["finish_reason"], "length");
  EXPECT_TRUE(answer["choices"][0]["message"].contains("citations"));
  EXPECT_EQ(answer["usage"]["prompt_tokens"], 10);
  EXPECT_EQ(answer["usage"]["completion_tokens"], 4);
  EXPECT_EQ(answer["usage"]["total_tokens"], 14);
  EXPECT_EQ(answer["usage"]["prompt_tokens_details"]["cached_tokens"], 8);
}

TEST(chat_answer, a_token_that_is_part_of_a_letter_still_gives_valid_json) {
  engine::Draft draft;
  draft.text = "\xC3\xA9";
  draft.steps = {{1, "\xC3", 0.5F, {{1, "\xC3", 0.5F}, {2, "x", 0.0F}}}};
  const Json answer = chat_answer({"chatcmpl-1", 17, "m"}, {draft}, true, Json::object());
  const auto read = parse_json(dump_json(answer), "the answer");
  ASSERT_TRUE(read.ok());
  const Json& token = (*read)["choices"][0]["logprobs"]["content"][0];
  EXPECT_EQ(token["bytes"], Json::array({0xC3}));
  EXPECT_NEAR(token["logprob"].get<double>(), -0.6931, 1e-3);
  EXPECT_EQ(token["top_logprobs"][1]["logprob"], -100.0);
}

TEST(chat_events, are_lines_that_end_with_an_empty_one) {
  const ChatStamp stamp{"chatcmpl-1", 17, "m"};
  for (const std::string& event : {first_event(stamp, 0), text_event(stamp, 0, "a\nb"),
                                   last_event(stamp, 0, engine::FinishReason::stop, Json::object()),
                                   usage_event(stamp, {}), error_event({503, "gone", "", "", 0})}) {
    ASSERT_TRUE(event.starts_with("data: ")) << event;
    ASSERT_TRUE(event.ends_with("\n\n")) << event;
    EXPECT_EQ(event.find('\n'), event.size() - 2);
    EXPECT_TRUE(parse_json(std::string_view(event).substr(6), "event").ok());
  }
}

TEST(chat_errors, carry_status_and_field) {
  const auto body = parse_json(error_body({400, "n: too many", "n", "", 0}), "the error");
  ASSERT_TRUE(body.ok());
  EXPECT_EQ((*body)["error"]["param"], "n");
  EXPECT_EQ((*body)["error"]["type"], "invalid_request_error");
  EXPECT_EQ(api_error({Kind::out_of_room, "", "the prompt has 9 tokens of 8", ""}).code,
            "context_length_exceeded");
  EXPECT_EQ(api_error({Kind::unavailable, "", "busy", ""}).status, 503);
  EXPECT_EQ(api_error({Kind::our_bug, "", "oops", ""}).status, 500);
}

}  // namespace
}  // namespace loam::server
