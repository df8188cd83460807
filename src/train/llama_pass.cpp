#include "train/llama_pass.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "train/attention.h"
#include "train/cross_entropy.h"
#include "train/linear.h"
#include "train/narrow.h"
#include "train/rms_norm.h"
#include "train/rows.h"
#include "train/swiglu.h"

namespace loam::train {
namespace {

/// What the gradients of one layer need of its forward pass.
struct Kept {
  Buffer input;      ///< (tokens, width) f32
  Operand qkv;       ///< turned queries and keys, values
  Operand qk_plain;  ///< queries and keys before their norms, where there are norms
  Buffer log_sums;   ///< (tokens, heads) f32
  Operand attended;
  Buffer between;  ///< (tokens, width) f32: after attention, before the feed-forward part
  Operand gate, up;
  std::array<Operand, kGroupCount> middle;  ///< scale * A x of each group
  Operand middle_q;  ///< of the last layer, where queries are computed for fewer rows than keys and values
};

void copy_rows(Team& team, const float* from, float* to, std::size_t count) {
  run_ranges(team, count, 65536, [&](std::size_t begin, std::size_t end) {
    std::memcpy(to + begin, from + begin, (end - begin) * sizeof(float));
  });
}

}  // namespace

void Batch::add(std::span<const std::int32_t> sequence, std::span<const std::uint8_t> counts) {
  const std::size_t start = tokens.size();
  segments.push_back({start, sequence.size()});
  tokens.insert(tokens.end(), sequence.begin(), sequence.end());
  for (std::size_t i = 1; i < sequence.size(); ++i) {
    if (counts[i] == 0) continue;
    rows.push_back(static_cast<std::uint32_t>(start + i - 1));
    targets.push_back(sequence[i]);
  }
}

struct LlamaPass::State {
  const FrozenLlama& model;
  LoraParameters* lora;
  Team& team;
  PassOptions options;
  Rope rope;
  std::vector<Kept> kept;
  Kept shared;                   ///< of the layer that is computed again, or of one that needs no gradient
  Operand entry;                 ///< what enters the lowest layer with an adapter
  Buffer last;                   ///< output of the last layer, (rows of the batch, width)
  Buffer wide, narrow_, stream;  ///< f32 scratch; `stream` is the gradient of the residual stream
  Buffer some, top_stream;       ///< f32, of the rows of the batch only
  Operand normal, some_normal, all_attended, some_dq, active, dwide, dattended, dgate, dup;
  LinearScratch scratch;
  Buffer logits;
  Operand head_normal, dlogits;

  State(const FrozenLlama& frozen, LoraParameters* adapter, Team& with, PassOptions how)
      : model(frozen), lora(adapter), team(with), options(how), rope(frozen.rope) {}

  const LlamaShape& shape() const { return model.shape; }
  Precision precision() const { return model.precision; }
  std::size_t lowest() const { return lora == nullptr ? shape().layers : lora->first_layer(); }
  /// Above the last layer only the rows that are learnt matter: it computes keys and values for all tokens,
  /// and all else for those rows.
  bool is_top(std::size_t layer) const { return layer + 1 == shape().layers; }
  /// The first of the groups of `layer` with an adapter: nothing below it needs a gradient where the layer
  /// is the lowest.
  Group lowest_group(std::size_t layer) const {
    for (std::size_t i = 0; i < kGroupCount; ++i) {
      if (lora->group(layer, static_cast<Group>(i)).rows > 0) return static_cast<Group>(i);
    }
    return Group::ffn_out;
  }

  LinearGroup group(std::size_t layer, Group which, std::span<const LinearLayer> layers) const {
    return {lora, layer, which, layers};
  }

  void embed(const Batch& batch, float* out) {
    with_type(precision(), [&](auto type) {
      using T = decltype(type);
      run_ranges(team, batch.tokens.size(), 32, [&](std::size_t begin, std::size_t end) {
        for (std::size_t t = begin; t < end; ++t) {
          const auto token = static_cast<std::size_t>(batch.tokens[t]);
          widen_row(model.embedding.row<T>(token), shape().width, out + t * shape().width);
        }
      });
    });
  }

  /// Calls body(token, position) for each token, in parallel.
  template <typename Body>
  void for_each_token(const Batch& batch, Body&& body) {
    team.run(batch.segments.size() * 4, [&](std::size_t turn) {
      const Segment& segment = batch.segments[turn / 4];
      const std::size_t part = turn % 4;
      for (std::size_t i = segment.length * part / 4; i < segment.length * (part + 1) / 4; ++i) {
        body(segment.start + i, i);
      }
    });
  }

  /// Biases, norms of queries and keys, rotation; f32 in, rounded out.
  void finish_qkv(const FrozenLayer& layer, const Batch& batch, float* qkv, Kept& keep) {
    const AttentionShape& attention = shape().attention;
    const std::size_t columns = attention.all_columns(), size = attention.head_size;
    const std::size_t queries = attention.query_columns(), keys = attention.key_columns();
    const bool norms = !layer.q_norm.empty();
    keep.qkv.shape(precision(), batch.tokens.size(), columns);
    if (norms) keep.qk_plain.shape(precision(), batch.tokens.size(), queries + keys);
    with_type(precision(), [&](auto type) {
      using T = decltype(type);
      for_each_token(batch, [&](std::size_t token, std::size_t position) {
        float* row = qkv + token * columns;
        const auto add_bias = [&](const std::vector<float>& bias, std::size_t at) {
          for (std::size_t i = 0; i < bias.size(); ++i) row[at + i] += bias[i];
        };
        add_bias(layer.q_bias, 0);
        add_bias(layer.k_bias, queries);
        add_bias(layer.v_bias, queries + keys);
        if (norms) narrow_row(row, queries + keys, keep.qk_plain.row<T>(token));
        for (std::size_t head = 0; head < attention.heads + attention.kv_heads; ++head) {
          float* values = row + head * size;
          if (norms) {
            const std::vector<float>& weight = head < attention.heads ? layer.q_norm : layer.k_norm;
            rms_norm_row(values, size, weight.data(), shape().norm_epsilon, values);
          }
          rope.turn(values, position);
        }
        narrow_row(row, columns, keep.qkv.row<T>(token));
      });
    });
  }

  /// The gradient of finish_qkv, in place, then rounded into dwide.
  void finish_qkv_backward(const FrozenLayer& layer, const Batch& batch, float* dqkv, const Kept& keep) {
    const AttentionShape& attention = shape().attention;
    const std::size_t columns = attention.all_columns(), size = attention.head_size;
    const bool norms = !layer.q_norm.empty();
    dwide.shape(precision(), batch.tokens.size(), columns);
    with_type(precision(), [&](auto type) {
      using T = decltype(type);
      for_each_token(batch, [&](std::size_t token, std::size_t position) {
        thread_local std::vector<float> plain;
        plain.resize(size);
        float* row = dqkv + token * columns;
        for (std::size_t head = 0; head < attention.heads + attention.kv_heads; ++head) {
          float* values = row + head * size;
          rope.turn_back(values, position);
          if (norms) {
            const std::vector<float>& weight = head < attention.heads ? layer.q_norm : layer.k_norm;
            widen_row(keep.qk_plain.row<T>(token) + head * size, size, plain.data());
            rms_norm_row_backward(plain.data(), size, weight.data(), shape().norm_epsilon, values, values);
          }
        }
        narrow_row(row, columns, dwide.row<T>(token));
      });
    });
  }

  /// Queries, keys and values with their adapters, f32, side by side.
  void project_in(std::size_t index, const Batch& batch, float* qkv, Kept& keep) {
    const FrozenLayer& layer = model.layers[index];
    const AttentionShape& attention_shape = shape().attention;
    const std::size_t columns = attention_shape.all_columns();
    const std::size_t queries = attention_shape.query_columns(), keys = attention_shape.key_columns();
    const LinearLayer layers[] = {{&layer.q, Target::q}, {&layer.k, Target::k}, {&layer.v, Target::v}};
    const LinearOutput outputs[] = {
        {qkv, columns, Add::no}, {qkv + queries, columns, Add::no}, {qkv + queries + keys, columns, Add::no}};
    const std::span<const LinearLayer> all = layers;
    const std::span<const LinearOutput> all_outputs = outputs;
    if (!is_top(index)) {
      linear_forward(team, group(index, Group::attention_in, all), normal, keep.middle[0], all_outputs,
                     scratch);
      return;
    }
    linear_forward(team, group(index, Group::attention_in, all.subspan(1)), normal, keep.middle[0],
                   all_outputs.subspan(1), scratch);
    gather_rows(team, normal.view(), batch.rows, some_normal);
    float* q = some.floats(batch.rows.size() * std::max(queries, shape().width));
    const LinearOutput q_output[] = {{q, queries, Add::no}};
    linear_forward(team, group(index, Group::attention_in, all.first(1)), some_normal, keep.middle_q,
                   q_output, scratch);
    for (std::size_t t = 0; t < batch.tokens.size(); ++t) std::fill_n(qkv + t * columns, queries, 0.0F);
    scatter_rows(team, q, queries, batch.rows, qkv, columns);
  }

  /// `output` may be null: only what the gradients need is wanted. The last layer's is (rows of the batch,
  /// width).
  void forward_layer(std::size_t index, const Batch& batch, const float* input, float* output, Kept& keep) {
    const FrozenLayer& layer = model.layers[index];
    const AttentionShape& attention_shape = shape().attention;
    const std::size_t tokens = batch.tokens.size(), width = shape().width, inner = shape().inner;
    const std::size_t columns = attention_shape.all_columns();
    const bool top = is_top(index);
    const std::size_t rows = top ? batch.rows.size() : tokens;

    rms_norm(team, input, tokens, width, layer.attention_norm.data(), shape().norm_epsilon, precision(),
             normal);
    float* qkv = wide.floats(tokens * std::max(columns, 2 * inner));
    project_in(index, batch, qkv, keep);
    finish_qkv(layer, batch, qkv, keep);
    attention(team, attention_shape, batch.segments, keep.qkv, top ? all_attended : keep.attended,
              keep.log_sums.floats(tokens * attention_shape.heads), top ? &batch.rows : nullptr);
    if (top) gather_rows(team, all_attended.view(), batch.rows, keep.attended);

    float* between = keep.between.floats(rows * width);
    if (top) {
      gather_rows(team, input, width, width, batch.rows, between);
    } else {
      copy_rows(team, input, between, tokens * width);
    }
    const LinearLayer o_layer[] = {{&layer.o, Target::o}};
    const LinearOutput o_output[] = {{between, width, Add::yes}};
    linear_forward(team, group(index, Group::attention_out, o_layer), keep.attended, keep.middle[1], o_output,
                   scratch);

    rms_norm(team, between, rows, width, layer.ffn_norm.data(), shape().norm_epsilon, precision(), normal);
    float* gate = wide.floats(tokens * std::max(columns, 2 * inner));
    float* up = gate + rows * inner;
    const LinearLayer in_layers[] = {{&layer.gate, Target::gate}, {&layer.up, Target::up}};
    const LinearOutput in_outputs[] = {{gate, inner, Add::no}, {up, inner, Add::no}};
    linear_forward(team, group(index, Group::ffn_in, in_layers), normal, keep.middle[2], in_outputs, scratch);
    keep.gate.shape(precision(), rows, inner);
    keep.up.shape(precision(), rows, inner);
    narrow_rows(team, gate, inner, keep.gate);
    narrow_rows(team, up, inner, keep.up);
    swiglu(team, keep.gate, keep.up, active);

    if (output != nullptr) copy_rows(team, between, output, rows * width);
    const LinearLayer down_layer[] = {{&layer.down, Target::down}};
    const LinearOutput down_output[] = {{output, width, Add::yes}};
    linear_forward(team, group(index, Group::ffn_out, down_layer), active, keep.middle[3], down_output,
                   scratch);
  }

  /// `stream` is the gradient of the layer's output, and then of its input unless the layer is the lowest:
  /// of that one, only what its adapters need is computed. The last layer's output has its gradient in
  /// `top_stream`.
  void backward_layer(std::size_t index, const Batch& batch, const float* input, Kept& keep, bool is_lowest) {
    const FrozenLayer& layer = model.layers[index];
    const AttentionShape& attention_shape = shape().attention;
    const std::size_t tokens = batch.tokens.size(), width = shape().width, inner = shape().inner;
    const std::size_t columns = attention_shape.all_columns(), queries = attention_shape.query_columns();
    const bool top = is_top(index);
    const std::size_t rows = top ? batch.rows.size() : tokens;
    const Group lowest_here = lowest_group(index);
    const auto ends_at = [&](Group one) { return is_lowest && lowest_here == one; };
    const auto* between = static_cast<const float*>(keep.between.get());
    auto* dstream = static_cast<float*>(top ? top_stream.get() : stream.get());
    float* dnormal = narrow_.floats(tokens * width);
    float* dfree = wide.floats(tokens * std::max(columns, 2 * inner));

    swiglu(team, keep.gate, keep.up, active);
    dwide.shape(precision(), rows, width);
    narrow_rows(team, dstream, width, dwide);
    const LinearLayer down_layer[] = {{&layer.down, Target::down}};
    const Factor down_gradient[] = {dwide.view()};
    linear_backward(team, group(index, Group::ffn_out, down_layer), lora, active, keep.middle[3],
                    down_gradient, ends_at(Group::ffn_out) ? nullptr : dfree, scratch);
    if (ends_at(Group::ffn_out)) return;
    swiglu_backward(team, keep.gate, keep.up, dfree, dgate, dup);

    rms_norm(team, between, rows, width, layer.ffn_norm.data(), shape().norm_epsilon, precision(), normal);
    const LinearLayer in_layers[] = {{&layer.gate, Target::gate}, {&layer.up, Target::up}};
    const Factor in_gradients[] = {dgate.view(), dup.view()};
    linear_backward(team, group(index, Group::ffn_in, in_layers), lora, normal, keep.middle[2], in_gradients,
                    ends_at(Group::ffn_in) ? nullptr : dnormal, scratch);
    if (ends_at(Group::ffn_in)) return;
    rms_norm_backward(team, between, rows, width, layer.ffn_norm.data(), shape().norm_epsilon, dnormal,
                      dstream);

    narrow_rows(team, dstream, width, dwide);
    const LinearLayer o_layer[] = {{&layer.o, Target::o}};
    const Factor o_gradient[] = {dwide.view()};
    linear_backward(team, group(index, Group::attention_out, o_layer), lora, keep.attended, keep.middle[1],
                    o_gradient, ends_at(Group::attention_out) ? nullptr : dfree, scratch);
    if (ends_at(Group::attention_out)) return;
    dattended.shape(precision(), tokens, queries);
    if (top) {
      scatter_rows_among_zeros(team, dfree, batch.rows, dattended);
      std::fill_n(dfree, tokens * columns, 0.0F);
    } else {
      narrow_rows(team, dfree, queries, dattended);
    }
    attention_backward(team, attention_shape, batch.segments, keep.qkv,
                       static_cast<const float*>(keep.log_sums.get()), dattended, dfree,
                       top ? &batch.rows : nullptr);
    finish_qkv_backward(layer, batch, dfree, keep);

    rms_norm(team, input, tokens, width, layer.attention_norm.data(), shape().norm_epsilon, precision(),
             normal);
    project_in_backward(index, batch, keep, is_lowest ? nullptr : dnormal);
    if (is_lowest) return;
    if (top) {
      dstream = stream.floats(tokens * width);
      std::fill_n(dstream, tokens * width, 0.0F);
      scatter_rows(team, static_cast<const float*>(top_stream.get()), width, batch.rows, dstream, width);
    }
    rms_norm_backward(team, input, tokens, width, layer.attention_norm.data(), shape().norm_epsilon, dnormal,
                      dstream);
  }

  /// From the gradients of queries, keys and values in `dwide` to that of the normalised input.
  void project_in_backward(std::size_t index, const Batch& batch, Kept& keep, float* dnormal) {
    const FrozenLayer& layer = model.layers[index];
    const AttentionShape& attention_shape = shape().attention;
    const std::size_t queries = attention_shape.query_columns(), keys = attention_shape.key_columns();
    const LinearLayer layers[] = {{&layer.q, Target::q}, {&layer.k, Target::k}, {&layer.v, Target::v}};
    const Factor gradients[] = {dwide.columns(0, queries), dwide.columns(queries, keys),
                                dwide.columns(queries + keys, keys)};
    const std::span<const LinearLayer> all = layers;
    const std::span<const Factor> all_gradients = gradients;
    if (!is_top(index)) {
      linear_backward(team, group(index, Group::attention_in, all), lora, normal, keep.middle[0],
                      all_gradients, dnormal, scratch);
      return;
    }
    linear_backward(team, group(index, Group::attention_in, all.subspan(1)), lora, normal, keep.middle[0],
                    all_gradients.subspan(1), dnormal, scratch);
    gather_rows(team, normal.view(), batch.rows, some_normal);
    gather_rows(team, gradients[0], batch.rows, some_dq);
    float* dinput =
        dnormal == nullptr ? nullptr : some.floats(batch.rows.size() * std::max(queries, shape().width));
    const Factor q_gradient[] = {some_dq.view()};
    linear_backward(team, group(index, Group::attention_in, all.first(1)), lora, some_normal, keep.middle_q,
                    q_gradient, dinput, scratch);
    if (dnormal != nullptr) add_rows(team, dinput, shape().width, batch.rows, dnormal);
  }

  void prepare(const Batch& batch) {
    std::size_t longest = 0;
    for (const Segment& segment : batch.segments) longest = std::max(longest, segment.length);
    rope.prepare(longest);
    kept.resize(shape().layers);
    if (lora != nullptr) lora->round(precision(), team);
  }

  /// Two buffers that take turns, where no gradient is needed.
  float* turn_of(std::size_t layer, std::size_t cells) {
    return layer % 2 == 0 ? narrow_.floats(cells) : stream.floats(cells);
  }

  /// `entry` becomes what enters the lowest layer with an adapter.
  void bottom(const Batch& batch) {
    const std::size_t cells = batch.tokens.size() * shape().width;
    prepare(batch);
    embed(batch, turn_of(0, cells));
    for (std::size_t layer = 0; layer < lowest(); ++layer) {
      forward_layer(layer, batch, turn_of(layer, cells), turn_of(layer + 1, cells), shared);
    }
    entry.shape(precision(), batch.tokens.size(), shape().width);
    narrow_rows(team, turn_of(lowest(), cells), shape().width, entry);
  }

  void widen(const Operand& states, float* out) {
    with_type(precision(), [&](auto type) {
      using T = decltype(type);
      run_ranges(team, states.rows(), 32, [&](std::size_t begin, std::size_t end) {
        for (std::size_t row = begin; row < end; ++row) {
          widen_row(states.row<T>(row), shape().width, out + row * shape().width);
        }
      });
    });
  }

  /// All layers; afterwards `last` holds the final residual stream of the batch's rows. `gradients`: keep
  /// what they need. `states` may be null.
  void forward(const Batch& batch, bool gradients, const Operand* states) {
    const std::size_t cells = batch.tokens.size() * shape().width;
    const std::size_t first = lora == nullptr ? 0 : lowest();
    if (first > 0 && states == nullptr) {
      bottom(batch);
      states = &entry;
    }
    prepare(batch);
    const std::size_t from = gradients ? lowest() : shape().layers;
    const auto input_of = [&](std::size_t layer) {
      if (layer == shape().layers) return last.floats(batch.rows.size() * shape().width);
      return layer >= from ? kept[layer].input.floats(cells) : turn_of(layer, cells);
    };
    if (first > 0) {
      widen(*states, input_of(first));
    } else {
      embed(batch, input_of(0));
    }
    for (std::size_t layer = first; layer < shape().layers; ++layer) {
      const bool whole = layer >= from && options.keep == Keep::everything;
      forward_layer(layer, batch, input_of(layer), input_of(layer + 1), whole ? kept[layer] : shared);
    }
  }

  /// Final norm and vocabulary for a stretch of the batch's rows.
  float* logits_of(std::size_t begin, std::size_t count) {
    const std::size_t width = shape().width, vocabulary = shape().vocabulary;
    const auto* inputs = static_cast<const float*>(last.get()) + begin * width;
    rms_norm(team, inputs, count, width, model.output_norm.data(), shape().norm_epsilon, precision(),
             head_normal);
    float* values = logits.floats(count * vocabulary);
    const Product product = {head_normal.view(), model.head().view(), Right::transposed};
    multiply(team, {&product, 1}, values, vocabulary, count, vocabulary, Add::no);
    return values;
  }

  /// With gradients, `top_stream` becomes that of `last`.
  double head(const Batch& batch, float weight, bool gradients) {
    const std::size_t width = shape().width, vocabulary = shape().vocabulary;
    const auto at_once = static_cast<std::size_t>(std::max(options.head_rows, 1));
    float* dlast = nullptr;
    if (gradients) {
      dlast = top_stream.floats(batch.rows.size() * width);
      std::fill_n(dlast, batch.rows.size() * width, 0.0F);
    }
    double total = 0;
    for (std::size_t begin = 0; begin < batch.rows.size(); begin += at_once) {
      const std::size_t count = std::min(at_once, batch.rows.size() - begin);
      const float* values = logits_of(begin, count);
      const std::span<const std::int32_t> targets(batch.targets.data() + begin, count);
      total += cross_entropy(team, values, vocabulary, targets, weight, precision(),
                             gradients ? &dlogits : nullptr);
      if (!gradients) continue;
      // The gradient of the normalised rows takes the place of the logits.
      float* dnormal = logits.floats(count * vocabulary);
      const Product product = {dlogits.view(), model.head().view(), Right::as_it_is};
      multiply(team, {&product, 1}, dnormal, width, count, width, Add::no);
      rms_norm_backward(team, static_cast<const float*>(last.get()) + begin * width, count, width,
                        model.output_norm.data(), shape().norm_epsilon, dnormal, dlast + begin * width);
    }
    return total;
  }
};

LlamaPass::LlamaPass(const FrozenLlama& model, LoraParameters* lora, Team& team, PassOptions options)
    : state_(std::make_unique<State>(model, lora, team, options)) {}
LlamaPass::~LlamaPass() = default;

const Operand& LlamaPass::entering(const Batch& batch) {
  state_->bottom(batch);
  return state_->entry;
}

double LlamaPass::train(const Batch& batch, float weight, const Operand* states) {
  State& state = *state_;
  state.forward(batch, true, states);
  const double loss = state.head(batch, weight, true);
  for (std::size_t layer = state.shape().layers; layer-- > state.lowest();) {
    const auto* input = static_cast<const float*>(state.kept[layer].input.get());
    Kept* keep = &state.kept[layer];
    if (state.options.keep == Keep::layer_inputs) {
      keep = &state.shared;
      state.forward_layer(layer, batch, input, nullptr, *keep);
    }
    state.backward_layer(layer, batch, input, *keep, layer == state.lowest());
  }
  return loss;
}

double LlamaPass::loss(const Batch& batch, const Operand* states) {
  state_->forward(batch, false, states);
  return state_->head(batch, 0.0F, false);
}

void LlamaPass::for_each_logits(
    const Batch& batch, const std::function<void(std::size_t index, std::span<const float> logits)>& each) {
  State& state = *state_;
  state.forward(batch, false, nullptr);
  const auto at_once = static_cast<std::size_t>(std::max(state.options.head_rows, 1));
  const std::size_t vocabulary = state.shape().vocabulary;
  for (std::size_t begin = 0; begin < batch.rows.size(); begin += at_once) {
    const std::size_t count = std::min(at_once, batch.rows.size() - begin);
    const float* values = state.logits_of(begin, count);
    for (std::size_t i = 0; i < count; ++i) each(begin + i, {values + i * vocabulary, vocabulary});
  }
}

std::uint64_t LlamaPass::predicted_bytes(const LlamaShape& shape, const LoraOptions& lora,
                                         Precision precision, std::size_t tokens, std::size_t rows,
                                         const PassOptions& options) {
  const std::uint64_t e = precision == Precision::f32 ? 4 : 2;
  const std::uint64_t width = shape.width, inner = shape.inner, heads = shape.attention.heads;
  const std::uint64_t columns = shape.attention.all_columns(), queries = shape.attention.query_columns();
  const std::uint64_t keys = shape.attention.key_columns();
  const std::uint64_t rank = static_cast<std::uint64_t>(lora.rank + 1) / 2 * 2;
  const auto ranks_of = [&](std::size_t from, std::size_t to) {
    std::uint64_t sum = 0;
    for (std::size_t i = from; i < to; ++i) sum += lora.targets[i] ? rank : 0;
    return sum;
  };
  const std::uint64_t ranks = ranks_of(0, kTargetCount), widest_ranks = 3 * rank;
  const auto last = static_cast<std::uint64_t>(std::max(lora.last_layers, 0));
  const std::uint64_t trained = last == 0 ? shape.layers : std::min<std::uint64_t>(last, shape.layers);
  const std::uint64_t t = tokens, r = rows;
  const std::uint64_t plain = shape.architecture == "qwen3" ? e * (queries + keys) : 0;
  // As Kept has it: a layer of all tokens, and the last one.
  const std::uint64_t seen = 4 * heads + e * columns + plain;
  const std::uint64_t layer = t * (seen + e * (queries + 2 * inner + ranks) + 4 * width);
  const std::uint64_t top =
      t * (seen + e * ranks_of(1, 3)) +
      r * (e * (queries + 2 * inner + ranks_of(0, 1) + ranks_of(3, kTargetCount)) + 4 * width);
  std::uint64_t bytes = trained * 4 * width * t;
  if (options.keep == Keep::everything) {
    bytes += (trained - 1) * layer + top + (trained < shape.layers ? layer : 0);
  } else {
    bytes += trained > 1 || trained < shape.layers ? layer : top;
  }
  if (trained < shape.layers) bytes += 2 * e * width * t;  // what enters, and its copy out of the cache
  bytes += t * (4 * std::max(columns, 2 * inner) + 2 * 4 * width);  // wide, narrow_, stream
  bytes += t * e * (width + queries + inner + std::max(width, columns) + queries + 2 * inner);
  bytes += t * (4 + 2 * e) * widest_ranks;  // LinearScratch
  bytes += r * (2 * 4 * width + 4 * std::max(queries, width) + e * (width + queries));
  const std::uint64_t head = std::min<std::uint64_t>(r, static_cast<std::uint64_t>(options.head_rows));
  return bytes + head * (shape.vocabulary * (4 + e) + width * e);
}

}  // namespace loam::train
