// What summarise and translate share: where their texts come from, and batches whose results a later run
// continues.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/json_fwd.h"
#include "cli/context.h"
#include "cli/interrupt.h"
#include "tasks/batch.h"

namespace loam::cli {

/// Whether the words ask for many results: several files, a folder, --column or --output.
bool is_batch(const Context& context);

/// The items of a batch: each file (folders are walked in name order, hidden entries passed over), or each
/// row of the one CSV file that --column names a column of.
Result<std::vector<tasks::BatchItem>> batch_items(Context& context);

/// One result of a batch. The object gets "id" and "hash" in front.
using BatchWork = std::function<Result<Json>(const tasks::BatchItem& item, std::stop_token stop)>;

/// Works through the items, one line of JSON each: into --output, where what is done (same id, input and
/// settings) is passed over, else to standard output. A failed item gets a line with "error" and never stops
/// the rest; Ctrl-C stops between lines. `settings` is what shapes a result besides its input. `interrupts`
/// is older than any thread of an engine.
Result<Outcome> run_batch(Context& context, const std::string& task, const Json& settings,
                          const std::vector<tasks::BatchItem>& items, const BatchWork& work,
                          Interrupts& interrupts);

}  // namespace loam::cli
