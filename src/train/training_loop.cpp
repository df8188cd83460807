#include "train/training_loop.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <new>

#include "base/json.h"
#include "train/adamw.h"
#include "train/gemm.h"
#include "train/machine_memory.h"
#include "train/random.h"

namespace loam::train {
namespace {

constexpr double kShareOfSaving = 0.05;   // of the time may go into saving
constexpr double kSecondsToSync = 30.0;   // a power cut loses no more than this
constexpr std::size_t kStepsOfRate = 10;  // tokens a second and time left: over so many steps

Error out_of_range(std::string what, std::string message, std::string next) {
  return {Kind::bad_request, std::move(what), std::move(message), std::move(next)};
}

struct RecentStep {
  double seconds = 0;
  std::uint64_t tokens = 0;
};

}  // namespace

Result<void> check_loop_options(const TrainingOptions& o) {
  const auto positive = [](double value) { return std::isfinite(value) && value > 0.0; };
  if (o.lora.rank < 1 || o.lora.rank > 1024) return out_of_range("rank", "must be 1 to 1024", "16 is usual");
  if (!positive(o.lora.alpha)) return out_of_range("alpha", "must be above 0", "twice the rank is usual");
  if (o.lora.last_layers < 0) return out_of_range("last-layers", "must be 0 (all) or more", "leave it out");
  if (!positive(o.learning_rate)) return out_of_range("lr", "must be above 0", "leave it out");
  if (!positive(o.b_rate_ratio)) return out_of_range("lora-plus", "must be above 0", "1 is plain LoRA");
  if (o.epochs < 1 && o.steps < 1) return out_of_range("epochs", "must be at least 1", "3 is usual");
  if (o.steps < 0) return out_of_range("steps", "must be 0 (by epochs) or more", "leave it out");
  if (o.batch_size < 1) return out_of_range("batch-size", "must be at least 1", "leave it out");
  if (o.sequence_tokens < 2) return out_of_range("seq-len", "must be at least 2", "leave it out");
  if (o.micro_batch_tokens < 1) return out_of_range("micro-batch", "must be at least 1", "leave it out");
  if (!(o.hold_out >= 0.0) || o.hold_out > 0.9) {
    return out_of_range("holdout", "must be 0 to 0.9", "0.05 is usual");
  }
  if (!(o.clip_norm >= 0.0) || !(o.weight_decay >= 0.0) || !(o.warmup_share >= 0.0) || o.warmup_share > 1.0) {
    return out_of_range("training options", "a share or norm is out of range", "leave them as they are");
  }
  return done();
}

std::vector<std::size_t> order_of_epoch(std::size_t items, std::uint64_t seed, std::uint64_t epoch) {
  std::vector<std::size_t> order(items);
  for (std::size_t i = 0; i < items; ++i) order[i] = i;
  Random random(seed * 0x9E3779B97F4A7C15ULL + epoch + 1);
  random.shuffle(order);
  return order;
}

Json identity_of(const TrainingOptions& o, Precision precision) {
  std::string targets;
  for (std::size_t i = 0; i < kTargetCount; ++i) {
    if (!o.lora.targets[i]) continue;
    targets += (targets.empty() ? "" : ",") + std::string(name_of(static_cast<Target>(i)));
  }
  return Json{{"rank", o.lora.rank},
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
              {"batch-size", o.batch_size},
              {"seq-len", o.sequence_tokens},
              {"holdout", o.hold_out},
              {"group", o.group_column},
              {"seed", o.seed},
              {"precision", name_of(precision)},
              {"kernel", kernel_name(precision)}};
}

struct TrainingLoop::State {
  LoopSetup setup;
  LoraParameters& lora;
  Team& team;
  const Clock& clock;
  std::unique_ptr<Checkpoint> checkpoint;
  Progressed progress;
  std::int64_t steps = 0, resumed_from = 0;
  std::vector<std::size_t> order;  // of the present epoch
  std::uint64_t order_epoch = std::numeric_limits<std::uint64_t>::max();
  double saved_at = 0, save_seconds = 0, synced_at = 0;
  std::uint64_t saved_step = 0;  // what the checkpoint holds; 0: nothing yet
  std::deque<RecentStep> recent;

  State(LoopSetup how, LoraParameters& parameters, Team& with, const Clock& by)
      : setup(std::move(how)), lora(parameters), team(with), clock(by) {}

  const TrainingOptions& options() const { return setup.options; }
  std::filesystem::path path() const { return checkpoint_path(setup.out); }
  TrainingState parameters() { return {lora.values(), lora.first_moments(), lora.second_moments()}; }
  std::size_t steps_in_epoch() const {
    const auto batch = static_cast<std::size_t>(options().batch_size);
    return (setup.items + batch - 1) / batch;
  }

  Result<void> open_checkpoint(const Json& identity, bool resume);
  std::vector<std::size_t> next_items();
  Result<void> save(Checkpoint::Sync sync);
  Result<void> save_when_due();
  double update(double gradient_norm, const Schedule& schedule);
  std::string what_is_saved() const {
    return saved_step == 0 ? "nothing is saved yet"
                           : path().string() + " holds step " + std::to_string(saved_step);
  }
  StepEvent event_of(double loss, double rate, double norm) const;
};

Result<void> TrainingLoop::State::open_checkpoint(const Json& identity, bool resume) {
  if (!resume) {
    std::error_code ignored;
    if (std::filesystem::exists(path(), ignored)) {
      return out_of_range(path().string(), "an unfinished run lies here",
                          "go on with it: --resume, or remove the file to start again");
    }
    auto created = Checkpoint::create(path(), dump_json(identity), lora.values().size());
    if (!created) return created.error();
    checkpoint = *std::move(created);
    return done();
  }
  auto opened = Checkpoint::open(path());
  if (!opened) return opened.error();
  const auto before = parse_json((*opened)->run(), path().string());
  if (!before) return before.error();
  for (const auto& [key, value] : identity.items()) {
    const Json there = before->is_object() ? before->value(key, Json()) : Json();
    if (there == value) continue;
    return out_of_range(
        path().string(),
        "the run was begun with another " + key + ": " + dump_json(there) + ", now " + dump_json(value),
        "resume with what it was begun with, or remove the checkpoint to start again");
  }
  checkpoint = *std::move(opened);
  auto loaded = checkpoint->load(parameters());
  if (!loaded) return loaded.error();
  progress = *loaded;
  resumed_from = static_cast<std::int64_t>(progress.step);
  saved_step = progress.step;
  return done();
}

std::vector<std::size_t> TrainingLoop::State::next_items() {
  if (order_epoch != progress.epoch) {
    order = order_of_epoch(setup.items, options().seed, progress.epoch);
    order_epoch = progress.epoch;
  }
  const auto size = static_cast<std::size_t>(options().batch_size);
  const std::size_t begin = static_cast<std::size_t>(progress.in_epoch) * size;
  const std::size_t end = std::min(order.size(), begin + size);
  return {order.begin() + static_cast<std::ptrdiff_t>(begin),
          order.begin() + static_cast<std::ptrdiff_t>(end)};
}

Result<void> TrainingLoop::State::save(Checkpoint::Sync sync) {
  const double begin = clock.seconds();
  auto saved = checkpoint->save(progress, parameters(), sync);
  if (!saved) {
    Error error = saved.error();
    error.message += "; step " + std::to_string(progress.step) + " could not be saved, " + what_is_saved();
    if (saved_step > 0 && error.kind == Kind::out_of_room) {
      error.next_step = "make room on the disk, then go on with --resume";
    }
    return error;
  }
  saved_step = progress.step;
  saved_at = clock.seconds();
  if (sync == Checkpoint::Sync::yes) {
    synced_at = saved_at;
  } else {
    save_seconds = saved_at - begin;
  }
  return saved;
}

Result<void> TrainingLoop::State::save_when_due() {
  const double now = clock.seconds();
  if (now - synced_at >= kSecondsToSync) return save(Checkpoint::Sync::yes);
  if (now - saved_at >= save_seconds / kShareOfSaving) return save(Checkpoint::Sync::no);
  return done();
}

double TrainingLoop::State::update(double gradient_norm, const Schedule& schedule) {
  const TrainingOptions& o = options();
  const auto step = static_cast<std::int64_t>(progress.step) + 1;
  const double rate = schedule.at(step);
  const double scale = o.clip_norm > 0.0 && gradient_norm > o.clip_norm ? o.clip_norm / gradient_norm : 1.0;
  AdamWOptions adam;
  adam.weight_decay = static_cast<float>(o.weight_decay);
  const auto part = [&](std::size_t from, std::size_t to, double ratio) {
    if (to == from) return;
    adamw_step(team, lora.values().subspan(from, to - from), lora.gradients().subspan(from, to - from),
               lora.first_moments().subspan(from, to - from), lora.second_moments().subspan(from, to - from),
               step, static_cast<float>(rate * ratio), static_cast<float>(scale), adam);
  };
  part(0, lora.a_count(), 1.0);
  part(lora.a_count(), lora.extra_at(), o.b_rate_ratio);
  part(lora.extra_at(), lora.values().size(), setup.extra_rate_ratio);
  return rate;
}

StepEvent TrainingLoop::State::event_of(double loss, double rate, double norm) const {
  RecentStep sum;
  for (const RecentStep& one : recent) sum = {sum.seconds + one.seconds, sum.tokens + one.tokens};
  StepEvent event;
  event.step = static_cast<std::int64_t>(progress.step);
  event.steps = steps;
  event.epoch = static_cast<double>(progress.epoch) +
                static_cast<double>(progress.in_epoch) / static_cast<double>(steps_in_epoch());
  event.loss = loss;
  event.learning_rate = rate;
  event.gradient_norm = norm;
  event.tokens_per_s = sum.seconds > 0 ? static_cast<double>(sum.tokens) / sum.seconds : 0;
  event.seconds_left =
      sum.seconds / static_cast<double>(recent.size()) * static_cast<double>(event.steps - event.step);
  event.peak_bytes = peak_memory();
  return event;
}

TrainingLoop::TrainingLoop(std::unique_ptr<State> state) : state_(std::move(state)) {}
TrainingLoop::~TrainingLoop() = default;

Result<std::unique_ptr<TrainingLoop>> TrainingLoop::open(LoopSetup setup, const Json& identity, bool resume,
                                                         LoraParameters& lora, Team& team,
                                                         const Clock& clock) {
  auto state = std::make_unique<State>(std::move(setup), lora, team, clock);
  const TrainingOptions& o = state->options();
  state->steps =
      o.steps > 0 ? o.steps : static_cast<std::int64_t>(state->steps_in_epoch()) * std::max(o.epochs, 1);
  Json whole = identity;
  whole["steps"] = state->steps;
  whole["items"] = state->setup.items;
  if (auto opened = state->open_checkpoint(whole, resume); !opened) return opened.error();
  return std::unique_ptr<TrainingLoop>(new TrainingLoop(std::move(state)));
}

std::int64_t TrainingLoop::steps() const { return state_->steps; }
Progressed& TrainingLoop::progress() { return state_->progress; }

Result<bool> TrainingLoop::run(const Work& work, const std::function<void(const StepEvent&)>& each,
                               std::stop_token stop) {
  State& s = *state_;
  const TrainingOptions& o = s.options();
  Progressed& progress = s.progress;
  Schedule schedule;
  schedule.peak = o.learning_rate;
  schedule.steps = s.steps;
  schedule.warmup_steps = static_cast<std::int64_t>(std::ceil(o.warmup_share * static_cast<double>(s.steps)));
  schedule.floor_share = o.floor_share;
  s.saved_at = s.synced_at = s.clock.seconds();
  const auto save_last = [&] { return progress.step > 0 ? s.save(Checkpoint::Sync::yes) : done(); };
  while (static_cast<std::int64_t>(progress.step) < s.steps && !stop.stop_requested()) {
    const double begin = s.clock.seconds();
    const std::vector<std::size_t> items = s.next_items();
    std::fill(s.lora.gradients().begin(), s.lora.gradients().end(), 0.0F);
    std::optional<Sums> sums;
    try {
      sums = work.compute(items, progress.epoch);
    } catch (const std::bad_alloc&) {
      if (auto saved = save_last(); !saved) return saved.error();
      throw;
    }
    if (!sums) break;
    const double norm = norm_of(s.team, s.lora.gradients());
    if (!std::isfinite(sums->loss) || !std::isfinite(norm)) {
      if (auto saved = save_last(); !saved) return saved.error();
      return Error{
          Kind::bad_data, s.setup.data,
          "the loss of step " + std::to_string(progress.step + 1) + " is not a number (" +
              work.describe(items) + ")",
          "train with a lower --lr, or --precision f32; " + s.path().string() + " holds the last good step"};
    }
    const double rate = s.update(norm, schedule);
    if (!std::isfinite(norm_of(s.team, s.lora.values()))) {  // the checkpoint keeps what was before
      return Error{Kind::bad_data, s.setup.data,
                   "after step " + std::to_string(progress.step + 1) +
                       " the adapter holds values that are not " + "numbers (" + work.describe(items) + ")",
                   "train with a lower --lr; " + s.what_is_saved()};
    }
    ++progress.step;
    ++progress.in_epoch;
    if (progress.in_epoch >= s.steps_in_epoch()) {
      ++progress.epoch;
      progress.in_epoch = 0;
    }
    progress.seconds += s.clock.seconds() - begin;
    progress.tokens += sums->tokens;
    if (progress.step == 1) progress.first_loss = sums->loss;
    progress.last_loss = sums->loss;
    if (auto saved = s.save_when_due(); !saved) return saved.error();
    s.recent.push_back({s.clock.seconds() - begin, sums->tokens});
    if (s.recent.size() > kStepsOfRate) s.recent.pop_front();
    if (each) each(s.event_of(sums->loss, rate, norm));
  }
  if (auto saved = save_last(); !saved) return saved.error();
  return static_cast<std::int64_t>(progress.step) >= s.steps;
}

void TrainingLoop::report(TrainingReport& to) const {
  const State& s = *state_;
  to.checkpoint = s.path();
  to.steps = s.steps;
  to.steps_done = static_cast<std::int64_t>(s.progress.step);
  to.resumed_from = s.resumed_from;
  to.seconds = s.progress.seconds;
  to.tokens = s.progress.tokens;
  to.tokens_per_s = to.seconds > 0 ? static_cast<double>(to.tokens) / to.seconds : 0;
  to.first_loss = s.progress.first_loss;
  to.last_loss = s.progress.last_loss;
  to.peak_bytes = peak_memory();
}

void TrainingLoop::remove_checkpoint() {
  std::error_code ignored;
  std::filesystem::remove(state_->path(), ignored);
}

}  // namespace loam::train
