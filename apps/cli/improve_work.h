// What `loam improve` needs beside its verb: budgets as people write them, pre-prompts of their own, and what
// `loam classify fit` takes from an earlier improvement.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json_fwd.h"
#include "base/result.h"
#include "cli/context.h"
#include "eval/ledger.h"
#include "tasks/improve.h"
#include "tasks/improve_classify.h"

namespace loam::cli {

/// "90s", "30m", "2h", "1h30m": seconds. bad_request for anything else, and for less than a second.
Result<double> parse_budget(const std::string& text);

/// Files of --prompt, kept as HOME/prompts/NAME.txt, so that `loam ask` finds them once they are adopted.
/// bad_request when another pre-prompt has the name already.
Result<std::vector<std::string>> keep_prompts(Context& context);

/// Pre-prompts that answers may be tried with, and their texts' hashes.
Result<std::vector<eval::ModelUse>> prompts_in_use(Context& context, const std::vector<std::string>& names);

/// Whose settings an improvement on this data file is: "data /home/me/tickets.csv".
std::string scope_of_data(const std::string& file);

struct AdoptedMethod {
  tasks::ClassifySettings settings;
  RunId run{};
};
/// What was adopted for classifying this data file, if anything.
Result<std::optional<AdoptedMethod>> adopted_for_data(Context& context, const std::string& file);

/// The collection that a scope names; bad_request when it is gone.
Result<store::Collection> collection_of_scope(store::Store& store, const std::string& scope);

/// The command that cuts a collection as its settings say: "loam ingest -c NAME ROOT...".
std::string ingest_command(store::Store& store, const store::Collection& collection);

void print_improvement(Context& context, const tasks::Improvement& found, const std::string& scope_name,
                       bool adopted, const std::vector<std::string>& next);
Json improvement_json(const tasks::Improvement& found, const std::string& scope_name, bool adopted,
                      const std::vector<std::string>& next);
void print_history(Context& context, const std::vector<tasks::ImproveStep>& steps);
Json history_json(const std::vector<tasks::ImproveStep>& steps);

}  // namespace loam::cli
