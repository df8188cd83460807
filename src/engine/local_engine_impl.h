// What LocalEngine holds, shared by its two sources. For this room only.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "engine/chat_template.h"
#include "engine/llama_handles.h"
#include "engine/llama_log.h"
#include "engine/local_engine.h"

namespace loam::engine {

struct LocalEngine::Impl {
  std::shared_ptr<LocalModel> model;
  LocalEngineOptions options;
  Logger* logger = nullptr;
  // Order matters: contexts die before the thread pool, adapters and model that they use.
  std::vector<llama_adapter_lora_ptr> adapters;
  ThreadpoolPtr threadpool;
  llama_context_ptr context;
  llama_context_ptr scoring;  ///< made at the first for_each_logits: generation keeps its own small buffers
  std::optional<ChatTemplate> chat;

  std::vector<Token> cached;       ///< tokens whose keys and values are in sequence 0 of `context`, in order
  std::size_t exact_tokens = 0;    ///< of these, so many were computed in whole chunks from position 0
  std::atomic<bool> abort{false};  ///< read by llama.cpp between operations

  const llama_vocab* vocabulary() const { return model->impl().vocabulary; }
  Error failed(const LlamaLogScope& log, int code, const std::string& what) const;

  Result<llama_context_ptr> make_context(int context_tokens, int batch, int micro_batch, int outputs);
  Result<void> load_adapters(const std::vector<Adapter>& wanted);
  Result<void> apply_adapters(llama_context* to);
  Result<ChatTemplate*> chat_template();
  Result<std::vector<PromptPart>> render_parts(const std::vector<Message>& messages);

  /// Removes everything from position `keep` on.
  void truncate_cache(std::size_t keep);
  /// How much of `prompt` the cache already holds, by options.reuse; at least one token is left to compute.
  std::size_t reusable(const std::vector<Token>& prompt) const;
};

/// Log of the sum of exponentials, and with it true probabilities of a row of logits.
double log_sum_exp(std::span<const float> logits);

}  // namespace loam::engine
