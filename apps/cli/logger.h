// The logger that rooms are handed: spdlog on standard error.
#pragma once

#include <memory>

#include "base/log.h"
#include "cli/settings.h"
#include "cli/terminal.h"

namespace loam::cli {

/// Warnings and errors always, with --verbose everything, with --quiet errors alone.
std::unique_ptr<Logger> make_logger(const Options& options);

}  // namespace loam::cli
