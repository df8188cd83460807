// One training run of an encoder: a reader of spans, a re-ranker, an embedder or a classifier, from data and
// a base model to an adapter with its head.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/result.h"
#include "train/encoder_task.h"
#include "train/lora_trainer.h"

namespace loam::train {

struct EncoderRequest {
  engine::HeadKind kind = engine::HeadKind::reader;
  std::filesystem::path base;
  std::filesystem::path data;
  std::filesystem::path
      out;  ///< adapter and head; OUT.checkpoint lies beside it while the run is not finished
  bool resume = false;
  TrainingOptions options;  ///< see usual_options()
  double negatives = -1;    ///< wrong passages for each right one; below 0: as the kind is used to
  std::string text_column = "text";
  std::string label_column = "label";
};

/// What a kind is trained with when nobody says otherwise: rates and sizes that are usual for LoRA on small
/// encoders, not chosen by a search of our own.
TrainingOptions usual_options(engine::HeadKind kind);

/// What was measured on the held-out part; `before` is the base without training, where that means something.
struct EncoderReport : TrainingReport {
  std::vector<EncoderFigure> before, after;
};

class EncoderTrainer {
 public:
  /// Reads data and model, checks the model against llama.cpp, looks for hard negatives, and opens or creates
  /// the checkpoint. out_of_room when the memory that is predicted is not there. After `stop` the data is not
  /// read to its end: run() is then to be called with the same token and does nothing.
  static Result<std::unique_ptr<EncoderTrainer>> open(const EncoderRequest& request,
                                                      const ProgressSink& progress = {},
                                                      Logger& logger = silent_logger(),
                                                      const Clock& clock = system_clock(),
                                                      std::stop_token stop = {});
  ~EncoderTrainer();

  const TrainingPlan& plan() const;
  /// As LoraTrainer::run(): stopped runs go on from the last whole step, the same request gives the same
  /// bytes.
  Result<EncoderReport> run(const std::function<void(const StepEvent&)>& each = {},
                            std::stop_token stop = {});

 private:
  struct State;
  explicit EncoderTrainer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace loam::train
