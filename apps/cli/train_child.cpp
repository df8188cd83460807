#include "cli/train_child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <thread>
#include <utility>

#include "base/json.h"
#include "cli/eval_common.h"
#include "cli/interrupt.h"

namespace loam::cli {
namespace {

namespace fs = std::filesystem;

constexpr double kMega = 1e6;

// Events, as they go from the child to the program and, with --json, on to standard output
// -------------------

double megabytes(std::uint64_t bytes) { return static_cast<double>(bytes) / kMega; }

const char* name_of(train::Features where) {
  switch (where) {
    case train::Features::memory:
      return "memory";
    case train::Features::disk:
      return "disk";
    default:
      return "off";
  }
}

Json plan_event(const train::TrainingPlan& plan) {
  return Json{{"event", "plan"},
              {"base", plan.base_name},
              {"rows", plan.rows},
              {"train", plan.train_items},
              {"held_out", plan.held_out_items},
              {"tokens", plan.train_tokens},
              {"learnt_tokens", plan.counted_tokens},
              {"notes", notes_json(plan.notes)},
              {"steps", plan.steps},
              {"parameters", plan.parameters},
              {"precision", train::name_of(plan.precision)},
              {"kernel", plan.kernel},
              {"keeps_activations", plan.keeps_everything},
              {"features", name_of(plan.features)},
              {"features_mb", megabytes(plan.feature_bytes)},
              {"predicted_mb", megabytes(plan.predicted_bytes)},
              {"available_mb", megabytes(plan.available_bytes)},
              {"parity", plan.parity_divergence},
              {"resumed_from", plan.resumed_from}};
}

Json step_event(const train::StepEvent& step) {
  return Json{{"event", "step"},
              {"step", step.step},
              {"steps", step.steps},
              {"epoch", step.epoch},
              {"loss", step.loss},
              {"lr", step.learning_rate},
              {"gradient_norm", step.gradient_norm},
              {"tokens_per_s", step.tokens_per_s},
              {"seconds_left", step.seconds_left},
              {"peak_mb", megabytes(step.peak_bytes)}};
}

Json end_event(const train::TrainingReport& report) {
  const auto loss = [](const std::optional<double>& value) { return value ? Json(*value) : Json(); };
  return Json{{"event", report.finished ? "done" : "stopped"},
              {"adapter", report.finished ? Json(report.adapter.string()) : Json()},
              {"checkpoint", report.finished ? Json() : Json(report.checkpoint.string())},
              {"steps", report.steps_done},
              {"of", report.steps},
              {"seconds", report.seconds},
              {"tokens", report.tokens},
              {"tokens_per_s", report.tokens_per_s},
              {"first_loss", report.first_loss},
              {"last_loss", report.last_loss},
              {"held_out_before", loss(report.held_out_before)},
              {"held_out_after", loss(report.held_out_after)},
              {"parameters", report.parameters},
              {"peak_mb", megabytes(report.peak_bytes)}};
}

Json error_event(const Error& error) {
  return Json{{"event", "error"},
              {"kind", static_cast<int>(error.kind)},
              {"place", error.place},
              {"message", error.message},
              {"next_step", error.next_step}};
}

Error error_of(const Json& event) {
  const int kind = std::clamp(event.value("kind", 4), 0, 4);
  return {static_cast<Kind>(kind), event.value("place", std::string()), event.value("message", std::string()),
          event.value("next_step", std::string())};
}

// The child ------------------------------------------------------------------------------------------------

bool write_event(int pipe, const Json& event) {
  const std::string line = dump_json(event) + "\n";
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(pipe, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

/// SIGTERM, from the program or because the program is gone, ends the run after its last whole step.
[[noreturn]] void work_in_child(const std::function<void(const TrainEvents&)>& work, int pipe) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  ::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of the write, like a full disk
  ::signal(SIGINT, SIG_IGN);   // Ctrl-C goes to the whole group; the program decides
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);
  std::stop_source stop;
  std::thread([&stop, stop_signals] {
    int signal = 0;
    sigwait(&stop_signals, &signal);
    stop.request_stop();
  }).detach();
  const TrainEvents events(pipe, stop);
  try {
    work(events);
  } catch (const std::bad_alloc&) {
    events.error({Kind::out_of_room, "memory", "there is not enough",
                  "use --memory low, a smaller --micro-batch or a smaller base"});
  } catch (const std::exception& unexpected) {
    events.error({Kind::our_bug, "training", unexpected.what(), "report this with the command"});
  }
  ::_exit(0);
}

// The program's side ---------------------------------------------------------------------------------------

Error death_of(int status, const fs::path& checkpoint) {
  std::error_code ignored;
  const std::string next =
      fs::exists(checkpoint, ignored) ? "go on from the last whole step: --resume" : "run again";
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
    return {Kind::out_of_room, "training", "its process was killed, most often because memory ran out",
            next + ", with --memory low or a smaller --micro-batch"};
  }
  return {Kind::our_bug, "training",
          WIFSIGNALED(status) ? fmt::format("its process died of signal {}", WTERMSIG(status))
                              : fmt::format("its process ended early with status {}", WEXITSTATUS(status)),
          next};
}

class TrainView {
 public:
  TrainView(Context& context, std::string item)
      : context_(context), item_(std::move(item)), progress_(context.terminal().progress()) {}

  void show(const Json& event) {
    Terminal& terminal = context_.terminal();
    const std::string what = event.value("event", std::string());
    if (what == "progress") {
      if (!progress_) return;
      progress_({event.value("what", std::string()), event.value("done", std::uint64_t{0}),
                 event.value("total", std::uint64_t{0})});
      return;
    }
    if (what != "step") terminal.wipe_progress();
    if (terminal.json()) {
      if (what != "error") terminal.json_line(event);
      return;
    }
    if (what == "plan") return show_plan(event);
    if (what == "step") return show_step(event);
    if (what == "done" || what == "stopped") show_end(event);
  }

 private:
  void show_plan(const Json& plan) {
    Terminal& terminal = context_.terminal();
    const double learnt = plan["learnt_tokens"].get<double>();
    terminal.note(fmt::format("{}: {} to learn from, {} held out, {} tokens an epoch{}",
                              plan["base"].get<std::string>(),
                              plural(plan["train"].get<std::size_t>(), item_),
                              plan["held_out"].get<std::size_t>(), human_count(plan["tokens"].get<double>()),
                              learnt > 0 ? fmt::format(" of which {} are learnt", human_count(learnt)) : ""));
    for (const Json& note : plan["notes"]) terminal.note("  " + printable(note_line(note)));
    terminal.note(fmt::format("{} trained, {} ({}), {}, about {} of memory",
                              plural(plan["parameters"].get<std::size_t>(), "parameter"),
                              plan["precision"].get<std::string>(), plan["kernel"].get<std::string>(),
                              plural(plan["steps"].get<std::size_t>(), "step"),
                              human_bytes(kMega * plan["predicted_mb"].get<double>())));
    if (plan["features_mb"].get<double>() > 0) {
      terminal.note(fmt::format("states of the frozen layers are kept: {}, {}",
                                human_bytes(kMega * plan["features_mb"].get<double>()),
                                plan["features"] == "memory" ? "in memory" : "on the disk"));
    }
    if (plan["resumed_from"].get<std::int64_t>() > 0) {
      terminal.note(fmt::format("goes on after step {}", plan["resumed_from"].get<std::int64_t>()));
    }
  }

  static std::string note_line(const Json& note) {
    std::string line = note.value("message", std::string());
    if (!note.contains("lines") || note["lines"].empty()) return line;
    line += ": line";
    for (const Json& number : note["lines"]) line += " " + dump_json(number);
    return line;
  }

  void show_step(const Json& step) {
    if (!progress_) return;
    progress_({fmt::format("loss {:.3f}, {:.0f} tokens/s, {} left, {}", step["loss"].get<double>(),
                           step["tokens_per_s"].get<double>(),
                           human_duration(1000.0 * step["seconds_left"].get<double>()),
                           human_bytes(kMega * step["peak_mb"].get<double>())),
               step["step"].get<std::uint64_t>(), step["steps"].get<std::uint64_t>()});
  }

  void show_end(const Json& end) {
    Terminal& terminal = context_.terminal();
    const bool done = end["event"] == "done";
    terminal.line(fmt::format(
        "{} of {} steps in {}: {:.0f} tokens/s, at most {} of memory", end["steps"].get<std::int64_t>(),
        end["of"].get<std::int64_t>(), human_duration(1000.0 * end["seconds"].get<double>()),
        end["tokens_per_s"].get<double>(), human_bytes(kMega * end["peak_mb"].get<double>())));
    terminal.line(fmt::format("Loss of the first step {:.3f}, of the last {:.3f}",
                              end["first_loss"].get<double>(), end["last_loss"].get<double>()));
    if (done && end["held_out_before"].is_number() && end["held_out_after"].is_number()) {
      terminal.line(fmt::format("Loss on what was held out: {:.3f} before, {:.3f} after",
                                end["held_out_before"].get<double>(), end["held_out_after"].get<double>()));
    }
    if (done && end.contains("figures")) {
      for (const Json& figure : end["figures"]) {
        const std::string before = figure["before"].is_number()
                                       ? fmt::format("{:.3f} before, ", figure["before"].get<double>())
                                       : "";
        terminal.line(fmt::format("{} on what was held out: {}{:.3f} after (n={})",
                                  figure["name"].get<std::string>(), before, figure["after"].get<double>(),
                                  figure["items"].get<std::size_t>()));
      }
    }
    if (done) {
      terminal.line("Adapter: " + printable(end["adapter"].get<std::string>()));
    } else {
      terminal.note(end["steps"].get<std::int64_t>() > 0
                        ? "Stopped. To go on, run the same command with --resume."
                        : "Stopped before the first step. To start again, run the same command.");
    }
  }

  Context& context_;
  std::string item_;
  ProgressSink progress_;
};

}  // namespace

ProgressSink TrainEvents::loading() const {
  return [events = *this](const Progress& progress) {
    events.send(Json{
        {"event", "progress"}, {"what", progress.what}, {"done", progress.done}, {"total", progress.total}});
  };
}
void TrainEvents::plan(const train::TrainingPlan& plan) const { send(plan_event(plan)); }
void TrainEvents::step(const train::StepEvent& step) const { send(step_event(step)); }
void TrainEvents::end(const train::TrainingReport& report, const Json& more) const {
  Json event = end_event(report);
  event.update(more);
  send(event);
}
void TrainEvents::error(const Error& error) const { send(error_event(error)); }
void TrainEvents::send(const Json& event) const {
  if (!write_event(pipe_, event)) stop_.request_stop();
}

Result<fs::path> adapter_to_write(Context& context, const fs::path& data) {
  fs::path out = context.options().train_out;
  if (out.empty()) out = context.home() / "adapters" / (data.stem().string() + ".gguf");
  std::error_code failure;
  if (!out.parent_path().empty()) fs::create_directories(out.parent_path(), failure);
  if (failure) {
    return Error{Kind::unavailable, out.parent_path().string(),
                 "the folder cannot be made: " + failure.message(), "name another file: --out FILE"};
  }
  return out;
}

Result<train::TrainingOptions> training_options_of(const Options& o, train::TrainingOptions t) {
  auto targets = train::targets_from_text(o.train_targets);
  if (!targets) return targets.error();
  t.lora.targets = *targets;
  t.lora.rank = o.train_rank;
  t.lora.alpha = o.train_alpha > 0 ? o.train_alpha : 2.0 * o.train_rank;
  t.lora.scaling = o.train_rslora ? train::RankScaling::by_root_rank : train::RankScaling::by_rank;
  t.lora.last_layers = o.train_last_layers;
  if (o.train_rate > 0) t.learning_rate = o.train_rate;
  t.b_rate_ratio = o.train_lora_plus;
  if (o.train_epochs > 0) t.epochs = o.train_epochs;
  t.steps = o.train_steps;
  if (o.train_batch > 0) t.batch_size = o.train_batch;
  t.micro_batch_tokens = o.train_micro_batch;
  if (o.train_sequence > 0) t.sequence_tokens = o.train_sequence;
  t.hold_out = o.train_hold_out;
  t.seed = static_cast<std::uint64_t>(o.seed);
  t.threads = o.threads;
  t.group_column = o.group_column;
  t.memory_limit_bytes = static_cast<std::uint64_t>(o.train_memory_limit) * 1'000'000;
  if (o.train_precision == "f32") t.precision = train::Precision::f32;
  if (o.train_precision == "bf16") t.precision = train::Precision::bf16;
  if (o.train_memory == "high") t.memory = train::Memory::everything;
  if (o.train_memory == "low") t.memory = train::Memory::layer_inputs;
  if (o.train_features == "memory") t.features = train::Features::memory;
  if (o.train_features == "disk") t.features = train::Features::disk;
  if (o.train_features == "off") t.features = train::Features::off;
  return t;
}

Result<Outcome> train_in_child(Context& context, const fs::path& checkpoint, const std::string& item,
                               const std::function<void(const TrainEvents&)>& work) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return Error{Kind::unavailable, "training", std::strerror(errno), "close other programs"};
  }
  context.terminal().flush();
  const pid_t child = ::fork();  // no other thread runs yet
  if (child < 0) {
    ::close(ends[0]);
    ::close(ends[1]);
    return Error{Kind::unavailable, "training", std::strerror(errno), "close other programs"};
  }
  if (child == 0) {
    ::close(ends[0]);
    work_in_child(work, ends[1]);
  }
  ::close(ends[1]);

  Interrupts interrupts;
  const std::stop_token stop = interrupts.begin();
  const std::stop_callback tell_child(stop, [child] { ::kill(child, SIGTERM); });
  TrainView view(context, item);
  std::string pending;
  Json last;
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t got = ::read(ends[0], buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    pending.append(buffer.data(), static_cast<std::size_t>(got));
    for (std::size_t end = pending.find('\n'); end != std::string::npos; end = pending.find('\n')) {
      auto event = parse_json(std::string_view(pending).substr(0, end), "training");
      pending.erase(0, end + 1);
      if (!event) return event.error();
      view.show(*event);
      last = *std::move(event);
    }
  }
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  context.terminal().wipe_progress();
  interrupts.end();
  const std::string what = last.is_object() ? last.value("event", std::string()) : std::string();
  if (what == "done") return Outcome::done;
  if (what == "stopped") return Outcome::empty;
  if (what == "error") return error_of(last);
  return death_of(status, checkpoint);
}

}  // namespace loam::cli
