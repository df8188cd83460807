// The command line: verbs, their settings, and how results are printed.
#pragma once

namespace loam::cli {

/// The whole program. Exit status: 0 done or answered, 1 abstained, empty or below target, 2 failed.
int run(int argc, char** argv);

}  // namespace loam::cli
