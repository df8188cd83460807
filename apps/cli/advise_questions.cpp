// The questions of `loam advise`, as a person at the keyboard meets them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "cli/advise_work.h"

namespace loam::cli {
namespace {

constexpr int kTries = 3;

const std::vector<AdviceQuestion>& questions() {
  static const std::vector<AdviceQuestion> all = {
      {"volume", "How many items come in a day?", ""},
      {"latency", "How many milliseconds may one item take at most? (0: it does not matter)",
       "it does not matter"},
      {"privacy", "May the texts leave this machine? (this-machine, own-network or third-party)", ""},
      {"currency", "In which money do you reckon?", ""},
      {"error-cost", "What does a wrong result cost that nobody notices? (0: not known)", "not known"},
      {"check-cost", "What does it cost when a person does one item? (0: not known)", "not known"},
      {"machine-cost", "What does this machine cost a month, power included? (0: not known, or nothing more)",
       "not known"},
      {"price-in", "What does a hosted model ask for a million tokens that it reads? (0: leave it out)",
       "leave it out"},
      {"price-out", "And for a million tokens that it writes?", "leave it out"},
  };
  return all;
}

/// False at the end of the input.
Result<bool> ask_one(Terminal& terminal, std::istream& in, const Setting& setting, const std::string& text,
                     const std::string& shown_default, Options& options) {
  for (int tries = 0; tries < kTries; ++tries) {
    terminal.ask(fmt::format("{} [{}] ", text, printable(shown_default)));
    std::string line;
    if (!std::getline(in, line)) return false;
    if (!is_valid_utf8(line))
      return Error{Kind::bad_request, "the answer", "not valid UTF-8", "set the terminal to UTF-8"};
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string::npos) return true;
    line = line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
    // 1,200 is a number to people.
    if (setting.kind == ValueKind::decimal && line.find('.') == std::string::npos) {
      const std::size_t comma = line.find(',');
      if (comma != std::string::npos && line.size() - comma == 4) std::erase(line, ',');
    }
    auto taken = apply(setting, line, "the answer", options);
    if (taken) return true;
    terminal.error(taken.error().line());
  }
  return Error{Kind::bad_request, "--" + setting.name, "three answers could not be used",
               "give it on the command line: --" + setting.name + " " + setting.good};
}

}  // namespace

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Result<void> ask_questions(Terminal& terminal, std::istream& in, const tasks::DataGuess* guess,
                           const std::vector<std::string>& said, Options& options) {
  if (guess != nullptr && guess->task == tasks::AdviceTask::classify) {
    for (const auto& [name, text] :
         {std::pair<std::string, std::string>{"text", "Which column holds the text?"},
          {"label", "Which column holds the right answer (the label)?"}}) {
      if (has(said, name)) continue;
      const Setting* setting = find_setting("advise", name);
      if (setting == nullptr) continue;
      for (int tries = 0;; ++tries) {
        auto went_on =
            ask_one(terminal, in, *setting, fmt::format("{} ({})", text, fmt::join(guess->columns, ", ")),
                    setting->get(options), options);
        if (!went_on) return went_on.error();
        if (!*went_on) return done();
        if (has(guess->columns, setting->get(options))) break;
        if (tries + 1 == kTries) break;  // the reader of the file will say what is wrong
        terminal.error(fmt::format("there is no column \"{}\"", printable(setting->get(options))));
        (void)apply(*setting, name == "text" ? guess->text_column : guess->label_column, "the guess",
                    options);
      }
    }
  }
  bool anyone = options.privacy == "third-party";
  for (const AdviceQuestion& question : questions()) {
    if (has(said, question.option)) continue;
    if (question.option.starts_with("price") && !anyone) continue;
    if (question.option == "price-out" && options.price_in <= 0) continue;
    const Setting* setting = find_setting("advise", question.option);
    if (setting == nullptr) continue;
    const std::string value = setting->get(options);
    const bool says_nothing = value == "0" && !question.unknown.empty();
    auto went_on =
        ask_one(terminal, in, *setting, question.text, says_nothing ? question.unknown : value, options);
    if (!went_on) return went_on.error();
    if (!*went_on) return done();
    anyone = options.privacy == "third-party";
  }
  return done();
}

bool ask_yes(Terminal& terminal, std::istream& in, const std::string& text) {
  for (int tries = 0; tries < kTries; ++tries) {
    terminal.ask(text + " (yes or no) [yes] ");
    std::string line;
    if (!std::getline(in, line)) return true;
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string::npos || line[first] == 'y' || line[first] == 'Y') return true;
    if (line[first] == 'n' || line[first] == 'N') return false;
  }
  return true;
}

tasks::Situation situation_of(const Options& options, tasks::AdviceTask task, bool target_said) {
  tasks::Situation situation;
  situation.task = task;
  situation.items_per_day = options.volume;
  situation.latency_ms = options.latency;
  situation.reach = tasks::reach_named(options.privacy).value_or(tasks::Reach::this_machine);
  situation.target = options.target;
  situation.error_cost = options.error_cost;
  situation.check_cost = options.check_cost;
  situation.machine_month = options.machine_cost;
  situation.api_input_price = options.price_in;
  situation.api_output_price = options.price_out;
  situation.currency = printable(options.currency);
  if (!target_said) {
    if (const auto implied = tasks::implied_target(options.error_cost, options.check_cost)) {
      situation.target = std::round(*implied * 1e4) / 1e4;
      situation.target_implied = true;
    }
  }
  return situation;
}

}  // namespace loam::cli
