// A language model as a classifier: how likely does it find each label as the answer? No text is generated,
// so every answer is one of the labels, and every label gets a probability.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"

namespace loam::tasks {

/// What is done against a model's liking for some labels whatever the text (Zhao et al., "Calibrate Before
/// Use", ICML 2021): the label's likelihood is divided by the one it gets after a text without content.
enum class Calibration : std::uint8_t {
  none,
  once,         ///< measured once, with the fixed part of the prompt and no examples
  each_prompt,  ///< measured again with the examples of each text: as in the paper, at (1 + N) times the cost
};

struct LabelOptions {
  std::string instruction;  ///< what the model is told; empty: ours. The label list follows it
  Calibration calibration = Calibration::once;
  std::vector<std::string> content_free = {"N/A", "", "[MASK]"};  ///< the paper's; their mean is taken
  int most_labels = 256;   ///< scored for one text; time grows in proportion
  int most_listed = 100;   ///< labels named in the prompt; with more, none is, and only scoring knows them
  int most_examples = 32;  ///< shown before the text, as many as fit
  int most_example_share = 2;  ///< examples take at most 1/N of the context
};

/// A training text shown to the model with its label.
struct LabelExample {
  std::string text;
  int label = 0;
};

/// What one classification cost, and what was left out to make it fit.
struct LabelUsage {
  std::uint64_t prompt_tokens = 0;  ///< of all prompts, content-free ones included; the engine may have kept
                                    ///< the beginning of some from the call before
  std::uint64_t label_tokens = 0;   ///< of the labels scored
  int calls = 0;                    ///< of Engine::score
  int labels_scored = 0;            ///< the rest got probability 0
  int examples_shown = 0;
  std::uint64_t tokens() const { return prompt_tokens + label_tokens; }
};

/// What is asked of the model, prepared once for a set of labels. Belongs to the engine it was prepared with.
class LabelPrompt {
 public:
  /// Fails with bad_request for fewer than two labels, an empty label or two that read the same; with
  /// out_of_room when not even a short text fits beside the longest label; with unavailable when the engine
  /// gives no log-probabilities. Runs the model for Calibration::once.
  static Result<LabelPrompt> prepare(engine::Engine& engine, std::vector<std::string> labels,
                                     const LabelOptions& options = {}, std::stop_token stop = {});

  const std::vector<std::string>& labels() const;
  /// As the model reads it: "card_arrival" becomes "card arrival".
  const std::string& said(int label) const;
  /// Are the labels named in the prompt?
  bool lists_labels() const;
  const LabelUsage& preparation() const;
  const LabelOptions& options() const;

  struct State;
  const State& state() const { return *state_; }

 private:
  explicit LabelPrompt(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

/// What the caller knows of one text.
struct LabelHints {
  /// Nearest first. Those that fit are shown, nearest to the text last; none: zero-shot.
  std::span<const LabelExample> examples;
  /// Labels worth scoring, likeliest first: used when there are more than most_labels, before the labels of
  /// the examples and those that share words with the text. Empty: the caller does not know.
  std::span<const int> candidates;
};

/// One probability per label, in the order of prompt.labels(); they sum to 1. A label that was not scored has
/// 0. Fails with out_of_room, naming both numbers, when the text does not fit even without examples: a text
/// is never cut; with bad_request for text that is not UTF-8; with unavailable when stopped. `usage` is added
/// to.
Result<std::vector<float>> label_probabilities(engine::Engine& engine, const LabelPrompt& prompt,
                                               std::string_view text, const LabelHints& hints = {},
                                               LabelUsage* usage = nullptr, std::stop_token stop = {});

}  // namespace loam::tasks
