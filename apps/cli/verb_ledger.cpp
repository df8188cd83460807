// `loam ledger`: what was run, on what, with which result; and the way of runs out of and into the ledger.
#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <fstream>

#include "base/json.h"
#include "cli/ledger_common.h"
#include "eval/ledger.h"

namespace loam::cli {
namespace {

std::string date_of(std::int64_t unix_seconds) {
  const auto seconds = static_cast<std::time_t>(unix_seconds);
  std::tm parts{};
  if (::localtime_r(&seconds, &parts) == nullptr) return std::to_string(unix_seconds);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min);
}

/// A row's own JSON, or text where it is damaged: the ledger is shown even then.
Json parsed(const std::string& text) {
  auto json = parse_json(text, "ledger");
  return json ? *json : Json(text);
}

std::string text_at(const Json& json, const char* key) {
  if (!json.is_object() || !json.contains(key) || !json[key].is_string()) return "";
  return json[key].get<std::string>();
}

Json row_json(const store::LedgerRow& row) {
  return {{"run", number_of(row.id)},
          {"at", row.at},
          {"task", row.task},
          {"config", parsed(row.config)},
          {"result", parsed(row.result)}};
}

std::string metric_text(const eval::Metric& metric) {
  const eval::Estimate& e = metric.estimate;
  std::string text = fmt::format("{} {:.3f}", metric.name, e.value);
  if (e.low < e.high) text += fmt::format(" ({:.3f} to {:.3f})", e.low, e.high);
  return text;
}

/// What was run and what came of it, in a few words.
std::pair<std::string, std::string> on_and_result(const eval::Run& run, const store::LedgerRow& row) {
  if (!run.damage.empty()) return {"", "damaged: " + run.damage};
  if (!run.name.empty()) {
    std::string on = run.name;
    if (!run.data.file.empty()) on += " on " + run.data.file;
    return {on, run.metrics.empty() ? "no scores" : metric_text(run.metrics.front())};
  }
  const Json result = parsed(row.result);
  std::string outcome = text_at(result, "answer");
  if (outcome.empty() && !text_at(result, "reason").empty())
    outcome = "silence: " + text_at(result, "reason");
  if (outcome.empty() && !run.metrics.empty()) outcome = metric_text(run.metrics.front());
  return {text_at(parsed(row.config), "question"), outcome};
}

std::string joined(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, " ")); }

void fact(Terminal& terminal, std::string_view name, const std::string& value) {
  if (value.empty()) return;
  terminal.line(
      wrap(printable(one_line(value)), terminal.width(), fmt::format("  {:<10}", name), "            "));
}

std::string data_text(const eval::Run& run) {
  if (run.data.file.empty() && run.data.sha256.empty()) return "";
  std::string text = run.data.file.empty() ? "unnamed" : run.data.file;
  if (!run.data.sha256.empty()) text += fmt::format(" ({})", run.data.sha256.substr(0, 12));
  if (run.data.items > 0) text += ", " + plural(run.data.items, "item");
  if (!run.split.empty()) text += ", part: " + run.split;
  return text;
}

std::string cost_text(const eval::Cost& cost) {
  std::string text = fmt::format("{}, processor {}", human_duration(cost.seconds * 1000),
                                 human_duration(cost.cpu_seconds * 1000));
  if (cost.tokens > 0) text += ", " + plural(cost.tokens, "token");
  if (cost.joules) text += fmt::format(", {:.0f} J", *cost.joules);
  if (cost.peak_mb) text += fmt::format(", {:.0f} MB", *cost.peak_mb);
  return text;
}

void show_run(Terminal& terminal, const eval::Run& run, const store::LedgerRow& row) {
  const std::string name = run.name.empty() ? run.task : fmt::format("{} ({})", run.name, run.task);
  terminal.line(terminal.paint(Style::bold, printable(fmt::format("Run {}: {}", number_of(run.id), name))));
  fact(terminal, "when", date_of(run.at));
  fact(terminal, "data", data_text(run));
  fact(terminal, "settings", run.settings == "{}" ? "" : run.settings);
  for (const eval::ModelUse& model : run.models) {
    fact(terminal, model.role,
         model.sha256.empty() ? model.name : fmt::format("{} ({})", model.name, model.sha256.substr(0, 12)));
  }
  fact(terminal, "seed", run.seed == 0 ? "" : std::to_string(run.seed));
  fact(terminal, "cost", cost_text(run.cost));
  fact(terminal, "machine", run.machine);
  fact(terminal, "version", run.version);
  if (run.name.empty()) fact(terminal, "result", on_and_result(run, row).second);
  if (run.metrics.empty()) return;
  terminal.line();
  Table table({Table::Align::left, Table::Align::right, Table::Align::left, Table::Align::right});
  table.add({"METRIC", "VALUE", "95% INTERVAL", "N"}, Style::bold);
  for (const eval::Metric& metric : run.metrics) {
    const eval::Estimate& e = metric.estimate;
    table.add({printable(one_line(metric.name)), fmt::format("{:.4f}", e.value),
               e.low < e.high ? fmt::format("{:.4f} to {:.4f}", e.low, e.high) : "",
               e.n > 0 ? std::to_string(e.n) : ""});
  }
  terminal.out(table.text(terminal, "  "));
}

void show_items(Terminal& terminal, const eval::Run& run) {
  Table table({Table::Align::left, Table::Align::left, Table::Align::left, Table::Align::left});
  table.add({"ITEM", "GROUP", "SCORES", "OUTPUT"}, Style::bold);
  for (const eval::ItemResult& item : run.items) {
    std::string scores;
    for (const auto& [name, score] : item.scores) {
      scores += fmt::format("{}{} {:.4g}", scores.empty() ? "" : ", ", name, score);
    }
    table.add({shorten(printable(one_line(item.id)), 24), shorten(printable(one_line(item.cluster)), 20),
               printable(scores), printable(one_line(item.output))});
  }
  terminal.line();
  terminal.out(table.text(terminal, "  "));
}

Json items_json(const eval::Run& run) {
  Json items = Json::array();
  for (const eval::ItemResult& item : run.items) {
    Json scores = Json::object();
    for (const auto& [name, score] : item.scores) scores[name] = score;
    items.push_back(
        {{"id", item.id}, {"cluster", item.cluster}, {"scores", std::move(scores)}, {"output", item.output}});
  }
  return items;
}

}  // namespace

// What other verbs of the ledger need too -------------------------------------------------------------------

Result<std::unique_ptr<store::Store>> open_ledger(Context& context) {
  std::error_code ignored;
  if (!std::filesystem::exists(context.store_file(), ignored)) {
    return Error{Kind::bad_request, context.home().string(), "the ledger is empty",
                 "loam ask, loam eval or loam ledger import FILE"};
  }
  return context.open_store();
}

Result<RunId> run_number(const std::string& word) {
  std::uint64_t number = 0;
  const char* const end = word.data() + word.size();
  const auto [stop, failure] = std::from_chars(word.data(), end, number);
  if (failure != std::errc{} || stop != end || number == 0) {
    return Error{Kind::bad_request, fmt::format("\"{}\"", word), "is not the number of a run",
                 "loam ledger list"};
  }
  return RunId{number};
}

Result<void> write_output(const std::string& file, std::string_view bytes) {
  errno = 0;
  std::ofstream stream(file, std::ios::binary | std::ios::trunc);
  stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  stream.close();
  if (stream) return done();
  const int reason = errno;
  return Error{reason == ENOSPC ? Kind::out_of_room : Kind::unavailable, file,
               fmt::format("cannot be written: {}", std::strerror(reason != 0 ? reason : EIO)),
               "name a file in a folder that can be written to"};
}

// The verbs
// ---------------------------------------------------------------------------------------------------

Result<Outcome> run_ledger_list(Context& context) {
  Terminal& terminal = context.terminal();
  const std::string search = joined(context.arguments());
  std::error_code ignored;
  std::vector<eval::Run> runs;
  std::vector<store::LedgerRow> rows;
  if (std::filesystem::exists(context.store_file(), ignored)) {
    auto store = context.open_store();
    if (!store) return store.error();
    auto found = eval::runs(**store, context.options().task, context.options().limit, search);
    if (!found) return found.error();
    for (eval::Run& run : *found) {
      auto row = (*store)->find_run(run.id);
      if (!row) return row.error();
      if (!*row) continue;  // gone between the two reads
      rows.push_back(std::move(**row));
      runs.push_back(std::move(run));
    }
  }
  if (terminal.json()) {
    Json list = Json::array();
    for (const store::LedgerRow& row : rows) list.push_back(row_json(row));
    terminal.json({{"runs", std::move(list)}});
    return rows.empty() ? Outcome::empty : Outcome::done;
  }
  if (rows.empty()) {
    terminal.line(search.empty() && context.options().task.empty()
                      ? "The ledger is empty. `loam ask`, `loam eval` and `loam ledger import` write to it."
                      : "No run in the ledger fits.");
    return Outcome::empty;
  }
  Table table(
      {Table::Align::right, Table::Align::left, Table::Align::left, Table::Align::left, Table::Align::left});
  table.add({"RUN", "WHEN", "TASK", "ON", "RESULT"}, Style::bold);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto [on, result] = on_and_result(runs[i], rows[i]);
    table.add({std::to_string(number_of(rows[i].id)), date_of(rows[i].at), printable(one_line(rows[i].task)),
               shorten(printable(one_line(on)), 30), printable(one_line(result))},
              runs[i].damage.empty() ? Style::plain : Style::red);
  }
  terminal.out(table.text(terminal));
  return Outcome::done;
}

Result<Outcome> run_ledger_show(Context& context) {
  Terminal& terminal = context.terminal();
  auto id = run_number(context.arguments().front());
  if (!id) return id.error();
  auto store = open_ledger(context);
  if (!store) return store.error();
  auto run = eval::load_run(**store, *id);
  if (!run) return run.error();
  auto row = (*store)->find_run(*id);
  if (!row) return row.error();
  if (!*row) return Error{Kind::our_bug, "ledger", "a run went away while it was read", "report this"};
  const bool items = context.options().show_items;
  if (terminal.json()) {
    Json document = row_json(**row);
    document["item_count"] = run->items.size();
    if (items) document["items"] = items_json(*run);
    terminal.json(document);
    return Outcome::done;
  }
  show_run(terminal, *run, **row);
  if (items && !run->items.empty()) {
    show_items(terminal, *run);
  } else if (!run->items.empty()) {
    terminal.line();
    terminal.line(fmt::format("  {} with results of their own: loam ledger show {} --items",
                              plural(run->items.size(), "item"), number_of(run->id)));
  } else if (items) {
    terminal.note("this run keeps no results of single items");
  }
  return Outcome::done;
}

Result<Outcome> run_ledger_export(Context& context) {
  const Options& options = context.options();
  Terminal& terminal = context.terminal();
  if (options.csv_file.empty() && options.mlflow_folder.empty() && options.jsonl_file.empty()) {
    return Error{Kind::bad_request, "loam ledger export", "say in which form: --csv, --jsonl or --mlflow",
                 "loam ledger export --csv runs.csv"};
  }
  auto store = open_ledger(context);
  if (!store) return store.error();
  eval::ExportReport report;
  std::vector<std::string> written;
  if (!options.csv_file.empty()) {
    auto csv = eval::export_csv(**store, options.task, &report);
    if (!csv) return csv.error();
    if (report.runs > 0) {
      if (auto kept = write_output(options.csv_file, *csv); !kept) return kept.error();
      written.push_back(options.csv_file);
    }
  }
  if (!options.jsonl_file.empty()) {
    report = {};
    if (auto kept = eval::export_jsonl(**store, options.jsonl_file, options.task, &report); !kept)
      return kept.error();
    written.push_back(options.jsonl_file);
  }
  if (!options.mlflow_folder.empty()) {
    const std::size_t without_scores = report.without_scores;
    report = {};
    if (auto kept = eval::export_mlflow(**store, options.mlflow_folder, options.task, &report); !kept)
      return kept.error();
    report.without_scores = without_scores;
    written.push_back(options.mlflow_folder);
  }
  for (const RunId damaged : report.damaged)
    terminal.note(fmt::format("run {} is damaged and left out", number_of(damaged)));
  if (report.without_scores > 0 && !options.jsonl_file.empty())
    terminal.note(fmt::format("left out of {}: {} without scores", options.jsonl_file,
                              plural(report.without_scores, "run")));
  if (terminal.json()) {
    Json damaged = Json::array();
    for (const RunId id : report.damaged) damaged.push_back(number_of(id));
    terminal.json({{"runs", report.runs}, {"damaged", std::move(damaged)}, {"written", written}});
  } else if (report.runs == 0) {
    terminal.line("There is no run to export.");
  } else {
    terminal.line(fmt::format("{} in {}", plural(report.runs, "run"), fmt::join(written, ", ")));
  }
  return report.runs == 0 ? Outcome::empty : Outcome::done;
}

Result<Outcome> run_ledger_import(Context& context) {
  Terminal& terminal = context.terminal();
  const std::string& file = context.arguments().front();
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored))  // before a home is made for nothing
    return Error{Kind::bad_request, file, "there is no such file", "loam ledger import FILE"};
  auto store = context.open_store();
  if (!store) return store.error();
  auto report = eval::import_runs(**store, file);
  if (!report) return report.error();
  if (terminal.json()) {
    Json added = Json::array();
    for (const RunId id : report->added) added.push_back(number_of(id));
    terminal.json({{"added", std::move(added)}, {"already_there", report->already_there}});
    return Outcome::done;
  }
  std::vector<std::uint64_t> numbers;
  for (const RunId id : report->added) numbers.push_back(number_of(id));
  std::string line = plural(numbers.size(), "run") + " added";
  constexpr std::size_t kListed = 20;
  if (!numbers.empty() && numbers.size() <= kListed) line += fmt::format(": {}", fmt::join(numbers, ", "));
  if (numbers.size() > kListed) line += fmt::format(": {} to {}", numbers.front(), numbers.back());
  if (report->already_there > 0) line += fmt::format("; {} already there", report->already_there);
  terminal.line(line);
  return Outcome::done;
}

}  // namespace loam::cli
