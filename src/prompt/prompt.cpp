#include "prompt/prompt.h"

#include <algorithm>

#include "guard/fence.h"

namespace loam::prompt {
namespace {

using engine::Message;
using engine::Role;

/// Fences outside text and keeps what was found, with where it was.
std::string fenced(std::string_view text, const std::string& place, std::vector<std::string>& notes) {
  guard::FencedText safe = guard::fence(text);
  for (const std::string& finding : safe.findings) notes.push_back(place + ": " + finding + " made harmless");
  return std::move(safe.text);
}

/// Names and headings stand on one line, without the character that separates them.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char byte) { return byte == '\n' || byte == '\r' || byte == '\t'; }, ' ');
  return text;
}

struct Rendered {
  std::string text;
  std::vector<std::string> notes;
};

Rendered render_passage(const Hit& hit, std::size_t number) {
  Rendered rendered;
  const std::string place =
      "passage " + std::to_string(number) + " (" + one_line(guard::fence(hit.source).text) + ")";
  rendered.text = std::string(guard::kFenceOpen) + " passage " + std::to_string(number) + ", from " +
                  one_line(fenced(hit.source, place, rendered.notes));
  if (hit.passage.page) rendered.text += ", page " + std::to_string(*hit.passage.page);
  if (!hit.passage.heading_path.empty()) {
    rendered.text += ", " + one_line(fenced(hit.passage.heading_path, place, rendered.notes));
  }
  rendered.text += "\n" + fenced(hit.passage.text, place, rendered.notes);
  if (rendered.text.back() != '\n') rendered.text += '\n';
  rendered.text += std::string(guard::kFenceClose) + "\n";
  return rendered;
}

std::vector<Message> assemble(const PrePrompt& pre_prompt, const std::vector<Message>& memory,
                              const std::string& passages, const std::string& question) {
  std::vector<Message> messages;
  if (!pre_prompt.text.empty()) messages.push_back({Role::system, pre_prompt.text});
  messages.insert(messages.end(), memory.begin(), memory.end());
  messages.push_back({Role::user, passages.empty() ? question : passages + "\nQuestion: " + question});
  return messages;
}

/// Whole exchanges: what a person said, and what was answered. Anything that does not fit this pattern is
/// left out, because chat templates refuse it.
std::vector<std::vector<Message>> exchanges_of(const std::vector<Message>& memory,
                                               std::vector<std::string>& notes) {
  std::vector<std::vector<Message>> exchanges;
  std::size_t dropped = 0;
  for (std::size_t i = 0; i < memory.size(); ++i) {
    const bool whole =
        memory[i].role == Role::user && i + 1 < memory.size() && memory[i + 1].role == Role::assistant;
    if (!whole) {
      ++dropped;
      continue;
    }
    std::vector<Message> exchange;
    for (const Message& turn : {memory[i], memory[i + 1]}) {
      exchange.push_back({turn.role, fenced(turn.content, "memory", notes)});
    }
    exchanges.push_back(std::move(exchange));
    ++i;
  }
  if (dropped > 0) {
    notes.push_back("memory: " + std::to_string(dropped) + " turn(s) without their counterpart left out");
  }
  return exchanges;
}

}  // namespace

Result<Prompt> build(engine::Engine& engine, const PrePrompt& pre_prompt,
                     const std::vector<engine::Message>& memory, const std::vector<Hit>& hits,
                     const std::string& question, const Budget& budget) {
  Prompt prompt;
  const int room = budget.context_tokens - budget.answer_tokens;
  const std::string asked = fenced(question, "question", prompt.notes);

  // What must be there: pre-prompt and question.
  prompt.messages = assemble(pre_prompt, {}, "", asked);
  const Result<int> least = engine.count_tokens(prompt.messages);
  if (!least) return least.error();
  if (*least > room) {
    return Error{Kind::out_of_room, "prompt",
                 "pre-prompt and question need " + std::to_string(*least) + " tokens, but the context of " +
                     std::to_string(budget.context_tokens) + " leaves " + std::to_string(std::max(room, 0)) +
                     " beside " + std::to_string(budget.answer_tokens) + " for the answer",
                 "shorten the question, ask for a shorter answer, or open the model with a larger context"};
  }
  prompt.tokens = *least;

  // Memory, newest first, without gaps.
  std::vector<Message> kept;
  std::vector<std::vector<Message>> exchanges = exchanges_of(memory, prompt.notes);
  const int memory_room = *least + (room - *least) / 4;
  std::size_t remembered = 0;
  while (remembered < exchanges.size()) {
    std::vector<Message> more = exchanges[exchanges.size() - 1 - remembered];
    more.insert(more.end(), kept.begin(), kept.end());
    std::vector<Message> messages = assemble(pre_prompt, more, "", asked);
    const Result<int> tokens = engine.count_tokens(messages);
    if (!tokens) return tokens.error();
    if (*tokens > memory_room) break;
    kept = std::move(more);
    prompt.messages = std::move(messages);
    prompt.tokens = *tokens;
    ++remembered;
  }
  if (remembered < exchanges.size()) {
    prompt.notes.push_back("memory: the oldest " + std::to_string(exchanges.size() - remembered) + " of " +
                           std::to_string(exchanges.size()) + " exchanges did not fit and are left out");
  }

  // Passages, best first. One that is too long does not keep out a shorter one behind it.
  std::string passages;
  for (const Hit& hit : hits) {
    Rendered passage = render_passage(hit, prompt.shown.size() + 1);
    std::vector<Message> messages = assemble(pre_prompt, kept, passages + passage.text, asked);
    const Result<int> tokens = engine.count_tokens(messages);
    if (!tokens) return tokens.error();
    if (*tokens > room) {
      prompt.left_out.push_back(hit);
      continue;
    }
    passages += passage.text;
    prompt.messages = std::move(messages);
    prompt.tokens = *tokens;
    prompt.shown.push_back(hit);
    prompt.notes.insert(prompt.notes.end(), passage.notes.begin(), passage.notes.end());
  }
  if (!prompt.left_out.empty()) {
    prompt.notes.push_back(std::to_string(prompt.left_out.size()) + " of " + std::to_string(hits.size()) +
                           " passages did not fit and are left out");
  }
  return prompt;
}

}  // namespace loam::prompt
