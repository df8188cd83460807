// The engine that runs in this process: llama.cpp behind the Engine and Embedder interfaces.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "engine/local_embedder.h"
#include "engine/local_model.h"

namespace loam::engine {

/// Number format of the key-value cache.
enum class KvType : std::uint8_t { f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0, iq4_nl };

/// "f16", "q8_0", ...
std::string_view name_of(KvType type);
/// The inverse; fails with bad_request, naming the known types.
Result<KvType> kv_type_from_name(std::string_view name);

enum class FlashAttention : std::uint8_t { on, off };

/// What a prompt may take over from the prompt before it.
enum class Reuse : std::uint8_t {
  fast,  ///< every shared token, answers included. Equal up to the rounding of batch shapes: logits differ in
         ///< the last bits, so a near-tie between two tokens can fall the other way
  exact,  ///< only whole micro-batches of earlier prompts: bit for bit what an empty cache would give
  off,
};

/// A LoRA adapter (GGUF) and how strongly it acts.
struct Adapter {
  std::filesystem::path file;
  float scale = 1.0F;
  bool operator==(const Adapter&) const = default;
};

struct LocalEngineOptions {
  int context_tokens = 2048;     ///< prompt + answer; cache memory grows in proportion. 0: as trained
  int batch_tokens = 512;        ///< prompt tokens per call into llama.cpp
  int micro_batch_tokens = 128;  ///< tokens computed at once; compute memory grows in proportion
  int threads = 0;               ///< 0: the cores that are free at the moment (threads.h)
  FlashAttention flash_attention = FlashAttention::on;
  KvType k_type = KvType::f16;  ///< q8_0 halves the cache; quantised types need flash attention
  KvType v_type = KvType::f16;
  Reuse reuse = Reuse::exact;
  std::vector<Adapter> adapters;  ///< in force at the start
  int adapter_sets = 4;           ///< whose prompts stay cached; each that is used costs a cache of its own
  LocalModelOptions model;        ///< used when the engine loads the model itself
};

/// Memory that llama.cpp holds for one engine, in bytes.
struct MemoryUse {
  std::uint64_t weights = 0;  ///< shared by all engines of one LocalModel
  std::uint64_t cache = 0;    ///< keys and values
  std::uint64_t compute = 0;  ///< scratch
};

/// A chat model run by llama.cpp. One call at a time per object; objects may share a LocalModel across
/// threads.
class LocalEngine final : public Engine {
 public:
  static Result<std::unique_ptr<LocalEngine>> open(const std::filesystem::path& gguf,
                                                   LocalEngineOptions options = {},
                                                   Logger& logger = silent_logger());
  /// On a model that is already loaded. `logger` must outlive the engine.
  static Result<std::unique_ptr<LocalEngine>> open(std::shared_ptr<LocalModel> model,
                                                   LocalEngineOptions options = {},
                                                   Logger& logger = silent_logger());
  ~LocalEngine() override;

  /// With its adapters: "smollm2-135m-instruct+tickets:0.5". Others than the one before say other things.
  const std::string& model_name() const override;
  int context_tokens() const override;
  Result<int> count_tokens(std::string_view text) override;
  Result<int> count_tokens(const std::vector<Message>& messages) override;
  Result<std::string> render(const std::vector<Message>& messages) override;
  Result<Draft> generate(const GenerateRequest& request, const TextSink& sink = {},
                         std::stop_token stop = {}) override;
  /// The prompt is read once, and what the continuations share of their beginnings once too. A prompt that
  /// begins like the one scored before takes that part over, by options.reuse. Scores of one continuation
  /// beside others differ from its score alone by rounding only.
  Result<std::vector<ContinuationScore>> score(const ScoreRequest& request,
                                               std::stop_token stop = {}) override;

  /// The exact tokens that `generate` would send for these messages. Control tokens come from the template
  /// only: what a message says about control tokens stays plain text.
  Result<std::vector<Token>> prompt_tokens(const std::vector<Message>& messages);

  /// Puts these adapters in force. Each set of adapters and scales has a cache of its own, which never serves
  /// another set's tokens and stays while others are in force, up to options.adapter_sets of them; then the
  /// one that was not used for longest goes. Going back to a set costs nothing. A set that cannot be had
  /// leaves the earlier one in force: bad_request for a wrong model, naming both, bad_data for a damaged
  /// file. An adapter that does not say what it was trained on is taken where it fits, with a warning to the
  /// logger.
  Result<void> set_adapters(const std::vector<Adapter>& adapters);
  const std::vector<Adapter>& adapters() const;

  /// Calls `each` once per position from `first` on with the logits (vocabulary_size()) that predict the
  /// token AFTER it; of the positions before, no logits are computed. Does not touch the cache of `generate`.
  /// Fails with out_of_room when the tokens exceed the context, with unavailable when stopped.
  Result<void> for_each_logits(std::span<const Token> tokens,
                               const std::function<void(int position, std::span<const float> logits)>& each,
                               int first = 0, std::stop_token stop = {});

  /// What a model reads before the first token of a text: its BOS, else its EOS.
  Token first_token() const;

  /// Forgets all cached prompts.
  void clear_cache();

  LocalModel& model();
  MemoryUse memory() const;
  const LocalEngineOptions& options() const;

 private:
  struct Impl;
  explicit LocalEngine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace loam::engine
