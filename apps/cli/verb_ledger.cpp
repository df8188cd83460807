// `loam ledger`: what was run, on what, with which result.
#include <fmt/format.h>

#include <ctime>

#include "base/json.h"
#include "cli/context.h"

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
}  // namespace

Result<Outcome> run_ledger(Context& context) {
  Terminal& terminal = context.terminal();
  std::error_code ignored;
  std::vector<store::LedgerRow> rows;
  if (std::filesystem::exists(context.store_file(), ignored)) {
    auto store = context.open_store();
    if (!store) return store.error();
    auto runs = (*store)->runs(context.options().task, context.options().limit);
    if (!runs) return runs.error();
    rows = std::move(*runs);
  }
  if (terminal.json()) {
    Json list = Json::array();
    for (const store::LedgerRow& row : rows) {
      list.push_back({{"run", number_of(row.id)},
                      {"at", row.at},
                      {"task", row.task},
                      {"config", parsed(row.config)},
                      {"result", parsed(row.result)}});
    }
    terminal.json({{"runs", std::move(list)}});
    return rows.empty() ? Outcome::empty : Outcome::done;
  }
  if (rows.empty()) {
    terminal.line("The ledger is empty. `loam ask` writes to it.");
    return Outcome::empty;
  }
  Table table(
      {Table::Align::right, Table::Align::left, Table::Align::left, Table::Align::left, Table::Align::left});
  table.add({"RUN", "WHEN", "TASK", "ON", "RESULT"}, Style::bold);
  for (const store::LedgerRow& row : rows) {
    const Json config = parsed(row.config);
    const Json result = parsed(row.result);
    std::string outcome = text_at(result, "answer");
    if (outcome.empty() && !text_at(result, "reason").empty())
      outcome = "silence: " + text_at(result, "reason");
    table.add({std::to_string(number_of(row.id)), date_of(row.at), row.task,
               shorten(printable(one_line(text_at(config, "question"))), 30), printable(one_line(outcome))});
  }
  terminal.out(table.text(terminal));
  return Outcome::done;
}

}  // namespace loam::cli
