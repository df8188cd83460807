// Will this model fit, and how fast will it be? Predicted before anything large is loaded.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace loam::engine {

/// What an element of the KV cache is.
enum class KvPrecision : std::uint8_t { f16, bf16, q8_0, q4_0, f32 };

struct FitOptions {
  int context_tokens = 2048;  ///< per slot
  int slots = 1;              ///< conversations at once; the cache grows in proportion
  KvPrecision kv = KvPrecision::f16;
  int batch_tokens = 128;  ///< tokens of one compute step (llama.cpp's n_ubatch)
  std::vector<std::filesystem::path> adapters;
  std::uint64_t available_bytes = 0;  ///< 0: asks the machine (available_memory())
  double prefill_tokens_per_s = 0;    ///< measured before for this model; 0: a quick measurement
  double decode_tokens_per_s = 0;
};

enum class SpeedWord : std::uint8_t { excellent, good, acceptable, low };
/// By decode speed: excellent from 40 tok/s, good from 30, acceptable from 20, low under 20.
SpeedWord speed_word(double decode_tokens_per_s);
std::string_view name_of(SpeedWord word);

/// Peak resident memory by part, in bytes.
struct MemoryParts {
  std::uint64_t weights = 0;  ///< mapped file pages and repacked copies
  std::uint64_t kv_cache = 0;
  std::uint64_t compute = 0;
  std::uint64_t adapters = 0;
  std::uint64_t program = 0;  ///< Loam itself, vocabulary, thread stacks
  std::uint64_t total() const { return weights + kv_cache + compute + adapters + program; }
};

struct FitReport {
  MemoryParts memory;
  std::uint64_t available_bytes = 0;
  bool fits = false;
  int context_tokens = 0;  ///< as asked, or the model's own when less
  int slots = 1;
  int largest_context_tokens = 0;   ///< per slot, that would fit; 0 when not even the weights do
  double prefill_tokens_per_s = 0;  ///< 0: not known
  double decode_tokens_per_s = 0;
  bool speed_is_measured = false;  ///< else scaled from this machine's memory speed and the model's size
  SpeedWord word = SpeedWord::low;
  std::vector<std::string> notes;
};

/// Predicts peak memory and speed. The GGUF is checked first (check_gguf). `gguf` must be a file.
Result<FitReport> predict_fit(const std::filesystem::path& gguf, const FitOptions& options = {});

/// Memory a new process may take: MemAvailable, or less where a cgroup says so.
Result<std::uint64_t> available_memory();
/// The same, from a given root in place of "/", for tests.
Result<std::uint64_t> available_memory(const std::filesystem::path& root);

}  // namespace loam::engine
