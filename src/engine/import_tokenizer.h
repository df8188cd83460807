// Turns tokenizer.json (or vocab.txt) into the tokenizer keys of a GGUF. Only import*.cpp include this.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/import_plan.h"

namespace loam::engine {

/// WordPiece, as BERT has it. `vocabulary` entries are written.
Result<void> add_wordpiece_tokenizer(ImportPlan& plan, const ModelFolder& folder, std::uint32_t vocabulary);

/// Byte-level BPE (GPT-2, SmolLM2, Llama 3, Qwen 2, Tekken) or BPE with byte fallback (Llama 2, Mistral 7B).
Result<void> add_bpe_tokenizer(ImportPlan& plan, const ModelFolder& folder, std::uint32_t vocabulary);

}  // namespace loam::engine
