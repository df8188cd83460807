// The worker with a real (tiny) model, talked to by the engine that the front uses.
#include "server/worker.h"

#include <cpp-httplib/httplib.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "engine/http_engine.h"
#include "server/turns.h"

namespace loam::server {
namespace {

/// Says the words of the question, one by one, and can be told to wait.
class EchoEngine final : public engine::Engine {
 public:
  std::atomic<int> running{0}, most{0}, calls{0};
  std::atomic<bool> hold{false};

  const std::string& model_name() const override { return name_; }
  int context_tokens() const override { return 64; }
  Result<int> count_tokens(std::string_view text) override { return static_cast<int>(text.size()); }
  Result<int> count_tokens(const std::vector<engine::Message>&) override { return 4; }
  Result<std::string> render(const std::vector<engine::Message>& messages) override {
    return messages.back().content;
  }
  Result<engine::Draft> generate(const engine::GenerateRequest& request, const engine::TextSink& sink,
                                 std::stop_token) override {
    ++calls;
    most = std::max<int>(most, ++running);
    while (hold) std::this_thread::yield();
    engine::Draft draft;
    if (request.messages.back().content == "fail") {
      --running;
      return Error{Kind::out_of_room, "the prompt", "it is too long", ""};
    }
    for (const std::string piece : {"one ", "two"}) {
      draft.text += piece;
      if (sink && !sink(piece)) {
        draft.finish = engine::FinishReason::cancelled;
        break;
      }
    }
    draft.usage.prompt_tokens = 4;
    draft.usage.answer_tokens = request.max_tokens;
    --running;
    return draft;
  }

 private:
  std::string name_ = "echo";
};

class WorkerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.socket = "/tmp/loam-worker-test-" + std::to_string(::getpid()) + ".sock";
    options_.waiting = 1;
    worker_ = std::make_unique<Worker>(engine_, nullptr, options_);
    ASSERT_TRUE(worker_->open().ok());
    thread_ = std::thread([this] { worker_->run(); });
    for (int i = 0; i < 1000 && !client()->Get("/health"); ++i) std::this_thread::yield();
  }
  void TearDown() override {
    engine_.hold = false;
    worker_->stop();
    thread_.join();
  }
  std::unique_ptr<httplib::Client> client() const {
    auto made = std::make_unique<httplib::Client>(options_.socket.string());
    made->set_address_family(AF_UNIX);
    return made;
  }
  httplib::Result chat(const std::string& members) const {
    return client()->Post("/v1/chat/completions",
                          R"({"model":"echo","messages":[{"role":"user","content":"hi"}])" + members + "}",
                          "application/json");
  }

  EchoEngine engine_;
  WorkerOptions options_;
  std::unique_ptr<Worker> worker_;
  std::thread thread_;
};

TEST_F(WorkerTest, the_socket_is_for_this_user_alone) {
  const auto rights = std::filesystem::status(options_.socket).permissions();
  EXPECT_EQ(rights & (std::filesystem::perms::group_all | std::filesystem::perms::others_all),
            std::filesystem::perms::none);
}

TEST_F(WorkerTest, the_engine_of_the_front_gets_what_the_model_says) {
  engine::HttpEngineOptions options;
  options.address = "unix:" + options_.socket.string();
  const auto front = engine::HttpEngine::open(options);
  ASSERT_TRUE(front.ok()) << front.error().line();
  EXPECT_EQ((*front)->model_name(), "echo");
  EXPECT_EQ((*front)->context_tokens(), 64);
  EXPECT_EQ(*(*front)->count_tokens("12345"), 5);
  EXPECT_EQ(*(*front)->render({{engine::Role::user, "hello"}}), "hello");
  engine::GenerateRequest request;
  request.messages = {{engine::Role::user, "hi"}};
  request.max_tokens = 9;
  const auto draft = (*front)->generate(request);
  ASSERT_TRUE(draft.ok()) << draft.error().line();
  EXPECT_EQ(draft->text, "one two");
  EXPECT_EQ(draft->usage.answer_tokens, 9);
  request.messages = {{engine::Role::user, "fail"}};
  const auto failed = (*front)->generate(request);
  ASSERT_FALSE(failed.ok());
  EXPECT_NE(failed.error().message.find("too long"), std::string::npos);
}

TEST_F(WorkerTest, without_a_limit_the_answer_may_fill_the_context) {
  const auto answer = chat("");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_NE(answer->body.find("\"completion_tokens\":60"), std::string::npos) << answer->body;
}

// proves P-SERVE-05
TEST_F(WorkerTest, a_full_queue_is_told_at_once_and_the_rest_is_served) {
  engine_.hold = true;
  std::vector<std::thread> threads;
  std::atomic<int> served{0};
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      const auto answer = chat("");
      served += answer && answer->status == 200 ? 1 : 0;
    });
    // The first is at the model, the second waits.
    for (bool there = false; !there;) {
      const auto info = client()->Get("/loam/info");
      there = info && info->body.find("\"present\":" + std::to_string(i + 1)) != std::string::npos;
    }
  }
  const auto refused = chat("");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 429);
  EXPECT_EQ(refused->get_header_value("Retry-After"), "1");
  engine_.hold = false;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(served, 2);
  EXPECT_EQ(engine_.most, 1);  // never two at the model
  const auto after = chat("");
  ASSERT_TRUE(after);
  EXPECT_EQ(after->status, 200);
}

TEST_F(WorkerTest, a_mistake_never_reaches_the_model) {
  const auto refused = client()->Post("/v1/chat/completions", R"({"model":"echo"})", "application/json");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 400);
  EXPECT_NE(refused->body.find("\"param\":\"messages\""), std::string::npos);
  EXPECT_EQ(engine_.calls, 0);
}

TEST(turns, who_hangs_up_leaves_the_queue) {
  Turns turns(1);
  ASSERT_EQ(turns.enter({}), Turns::Entry::granted);
  EXPECT_EQ(turns.enter([] { return true; }), Turns::Entry::gone);
  EXPECT_EQ(turns.present(), 1);
  turns.leave();
  EXPECT_EQ(turns.present(), 0);
  turns.close();
  EXPECT_EQ(turns.enter({}), Turns::Entry::closed);
}

}  // namespace
}  // namespace loam::server
