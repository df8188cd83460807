// The steps of a training run, whatever it trains: the order of the data, the schedule, AdamW, what is saved
// when, and what happens when a run is stopped or goes wrong.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json_fwd.h"
#include "base/result.h"
#include "base/team.h"
#include "train/checkpoint.h"
#include "train/lora.h"
#include "train/lora_trainer.h"

namespace loam::train {

/// What the loop needs to know of a run.
struct LoopSetup {
  TrainingOptions options;
  std::filesystem::path out;    ///< the adapter; its checkpoint lies beside it
  std::string data;             ///< its name, for errors
  std::size_t items = 0;        ///< to learn from; a step takes batch_size of them
  double extra_rate_ratio = 1;  ///< learning rate of the extra parameters (a head) over that of A
};

class TrainingLoop {
 public:
  /// Opens the checkpoint to resume, or a new one: `identity`, an object, is everything that decides what the
  /// run computes. bad_request names the key that differs from the run that was begun, or the unfinished run
  /// that is in the way. References must outlive the loop.
  static Result<std::unique_ptr<TrainingLoop>> open(LoopSetup setup, const Json& identity, bool resume,
                                                    LoraParameters& lora, Team& team, const Clock& clock);
  ~TrainingLoop();

  std::int64_t steps() const;
  /// Where the run is; what the caller writes into held_out_before is saved with it.
  Progressed& progress();

  struct Sums {
    double loss = 0;         ///< mean over what was learnt in this step
    std::size_t tokens = 0;  ///< read
  };
  struct Work {
    /// Adds to the gradients what items `numbers` say. Nothing: it was stopped, the step is given up.
    std::function<std::optional<Sums>(std::span<const std::size_t> numbers, std::uint64_t epoch)> compute;
    /// "lines 3, 17": where items stand in the data.
    std::function<std::string(std::span<const std::size_t> numbers)> describe;
  };
  /// To the last step, or until `stop`: true when all are done. A loss that is not a number is bad_data
  /// naming step and lines, and the checkpoint holds the last good step. std::bad_alloc from `compute` passes
  /// through, with the last whole step saved.
  Result<bool> run(const Work& work, const std::function<void(const StepEvent&)>& each, std::stop_token stop);
  /// Fills what the loop knows of a report.
  void report(TrainingReport& to) const;
  /// The run is over and its adapter is written.
  void remove_checkpoint();

 private:
  struct State;
  explicit TrainingLoop(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// The order in which an epoch takes `items` items: the same for the same seed on every machine.
std::vector<std::size_t> order_of_epoch(std::size_t items, std::uint64_t seed, std::uint64_t epoch);
/// Everything in the options that decides what a run computes, for TrainingLoop::open().
Json identity_of(const TrainingOptions& options, Precision precision);
/// bad_request names the option that is out of range.
Result<void> check_loop_options(const TrainingOptions& options);

}  // namespace loam::train
