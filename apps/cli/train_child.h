// What all `loam train` verbs share: the work in a child process, its events, and how they are shown. A
// child, because model code of llama.cpp ends the whole process when an assertion of its own fails; what was
// reached then lies in the checkpoint.
#pragma once

#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>

#include "base/json_fwd.h"
#include "base/progress.h"
#include "base/result.h"
#include "cli/context.h"
#include "train/lora_trainer.h"

namespace loam::cli {

/// How the child tells what it does. After a send() that fails nobody listens any more and the run is to
/// stop.
class TrainEvents {
 public:
  TrainEvents(int pipe, std::stop_source& stop) : pipe_(pipe), stop_(stop) {}

  ProgressSink loading() const;
  void plan(const train::TrainingPlan& plan) const;
  void step(const train::StepEvent& step) const;
  /// `more` is added to the report's event.
  void end(const train::TrainingReport& report, const Json& more) const;
  void error(const Error& error) const;
  std::stop_token stop() const { return stop_.get_token(); }

 private:
  void send(const Json& event) const;
  int pipe_;
  std::stop_source& stop_;
};

/// Runs `work` in a child process and shows its events, as JSON lines with --json; `item` names what the data
/// consists of ("conversation"). Ctrl-C ends it after the last whole step.
Result<Outcome> train_in_child(Context& context, const std::filesystem::path& checkpoint,
                               const std::string& item, const std::function<void(const TrainEvents&)>& work);

/// The file to write, from --out or the data's name in HOME/adapters; its folder is made.
Result<std::filesystem::path> adapter_to_write(Context& context, const std::filesystem::path& data);

/// The options that all kinds share, over `options`.
Result<train::TrainingOptions> training_options_of(const Options& o, train::TrainingOptions options);

}  // namespace loam::cli
