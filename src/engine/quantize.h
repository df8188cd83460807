// Makes a model smaller, and says what that cost: perplexity and KL against the source on a text, and what it
// bought: speed before and after, on this machine.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/progress.h"
#include "base/result.h"
#include "engine/local_engine.h"

namespace loam::engine {

/// The types that quantize() accepts, e.g. "Q4_0", "Q4_K_M", "Q8_0", "BF16", "F16", "F32".
std::vector<std::string> quantize_types();

enum class Measure : std::uint8_t { no, yes };

struct QuantizeOptions {
  int threads = 0;               ///< 0: all cores
  Measure loss = Measure::yes;   ///< perplexity and KL; a chat model only
  Measure speed = Measure::yes;  ///< interleaved before and after
  std::string text;              ///< for the loss; empty: our own text of about 2,000 tokens
  int max_tokens = 1024;         ///< of the text that are scored
  int time_limit_ms = 3600000;   ///< for the quantising itself
};

/// The loss of one model against another, over the same tokens.
struct LossReport {
  int tokens = 0;  ///< scored positions
  double perplexity_source = 0;
  double perplexity = 0;
  double mean_kl = 0;  ///< nats per token, KL(source || this)
  double mean_kl_standard_error = 0;
  double top1_agreement = 0;  ///< 0..1
};

struct SpeedPair {
  double prefill_before = 0, prefill_after = 0;  ///< tokens per second
  double decode_before = 0, decode_after = 0;
};

struct QuantizeReport {
  std::filesystem::path file;
  std::string type;
  std::uint64_t bytes_before = 0;
  std::uint64_t bytes_after = 0;
  bool has_loss = false;
  LossReport loss;
  bool has_speed = false;
  SpeedPair speed;
};

/// Checks `source`, quantises in a child process (llama.cpp may abort on odd shapes), checks the result and
/// puts it at `out` atomically. An unknown type is bad_request and lists the known ones.
Result<QuantizeReport> quantize(const std::filesystem::path& source, const std::filesystem::path& out,
                                std::string_view type, const QuantizeOptions& options = {},
                                const ProgressSink& progress = {}, Logger& logger = silent_logger());

/// Scores `model` against `source` on `text` (empty: our own). Both must share the vocabulary.
Result<LossReport> measure_loss(const std::filesystem::path& source, const std::filesystem::path& model,
                                std::string_view text = {}, int max_tokens = 2048, int threads = 0,
                                const ProgressSink& progress = {});

/// The same, with adapters on the source.
Result<LossReport> measure_loss(const std::filesystem::path& source, const std::vector<Adapter>& adapters,
                                const std::filesystem::path& model, std::string_view text = {},
                                int max_tokens = 2048, int threads = 0, const ProgressSink& progress = {});

/// The same for several models, reading the source once. Keeps its logits: max_tokens times the vocabulary
/// times 4 bytes (50 MB for 256 tokens of 49,152).
Result<std::vector<LossReport>> measure_losses(const std::filesystem::path& source,
                                               const std::vector<std::filesystem::path>& models,
                                               int max_tokens, int threads = 0,
                                               const ProgressSink& progress = {});

/// The bundled text, written for this purpose.
std::string_view loss_text();

}  // namespace loam::engine
