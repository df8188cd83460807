// Multinomial logistic regression: loss, gradient, and what is kept of a fit.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <numeric>

#include "base/team.h"
#include "baseline/kernels.h"
#include "baseline/lbfgs.h"
#include "baseline/linear.h"
#include "baseline/packed.h"

namespace loam::baseline {
namespace {

constexpr std::string_view kKind = "LOAMLOGR";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kRowsPerTurn = 128;
constexpr std::size_t kColumnsPerTurn = 256;
constexpr std::uint64_t kMostWeights = std::uint64_t{1} << 30U;
constexpr std::uint64_t kMostResiduals = std::uint64_t{1} << 31U;
// Remembered steps may take this much; ten of them while they fit, never fewer than three.
constexpr std::uint64_t kStepBytes = std::uint64_t{512} << 20U;

Error bad(std::string message, std::string next) {
  return Error{Kind::bad_request, "logistic regression", std::move(message), std::move(next)};
}

/// What a fit sees: rows by row, and once more by column where they are sparse.
struct Rows {
  std::size_t count = 0, columns = 0;
  const float* dense = nullptr;
  std::span<const SparseRow> sparse;
  std::vector<std::size_t> column_begin;  // sparse by column: where each one's entries begin
  std::vector<std::uint32_t> entry_row;
  std::vector<float> entry_value;

  void index_columns() {
    column_begin.assign(columns + 1, 0);
    for (const SparseRow& row : sparse) {
      for (const std::uint32_t column : row.columns) ++column_begin[column + 1];
    }
    std::partial_sum(column_begin.begin(), column_begin.end(), column_begin.begin());
    entry_row.resize(column_begin.back());
    entry_value.resize(column_begin.back());
    std::vector<std::size_t> at(column_begin.begin(), column_begin.end() - 1);
    for (std::size_t r = 0; r < sparse.size(); ++r) {
      for (std::size_t i = 0; i < sparse[r].columns.size(); ++i) {
        const std::size_t to = at[sparse[r].columns[i]]++;
        entry_row[to] = static_cast<std::uint32_t>(r);
        entry_value[to] = sparse[r].values[i];
      }
    }
  }
};

/// The regularised mean loss. Parameters: (columns, outputs) row-major, then the intercepts. Two classes have
/// one output, the log-odds of the second.
class Problem {
 public:
  Problem(const Rows& rows, std::vector<int> classes, int outputs, std::vector<float> sample_weight, double c,
          Team& workers)
      : rows_(rows),
        class_of_(std::move(classes)),
        outputs_(static_cast<std::size_t>(outputs)),
        width_(padded(outputs_)),
        sample_weight_(std::move(sample_weight)),
        workers_(workers),
        weights_(rows.columns * width_, 0.0F),
        bias_(width_, 0.0F),
        residuals_(rows.count * width_, 0.0F),
        losses_(rows.count),
        sums_(rows.dense != nullptr ? rows.columns * width_ : 0),
        ones_(rows.count, 1.0F),
        all_rows_(rows.count) {
    total_ = std::accumulate(sample_weight_.begin(), sample_weight_.end(), 0.0);
    ridge_ = 1.0 / (c * total_);
    std::iota(all_rows_.begin(), all_rows_.end(), 0U);
  }

  double operator()(const std::vector<double>& at, std::vector<double>& gradient) {
    spread(at);
    each(rows_.count, kRowsPerTurn, [&](std::size_t begin, std::size_t end) { forward(begin, end); });
    double loss = std::accumulate(losses_.begin(), losses_.end(), 0.0) / total_;
    double square = 0.0;
    const std::size_t weights = rows_.columns * outputs_;
    for (std::size_t i = 0; i < weights; ++i) square += at[i] * at[i];
    loss += 0.5 * ridge_ * square;
    each(rows_.columns, rows_.dense != nullptr ? 32 : kColumnsPerTurn,
         [&](std::size_t begin, std::size_t end) { backward(at, gradient, begin, end); });
    std::vector<double> sum(width_);
    gather_sum(all_rows_.data(), ones_.data(), rows_.count, residuals_.data(), width_, sum.data());
    for (std::size_t k = 0; k < outputs_; ++k) gradient[weights + k] = sum[k] / total_;
    return loss;
  }

 private:
  template <typename Body>
  void each(std::size_t count, std::size_t per_turn, const Body& body) {
    workers_.run((count + per_turn - 1) / per_turn,
                 [&](std::size_t turn) { body(turn * per_turn, std::min(count, (turn + 1) * per_turn)); });
  }

  void spread(const std::vector<double>& at) {
    each(rows_.columns, 4096, [&](std::size_t begin, std::size_t end) {
      for (std::size_t c = begin; c < end; ++c) {
        for (std::size_t k = 0; k < outputs_; ++k) {
          weights_[c * width_ + k] = static_cast<float>(at[c * outputs_ + k]);
        }
      }
    });
    for (std::size_t k = 0; k < outputs_; ++k) {
      bias_[k] = static_cast<float>(at[rows_.columns * outputs_ + k]);
    }
  }

  /// Logits, then loss and residual (probability - truth) of each row.
  void forward(std::size_t begin, std::size_t end) {
    float* out = residuals_.data() + begin * width_;
    if (rows_.dense != nullptr) {
      dense_logits(rows_.dense + begin * rows_.columns, end - begin, rows_.columns, weights_.data(),
                   bias_.data(), width_, out);
    }
    for (std::size_t r = begin; r < end; ++r) {
      float* row = residuals_.data() + r * width_;
      if (rows_.dense == nullptr) {
        const SparseRow& sparse = rows_.sparse[r];
        sparse_logits(sparse.columns.data(), sparse.values.data(), sparse.columns.size(), weights_.data(),
                      bias_.data(), width_, row);
      }
      const auto truth = static_cast<std::size_t>(class_of_[r]);
      const float weight = sample_weight_[r];
      if (outputs_ == 1) {
        const auto z = static_cast<double>(row[0]);
        const double signed_z = truth == 1 ? z : -z;
        losses_[r] = static_cast<double>(weight) *
                     (std::log1p(std::exp(-std::abs(signed_z))) + std::max(0.0, -signed_z));
        const double probability = 1.0 / (1.0 + std::exp(-z));
        row[0] = weight * static_cast<float>(probability - (truth == 1 ? 1.0 : 0.0));
        continue;
      }
      const auto z = static_cast<double>(row[truth]);
      losses_[r] = static_cast<double>(weight) * (softmax(row, outputs_) - z);
      row[truth] -= 1.0F;
      if (weight != 1.0F) {
        for (std::size_t k = 0; k < outputs_; ++k) row[k] *= weight;
      }
    }
  }

  void backward(const std::vector<double>& at, std::vector<double>& gradient, std::size_t begin,
                std::size_t end) {
    std::vector<double> sum(rows_.dense == nullptr ? width_ : 0);
    if (rows_.dense != nullptr) {
      dense_gradient(rows_.dense, rows_.count, rows_.columns, residuals_.data(), width_, begin, end,
                     sums_.data());
    }
    for (std::size_t c = begin; c < end; ++c) {
      const double* of_column = sums_.data() + (rows_.dense != nullptr ? c * width_ : 0);
      if (rows_.dense == nullptr) {
        const std::size_t first = rows_.column_begin[c];
        gather_sum(rows_.entry_row.data() + first, rows_.entry_value.data() + first,
                   rows_.column_begin[c + 1] - first, residuals_.data(), width_, sum.data());
        of_column = sum.data();
      }
      for (std::size_t k = 0; k < outputs_; ++k) {
        gradient[c * outputs_ + k] = of_column[k] / total_ + ridge_ * at[c * outputs_ + k];
      }
    }
  }

  const Rows& rows_;
  std::vector<int> class_of_;
  std::size_t outputs_, width_;
  std::vector<float> sample_weight_;
  Team& workers_;
  std::vector<float> weights_, bias_, residuals_;
  std::vector<double> losses_, sums_;
  std::vector<float> ones_;
  std::vector<std::uint32_t> all_rows_;
  double total_ = 0, ridge_ = 0;
};

}  // namespace

struct LogisticRegression::State {
  int classes = 0;
  std::size_t columns = 0;
  std::vector<int> present;  ///< classes that occur, ascending; the outputs are theirs in this order
  std::size_t outputs = 0;   ///< 1 for two present classes
  std::size_t width = 0;
  std::vector<float> weights;  ///< (columns, width), zeros beyond outputs
  std::vector<float> bias;     ///< (width)
  int iterations = 0;
  bool converged = false;

  /// Padded logits to probabilities of all classes.
  void finish(float* logits, float* probabilities) const {
    std::fill_n(probabilities, classes, 0.0F);
    if (outputs == 1) {
      const double second = 1.0 / (1.0 + std::exp(-static_cast<double>(logits[0])));
      probabilities[present[0]] = static_cast<float>(1.0 - second);
      probabilities[present[1]] = static_cast<float>(second);
      return;
    }
    softmax(logits, outputs);
    for (std::size_t k = 0; k < outputs; ++k) probabilities[present[k]] = logits[k];
  }
};

namespace {
using State = LogisticRegression::State;

Result<std::shared_ptr<State>> fit_rows(Rows rows, std::span<const int> labels, int classes,
                                        const LogisticOptions& options, const ProgressSink& progress,
                                        const State* start) {
  if (rows.count != labels.size()) {
    return bad(std::to_string(rows.count) + " rows come with " + std::to_string(labels.size()) + " labels",
               "give each row its label");
  }
  if (!(options.c > 0.0) || !std::isfinite(options.c) || options.max_iterations < 0 ||
      !(options.tolerance >= 0.0)) {
    return bad("c must be above 0, iterations and tolerance not below 0", "c = 1");
  }
  std::vector<std::size_t> counts(static_cast<std::size_t>(std::max(classes, 0)));
  for (const int label : labels) {
    if (label < 0 || label >= classes) {
      return bad("label " + std::to_string(label) + " is not below " + std::to_string(classes),
                 "number the classes from 0");
    }
    ++counts[static_cast<std::size_t>(label)];
  }
  auto state = std::make_shared<State>();
  state->classes = classes;
  state->columns = rows.columns;
  std::vector<int> output_of(counts.size(), -1);
  for (std::size_t k = 0; k < counts.size(); ++k) {
    if (counts[k] == 0) continue;
    output_of[k] = static_cast<int>(state->present.size());
    state->present.push_back(static_cast<int>(k));
  }
  if (state->present.size() < 2) {
    return bad("only one class occurs among " + std::to_string(labels.size()) + " training items",
               "give items of at least two classes");
  }
  state->outputs = state->present.size() == 2 ? 1 : state->present.size();
  state->width = padded(state->outputs);
  if (static_cast<std::uint64_t>(rows.columns) * state->width > kMostWeights ||
      static_cast<std::uint64_t>(rows.count) * state->width > kMostResiduals) {
    return Error{Kind::out_of_room, "logistic regression",
                 std::to_string(rows.count) + " rows, " + std::to_string(rows.columns) + " columns and " +
                     std::to_string(state->present.size()) + " classes are more than can be held",
                 "count fewer terms, or give fewer rows"};
  }
  std::vector<int> class_of(labels.size());
  std::vector<float> weight(labels.size(), 1.0F);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto label = static_cast<std::size_t>(labels[i]);
    class_of[i] = output_of[label];
    if (options.balanced) {
      weight[i] = static_cast<float>(
          static_cast<double>(labels.size()) /
          (static_cast<double>(state->present.size()) * static_cast<double>(counts[label])));
    }
  }
  std::vector<double> at((rows.columns + 1) * state->outputs, 0.0);
  if (start != nullptr && start->columns == rows.columns && start->present == state->present) {
    for (std::size_t c = 0; c < rows.columns; ++c) {
      for (std::size_t k = 0; k < state->outputs; ++k) {
        at[c * state->outputs + k] = static_cast<double>(start->weights[c * state->width + k]);
      }
    }
    for (std::size_t k = 0; k < state->outputs; ++k) {
      at[rows.columns * state->outputs + k] = static_cast<double>(start->bias[k]);
    }
  }
  const double work = static_cast<double>(rows.count) * static_cast<double>(state->width) *
                      static_cast<double>(rows.dense != nullptr ? rows.columns : 20);
  Team workers(work < 1e6 ? 1 : options.threads);  // small fits are done before threads are awake
  if (rows.dense == nullptr) rows.index_columns();
  Problem problem(rows, std::move(class_of), static_cast<int>(state->outputs), std::move(weight), options.c,
                  workers);
  LbfgsOptions lbfgs;
  lbfgs.max_iterations = options.max_iterations;
  lbfgs.tolerance = options.tolerance;
  lbfgs.memory = static_cast<int>(std::clamp<std::uint64_t>(kStepBytes / (8 * at.size()), 3, 10));
  const auto told = [&](int iteration, double) {
    if (progress) {
      progress({"fitting", static_cast<std::uint64_t>(iteration),
                static_cast<std::uint64_t>(options.max_iterations)});
    }
    return true;
  };
  const LbfgsResult result = minimise(std::ref(problem), at, lbfgs, workers, told);
  state->iterations = result.iterations;
  state->converged = result.converged;
  state->weights.assign(rows.columns * state->width, 0.0F);
  state->bias.assign(state->width, 0.0F);
  for (std::size_t c = 0; c < rows.columns; ++c) {
    for (std::size_t k = 0; k < state->outputs; ++k) {
      state->weights[c * state->width + k] = static_cast<float>(at[c * state->outputs + k]);
    }
  }
  for (std::size_t k = 0; k < state->outputs; ++k) {
    state->bias[k] = static_cast<float>(at[rows.columns * state->outputs + k]);
  }
  return state;
}

/// Runs `one(row, logits, probabilities)` for blocks of rows.
template <typename Logits>
std::vector<float> predict_blocks(const State& state, std::size_t count, int threads, const Logits& logits) {
  std::vector<float> out(count * static_cast<std::size_t>(state.classes));
  const std::size_t turns = (count + kRowsPerTurn - 1) / kRowsPerTurn;
  Team workers(turns > 1 ? threads : 1);
  workers.run(turns, [&](std::size_t turn) {
    const std::size_t begin = turn * kRowsPerTurn;
    const std::size_t end = std::min(count, begin + kRowsPerTurn);
    std::vector<float> values((end - begin) * state.width);
    logits(begin, end, values.data());
    for (std::size_t r = begin; r < end; ++r) {
      state.finish(values.data() + (r - begin) * state.width,
                   out.data() + r * static_cast<std::size_t>(state.classes));
    }
  });
  return out;
}

}  // namespace

Result<LogisticRegression> LogisticRegression::fit(std::span<const SparseRow> rows, std::size_t columns,
                                                   std::span<const int> labels, int classes,
                                                   const LogisticOptions& options,
                                                   const ProgressSink& progress,
                                                   const LogisticRegression* start) {
  for (const SparseRow& row : rows) {
    if (row.columns.size() != row.values.size()) return bad("a row has columns without values", "give both");
    for (const std::uint32_t column : row.columns) {
      if (column >= columns) return bad("a row names a column beyond the last", "count the columns");
    }
    for (const float value : row.values) {
      if (!std::isfinite(value)) return bad("a row holds a value that is not finite", "leave it out");
    }
  }
  Rows all;
  all.count = rows.size();
  all.columns = columns;
  all.sparse = rows;
  auto state = fit_rows(std::move(all), labels, classes, options, progress,
                        start != nullptr ? start->state_.get() : nullptr);
  if (!state) return state.error();
  LogisticRegression fitted;
  fitted.state_ = *std::move(state);
  return fitted;
}

Result<LogisticRegression> LogisticRegression::fit_dense(std::span<const float> rows, std::size_t columns,
                                                         std::span<const int> labels, int classes,
                                                         const LogisticOptions& options,
                                                         const ProgressSink& progress,
                                                         const LogisticRegression* start) {
  if (columns == 0 || rows.size() % columns != 0) {
    return bad(std::to_string(rows.size()) + " values are not rows of " + std::to_string(columns),
               "give whole rows");
  }
  for (const float value : rows) {
    if (!std::isfinite(value)) return bad("a row holds a value that is not finite", "leave it out");
  }
  Rows all;
  all.count = rows.size() / columns;
  all.columns = columns;
  all.dense = rows.data();
  auto state = fit_rows(std::move(all), labels, classes, options, progress,
                        start != nullptr ? start->state_.get() : nullptr);
  if (!state) return state.error();
  LogisticRegression fitted;
  fitted.state_ = *std::move(state);
  return fitted;
}

int LogisticRegression::classes() const { return state_->classes; }
std::size_t LogisticRegression::columns() const { return state_->columns; }
int LogisticRegression::iterations() const { return state_->iterations; }
bool LogisticRegression::converged() const { return state_->converged; }
std::size_t LogisticRegression::bytes() const { return state_->weights.size() * sizeof(float); }

std::vector<float> LogisticRegression::predict(const SparseRow& row) const {
  return predict_many(std::span(&row, 1), 1);
}

std::vector<float> LogisticRegression::predict_dense(std::span<const float> row) const {
  return predict_many_dense(row, 1);
}

std::vector<float> LogisticRegression::predict_many(std::span<const SparseRow> rows, int threads) const {
  const State& state = *state_;
  return predict_blocks(state, rows.size(), threads, [&](std::size_t begin, std::size_t end, float* out) {
    for (std::size_t r = begin; r < end; ++r, out += state.width) {
      sparse_logits(rows[r].columns.data(), rows[r].values.data(), rows[r].columns.size(),
                    state.weights.data(), state.bias.data(), state.width, out);
    }
  });
}

std::vector<float> LogisticRegression::predict_many_dense(std::span<const float> rows, int threads) const {
  const State& state = *state_;
  return predict_blocks(state, rows.size() / state.columns, threads,
                        [&](std::size_t begin, std::size_t end, float* out) {
                          dense_logits(rows.data() + begin * state.columns, end - begin, state.columns,
                                       state.weights.data(), state.bias.data(), state.width, out);
                        });
}

double LogisticRegression::weight(int class_number, std::size_t column) const {
  const State& state = *state_;
  const auto found = std::find(state.present.begin(), state.present.end(), class_number);
  if (found == state.present.end() || column >= state.columns) return 0.0;
  auto output = static_cast<std::size_t>(found - state.present.begin());
  if (state.outputs == 1) {
    if (output == 0) return 0.0;
    output = 0;
  }
  return static_cast<double>(state.weights[column * state.width + output]);
}

double LogisticRegression::intercept(int class_number) const {
  const State& state = *state_;
  const auto found = std::find(state.present.begin(), state.present.end(), class_number);
  if (found == state.present.end()) return 0.0;
  auto output = static_cast<std::size_t>(found - state.present.begin());
  if (state.outputs == 1) {
    if (output == 0) return 0.0;
    output = 0;
  }
  return static_cast<double>(state.bias[output]);
}

void LogisticRegression::save(std::string& out) const {
  const State& state = *state_;
  PackedWriter to;
  to.varint(static_cast<std::uint64_t>(state.classes));
  to.varint(state.columns);
  to.varint(state.present.size());
  for (const int number : state.present) to.varint(static_cast<std::uint64_t>(number));
  to.varint(static_cast<std::uint64_t>(state.iterations));
  to.u8(state.converged ? 1 : 0);
  for (std::size_t k = 0; k < state.outputs; ++k) to.f32(state.bias[k]);
  for (std::size_t c = 0; c < state.columns; ++c) {
    for (std::size_t k = 0; k < state.outputs; ++k) to.f32(state.weights[c * state.width + k]);
  }
  append_section(out, kKind, kVersion, to.bytes());
}

Result<LogisticRegression> LogisticRegression::load(std::string_view& in) {
  auto payload = take_section(in, kKind, kVersion);
  if (!payload) return payload.error();
  PackedReader from(*payload);
  auto state = std::make_shared<State>();
  const std::uint64_t classes = from.varint();
  const std::uint64_t columns = from.varint();
  const std::size_t present = from.count(1);
  bool sound =
      from.ok() && classes <= (1U << 24U) && columns <= kMostWeights && present >= 2 && present <= classes;
  for (std::size_t i = 0; i < present && sound; ++i) {
    const std::uint64_t number = from.varint();
    sound = number < classes && (state->present.empty() || static_cast<int>(number) > state->present.back());
    state->present.push_back(static_cast<int>(number));
  }
  const std::uint64_t iterations = from.varint();
  state->converged = from.u8() != 0;
  state->outputs = present == 2 ? 1 : present;
  state->width = padded(state->outputs);
  sound = sound && from.ok() && iterations < (1U << 30U) &&
          from.left() == 4 * state->outputs * (static_cast<std::size_t>(columns) + 1) &&
          columns * state->width <= kMostWeights;
  if (!sound) return damaged(kKind, "its contents cannot be");
  state->classes = static_cast<int>(classes);
  state->columns = static_cast<std::size_t>(columns);
  state->iterations = static_cast<int>(iterations);
  state->bias.assign(state->width, 0.0F);
  state->weights.assign(state->columns * state->width, 0.0F);
  const auto take = [&](float* values) {
    for (std::size_t k = 0; k < state->outputs; ++k) {
      values[k] = from.f32();
      sound = sound && std::isfinite(values[k]);
    }
  };
  take(state->bias.data());
  for (std::size_t c = 0; c < state->columns; ++c) take(state->weights.data() + c * state->width);
  if (!sound || !from.ok()) return damaged(kKind, "its contents cannot be");
  LogisticRegression loaded;
  loaded.state_ = std::move(state);
  return loaded;
}

}  // namespace loam::baseline
