#include "cli/fit_train.h"

#include <fmt/format.h>

#include "base/json.h"
#include "cli/train_child.h"
#include "train/train_fit.h"

namespace loam::cli {

Result<Outcome> fit_of_training(Context& context, const std::filesystem::path& model) {
  const Options& o = context.options();
  auto training = training_options_of(o, {});
  if (!training) return training.error();
  train::TrainingFitOptions options;
  options.training = *training;
  options.examples = static_cast<std::size_t>(o.fit_examples);
  options.example_tokens = o.fit_example_tokens;
  options.answer_tokens = o.fit_answer_tokens;
  Terminal& terminal = context.terminal();
  const auto fit = train::fit_training(model, options, terminal.progress());
  terminal.wipe_progress();
  if (!fit) return fit.error();
  if (terminal.json()) {
    terminal.json({{"model", model.stem().string()},
                   {"architecture", fit->architecture},
                   {"fits", fit->fits},
                   {"precision", train::name_of(fit->precision)},
                   {"kernel", fit->kernel},
                   {"parameters", fit->parameters},
                   {"keeps_activations", fit->keeps_everything},
                   {"memory_bytes",
                    {{"weights", fit->weights},
                     {"step", fit->step},
                     {"features", fit->features},
                     {"program", fit->program},
                     {"total", fit->total()}}},
                   {"available_bytes", fit->available_bytes},
                   {"advice", fit->fits ? Json() : Json(fit->advice)},
                   {"steps", fit->steps},
                   {"tokens_per_s", fit->tokens_per_s},
                   {"first_epoch_tokens_per_s", fit->first_epoch_tokens_per_s},
                   {"seconds", fit->seconds}});
    return fit->fits ? Outcome::done : Outcome::empty;
  }
  const auto bytes = [](std::uint64_t n) { return human_bytes(static_cast<double>(n)); };
  terminal.line(fmt::format("{} {} training {} with {} of {} tokens a step: {} of {} available.",
                            fit->fits ? terminal.paint(Style::green, "✓") : terminal.paint(Style::red, "✗"),
                            terminal.paint(Style::bold, model.stem().string()),
                            fit->fits ? "fits" : "does not fit",
                            plural(static_cast<std::size_t>(training->batch_size), "conversation"),
                            o.fit_example_tokens, bytes(fit->total()), bytes(fit->available_bytes)));
  terminal.line(fmt::format(
      "  weights {} ({}), step {}{}, program {}; {} trained, {}", bytes(fit->weights),
      train::name_of(fit->precision), bytes(fit->step),
      fit->features > 0 ? ", states of frozen layers " + bytes(fit->features) : "", bytes(fit->program),
      plural(fit->parameters, "parameter"),
      fit->keeps_everything ? "everything kept between forward and backward" : "layers computed twice"));
  if (!fit->fits) {
    terminal.line("  " + fit->advice);
    return Outcome::empty;
  }
  terminal.line(fmt::format("  {:.0f} tokens/s{}; {} in {}: about {}", fit->tokens_per_s,
                            fit->first_epoch_tokens_per_s < fit->tokens_per_s
                                ? fmt::format(" ({:.0f} in the first epoch)", fit->first_epoch_tokens_per_s)
                                : "",
                            plural(options.examples, "example"),
                            plural(static_cast<std::size_t>(fit->steps), "step"),
                            human_duration(1000.0 * fit->seconds)));
  return Outcome::done;
}

}  // namespace loam::cli
