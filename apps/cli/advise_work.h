// What `loam advise` asks people, and the measuring of everything but classification. One verb, three files.
#pragma once

#include <istream>

#include "cli/context.h"
#include "cli/interrupt.h"
#include "tasks/advise_measure.h"

namespace loam::cli {

/// One question to a person: what is asked, what an empty line means, and which option the answer is for.
struct AdviceQuestion {
  std::string option;   ///< long name: "volume"
  std::string text;     ///< "How many items come in a day?"
  std::string unknown;  ///< words for the default where its value says nothing to people: "not known"
};

bool has(const std::vector<std::string>& names, std::string_view name);

/// Asks what was not said on the command line or in a file, one line each; an empty line takes the default. A
/// value that is refused is asked for again, three times at most. The end of input leaves the rest at their
/// defaults. `said`: long names of what is known.
Result<void> ask_questions(Terminal& terminal, std::istream& in, const tasks::DataGuess* guess,
                           const std::vector<std::string>& said, Options& options);

/// Asks for yes or no, three times at most; an empty line, other words and the end of input are yes.
bool ask_yes(Terminal& terminal, std::istream& in, const std::string& text);

/// The advice's situation as the options have it; the target as implied by the costs unless `target_said`.
tasks::Situation situation_of(const Options& options, tasks::AdviceTask task, bool target_said);

/// Runs what the task has, with and without a language model, on at most --limit (else 40) items.
Result<tasks::Evidence> measure_work(Context& context, const Options& options, tasks::AdviceTask task,
                                     const std::string& file, double target, Interrupts& interrupts);

}  // namespace loam::cli
