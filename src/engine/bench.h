// Prefill and decode speed of a model file, measured the way llama-bench measures them.
#pragma once

#include <filesystem>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "engine/local_engine.h"

namespace loam::engine {

struct SpeedOptions {
  int prefill_tokens = 512;  ///< pp: tokens decoded in one go into an empty cache; 0 skips it
  int decode_tokens = 64;    ///< tg: tokens decoded one by one into an empty cache; 0 skips it
  int repetitions = 5;       ///< each is one sample; a warm-up run before them is not counted
  int threads = 0;           ///< 0: one per physical core
  int micro_batch_tokens = 512;
  FlashAttention flash_attention = FlashAttention::on;
  KvType k_type = KvType::f16;
  KvType v_type = KvType::f16;
  LocalModelOptions model;
};

/// Tokens per second, higher is better.
struct SpeedReport {
  double prefill_median = 0;
  double decode_median = 0;
  std::vector<double> prefill_samples;
  std::vector<double> decode_samples;
};

Result<SpeedReport> measure_speed(const std::filesystem::path& gguf, const SpeedOptions& options = {},
                                  Logger& logger = silent_logger());
/// On a model that is already loaded.
Result<SpeedReport> measure_speed(LocalModel& model, const SpeedOptions& options = {},
                                  Logger& logger = silent_logger());

}  // namespace loam::engine
