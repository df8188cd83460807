#pragma once

#include <nlohmann/json_fwd.hpp>

namespace loam {
using Json = nlohmann::ordered_json;
}
