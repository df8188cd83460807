#include "engine/chat_tokens.h"

#include <algorithm>

#include "base/utf8.h"
#include "engine/chat_template.h"
#include "engine/llama_handles.h"

namespace loam::engine {

struct ChatTokens::State {
  std::shared_ptr<LocalModel> model;
  ChatTemplate chat;
  Token end = LLAMA_TOKEN_NULL;
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
  std::unique_ptr<ChatTokens> tokens(
      new ChatTokens(std::make_unique<State>(State{std::move(model), *std::move(parsed)})));
  tokens->state_->end = tokens->find_end();
  return tokens;
}

Token ChatTokens::find_end() const {
  const llama_vocab* vocabulary = state_->model->impl().vocabulary;
  // What the template itself writes behind an answer: models name several tokens that could be meant.
  const auto before = prompt({{Role::user, "a"}});
  const auto said = answer("b");
  const auto after = prompt({{Role::user, "a"}, {Role::assistant, "b"}, {Role::user, "c"}});
  if (before && said && after && after->size() > before->size() + said->size()) {
    std::vector<Token> start = *before;
    start.insert(start.end(), said->begin(), said->end());
    const Token next = (*after)[start.size()];
    if (std::equal(start.begin(), start.end(), after->begin()) && llama_vocab_is_eog(vocabulary, next))
      return next;
  }
  const Token end_of_text = llama_vocab_eos(vocabulary);
  return end_of_text != LLAMA_TOKEN_NULL ? end_of_text : llama_vocab_eot(vocabulary);
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

Token ChatTokens::end_of_answer() const { return state_->end; }

}  // namespace loam::engine
