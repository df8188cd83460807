// What the verbs of `loam adapters` share.
#pragma once

#include <string>

#include "base/json_fwd.h"
#include "engine/adapters.h"

namespace loam::cli {

/// "promoted", "failed", "not checked", ...
std::string gate_text(const engine::InstalledAdapter& adapter);
Json adapter_json(const engine::InstalledAdapter& adapter);

}  // namespace loam::cli
