#include "cli/eval_contestants.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "eval/significance.h"

namespace loam::cli {

Result<ContestantRuns> record_contestants(Context& context, Pass pass, std::vector<Contestant> contestants) {
  ContestantRuns recorded;
  std::string first;
  for (Contestant& contestant : contestants) {
    // A run of its own, with the meter of the pass for the first.
    EvalRun one = first.empty()
                      ? std::move(pass.measured)
                      : start_run(recorded.runs.front().task, contestant.name, recorded.runs.front().data);
    one.run.name = contestant.name;
    auto parsed = parse_json(pass.settings, "settings");
    if (!parsed) return parsed.error();
    Json settings = std::move(*parsed);
    if (!first.empty()) settings["cost"] = "in the run of \"" + first + "\"";
    one.run.settings = dump_json(settings);
    one.run.models = pass.models;
    one.run.metrics = std::move(contestant.metrics);
    one.run.items = std::move(contestant.items);
    auto id = finish_run(context, one, first.empty() ? pass.tokens : 0);
    if (!id) return id.error();
    if (first.empty()) first = contestant.name;
    recorded.runs.push_back(std::move(one.run));
  }
  std::vector<double> p;
  for (std::size_t i = 1; i < recorded.runs.size(); ++i) {
    auto comparison = eval::compare_runs(recorded.runs[i], recorded.runs.front(), pass.compared);
    if (!comparison) return comparison.error();
    p.push_back(comparison->result.p);
    recorded.comparisons.push_back(std::move(*comparison));
  }
  recorded.adjusted_p = eval::holm(p);
  return recorded;
}

void print_contestants(Terminal& terminal, const ContestantRuns& recorded) {
  std::vector<std::string> names;
  for (const eval::Run& run : recorded.runs) {
    for (const eval::Metric& metric : run.metrics) {
      if (std::find(names.begin(), names.end(), metric.name) == names.end()) names.push_back(metric.name);
    }
  }
  std::vector<Table::Align> columns = {Table::Align::left};
  std::vector<std::string> header = {"METRIC"};
  for (const eval::Run& run : recorded.runs) {
    columns.push_back(Table::Align::right);
    header.push_back(run.name);
  }
  Table table(columns);
  table.add(header, Style::bold);
  for (const std::string& name : names) {
    std::vector<std::string> row = {name};
    for (const eval::Run& run : recorded.runs) {
      const auto found = std::find_if(run.metrics.begin(), run.metrics.end(),
                                      [&](const eval::Metric& metric) { return metric.name == name; });
      row.push_back(found == run.metrics.end() ? "" : estimate_text(found->estimate, 3));
    }
    table.add(row);
  }
  terminal.out(table.text(terminal));
  if (!recorded.comparisons.empty()) terminal.line();
  for (std::size_t i = 0; i < recorded.comparisons.size(); ++i) {
    std::string line =
        fmt::format("{}: {}", recorded.comparisons[i].metric, recorded.comparisons[i].sentence);
    if (recorded.comparisons.size() > 1)
      line += fmt::format(" (p {:.3g} after Holm's correction)", recorded.adjusted_p[i]);
    terminal.line(wrap(line, terminal.width()));
  }
  if (!terminal.quiet() && !recorded.runs.empty()) {
    const eval::Run& first = recorded.runs.front();
    std::vector<std::string> ids;
    for (const eval::Run& run : recorded.runs) ids.push_back(std::to_string(number_of(run.id)));
    terminal.line();
    terminal.line(terminal.paint(
        Style::dim, fmt::format("{} items of {} in {}. Ledger runs {}.", first.items.size(), first.data.file,
                                human_duration(first.cost.seconds * 1000), fmt::join(ids, ", "))));
  }
}

Json contestants_json(const ContestantRuns& recorded) {
  Json runs = Json::array(), comparisons = Json::array();
  for (const eval::Run& run : recorded.runs) runs.push_back(run_json(run));
  for (std::size_t i = 0; i < recorded.comparisons.size(); ++i) {
    const eval::Comparison& one = recorded.comparisons[i];
    comparisons.push_back({{"metric", one.metric},
                           {"a", recorded.runs[i + 1].name},
                           {"b", recorded.runs.front().name},
                           {"difference", estimate_json(one.result.difference)},
                           {"p", one.result.p},
                           {"adjusted_p", recorded.adjusted_p[i]},
                           {"n", one.result.n},
                           {"minimum_detectable", one.result.minimum_detectable},
                           {"sentence", one.sentence}});
  }
  return {{"task", recorded.runs.empty() ? Json() : Json(recorded.runs.front().task)},
          {"runs", std::move(runs)},
          {"comparisons", std::move(comparisons)}};
}

Result<std::vector<eval::ModelUse>> models_in_use(Context& context, bool chat, bool embedder) {
  std::vector<eval::ModelUse> models;
  for (const auto& [wanted, role, name, label] :
       {std::tuple{chat, engine::ModelRole::chat, context.options().model, "chat"},
        std::tuple{embedder, engine::ModelRole::embedding, context.options().embedder, "embedder"}}) {
    if (!wanted) continue;
    auto file = context.find_model(name, role);
    if (!file) return file.error();
    auto use = model_use(label, file->stem().string(), *file);
    if (!use) return use.error();
    models.push_back(std::move(*use));
  }
  return models;
}

}  // namespace loam::cli
