// Text to unit vectors by an encoder model (BERT family) in this process.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "engine/local_model.h"

namespace loam::engine {

struct LocalEmbedderOptions {
  int threads = 0;          ///< 0: the cores that are free at the moment (threads.h)
  int max_tokens = 0;       ///< 0: what the model says it was trained on, see Embedder::max_tokens
  int tokens_per_call = 0;  ///< texts are packed up to this many tokens; 0: the default, 512
  LocalModelOptions model;
  std::filesystem::path adapter;  ///< LoRA of kind "embedder" (encoder_head.h); empty: none
};

/// One call at a time per object; objects may share a LocalModel across threads.
class LocalEmbedder final : public Embedder {
 public:
  static Result<std::unique_ptr<LocalEmbedder>> open(const std::filesystem::path& gguf,
                                                     LocalEmbedderOptions options = {},
                                                     Logger& logger = silent_logger());
  static Result<std::unique_ptr<LocalEmbedder>> open(std::shared_ptr<LocalModel> model,
                                                     LocalEmbedderOptions options = {},
                                                     Logger& logger = silent_logger());
  ~LocalEmbedder() override;

  const std::string& model_name() const override;
  const std::string& fingerprint() const override;
  int dimensions() const override;
  int max_tokens() const override;
  Result<int> count_tokens(std::string_view text) override;
  Result<std::vector<float>> embed(std::span<const std::string> texts) override;

  LocalModel& model();
  /// To open other things on the same weights.
  std::shared_ptr<LocalModel> shared_model() const;

 private:
  struct Impl;
  explicit LocalEmbedder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace loam::engine
