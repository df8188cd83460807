// Which form of a model's weights answers a typical question fastest on this CPU, within a stated loss? The
// answer differs by CPU: llama.cpp has fast kernels for some types only.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/progress.h"
#include "base/result.h"
#include "engine/catalogue.h"

namespace loam::engine {

struct WeightsOptions {
  int prompt_tokens = 1000;  ///< the typical ask: this prompt ...
  int answer_tokens = 64;    ///< ... and this answer
  double kl_limit = 0.02;    ///< nats per token against the source form; see weights.cpp for the reason
  int rounds = 3;            ///< speed runs per form, interleaved; the median counts
  int loss_tokens = 512;     ///< of our own text
  int threads = 0;           ///< 0: all cores
  std::vector<std::string> forms = {"Q4_0", "Q8_0", "BF16", "F16"};  ///< tried beside the form as it is
  double least_gain = 1.05;  ///< a new form must be this much faster than the form as it is
};

/// Measures the forms, keeps the fastest within the limit in place of the model's file (NAME.gguf in
/// HOME/models) and records the table in the manifest. The model as pulled is always a candidate, so the
/// result is never slower than it on this measurement. About a minute for 135M parameters.
Result<InstalledModel> choose_weights(std::string_view name, const std::filesystem::path& home,
                                      const WeightsOptions& options = {}, const ProgressSink& progress = {},
                                      Logger& logger = silent_logger());

/// The CPU and its instruction sets as llama.cpp sees them; a measurement holds for one such machine.
std::string machine_description();

}  // namespace loam::engine
