// A run as JSON: in the ledger's row, and as a line of docs/formats/runs.md. Include in .cpp files only.
#pragma once

#include <string>
#include <string_view>

#include "base/json_fwd.h"
#include "base/result.h"
#include "eval/ledger.h"

namespace loam::eval {

/// What shaped the run and what came of it, as the two columns of its row.
Json config_json(const Run& run);
Json result_json(const Run& run);
Json scores_json(const ItemResult& item);
/// All of it in one object, items last; what import_runs() reads.
Json run_json(const Run& run);

/// The row without its items. bad_data when it is not what a run looks like. Rows of `loam ask`, which have
/// another shape, come out with what they have.
Result<Run> run_from_row(const store::LedgerRow& row);
Result<ItemResult> item_from_row(const store::RunItem& row, std::string_view place);

/// A line of a file: strict, because it was written by a person or another program. Metrics that are not
/// given come from the items, with their interval.
Result<Run> run_from_json(const Json& line, const std::string& place);

/// bad_request, naming the run, when record() would refuse it.
Result<void> check_run(const Run& run);

/// "run 7 (tfidf+logreg)"
std::string called(const Run& run);

}  // namespace loam::eval
