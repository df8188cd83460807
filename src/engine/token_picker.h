// Chooses the next token from a row of logits: greedy or sampled, penalised, constrained by a grammar.
// For this room only.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "engine/llama_handles.h"
#include "engine/llama_log.h"

namespace loam::engine {

/// Tokens of the answer that the repeat penalty looks back on. The prompt does not count: an answer from
/// documents must be free to repeat their words.
inline constexpr int kPenaltyWindow = 64;

class TokenPicker {
 public:
  /// Fails with bad_request when a number is out of range or the grammar or schema is refused.
  static Result<TokenPicker> make(const LocalModel& model, const GenerateRequest& request,
                                  const LlamaLogScope& log);

  struct Pick {
    Token token = 0;
    float probability = 0;                  ///< filled only when alternatives are asked for, as are they
    std::vector<Alternative> alternatives;  ///< best first
  };
  /// `logits` has one entry per token of the vocabulary.
  Result<Pick> pick(std::span<const float> logits);

 private:
  TokenPicker() = default;
  Token greedy(std::span<const float> logits) const;
  /// Runs the chain over all tokens, or over those that the grammar allows.
  Result<Token> sampled(std::span<const float> logits, bool grammar_first);
  bool grammar_allows(Token token);
  void fill(std::span<const float> logits);
  void report(std::span<const float> logits, Pick& pick) const;

  const llama_vocab* vocabulary_ = nullptr;
  std::vector<Token> suppressed_;  ///< tokens that the model's file forbids
  llama_sampler_ptr chain_;        ///< absent: plain greedy
  llama_sampler_ptr grammar_;      ///< absent: free text
  bool greedy_ = true;
  int top_alternatives_ = 0;
  std::vector<llama_token_data> candidates_;
};

}  // namespace loam::engine
