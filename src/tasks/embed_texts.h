// Texts of any length as one vector each: what is longer than the embedder reads is embedded in pieces.
#pragma once

#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "engine/engine.h"

namespace loam::tasks {

/// (texts.size(), embedder.dimensions()) row-major, each row of unit length. A text longer than the embedder
/// reads is cut into passages; its vector is their mean, weighted by tokens, made unit length again: nothing
/// is cut off. An empty text is embedded as it is (special tokens only). Cancelled through `stop`:
/// unavailable.
Result<std::vector<float>> embed_texts(engine::Embedder& embedder, std::span<const std::string> texts,
                                       const ProgressSink& progress = {}, std::stop_token stop = {});

}  // namespace loam::tasks
