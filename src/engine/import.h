// Turns a folder of safetensors (as model hubs and training programs write it) into one GGUF that llama.cpp
// v0.5.0 loads. Families: BERT with WordPiece (all-MiniLM-L6-v2, bge-*-en), Llama with byte-level BPE.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/progress.h"
#include "base/result.h"

namespace loam::engine {

enum class ImportType : std::uint8_t { f32, f16, bf16, q8_0 };
std::string_view name_of(ImportType type);

struct ImportOptions {
  ImportType type = ImportType::f32;  ///< of the matrices; vectors, norms and position tables stay f32
  std::string name;                   ///< general.name; empty: from the folder
};

struct ImportReport {
  std::filesystem::path file;
  std::string architecture;
  std::string name;
  int tensors = 0;
  std::uint64_t parameters = 0;
  std::uint64_t bytes_written = 0;
  std::string source_sha256;         ///< of the weights file; empty when there are several
  std::vector<std::string> skipped;  ///< tensors that the target has no use for
  std::vector<std::string> notes;    ///< what a person should know
};

/// Reads `dir_or_file` (the folder, or the .safetensors file in it) and writes `out_gguf` atomically. An
/// unsupported architecture, tokenizer or RoPE kind, a missing or wrongly shaped tensor and a value that is
/// not finite are bad_data; nothing is left behind then.
Result<ImportReport> import_model(const std::filesystem::path& dir_or_file,
                                  const std::filesystem::path& out_gguf, const ImportOptions& options = {},
                                  const ProgressSink& progress = {}, Logger& logger = silent_logger());

}  // namespace loam::engine
