#include "train/lora_trainer.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <fstream>
#include <limits>
#include <new>
#include <numeric>

#include "base/json.h"
#include "engine/chat_tokens.h"
#include "engine/gguf_check.h"
#include "engine/local_model.h"
#include "train/adapter_file.h"
#include "train/examples.h"
#include "train/feature_cache.h"
#include "train/gemm.h"
#include "train/machine_memory.h"
#include "train/parity.h"
#include "train/random.h"
#include "train/train_fit.h"
#include "train/training_data.h"
#include "train/training_loop.h"

namespace loam::train {
namespace {

constexpr std::size_t kMostPlannedItems = 4'000'000;

Error refuse(std::string what, std::string message, std::string next) {
  return {Kind::bad_request, std::move(what), std::move(message), std::move(next)};
}

std::string megabytes(std::uint64_t bytes) { return std::to_string((bytes + 999999) / 1000000) + " MB"; }

}  // namespace

std::filesystem::path checkpoint_path(const std::filesystem::path& adapter) {
  return adapter.string() + ".checkpoint";
}

struct LoraTrainer::State {
  TrainingRequest request;
  const Clock& clock;
  Logger& logger;
  TrainingPlan plan;
  Team team;
  FrozenLlama model;
  BaseModel base;
  TrainingData data;
  Examples examples;
  std::vector<std::size_t> train, held_out;  // numbers of examples
  std::unique_ptr<LoraParameters> lora;
  std::unique_ptr<LlamaPass> pass;
  std::unique_ptr<FeatureCache> features;  // null: none are kept
  Operand entering;                        // of the micro-batch at hand, out of the cache
  std::unique_ptr<TrainingLoop> loop;

  State(TrainingRequest wanted, const Clock& with, Logger& to)
      : request(std::move(wanted)), clock(with), logger(to), team(request.options.threads) {}

  const TrainingOptions& options() const { return request.options; }
  std::size_t steps_in_epoch() const {
    const auto batch = static_cast<std::size_t>(options().batch_size);
    return (train.size() + batch - 1) / batch;
  }

  Result<void> read_data();
  Result<void> open_model(const ProgressSink& show);
  /// The largest micro-batch that comes up.
  StepSize largest_step() const;
  Result<void> fit_memory();
  Result<void> open_features(std::uint64_t free_bytes);
  Result<void> open_loop();

  struct MicroBatch {
    Batch batch;
    std::vector<std::size_t> numbers;  ///< which examples its segments are
  };
  std::vector<MicroBatch> micro_batches(const std::vector<std::size_t>& numbers) const;
  /// What enters the lowest adapted layer, computed for those that the cache does not have yet; null without
  /// a cache.
  Result<const Operand*> states_of(const MicroBatch& micro);
  Result<double> held_out_loss();
  /// Adds to the gradients what these of `train` say; nothing when it was stopped.
  Result<std::optional<TrainingLoop::Sums>> compute(std::span<const std::size_t> items,
                                                    const std::stop_token& stop);
  std::string lines_of(std::span<const std::size_t> items) const;
};

Result<void> LoraTrainer::State::read_data() {
  TrainingDataOptions how;
  how.group_column = options().group_column;
  auto read = read_training_data(request.data, how);
  if (!read) return read.error();
  data = *std::move(read);

  engine::LocalModelOptions vocabulary;
  vocabulary.load = engine::Load::vocabulary_only;
  auto words = engine::LocalModel::open(request.base, vocabulary, logger);
  if (!words) return words.error();
  auto identity = (*words)->identity();
  if (!identity) return identity.error();
  base = {(*words)->name(), (*words)->fingerprint(), *std::move(identity)};
  plan.base_name = base.name;
  auto chat = engine::ChatTokens::open(*words);
  if (!chat) return chat.error();
  auto made = make_examples(data, **chat, options().sequence_tokens);
  if (!made) return made.error();
  examples = *std::move(made);

  const auto split = split_training_data(data, options().hold_out, options().seed);
  if (!split) return split.error();
  for (std::size_t i = 0; i < examples.items.size(); ++i) {
    const bool held = std::binary_search(split->held_out.begin(), split->held_out.end(), examples.item_of[i]);
    (held ? held_out : train).push_back(i);
  }
  if (train.empty()) {
    return refuse(request.data.string(), "nothing is left to learn from",
                  "hold out less, or give a larger --seq-len");
  }
  plan.rows = data.rows;
  plan.train_items = train.size();
  plan.held_out_items = held_out.size();
  plan.notes = data.notes;
  plan.notes.insert(plan.notes.end(), examples.notes.begin(), examples.notes.end());
  for (const std::size_t i : train) {
    plan.train_tokens += examples.items[i].tokens.size();
    plan.counted_tokens += examples.items[i].counted();
  }
  plan.steps = options().steps > 0
                   ? options().steps
                   : static_cast<std::int64_t>(steps_in_epoch()) * std::max(options().epochs, 1);
  return done();
}

Result<void> LoraTrainer::State::open_model(const ProgressSink& show) {
  plan.precision = options().precision.value_or(fastest_precision());
  plan.kernel = kernel_name(plan.precision);
  const auto summary = engine::check_gguf(request.base);
  if (!summary) return summary.error();
  const std::uint64_t weights = summary->parameters * (plan.precision == Precision::f32 ? 4 : 2);
  plan.available_bytes = available_memory();
  if (options().memory_limit_bytes > 0) {
    plan.available_bytes = std::min(plan.available_bytes, options().memory_limit_bytes);
  }
  if (weights > plan.available_bytes) {
    return Error{Kind::out_of_room, request.base.string(),
                 "its weights take " + megabytes(weights) + " for training, and " +
                     megabytes(plan.available_bytes) + " are free",
                 plan.precision == Precision::f32 ? "train with --precision bf16, or on a smaller base"
                                                  : "train on a smaller base"};
  }
  auto opened = open_frozen_llama(request.base, plan.precision, team, show);
  if (!opened) return opened.error();
  model = *std::move(opened);
  if (options().check_parity) {
    const auto parity = compare_with_engine(model, request.base, team, logger);
    if (!parity) return parity.error();
    plan.parity_divergence = parity->mean_divergence;
  }
  return done();
}

StepSize LoraTrainer::State::largest_step() const {
  StepSize size;
  for (const std::size_t i : train) size.longest = std::max(size.longest, examples.items[i].tokens.size());
  const auto most = std::max(size.longest, static_cast<std::size_t>(options().micro_batch_tokens));
  const auto batch = static_cast<std::size_t>(options().batch_size);
  const auto epochs = (static_cast<std::size_t>(plan.steps) + steps_in_epoch() - 1) / steps_in_epoch();
  std::size_t looked_at = 0;
  for (std::size_t epoch = 0; epoch < epochs; ++epoch) {
    looked_at += train.size();
    if (looked_at > kMostPlannedItems) {  // more than is worth the time: the most that can come up
      size.tokens = most;
      if (epoch == 0) size.rows = most;
      break;
    }
    const std::vector<std::size_t> order = order_of_epoch(train.size(), options().seed, epoch);
    std::size_t tokens = 0, rows = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
      const Example& example = examples.items[train[order[i]]];
      const bool full =
          tokens + example.tokens.size() > static_cast<std::size_t>(options().micro_batch_tokens);
      if (i % batch == 0 || full) tokens = rows = 0;
      tokens += example.tokens.size();
      rows += example.counted();
      size.tokens = std::max(size.tokens, tokens);
      size.rows = std::max(size.rows, rows);
    }
  }
  return size;
}

Result<void> LoraTrainer::State::fit_memory() {
  const StepSize size = largest_step();
  const std::uint64_t adapter = adapter_bytes(model.shape, options().lora);
  plan.available_bytes = available_memory() + adapter;  // its memory is taken already
  if (options().memory_limit_bytes > 0) {
    const std::uint64_t taken = model.bytes() + kProgramBytes;
    plan.available_bytes =
        std::min(plan.available_bytes,
                 options().memory_limit_bytes > taken ? options().memory_limit_bytes - taken : 0);
  }
  const StepMemory memory = step_memory(model.shape, options(), plan.precision, size, plan.available_bytes);
  plan.keeps_everything = memory.keeps_everything;
  plan.predicted_bytes = model.bytes() + kProgramBytes + memory.bytes;
  if (!memory.fits) {
    return Error{Kind::out_of_room, base.name,
                 "training takes " + megabytes(memory.bytes) + " beside the weights, and " +
                     megabytes(plan.available_bytes) + " are free",
                 memory.advice};
  }
  pass = std::make_unique<LlamaPass>(
      model, lora.get(), team,
      PassOptions{memory.keeps_everything ? Keep::everything : Keep::layer_inputs, 256});
  return open_features(plan.available_bytes - memory.bytes - memory.bytes / 16);
}

Result<void> LoraTrainer::State::open_features(std::uint64_t free_bytes) {
  // In a single epoch nothing would be read twice.
  if (lora->first_layer() == 0 || options().features == Features::off ||
      plan.steps <= static_cast<std::int64_t>(steps_in_epoch())) {
    return done();
  }
  std::vector<std::size_t> lengths;
  for (const Example& example : examples.items) lengths.push_back(example.tokens.size());
  const std::size_t width = model.shape.width;
  const std::uint64_t bytes = FeatureCache::bytes(plan.precision, width, lengths);
  Features where = options().features;
  if (where == Features::automatic) where = bytes < free_bytes ? Features::memory : Features::disk;
  if (where == Features::memory) {
    if (bytes >= free_bytes) {
      return Error{Kind::out_of_room, base.name,
                   "the features of the data take " + megabytes(bytes) + ", and " + megabytes(free_bytes) +
                       " are free beside the training",
                   "use --features disk"};
    }
    features = FeatureCache::in_memory(plan.precision, width, lengths);
    plan.predicted_bytes += bytes;
  } else {
    auto opened = FeatureCache::on_disk(
        request.out.has_parent_path() ? request.out.parent_path() : std::filesystem::path("."),
        plan.precision, width, lengths);
    if (!opened) {
      // Nobody asked for the disk: without room on it the features are computed each time, and the plan says
      // so.
      if (options().features == Features::automatic) return done();
      return opened.error();
    }
    features = *std::move(opened);
  }
  plan.features = where;
  plan.feature_bytes = bytes;
  return done();
}

Result<void> LoraTrainer::State::open_loop() {
  Json identity = identity_of(options(), plan.precision);
  identity["format"] = 2;
  identity["base"] = base.fingerprint;
  identity["data"] = data.version.sha256;
  LoopSetup setup;
  setup.options = options();
  setup.out = request.out;
  setup.data = request.data.string();
  setup.items = train.size();
  auto opened = TrainingLoop::open(std::move(setup), identity, request.resume, *lora, team, clock);
  if (!opened) return opened.error();
  loop = *std::move(opened);
  plan.resumed_from = static_cast<std::int64_t>(loop->progress().step);
  return done();
}

Result<std::unique_ptr<LoraTrainer>> LoraTrainer::open(const TrainingRequest& request,
                                                       const ProgressSink& show, Logger& logger,
                                                       const Clock& clock) {
  if (auto checked = check_loop_options(request.options); !checked) return checked.error();
  try {
    auto state = std::make_unique<State>(request, clock, logger);
    if (auto step = state->read_data(); !step) return step.error();
    if (auto step = state->open_model(show); !step) return step.error();
    state->lora =
        std::make_unique<LoraParameters>(state->model.shape, request.options.lora, request.options.seed);
    state->plan.parameters = state->lora->trained();
    if (auto step = state->fit_memory(); !step) return step.error();
    if (auto step = state->open_loop(); !step) return step.error();
    return std::unique_ptr<LoraTrainer>(new LoraTrainer(std::move(state)));
  } catch (const std::bad_alloc&) {
    return Error{Kind::out_of_room, request.base.string(), "there is not enough memory for this run",
                 "use a smaller base, rank or --micro-batch"};
  }
}

LoraTrainer::LoraTrainer(std::unique_ptr<State> state) : state_(std::move(state)) {}
LoraTrainer::~LoraTrainer() = default;
const TrainingPlan& LoraTrainer::plan() const { return state_->plan; }

std::vector<LoraTrainer::State::MicroBatch> LoraTrainer::State::micro_batches(
    const std::vector<std::size_t>& numbers) const {
  std::vector<MicroBatch> batches;
  for (const std::size_t number : numbers) {
    const Example& example = examples.items[number];
    const auto most = static_cast<std::size_t>(options().micro_batch_tokens);
    if (batches.empty() || batches.back().batch.tokens.size() + example.tokens.size() > most)
      batches.emplace_back();
    batches.back().batch.add(example.tokens, example.counts);
    batches.back().numbers.push_back(number);
  }
  return batches;
}

Result<const Operand*> LoraTrainer::State::states_of(const MicroBatch& micro) {
  if (!features) return static_cast<const Operand*>(nullptr);
  MicroBatch missing;
  for (const std::size_t number : micro.numbers) {
    if (features->has(number)) continue;
    missing.batch.add(examples.items[number].tokens, examples.items[number].counts);
    missing.numbers.push_back(number);
  }
  if (!missing.numbers.empty()) {
    const Operand& computed = pass->entering(missing.batch);
    for (std::size_t i = 0; i < missing.numbers.size(); ++i) {
      auto kept = features->put(missing.numbers[i], computed, missing.batch.segments[i].start);
      if (!kept) return kept.error();
    }
    if (missing.numbers.size() == micro.numbers.size()) return &computed;
  }
  entering.shape(plan.precision, micro.batch.tokens.size(), model.shape.width);
  for (std::size_t i = 0; i < micro.numbers.size(); ++i) {
    auto read = features->get(micro.numbers[i], entering, micro.batch.segments[i].start);
    if (!read) return read.error();
  }
  return &entering;
}

Result<double> LoraTrainer::State::held_out_loss() {
  double sum = 0;
  std::size_t counted = 0;
  for (const MicroBatch& micro : micro_batches(held_out)) {
    const auto states = states_of(micro);
    if (!states) return states.error();
    sum += pass->loss(micro.batch, *states);
    counted += micro.batch.rows.size();
  }
  return counted == 0 ? 0.0 : sum / static_cast<double>(counted);
}

std::string LoraTrainer::State::lines_of(std::span<const std::size_t> items) const {
  std::string text = "lines";
  for (const std::size_t item : items) {
    text += (text.size() == 5 ? " " : ", ") + std::to_string(examples.items[train[item]].line);
  }
  return text;
}

Result<std::optional<TrainingLoop::Sums>> LoraTrainer::State::compute(std::span<const std::size_t> items,
                                                                      const std::stop_token& stop) {
  std::vector<std::size_t> numbers;
  for (const std::size_t item : items) numbers.push_back(train[item]);
  const std::vector<MicroBatch> batches = micro_batches(numbers);
  TrainingLoop::Sums sums;
  std::size_t counted = 0;
  for (const MicroBatch& micro : batches) {
    counted += micro.batch.rows.size();
    sums.tokens += micro.batch.tokens.size();
  }
  for (const MicroBatch& micro : batches) {
    if (stop.stop_requested()) return std::optional<TrainingLoop::Sums>();
    const auto states = states_of(micro);
    if (!states) return states.error();
    sums.loss += pass->train(micro.batch, 1.0F / static_cast<float>(counted), *states);
  }
  sums.loss /= static_cast<double>(counted);
  return std::optional(sums);
}

Result<TrainingReport> LoraTrainer::run(const std::function<void(const StepEvent&)>& each,
                                        std::stop_token stop) {
  State& s = *state_;
  Progressed& progress = s.loop->progress();
  TrainingReport report;
  report.train_items = s.train.size();
  report.held_out_items = s.held_out.size();
  report.parameters = s.plan.parameters;
  try {
    if (!s.held_out.empty() && progress.step == 0 && !stop.stop_requested()) {
      const auto held_out = s.held_out_loss();
      if (!held_out) return held_out.error();
      progress.held_out_before = *held_out;
    }
    std::optional<Error> failure;
    TrainingLoop::Work work;
    work.compute = [&](std::span<const std::size_t> items,
                       std::uint64_t) -> std::optional<TrainingLoop::Sums> {
      auto sums = s.compute(items, stop);
      if (sums) return *sums;
      failure = sums.error();
      return std::nullopt;
    };
    work.describe = [&](std::span<const std::size_t> items) { return s.lines_of(items); };
    const auto finished = s.loop->run(work, each, stop);
    if (!finished) return finished.error();
    if (failure) return *failure;
    report.finished = *finished;
    if (report.finished && !s.held_out.empty()) {
      const auto held_out = s.held_out_loss();
      if (!held_out) return held_out.error();
      report.held_out_after = *held_out;
    }
  } catch (const std::bad_alloc&) {
    return Error{Kind::out_of_room, s.base.name,
                 "memory ran out in step " + std::to_string(progress.step + 1),
                 "resume with a smaller --micro-batch or --memory low"};
  }
  if (!s.held_out.empty()) report.held_out_before = progress.held_out_before;
  if (report.finished) {
    s.pass.reset();  // the file is made in memory: not on top of the activations
    s.features.reset();
    if (auto written = write_adapter(s.request.out, *s.lora, s.model.shape, s.base); !written) {
      Error error = written.error();
      error.next_step += "; no step is lost: --resume writes the adapter";
      return error;
    }
    report.adapter = s.request.out;
    s.loop->remove_checkpoint();
  }
  s.loop->report(report);
  return report;
}

}  // namespace loam::train
