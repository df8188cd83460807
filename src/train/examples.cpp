#include "train/examples.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "eval/data_file.h"

namespace loam::train {
namespace {

using engine::Message;
using engine::Role;

Result<Example> example_of(const Conversation& conversation, const engine::ChatTokens& chat) {
  Example example;
  example.line = conversation.line;
  const auto append = [&](const std::vector<engine::Token>& tokens, std::size_t from, std::uint8_t counts) {
    example.tokens.insert(example.tokens.end(), tokens.begin() + static_cast<std::ptrdiff_t>(from),
                          tokens.end());
    example.counts.resize(example.tokens.size(), counts);
  };
  for (std::size_t i = 0; i < conversation.messages.size(); ++i) {
    if (conversation.messages[i].role != Role::assistant) continue;
    const std::vector<Message> before(conversation.messages.begin(),
                                      conversation.messages.begin() + static_cast<std::ptrdiff_t>(i));
    auto prompt = chat.prompt(before);
    if (!prompt) return prompt.error();
    std::size_t shared = example.tokens.size();
    if (prompt->size() < shared ||
        !std::equal(example.tokens.begin(), example.tokens.end(), prompt->begin())) {
      example.tokens.clear();
      example.counts.clear();
      shared = 0;
    }
    append(*prompt, shared, 0);
    auto answer = chat.answer(conversation.messages[i].content);
    if (!answer) return answer.error();
    if (chat.end_of_answer() >= 0) answer->push_back(chat.end_of_answer());
    append(*answer, 0, 1);
  }
  return example;
}

}  // namespace

std::size_t Example::counted() const {
  return static_cast<std::size_t>(std::accumulate(counts.begin(), counts.end(), 0));
}

Result<Examples> make_examples(const TrainingData& data, const engine::ChatTokens& chat, int most_tokens) {
  Examples examples;
  eval::SeenRows long_rows;
  std::size_t longest = 0;
  for (std::size_t i = 0; i < data.items.size(); ++i) {
    auto example = example_of(data.items[i], chat);
    if (!example) {
      Error error = example.error();
      error.place = eval::place_of(data.version.file, data.items[i].line);
      return error;
    }
    if (example->tokens.size() > static_cast<std::size_t>(most_tokens)) {
      long_rows.add(example->line);
      longest = std::max(longest, example->tokens.size());
      continue;
    }
    examples.items.push_back(*std::move(example));
    examples.item_of.push_back(i);
  }
  eval::add_note(examples.notes, "over-long",
                 eval::counted(long_rows.count, "row") + " longer than " + std::to_string(most_tokens) +
                     " tokens (the longest has " + std::to_string(longest) + "; --seq-len takes more)",
                 long_rows, eval::Rows::left_out);
  if (examples.items.empty()) {
    return Error{Kind::bad_data, data.version.file,
                 "every row is longer than " + std::to_string(most_tokens) + " tokens; the longest has " +
                     std::to_string(longest),
                 "give a larger --seq-len"};
  }
  return examples;
}

}  // namespace loam::train
