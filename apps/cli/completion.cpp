// Completion scripts. Each carries the whole table, so that the shell never has to start the program.
#include <fmt/format.h>

#include "cli/help.h"
#include "cli/settings.h"

namespace loam::cli {
namespace {

std::string option_list(const Verb& verb) {
  std::vector<std::string> words;
  for (const Setting* s : settings_of(verb.name)) {
    words.push_back("--" + s->name);
    if (s->letter != 0) words.push_back(fmt::format("-{}", s->letter));
  }
  return fmt::format("{}", fmt::join(words, " "));
}

/// The words that a verb's own argument can be, where they are known beforehand.
std::vector<std::string> argument_words(const Verb& verb) {
  if (verb.name == "completion") return {"bash", "zsh", "fish"};
  if (verb.name == "help") return verb_words();
  return {};
}

/// Only there can an argument be a file.
bool takes_arguments(const Verb& verb) { return verb.most != 0; }

std::string bash_script() {
  std::string out = "# bash completion for loam: source <(loam completion bash)\n_loam() {\n";
  out += "  local cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"${COMP_WORDS[COMP_CWORD-1]}\" verb=\"\" i\n";
  out += "  for ((i = 1; i < COMP_CWORD; i++)); do\n";
  out +=
      "    case \"${COMP_WORDS[i]}\" in\n      -*) ;;\n      *) verb=\"${verb:+$verb }${COMP_WORDS[i]}\" "
      ";;\n    esac\n  done\n";
  out += "  case \"$prev\" in\n";
  for (const Setting& s : settings()) {
    if (s.kind == ValueKind::choice) {
      out += fmt::format("    --{}) COMPREPLY=($(compgen -W \"{}\" -- \"$cur\")); return ;;\n", s.name,
                         fmt::join(s.choices, " "));
    } else if (s.kind == ValueKind::file) {
      out += fmt::format("    --{}) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n", s.name);
    } else if (s.kind == ValueKind::folder) {
      out += fmt::format("    --{}) COMPREPLY=($(compgen -d -- \"$cur\")); return ;;\n", s.name);
    }
  }
  out += "  esac\n  local words=\"\" options=\"\" files=\"\"\n  case \"$verb\" in\n";
  out += fmt::format("    \"\") words=\"{} --help --version\" ;;\n", fmt::join(verb_words(), " "));
  for (const std::string& word : verb_words()) {
    if (!sub_verbs(word).empty())
      out += fmt::format("    {}) words=\"{}\" ;;\n", word, fmt::join(sub_verbs(word), " "));
  }
  for (const Verb& verb : verbs()) {
    if (verb.group.empty()) continue;
    out += fmt::format("    \"{}\"*) words=\"{}\" options=\"{}\"{} ;;\n", verb.name,
                       fmt::join(argument_words(verb), " "), option_list(verb),
                       takes_arguments(verb) && argument_words(verb).empty() ? " files=1" : "");
  }
  out += "  esac\n";
  out += "  if [[ \"$cur\" == -* && -n \"$options\" ]]; then words=\"$options\" files=\"\"; fi\n";
  out += "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n";
  out += "  if [[ -n \"$files\" ]]; then COMPREPLY=($(compgen -f -- \"$cur\")); fi\n";
  out += "}\ncomplete -o filenames -F _loam loam\n";
  return out;
}

/// Text inside single quotes of zsh's _arguments: brackets and colons have a meaning there.
std::string zsh_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out;
}

std::string zsh_options(const Verb& verb) {
  std::string out;
  for (const Setting* s : settings_of(verb.name)) {
    std::string action;
    if (s->kind == ValueKind::choice)
      action = fmt::format(":{}:({})", s->value, fmt::join(s->choices, " "));
    else if (s->kind == ValueKind::file)
      action = fmt::format(":{}:_files", s->value);
    else if (s->kind == ValueKind::folder)
      action = fmt::format(":{}:_files -/", s->value);
    else if (s->kind != ValueKind::flag)
      action = fmt::format(":{}:", s->value);
    out += fmt::format(" \\\n        '--{}[{}]{}'", s->name, zsh_text(s->help), action);
    if (s->letter != 0) out += fmt::format(" \\\n        '-{}[{}]{}'", s->letter, zsh_text(s->help), action);
  }
  const auto words = argument_words(verb);
  if (!words.empty()) return out + fmt::format(" \\\n        '*:argument:({})'\n", fmt::join(words, " "));
  return out + (takes_arguments(verb) ? " \\\n        '*:file:_files'\n" : "\n");
}

std::string zsh_script() {
  std::string out =
      "#compdef loam\n# zsh completion for loam: loam completion zsh > \"${fpath[1]}/_loam\"\n_loam() {\n";
  out += "  local -a verbs\n  if (( CURRENT == 2 )); then\n    verbs=(\n";
  for (const std::string& word : verb_words()) {
    const Verb* verb = find_verb(word);
    out += fmt::format(
        "      '{}:{}'\n", word,
        verb != nullptr ? zsh_text(verb->summary) : fmt::format("{}", fmt::join(sub_verbs(word), ", ")));
  }
  out += "    )\n    _describe verb verbs\n    return\n  fi\n  case \"$words[2]\" in\n";
  for (const std::string& word : verb_words()) {
    const auto seconds = sub_verbs(word);
    if (seconds.empty()) {
      out += fmt::format("    {})\n      _arguments{}      ;;\n", word, zsh_options(*find_verb(word)));
      continue;
    }
    out += fmt::format("    {})\n      if (( CURRENT == 3 )); then\n        verbs=(\n", word);
    for (const std::string& second : seconds) {
      out += fmt::format("          '{}:{}'\n", second, zsh_text(find_verb(word + " " + second)->summary));
    }
    out += "        )\n        _describe verb verbs\n        return\n      fi\n      case \"$words[3]\" in\n";
    for (const std::string& second : seconds) {
      out += fmt::format("      {})\n      _arguments{}      ;;\n", second,
                         zsh_options(*find_verb(word + " " + second)));
    }
    out += "      esac ;;\n";
  }
  out += "  esac\n}\nif [ \"$funcstack[1]\" = \"_loam\" ]; then _loam \"$@\"; else compdef _loam loam; fi\n";
  return out;
}

std::string fish_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string fish_script() {
  std::string out =
      "# fish completion for loam: loam completion fish > ~/.config/fish/completions/loam.fish\n";
  out += fmt::format("set -l verbs {}\n", fmt::join(verb_words(), " "));
  out += "complete -c loam -n \"not __fish_seen_subcommand_from $verbs\" -f\n";
  for (const std::string& word : verb_words()) {
    const Verb* verb = find_verb(word);
    if (!sub_verbs(word).empty()) {
      out += fmt::format(
          "complete -c loam -n \"__fish_seen_subcommand_from {}; and not __fish_seen_subcommand_from {}\" "
          "-f\n",
          word, fmt::join(sub_verbs(word), " "));
    } else if (verb != nullptr && !argument_words(*verb).empty()) {
      out += fmt::format("complete -c loam -n \"__fish_seen_subcommand_from {}\" -f -a {}\n", word,
                         fish_quoted(fmt::format("{}", fmt::join(argument_words(*verb), " "))));
    } else if (verb != nullptr && !takes_arguments(*verb)) {
      out += fmt::format("complete -c loam -n \"__fish_seen_subcommand_from {}\" -f\n", word);
    }
    out += fmt::format(
        "complete -c loam -n \"not __fish_seen_subcommand_from $verbs\" -a {} -d {}\n", word,
        fish_quoted(verb != nullptr ? verb->summary : fmt::format("{}", fmt::join(sub_verbs(word), ", "))));
    for (const std::string& second : sub_verbs(word)) {
      out += fmt::format(
          "complete -c loam -n \"__fish_seen_subcommand_from {0}; and not __fish_seen_subcommand_from {1}\" "
          "-a {2} -d {3}\n",
          word, fmt::join(sub_verbs(word), " "), second,
          fish_quoted(find_verb(word + " " + second)->summary));
    }
  }
  for (const Verb& verb : verbs()) {
    if (verb.group.empty()) continue;
    const std::size_t space = verb.name.find(' ');
    const std::string condition =
        space == std::string::npos
            ? fmt::format("__fish_seen_subcommand_from {}", verb.name)
            : fmt::format("__fish_seen_subcommand_from {}; and __fish_seen_subcommand_from {}",
                          verb.name.substr(0, space), verb.name.substr(space + 1));
    for (const Setting* s : settings_of(verb.name)) {
      out += fmt::format("complete -c loam -n \"{}\" -l {}", condition, s->name);
      if (s->letter != 0) out += fmt::format(" -s {}", s->letter);
      if (s->kind == ValueKind::choice)
        out += fmt::format(" -x -a {}", fish_quoted(fmt::format("{}", fmt::join(s->choices, " "))));
      else if (s->kind == ValueKind::file || s->kind == ValueKind::folder)
        out += " -r";
      else if (s->kind != ValueKind::flag)
        out += " -x";
      out += " -d " + fish_quoted(s->help) + "\n";
    }
  }
  return out;
}
}  // namespace

Result<std::string> completion_script(std::string_view shell) {
  if (shell == "bash") return bash_script();
  if (shell == "zsh") return zsh_script();
  if (shell == "fish") return fish_script();
  return Error{Kind::bad_request, "loam completion " + std::string(shell),
               "there are scripts for bash, zsh and fish", "loam completion bash"};
}

}  // namespace loam::cli
