// For tests: an engine whose answers a function makes, and which counts a token for each word.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"

namespace loam::tasks::testing {

class TalkingEngine final : public engine::Engine {
 public:
  using Says = std::function<std::string(const std::string& last_message)>;
  explicit TalkingEngine(Says says, int context = 4096) : says_(std::move(says)), context_(context) {}

  const std::string& model_name() const override { return name_; }
  int context_tokens() const override { return context_; }
  Result<int> count_tokens(std::string_view text) override {
    int words = 0;
    bool inside = false;
    for (const char c : text) {
      const bool blank = c == ' ' || c == '\n';
      if (!blank && !inside) ++words;
      inside = !blank;
    }
    return words;
  }
  Result<int> count_tokens(const std::vector<engine::Message>& messages) override {
    int tokens = 0;
    for (const engine::Message& message : messages) tokens += 4 + *count_tokens(message.content);
    return tokens;
  }
  Result<std::string> render(const std::vector<engine::Message>&) override { return std::string(); }
  Result<engine::Draft> generate(const engine::GenerateRequest& request, const engine::TextSink& sink,
                                 std::stop_token) override {
    const int prompt = *count_tokens(request.messages);
    if (prompt + request.max_tokens > context_)
      return Error{Kind::out_of_room, "talking", "does not fit", "shorten it"};
    asked.push_back(request.messages.back().content);
    engine::Draft draft;
    draft.text = says_(asked.back());
    draft.usage.prompt_tokens = prompt;
    draft.usage.answer_tokens = *count_tokens(draft.text);
    if (sink) sink(draft.text);
    if (after_each) after_each();
    return draft;
  }
  Result<std::vector<engine::ContinuationScore>> score(const engine::ScoreRequest& request,
                                                       std::stop_token) override {
    std::vector<engine::ContinuationScore> scores;
    for (const std::string& continuation : request.continuations) {
      engine::ContinuationScore one;
      one.log_probability = likes ? likes(request.messages.back().content, continuation) : -1.0;
      one.tokens = 1;
      scores.push_back(one);
    }
    return scores;
  }

  std::vector<std::string> asked;
  std::function<void()> after_each;
  std::function<double(const std::string& question, const std::string& answer)> likes;

 private:
  Says says_;
  int context_;
  std::string name_ = "talking";
};

/// What stands between the fence's marks of a prompt.
inline std::string fenced_part(const std::string& message) {
  const std::size_t open = message.find("<<<\n"), close = message.find("\n>>>");
  return open == std::string::npos || close == std::string::npos ? ""
                                                                 : message.substr(open + 4, close - open - 4);
}

}  // namespace loam::tasks::testing
