// The JSON shapes of summaries and translations, for every door.
#pragma once

#include "base/json_fwd.h"
#include "tasks/summarise.h"
#include "tasks/translate.h"

namespace loam::tasks {

/// What `loam summarise --json` prints: summary, reason, from, sentences, citations, coverage, dropped,
/// baseline, model, timings and tokens.
Json to_json(const Summary& summary, const std::string& source);

/// What `loam translate --json` prints: text, to, segments (with what was broken), counts, model.
Json to_json(const Translation& translation, const TranslateOptions& options, const std::string& source);

}  // namespace loam::tasks
