// The chain: pre-prompt + memory + contextual passages + user prompt = final prompt, within the token budget.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/passage.h"
#include "base/result.h"
#include "engine/engine.h"

namespace loam::prompt {

/// A named pre-prompt: a text file with the instructions that open every prompt.
struct PrePrompt {
  std::string name;
  std::string text;
};

/// Built-in pre-prompts, overridden by files `<name>.txt` in `folder`. Unknown name: bad_request with the
/// names there are.
Result<PrePrompt> load_pre_prompt(const std::string& name, const std::filesystem::path& folder);
std::vector<std::string> pre_prompt_names(const std::filesystem::path& folder);

struct Budget {
  int context_tokens = 0;  ///< what the engine has
  int answer_tokens = 0;   ///< kept free for the answer
};

struct Prompt {
  std::vector<engine::Message> messages;
  std::vector<Hit> shown;          ///< the passages that fitted, in prompt order; claims may cite only these
  std::vector<Hit> left_out;       ///< the ones that did not fit: said aloud, never cut
  std::vector<std::string> notes;  ///< fence findings, dropped memory turns
  int tokens = 0;                  ///< of the rendered prompt
};

/// Pre-prompt and question must fit beside the answer, else out_of_room with both numbers; then memory (whole
/// exchanges, newest first, in at most a quarter of the room, so that an old chat never crowds out the
/// evidence) and passages (best first, each whole or not at all) are added while they fit. Passages, their
/// names, memory and question go through guard::fence(); only the pre-prompt goes in as written. The passages
/// stand before the question, numbered from 1, each with its source and heading.
Result<Prompt> build(engine::Engine& engine, const PrePrompt& pre_prompt,
                     const std::vector<engine::Message>& memory, const std::vector<Hit>& hits,
                     const std::string& question, const Budget& budget);

}  // namespace loam::prompt
