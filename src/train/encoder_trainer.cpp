#include "train/encoder_trainer.h"

#include <algorithm>
#include <new>
#include <numeric>
#include <optional>
#include <utility>

#include "base/json.h"
#include "engine/gguf_check.h"
#include "engine/local_model.h"
#include "train/bert_parity.h"
#include "train/bert_pass.h"
#include "train/encoder_file.h"
#include "train/gemm.h"
#include "train/machine_memory.h"
#include "train/random.h"
#include "train/training_loop.h"

namespace loam::train {
namespace {

constexpr float kHeadSpread = 0.02F;  // of a head's first weights, as BERT's own (Devlin et al. 2019)

std::string whole_megabytes(std::uint64_t bytes) {
  return std::to_string((bytes + 999999) / 1000000) + " MB";
}

Result<std::unique_ptr<EncoderTask>> make_task(const EncoderRequest& request,
                                               const engine::WordPiece& words) {
  EncoderTaskOptions options;
  options.hold_out = request.options.hold_out;
  options.seed = request.options.seed;
  options.sequence_tokens = request.options.sequence_tokens;
  options.group_column = request.options.group_column;
  options.negatives = request.negatives;
  options.text_column = request.text_column;
  options.label_column = request.label_column;
  switch (request.kind) {
    case engine::HeadKind::reader:
      return make_reader_task(request.data, words, options);
    case engine::HeadKind::reranker:
      return make_reranker_task(request.data, words, options);
    case engine::HeadKind::embedder:
      return make_embedder_task(request.data, words, options);
    case engine::HeadKind::classifier:
      break;
  }
  return make_classifier_task(request.data, words, options);
}

/// Sequences that are computed at once, and where they come from.
struct MicroBatch {
  EncoderSequences sequences;
  EncoderBatch batch;
  std::vector<std::size_t> numbers;  // which of the given sequences these are
};

/// In order; those of one item stay together. At most `most` tokens each, but for a single item that has
/// more.
std::vector<MicroBatch> micro_batches(const EncoderSequences& all, std::size_t most) {
  std::vector<MicroBatch> batches;
  for (std::size_t begin = 0; begin < all.tokens.size();) {
    std::size_t end = begin, tokens = 0;
    for (; end < all.tokens.size() && all.item[end] == all.item[begin]; ++end)
      tokens += all.tokens[end].size();
    if (batches.empty() || batches.back().batch.tokens.size() + tokens > most) batches.emplace_back();
    MicroBatch& into = batches.back();
    for (; begin < end; ++begin) {
      into.batch.add(all.tokens[begin]);
      into.sequences.add(all.tokens[begin], all.item[begin], all.part[begin]);
      into.numbers.push_back(begin);
    }
  }
  return batches;
}

/// Rows of the sequences' states, as the task wants them.
class StatePool {
 public:
  StatePool(engine::HeadPooling pooling, std::size_t width) : pooling_(pooling), width_(width) {}

  PooledStates pool(const EncoderBatch& batch, std::span<const float> states) {
    PooledStates pooled;
    pooled.width = width_;
    if (pooling_ == engine::HeadPooling::tokens) {
      for (const Segment& segment : batch.segments) pooled.first.push_back(segment.start);
      pooled.first.push_back(batch.tokens.size());
      pooled.rows = states;
      return pooled;
    }
    rows_.assign(batch.segments.size() * width_, 0.0F);
    for (std::size_t s = 0; s < batch.segments.size(); ++s) {
      const Segment& segment = batch.segments[s];
      float* to = rows_.data() + s * width_;
      const float* from = states.data() + segment.start * width_;
      const std::size_t count = pooling_ == engine::HeadPooling::cls ? 1 : segment.length;
      for (std::size_t t = 0; t < count; ++t) {
        for (std::size_t i = 0; i < width_; ++i) to[i] += from[t * width_ + i];
      }
      for (std::size_t i = 0; i < width_; ++i) to[i] /= static_cast<float>(count);
      pooled.first.push_back(s);
    }
    pooled.first.push_back(batch.segments.size());
    pooled.rows = rows_;
    return pooled;
  }

  /// The gradient of all states from that of the rows.
  std::span<const float> spread(const EncoderBatch& batch, std::span<const float> drows) {
    if (pooling_ == engine::HeadPooling::tokens) return drows;
    dstates_.assign(batch.tokens.size() * width_, 0.0F);
    for (std::size_t s = 0; s < batch.segments.size(); ++s) {
      const Segment& segment = batch.segments[s];
      const std::size_t count = pooling_ == engine::HeadPooling::cls ? 1 : segment.length;
      for (std::size_t t = 0; t < count; ++t) {
        for (std::size_t i = 0; i < width_; ++i) {
          dstates_[(segment.start + t) * width_ + i] = drows[s * width_ + i] / static_cast<float>(count);
        }
      }
    }
    return dstates_;
  }

 private:
  engine::HeadPooling pooling_;
  std::size_t width_;
  std::vector<float> rows_, dstates_;
};

}  // namespace

TrainingOptions usual_options(engine::HeadKind kind) {
  TrainingOptions options;
  options.sequence_tokens = 512;
  options.warmup_share = 0.06;
  switch (kind) {
    case engine::HeadKind::reader:
      options.learning_rate = 1e-3;
      options.batch_size = 16;
      options.epochs = 3;
      break;
    case engine::HeadKind::reranker:
      options.learning_rate = 5e-4;
      options.batch_size = 8;
      options.epochs = 2;
      break;
    case engine::HeadKind::embedder:  // what is trained is good already: large steps of many negatives, small
                                      // rate
      options.learning_rate = 3e-4;
      options.batch_size = 64;
      options.epochs = 2;
      break;
    case engine::HeadKind::classifier:
      options.learning_rate = 5e-4;
      options.batch_size = 64;
      options.epochs = 5;
      break;
  }
  return options;
}

struct EncoderTrainer::State final : EncoderReading {
  EncoderRequest request;
  const Clock& clock;
  Logger& logger;
  ProgressSink show;
  std::stop_token opening;  // asked for until the first step only
  TrainingPlan plan;
  Team team;
  std::optional<engine::WordPiece> words;
  std::unique_ptr<EncoderTask> task;
  FrozenBert model;
  BaseModel base;
  std::unique_ptr<LoraParameters> lora;
  std::unique_ptr<BertPass> pass;
  std::unique_ptr<TrainingLoop> loop;
  std::vector<EncoderFigure> before;

  State(EncoderRequest wanted, const Clock& with, Logger& to, ProgressSink progress)
      : request(std::move(wanted)),
        clock(with),
        logger(to),
        show(std::move(progress)),
        team(request.options.threads) {}

  const TrainingOptions& options() const { return request.options; }
  std::size_t most_tokens() const { return static_cast<std::size_t>(options().micro_batch_tokens); }

  Result<void> read_data();
  Result<void> open_model();
  Result<void> fit_memory();
  Result<void> open_loop();
  std::optional<TrainingLoop::Sums> compute(std::span<const std::size_t> items, std::uint64_t epoch,
                                            const std::stop_token& stop);
  double one_pass(const EncoderSequences& sequences, float weight, const std::stop_token& stop,
                  bool& given_up);
  double two_passes(const EncoderSequences& sequences, float weight, const std::stop_token& stop,
                    bool& given_up);
  HeadView head_view() {
    return {lora->values().subspan(lora->extra_at()), lora->gradients().subspan(lora->extra_at())};
  }
  Result<void> write();

  // EncoderReading
  void read(const EncoderSequences& sequences, engine::HeadPooling pooling,
            const std::function<void(std::size_t, std::span<const float>)>& each) override;
  std::size_t width() const override { return model.shape.width; }
  std::span<const float> head() const override {
    return std::span<const float>(lora->values()).subspan(lora->extra_at());
  }
};

void EncoderTrainer::State::read(const EncoderSequences& sequences, engine::HeadPooling pooling,
                                 const std::function<void(std::size_t, std::span<const float>)>& each) {
  StatePool pool(pooling, width());
  EncoderSequences alone = sequences;
  std::iota(alone.item.begin(), alone.item.end(), std::size_t{0});
  for (const MicroBatch& micro : micro_batches(alone, most_tokens())) {
    if (opening.stop_requested()) return;
    const PooledStates states = pool.pool(micro.batch, pass->forward(micro.batch, BertPass::Gradients::no));
    if (show) show({"reading the data", micro.numbers.back() + 1, alone.tokens.size()});
    for (std::size_t s = 0; s < micro.numbers.size(); ++s) {
      const std::size_t first = states.first[s] * width(), end = states.first[s + 1] * width();
      each(micro.numbers[s], states.rows.subspan(first, end - first));
    }
  }
}

Result<void> EncoderTrainer::State::read_data() {
  engine::LocalModelOptions vocabulary;
  vocabulary.load = engine::Load::vocabulary_only;
  auto opened = engine::LocalModel::open(request.base, vocabulary, logger);
  if (!opened) return opened.error();
  auto identity = (*opened)->identity();
  if (!identity) return identity.error();
  base = {(*opened)->name(), (*opened)->fingerprint(), *std::move(identity)};
  plan.base_name = base.name;
  if ((*opened)->architecture() == "bert") words = engine::WordPiece::of(**opened);
  if (!words) {
    return Error{Kind::bad_request, request.base.string(), "it is not an encoder of the BERT family",
                 "train on one such as all-MiniLM-L6-v2: --base NAME"};
  }
  const int context = (*opened)->trained_context_tokens();
  if (options().sequence_tokens > context) {
    return Error{Kind::bad_request, "seq-len",
                 std::to_string(options().sequence_tokens) + ", but " + base.name + " has positions for " +
                     std::to_string(context) + " tokens",
                 "use --seq-len " + std::to_string(context) + " or less"};
  }
  auto made = make_task(request, *words);
  if (!made) return made.error();
  task = *std::move(made);
  plan.rows = task->rows();
  plan.held_out_items = task->held_out_items();
  plan.notes = task->notes();
  if (task->items() == 0) {
    return Error{Kind::bad_request, request.data.string(), "nothing is left to learn from",
                 "hold out less, or give a larger --seq-len"};
  }
  return done();
}

Result<void> EncoderTrainer::State::open_model() {
  plan.precision = options().precision.value_or(fastest_precision());
  plan.kernel = kernel_name(plan.precision);
  const auto summary = engine::check_gguf(request.base);
  if (!summary) return summary.error();
  const std::uint64_t weights = summary->parameters * (plan.precision == Precision::f32 ? 4 : 2);
  plan.available_bytes = available_memory();
  if (weights > plan.available_bytes) {
    return Error{Kind::out_of_room, request.base.string(),
                 "its weights take " + whole_megabytes(weights) + " for training, and " +
                     whole_megabytes(plan.available_bytes) + " are free",
                 "train on a smaller base"};
  }
  auto read = open_frozen_bert(request.base, plan.precision, team, show);
  if (!read) return read.error();
  model = *std::move(read);
  if (options().check_parity) {
    const auto parity = compare_with_encoder(model, request.base, team, logger);
    if (!parity) return parity.error();
    plan.parity_divergence = *parity;
  }
  const std::size_t head_rows = task->head_rows();
  lora = std::make_unique<LoraParameters>(model.shape.layers, model.shape.sides(), options().lora,
                                          options().seed, head_rows * (width() + 1));
  Random random(options().seed ^ 0x4EAD4EAD4EAD4EADULL);
  for (std::size_t i = 0; i < head_rows * width(); ++i) {
    lora->values()[lora->extra_at() + i] = kHeadSpread * random.symmetric();
  }
  plan.parameters = lora->trained();
  return done();
}

Result<void> EncoderTrainer::State::fit_memory() {
  // The largest micro-batch that can come up: as many tokens as are asked for, or the longest item's.
  std::size_t longest = 0;
  for (std::size_t item = 0; item < task->items(); ++item) {
    EncoderSequences one;
    task->add_sequences(item, 0, one);
    std::size_t tokens = 0;
    for (const auto& sequence : one.tokens) tokens += sequence.size();
    longest = std::max(longest, tokens);
    plan.train_tokens += tokens;
  }
  const std::size_t tokens = std::max(longest, most_tokens());
  const std::uint64_t adapter = lora->values().size() * (4 * sizeof(float) + 2);
  plan.available_bytes = available_memory() + adapter;  // its memory is taken already
  const auto need = [&](Keep keep, std::size_t of) {
    return adapter + BertPass::predicted_bytes(model.shape, options().lora, plan.precision, of, keep);
  };
  const auto fits = [&](std::uint64_t bytes) { return bytes + bytes / 8 < plan.available_bytes; };
  plan.keeps_everything = options().memory == Memory::everything ||
                          (options().memory == Memory::automatic && fits(need(Keep::everything, tokens)));
  const Keep keep = plan.keeps_everything ? Keep::everything : Keep::layer_inputs;
  plan.predicted_bytes = model.bytes() + need(keep, tokens);
  if (!fits(need(keep, tokens))) {
    return Error{Kind::out_of_room, base.name,
                 "training takes " + whole_megabytes(need(keep, tokens)) + " beside the weights, and " +
                     whole_megabytes(plan.available_bytes) + " are free",
                 "use --memory low, a smaller --micro-batch or --seq-len"};
  }
  pass = std::make_unique<BertPass>(model, lora.get(), team, keep);
  return done();
}

Result<void> EncoderTrainer::State::open_loop() {
  plan.train_items = task->items();
  Json identity = identity_of(options(), plan.precision);
  identity["format"] = 1;
  identity["kind"] = engine::name_of(request.kind);
  identity["base"] = base.fingerprint;
  identity["data"] = task->version().sha256;
  identity["negatives"] = request.negatives;
  identity["columns"] = request.text_column + " " + request.label_column;
  LoopSetup setup;
  setup.options = options();
  setup.out = request.out;
  setup.data = request.data.string();
  setup.items = plan.train_items;
  auto opened = TrainingLoop::open(std::move(setup), identity, request.resume, *lora, team, clock);
  if (!opened) return opened.error();
  loop = *std::move(opened);
  plan.steps = loop->steps();
  plan.resumed_from = static_cast<std::int64_t>(loop->progress().step);
  return done();
}

Result<std::unique_ptr<EncoderTrainer>> EncoderTrainer::open(const EncoderRequest& request,
                                                             const ProgressSink& show, Logger& logger,
                                                             const Clock& clock, std::stop_token stop) {
  if (auto checked = check_loop_options(request.options); !checked) return checked.error();
  try {
    auto state = std::make_unique<State>(request, clock, logger, show);
    state->opening = std::move(stop);
    if (auto step = state->read_data(); !step) return step.error();
    if (auto step = state->open_model(); !step) return step.error();
    state->pass = std::make_unique<BertPass>(state->model, nullptr, state->team, Keep::layer_inputs);
    if (auto step = state->task->prepare(*state); !step) return step.error();
    state->before = state->task->measure(*state, false);
    state->opening = {};
    state->pass.reset();
    if (auto step = state->fit_memory(); !step) return step.error();
    if (auto step = state->open_loop(); !step) return step.error();
    return std::unique_ptr<EncoderTrainer>(new EncoderTrainer(std::move(state)));
  } catch (const std::bad_alloc&) {
    return Error{Kind::out_of_room, request.base.string(), "there is not enough memory for this run",
                 "use a smaller base, rank or --micro-batch"};
  }
}

EncoderTrainer::EncoderTrainer(std::unique_ptr<State> state) : state_(std::move(state)) {}
EncoderTrainer::~EncoderTrainer() = default;
const TrainingPlan& EncoderTrainer::plan() const { return state_->plan; }

double EncoderTrainer::State::one_pass(const EncoderSequences& sequences, float weight,
                                       const std::stop_token& stop, bool& given_up) {
  StatePool pool(task->pooling(), width());
  double loss = 0;
  for (const MicroBatch& micro : micro_batches(sequences, most_tokens())) {
    given_up = stop.stop_requested();
    if (given_up) return 0;
    const PooledStates states = pool.pool(micro.batch, pass->forward(micro.batch, BertPass::Gradients::yes));
    std::vector<float> drows(states.rows.size(), 0.0F);
    loss += task->loss(micro.sequences, states, head_view(), weight, drows.data());
    pass->backward(micro.batch, pool.spread(micro.batch, drows));
  }
  return loss;
}

/// Where the loss is over the whole step and the step does not fit into one micro-batch: first all rows
/// without gradients, then their gradients, then each micro-batch again (Gao et al. 2021, "GradCache").
double EncoderTrainer::State::two_passes(const EncoderSequences& sequences, float weight,
                                         const std::stop_token& stop, bool& given_up) {
  StatePool pool(task->pooling(), width());
  const std::vector<MicroBatch> batches = micro_batches(sequences, most_tokens());
  std::vector<float> rows;
  for (const MicroBatch& micro : batches) {
    given_up = stop.stop_requested();
    if (given_up) return 0;
    const PooledStates states = pool.pool(micro.batch, pass->forward(micro.batch, BertPass::Gradients::no));
    rows.insert(rows.end(), states.rows.begin(), states.rows.end());
  }
  PooledStates all;
  all.rows = rows;
  all.width = width();
  all.first.resize(sequences.tokens.size() + 1);
  std::iota(all.first.begin(), all.first.end(), std::size_t{0});
  std::vector<float> drows(rows.size(), 0.0F);
  const double loss = task->loss(sequences, all, head_view(), weight, drows.data());
  std::size_t at = 0;
  for (const MicroBatch& micro : batches) {
    given_up = stop.stop_requested();
    if (given_up) return 0;
    const std::size_t count = micro.numbers.size() * width();
    pass->forward(micro.batch, BertPass::Gradients::yes);
    pass->backward(micro.batch, pool.spread(micro.batch, std::span(drows).subspan(at, count)));
    at += count;
  }
  return loss;
}

std::optional<TrainingLoop::Sums> EncoderTrainer::State::compute(std::span<const std::size_t> items,
                                                                 std::uint64_t epoch,
                                                                 const std::stop_token& stop) {
  EncoderSequences sequences;
  for (const std::size_t item : items) task->add_sequences(item, epoch, sequences);
  TrainingLoop::Sums sums;
  for (const auto& sequence : sequences.tokens) sums.tokens += sequence.size();
  const float weight = 1.0F / static_cast<float>(items.size());
  bool given_up = false;
  const bool at_once = task->items_stand_alone() || sums.tokens <= most_tokens();
  const double loss =
      at_once ? one_pass(sequences, weight, stop, given_up) : two_passes(sequences, weight, stop, given_up);
  if (given_up) return std::nullopt;
  sums.loss = loss / static_cast<double>(items.size());
  return sums;
}

Result<void> EncoderTrainer::State::write() {
  engine::EncoderHead head;
  head.kind = task->kind();
  head.pooling = task->pooling();
  head.input = task->input();
  head.max_tokens = options().sequence_tokens;
  head.width = width();
  head.rows = task->head_rows();
  const std::span<const float> values = this->head();
  const auto weights = static_cast<std::ptrdiff_t>(head.rows * width());
  head.weight.assign(values.begin(), values.begin() + weights);
  head.bias.assign(values.begin() + weights, values.end());
  task->finish(head);
  return write_encoder_adapter(request.out, *lora, head, base);
}

Result<EncoderReport> EncoderTrainer::run(const std::function<void(const StepEvent&)>& each,
                                          std::stop_token stop) {
  State& s = *state_;
  EncoderReport report;
  report.before = s.before;
  report.train_items = s.plan.train_items;
  report.held_out_items = s.plan.held_out_items;
  report.parameters = s.plan.parameters;
  TrainingLoop::Work work;
  work.compute = [&](std::span<const std::size_t> items, std::uint64_t epoch) {
    return s.compute(items, epoch, stop);
  };
  work.describe = [&](std::span<const std::size_t> items) {
    std::string text = "lines";
    for (const std::size_t item : items) text += " " + std::to_string(s.task->line_of(item));
    return text;
  };
  try {
    auto finished = s.loop->run(work, each, stop);
    if (!finished) return finished.error();
    report.finished = *finished;
    if (report.finished) {
      report.after = s.task->measure(s, true);
      if (auto written = s.write(); !written) return written.error();
      report.adapter = s.request.out;
    }
  } catch (const std::bad_alloc&) {
    return Error{Kind::out_of_room, s.base.name,
                 "memory ran out in step " + std::to_string(s.loop->progress().step + 1),
                 "resume with a smaller --micro-batch or --memory low"};
  }
  s.loop->report(report);
  if (report.finished) s.loop->remove_checkpoint();
  return report;
}

}  // namespace loam::train
