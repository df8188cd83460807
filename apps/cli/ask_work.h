// Asking a collection, for every door: what the settings mean, and the row that remembers the answer.
#pragma once

#include <cstdint>
#include <string>

#include "answer/answer.h"
#include "cli/context.h"
#include "cli/encoders.h"
#include "store/store.h"

namespace loam::cli {

/// The settings in force; `encoders` must outlive what is returned.
answer::AskOptions ask_options(const Context& context, const Encoders& encoders,
                               prompt::PrePrompt pre_prompt);

/// The ledger's row of an answer: everything that shaped it, and the answer itself. Returns its number.
Result<std::uint64_t> keep_answer(Context& context, store::Store& store, const store::Collection& collection,
                                  const std::string& question, const answer::Answer& answer);

}  // namespace loam::cli
