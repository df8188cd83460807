// One training run: from data and a base model to an adapter file, through steps that can be stopped and gone
// on with.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/result.h"
#include "eval/cases.h"
#include "train/adamw.h"
#include "train/llama_pass.h"
#include "train/lora.h"

namespace loam::train {

/// How much is kept in memory between forward and backward.
enum class Memory : std::uint8_t {
  automatic,  ///< everything where that fits into what is free now, else layer inputs only
  everything,
  layer_inputs,
};

/// Where the hidden states that enter the lowest adapted layer are kept between epochs, when only the last
/// layers have adapters. The result is the same to the byte.
enum class Features : std::uint8_t {
  automatic,  ///< in memory where they fit into what is free now, else on the disk, else nowhere
  memory,
  disk,  ///< in a file without a name, in the folder of the adapter
  off,   ///< computed again each time
};

struct TrainingOptions {
  LoraOptions lora;
  double learning_rate = 2e-4;  ///< of A, and of B unless b_rate_ratio says otherwise
  double b_rate_ratio = 1.0;    ///< LoRA+ (Hayou et al. 2024): the rate of B over that of A; 16 is theirs
  double warmup_share = 0.03;   ///< of all steps
  double floor_share = 0.0;     ///< of the rate, at the end of the cosine
  double weight_decay = 0.0;
  double clip_norm = 1.0;  ///< gradients longer than this are shortened to it; 0: never
  int epochs = 3;
  int steps = 0;                  ///< 0: as many as the epochs have
  int batch_size = 8;             ///< conversations a step
  int sequence_tokens = 1024;     ///< longer conversations are left out and told
  int micro_batch_tokens = 1024;  ///< computed at once; memory grows in proportion, the result does not
                                  ///< change but for rounding
  double hold_out = 0.05;         ///< share of the data that is only measured on; 0: none
  std::uint64_t seed = 0;
  int threads = 0;                          ///< 0: one for each core
  std::optional<Precision> precision = {};  ///< none: bf16 where the processor multiplies it, else f32
  Memory memory = Memory::automatic;
  Features features = Features::automatic;
  std::uint64_t memory_limit_bytes = 0;  ///< in all, weights included; 0: what is free
  std::string group_column = {};
  bool check_parity = true;  ///< compare with llama.cpp before the first step (parity.h)
};

struct StepEvent {
  std::int64_t step = 0, steps = 0;  ///< from 1
  double epoch = 0;                  ///< epochs done, with a fraction
  double loss = 0;                   ///< mean over the tokens that were learnt in this step
  double learning_rate = 0;
  double gradient_norm = 0;  ///< before clipping
  double tokens_per_s = 0;   ///< read, over the last steps
  double seconds_left = 0;
  std::uint64_t peak_bytes = 0;  ///< largest resident memory of the process so far
};

struct TrainingReport {
  std::filesystem::path adapter;  ///< empty when it was stopped before the end
  std::filesystem::path checkpoint;
  bool finished = false;
  std::int64_t steps_done = 0, steps = 0;
  std::int64_t resumed_from = 0;  ///< step; 0: from the start
  double seconds = 0;             ///< of computing, all parts together
  double tokens_per_s = 0;
  std::uint64_t tokens = 0;
  double first_loss = 0, last_loss = 0;
  std::size_t train_items = 0, held_out_items = 0;
  std::optional<double> held_out_before, held_out_after;  ///< loss a token
  std::size_t parameters = 0;
  std::uint64_t peak_bytes = 0;
};

struct TrainingRequest {
  std::filesystem::path base;
  std::filesystem::path data;
  std::filesystem::path out;  ///< the adapter; OUT.checkpoint lies beside it while the run is not finished
  bool resume = false;        ///< go on with OUT.checkpoint
  TrainingOptions options;
};

/// What the data and the plan look like, before the first step.
struct TrainingPlan {
  std::string base_name;
  std::size_t rows = 0, train_items = 0, held_out_items = 0;
  std::uint64_t train_tokens = 0, counted_tokens = 0;  ///< of one epoch
  std::vector<eval::DataNote> notes;
  std::int64_t steps = 0;
  std::size_t parameters = 0;
  Precision precision = Precision::f32;
  std::string kernel;
  bool keeps_everything = true;
  Features features = Features::off;  ///< where they go: memory, disk or off
  std::uint64_t feature_bytes = 0;    ///< of all items; 0 when they are not kept
  std::uint64_t predicted_bytes = 0, available_bytes = 0;
  double parity_divergence = 0;  ///< 0 when it was not asked for
  std::int64_t resumed_from = 0;
};

class LoraTrainer {
 public:
  /// Reads data and model, checks the model against llama.cpp and opens or creates the checkpoint.
  /// out_of_room when the memory that is predicted is not there: the error names what would fit.
  static Result<std::unique_ptr<LoraTrainer>> open(const TrainingRequest& request,
                                                   const ProgressSink& progress = {},
                                                   Logger& logger = silent_logger(),
                                                   const Clock& clock = system_clock());
  ~LoraTrainer();

  const TrainingPlan& plan() const;
  /// Once. Trains to the end and writes the adapter, or until `stop`: the step in flight is given up and the
  /// checkpoint holds the one before. A loss that is not a number ends the run with bad_data naming step and
  /// lines; the checkpoint holds the last good step. The same request gives the same bytes, in one go or
  /// resumed, with any number of threads, on processors with the same kernel.
  Result<TrainingReport> run(const std::function<void(const StepEvent&)>& each = {},
                             std::stop_token stop = {});

 private:
  struct State;
  explicit LoraTrainer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Where the checkpoint of an adapter lies.
std::filesystem::path checkpoint_path(const std::filesystem::path& adapter);

}  // namespace loam::train
