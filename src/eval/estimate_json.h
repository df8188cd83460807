// An estimate as JSON, for every door and file that shows one.
#pragma once

#include "base/json_fwd.h"
#include "eval/metrics.h"

namespace loam::eval {

/// {"value","low","high","n"}
Json estimate_json(const Estimate& estimate);

}  // namespace loam::eval
