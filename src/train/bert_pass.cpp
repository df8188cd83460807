#include "train/bert_pass.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "train/attention.h"
#include "train/gelu.h"
#include "train/layer_norm.h"
#include "train/linear.h"
#include "train/narrow.h"

namespace loam::train {
namespace {

/// What the gradients of one layer need of its forward pass.
struct KeptOfBert {
  Buffer input;  ///< (tokens, width) f32
  Operand qkv;
  Buffer log_sums;  ///< (tokens, heads) f32
  Operand attended;
  Buffer attention_sum;  ///< (tokens, width) f32: before the norm after attention
  Operand up;            ///< before the activation
  Buffer output_sum;     ///< (tokens, width) f32: before the layer's last norm
  std::array<Operand, kGroupCount> middle;
};

}  // namespace

struct BertPass::State {
  const FrozenBert& model;
  LoraParameters* lora;
  Team& team;
  Keep keep;
  std::vector<KeptOfBert> kept;
  KeptOfBert shared;           ///< of the layer that is computed again, or of one that needs no gradient
  Buffer first, second, last;  ///< states between layers whose input is not kept, and after the last
  Buffer wide, inside, stream, dinside;  ///< f32 scratch; `stream` is the gradient of the states
  Operand rounded, active, dwide, dattended, dup;
  LinearScratch scratch;

  State(const FrozenBert& frozen, LoraParameters* adapter, Team& with, Keep how)
      : model(frozen), lora(adapter), team(with), keep(how) {}

  const BertShape& shape() const { return model.shape; }
  Precision precision() const { return model.precision; }
  std::size_t lowest() const { return lora == nullptr ? shape().layers : lora->first_layer(); }

  LinearGroup group(std::size_t layer, Group which, std::span<const LinearLayer> layers) const {
    return {lora, layer, which, layers};
  }

  void round(const float* values, std::size_t rows, std::size_t columns, Operand& out) {
    out.shape(precision(), rows, columns);
    narrow_rows(team, values, columns, out);
  }
  void norm(const FrozenNorm& with, const float* x, std::size_t rows, float* y) {
    layer_norm(team, x, rows, shape().width, with.weight.data(), with.bias.data(), shape().norm_epsilon, y);
  }
  void norm_backward(const FrozenNorm& with, const float* x, std::size_t rows, const float* dy, float* dx) {
    layer_norm_backward(team, x, rows, shape().width, with.weight.data(), shape().norm_epsilon, dy, dx);
  }

  /// out (rows, columns) = x + bias in each row; x may be null, the bias empty.
  void start_with(const float* x, const std::vector<float>& bias, std::size_t rows, std::size_t columns,
                  float* out) {
    run_ranges(team, rows, 32, [&](std::size_t begin, std::size_t end) {
      for (std::size_t r = begin; r < end; ++r) {
        float* to = out + r * columns;
        if (x == nullptr && bias.empty()) {
          std::fill_n(to, columns, 0.0F);
        } else if (x == nullptr) {
          std::copy_n(bias.data(), columns, to);
        } else {
          std::copy_n(x + r * columns, columns, to);
          for (std::size_t i = 0; i < bias.size(); ++i) to[i] += bias[i];
        }
      }
    });
  }

  void embed(const EncoderBatch& batch, float* out) {
    const std::size_t width = shape().width;
    float* sums = wide.floats(batch.tokens.size() * width);
    with_type(precision(), [&](auto type) {
      using T = decltype(type);
      team.run(batch.segments.size(), [&](std::size_t turn) {
        const Segment& segment = batch.segments[turn];
        for (std::size_t i = 0; i < segment.length; ++i) {
          float* to = sums + (segment.start + i) * width;
          widen_row(model.embedding.row<T>(static_cast<std::size_t>(batch.tokens[segment.start + i])), width,
                    to);
          const float* position = model.positions.row<float>(i);
          for (std::size_t c = 0; c < width; ++c) to[c] += position[c];
        }
      });
    });
    norm(model.embedding_norm, sums, batch.tokens.size(), out);
  }

  /// `output` may be null: only what the gradients need is wanted.
  void forward_layer(std::size_t index, const EncoderBatch& batch, const float* input, float* output,
                     KeptOfBert& of) {
    const FrozenBertLayer& layer = model.layers[index];
    const std::size_t tokens = batch.tokens.size(), width = shape().width, inner = shape().inner;
    const std::size_t columns = 3 * width;

    round(input, tokens, width, rounded);
    float* qkv = wide.floats(tokens * std::max(columns, inner));
    start_with(nullptr, layer.qkv_bias, tokens, columns, qkv);
    const LinearLayer qkv_layers[] = {{&layer.q, Target::q}, {&layer.k, Target::k}, {&layer.v, Target::v}};
    const LinearOutput qkv_outputs[] = {
        {qkv, columns, Add::yes}, {qkv + width, columns, Add::yes}, {qkv + 2 * width, columns, Add::yes}};
    linear_forward(team, group(index, Group::attention_in, qkv_layers), rounded, of.middle[0], qkv_outputs,
                   scratch);
    round(qkv, tokens, columns, of.qkv);
    attention(team, shape().attention, batch.segments, of.qkv, of.attended,
              of.log_sums.floats(tokens * shape().attention.heads));

    float* sum = of.attention_sum.floats(tokens * width);
    start_with(input, layer.o_bias, tokens, width, sum);
    const LinearLayer o_layer[] = {{&layer.o, Target::o}};
    const LinearOutput o_output[] = {{sum, width, Add::yes}};
    linear_forward(team, group(index, Group::attention_out, o_layer), of.attended, of.middle[1], o_output,
                   scratch);
    float* between = inside.floats(tokens * width);
    norm(layer.attention_norm, sum, tokens, between);

    round(between, tokens, width, rounded);
    float* up = wide.floats(tokens * std::max(columns, inner));
    start_with(nullptr, layer.up_bias, tokens, inner, up);
    const LinearLayer up_layer[] = {{&layer.up, Target::up}};
    const LinearOutput up_output[] = {{up, inner, Add::yes}};
    linear_forward(team, group(index, Group::ffn_in, up_layer), rounded, of.middle[2], up_output, scratch);
    round(up, tokens, inner, of.up);
    gelu(team, of.up, active);

    sum = of.output_sum.floats(tokens * width);
    start_with(between, layer.down_bias, tokens, width, sum);
    const LinearLayer down_layer[] = {{&layer.down, Target::down}};
    const LinearOutput down_output[] = {{sum, width, Add::yes}};
    linear_forward(team, group(index, Group::ffn_out, down_layer), active, of.middle[3], down_output,
                   scratch);
    if (output != nullptr) norm(layer.output_norm, sum, tokens, output);
  }

  /// `stream` is the gradient of the layer's output, and then of its input unless the layer is the lowest.
  void backward_layer(std::size_t index, const EncoderBatch& batch, const float* input, KeptOfBert& of,
                      bool is_lowest) {
    const FrozenBertLayer& layer = model.layers[index];
    const std::size_t tokens = batch.tokens.size(), width = shape().width, inner = shape().inner;
    const std::size_t columns = 3 * width;
    const auto* attention_sum = static_cast<const float*>(of.attention_sum.get());
    const auto* output_sum = static_cast<const float*>(of.output_sum.get());
    auto* dstream = static_cast<float*>(stream.get());
    float* dpart = dinside.floats(tokens * width);
    float* dfree = wide.floats(tokens * std::max(columns, inner));

    // The feed-forward part: what was added to it passes its gradient on.
    norm_backward(layer.output_norm, output_sum, tokens, dstream, dstream);
    round(dstream, tokens, width, dwide);
    gelu(team, of.up, active);
    const LinearLayer down_layer[] = {{&layer.down, Target::down}};
    const Factor down_gradient[] = {dwide.view()};
    linear_backward(team, group(index, Group::ffn_out, down_layer), lora, active, of.middle[3], down_gradient,
                    dfree, scratch);
    gelu_backward(team, of.up, dfree, dup);
    float* between = inside.floats(tokens * width);
    norm(layer.attention_norm, attention_sum, tokens, between);
    round(between, tokens, width, rounded);
    const LinearLayer up_layer[] = {{&layer.up, Target::up}};
    const Factor up_gradient[] = {dup.view()};
    linear_backward(team, group(index, Group::ffn_in, up_layer), lora, rounded, of.middle[2], up_gradient,
                    dpart, scratch);
    add(dpart, tokens * width, dstream);

    // Attention, in the same way.
    norm_backward(layer.attention_norm, attention_sum, tokens, dstream, dstream);
    round(dstream, tokens, width, dwide);
    const LinearLayer o_layer[] = {{&layer.o, Target::o}};
    const Factor o_gradient[] = {dwide.view()};
    linear_backward(team, group(index, Group::attention_out, o_layer), lora, of.attended, of.middle[1],
                    o_gradient, dpart, scratch);
    round(dpart, tokens, width, dattended);
    attention_backward(team, shape().attention, batch.segments, of.qkv,
                       static_cast<const float*>(of.log_sums.get()), dattended, dfree);
    round(dfree, tokens, columns, dwide);
    round(input, tokens, width, rounded);
    const LinearLayer qkv_layers[] = {{&layer.q, Target::q}, {&layer.k, Target::k}, {&layer.v, Target::v}};
    const Factor qkv_gradients[] = {dwide.columns(0, width), dwide.columns(width, width),
                                    dwide.columns(2 * width, width)};
    linear_backward(team, group(index, Group::attention_in, qkv_layers), lora, rounded, of.middle[0],
                    qkv_gradients, is_lowest ? nullptr : dpart, scratch);
    if (!is_lowest) add(dpart, tokens * width, dstream);
  }

  void add(const float* values, std::size_t count, float* to) {
    run_ranges(team, count, 65536, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) to[i] += values[i];
    });
  }
};

BertPass::BertPass(const FrozenBert& model, LoraParameters* lora, Team& team, Keep keep)
    : state_(std::make_unique<State>(model, lora, team, keep)) {}
BertPass::~BertPass() = default;

std::span<const float> BertPass::forward(const EncoderBatch& batch, Gradients gradients) {
  State& s = *state_;
  const std::size_t cells = batch.tokens.size() * s.shape().width, layers = s.shape().layers;
  if (s.lora != nullptr) s.lora->round(s.precision(), s.team);
  s.kept.resize(layers);
  const std::size_t from = gradients == Gradients::yes ? s.lowest() : layers;
  const auto input_of = [&](std::size_t layer) {
    if (layer == layers) return s.last.floats(cells);
    if (layer >= from) return s.kept[layer].input.floats(cells);
    return (layer % 2 == 0 ? s.first : s.second).floats(cells);
  };
  s.embed(batch, input_of(0));
  for (std::size_t layer = 0; layer < layers; ++layer) {
    const bool whole = layer >= from && s.keep == Keep::everything;
    s.forward_layer(layer, batch, input_of(layer), input_of(layer + 1), whole ? s.kept[layer] : s.shared);
  }
  return {s.last.floats(cells), cells};
}

void BertPass::backward(const EncoderBatch& batch, std::span<const float> dstates) {
  State& s = *state_;
  std::copy(dstates.begin(), dstates.end(), s.stream.floats(dstates.size()));
  for (std::size_t layer = s.shape().layers; layer-- > s.lowest();) {
    const auto* input = static_cast<const float*>(s.kept[layer].input.get());
    KeptOfBert* of = &s.kept[layer];
    if (s.keep == Keep::layer_inputs) {
      of = &s.shared;
      s.forward_layer(layer, batch, input, nullptr, *of);
    }
    s.backward_layer(layer, batch, input, *of, layer == s.lowest());
  }
}

std::uint64_t BertPass::predicted_bytes(const BertShape& shape, const LoraOptions& lora, Precision precision,
                                        std::size_t tokens, Keep keep) {
  const std::uint64_t element = precision == Precision::f32 ? 4 : 2;
  const std::uint64_t width = shape.width, inner = shape.inner;
  std::uint64_t ranks = 0;
  for (std::size_t i = 0; i < kTargetCount; ++i) {
    if (lora.targets[i] && shape.sides()[i].out > 0) ranks += static_cast<std::uint64_t>(lora.rank);
  }
  const std::uint64_t inside =
      2 * 4 * width + element * (3 * width + width + inner + ranks) + 4 * shape.attention.heads;
  const auto last = static_cast<std::uint64_t>(std::max(lora.last_layers, 0));
  const std::uint64_t trained = last == 0 ? shape.layers : std::min<std::uint64_t>(last, shape.layers);
  std::uint64_t a_token = trained * 4 * width + inside * (keep == Keep::everything ? trained : 1);
  a_token +=
      4 * (4 * width + std::max(3 * width, inner)) + 4 * width;  // f32 scratch, and the states' gradient
  a_token += element * (width + 2 * inner + 3 * width + width);  // rounded scratch
  return a_token * tokens;
}

}  // namespace loam::train
