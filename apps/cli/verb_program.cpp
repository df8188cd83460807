// Verbs about the program itself: version, help, completion, man, settings.
#include <fmt/format.h>

#include "base/json.h"
#include "cli/config.h"
#include "cli/context.h"
#include "cli/help.h"
#include "cli/nearest.h"

namespace loam::cli {

Result<Outcome> run_version(Context& context) {
  Terminal& terminal = context.terminal();
  if (terminal.json()) {
    terminal.json({{"name", "loam"},
                   {"version", LOAM_VERSION},
                   {"backend", LOAM_BACKEND},
                   {"engine", "llama.cpp v0.5.0"}});
  } else {
    terminal.line(fmt::format("loam {} (llama.cpp v0.5.0, {})", LOAM_VERSION, LOAM_BACKEND));
  }
  return Outcome::done;
}

Result<Outcome> run_help(Context& context) {
  Terminal& terminal = context.terminal();
  const auto& words = context.arguments();
  if (terminal.json()) {
    Json all = Json::array();
    for (const Verb& verb : verbs()) {
      if (verb.group.empty()) continue;
      Json options = Json::array();
      for (const Setting* s : settings_of(verb.name)) {
        options.push_back({{"name", s->name},
                           {"letter", s->letter != 0 ? Json(std::string(1, s->letter)) : Json()},
                           {"value", s->value.empty() ? Json() : Json(s->value)},
                           {"kind", name_of(s->kind)},
                           {"help", s->help},
                           {"default", s->default_text()},
                           {"config", s->key.empty() ? Json() : Json(s->key)}});
      }
      all.push_back({{"verb", verb.name},
                     {"arguments", verb.arguments},
                     {"summary", verb.summary},
                     {"options", options}});
    }
    terminal.json({{"verbs", all}});
    return Outcome::done;
  }
  if (words.empty()) {
    terminal.out(program_help(terminal));
    return Outcome::done;
  }
  const std::string name = fmt::format("{}", fmt::join(words, " "));
  if (const Verb* verb = find_verb(name); verb != nullptr && !verb->group.empty()) {
    terminal.out(verb_help(*verb, terminal));
  } else if (words.size() == 1 && !sub_verbs(name).empty()) {
    terminal.out(group_help(name, terminal));
  } else {
    const auto meant = nearest(words.front(), verb_words());
    return Error{Kind::bad_request, "loam help " + name, "there is no such verb",
                 meant ? "loam help " + *meant : "loam help"};
  }
  return Outcome::done;
}

Result<Outcome> run_completion(Context& context) {
  auto script = completion_script(context.arguments().front());
  if (!script) return script.error();
  if (context.terminal().json()) {
    context.terminal().json({{"shell", context.arguments().front()}, {"script", *script}});
  } else {
    context.terminal().out(*script);
  }
  return Outcome::done;
}

Result<Outcome> run_man(Context& context) {
  if (context.terminal().json()) {
    context.terminal().json({{"roff", man_page()}});
  } else {
    context.terminal().out(man_page());
  }
  return Outcome::done;
}

Result<Outcome> run_settings(Context& context) {
  Terminal& terminal = context.terminal();
  if (terminal.json()) {
    terminal.line(config_schema_json());
    return Outcome::done;
  }
  std::error_code ignored;
  std::string collection;
  if (std::filesystem::exists(context.store_file(), ignored)) {
    auto store = context.open_store();
    if (!store) return store.error();
    auto found = (*store)->find_collection(context.options().collection);
    if (!found) return found.error();
    if (*found) {
      collection = (*found)->name;
      if (auto used = context.use_adopted(**store, store::scope_of((*found)->id)); !used) return used.error();
    }
  }
  Table table({Table::Align::left, Table::Align::left, Table::Align::left, Table::Align::left});
  table.add({"KEY", "VALUE", "FROM", "MEANING"}, Style::bold);
  for (const Setting& s : settings()) {
    if (s.key.empty()) continue;
    const auto line = context.config_lines.find(s.key);
    const bool from_file = line != context.config_lines.end();
    std::string value = s.get(context.options());
    if (value.empty()) value = "-";
    const bool adopted = context.adopted().contains(s.key);
    const std::string from = from_file ? fmt::format("line {}", line->second)
                             : adopted ? fmt::format("run {}", number_of(context.adopted_run()))
                                       : "default";
    table.add({s.key, value, from, s.help}, from_file || adopted ? Style::green : Style::plain);
  }
  terminal.out(table.text(terminal));
  terminal.line();
  if (!context.adopted().empty()) {
    terminal.line(
        wrap(printable(fmt::format("What comes from run {} was adopted by loam improve for collection "
                                   "\"{}\"; loam improve --undo -c {} takes it back.",
                                   number_of(context.adopted_run()), collection, collection)),
             terminal.width()));
  }
  if (context.config_file.empty()) {
    terminal.line(wrap(fmt::format("No settings file. To make one: {}/config.toml, with lines such as",
                                   context.home().string()),
                       terminal.width()));
    terminal.line("\n  [ask]\n  passages = 6");
  } else {
    terminal.line("Settings file: " + context.config_file.string());
  }
  return Outcome::done;
}

}  // namespace loam::cli
