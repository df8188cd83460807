// What the parts of the advice share. Internal to tasks.
#pragma once

#include "tasks/advise.h"

namespace loam::tasks {

/// Examples of the rarest label from which on training a model on them is worth a try.
inline constexpr std::size_t kExamplesToTrain = 20;

/// The score below which a result is no help, by task; see the reasons in advise.cpp.
double useful_score(AdviceTask task, double target);
bool good_enough(const Situation& situation, const Candidate& candidate);

/// Headline, reasons and changes. `chosen` and `best` point into advice.ranked; null: nothing may be chosen.
void fill_words(Advice& advice, const Situation& situation, const Evidence& evidence,
                const RankedCandidate* chosen, const RankedCandidate* best);

}  // namespace loam::tasks
