// A model's chat template and tokenizer without its weights: the very tokens that LocalEngine would read, for
// whoever trains on conversations.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "engine/local_model.h"

namespace loam::engine {

/// Immutable; any thread.
class ChatTokens {
 public:
  /// `model` may be opened with Load::vocabulary_only. Fails with bad_data when its template cannot be used.
  static Result<std::unique_ptr<ChatTokens>> open(std::shared_ptr<LocalModel> model);
  ~ChatTokens();

  /// As LocalEngine::prompt_tokens: the chat up to where the assistant's answer begins. What a message says
  /// about control tokens stays plain text.
  Result<std::vector<Token>> prompt(const std::vector<Message>& messages) const;
  /// An answer's own tokens; text that looks like a control token is plain text.
  Result<std::vector<Token>> answer(std::string_view text) const;
  /// The token with which the model ends an answer: its end of turn, else its end of text; negative when it
  /// has neither.
  Token end_of_answer() const;

 private:
  struct State;
  explicit ChatTokens(std::unique_ptr<State> state);
  Token find_end() const;
  std::unique_ptr<State> state_;
};

}  // namespace loam::engine
