// Extraction held against references: which fields are right, for the model, for the model unchecked, and for
// the patterns.
#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "eval/cases.h"
#include "eval/ledger.h"
#include "tasks/extract.h"

namespace loam::tasks {

struct ExtractCase {
  std::string id, text;
  std::string reference;   ///< JSON by the schema
  std::size_t schema = 0;  ///< into ExtractCases::schemas
  std::string cluster;
};

struct ExtractCases {
  eval::DataVersion version;
  std::vector<ExtractSchema> schemas;
  std::vector<ExtractCase> cases;
  std::vector<eval::DataNote> notes;
};

/// JSON lines {"id","text" or "input","reference":{...},"schema":{...}}; `schema` serves lines that bring
/// none. Errors name the line. Empty texts are passed over and reported.
Result<ExtractCases> parse_extract_cases(std::string_view bytes, const std::string& name,
                                         const std::optional<ExtractSchema>& schema);

/// One method on all cases. Item scores: f1, precision, recall (of fields), and spans (share of the right
/// values whose quote holds the reference; only where there are some).
struct ExtractContestant {
  std::string name;
  std::vector<eval::ItemResult> items;
  std::vector<eval::Metric> metrics;
};

struct ExtractEvaluation {
  std::vector<ExtractContestant> contestants;  ///< "loam extract", "model unchecked", "patterns"; without an
                                               ///< engine the last one alone
  std::uint64_t tokens = 0;
  std::size_t invalid = 0;  ///< answers of the model that were no valid JSON
};

Result<ExtractEvaluation> evaluate_extraction(engine::Engine* engine, const ExtractCases& data,
                                              const ExtractOptions& options,
                                              const ProgressSink& progress = {}, std::stop_token stop = {});

}  // namespace loam::tasks
