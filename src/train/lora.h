// Low-rank adapters (Hu et al. 2021): beside a frozen matrix W stand A (rank, in) and B (out, rank), and the
// layer computes W x + scale B A x.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/team.h"
#include "train/frozen_llama.h"
#include "train/operand.h"

namespace loam::train {

/// The linear layers that can have an adapter.
enum class Target : std::uint8_t { q, k, v, o, gate, up, down };
inline constexpr std::size_t kTargetCount = 7;
std::string_view name_of(Target target);       ///< as PEFT names it: "q_proj"
std::string_view gguf_name_of(Target target);  ///< "attn_q"
/// "q_proj,v_proj", short names ("q,v"), "all-linear", "attention", "mlp"; bad_request names the known ones.
Result<std::array<bool, kTargetCount>> targets_from_text(std::string_view text);

/// How alpha becomes the scale of B A x.
enum class RankScaling : std::uint8_t {
  by_rank,       ///< alpha / rank
  by_root_rank,  ///< alpha / sqrt(rank): rank-stabilised LoRA (Kalajdzievski 2023)
};

struct LoraOptions {
  int rank = 16;  ///< file and optimiser grow in proportion
  double alpha = 32;
  RankScaling scaling = RankScaling::by_rank;
  std::array<bool, kTargetCount> targets = {true, true, true, true, true, true, true};
  int last_layers = 0;  ///< only in so many layers, from the top; 0: in all

  float scale() const;
};

/// Linear layers that read the same input: their A are stacked, so that they are multiplied as one.
enum class Group : std::uint8_t { attention_in, attention_out, ffn_in, ffn_out };
inline constexpr std::size_t kGroupCount = 4;
Group group_of(Target target);

/// Where an adapter's matrices lie in the flat parameters. B is kept transposed, (rank, out). Ranks are
/// rounded up to even numbers; the rows that this adds are zero and stay zero.
struct LoraMatrix {
  bool there = false;
  std::size_t in = 0, out = 0;
  std::size_t a = 0;     ///< first parameter of A
  std::size_t b = 0;     ///< first parameter of B
  std::size_t slot = 0;  ///< first of its rows among the stacked A of its group
};

struct LoraGroup {
  std::size_t rows = 0;  ///< of all stacked A; 0: no adapter here
  std::size_t in = 0;
  std::size_t a = 0;  ///< first parameter
};

/// Columns and rows of a linear layer; none where the model has no such layer.
struct LinearSides {
  std::size_t in = 0, out = 0;
};
/// The linear layers of one layer of a model, by Target.
using LayerSides = std::array<LinearSides, kTargetCount>;

/// All parameters of one adapter, with their gradients and AdamW's moments.
class LoraParameters {
 public:
  /// A uniform in +-1/sqrt(in) (PEFT's start), B zero: the model is unchanged at first. Throws
  /// std::bad_alloc.
  LoraParameters(const LlamaShape& shape, const LoraOptions& options, std::uint64_t seed);
  /// The same for any model of `layers` equal layers. `extra` parameters, zero at first, come after the
  /// matrices: a head that is trained with the adapter.
  LoraParameters(std::size_t layers, const LayerSides& sides, const LoraOptions& options, std::uint64_t seed,
                 std::size_t extra = 0);

  const LoraOptions& options() const { return options_; }
  std::size_t padded_rank() const { return padded_rank_; }
  std::size_t layers() const { return matrices_.size(); }
  std::size_t first_layer() const { return first_layer_; }  ///< the lowest that has an adapter
  const LoraMatrix& matrix(std::size_t layer, Target target) const {
    return matrices_[layer][static_cast<std::size_t>(target)];
  }
  const LoraGroup& group(std::size_t layer, Group group) const {
    return groups_[layer][static_cast<std::size_t>(group)];
  }

  std::span<float> values() { return values_; }
  std::span<const float> values() const { return values_; }
  std::span<float> gradients() { return gradients_; }
  std::span<float> first_moments() { return first_moments_; }
  std::span<float> second_moments() { return second_moments_; }
  std::size_t a_count() const { return a_count_; }    ///< parameters of all A come first, then those of all B
  std::size_t extra_at() const { return extra_at_; }  ///< where the extra parameters begin
  std::size_t extra() const { return values_.size() - extra_at_; }
  std::size_t trained() const;  ///< with the extra ones, without rows that only make ranks even

  /// Copies the values in the precision in which they are multiplied; call after each change.
  void round(Precision precision, Team& team);
  /// Of the rounded values: the stacked A of a group, (rows, in).
  Factor a(std::size_t layer, Group group) const;
  /// Transposed B, (padded rank, out).
  Factor b(std::size_t layer, Target target) const;

 private:
  LoraOptions options_;
  std::size_t padded_rank_ = 0;
  std::size_t first_layer_ = 0;
  std::size_t a_count_ = 0;
  std::size_t extra_at_ = 0;
  std::vector<std::array<LoraMatrix, kTargetCount>> matrices_;
  std::vector<std::array<LoraGroup, kGroupCount>> groups_;
  std::vector<float> values_, gradients_, first_moments_, second_moments_;
  Precision precision_ = Precision::f32;
  std::vector<Bf16> rounded_;
};

}  // namespace loam::train
