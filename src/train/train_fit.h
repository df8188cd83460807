// Will this training fit into memory, and how long will it take? Said before anything large is loaded.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/progress.h"
#include "base/result.h"
#include "train/lora_trainer.h"

namespace loam::train {

/// Resident memory that a run has beside weights, adapter and step: the program, its threads' scratch, the
/// vocabulary, the data. Measured with the default model.
inline constexpr std::uint64_t kProgramBytes = 40'000'000;

/// What one step takes at most, beside the weights.
struct StepSize {
  std::size_t tokens = 0;   ///< of the largest micro-batch
  std::size_t rows = 0;     ///< of these, learnt
  std::size_t longest = 0;  ///< tokens of the longest conversation
};

struct StepMemory {
  bool keeps_everything = true;
  std::uint64_t bytes = 0;  ///< the adapter with its optimiser included
  bool fits = false;
  std::string advice;  ///< when it does not fit: settings that would
};

/// Which way of keeping activations fits into `free_bytes`.
StepMemory step_memory(const LlamaShape& shape, const TrainingOptions& options, Precision precision,
                       const StepSize& size, std::uint64_t free_bytes);
/// Bytes of an adapter with gradients, moments and rounded copy.
std::uint64_t adapter_bytes(const LlamaShape& shape, const LoraOptions& options);

struct TrainingFitOptions {
  TrainingOptions training;
  std::size_t examples = 1000;
  int example_tokens = 256;           ///< question and answer together, on average
  int answer_tokens = 32;             ///< of these, learnt
  std::uint64_t available_bytes = 0;  ///< 0: asks the machine
};

struct TrainingFit {
  std::string architecture;
  Precision precision = Precision::f32;
  std::string kernel;
  bool keeps_everything = true;
  std::size_t parameters = 0;
  std::uint64_t weights = 0, step = 0, features = 0, program = 0;  ///< bytes; the adapter is in `step`
  std::uint64_t total() const { return weights + step + features + program; }
  std::uint64_t available_bytes = 0;
  bool fits = false;
  std::string advice;  ///< when it does not fit: settings that would
  std::int64_t steps = 0;
  double tokens_per_s = 0;  ///< once the features of frozen layers are kept; 0 when it does not fit
  double first_epoch_tokens_per_s = 0;  ///< less than tokens_per_s with --last-layers
  double seconds = 0;                   ///< of all epochs
};

/// The speed is measured: a step of six of the model's layers on a batch of the asked size, and of one. Takes
/// some seconds, and the memory of six layers and the embedding. What saving takes (5% at most) is not in it.
Result<TrainingFit> fit_training(const std::filesystem::path& base, const TrainingFitOptions& options,
                                 const ProgressSink& progress = {});

}  // namespace loam::train
