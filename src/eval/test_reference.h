// What the reference libraries say of fixed cases (testdata/make_reference.py). For tests only.
#pragma once

#include <string_view>

#include "base/json_fwd.h"

namespace loam::eval {

/// One part of testdata/reference.json; null when the file cannot be read, which fails every test of it.
Json reference(std::string_view part);

}  // namespace loam::eval
