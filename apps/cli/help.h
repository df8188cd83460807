// Help, completion scripts and manual page, all made from the tables of verbs and settings.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

namespace loam::cli {

std::string program_help(const Terminal& terminal);
std::string verb_help(const Verb& verb, const Terminal& terminal);
/// Help for a first word with several verbs: `loam models --help`.
std::string group_help(std::string_view word, const Terminal& terminal);

/// bad_request for a shell other than bash, zsh and fish.
Result<std::string> completion_script(std::string_view shell);

/// roff for man(1), section 1.
std::string man_page();

}  // namespace loam::cli
