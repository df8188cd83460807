// What a training run needs to go on where it was: in a file of fixed size that is written after the steps.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"

namespace loam::train {

/// Where a run is. The order of the data follows from seed and epoch, so that this is all there is.
struct Progressed {
  std::uint64_t step = 0;      ///< steps done
  std::uint64_t epoch = 0;     ///< of the next step, from 0
  std::uint64_t in_epoch = 0;  ///< steps done in it
  std::uint64_t tokens = 0;    ///< read so far
  double seconds = 0;          ///< of computing, over all resumed parts
  double first_loss = 0;       ///< of the first step
  double last_loss = 0;
  double held_out_before = 0;  ///< loss of the held-out part under the base; 0 where nothing is held out
};

/// The adapter's parameters and AdamW's two moments, one length each.
struct TrainingState {
  std::span<float> values, first_moments, second_moments;
};

/// A checkpoint file holds three slots. A step is written to a slot that is neither the newest nor the one
/// that was last synced to the disk: a killed process leaves the newest whole slot, a power cut the synced
/// one. Space for all of them is taken at the start, so that a full disk is noticed before the first step.
class Checkpoint {
 public:
  /// A new file for states of `numbers` parameters. `run` says what run it is (any text). out_of_room names
  /// the bytes that are needed; what was at `path` stays until the first save.
  static Result<std::unique_ptr<Checkpoint>> create(const std::filesystem::path& path, const std::string& run,
                                                    std::size_t numbers);
  /// An existing file; bad_data when it is none or damaged in all slots, unavailable when there is none.
  static Result<std::unique_ptr<Checkpoint>> open(const std::filesystem::path& path);
  ~Checkpoint();

  const std::string& run() const;
  std::size_t numbers() const;
  /// The newest whole slot; nothing has been saved yet: step 0 and the state untouched.
  Result<Progressed> load(const TrainingState& state);
  enum class Sync : std::uint8_t { no, yes };  ///< wait until the disk has it
  Result<void> save(const Progressed& progress, const TrainingState& state, Sync sync);

  static std::uint64_t file_bytes(const std::string& run, std::size_t numbers);

 private:
  struct State;
  explicit Checkpoint(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace loam::train
