// The part of the table of verbs that tells of training and adapters.
#pragma once

#include <vector>

#include "cli/verbs.h"

namespace loam::cli {

std::vector<Verb> training_verbs();

}  // namespace loam::cli
