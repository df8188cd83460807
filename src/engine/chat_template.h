// A model's chat template (Jinja), rendered so that the text of messages stays apart from the template's own
// text. For this room only.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "engine/llama_handles.h"

namespace loam::engine {

inline constexpr std::size_t kLargestTemplateBytes = 128 * 1024;
inline constexpr int kDeepestTemplate =
    64;  ///< nested brackets or blocks; the parser recurses without a limit

/// The template used where a model has none: ChatML.
std::string_view default_chat_template();

/// Immutable; any thread.
class ChatTemplate {
 public:
  /// Fails with bad_data when the template cannot be parsed or is absurdly large or deep.
  static Result<ChatTemplate> parse(const std::string& source, std::string bos_text, std::string eos_text,
                                    std::string place);
  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

  /// The prompt up to where the assistant's answer begins, in parts. `control_tokens` are the texts that must
  /// not act when a message holds them: if the template mixes such a message into its own text in a way that
  /// hides where it came from, this fails with bad_request instead of guessing.
  Result<std::vector<PromptPart>> render(const std::vector<Message>& messages,
                                         std::span<const SpecialToken> control_tokens) const;

 private:
  struct State;
  explicit ChatTemplate(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace loam::engine
