// An embedder that keeps what it has embedded, for work that asks for the same texts several times.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"

namespace loam::tasks {

/// An embedder that knows what it has embedded before, by content: passages that stay whole under another
/// cut, and questions asked again, cost nothing. Borrows the one inside. At most `kMostKept` texts.
class RememberingEmbedder final : public engine::Embedder {
 public:
  static constexpr std::size_t kMostKept = 100'000;  // of 384 numbers: 160 MB
  explicit RememberingEmbedder(engine::Embedder& inside) : inside_(inside) {}
  const std::string& model_name() const override { return inside_.model_name(); }
  const std::string& fingerprint() const override { return inside_.fingerprint(); }
  int dimensions() const override { return inside_.dimensions(); }
  int max_tokens() const override { return inside_.max_tokens(); }
  Result<int> count_tokens(std::string_view text) override { return inside_.count_tokens(text); }
  Result<std::vector<float>> embed(std::span<const std::string> texts) override;

  void remember(const std::string& text, std::span<const float> vector);
  std::size_t reused() const { return reused_; }

 private:
  engine::Embedder& inside_;
  std::map<std::string, std::vector<float>> kept_;  // by the text's hash
  std::size_t reused_ = 0;
};

}  // namespace loam::tasks
