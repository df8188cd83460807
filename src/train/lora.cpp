#include "train/lora.h"

#include <algorithm>
#include <cmath>

#include "train/narrow.h"
#include "train/random.h"

namespace loam::train {
namespace {

constexpr std::array<Target, kTargetCount> kTargets = {Target::q,    Target::k,  Target::v,   Target::o,
                                                       Target::gate, Target::up, Target::down};

LayerSides sides_of(const LlamaShape& shape) {
  const std::size_t q = shape.attention.query_columns(), kv = shape.attention.key_columns();
  const std::size_t width = shape.width, inner = shape.inner;
  return {{{width, q}, {width, kv}, {width, kv}, {q, width}, {width, inner}, {width, inner}, {inner, width}}};
}

}  // namespace

std::string_view name_of(Target target) {
  constexpr std::string_view kNames[] = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                         "gate_proj", "up_proj", "down_proj"};
  return kNames[static_cast<std::size_t>(target)];
}

std::string_view gguf_name_of(Target target) {
  constexpr std::string_view kNames[] = {"attn_q",   "attn_k", "attn_v",  "attn_output",
                                         "ffn_gate", "ffn_up", "ffn_down"};
  return kNames[static_cast<std::size_t>(target)];
}

Result<std::array<bool, kTargetCount>> targets_from_text(std::string_view text) {
  std::array<bool, kTargetCount> chosen{};
  std::string word;
  for (const char c : std::string(text) + ",") {
    if (c != ',') {
      if (c != ' ') word += c;
      continue;
    }
    if (word.empty()) continue;
    bool known = false;
    for (std::size_t i = 0; i < kTargetCount; ++i) {
      const std::string_view name = name_of(kTargets[i]);
      const bool attention = i < 4;
      const bool meant = word == name || word == name.substr(0, name.size() - 5) ||
                         word == gguf_name_of(kTargets[i]) || word == "all-linear" || word == "all" ||
                         (word == "attention" && attention) || (word == "mlp" && !attention);
      known = known || meant;
      chosen[i] = chosen[i] || meant;
    }
    if (!known) {
      return Error{Kind::bad_request, "target \"" + word + "\"", "there is no such linear layer",
                   "use all-linear, attention, mlp, or some of q_proj, k_proj, v_proj, o_proj, gate_proj, "
                   "up_proj, down_proj"};
    }
    word.clear();
  }
  if (std::none_of(chosen.begin(), chosen.end(), [](bool one) { return one; })) {
    return Error{Kind::bad_request, "targets", "none is named", "use all-linear"};
  }
  return chosen;
}

float LoraOptions::scale() const {
  const double r = rank;
  return static_cast<float>(scaling == RankScaling::by_rank ? alpha / r : alpha / std::sqrt(r));
}

Group group_of(Target target) {
  constexpr Group kGroups[] = {Group::attention_in,  Group::attention_in, Group::attention_in,
                               Group::attention_out, Group::ffn_in,       Group::ffn_in,
                               Group::ffn_out};
  return kGroups[static_cast<std::size_t>(target)];
}

LoraParameters::LoraParameters(const LlamaShape& shape, const LoraOptions& options, std::uint64_t seed)
    : LoraParameters(shape.layers, sides_of(shape), options, seed) {}

LoraParameters::LoraParameters(std::size_t layers, const LayerSides& all_sides, const LoraOptions& options,
                               std::uint64_t seed, std::size_t extra)
    : options_(options) {
  const auto rank = static_cast<std::size_t>(options.rank);
  padded_rank_ = (rank + 1) / 2 * 2;
  const auto last = static_cast<std::size_t>(std::max(options.last_layers, 0));
  first_layer_ = last == 0 || last >= layers ? 0 : layers - last;
  matrices_.resize(layers);
  groups_.resize(layers);
  std::size_t next = 0;
  for (std::size_t layer = first_layer_; layer < layers; ++layer) {
    for (const Target target : kTargets) {  // in the order of their groups
      const LinearSides sides = all_sides[static_cast<std::size_t>(target)];
      if (!options.targets[static_cast<std::size_t>(target)] || sides.out == 0) continue;
      LoraGroup& group = groups_[layer][static_cast<std::size_t>(group_of(target))];
      if (group.rows == 0) group = {0, sides.in, next};
      LoraMatrix& matrix = matrices_[layer][static_cast<std::size_t>(target)];
      matrix = {true, sides.in, sides.out, next, 0, group.rows};
      group.rows += padded_rank_;
      next += padded_rank_ * sides.in;
    }
  }
  a_count_ = next;
  for (auto& layer : matrices_) {
    for (LoraMatrix& matrix : layer) {
      if (!matrix.there) continue;
      matrix.b = next;
      next += padded_rank_ * matrix.out;
    }
  }
  extra_at_ = next;
  next += extra;
  values_.assign(next, 0.0F);
  gradients_.assign(next, 0.0F);
  first_moments_.assign(next, 0.0F);
  second_moments_.assign(next, 0.0F);
  Random random(seed);
  for (const auto& layer : matrices_) {
    for (const LoraMatrix& matrix : layer) {
      if (!matrix.there) continue;
      const float bound = 1.0F / std::sqrt(static_cast<float>(matrix.in));
      for (std::size_t i = 0; i < rank * matrix.in; ++i) values_[matrix.a + i] = bound * random.symmetric();
    }
  }
}

std::size_t LoraParameters::trained() const {
  std::size_t sum = extra();
  for (const auto& layer : matrices_) {
    for (const LoraMatrix& matrix : layer) {
      if (matrix.there) sum += static_cast<std::size_t>(options_.rank) * (matrix.in + matrix.out);
    }
  }
  return sum;
}

void LoraParameters::round(Precision precision, Team& team) {
  precision_ = precision;
  if (precision == Precision::f32) return;
  rounded_.resize(values_.size());
  run_ranges(team, values_.size(), 65536, [&](std::size_t begin, std::size_t end) {
    narrow_row(values_.data() + begin, end - begin, rounded_.data() + begin);
  });
}

Factor LoraParameters::a(std::size_t layer, Group group) const {
  const LoraGroup& where = this->group(layer, group);
  const void* data = precision_ == Precision::f32 ? static_cast<const void*>(values_.data() + where.a)
                                                  : static_cast<const void*>(rounded_.data() + where.a);
  return {data, precision_, where.rows, where.in, where.in};
}

Factor LoraParameters::b(std::size_t layer, Target target) const {
  const LoraMatrix& where = matrix(layer, target);
  const void* data = precision_ == Precision::f32 ? static_cast<const void*>(values_.data() + where.b)
                                                  : static_cast<const void*>(rounded_.data() + where.b);
  return {data, precision_, padded_rank_, where.out, where.out};
}

}  // namespace loam::train
