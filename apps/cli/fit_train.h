// `loam fit MODEL --train`: memory, speed and time of training an adapter.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "cli/context.h"

namespace loam::cli {

/// empty when it does not fit.
Result<Outcome> fit_of_training(Context& context, const std::filesystem::path& model);

}  // namespace loam::cli
