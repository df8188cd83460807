// The weights of a GGUF while an adapter is trained: checked, named, widened once from whatever quantisation
// the file has, so that the adapter is trained for the very weights that it will be served on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "base/team.h"
#include "engine/gguf_file.h"
#include "engine/gguf_metadata.h"
#include "train/operand.h"

namespace loam::train {

/// A file's settings and tensors, read one after the other; each tensor that was read is known to be used.
class GgufWeights {
 public:
  /// `next_step` ends every refusal: which models can be trained. All references must outlive the object.
  static Result<std::unique_ptr<GgufWeights>> open(const std::filesystem::path& gguf, std::string next_step,
                                                   Team& team, const ProgressSink& progress);

  const std::string& architecture() const { return architecture_; }
  bool has(const std::string& tensor) const { return tensors_.contains(tensor); }
  /// Null: there is none.
  const engine::GgufTensor* find(const std::string& tensor) const;
  /// Settings of the architecture ("block_count"); `whole_key` takes the key's whole name.
  const engine::GgufValue* setting(const std::string& name) const;
  const engine::GgufValue* whole_key(const std::string& name) const { return metadata_.find(name); }
  /// Nothing when it is not one number that is not negative.
  std::optional<std::size_t> count(const std::string& name) const;
  double number(const std::string& name, double fallback) const;
  std::string text(const std::string& name) const;

  Result<void> vector(const std::string& tensor, std::size_t size, std::vector<float>& out);
  Result<void> matrix(const std::string& tensor, std::size_t rows, std::size_t columns, Precision precision,
                      Operand& out);
  /// Refuses the first tensor that nothing has read, by its name.
  Result<void> all_used() const;

  /// A model that cannot be trained (bad_request), and one that is damaged (bad_data).
  Error refuse(std::string message) const;
  Error damaged(std::string message) const;

 private:
  GgufWeights(const std::filesystem::path& path, engine::GgufFile file, engine::GgufMetadata metadata,
              std::string next_step, Team& team, const ProgressSink& progress);
  Result<const engine::GgufTensor*> shaped(const std::string& name, const std::vector<std::uint64_t>& shape);
  /// Rows [first, first + count) as f32, one after the other.
  template <typename Take>
  Result<void> rows(const engine::GgufTensor& tensor, std::size_t first, std::size_t count,
                    std::size_t columns, Take&& take);

  std::string place_;
  engine::GgufFile file_;
  engine::GgufMetadata metadata_;
  std::string next_step_;
  Team& team_;
  const ProgressSink& progress_;
  std::string architecture_;
  std::unordered_map<std::string, const engine::GgufTensor*> tensors_;
  std::set<std::string> used_;
  std::uint64_t done_bytes_ = 0;
};

}  // namespace loam::train
