// What LocalModel holds of llama.cpp. For this room only: the one header that shows llama.h to its sources.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "engine/gguf_check.h"
#include "engine/local_engine.h"
#include "ggml-cpu.h"
#include "llama-cpp.h"

namespace loam::engine {

struct ThreadpoolFree {
  void operator()(ggml_threadpool* pool) const { ggml_threadpool_free(pool); }
};
using ThreadpoolPtr = std::unique_ptr<ggml_threadpool, ThreadpoolFree>;

/// A control token and the text it is written as, for templates.
struct SpecialToken {
  std::string text;
  Token id = 0;
  bool strips_left = false;   ///< swallows white space before it
  bool strips_right = false;  ///< swallows white space after it
};

struct LocalModel::Impl {
  llama_model_ptr model;
  const llama_vocab* vocabulary = nullptr;
  Logger* logger = nullptr;
  std::filesystem::path file;
  std::string name;
  std::string fingerprint;
  std::string description;
  GgufSummary summary;
  Load load = Load::weights;
  std::vector<SpecialToken> control_tokens;  ///< longest text first
  std::mutex adapters_mutex;                 ///< loading an adapter changes the list that the model keeps
};

/// ggml's number for a key-value type.
ggml_type ggml_type_of(KvType type);

/// `requested`, or one per physical core when it is 0.
int thread_count(int requested);

/// Fails with bad_request when only the vocabulary was loaded.
Result<void> require_weights(const LocalModel& model);

/// Threads that stay alive between calls, as llama-bench uses them.
ThreadpoolPtr make_threadpool(int threads);

/// The bytes a token stands for; control tokens show their name when `special`, and are empty otherwise.
std::string piece_of(const llama_vocab* vocabulary, Token token, bool special);

/// The file's name without folder and ".gguf".
std::string model_name_of(const std::filesystem::path& gguf);

/// See LocalModel::fingerprint.
Result<std::string> fingerprint_of(const std::filesystem::path& gguf, const GgufSummary& summary);

/// A part of a prompt: text of ours (or of the model's template), in which control tokens count, or text from
/// outside, in which they are plain text.
struct PromptPart {
  std::string text;
  bool outside = false;
};

/// Tokens of a prompt made of parts. Plain text on both sides of a border is tokenised as one, as the model
/// saw it in training; only the control tokens inside our own parts become control tokens.
Result<std::vector<Token>> encode_parts(const LocalModel& model, const std::vector<PromptPart>& parts);

}  // namespace loam::engine
