#include "cli/parse.h"

#include <fmt/format.h>

#include "cli/nearest.h"

namespace loam::cli {
namespace {

std::vector<std::string> long_names(std::string_view verb) {
  std::vector<std::string> names;
  for (const Setting* s : settings_of(verb)) names.push_back("--" + s->name);
  return names;
}

Error unknown_verb(const std::string& word) {
  const auto meant = nearest(word, verb_words());
  return Error{Kind::bad_request, "loam " + word, "there is no such verb",
               meant ? "loam " + *meant : "loam --help"};
}

Error unknown_sub_verb(const std::string& word, const std::string& second) {
  const std::vector<std::string> known = sub_verbs(word);
  if (second.empty()) {
    return Error{Kind::bad_request, "loam " + word, fmt::format("say which: {}", fmt::join(known, ", ")),
                 fmt::format("loam {} --help", word)};
  }
  const auto meant = nearest(second, known);
  return Error{Kind::bad_request, fmt::format("loam {} {}", word, second),
               fmt::format("there is no such verb; there are {}", fmt::join(known, ", ")),
               meant ? fmt::format("loam {} {}", word, *meant) : fmt::format("loam {} --help", word)};
}

Error unknown_option(const std::string& verb, const std::string& option) {
  const std::string name = option.substr(0, option.find('='));
  if (const auto meant = nearest(name, long_names(verb))) {
    return Error{Kind::bad_request, fmt::format("loam {} {}", verb, name), "there is no such option", *meant};
  }
  // An option of another verb is a likelier mistake than a new word.
  for (const Setting& s : settings()) {
    if ("--" + s.name == name && !s.verbs.empty()) {
      return Error{Kind::bad_request, fmt::format("loam {} {}", verb, name),
                   fmt::format("this option belongs to loam {}", fmt::join(s.verbs, ", loam ")),
                   fmt::format("loam {} --help", verb)};
    }
  }
  return Error{Kind::bad_request, fmt::format("loam {} {}", verb, name), "there is no such option",
               fmt::format("loam {} --help", verb)};
}

/// Whether the word after this option of `loam WORD ...` is its value.
bool takes_next_word(const std::string& word, const std::string& option) {
  if (option.find('=') != std::string::npos || option == "--") return false;
  for (const Setting& s : settings()) {
    if (s.kind == ValueKind::flag) continue;
    if (option != "--" + s.name && (s.letter == 0 || option != std::string("-") + s.letter)) continue;
    for (const std::string& verb : s.verbs) {
      if (verb == "*" || verb.starts_with(word + " ")) return true;
    }
  }
  return false;
}

/// Reads the options and arguments of a known verb.
class LineReader {
 public:
  LineReader(const std::vector<std::string>& words, ParsedLine& line) : words_(words), line_(line) {}

  Result<void> read() {
    bool options_end = false;
    for (at_ = 0; at_ < words_.size(); ++at_) {
      const std::string& word = words_[at_];
      if (options_end || !looks_like_option(word)) {
        line_.arguments.push_back(word);
      } else if (word == "--") {
        options_end = true;
      } else if (word.starts_with("--")) {
        if (auto ok = long_option(word); !ok) return ok;
      } else {
        if (auto ok = short_options(word); !ok) return ok;
      }
    }
    return done();
  }

 private:
  Result<void> long_option(const std::string& word) {
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
    const Setting* setting = find_setting(line_.verb->name, name);
    if (setting == nullptr && name.starts_with("no-")) {
      const Setting* positive = find_setting(line_.verb->name, name.substr(3));
      if (positive != nullptr && positive->kind == ValueKind::flag && equals == std::string::npos) {
        return take(*positive, "false");
      }
    }
    if (setting == nullptr) return unknown_option(line_.verb->name, word);
    if (equals != std::string::npos) return take(*setting, word.substr(equals + 1));
    if (setting->kind == ValueKind::flag) return take(*setting, "true");
    return take_next(*setting, word);
  }

  Result<void> short_options(const std::string& word) {
    for (std::size_t i = 1; i < word.size(); ++i) {
      const Setting* setting = find_setting(line_.verb->name, word[i]);
      if (setting == nullptr) return unknown_option(line_.verb->name, "-" + std::string(1, word[i]));
      if (setting->kind == ValueKind::flag) {
        if (auto ok = take(*setting, "true"); !ok) return ok;
        continue;
      }
      if (i + 1 < word.size()) return take(*setting, word.substr(i + 1 + (word[i + 1] == '=' ? 1 : 0)));
      return take_next(*setting, "-" + std::string(1, word[i]));
    }
    return done();
  }

  Result<void> take_next(const Setting& setting, const std::string& as_typed) {
    if (at_ + 1 >= words_.size()) {
      return Error{Kind::bad_request, as_typed,
                   fmt::format("a value is missing ({}: {})", setting.value, setting.help),
                   fmt::format("{} {}", as_typed, setting.value)};
    }
    return take(setting, words_[++at_]);
  }

  Result<void> take(const Setting& setting, const std::string& value) {
    Options scratch;  // the value is checked now, and set when the configuration file has been read
    if (auto ok = apply(setting, value, "--" + setting.name, scratch); !ok) return ok;
    if (setting.name == "help") line_.help = true;
    line_.given.emplace_back(&setting, value);
    return done();
  }

  const std::vector<std::string>& words_;
  ParsedLine& line_;
  std::size_t at_ = 0;
};

Result<void> check_argument_count(const ParsedLine& line) {
  const Verb& verb = *line.verb;
  const auto count = static_cast<int>(line.arguments.size());
  if (count < verb.least) {
    return Error{Kind::bad_request, "loam " + verb.name, fmt::format("{} is missing", verb.arguments),
                 verb.examples.empty() ? fmt::format("loam {} {}", verb.name, verb.arguments)
                                       : verb.examples.front().command};
  }
  if (verb.most >= 0 && count > verb.most) {
    const std::string& extra = line.arguments[static_cast<std::size_t>(verb.most)];
    const bool one_text = verb.most == 1;
    return Error{Kind::bad_request, "loam " + verb.name,
                 fmt::format("\"{}\" is one argument too many", extra),
                 one_text ? fmt::format("loam {} \"{}\"", verb.name, fmt::join(line.arguments, " "))
                          : fmt::format("loam {} --help", verb.name)};
  }
  return done();
}
}  // namespace

bool looks_like_option(std::string_view word) {
  if (word.size() < 2 || word[0] != '-') return false;
  return !(word[1] >= '0' && word[1] <= '9') && word[1] != '.';
}

Result<ParsedLine> parse_line(const std::vector<std::string>& words) {
  // Options may come before the verb (`loam --home X ask ...`); only those of every verb are possible there.
  std::vector<std::string> rest;
  std::string word;
  std::size_t at = 0;
  while (at < words.size() && word.empty()) {
    const std::string& next = words[at++];
    if (!looks_like_option(next) || next == "--") {
      word = next;
      break;
    }
    if (next == "--version" || next == "-V") {
      word = "version";
      break;
    }
    rest.push_back(next);
    const bool is_long = next.starts_with("--");
    const Setting* setting =
        is_long ? find_setting("*", next.substr(2, next.find('=') == std::string::npos ? std::string::npos
                                                                                       : next.find('=') - 2))
                : find_setting("*", next[1]);
    if (setting == nullptr) {
      const std::string name = next.substr(0, next.find('='));
      const auto meant = nearest(name, long_names("*"));
      return Error{Kind::bad_request, "loam " + name, "there is no such option before the verb",
                   meant.value_or("loam --help")};
    }
    const bool has_value = next.find('=') != std::string::npos || (!is_long && next.size() > 2);
    if (setting->kind != ValueKind::flag && !has_value && at < words.size()) rest.push_back(words[at++]);
  }
  rest.insert(rest.end(), words.begin() + static_cast<std::ptrdiff_t>(at), words.end());

  ParsedLine line;
  if (word.empty()) {  // bare `loam`, or options alone: help is what helps
    line.verb = find_verb("help");
    if (auto ok = LineReader(rest, line).read(); !ok) return ok.error();
    return line;
  }
  const std::vector<std::string> seconds = sub_verbs(word);
  if (!seconds.empty()) {
    std::size_t second_at = 0;  // the second word is the first one that is no option
    while (second_at < rest.size() && looks_like_option(rest[second_at]))
      second_at += takes_next_word(word, rest[second_at]) ? 2 : 1;
    const std::string second = second_at < rest.size() ? rest[second_at] : "";
    line.verb = second.empty() ? nullptr : find_verb(word + " " + second);
    if (line.verb != nullptr) {
      rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(second_at));
    } else {
      for (const std::string& option : rest) {
        if (option == "--help" || option == "-h") {
          line.verb = find_verb("help");
          line.help_word = word;
          line.arguments = {word};
          return line;
        }
      }
      // `loam ledger tickets`: words for the bare verb, unless another verb was meant.
      const Verb* bare = bare_verb(word);
      const bool for_bare =
          second.empty() || (bare != nullptr && bare->most != 0 && !nearest(second, seconds));
      line.verb = for_bare ? bare : nullptr;
      if (line.verb == nullptr) return unknown_sub_verb(word, second);
    }
  } else {
    line.verb = find_verb(word);
    if (line.verb == nullptr) return unknown_verb(word);
  }
  if (auto ok = LineReader(rest, line).read(); !ok) return ok.error();
  if (!line.help) {
    if (auto ok = check_argument_count(line); !ok) return ok.error();
  }
  return line;
}

}  // namespace loam::cli
