#include "tasks/label_llm.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "base/utf8.h"

namespace loam::tasks {

struct LabelPrompt::State {
  std::vector<std::string> labels, said;
  std::vector<std::set<std::string>> words;  ///< of each label as said, lower case
  std::vector<double> log_prior;             ///< after texts without content; empty: not measured
  std::string system;
  bool lists_labels = false;
  int longest_label_tokens = 0;
  int example_overhead_tokens = 0;  ///< what the template adds around one example
  std::string model;
  LabelUsage preparation;
  LabelOptions options;
};

namespace {

using engine::Message;
using engine::Role;

constexpr std::string_view kListed =
    "Classify the text into exactly one of the categories below. Answer with the name of the category and "
    "nothing else.";
constexpr std::string_view kUnlisted =
    "Classify the text. Answer with the name of its category and nothing else.";
constexpr int kShortText = 16;  // tokens: a prompt without room for so many is of no use

Error unusable(std::string place, std::string message, std::string next_step) {
  return Error{Kind::bad_request, std::move(place), std::move(message), std::move(next_step)};
}

/// White space runs and control characters to one space, none at the ends: a label stays on its line.
std::string on_one_line(std::string_view text, std::string_view also_space) {
  std::string line;
  bool gap = false;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text.substr(at));
    const std::string_view bytes = text.substr(at, point.size);
    at += point.size;
    const bool space = is_space(point.value) || point.value < 0x20 || point.value == 0x7F ||
                       (bytes.size() == 1 && also_space.find(bytes.front()) != std::string_view::npos);
    if (space) {
      gap = !line.empty();
      continue;
    }
    if (gap) line += ' ';
    gap = false;
    line += bytes;
  }
  return line;
}

std::set<std::string> words_of(std::string_view text) {
  std::set<std::string> words;
  std::string word;
  const auto finish = [&] {
    if (!word.empty()) words.insert(std::move(word));
    word.clear();
  };
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text.substr(at));
    at += point.size;
    if (is_letter_or_digit(point.value)) {
      append_utf8(word, to_lower(point.value));
    } else {
      finish();
    }
  }
  finish();
  return words;
}

/// How labels are said: identifiers in words, where that keeps them apart.
Result<std::vector<std::string>> said_labels(const std::vector<std::string>& labels) {
  std::vector<std::string> plain, spaced;
  std::map<std::string, int> count;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::string place = "label " + std::to_string(i + 1);
    if (!is_valid_utf8(labels[i])) return unusable(place, "not valid UTF-8", "convert the data to UTF-8");
    plain.push_back(on_one_line(labels[i], ""));
    spaced.push_back(on_one_line(labels[i], "_"));
    if (plain.back().empty()) return unusable(place, "it is empty", "give every class a name");
    if (spaced.back().empty()) spaced.back() = plain.back();
    ++count[spaced.back()];
  }
  std::vector<std::string> said;
  std::map<std::string, std::size_t> taken;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    said.push_back(count[spaced[i]] == 1 ? spaced[i] : plain[i]);
    const auto [other, fresh] = taken.emplace(said.back(), i);
    if (!fresh) {
      return unusable("label \"" + plain[i] + "\"",
                      "the model cannot tell it from \"" + plain[other->second] + "\"",
                      "give the two classes names that differ, or merge them");
    }
  }
  return said;
}

std::vector<Message> messages_of(const LabelPrompt::State& state, std::string_view text,
                                 std::span<const LabelExample* const> examples) {
  std::vector<Message> messages = {{Role::system, state.system}};
  for (const LabelExample* example : examples) {
    messages.push_back({Role::user, "Text: " + example->text});
    messages.push_back({Role::assistant, state.said[static_cast<std::size_t>(example->label)]});
  }
  messages.push_back({Role::user, "Text: " + std::string(text)});
  return messages;
}

double log_sum(const std::vector<double>& logs) {
  const double top = *std::max_element(logs.begin(), logs.end());
  double sum = 0;
  for (const double value : logs) sum += std::exp(value - top);
  return top + std::log(sum);
}

/// Log-likelihood of each of `which` labels as the answer, normalised over them.
Result<std::vector<double>> log_shares(engine::Engine& engine, const LabelPrompt::State& state,
                                       const std::vector<Message>& messages, std::span<const int> which,
                                       LabelUsage& usage, const std::stop_token& stop) {
  auto tokens = engine.count_tokens(messages);
  if (!tokens) return tokens.error();
  engine::ScoreRequest request;
  request.messages = messages;
  for (const int label : which) request.continuations.push_back(state.said[static_cast<std::size_t>(label)]);
  auto scores = engine.score(request, stop);
  if (!scores) return scores.error();
  if (scores->size() != which.size()) {
    return Error{Kind::our_bug, engine.model_name(), "the engine scored another number of labels", ""};
  }
  ++usage.calls;
  usage.prompt_tokens += static_cast<std::uint64_t>(*tokens);
  std::vector<double> logs;
  for (const engine::ContinuationScore& score : *scores) {
    if (!std::isfinite(score.log_probability)) {
      return Error{Kind::bad_data, engine.model_name(), "a log-probability is not a number",
                   "check the model file: loam models show"};
    }
    usage.label_tokens += static_cast<std::uint64_t>(score.tokens);
    logs.push_back(score.log_probability);
  }
  const double all = log_sum(logs);
  for (double& value : logs) value -= all;
  return logs;
}

/// The log of the mean share that each label gets after texts without content.
Result<std::vector<double>> log_prior(engine::Engine& engine, const LabelPrompt::State& state,
                                      std::span<const LabelExample* const> examples,
                                      std::span<const int> which, LabelUsage& usage,
                                      const std::stop_token& stop) {
  std::vector<std::vector<double>> by_label(which.size());
  for (const std::string& nothing : state.options.content_free) {
    auto shares = log_shares(engine, state, messages_of(state, nothing, examples), which, usage, stop);
    if (!shares) return shares.error();
    for (std::size_t i = 0; i < which.size(); ++i) by_label[i].push_back((*shares)[i]);
  }
  std::vector<double> prior;
  for (const std::vector<double>& logs : by_label)
    prior.push_back(log_sum(logs) - std::log(static_cast<double>(logs.size())));
  return prior;
}

std::vector<int> all_labels(const LabelPrompt::State& state) {
  std::vector<int> all(state.labels.size());
  std::iota(all.begin(), all.end(), 0);
  return all;
}

/// The labels that are scored for one text: all, or the likeliest by what is known without the model.
std::vector<int> shortlist(const LabelPrompt::State& state, std::string_view text, const LabelHints& hints) {
  const auto most = static_cast<std::size_t>(std::max(2, state.options.most_labels));
  if (state.labels.size() <= most) return all_labels(state);
  std::vector<int> chosen;
  std::vector<bool> is_chosen(state.labels.size(), false);
  const auto choose = [&](int label) {
    if (chosen.size() < most && !is_chosen[static_cast<std::size_t>(label)]) {
      is_chosen[static_cast<std::size_t>(label)] = true;
      chosen.push_back(label);
    }
  };
  for (const int label : hints.candidates) choose(label);
  for (const LabelExample& example : hints.examples) choose(example.label);
  const std::set<std::string> words = words_of(text);
  std::vector<std::pair<double, int>> ranked;
  for (std::size_t i = 0; i < state.labels.size(); ++i) {
    const std::set<std::string>& of_label = state.words[i];
    const auto shared = std::count_if(of_label.begin(), of_label.end(),
                                      [&](const std::string& word) { return words.contains(word); });
    const auto size = static_cast<double>(std::max<std::size_t>(1, of_label.size()));
    ranked.emplace_back(-static_cast<double>(shared) / size, static_cast<int>(i));
  }
  std::sort(ranked.begin(), ranked.end());
  for (const auto& [unused, label] : ranked) choose(label);
  return chosen;
}

Result<void> check_label(int label, std::size_t count, const char* what) {
  if (label < 0 || static_cast<std::size_t>(label) >= count) {
    return unusable(what, "label " + std::to_string(label) + " is not one of " + std::to_string(count),
                    "use indexes of the prompt's labels");
  }
  return done();
}

/// The examples that fit before the text, farthest first.
Result<std::vector<const LabelExample*>> examples_that_fit(engine::Engine& engine,
                                                           const LabelPrompt::State& state,
                                                           std::string_view text,
                                                           std::span<const LabelExample> examples) {
  const int context = engine.context_tokens();
  const auto bare = engine.count_tokens(messages_of(state, text, {}));
  if (!bare) return bare.error();
  if (*bare + state.longest_label_tokens > context) {
    return Error{Kind::out_of_room, engine.model_name(),
                 "a prompt of " + std::to_string(*bare) + " tokens and a label of " +
                     std::to_string(state.longest_label_tokens) + " exceed the context of " +
                     std::to_string(context),
                 "shorten the text, or open the model with a larger context"};
  }
  int room = std::min(context - *bare - state.longest_label_tokens,
                      context / std::max(1, state.options.most_example_share));
  std::vector<const LabelExample*> fitting;
  for (const LabelExample& example : examples) {
    if (static_cast<int>(fitting.size()) >= state.options.most_examples) break;
    if (!is_valid_utf8(example.text)) continue;
    auto tokens = engine.count_tokens(example.text);
    if (!tokens) return tokens.error();
    auto label = engine.count_tokens(state.said[static_cast<std::size_t>(example.label)]);
    if (!label) return label.error();
    const int size = *tokens + *label + state.example_overhead_tokens;
    if (size > room) continue;  // a shorter one, less near, may fit
    room -= size;
    fitting.push_back(&example);
  }
  std::reverse(fitting.begin(), fitting.end());
  // Counted in parts, tokens at the borders can differ by a few: the whole has the last word.
  while (!fitting.empty()) {
    auto whole = engine.count_tokens(messages_of(state, text, fitting));
    if (!whole) return whole.error();
    if (*whole + state.longest_label_tokens <= context) break;
    fitting.erase(fitting.begin());
  }
  return fitting;
}

}  // namespace

const std::vector<std::string>& LabelPrompt::labels() const { return state_->labels; }
const std::string& LabelPrompt::said(int label) const {
  return state_->said[static_cast<std::size_t>(label)];
}
bool LabelPrompt::lists_labels() const { return state_->lists_labels; }
const LabelUsage& LabelPrompt::preparation() const { return state_->preparation; }
const LabelOptions& LabelPrompt::options() const { return state_->options; }

Result<LabelPrompt> LabelPrompt::prepare(engine::Engine& engine, std::vector<std::string> labels,
                                         const LabelOptions& options, std::stop_token stop) {
  if (labels.size() < 2) {
    return unusable("labels", "there is " + std::string(labels.empty() ? "none" : "only one"),
                    "give data with at least two classes");
  }
  if (options.calibration != Calibration::none && options.content_free.empty()) {
    return unusable("content_free", "calibration needs at least one text without content",
                    "leave the default, or turn calibration off");
  }
  auto said = said_labels(labels);
  if (!said) return said.error();
  auto state = std::make_shared<State>();
  state->labels = std::move(labels);
  state->said = *std::move(said);
  state->options = options;
  state->model = engine.model_name();
  for (const std::string& label : state->said) {
    state->words.push_back(words_of(label));
    auto tokens = engine.count_tokens(label);
    if (!tokens) return tokens.error();
    // One more than counted: the token at the border to the prompt can be cut differently.
    state->longest_label_tokens = std::max(state->longest_label_tokens, *tokens + 1);
  }

  // The list stands in the prompt's first part, which every text shares: read once, kept by the engine.
  std::string listed = options.instruction.empty() ? std::string(kListed) : options.instruction;
  for (const std::string& label : state->said) listed += "\n" + label;
  state->system = listed;
  const int context = engine.context_tokens();
  auto with_list = engine.count_tokens(messages_of(*state, "", {}));
  if (!with_list) return with_list.error();
  state->lists_labels = static_cast<int>(state->said.size()) <= options.most_listed &&
                        *with_list + state->longest_label_tokens <= context / 2;
  if (!state->lists_labels)
    state->system = options.instruction.empty() ? std::string(kUnlisted) : options.instruction;
  auto bare = engine.count_tokens(messages_of(*state, "", {}));
  if (!bare) return bare.error();
  if (*bare + kShortText + state->longest_label_tokens > context) {
    return Error{Kind::out_of_room, engine.model_name(),
                 "a prompt of " + std::to_string(*bare) + " tokens without any text, and a label of " +
                     std::to_string(state->longest_label_tokens) + ", leave no room in the context of " +
                     std::to_string(context),
                 "shorten the instruction or the labels, or open the model with a larger context"};
  }
  const LabelExample nothing;
  const LabelExample* const one[] = {&nothing};
  auto with_example = engine.count_tokens(messages_of(*state, "", one));
  auto first_label = engine.count_tokens(state->said.front());
  if (!with_example) return with_example.error();
  if (!first_label) return first_label.error();
  state->example_overhead_tokens = std::max(1, *with_example - *bare - *first_label);

  if (options.calibration == Calibration::once) {
    const std::vector<int> all = all_labels(*state);
    auto prior = log_prior(engine, *state, {}, all, state->preparation, stop);
    if (!prior) return prior.error();
    state->log_prior = *std::move(prior);
    state->preparation.labels_scored = static_cast<int>(all.size());
  }
  return LabelPrompt(std::move(state));
}

Result<std::vector<float>> label_probabilities(engine::Engine& engine, const LabelPrompt& prompt,
                                               std::string_view text, const LabelHints& hints,
                                               LabelUsage* usage, std::stop_token stop) {
  const LabelPrompt::State& state = prompt.state();
  if (engine.model_name() != state.model) {
    return unusable(engine.model_name(), "the prompt was prepared with " + state.model,
                    "prepare it with the engine that is used");
  }
  if (!is_valid_utf8(text)) return unusable("text", "not valid UTF-8", "convert the data to UTF-8");
  for (const int label : hints.candidates) {
    if (auto ok = check_label(label, state.labels.size(), "candidates"); !ok) return ok.error();
  }
  for (const LabelExample& example : hints.examples) {
    if (auto ok = check_label(example.label, state.labels.size(), "examples"); !ok) return ok.error();
  }
  LabelUsage mine;
  const auto examples = examples_that_fit(engine, state, text, hints.examples);
  if (!examples) return examples.error();
  const std::vector<int> which = shortlist(state, text, hints);
  auto logs = log_shares(engine, state, messages_of(state, text, *examples), which, mine, stop);
  if (!logs) return logs.error();

  if (state.options.calibration == Calibration::once) {
    for (std::size_t i = 0; i < which.size(); ++i)
      (*logs)[i] -= state.log_prior[static_cast<std::size_t>(which[i])];
  } else if (state.options.calibration == Calibration::each_prompt) {
    auto prior = log_prior(engine, state, *examples, which, mine, stop);
    if (!prior) return prior.error();
    for (std::size_t i = 0; i < which.size(); ++i) (*logs)[i] -= (*prior)[i];
  }
  const double all = log_sum(*logs);
  std::vector<float> probabilities(state.labels.size(), 0.0F);
  for (std::size_t i = 0; i < which.size(); ++i)
    probabilities[static_cast<std::size_t>(which[i])] = static_cast<float>(std::exp((*logs)[i] - all));
  if (usage != nullptr) {
    usage->prompt_tokens += mine.prompt_tokens;
    usage->label_tokens += mine.label_tokens;
    usage->calls += mine.calls;
    usage->labels_scored += static_cast<int>(which.size());
    usage->examples_shown += static_cast<int>(examples->size());
  }
  return probabilities;
}

}  // namespace loam::tasks
