// `loam compare` and `loam leaderboard`: is it better, and who is best?
#include <fmt/format.h>

#include <cmath>

#include "base/json.h"
#include "cli/ledger_common.h"
#include "eval/leaderboard.h"

namespace loam::cli {
namespace {

Json optional_json(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

Json side_json(const eval::Run& run, const eval::Estimate& estimate) {
  return {{"run", number_of(run.id)},
          {"name", run.name},
          {"value", estimate.value},
          {"low", estimate.low},
          {"high", estimate.high}};
}

Json interval_json(const eval::Estimate& e) { return {{"value", e.value}, {"low", e.low}, {"high", e.high}}; }

std::string p_text(double p) { return p < 0.001 ? "< 0.001" : fmt::format("{:.3f}", p); }

std::string interval_text(const eval::Estimate& e, bool signs) {
  if (!(e.low < e.high)) return "";
  return signs ? fmt::format("{:+.4f} to {:+.4f}", e.low, e.high)
               : fmt::format("{:.4f} to {:.4f}", e.low, e.high);
}

std::string called(const eval::Run& run) {
  return run.name.empty() ? fmt::format("run {}", number_of(run.id))
                          : fmt::format("{} (run {})", printable(one_line(run.name)), number_of(run.id));
}

void show_comparison(Terminal& terminal, const eval::Run& a, const eval::Run& b,
                     const eval::Comparison& comparison) {
  const eval::PairedResult& result = comparison.result;
  terminal.line(wrap(printable(comparison.sentence), terminal.width()));
  terminal.line();
  Table table({Table::Align::left, Table::Align::left, Table::Align::right, Table::Align::left});
  std::string heading = comparison.metric;
  table.add({"", "", printable(one_line(heading)), "95% INTERVAL"}, Style::bold);
  table.add({"A", called(a), fmt::format("{:.4f}", result.a.value), interval_text(result.a, false)});
  table.add({"B", called(b), fmt::format("{:.4f}", result.b.value), interval_text(result.b, false)});
  table.add(
      {"B - A", "", fmt::format("{:+.4f}", result.difference.value), interval_text(result.difference, true)});
  terminal.out(table.text(terminal, "  "));
  terminal.line();
  std::string how =
      fmt::format("p {} ({}); {} that both scored", (result.p < 0.001 ? "" : "= ") + p_text(result.p),
                  result.test, plural(result.n, "item"));
  if (result.clusters > 0) how += fmt::format(" in {}", plural(result.clusters, "group"));
  how +=
      fmt::format(": B higher on {}, lower on {}, equal on {}.", result.better, result.worse, result.equal);
  if (result.minimum_detectable > 0)
    how += fmt::format(" Differences below about {:.4f} cannot be seen with so many.",
                       result.minimum_detectable);
  terminal.line(wrap(how, terminal.width(), "  ", "  "));
}

std::string time_text(double seconds) {
  if (seconds <= 0) return "";
  return seconds < 100 ? human_duration(seconds * 1000) : fmt::format("{:.0f} min", seconds / 60);
}

std::string verdict_of(const eval::BoardRow& row) {
  if (row.is_best) return "best";
  if (!row.behind) return "not compared";
  return row.not_worse ? "not worse" : "worse";
}

std::string short_p(const eval::BoardRow& row) {
  if (!row.behind) return "";
  return row.p < 0.001 ? "<.001" : p_text(row.p);
}

void show_board(Terminal& terminal, const eval::Leaderboard& board) {
  using Align = Table::Align;
  Table table({Align::right, Align::left, Align::right, Align::left, Align::right, Align::right, Align::left,
               Align::right});
  table.add({"RUN", "CONTESTANT", printable(one_line(board.metric)), "95% INTERVAL", "BEHIND", "P", "VERDICT",
             "TIME"},
            Style::bold);
  for (const eval::BoardRow& row : board.rows) {
    const eval::Estimate& e = row.estimate;
    table.add(
        {std::to_string(number_of(row.run.id)), printable(one_line(row.run.name)),
         fmt::format("{:.3f}", e.value), e.low < e.high ? fmt::format("{:.3f}..{:.3f}", e.low, e.high) : "",
         row.behind ? fmt::format("{:.3f}", std::abs(row.behind->difference.value)) : "", short_p(row),
         verdict_of(row), time_text(row.run.cost.seconds)},
        row.behind && !row.not_worse ? Style::dim : Style::plain);
  }
  std::string on = board.data.file.empty() ? "unnamed data" : board.data.file;
  if (board.data.items > 0) on += ", " + plural(board.data.items, "item");
  if (!board.split.empty()) on += ", part: " + board.split;
  terminal.line(terminal.paint(Style::bold, printable(one_line(board.task))) + " on " +
                printable(one_line(on)));
  terminal.line();
  terminal.out(table.text(terminal));
  terminal.line();
  terminal.line(wrap(printable(eval::summary_of(board)), terminal.width()));
  for (const std::string& other : board.others)
    terminal.note("also in the ledger: " + printable(one_line(other)) + " (--data, --split)");
  for (const std::string& note : board.notes) terminal.note("note: " + printable(one_line(note)));
}

Json board_json(const eval::Leaderboard& board) {
  Json rows = Json::array();
  for (const eval::BoardRow& row : board.rows) {
    const eval::Cost& cost = row.run.cost;
    Json one = {{"run", number_of(row.run.id)}, {"name", row.run.name},      {"value", row.estimate.value},
                {"low", row.estimate.low},      {"high", row.estimate.high}, {"n", row.estimate.n},
                {"best", row.is_best},          {"not_worse", row.not_worse}};
    one["behind"] = row.behind ? interval_json(row.behind->difference) : Json();
    one["p"] = row.behind ? Json(row.p) : Json();
    one["minimum_detectable"] = row.behind ? Json(row.behind->minimum_detectable) : Json();
    one["seconds"] = cost.seconds;
    one["cpu_seconds"] = cost.cpu_seconds;
    one["tokens"] = cost.tokens;
    one["joules"] = optional_json(cost.joules);
    one["peak_mb"] = optional_json(cost.peak_mb);
    rows.push_back(std::move(one));
  }
  return {{"task", board.task},
          {"metric", board.metric},
          {"higher_is_better", board.higher_is_better},
          {"data", {{"file", board.data.file}, {"sha256", board.data.sha256}, {"items", board.data.items}}},
          {"split", board.split},
          {"level", board.level},
          {"rows", std::move(rows)},
          {"summary", eval::summary_of(board)},
          {"notes", board.notes},
          {"others", board.others}};
}

}  // namespace

Result<Outcome> run_compare(Context& context) {
  Terminal& terminal = context.terminal();
  std::vector<RunId> ids;
  for (const std::string& word : context.arguments()) {
    auto id = run_number(word);
    if (!id) return id.error();
    ids.push_back(*id);
  }
  auto store = open_ledger(context);
  if (!store) return store.error();
  auto a = eval::load_run(**store, ids[0]);
  if (!a) return a.error();
  auto b = eval::load_run(**store, ids[1]);
  if (!b) return b.error();
  auto comparison = eval::compare_runs(*a, *b, context.options().metric);
  if (!comparison) return comparison.error();
  for (const std::string& warning : comparison->warnings)
    terminal.note("warning: " + printable(one_line(warning)));
  if (!terminal.json()) {
    show_comparison(terminal, *a, *b, *comparison);
    return Outcome::done;
  }
  const eval::PairedResult& result = comparison->result;
  terminal.json({{"metric", comparison->metric},
                 {"a", side_json(*a, result.a)},
                 {"b", side_json(*b, result.b)},
                 {"difference", interval_json(result.difference)},
                 {"p", result.p},
                 {"n", result.n},
                 {"minimum_detectable", result.minimum_detectable},
                 {"sentence", comparison->sentence},
                 {"test", result.test},
                 {"higher_is_better", comparison->higher_is_better},
                 {"clusters", result.clusters},
                 {"b_higher", result.better},
                 {"b_lower", result.worse},
                 {"equal", result.equal},
                 {"items_for_one_point", result.items_for_one_point},
                 {"left_out", {{"a", comparison->only_a}, {"b", comparison->only_b}}},
                 {"warnings", comparison->warnings}});
  return Outcome::done;
}

Result<Outcome> run_leaderboard(Context& context) {
  const Options& options = context.options();
  Terminal& terminal = context.terminal();
  auto store = open_ledger(context);
  if (!store) return store.error();
  auto board = eval::leaderboard(
      **store, context.arguments().front(),
      {.data = options.board_data, .split = options.board_split, .metric = options.metric, .compare = {}});
  if (!board) return board.error();
  if (!options.html_file.empty()) {
    if (auto kept = write_output(options.html_file, eval::html_of(*board)); !kept) return kept.error();
  }
  if (!options.svg_file.empty()) {
    if (auto kept = write_output(options.svg_file, eval::svg_of(eval::chart_of(*board))); !kept)
      return kept.error();
  }
  if (terminal.json()) {
    terminal.json(board_json(*board));
  } else {
    show_board(terminal, *board);
  }
  for (const std::string& file : {options.html_file, options.svg_file}) {
    if (!file.empty()) terminal.note("written: " + printable(file));
  }
  return Outcome::done;
}

}  // namespace loam::cli
