// The configuration file: TOML whose keys are those of the settings table.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/result.h"
#include "cli/settings.h"

namespace loam::cli {

/// Sets what the text says; `place` names the file in errors. An unknown key, a wrong type and a value out of
/// range are bad_request naming file and line. `lines` receives the line of each key that was set.
Result<void> apply_config(const std::string& toml, const std::string& place, Options& options,
                          std::map<std::string, int>* lines = nullptr);

/// The settings file as JSON schema (draft 2020-12), made from the table.
std::string config_schema_json();

}  // namespace loam::cli
