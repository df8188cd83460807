// Does the trainer compute the model that will be served? Asked before each run.
#pragma once

#include <filesystem>

#include "base/log.h"
#include "base/result.h"
#include "train/llama_pass.h"

namespace loam::train {

struct Parity {
  double mean_divergence =
      0;  ///< Kullback-Leibler, nats a token: llama.cpp's next-token distribution to ours
  double same_first_choice = 0;  ///< share of positions with the same likeliest token
  int tokens = 0;
};

/// Above this mean divergence a model is refused. Rounding of activations in llama.cpp's Q4_1 products makes
/// some hundredths of a nat; a wrong rotation, norm or head layout makes nats.
inline constexpr double kParityLimit = 0.1;

/// Runs a short text through llama.cpp and through the trainer's forward pass. Fails with bad_data, naming
/// the divergence, when they are not one model.
Result<Parity> compare_with_engine(const FrozenLlama& model, const std::filesystem::path& gguf, Team& team,
                                   Logger& logger = silent_logger());

}  // namespace loam::train
