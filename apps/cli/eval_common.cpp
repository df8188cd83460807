#include "cli/eval_common.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"
#include "base/json.h"

namespace loam::cli {
namespace {

Json optional_json(const std::optional<double>& value) { return value ? Json(*value) : Json(); }
}  // namespace

EvalRun start_run(std::string task, std::string name, eval::DataVersion data) {
  EvalRun measured;
  measured.run.task = std::move(task);
  measured.run.name = std::move(name);
  measured.run.data = std::move(data);
  measured.run.settings = "{}";
  measured.run.version = LOAM_VERSION;
  return measured;
}

Result<eval::ModelUse> model_use(std::string role, std::string name, const std::filesystem::path& file) {
  auto hash = sha256_hex_of_file(file);
  if (!hash) return hash.error();
  return eval::ModelUse{std::move(role), std::move(name), std::move(*hash)};
}

Result<RunId> finish_run(Context& context, EvalRun& measured, std::uint64_t tokens) {
  measured.run.cost = measured.meter.cost();
  measured.run.cost.tokens = tokens;
  const bool wrote = std::any_of(measured.run.models.begin(), measured.run.models.end(),
                                 [](const eval::ModelUse& model) { return model.role == "chat"; });
  if (wrote) {
    for (const engine::Adapter& adapter : context.adapters_in_use()) {
      auto use = model_use("adapter", fmt::format("{}:{}", adapter.file.stem().string(), adapter.scale),
                           adapter.file);
      if (!use) return use.error();
      measured.run.models.push_back(*std::move(use));
    }
  }
  auto store = context.open_store();
  if (!store) return store.error();
  return eval::record(**store, measured.run);
}

std::string estimate_text(const eval::Estimate& estimate, int digits) {
  return fmt::format("{:.{}f} [{:.{}f}, {:.{}f}]", estimate.value, digits, estimate.low, digits,
                     estimate.high, digits);
}

void print_metrics(Terminal& terminal, const std::vector<eval::Metric>& metrics) {
  Table table({Table::Align::left, Table::Align::right, Table::Align::left, Table::Align::right});
  table.add({"METRIC", "VALUE", "95% INTERVAL", "N"}, Style::bold);
  for (const eval::Metric& metric : metrics) {
    const eval::Estimate& e = metric.estimate;
    table.add({metric.name, fmt::format("{:.4f}", e.value), fmt::format("{:.4f} to {:.4f}", e.low, e.high),
               std::to_string(e.n)});
  }
  terminal.out(table.text(terminal));
}

void print_run_line(Terminal& terminal, const eval::Run& run) {
  if (terminal.quiet()) return;
  const std::string took = human_duration(run.cost.seconds * 1000.0);
  const std::string tokens =
      run.cost.tokens == 0 ? std::string()
                           : fmt::format("{} tokens in ", human_count(static_cast<double>(run.cost.tokens)));
  terminal.line();
  terminal.line(
      terminal.paint(Style::dim, fmt::format("{}{}. Ledger run {}.", tokens, took, number_of(run.id))));
}

void print_notes(Terminal& terminal, const std::vector<eval::DataNote>& notes) {
  for (const eval::DataNote& note : notes) {
    std::string where;
    for (const std::size_t line : note.lines) where += (where.empty() ? "" : ", ") + std::to_string(line);
    if (!where.empty()) {
      where = fmt::format(" ({} {}{})", note.lines.size() == 1 ? "line" : "lines", where,
                          note.count > note.lines.size() ? ", ..." : "");
    }
    terminal.note(printable(one_line(note.kind + ": " + note.message)) + where);
  }
}

Json run_json(const eval::Run& run) {
  Json metrics = Json::object();
  for (const eval::Metric& metric : run.metrics) metrics[metric.name] = estimate_json(metric.estimate);
  Json models = Json::array();
  for (const eval::ModelUse& model : run.models)
    models.push_back({{"role", model.role}, {"name", model.name}, {"sha256", model.sha256}});
  auto settings = parse_json(run.settings, "settings");
  Json document = {
      {"run", number_of(run.id)},
      {"task", run.task},
      {"name", run.name},
      {"data", {{"file", run.data.file}, {"sha256", run.data.sha256}, {"items", run.data.items}}},
      {"settings", settings ? *settings : Json()},
      {"models", std::move(models)},
      {"metrics", std::move(metrics)},
      {"seconds", run.cost.seconds},
      {"cpu_seconds", run.cost.cpu_seconds},
      {"tokens", run.cost.tokens},
      {"joules", optional_json(run.cost.joules)},
      {"peak_mb", optional_json(run.cost.peak_mb)}};
  return document;
}

Json notes_json(const std::vector<eval::DataNote>& notes) {
  Json list = Json::array();
  for (const eval::DataNote& note : notes)
    list.push_back(
        {{"kind", note.kind}, {"message", note.message}, {"lines", note.lines}, {"count", note.count}});
  return list;
}

}  // namespace loam::cli
