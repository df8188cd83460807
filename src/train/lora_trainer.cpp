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
#include "train/checkpoint.h"
#include "train/examples.h"
#include "train/feature_cache.h"
#include "train/gemm.h"
#include "train/machine_memory.h"
#include "train/parity.h"
#include "train/random.h"
#include "train/training_data.h"

namespace loam::train {
namespace {

constexpr double kSaveShare = 0.05;     // of the time may go into saving
constexpr double kSyncSeconds = 30.0;   // a power cut loses no more than this
constexpr std::size_t kRateSteps = 10;  // tokens a second and time left: over so many steps

Error refuse(std::string what, std::string message, std::string next) {
  return {Kind::bad_request, std::move(what), std::move(message), std::move(next)};
}

Result<void> check_options(const TrainingOptions& o) {
  const auto positive = [](double value) { return std::isfinite(value) && value > 0.0; };
  if (o.lora.rank < 1 || o.lora.rank > 1024) return refuse("rank", "must be 1 to 1024", "16 is usual");
  if (!positive(o.lora.alpha)) return refuse("alpha", "must be above 0", "twice the rank is usual");
  if (o.lora.last_layers < 0) return refuse("last-layers", "must be 0 (all) or more", "leave it out");
  if (!positive(o.learning_rate)) return refuse("lr", "must be above 0", "0.0002 is usual");
  if (!positive(o.b_rate_ratio))
    return refuse("lora-plus", "must be above 0", "1 is plain LoRA, 16 is LoRA+");
  if (o.epochs < 1 && o.steps < 1) return refuse("epochs", "must be at least 1", "3 is usual");
  if (o.steps < 0) return refuse("steps", "must be 0 (by epochs) or more", "leave it out");
  if (o.batch_size < 1) return refuse("batch-size", "must be at least 1", "8 is usual");
  if (o.sequence_tokens < 2) return refuse("seq-len", "must be at least 2", "1024 is usual");
  if (o.micro_batch_tokens < 1) return refuse("micro-batch", "must be at least 1", "1024 is usual");
  if (!(o.hold_out >= 0.0) || o.hold_out > 0.9) return refuse("holdout", "must be 0 to 0.9", "0.05 is usual");
  if (!(o.clip_norm >= 0.0) || !(o.weight_decay >= 0.0) || !(o.warmup_share >= 0.0) || o.warmup_share > 1.0) {
    return refuse("training options", "a share or norm is out of range", "leave them as they are");
  }
  return done();
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
  std::unique_ptr<Checkpoint> checkpoint;
  Progressed progress;
  std::vector<std::size_t> order;  // of the present epoch
  std::uint64_t order_epoch = std::numeric_limits<std::uint64_t>::max();
  double saved_at = 0, save_seconds = 0, synced_at = 0;

  State(TrainingRequest wanted, const Clock& with, Logger& to)
      : request(std::move(wanted)), clock(with), logger(to), team(request.options.threads) {}

  const TrainingOptions& options() const { return request.options; }
  std::size_t steps_in_epoch() const {
    const auto batch = static_cast<std::size_t>(options().batch_size);
    return (train.size() + batch - 1) / batch;
  }

  Result<void> read_data();
  Result<void> open_model(const ProgressSink& show);
  Result<void> fit_memory();
  Result<void> open_features(std::uint64_t free_bytes);
  Result<void> open_checkpoint();
  /// Everything that decides what the run computes.
  Json identity() const;

  struct MicroBatch {
    Batch batch;
    std::vector<std::size_t> numbers;  ///< which examples its segments are
  };
  std::vector<MicroBatch> micro_batches(const std::vector<std::size_t>& numbers) const;
  std::vector<std::size_t> next_batch();
  /// What enters the lowest adapted layer, computed for those that the cache does not have yet; null without
  /// a cache.
  Result<const Operand*> states_of(const MicroBatch& micro);
  Result<double> held_out_loss();
  TrainingState training_state() { return {lora->values(), lora->first_moments(), lora->second_moments()}; }
  Result<void> save(Checkpoint::Sync sync);
  Result<void> save_when_due();
  void update(double gradient_norm, const Schedule& schedule, StepEvent& event);
  std::string lines_of(const std::vector<std::size_t>& numbers) const;
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

Result<void> LoraTrainer::State::fit_memory() {
  // The largest micro-batch that can come up: as many tokens as are asked for, or the longest conversation.
  std::size_t longest = 0, tokens_of_step = 0;
  std::vector<std::size_t> lengths;
  for (const std::size_t i : train) lengths.push_back(examples.items[i].tokens.size());
  std::sort(lengths.rbegin(), lengths.rend());
  for (std::size_t i = 0; i < lengths.size() && i < static_cast<std::size_t>(options().batch_size); ++i) {
    tokens_of_step += lengths[i];
  }
  longest = lengths.front();
  const std::size_t tokens = std::max(
      longest, std::min<std::size_t>(static_cast<std::size_t>(options().micro_batch_tokens), tokens_of_step));
  const std::uint64_t adapter = lora->values().size() * (4 * sizeof(float) + 2);
  plan.available_bytes = available_memory() + adapter;  // its memory is taken already
  const auto need = [&](Keep keep, std::size_t of) {
    return adapter +
           LlamaPass::predicted_bytes(model.shape, options().lora, plan.precision, of, of, {keep, 256});
  };
  // Room for what is not counted: the packing buffers of each thread, the allocator's gaps.
  const auto fits = [&](std::uint64_t bytes) { return bytes + bytes / 8 < plan.available_bytes; };
  plan.keeps_everything = options().memory == Memory::everything ||
                          (options().memory == Memory::automatic && fits(need(Keep::everything, tokens)));
  const Keep keep = plan.keeps_everything ? Keep::everything : Keep::layer_inputs;
  plan.predicted_bytes = model.bytes() + need(keep, tokens);
  if (!fits(need(keep, tokens))) {
    std::string next = "train on a smaller base";
    for (std::size_t less = tokens / 2; less >= 64; less /= 2) {
      if (!fits(need(Keep::layer_inputs, less))) continue;
      next = less >= longest ? "use --micro-batch " + std::to_string(less) + " --memory low"
                             : "use --seq-len " + std::to_string(less) + " --micro-batch " +
                                   std::to_string(less) + " --memory low";
      break;
    }
    return Error{Kind::out_of_room, base.name,
                 "training takes " + megabytes(need(keep, tokens)) + " beside the weights, and " +
                     megabytes(plan.available_bytes) + " are free",
                 next};
  }
  pass = std::make_unique<LlamaPass>(model, lora.get(), team, PassOptions{keep, 256});
  const std::uint64_t taken = need(keep, tokens) + need(keep, tokens) / 8;
  return open_features(plan.available_bytes - taken);
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

Json LoraTrainer::State::identity() const {
  const TrainingOptions& o = options();
  std::string targets;
  for (std::size_t i = 0; i < kTargetCount; ++i) {
    if (o.lora.targets[i])
      targets += (targets.empty() ? "" : ",") + std::string(name_of(static_cast<Target>(i)));
  }
  return Json{{"format", 1},
              {"base", base.fingerprint},
              {"data", data.version.sha256},
              {"rank", o.lora.rank},
              {"alpha", o.lora.alpha},
              {"rank scaling", o.lora.scaling == RankScaling::by_rank ? "by rank" : "by root rank"},
              {"targets", targets},
              {"last-layers", o.lora.last_layers},
              {"lr", o.learning_rate},
              {"lora-plus", o.b_rate_ratio},
              {"warmup", o.warmup_share},
              {"floor", o.floor_share},
              {"weight decay", o.weight_decay},
              {"clip", o.clip_norm},
              {"steps", plan.steps},
              {"batch-size", o.batch_size},
              {"seq-len", o.sequence_tokens},
              {"holdout", o.hold_out},
              {"group", o.group_column},
              {"seed", o.seed},
              {"precision", name_of(plan.precision)},
              {"kernel", plan.kernel}};
}

Result<void> LoraTrainer::State::open_checkpoint() {
  const std::filesystem::path path = checkpoint_path(request.out);
  const Json run = identity();
  if (!request.resume) {
    std::error_code ignored;
    if (std::filesystem::exists(path, ignored)) {
      return refuse(path.string(), "an unfinished run lies here",
                    "go on with it: --resume, or remove the file to start again");
    }
    auto created = Checkpoint::create(path, dump_json(run), lora->values().size());
    if (!created) return created.error();
    checkpoint = *std::move(created);
    return done();
  }
  auto opened = Checkpoint::open(path);
  if (!opened) return opened.error();
  const auto before = parse_json((*opened)->run(), path.string());
  if (!before) return before.error();
  for (const auto& [key, value] : run.items()) {
    const Json there = before->value(key, Json());
    if (there == value) continue;
    return refuse(
        path.string(),
        "the run was begun with another " + key + ": " + dump_json(there) + ", now " + dump_json(value),
        "resume with what it was begun with, or remove the checkpoint to start again");
  }
  checkpoint = *std::move(opened);
  auto loaded = checkpoint->load(training_state());
  if (!loaded) return loaded.error();
  progress = *loaded;
  plan.resumed_from = static_cast<std::int64_t>(progress.step);
  return done();
}

Result<std::unique_ptr<LoraTrainer>> LoraTrainer::open(const TrainingRequest& request,
                                                       const ProgressSink& show, Logger& logger,
                                                       const Clock& clock) {
  if (auto checked = check_options(request.options); !checked) return checked.error();
  try {
    auto state = std::make_unique<State>(request, clock, logger);
    if (auto step = state->read_data(); !step) return step.error();
    if (auto step = state->open_model(show); !step) return step.error();
    state->lora =
        std::make_unique<LoraParameters>(state->model.shape, request.options.lora, request.options.seed);
    state->plan.parameters = state->lora->trained();
    if (auto step = state->fit_memory(); !step) return step.error();
    if (auto step = state->open_checkpoint(); !step) return step.error();
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

std::vector<std::size_t> LoraTrainer::State::next_batch() {
  if (order_epoch != progress.epoch) {
    order = train;
    Random random(options().seed * 0x9E3779B97F4A7C15ULL + progress.epoch + 1);
    random.shuffle(order);
    order_epoch = progress.epoch;
  }
  const auto size = static_cast<std::size_t>(options().batch_size);
  const std::size_t begin = static_cast<std::size_t>(progress.in_epoch) * size;
  const std::size_t end = std::min(order.size(), begin + size);
  return {order.begin() + static_cast<std::ptrdiff_t>(begin),
          order.begin() + static_cast<std::ptrdiff_t>(end)};
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

Result<void> LoraTrainer::State::save(Checkpoint::Sync sync) {
  const double begin = clock.seconds();
  auto saved = checkpoint->save(progress, training_state(), sync);
  saved_at = clock.seconds();
  if (sync == Checkpoint::Sync::yes) {
    synced_at = saved_at;
  } else {
    save_seconds = saved_at - begin;
  }
  return saved;
}

Result<void> LoraTrainer::State::save_when_due() {
  const double now = clock.seconds();
  if (now - synced_at >= kSyncSeconds) return save(Checkpoint::Sync::yes);
  if (now - saved_at >= save_seconds / kSaveShare) return save(Checkpoint::Sync::no);
  return done();
}

void LoraTrainer::State::update(double gradient_norm, const Schedule& schedule, StepEvent& event) {
  const TrainingOptions& o = options();
  const auto step = static_cast<std::int64_t>(progress.step) + 1;
  const double rate = schedule.at(step);
  const double scale = o.clip_norm > 0.0 && gradient_norm > o.clip_norm ? o.clip_norm / gradient_norm : 1.0;
  AdamWOptions adam;
  adam.weight_decay = static_cast<float>(o.weight_decay);
  const std::size_t a = lora->a_count(), b = lora->values().size() - a;
  const auto part = [&](std::size_t from, std::size_t count, double ratio) {
    adamw_step(team, lora->values().subspan(from, count), lora->gradients().subspan(from, count),
               lora->first_moments().subspan(from, count), lora->second_moments().subspan(from, count), step,
               static_cast<float>(rate * ratio), static_cast<float>(scale), adam);
  };
  part(0, a, 1.0);
  part(a, b, o.b_rate_ratio);
  event.learning_rate = rate;
  event.gradient_norm = gradient_norm;
}

std::string LoraTrainer::State::lines_of(const std::vector<std::size_t>& numbers) const {
  std::string text;
  for (const std::size_t number : numbers) {
    text += (text.empty() ? "" : ", ") + std::to_string(examples.items[number].line);
  }
  return text;
}

Result<TrainingReport> LoraTrainer::run(const std::function<void(const StepEvent&)>& each,
                                        std::stop_token stop) {
  State& s = *state_;
  const TrainingOptions& o = s.options();
  Progressed& progress = s.progress;
  TrainingReport report;
  report.checkpoint = checkpoint_path(s.request.out);
  report.steps = s.plan.steps;
  report.resumed_from = s.plan.resumed_from;
  report.train_items = s.train.size();
  report.held_out_items = s.held_out.size();
  report.parameters = s.plan.parameters;
  Schedule schedule;
  schedule.peak = o.learning_rate;
  schedule.steps = s.plan.steps;
  schedule.warmup_steps =
      static_cast<std::int64_t>(std::ceil(o.warmup_share * static_cast<double>(s.plan.steps)));
  schedule.floor_share = o.floor_share;
  s.saved_at = s.synced_at = s.clock.seconds();
  struct Recent {
    double seconds;
    std::uint64_t tokens;
  };
  std::deque<Recent> recent;
  try {
    if (!s.held_out.empty() && progress.step == 0 && !stop.stop_requested()) {
      const auto held_out = s.held_out_loss();
      if (!held_out) return held_out.error();
      progress.held_out_before = *held_out;
    }
    while (static_cast<std::int64_t>(progress.step) < s.plan.steps && !stop.stop_requested()) {
      const double begin = s.clock.seconds();
      const std::vector<std::size_t> numbers = s.next_batch();
      const std::vector<State::MicroBatch> batches = s.micro_batches(numbers);
      std::size_t counted = 0, tokens = 0;
      for (const State::MicroBatch& micro : batches) {
        counted += micro.batch.rows.size();
        tokens += micro.batch.tokens.size();
      }
      std::fill(s.lora->gradients().begin(), s.lora->gradients().end(), 0.0F);
      double loss = 0;
      bool given_up = false;
      for (const State::MicroBatch& micro : batches) {
        given_up = stop.stop_requested();
        if (given_up) break;
        const auto states = s.states_of(micro);
        if (!states) return states.error();
        loss += s.pass->train(micro.batch, 1.0F / static_cast<float>(counted), *states);
      }
      if (given_up) break;
      loss /= static_cast<double>(counted);
      const double norm = norm_of(s.team, s.lora->gradients());
      if (!std::isfinite(loss) || !std::isfinite(norm)) {
        if (progress.step > 0) {
          if (auto saved = s.save(Checkpoint::Sync::yes); !saved) return saved.error();
        }
        return Error{Kind::bad_data, s.request.data.string(),
                     "the loss of step " + std::to_string(progress.step + 1) + " is not a number (lines " +
                         s.lines_of(numbers) + ")",
                     "train with a lower --lr, or --precision f32; " + report.checkpoint.string() +
                         " holds the last good step"};
      }
      StepEvent event;
      s.update(norm, schedule, event);
      ++progress.step;
      ++progress.in_epoch;
      if (progress.in_epoch >= s.steps_in_epoch()) {
        ++progress.epoch;
        progress.in_epoch = 0;
      }
      const double seconds = s.clock.seconds() - begin;
      progress.seconds += seconds;
      progress.tokens += tokens;
      if (progress.step == 1) progress.first_loss = loss;
      progress.last_loss = loss;
      if (auto saved = s.save_when_due(); !saved) return saved.error();

      recent.push_back({s.clock.seconds() - begin, tokens});
      if (recent.size() > kRateSteps) recent.pop_front();
      Recent sum{0, 0};
      for (const Recent& one : recent) sum = {sum.seconds + one.seconds, sum.tokens + one.tokens};
      event.step = static_cast<std::int64_t>(progress.step);
      event.steps = s.plan.steps;
      event.epoch = static_cast<double>(progress.epoch) +
                    static_cast<double>(progress.in_epoch) / static_cast<double>(s.steps_in_epoch());
      event.loss = loss;
      event.tokens_per_s = sum.seconds > 0 ? static_cast<double>(sum.tokens) / sum.seconds : 0;
      event.seconds_left =
          sum.seconds / static_cast<double>(recent.size()) * static_cast<double>(event.steps - event.step);
      event.peak_bytes = peak_memory();
      if (each) each(event);
    }
    report.finished = static_cast<std::int64_t>(progress.step) >= s.plan.steps;
    if (report.finished && !s.held_out.empty()) {
      const auto held_out = s.held_out_loss();
      if (!held_out) return held_out.error();
      report.held_out_after = *held_out;
    }
  } catch (const std::bad_alloc&) {
    if (progress.step > 0) {
      if (auto saved = s.save(Checkpoint::Sync::yes); !saved) return saved.error();
    }
    return Error{Kind::out_of_room, s.base.name,
                 "memory ran out in step " + std::to_string(progress.step + 1),
                 "resume with a smaller --micro-batch or --memory low"};
  }
  if (progress.step > 0) {
    if (auto saved = s.save(Checkpoint::Sync::yes); !saved) return saved.error();
  }
  report.steps_done = static_cast<std::int64_t>(progress.step);
  report.seconds = progress.seconds;
  report.tokens = progress.tokens;
  report.tokens_per_s = progress.seconds > 0 ? static_cast<double>(progress.tokens) / progress.seconds : 0;
  report.first_loss = progress.first_loss;
  report.last_loss = progress.last_loss;
  if (!s.held_out.empty()) report.held_out_before = progress.held_out_before;
  if (report.finished) {
    if (auto written = write_adapter(s.request.out, *s.lora, s.model.shape, s.base); !written)
      return written.error();
    report.adapter = s.request.out;
    std::error_code ignored;
    std::filesystem::remove(report.checkpoint, ignored);
  }
  report.peak_bytes = peak_memory();
  return report;
}

}  // namespace loam::train
