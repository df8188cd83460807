// The trained encoders that take part in finding and answering: which files are meant, and opening them.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/context.h"
#include "engine/local_encoder.h"
#include "eval/ledger.h"

namespace loam::cli {

/// Members are empty where none takes part.
struct Encoders {
  std::unique_ptr<engine::LocalReranker> reranker;
  std::unique_ptr<engine::LocalSpanReader> reader;
  std::vector<eval::ModelUse> models;  ///< the same, for the ledger
};

/// What --reranker or --reader means for an embedder's model: none, a named file, or for "auto" the adapter
/// of that kind which was promoted in HOME/adapters, else the one that came with the program. Only one made
/// for this very model is taken by itself; a named one that is not is an error.
Result<std::optional<std::filesystem::path>> encoder_file(Context& context, engine::HeadKind kind,
                                                          const std::string& wanted,
                                                          const std::filesystem::path& base);

enum class Reads : std::uint8_t { no, yes };

/// Opens what the settings ask for on the embedder's model. `reads`: whether answers are given, not only
/// hits.
Result<Encoders> open_encoders(Context& context, engine::LocalEmbedder& embedder, Reads reads);

}  // namespace loam::cli
