// Retrieved text is data, never instructions. The fence marks it so and takes away what could end the fence.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace loam::guard {

/// The markers between which outside text stands in a prompt, each on a line of its own. No text that went
/// through fence() holds either of them.
inline constexpr std::string_view kFenceOpen = "<<<";
inline constexpr std::string_view kFenceClose = ">>>";

/// What the fence found and neutralised, for logs and `--show-prompt`.
struct FencedText {
  std::string text;                   ///< safe to place inside a prompt
  std::vector<std::string> findings;  ///< e.g. "control token <|im_end|>", "3 zero-width characters"
};

/// Breaks the models' control tokens (<|...|>, [INST], <s>, ...), drops invisible and bidirectional control
/// characters and U+E0000 tags, and escapes the fence's own markers. Plain text comes back unchanged, and so
/// does fenced text. A joiner between letters of scripts that need it, and an emoji's own selectors, are
/// plain text. Linear time; any thread.
FencedText fence(std::string_view outside_text);

}  // namespace loam::guard
