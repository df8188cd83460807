#include "engine/http_engine.h"

#include <cpp-httplib/httplib.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

namespace loam::engine {
namespace {

/// A server that answers a chat with these bytes.
class MockServer {
 public:
  explicit MockServer(std::string answer, int status = 200, bool cut = false) {
    path_ = "/tmp/loam-http-engine-test-" + std::to_string(::getpid()) + ".sock";
    std::filesystem::remove(path_);
    server_.set_address_family(AF_UNIX);
    server_.Get("/loam/info", [](const httplib::Request&, httplib::Response& response) {
      response.set_content(R"({"model":"mock","context_tokens":128})", "application/json");
    });
    server_.Post("/loam/count", [](const httplib::Request&, httplib::Response& response) {
      response.set_content(R"({"tokens":5})", "application/json");
    });
    server_.Post("/v1/chat/completions",
                 [answer, status, cut](const httplib::Request&, httplib::Response& response) {
                   response.status = status;
                   response.set_chunked_content_provider(
                       "text/event-stream", [answer, cut](std::size_t, httplib::DataSink& sink) {
                         // In pieces that respect no line.
                         for (std::size_t at = 0; at < answer.size(); at += 7)
                           sink.write(answer.data() + at, std::min<std::size_t>(7, answer.size() - at));
                         if (cut) return false;
                         sink.done();
                         return true;
                       });
                 });
    EXPECT_TRUE(server_.bind_to_port(path_, 80));
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    server_.wait_until_ready();
  }
  ~MockServer() {
    server_.stop();
    thread_.join();
    std::filesystem::remove(path_);
  }
  MockServer(const MockServer&) = delete;
  MockServer& operator=(const MockServer&) = delete;

  HttpEngineOptions options() const {
    HttpEngineOptions options;
    options.address = "unix:" + path_;
    return options;
  }

 private:
  std::string path_;
  httplib::Server server_;
  std::thread thread_;
};

constexpr const char* kGood =
    "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"
    ": a comment\n\n"
    "data: {\"choices\":[{\"delta\":{\"content\":\"Two \"}}]}\r\n\r\n"
    "data:{\"choices\":[{\"delta\":{\"content\":\"weeks.\"},\"finish_reason\":null}]}\n\n"
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n"
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\n"
    "data: [DONE]\n\n";

GenerateRequest question() {
  GenerateRequest request;
  request.messages = {{Role::user, "How many?"}};
  return request;
}

TEST(http_engine, a_streamed_answer_arrives_whole_and_piece_by_piece) {
  const MockServer server(kGood);
  const auto engine = HttpEngine::open(server.options());
  ASSERT_TRUE(engine.ok());
  EXPECT_EQ((*engine)->model_name(), "mock");
  EXPECT_EQ((*engine)->context_tokens(), 128);
  EXPECT_EQ(*(*engine)->count_tokens("some text"), 5);
  std::vector<std::string> pieces;
  const auto draft = (*engine)->generate(question(), [&](std::string_view piece) {
    pieces.emplace_back(piece);
    return true;
  });
  ASSERT_TRUE(draft.ok()) << draft.error().line();
  EXPECT_EQ(draft->text, "Two weeks.");
  EXPECT_EQ(pieces, (std::vector<std::string>{"Two ", "weeks."}));
  EXPECT_EQ(draft->finish, FinishReason::length);
  EXPECT_EQ(draft->usage.prompt_tokens, 7);
  EXPECT_EQ(draft->usage.answer_tokens, 3);
}

TEST(http_engine, a_sink_that_has_enough_ends_the_answer) {
  const MockServer server(kGood);
  const auto engine = HttpEngine::open(server.options());
  ASSERT_TRUE(engine.ok());
  const auto draft = (*engine)->generate(question(), [](std::string_view) { return false; });
  ASSERT_TRUE(draft.ok());
  EXPECT_EQ(draft->finish, FinishReason::cancelled);
  EXPECT_EQ(draft->text, "Two ");
}

TEST(http_engine, what_breaks_off_is_an_error_and_never_half_an_answer) {
  for (const auto& [bytes, cut] :
       std::vector<std::pair<std::string, bool>>{{std::string(kGood).substr(0, 150), true},
                                                 {std::string(kGood).substr(0, 150), false},
                                                 {"", false},
                                                 {"", true}}) {
    const MockServer server(bytes, 200, cut);
    const auto engine = HttpEngine::open(server.options());
    ASSERT_TRUE(engine.ok());
    const auto draft = (*engine)->generate(question());
    ASSERT_FALSE(draft.ok()) << bytes;
    EXPECT_EQ(draft.error().kind, Kind::unavailable) << draft.error().line();
  }
}

TEST(http_engine, what_is_no_event_is_refused) {
  for (const char* bytes : {"data: nonsense\n\n", "data: 7\n\n", "data: [[[[[[\n\n"}) {
    const MockServer server(bytes);
    const auto engine = HttpEngine::open(server.options());
    ASSERT_TRUE(engine.ok());
    const auto draft = (*engine)->generate(question());
    ASSERT_FALSE(draft.ok()) << bytes;
    EXPECT_EQ(draft.error().kind, Kind::bad_data);
  }
}

TEST(http_engine, a_refusal_keeps_the_words_of_the_server) {
  const std::string body =
      R"({"error":{"message":"the prompt has 300 tokens","code":"context_length_exceeded"}})";
  const MockServer server(body, 400);
  const auto engine = HttpEngine::open(server.options());
  ASSERT_TRUE(engine.ok());
  const auto draft = (*engine)->generate(question());
  ASSERT_FALSE(draft.ok());
  EXPECT_EQ(draft.error().kind, Kind::out_of_room);
  EXPECT_EQ(draft.error().message, "the prompt has 300 tokens");
}

TEST(http_engine, an_error_in_the_middle_of_a_stream_is_told) {
  const MockServer server(
      "data: {\"choices\":[{\"delta\":{\"content\":\"Two\"}}]}\n\n"
      "data: {\"error\":{\"message\":\"the model was lost\"}}\n\n");
  const auto engine = HttpEngine::open(server.options());
  ASSERT_TRUE(engine.ok());
  const auto draft = (*engine)->generate(question());
  ASSERT_FALSE(draft.ok());
  EXPECT_EQ(draft.error().message, "the model was lost");
}

TEST(http_engine, nobody_there_is_unavailable) {
  HttpEngineOptions options;
  options.address = "unix:/tmp/loam-nobody-is-here.sock";
  const auto engine = HttpEngine::open(options);
  ASSERT_FALSE(engine.ok());
  EXPECT_EQ(engine.error().kind, Kind::unavailable);
}

}  // namespace
}  // namespace loam::engine
