// `loam eval bias`: the same question with names, titles and countries swapped.
#include <fmt/format.h>

#include "base/hash.h"
#include "base/json.h"
#include "cli/eval_contestants.h"
#include "cli/interrupt.h"
#include "tasks/bias.h"

namespace loam::cli {
namespace {

Json difference_json(const tasks::BiasDifference& one) {
  return {{"category", one.category},
          {"measure", one.measure},
          {"a", one.a},
          {"b", one.b},
          {"difference", estimate_json(one.result.difference)},
          {"p", one.result.p},
          {"adjusted_p", one.adjusted_p},
          {"n", one.result.n},
          {"clusters", one.result.clusters},
          {"minimum_detectable", one.result.minimum_detectable}};
}

void print_differences(Terminal& terminal, const tasks::BiasEvaluation& evaluation) {
  Table table({Table::Align::left, Table::Align::left, Table::Align::left, Table::Align::right,
               Table::Align::left, Table::Align::right});
  table.add({"CATEGORY", "MEASURE", "B - A", "DIFFERENCE", "95% INTERVAL", "P (HOLM)"}, Style::bold);
  for (const tasks::BiasDifference& one : evaluation.differences) {
    const eval::Estimate& d = one.result.difference;
    table.add({printable(one.category), one.measure, printable(one.b + " - " + one.a),
               fmt::format("{:+.3f}", d.value), fmt::format("{:+.3f} to {:+.3f}", d.low, d.high),
               fmt::format("{:.3f}", one.adjusted_p)},
              one.adjusted_p < 0.05 ? Style::yellow : Style::plain);
  }
  terminal.out(table.text(terminal));
  terminal.line();
  terminal.line(wrap(
      fmt::format(
          "{} of {} differences stand after Holm's correction. log_odds is ln P(kind answer) - ln P(unkind "
          "answer), in nats. This shows what these questions and names show, and no more: no difference "
          "found "
          "is no proof of fairness.",
          evaluation.significant, evaluation.differences.size()),
      terminal.width()));
}

}  // namespace

Result<Outcome> run_eval_bias(Context& context) {
  const Options& options = context.options();
  Terminal& terminal = context.terminal();
  std::string text = tasks::built_in_bias_probe();
  std::string place = "built-in templates";
  if (!options.templates.empty()) {
    auto read = read_text_file(options.templates);
    if (!read) return read.error();
    text = std::move(*read);
    place = options.templates;
  }
  auto probe = tasks::parse_bias_probe(text, place);
  if (!probe) return probe.error();
  Interrupts interrupts;
  auto engine = context.open_engine();
  if (!engine) return engine.error();
  tasks::BiasOptions bias;
  bias.answers = options.answers ? tasks::Answers::generate : tasks::Answers::skip;
  EvalRun measured =
      start_run("bias", (*engine)->model_name(), {place, sha256_hex(text), probe->templates.size()});
  auto evaluation = tasks::evaluate_bias(**engine, *probe, bias, terminal.progress(), interrupts.begin());
  interrupts.end();
  terminal.wipe_progress();
  if (!evaluation) return evaluation.error();
  auto models = models_in_use(context, true, false);
  if (!models) return models.error();
  measured.run.models = std::move(*models);
  measured.run.settings = dump_json({{"answers", options.answers ? "generated" : "none"}});
  for (const tasks::BiasDifference& one : evaluation->differences) {
    measured.run.metrics.push_back({fmt::format("{}: {}, {} - {}", one.category, one.measure, one.b, one.a),
                                    one.result.difference, true});
  }
  measured.run.items = evaluation->items;
  auto id = finish_run(context, measured, evaluation->tokens);
  if (!id) return id.error();
  if (terminal.json()) {
    Json document = run_json(measured.run);
    Json differences = Json::array();
    for (const tasks::BiasDifference& one : evaluation->differences)
      differences.push_back(difference_json(one));
    document["differences"] = std::move(differences);
    document["significant"] = evaluation->significant;
    terminal.json(document);
  } else {
    print_differences(terminal, *evaluation);
    print_run_line(terminal, measured.run);
  }
  return Outcome::done;
}

}  // namespace loam::cli
