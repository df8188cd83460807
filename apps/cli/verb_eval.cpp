// `loam eval loglikelihood` and `loam eval perplexity`: what a model knows of language, read off its
// log-probabilities. The other verbs of the family have files of their own; what all share is eval_common.h.
#include <fmt/format.h>

#include "base/hash.h"
#include "base/json.h"
#include "cli/eval_common.h"
#include "cli/interrupt.h"
#include "tasks/eval_likelihood.h"

namespace loam::cli {
namespace {

/// The settings that both verbs share, with which the figures can be had again.
Json engine_settings(const Context& context, const engine::LocalEngine& engine) {
  return {{"context", engine.context_tokens()}, {"kv_type", context.options().kv_type}};
}
}  // namespace

Result<Outcome> run_eval_loglikelihood(Context& context) {
  Terminal& terminal = context.terminal();
  auto data = eval::read_choices(context.arguments().front());
  if (!data) return data.error();
  Interrupts interrupts;  // before any thread of the engine starts
  auto opened = context.open_engine();
  if (!opened) return opened.error();
  engine::LocalEngine& engine = **opened;
  auto model = model_use("chat", engine.model_name(), engine.model().file());
  if (!model) return model.error();
  EvalRun measured = start_run("loglikelihood", engine.model_name(), data->version);
  measured.run.models.push_back(*model);
  const auto limit = static_cast<std::size_t>(context.options().cases);
  auto found = tasks::evaluate_choices(engine, *data, limit, terminal.progress(), interrupts.begin());
  interrupts.end();
  terminal.wipe_progress();
  if (!found) return found.error();
  measured.run.metrics = found->metrics;
  measured.run.items = std::move(found->items);
  Json settings = engine_settings(context, engine);
  settings["cases"] = measured.run.items.size();
  settings["prompt"] = "raw";
  settings["norm"] = "characters of the choice";
  measured.run.settings = dump_json(settings);
  if (auto run = finish_run(context, measured, found->tokens); !run) return run.error();
  if (terminal.json()) {
    Json document = run_json(measured.run);
    document["refused"] = found->refused;
    document["notes"] = notes_json(data->notes);
    terminal.json(document);
    return Outcome::done;
  }
  print_notes(terminal, data->notes);
  print_metrics(terminal, measured.run.metrics);
  if (found->refused > 0) {
    terminal.line(fmt::format("{} did not fit the context of {} tokens and {} as wrong.",
                              plural(found->refused, "case"), engine.context_tokens(),
                              found->refused == 1 ? "counts" : "count"));
  }
  print_run_line(terminal, measured.run);
  return Outcome::done;
}

Result<Outcome> run_eval_perplexity(Context& context) {
  Terminal& terminal = context.terminal();
  const Options& options = context.options();
  const std::string& file = context.arguments().front();
  auto text = read_text_file(file);
  if (!text) return text.error();
  engine::TextLossOptions window;
  window.window_tokens = options.window;
  window.stride_tokens = options.stride > 0 ? options.stride : std::max(1, options.window / 2);
  Interrupts interrupts;  // before any thread of the engine starts
  auto opened = context.open_engine();
  if (!opened) return opened.error();
  engine::LocalEngine& engine = **opened;
  auto model = model_use("chat", engine.model_name(), engine.model().file());
  if (!model) return model.error();
  EvalRun measured = start_run("perplexity", engine.model_name(), {file, sha256_hex(*text), 0});
  measured.run.models.push_back(*model);
  auto found = tasks::evaluate_loss(engine, *text, window, terminal.progress(), interrupts.begin());
  interrupts.end();
  terminal.wipe_progress();
  if (!found) {
    Error error = found.error();
    if (error.place == "text") error.place = file;
    return error;
  }
  const engine::TextLoss& loss = found->loss;
  measured.run.metrics = found->metrics;
  measured.run.items = std::move(found->items);
  measured.run.data.items = measured.run.items.size();
  Json settings = engine_settings(context, engine);
  settings["window"] = window.window_tokens;
  settings["stride"] = window.stride_tokens;
  measured.run.settings = dump_json(settings);
  if (auto run = finish_run(context, measured, loss.tokens_read); !run) return run.error();
  const std::string stated = fmt::format(
      "{} tokens of {} bytes, each predicted once; a window of {} tokens moves by {}, so that each but those "
      "of the first window sees at least {} before it. The first token is predicted from the model's own "
      "first "
      "one (BOS, else EOS).",
      loss.tokens, loss.bytes, window.window_tokens, window.stride_tokens,
      window.window_tokens - window.stride_tokens);
  if (terminal.json()) {
    Json document = run_json(measured.run);
    document["text"] = {{"tokens", loss.tokens}, {"bytes", loss.bytes}, {"nats", loss.nats}};
    document["stated"] = stated;
    terminal.json(document);
    return Outcome::done;
  }
  print_metrics(terminal, measured.run.metrics);
  terminal.line();
  terminal.line(wrap(stated, terminal.width()));
  print_run_line(terminal, measured.run);
  return Outcome::done;
}

}  // namespace loam::cli
