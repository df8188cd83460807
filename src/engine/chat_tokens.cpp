#include "engine/chat_tokens.h"

#include "base/utf8.h"
#include "engine/chat_template.h"
#include "engine/llama_handles.h"

namespace loam::engine {

struct ChatTokens::State {
  std::shared_ptr<LocalModel> model;
  ChatTemplate chat;
};

ChatTokens::ChatTokens(std::unique_ptr<State> state) : state_(std::move(state)) {}
ChatTokens::~ChatTokens() = default;

Result<std::unique_ptr<ChatTokens>> ChatTokens::open(std::shared_ptr<LocalModel> model) {
  const llama_vocab* vocabulary = model->impl().vocabulary;
  const auto text_of = [&](Token token) {
    return token == LLAMA_TOKEN_NULL ? std::string() : piece_of(vocabulary, token, true);
  };
  const std::string source = model->chat_template().value_or(std::string(default_chat_template()));
  auto parsed = ChatTemplate::parse(source, text_of(llama_vocab_bos(vocabulary)),
                                    text_of(llama_vocab_eos(vocabulary)), model->name());
  if (!parsed) return parsed.error();
  return std::unique_ptr<ChatTokens>(
      new ChatTokens(std::make_unique<State>(State{std::move(model), *std::move(parsed)})));
}

Result<std::vector<Token>> ChatTokens::prompt(const std::vector<Message>& messages) const {
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (!is_valid_utf8(messages[i].content)) {
      return Error{Kind::bad_request, "message " + std::to_string(i + 1), "not valid UTF-8",
                   "convert the text to UTF-8"};
    }
  }
  auto parts = state_->chat.render(messages, state_->model->impl().control_tokens);
  if (!parts) return parts.error();
  return encode_parts(*state_->model, *parts);
}

Result<std::vector<Token>> ChatTokens::answer(std::string_view text) const {
  return state_->model->encode(text, AddSpecial::no, ParseSpecial::no);
}

Token ChatTokens::end_of_answer() const {
  const llama_vocab* vocabulary = state_->model->impl().vocabulary;
  const Token turn = llama_vocab_eot(vocabulary);
  return turn != LLAMA_TOKEN_NULL ? turn : llama_vocab_eos(vocabulary);
}

}  // namespace loam::engine
