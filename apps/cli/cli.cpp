#include "cli/cli.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>

#include "base/json.h"
#include "cli/config.h"
#include "cli/context.h"
#include "cli/help.h"
#include "cli/parse.h"

namespace loam::cli {
namespace fs = std::filesystem;
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

/// Where Loam lives when no one says: the XDG base directory specification's place for a user's data.
Result<std::string> default_home() {
  if (const std::string home = environment("LOAM_HOME"); !home.empty()) return home;
  if (const std::string data = environment("XDG_DATA_HOME"); data.starts_with('/')) return data + "/loam";
  if (const std::string user = environment("HOME"); !user.empty()) return user + "/.local/share/loam";
  return Error{Kind::bad_request, "home", "neither LOAM_HOME nor HOME is set", "loam --home DIR"};
}

struct Prepared {
  Options options;
  fs::path config_file;
  std::map<std::string, int> config_lines;
  std::vector<std::string> given_names;
};

/// Flag over configuration file over default; the environment only says where things lie.
Result<Prepared> prepare(const ParsedLine& line) {
  Prepared prepared;
  Options typed;
  for (const auto& [setting, value] : line.given) {
    if (auto ok = apply(*setting, value, "--" + setting->name, typed); !ok) return ok.error();
  }
  if (typed.home.empty()) {
    auto home = default_home();
    if (!home) return home.error();
    typed.home = *home;
  }
  std::string file = !typed.config.empty() ? typed.config : environment("LOAM_CONFIG");
  const bool asked_for = !file.empty();
  if (!asked_for) file = (fs::path(typed.home) / "config.toml").string();
  std::error_code ignored;
  if (asked_for || fs::exists(file, ignored)) {
    auto text = read_text_file(file);
    if (!text) return text.error();
    if (auto ok = apply_config(*text, file, prepared.options, &prepared.config_lines); !ok) return ok.error();
    prepared.config_file = file;
  }
  for (const auto& [setting, value] : line.given) {
    if (auto ok = apply(*setting, value, "--" + setting->name, prepared.options); !ok) return ok.error();
    prepared.given_names.push_back(setting->name);
  }
  prepared.options.home = fs::absolute(typed.home, ignored).lexically_normal().string();
  if (prepared.options.models.empty()) prepared.options.models = environment("LOAM_MODELS");
  return prepared;
}

int fail(Terminal& terminal, const Error& error) {
  terminal.error(error.line());
  return static_cast<int>(Outcome::failed);
}

int run_words(const std::vector<std::string>& words, Terminal& terminal) {
  auto line = parse_line(words);
  if (!line) return fail(terminal, line.error());
  if (line->help && line->verb->name != "help") {
    terminal.out(verb_help(*line->verb, terminal));
    terminal.flush();
    return 0;
  }
  auto prepared = prepare(*line);
  if (!prepared) return fail(terminal, prepared.error());
  terminal.configure(prepared->options);
  Context context(*line->verb, std::move(prepared->options), std::move(line->arguments), terminal);
  context.config_file = prepared->config_file;
  context.config_lines = std::move(prepared->config_lines);
  context.given_names = std::move(prepared->given_names);
  const Result<Outcome> outcome = line->verb->run(context);
  terminal.wipe_progress();
  if (!outcome) return fail(terminal, outcome.error());
  terminal.flush();
  return static_cast<int>(*outcome);
}
}  // namespace

int run(int argc, char** argv) {
  // A pipe whose reader has left is found by the failing write, so that a dead reader's child or a closed
  // network connection never ends the program.
  ::signal(SIGPIPE, SIG_IGN);
  if (argc == 2 && std::string_view(argv[1]) == "reader-worker") {
    // Started by the reader with an empty environment: no settings, no home, nothing but its two channels.
    return reader::run_reader_worker(reader::kWorkerRequestFd, reader::kWorkerReplyFd);
  }
  Terminal terminal;
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  try {
    return run_words(words, terminal);
  } catch (const std::bad_alloc&) {
    return fail(terminal, {Kind::out_of_room, "memory", "there is not enough", "loam fit MODEL"});
  } catch (const std::exception& unexpected) {
    return fail(terminal,
                {Kind::our_bug, "loam", unexpected.what(), "report this with the command that led to it"});
  }
}

}  // namespace loam::cli
