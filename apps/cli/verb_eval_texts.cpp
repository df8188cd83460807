// `loam eval summarise` and `loam eval translate`: texts against what people wrote, each beside what needs no
// model.
#include <fmt/format.h>

#include "base/json.h"
#include "cli/eval_contestants.h"
#include "cli/interrupt.h"
#include "tasks/eval_texts.h"

namespace loam::cli {
namespace {

Result<eval::TextData> read_cases(Context& context) {
  auto data = eval::read_texts(context.arguments().front());
  if (!data) return data.error();
  print_notes(context.terminal(), data->notes);
  keep_first(context, data->cases, data->version);
  return data;
}

Result<std::unique_ptr<engine::LocalEngine>> engine_unless_baseline(Context& context) {
  if (context.options().baseline_only) return std::unique_ptr<engine::LocalEngine>();
  return context.open_engine();
}

Result<Outcome> finish(Context& context, Pass pass, Result<tasks::TextEvaluation> evaluation, bool with_model,
                       const std::vector<eval::DataNote>& notes) {
  Terminal& terminal = context.terminal();
  terminal.wipe_progress();
  if (!evaluation) return evaluation.error();
  if (evaluation->empty > 0)
    terminal.note(fmt::format("{} without text; scored 0", plural(evaluation->empty, "case")));
  pass.tokens = evaluation->tokens;
  auto models = models_in_use(context, with_model, false);
  if (!models) return models.error();
  pass.models = std::move(*models);
  std::vector<Contestant> contestants;
  for (tasks::TextContestant& one : evaluation->contestants)
    contestants.push_back({std::move(one.name), std::move(one.items), std::move(one.metrics)});
  auto recorded = record_contestants(context, std::move(pass), std::move(contestants));
  if (!recorded) return recorded.error();
  if (terminal.json()) {
    Json document = contestants_json(*recorded);
    document["notes"] = notes_json(notes);
    document["empty"] = evaluation->empty;
    terminal.json(document);
  } else {
    print_contestants(terminal, *recorded);
  }
  return Outcome::done;
}

}  // namespace

Result<Outcome> run_eval_summarise(Context& context) {
  const Options& options = context.options();
  auto data = read_cases(context);
  if (!data) return data.error();
  Interrupts interrupts;
  auto engine = engine_unless_baseline(context);
  if (!engine) return engine.error();
  tasks::SummariseOptions summarise;
  summarise.sentences = options.sentences;
  summarise.chunk_tokens = options.chunk_tokens;
  Pass pass{start_run("summarise", "loam summarise", data->version), "{}", {}, 0, "rouge_2"};
  pass.settings = dump_json(Json{{"sentences", options.sentences}, {"chunk_tokens", options.chunk_tokens}});
  auto evaluation = tasks::evaluate_summaries(engine->get(), *data, summarise, context.terminal().progress(),
                                              interrupts.begin());
  interrupts.end();
  return finish(context, std::move(pass), std::move(evaluation), *engine != nullptr, data->notes);
}

Result<Outcome> run_eval_translate(Context& context) {
  const Options& options = context.options();
  if (options.to.empty()) {
    return Error{Kind::bad_request, "loam eval translate", "into which language?",
                 "loam eval translate --to fr " + context.arguments().front()};
  }
  tasks::TranslateOptions translate;
  auto to = tasks::find_language(options.to);
  if (!to) return to.error();
  translate.to = std::move(*to);
  if (!options.from.empty()) {
    auto from = tasks::find_language(options.from);
    if (!from) return from.error();
    translate.from = std::move(*from);
  }
  if (!options.glossary.empty()) {
    auto bytes = read_text_file(options.glossary);
    if (!bytes) return bytes.error();
    auto terms = tasks::parse_glossary(*bytes, options.glossary);
    if (!terms) return terms.error();
    translate.glossary = std::move(*terms);
  }
  auto data = read_cases(context);
  if (!data) return data.error();
  Interrupts interrupts;
  auto engine = engine_unless_baseline(context);
  if (!engine) return engine.error();
  Pass pass{start_run("translate", "loam translate", data->version), "{}", {}, 0, "chrf"};
  pass.settings = dump_json(
      Json{{"to", translate.to.code}, {"from", translate.from ? Json(translate.from->code) : Json()}});
  auto evaluation = tasks::evaluate_translations(engine->get(), *data, translate,
                                                 context.terminal().progress(), interrupts.begin());
  interrupts.end();
  return finish(context, std::move(pass), std::move(evaluation), *engine != nullptr, data->notes);
}

}  // namespace loam::cli
