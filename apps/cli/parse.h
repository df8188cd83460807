// Words of the command line to a verb, its arguments and its options; by the tables, in the order
// flag > configuration file > default.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/settings.h"
#include "cli/verbs.h"

namespace loam::cli {

struct ParsedLine {
  const Verb* verb = nullptr;  ///< never null when parsed ok
  std::vector<std::string> arguments;
  std::vector<std::pair<const Setting*, std::string>> given;  ///< in the order typed
  bool help = false;
  std::string help_word;  ///< "models" for `loam models --help`; empty otherwise
};

/// Reads the words after the program's name. Long options take `--name value` or `--name=value`, short ones
/// `-k 4` or `-k4`; `--` ends options; flags may be switched off with `--no-name`.
Result<ParsedLine> parse_line(const std::vector<std::string>& words);

/// `number_like` arguments such as -5 are no options: "-" followed by a digit.
bool looks_like_option(std::string_view word);

}  // namespace loam::cli
