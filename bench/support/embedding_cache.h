// An embedder that remembers its vectors in a file, so that a second run of a benchmark takes seconds. Speed
// is never measured through it.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <unordered_map>

#include "engine/engine.h"

namespace loam::bench {

class EmbeddingCache final : public engine::Embedder {
 public:
  /// `inner` must outlive the cache. The file belongs to one fingerprint; it is created when missing, and an
  /// unfinished last record (an interrupted run) is dropped.
  EmbeddingCache(engine::Embedder& inner, const std::filesystem::path& folder);

  const std::string& model_name() const override { return inner_.model_name(); }
  const std::string& fingerprint() const override { return inner_.fingerprint(); }
  int dimensions() const override { return inner_.dimensions(); }
  int max_tokens() const override { return inner_.max_tokens(); }
  Result<int> count_tokens(std::string_view text) override { return inner_.count_tokens(text); }
  Result<std::vector<float>> embed(std::span<const std::string> texts) override;

  std::size_t computed() const { return computed_; }
  std::size_t remembered() const { return remembered_; }

 private:
  std::string key_of(const std::string& text) const;

  engine::Embedder& inner_;
  std::unordered_map<std::string, std::vector<float>> vectors_;
  std::ofstream file_;
  std::size_t computed_ = 0, remembered_ = 0;
};

}  // namespace loam::bench
