#include "cli/help.h"

#include <fmt/format.h>

#include <algorithm>

namespace loam::cli {
namespace {

/// "-k, --passages N"
std::string option_words(const Setting& s) {
  std::string words = s.letter != 0 ? fmt::format("-{}, ", s.letter) : "    ";
  words += "--" + s.name;
  if (!s.value.empty()) words += " " + s.value;
  return words;
}

std::string help_with_default(const Setting& s) {
  std::string text = s.help;
  if (s.kind == ValueKind::choice) text += fmt::format(": {}", fmt::join(s.choices, ", "));
  const std::string value = s.default_text();
  if (s.kind != ValueKind::flag && !value.empty()) text += fmt::format(" [{}]", value);
  return text;
}

std::string two_columns(const std::vector<std::pair<std::string, std::string>>& rows,
                        const Terminal& terminal, std::size_t widest_left) {
  std::size_t left = 0;
  for (const auto& row : rows) left = std::max(left, display_width(row.first));
  left = std::min(left, widest_left);
  std::string out;
  for (const auto& [name, text] : rows) {
    const std::string rest(left + 4, ' ');
    const std::size_t used = display_width(name);
    std::string first = "  " + name + (used <= left ? std::string(left - used + 2, ' ') : "\n" + rest);
    if (used > left) {
      out += "  " + name + "\n" + wrap(text, terminal.width(), rest, rest) + "\n";
      continue;
    }
    // Paint after wrapping, so that colour codes do not count as columns.
    std::string wrapped = wrap(text, terminal.width(), first, rest);
    wrapped.replace(2, name.size(), terminal.paint(Style::bold, name));
    out += wrapped + "\n";
  }
  return out;
}

std::string examples_text(const std::vector<Example>& examples, const Terminal& terminal) {
  std::string out;
  for (const Example& e : examples) {
    out += fmt::format("  {}\n", terminal.paint(Style::cyan, e.command));
    out += fmt::format("      {}\n", e.shows);
  }
  return out;
}
}  // namespace

std::string program_help(const Terminal& terminal) {
  std::string out = "Answers from your own documents, on this machine, with every citation checked.\n\n";
  out += terminal.paint(Style::bold, "Usage:") + " loam VERB [ARGUMENTS] [OPTIONS]\n";
  std::string group;
  std::vector<std::pair<std::string, std::string>> rows;
  const auto finish_group = [&] {
    if (rows.empty()) return;
    out += "\n" + terminal.paint(Style::bold, group) + "\n" + two_columns(rows, terminal, 18);
    rows.clear();
  };
  for (const Verb& verb : verbs()) {
    if (verb.group.empty()) continue;
    if (verb.group != group) {
      finish_group();
      group = verb.group;
    }
    rows.emplace_back(verb.name, verb.summary);
  }
  finish_group();
  out += "\n" + terminal.paint(Style::bold, "Start here") + "\n";
  out += examples_text({{"loam ingest ~/Documents/handbook", "read a folder"},
                        {"loam ask \"How many days of leave do I have?\"", "ask it"}},
                       terminal);
  out += "\nEvery verb takes --json, --home DIR, --quiet, --verbose and --help.\n";
  out += "Exit status: 0 done or answered, 1 abstained, empty or below target, 2 failed.\n";
  return out;
}

std::string verb_help(const Verb& verb, const Terminal& terminal) {
  std::string out = wrap(verb.summary + (verb.summary.ends_with('?') ? "" : "."), terminal.width()) + "\n\n";
  out[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(out[0])));
  out += terminal.paint(Style::bold, "Usage:") + fmt::format(" loam {}", verb.name);
  if (!verb.arguments.empty()) {
    out += verb.least == 0 ? fmt::format(" [{}]", verb.arguments) : " " + verb.arguments;
  }
  out += " [OPTIONS]\n";
  if (!verb.details.empty()) out += "\n" + wrap(verb.details, terminal.width()) + "\n";
  std::vector<std::pair<std::string, std::string>> own;
  std::vector<std::pair<std::string, std::string>> everywhere;
  for (const Setting* s : settings_of(verb.name)) {
    const bool general = s->verbs.front() == "*";
    (general ? everywhere : own).emplace_back(option_words(*s), help_with_default(*s));
  }
  if (!own.empty())
    out += "\n" + terminal.paint(Style::bold, "Options") + "\n" + two_columns(own, terminal, 26);
  out += "\n" + terminal.paint(Style::bold, "Options of every verb") + "\n" +
         two_columns(everywhere, terminal, 26);
  if (!verb.examples.empty()) {
    out += "\n" + terminal.paint(Style::bold, "Examples") + "\n" + examples_text(verb.examples, terminal);
  }
  const std::string middle = verb.status_1.empty() ? "" : ", 1 " + verb.status_1;
  out += "\n" + wrap("Exit status: 0 done" + middle + ", 2 failed.", terminal.width()) + "\n";
  return out;
}

std::string group_help(std::string_view word, const Terminal& terminal) {
  std::string out =
      terminal.paint(Style::bold, "Usage:") + fmt::format(" loam {} VERB [ARGUMENTS] [OPTIONS]\n\n", word);
  std::vector<std::pair<std::string, std::string>> rows;
  for (const std::string& second : sub_verbs(word)) {
    const Verb* verb = find_verb(fmt::format("{} {}", word, second));
    rows.emplace_back(fmt::format("{} {} {}", word, second, verb->arguments), verb->summary);
  }
  out += two_columns(rows, terminal, 30);
  out += fmt::format("\nMore: loam {} VERB --help\n", word);
  return out;
}

std::string man_page() {
  const auto escape = [](std::string_view text) {
    std::string out;
    for (const char c : text) {
      if (c == '\\')
        out += "\\e";
      else if (c == '-')
        out += "\\-";
      else if (c == '"')
        out += "\\(dq";
      else if (c == '\'')
        out += "\\(aq";
      else if (c == '`')
        out += "\\(ga";
      else if (c == '~')
        out += "\\(ti";
      else
        out += c;
    }
    return out;
  };
  std::string out = fmt::format(".TH LOAM 1 \"\" \"Loam {}\" \"User Commands\"\n", LOAM_VERSION);
  out += ".SH NAME\nloam \\- answers from your own documents, with checked citations\n";
  out += ".SH SYNOPSIS\n.B loam\n.I VERB\n[\\fIARGUMENTS\\fR] [\\fIOPTIONS\\fR]\n";
  out +=
      ".SH DESCRIPTION\nLoam reads a folder of documents, finds the passages that answer a question, lets a "
      "language\n"
      "model on this machine draft an answer, and checks every citation by code before it is shown.\n"
      "Beside each answer stands the one that needs no language model; where the documents do not hold\n"
      "the answer, Loam says so.\n";
  out += ".SH VERBS\n";
  for (const Verb& verb : verbs()) {
    if (verb.group.empty()) continue;
    out += fmt::format(".SS \"{}\"\n",
                       escape(verb.arguments.empty() ? verb.name : verb.name + " " + verb.arguments));
    out += escape(verb.summary) + ".\n";
    if (!verb.details.empty()) out += escape(verb.details) + "\n";
    for (const Setting* s : settings_of(verb.name)) {
      if (s->verbs.front() == "*") continue;
      std::string words = option_words(*s);
      words.erase(0, words.find_first_not_of(' '));
      out += fmt::format(".TP\n.B {}\n{}\n", escape(words), escape(help_with_default(*s)));
    }
    if (!verb.examples.empty()) {
      out += ".PP\nExamples:\n";
      for (const Example& e : verb.examples) {
        out += fmt::format(".TP\n.B {}\n{}\n", escape(e.command), escape(e.shows));
      }
    }
  }
  out += ".SH OPTIONS OF EVERY VERB\n";
  for (const Setting& s : settings()) {
    if (s.verbs.front() != "*") continue;
    std::string words = option_words(s);
    words.erase(0, words.find_first_not_of(' '));
    out += fmt::format(".TP\n.B {}\n{}\n", escape(words), escape(help_with_default(s)));
  }
  out += ".SH CONFIGURATION FILE\nTOML. A flag wins over the file, the file over the default.\n";
  for (const Setting& s : settings()) {
    if (s.key.empty()) continue;
    out +=
        fmt::format(".TP\n.B {}\n{}; the same as \\-\\-{}\n", escape(s.key), escape(s.help), escape(s.name));
  }
  out +=
      ".SH ENVIRONMENT\n.TP\n.B LOAM_HOME\nthe default of \\-\\-home\n.TP\n.B LOAM_CONFIG\nthe default of "
      "\\-\\-config\n.TP\n.B LOAM_MODELS\nthe default of \\-\\-models\n.TP\n.B NO_COLOR\nno colours, unless "
      "\\-\\-color always\n";
  out +=
      ".SH EXIT STATUS\n.TP\n.B 0\ndone, or answered\n.TP\n.B 1\nabstained, empty, or below the asked "
      "target\n"
      ".TP\n.B 2\nfailed; standard error has one line that names the kind, the place and the next step\n";
  return out;
}

}  // namespace loam::cli
