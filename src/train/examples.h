// Conversations as tokens, with the tokens that count: the answers and their ends.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "engine/chat_tokens.h"
#include "train/llama_pass.h"
#include "train/training_data.h"

namespace loam::train {

struct Example {
  std::vector<std::int32_t> tokens;
  std::vector<std::uint8_t> counts;  ///< 1: this token is to be learnt
  std::size_t line = 0;

  std::size_t counted() const;
};

struct Examples {
  std::vector<Example> items;
  std::vector<std::size_t> item_of;   ///< which Conversation of the data each is
  std::vector<eval::DataNote> notes;  ///< what was left out for its length
};

/// The tokens that the model will read and write when it is served: prompts through its chat template, each
/// answer followed by its end-of-turn token. A conversation longer than `most_tokens` is left out and told
/// with its line, never cut. Where a template writes a later prompt so that an earlier one is no longer its
/// beginning, only the last answer is learnt.
Result<Examples> make_examples(const TrainingData& data, const engine::ChatTokens& chat, int most_tokens);

}  // namespace loam::train
