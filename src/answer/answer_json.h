// The JSON shape of an answer, for every door: the command line now, the server later.
#pragma once

#include "answer/answer.h"
#include "base/json_fwd.h"

namespace loam::answer {

/// The document that `loam ask --json` prints. `from` says who wrote the answer: "model", "baseline" or null.
Json to_json(const Answer& answer);

/// One citation: id, source, page, start, end, quote, why.
Json to_json(const Citation& citation);

}  // namespace loam::answer
