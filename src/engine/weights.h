// Which form of a model's weights answers a typical question fastest on this CPU, within a stated loss? The
// answer differs by CPU: llama.cpp has fast kernels for some types only.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/progress.h"
#include "base/result.h"
#include "engine/catalogue.h"
#include "engine/quantize.h"

namespace loam::engine {

struct WeightsOptions {
  int prompt_tokens = 1000;       ///< the typical ask: this prompt ...
  int answer_tokens = 64;         ///< ... and this answer
  double kl_limit = 0.02;         ///< nats per token against the source form; see weights.cpp
  int rounds = 3;                 ///< speed runs per form, in turns; the median counts
  double drop_behind = 1.25;      ///< a form this much slower than the fastest is not run again
  int loss_tokens = 256;          ///< of our own text
  int speed_prompt_tokens = 128;  ///< of a speed run, read twice: the first time warms up
  int speed_answer_tokens = 12;
  int threads = 0;                                                   ///< 0: all cores
  std::vector<std::string> forms = {"Q4_0", "Q8_0", "BF16", "F16"};  ///< tried beside the form as it is
  double least_gain = 1.05;  ///< a new form must be this much faster than the form as it is
};

/// Tokens per second of one run.
struct FormSpeed {
  double prefill = 0;
  double decode = 0;
};

/// How forms are made and measured. Empty members: quantize(), measure_losses(), measure_speed(). Tests put
/// their own in, so that the choice can be tested without a stopwatch.
struct WeightsProbe {
  using Path = std::filesystem::path;
  std::function<Result<void>(const Path& source, const Path& out, const std::string& form)> make;
  std::function<Result<std::vector<LossReport>>(const Path& source, const std::vector<Path>& forms)> losses;
  std::function<Result<FormSpeed>(const Path& file)> speed;
};

/// Measures the forms, keeps the fastest within the limit in place of the model's file (NAME.gguf in
/// HOME/models) and records the table in the manifest, with weights_measured. The model as pulled is always a
/// candidate, so the result is never slower than it on this measurement. A model whose file was converted by
/// an earlier call is refused (bad_request): loss adds up unseen.
Result<InstalledModel> choose_weights(std::string_view name, const std::filesystem::path& home,
                                      const WeightsOptions& options = {}, const ProgressSink& progress = {},
                                      Logger& logger = silent_logger(), const WeightsProbe& probe = {});

/// The CPU and its instruction sets as llama.cpp sees them; a measurement holds for one such machine.
std::string machine_description();

}  // namespace loam::engine
