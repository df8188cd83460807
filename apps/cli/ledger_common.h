// What the verbs that read the ledger share.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "cli/context.h"
#include "store/store.h"

namespace loam::cli {

/// The store, for verbs that read runs: bad_request when nothing was ever written.
Result<std::unique_ptr<store::Store>> open_ledger(Context& context);

/// The number of a run as typed; bad_request for anything else.
Result<RunId> run_number(const std::string& word);

/// Writes a file that was asked for, whole.
Result<void> write_output(const std::string& file, std::string_view bytes);

}  // namespace loam::cli
