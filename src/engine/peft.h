// Adapters to and from HuggingFace PEFT: a folder with adapter_model.safetensors and adapter_config.json.
// Written after PEFT's save format (github.com/huggingface/peft, docs "PEFT checkpoint format") and its LoRA
// scaling: alpha / r, with rsLoRA alpha / sqrt(r).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace loam::engine {

struct PeftReport {
  std::filesystem::path written;  ///< the GGUF, or the folder
  int matrices = 0;
  int rank = 0;     ///< the largest
  float alpha = 0;  ///< llama.cpp's: what the adapter adds is scaled by alpha / rank
  std::vector<std::string> notes;
};

/// Writes a PEFT folder that acts as the adapter does. `base` (GGUF) is the model it is for: its heads tell
/// how rows of the query and key projections are ordered. Existing files of these names are replaced, each
/// whole. Architectures: llama, qwen2, qwen3, bert. bad_request for a wrong base or another architecture,
/// out_of_room for a full disk.
Result<PeftReport> export_peft(const std::filesystem::path& adapter, const std::filesystem::path& base,
                               const std::filesystem::path& folder);

/// Reads a PEFT folder into an adapter (F32) at `out_gguf`; nothing is left there when it fails. Ranks are
/// those of the matrices; alpha_pattern and rsLoRA are folded into B where one alpha cannot say them.
/// bad_data names the file and key of what is damaged; bad_request names what cannot be served: other methods
/// than LoRA, DoRA, biases, modules_to_save, layer_replication, adapted embeddings, adapters whose base was
/// changed with them (PiSSA, OLoRA), and modules or shapes that `base` (GGUF) does not have.
Result<PeftReport> import_peft(const std::filesystem::path& folder, const std::filesystem::path& base,
                               const std::filesystem::path& out_gguf);

}  // namespace loam::engine
