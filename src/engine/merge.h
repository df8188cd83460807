// Puts an adapter into its model for good: one file, no adapter to carry, and the loss of that said.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/progress.h"
#include "base/result.h"
#include "engine/quantize.h"

namespace loam::engine {

/// What a merged model may be written as. Anything coarser would round away what the adapter adds.
enum class MergeType : std::uint8_t { f16, q8_0 };
/// "F16", "Q8_0" in any case; else bad_request naming both.
Result<MergeType> merge_type_from(std::string_view name);

struct MergeOptions {
  float scale = 1.0F;  ///< of the adapter
  MergeType type = MergeType::q8_0;
  Measure loss = Measure::yes;  ///< against the model with the adapter beside it
  std::string text;             ///< for the loss; empty: our own
  int max_tokens = 1024;        ///< of the text that are scored
  int threads = 0;
};

struct MergeReport {
  std::filesystem::path file;
  int merged = 0;  ///< matrices that the adapter changed
  std::uint64_t bytes = 0;
  bool has_loss = false;
  LossReport loss;  ///< source: base and adapter, unmerged
};

/// Writes the model with B A added, tensor by tensor, so that memory stays small. `out` appears whole or not
/// at all. bad_request for a wrong base, naming both, and for an adapter of the token embeddings; bad_data
/// for a value that F16 cannot hold; out_of_room for a full disk.
Result<MergeReport> merge_adapter(const std::filesystem::path& base, const std::filesystem::path& adapter,
                                  const std::filesystem::path& out, const MergeOptions& options = {},
                                  const ProgressSink& progress = {});

}  // namespace loam::engine
