#include "cli/improve_work.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/hash.h"
#include "base/json.h"
#include "cli/eval_common.h"
#include "cli/ledger_common.h"
#include "prompt/prompt.h"

namespace loam::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kShown = 8;  // arms in the table for people

std::string metric_text(double value) { return fmt::format("{:.3f}", value); }

Json arm_json(const tasks::Arm& arm) {
  Json json = Json::object();
  for (const auto& [key, value] : arm) json[key] = value;
  return json;
}

std::string fate_of(const tasks::ImproveStep& step) {
  if (step.taken_back) return "adopted, taken back";
  return step.adopted ? "adopted" : step.decision;
}

std::string day_of(std::int64_t at) {
  const auto time = static_cast<std::time_t>(at);
  std::tm parts{};
  if (gmtime_r(&time, &parts) == nullptr) return "";
  return fmt::format("{:04}-{:02}-{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
}

}  // namespace

Result<double> parse_budget(const std::string& text) {
  const Error refused{Kind::bad_request, "--budget", "\"" + text + "\" is not a time", "--budget 30m"};
  double seconds = 0;
  const char* at = text.data();
  const char* const end = at + text.size();
  if (at == end) return refused;
  while (at != end) {
    double value = 0;
    const auto [stop, failure] = std::from_chars(at, end, value);
    if (failure != std::errc{} || stop == at || stop == end || !(value >= 0 && value <= 1e7)) return refused;
    if (*stop == 's') {
      seconds += value;
    } else if (*stop == 'm') {
      seconds += 60 * value;
    } else if (*stop == 'h') {
      seconds += 3600 * value;
    } else {
      return refused;
    }
    at = stop + 1;
  }
  if (seconds < 1) {
    return Error{Kind::bad_request, "--budget", "\"" + text + "\" is less than a second", "--budget 30m"};
  }
  return seconds;
}

Result<std::vector<std::string>> keep_prompts(Context& context) {
  const fs::path folder = context.home() / "prompts";
  std::vector<std::string> names;
  for (const std::string& file : context.options().prompt_files) {
    auto text = read_text_file(file);
    if (!text) return text.error();
    const std::string name = fs::path(file).stem().string();
    const fs::path kept = folder / (name + ".txt");
    std::error_code ignored;
    if (fs::exists(kept, ignored)) {
      auto there = read_text_file(kept);
      if (!there) return there.error();
      if (*there != *text) {
        return Error{Kind::bad_request, file,
                     fmt::format("another pre-prompt is called \"{}\": {}", name, kept.string()),
                     "give the file another name"};
      }
    } else {
      if (prompt::load_pre_prompt(name, {}).ok()) {
        return Error{Kind::bad_request, file,
                     fmt::format("\"{}\" is the name of a built-in pre-prompt", name),
                     "give the file another name"};
      }
      fs::create_directories(folder, ignored);
      if (auto written = write_output(kept.string(), *text); !written) return written.error();
      // What is no pre-prompt (empty, not UTF-8, a name with odd characters) must not stay.
      if (auto loaded = prompt::load_pre_prompt(name, folder); !loaded) {
        fs::remove(kept, ignored);
        Error error = loaded.error();
        error.place = file;
        return error;
      }
    }
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

Result<std::vector<eval::ModelUse>> prompts_in_use(Context& context, const std::vector<std::string>& names) {
  std::vector<eval::ModelUse> uses;
  for (const std::string& name : names) {
    auto loaded = prompt::load_pre_prompt(name, context.home() / "prompts");
    if (!loaded) return loaded.error();
    uses.push_back({"pre-prompt", name, sha256_hex(loaded->text)});
  }
  return uses;
}

std::string scope_of_data(const std::string& file) {
  std::error_code failure;
  const fs::path path = fs::weakly_canonical(fs::absolute(file, failure), failure);
  return "data " + (failure ? file : path.string());
}

Result<std::optional<AdoptedMethod>> adopted_for_data(Context& context, const std::string& file) {
  std::error_code ignored;
  if (!fs::exists(context.store_file(), ignored)) return std::optional<AdoptedMethod>();
  auto store = context.open_store();
  if (!store) return store.error();
  auto adoption = (*store)->adopted(scope_of_data(file));
  if (!adoption) return adoption.error();
  if (!*adoption) return std::optional<AdoptedMethod>();
  auto arm = tasks::settings_of(**adoption);
  if (!arm) return arm.error();
  auto settings = tasks::classify_settings_of(*arm);
  if (!settings) return settings.error();
  return std::optional(AdoptedMethod{*settings, (*adoption)->run});
}

Result<store::Collection> collection_of_scope(store::Store& store, const std::string& scope) {
  auto all = store.collections();
  if (!all) return all.error();
  for (const store::Collection& one : *all) {
    if (store::scope_of(one.id) == scope) return one;
  }
  return Error{Kind::bad_request, scope, "there is no such collection any more", "loam collections"};
}

std::string ingest_command(store::Store& store, const store::Collection& collection) {
  std::set<std::string> roots;
  auto visited =
      store.for_each_document(collection.id, [&](const store::DocumentRow& row) { roots.insert(row.root); });
  std::string command = "loam ingest -c " + collection.name;
  if (!visited) return command + " PATH...";
  for (const std::string& root : roots) {
    if (!root.empty()) command += root.find(' ') == std::string::npos ? " " + root : " '" + root + "'";
  }
  return command;
}

void print_improvement(Context& context, const tasks::Improvement& found, const std::string& scope_name,
                       bool adopted, const std::vector<std::string>& next) {
  using tasks::ImproveEnd;
  Terminal& terminal = context.terminal();
  const auto say = [&](const std::string& text) {
    terminal.line(wrap(printable(text), terminal.width(), "  ", "  "));
  };
  terminal.line();
  say(fmt::format("{} for {}: {} to search on, {} kept aside to confirm on (no {} stands in both).",
                  plural(found.development_items + found.held_out_items, found.item_word,
                         tasks::plural_of(found.item_word)),
                  scope_name, found.development_items, found.held_out_items, found.group_word));
  say(fmt::format(
      "{} of settings in {}, {}{}{}.", plural(found.tried.size(), "combination"),
      plural(found.trials, "trial"), human_duration(found.seconds * 1000),
      found.recalled > 0 ? fmt::format("; {} from before, out of the ledger", found.recalled) : "",
      found.untried > 0 ? fmt::format("; {} not tried, the budget is used", found.untried) : ""));
  terminal.line();
  if (found.tried.empty()) {
    say(found.sentence);
    return;
  }
  Table table({Table::Align::left, Table::Align::right, Table::Align::right});
  table.add({"IN DEVELOPMENT", found.metric, fmt::format("OF {}", tasks::plural_of(found.item_word))},
            Style::bold);
  std::size_t shown = 0;
  for (const tasks::TriedArm& arm : found.tried) {
    const bool current = arm.changes.empty();
    if (shown >= kShown && !current) continue;
    const bool winner = arm.name == found.winner_name;
    table.add({printable(arm.name), metric_text(arm.mean), std::to_string(arm.items)}, winner ? Style::green
                                                                                       : current
                                                                                           ? Style::bold
                                                                                           : Style::plain);
    ++shown;
  }
  terminal.out(table.text(terminal, "  "));
  if (found.tried.size() > shown)
    terminal.line(
        terminal.paint(Style::dim, fmt::format("  and {} more, behind these", found.tried.size() - shown)));
  terminal.line();
  if (found.held_out) {
    const eval::PairedResult& paired = *found.held_out;
    Table held({Table::Align::left, Table::Align::right, Table::Align::left});
    held.add({"KEPT ASIDE", found.metric, "95% INTERVAL"}, Style::bold);
    const auto row = [&](const std::string& name, const eval::Estimate& e) {
      held.add({printable(name), metric_text(e.value),
                fmt::format("{} to {}", metric_text(e.low), metric_text(e.high))});
    };
    row("current settings", paired.a);
    row(found.winner_name, paired.b);
    row("difference", paired.difference);
    terminal.out(held.text(terminal, "  "));
    terminal.line();
  }
  const bool good = found.end == ImproveEnd::better;
  if (good) {
    terminal.line(terminal.paint(
        Style::green,
        wrap(printable(fmt::format("{}: {}", adopted ? "Adopted" : "Confirmed", found.winner_name)),
             terminal.width(), "  ", "  ")));
  }
  say(found.sentence);
  for (const std::string& note : found.notes) say("Note: " + note + ".");
  if (terminal.quiet()) return;
  terminal.line();
  for (const std::string& line : next) {
    terminal.line(
        terminal.paint(Style::dim, wrap(printable(line), terminal.width(), "  Next: ", "        ")));
  }
  if (found.run)
    terminal.line(terminal.paint(Style::dim, fmt::format("  Ledger run {}.", number_of(*found.run))));
}

Json improvement_json(const tasks::Improvement& found, const std::string& scope_name, bool adopted,
                      const std::vector<std::string>& next) {
  Json tried = Json::array();
  for (const tasks::TriedArm& arm : found.tried) {
    tried.push_back({{"name", arm.name},
                     {"changes", arm_json(arm.changes)},
                     {"value", arm.mean},
                     {"items", arm.items},
                     {"seconds", arm.seconds}});
  }
  Json held = nullptr;
  if (found.held_out) {
    const eval::PairedResult& paired = *found.held_out;
    held = {{"items", paired.n},
            {"current", estimate_json(paired.a)},
            {"winner", estimate_json(paired.b)},
            {"difference", estimate_json(paired.difference)},
            {"p", paired.p},
            {"level", found.level},
            {"test", paired.test},
            {"minimum_detectable", paired.minimum_detectable},
            {"look", found.look}};
  }
  return {
      {"task", found.task},
      {"metric", found.metric},
      {"for", scope_name},
      {"search", found.search},
      {"end", std::string(tasks::name_of(found.end))},
      {"adopted", adopted},
      {"winner", {{"name", found.winner_name}, {"changes", arm_json(found.changes)}, {"recut", found.recut}}},
      {"development",
       {{"items", found.development_items},
        {"current", found.development_current},
        {"winner", found.development_winner}}},
      {"held_out_items", found.held_out_items},
      {"grouped_by", found.group_word},
      {"held_out", std::move(held)},
      {"trials", found.trials},
      {"recalled", found.recalled},
      {"untried", found.untried},
      {"seconds", found.seconds},
      {"tried", std::move(tried)},
      {"sentence", found.sentence},
      {"notes", found.notes},
      {"next", next},
      {"run", found.run ? Json(number_of(*found.run)) : Json()}};
}

void print_history(Context& context, const std::vector<tasks::ImproveStep>& steps) {
  Terminal& terminal = context.terminal();
  Table table(
      {Table::Align::right, Table::Align::left, Table::Align::left, Table::Align::right, Table::Align::left});
  table.add({"RUN", "DAY (UTC)", "WINNER", "GAIN", "95% INTERVAL"}, Style::bold);
  for (const tasks::ImproveStep& step : steps) {
    const bool counts = step.adopted && !step.taken_back;
    table.add({std::to_string(number_of(step.run)), day_of(step.at), printable(step.winner_name),
               fmt::format("{:+.3f}", step.gain.value),
               step.confirmed ? fmt::format("{:+.3f} to {:+.3f}", step.gain.low, step.gain.high)
                              : std::string("development only")},
              counts ? Style::green : Style::plain);
  }
  terminal.out(table.text(terminal));
  terminal.line();
  for (const tasks::ImproveStep& step : steps) {
    terminal.line(wrap(printable(fmt::format("Run {}: {} for {}: {}.", number_of(step.run), step.task,
                                             step.scope_name, fate_of(step))),
                       terminal.width(), "", "  "));
  }
}

Json history_json(const std::vector<tasks::ImproveStep>& steps) {
  Json list = Json::array();
  for (const tasks::ImproveStep& step : steps) {
    list.push_back({{"run", number_of(step.run)},
                    {"at", step.at},
                    {"task", step.task},
                    {"metric", step.metric},
                    {"for", step.scope_name},
                    {"data", step.data_file},
                    {"winner", step.winner_name},
                    {"changes", arm_json(step.changes)},
                    {"gain", estimate_json(step.gain)},
                    {"confirmed", step.confirmed},
                    {"p", step.confirmed ? Json(step.p) : Json()},
                    {"look", step.look},
                    {"end", step.decision},
                    {"adopted", step.adopted},
                    {"taken_back", step.taken_back}});
  }
  return {{"searches", std::move(list)}};
}

}  // namespace loam::cli
