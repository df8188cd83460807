// What LocalEngine holds, shared by its two sources. For this room only.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/chat_template.h"
#include "engine/llama_handles.h"
#include "engine/llama_log.h"
#include "engine/local_engine.h"

namespace loam::engine {

/// A context of llama.cpp and what it has read: sequence 0 holds the keys and values of `tokens`, in order.
struct ReadContext {
  llama_context_ptr context;
  std::vector<Token> tokens;
  std::size_t exact_tokens = 0;  ///< of these, so many were computed in whole chunks from position 0

  /// Removes everything from position `keep` on.
  void truncate(std::size_t keep);
  void clear();
  /// How much of `prompt` is here already, by options.reuse; at least one token is left to compute.
  std::size_t reusable(const std::vector<Token>& prompt, const LocalEngineOptions& options) const;
};

/// While it lives, a stop request ends what llama.cpp computes.
class AbortOn {
 public:
  AbortOn(const std::stop_token& stop, std::atomic<bool>& flag) : on_stop_(stop, Raise{&flag}) {}

 private:
  struct Raise {
    std::atomic<bool>* flag;
    void operator()() const { *flag = true; }
  };
  std::stop_callback<Raise> on_stop_;
};

/// An adapter in memory, shared by all sets that hold it.
using LoadedAdapter = std::shared_ptr<llama_adapter_lora>;

/// One set of adapters, and what was read under it: a context of its own, so that its keys and values are
/// never another set's, and changing sets costs nothing.
struct AdapterSet {
  std::vector<Adapter> wanted;
  std::vector<LoadedAdapter> loaded;  ///< before the context that points to them: it dies first
  ReadContext writing;                ///< for generate
  std::uint64_t used = 0;             ///< when it was last chosen
  std::string name;                   ///< of the model with them: "smollm2+tickets:0.5"

  bool is(const std::vector<Adapter>& other, const std::vector<LoadedAdapter>& loaded) const;
};

struct LocalEngine::Impl {
  std::shared_ptr<LocalModel> model;
  LocalEngineOptions options;
  Logger* logger = nullptr;
  // Order matters: contexts die before the thread pool and model that they use.
  ThreadpoolPtr threadpool;
  std::map<std::string, std::weak_ptr<llama_adapter_lora>> shelf;  ///< by path, size and time of the file
  std::vector<std::unique_ptr<AdapterSet>> sets;                   ///< at most options.adapter_sets
  AdapterSet* set = nullptr;                                       ///< the one in force
  std::uint64_t choices = 0;
  ReadContext scoring;  ///< for given tokens; made when first needed: generation keeps its own small buffers
  std::optional<ChatTemplate> chat;
  std::atomic<bool> abort{false};  ///< read by llama.cpp between operations

  const llama_vocab* vocabulary() const { return model->impl().vocabulary; }
  Error failed(const LlamaLogScope& log, int code, const std::string& what) const;
  Error stopped(const std::string& what) const;

  /// `sequences` above 1 share one buffer of keys and values.
  Result<llama_context_ptr> make_context(int context_tokens, int batch, int micro_batch, int outputs,
                                         int sequences = 1);
  Result<LoadedAdapter> load_adapter(const Adapter& wanted);
  Result<void> apply(const AdapterSet& from, llama_context* to);
  /// Puts a set of adapters in force: the one that is there already, else a new one, else in the place of the
  /// one that was not used for longest.
  Result<void> choose_adapters(const std::vector<Adapter>& wanted);
  Result<ChatTemplate*> chat_template();
  Result<std::vector<PromptPart>> render_parts(const std::vector<Message>& messages);

  /// Appends to sequence 0. False: aborted, and nothing was appended.
  Result<bool> append(ReadContext& to, std::span<const Token> tokens, bool wants_logits,
                      const LlamaLogScope& log);
  /// Reads `prompt` after whatever `to` may keep of it (that many are `reused`); the logits of its last token
  /// are there then. False: stopped; what was read stays.
  Result<bool> read_prompt(ReadContext& to, const std::vector<Token>& prompt, int& reused,
                           const std::stop_token& stop, const LlamaLogScope& log);

  /// Rows of logits that are asked for at once.
  std::size_t most_rows() const;
  /// Makes `scoring` when it is not there yet.
  Result<void> open_scoring();
  /// Several continuations can branch off one prompt in the cache; recurrent models keep one state instead.
  bool can_branch() const;
};

/// Log of the sum of exponentials in double, and with it true probabilities of a row of logits.
double log_sum_exp(std::span<const float> logits);

}  // namespace loam::engine
