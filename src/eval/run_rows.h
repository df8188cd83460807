// A run as the store takes it. Private to this room.
#pragma once

#include <vector>

#include "eval/ledger.h"

namespace loam::eval {

store::LedgerRow row_of(const Run& run);
std::vector<store::RunItem> rows_of_items(const Run& run);

}  // namespace loam::eval
