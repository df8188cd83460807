// Does the trainer compute the encoder that will be served? Asked before each run.
#pragma once

#include <filesystem>

#include "base/log.h"
#include "base/result.h"
#include "base/team.h"
#include "train/frozen_bert.h"

namespace loam::train {

/// Above this difference a model is refused. llama.cpp's table for GELU in half precision makes about 0.001,
/// its rounding of activations before products with 4-bit weights some hundredths; another architecture
/// makes 1.
inline constexpr double kEncoderParityLimit = 0.15;

/// Runs a short text through llama.cpp and through the trainer's forward pass. Returns |ours - theirs| /
/// |theirs| over the states of all tokens; bad_data, naming it, when they are not one model.
Result<double> compare_with_encoder(const FrozenBert& model, const std::filesystem::path& gguf, Team& team,
                                    Logger& logger = silent_logger());

}  // namespace loam::train
