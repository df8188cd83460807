// What the verbs of `loam adapters` share.
#pragma once

#include <filesystem>
#include <string>

#include "base/json_fwd.h"
#include "cli/context.h"
#include "engine/adapters.h"

namespace loam::cli {

/// "promoted", "failed", "not checked", ...
std::string gate_text(const engine::InstalledAdapter& adapter);
/// The model that an adapter is to be held against: --model, else the default of its kind.
Result<std::filesystem::path> base_of_adapter(Context& context, const engine::AdapterInfo& info);
Json adapter_json(const engine::InstalledAdapter& adapter);

}  // namespace loam::cli
