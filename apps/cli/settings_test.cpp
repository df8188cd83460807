#include "cli/settings.h"

#include <gtest/gtest.h>

#include <set>

#include "cli/config.h"
#include "cli/help.h"
#include "cli/parse.h"

namespace loam::cli {
namespace {

/// A verb that takes the setting, as words of the command line with enough arguments.
std::vector<std::string> call_of(const Setting& setting) {
  const Verb* verb = setting.verbs.front() == "*" ? find_verb("search") : find_verb(setting.verbs.front());
  std::vector<std::string> words;
  const std::size_t space = verb->name.find(' ');
  words.push_back(verb->name.substr(0, space));
  if (space != std::string::npos) words.push_back(verb->name.substr(space + 1));
  for (int i = 0; i < verb->least; ++i) words.emplace_back("argument");
  return words;
}

Result<Options> options_from(std::vector<std::string> words, const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  auto line = parse_line(words);
  if (!line) return line.error();
  Options options;
  for (const auto& [setting, value] : line->given) {
    if (auto ok = apply(*setting, value, "--" + setting->name, options); !ok) return ok.error();
  }
  return options;
}

// One test for the whole table: a setting without help, without a value that works or with a value that is
// taken although it must not be, fails here under its own name. proves P-CLI-02
class EachSetting : public testing::TestWithParam<std::size_t> {
 protected:
  const Setting& setting() const { return settings()[GetParam()]; }
};

TEST_P(EachSetting, has_help_and_a_sample) {
  EXPECT_FALSE(setting().help.empty());
  EXPECT_FALSE(setting().good.empty()) << "give the setting a value that its test can set";
  EXPECT_FALSE(setting().help.ends_with('.')) << "help lines are no sentences";
  EXPECT_EQ(setting().value.empty(), setting().kind == ValueKind::flag);
  for (const std::string& verb : setting().verbs) {
    if (verb != "*") {
      EXPECT_NE(find_verb(verb), nullptr) << verb;
    }
  }
}

TEST_P(EachSetting, is_read_from_its_long_name) {
  const std::string name = "--" + setting().name;
  const bool is_flag = setting().kind == ValueKind::flag;
  auto parted = options_from(call_of(setting()), is_flag ? std::vector<std::string>{name}
                                                         : std::vector<std::string>{name, setting().good});
  ASSERT_TRUE(parted) << parted.error().line();
  EXPECT_EQ(setting().get(*parted), setting().good);
  auto joined = options_from(call_of(setting()), {name + "=" + setting().good});
  ASSERT_TRUE(joined) << joined.error().line();
  EXPECT_EQ(setting().get(*joined), setting().good);
}

TEST_P(EachSetting, is_read_from_its_letter) {
  if (setting().letter == 0) return;
  const std::string letter = std::string("-") + setting().letter;
  const bool is_flag = setting().kind == ValueKind::flag;
  auto parted = options_from(call_of(setting()), is_flag ? std::vector<std::string>{letter}
                                                         : std::vector<std::string>{letter, setting().good});
  ASSERT_TRUE(parted) << parted.error().line();
  EXPECT_EQ(setting().get(*parted), setting().good);
}

TEST_P(EachSetting, refuses_a_bad_value_and_names_itself) {
  if (setting().bad.empty()) return;
  auto read = options_from(call_of(setting()), {"--" + setting().name + "=" + setting().bad});
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, Kind::bad_request);
  EXPECT_EQ(read.error().place, "--" + setting().name);
  EXPECT_NE(read.error().message.find(setting().bad), std::string::npos);
}

TEST_P(EachSetting, is_read_from_its_configuration_key) {
  if (setting().key.empty()) return;
  const std::size_t dot = setting().key.find('.');
  ASSERT_NE(dot, std::string::npos);
  const bool bare = setting().kind == ValueKind::flag || setting().kind == ValueKind::number ||
                    setting().kind == ValueKind::decimal;
  const std::string value = bare ? setting().good : "\"" + setting().good + "\"";
  Options options;
  auto ok = apply_config(
      "[" + setting().key.substr(0, dot) + "]\n" + setting().key.substr(dot + 1) + " = " + value + "\n",
      "config.toml", options);
  ASSERT_TRUE(ok) << ok.error().line();
  EXPECT_EQ(setting().get(options), setting().good);
}

TEST_P(EachSetting, is_in_help_completion_and_manual) {
  const Terminal terminal;
  const Verb* verb = find_verb(setting().verbs.front() == "*" ? "ask" : setting().verbs.front());
  EXPECT_NE(verb_help(*verb, terminal).find("--" + setting().name), std::string::npos);
  for (const char* shell : {"bash", "zsh"}) {
    EXPECT_NE(completion_script(shell)->find("--" + setting().name), std::string::npos) << shell;
  }
  EXPECT_NE(completion_script("fish")->find("-l " + setting().name), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(table, EachSetting, testing::Range(std::size_t{0}, settings().size()),
                         [](const auto& parameter) {
                           const Setting& s = settings()[parameter.param];
                           std::string name = s.verbs.front() + "_" + s.name;
                           for (char& c : name) {
                             if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
                           }
                           return name;
                         });

TEST(settings, no_letter_and_no_name_means_two_things_in_one_verb) {
  for (const Verb& verb : verbs()) {
    std::set<char> letters;
    std::set<std::string> names;
    for (const Setting* s : settings_of(verb.name)) {
      EXPECT_TRUE(names.insert(s->name).second) << verb.name << " --" << s->name;
      if (s->letter != 0) {
        EXPECT_TRUE(letters.insert(s->letter).second) << verb.name << " -" << s->letter;
      }
    }
  }
}

TEST(settings, no_two_settings_share_a_configuration_key) {
  std::set<std::string> keys;
  for (const Setting& s : settings()) {
    if (!s.key.empty()) {
      EXPECT_TRUE(keys.insert(s.key).second) << s.key;
    }
  }
}

TEST(verbs, each_shown_verb_has_a_summary_and_an_example) {
  for (const Verb& verb : verbs()) {
    EXPECT_FALSE(verb.summary.empty()) << verb.name;
    EXPECT_NE(verb.run, nullptr) << verb.name;
    if (verb.name != "version") {
      EXPECT_FALSE(verb.examples.empty()) << verb.name;
    }
  }
}

// Help that shows a command which does not parse would send people into an error.
TEST(verbs, each_example_is_a_line_the_parser_takes) {
  for (const Verb& verb : verbs()) {
    for (const Example& example : verb.examples) {
      std::vector<std::string> words;
      std::string word;
      bool quoted = false;
      bool started = false;
      for (const char c : example.command) {
        if (c == '"') {
          quoted = !quoted;
          started = true;
        } else if (c == ' ' && !quoted) {
          if (started) words.push_back(word);
          word.clear();
          started = false;
        } else {
          word += c;
          started = true;
        }
      }
      if (started) words.push_back(word);
      if (words.front() != "loam" || example.command.find('|') != std::string::npos)
        continue;  // shell examples
      words.erase(words.begin());
      auto line = parse_line(words);
      ASSERT_TRUE(line) << example.command << ": " << line.error().line();
      EXPECT_EQ(line->verb->name, verb.name) << example.command;
    }
  }
}

TEST(configuration, names_file_line_and_the_nearest_key) {  // proves P-CLI-03
  Options options;
  auto ok = apply_config("[ask]\npassages = 6\npasages = 7\n", "config.toml", options);
  ASSERT_FALSE(ok);
  EXPECT_EQ(ok.error().kind, Kind::bad_request);
  EXPECT_EQ(ok.error().place, "config.toml line 3");
  EXPECT_EQ(ok.error().next_step, "ask.passages");
}

TEST(configuration, refuses_a_value_of_another_type) {
  Options options;
  auto ok = apply_config("[ask]\n\npassages = \"six\"\n", "config.toml", options);
  ASSERT_FALSE(ok);
  EXPECT_EQ(ok.error().place, "config.toml line 3");
  EXPECT_NE(ok.error().message.find("a whole number"), std::string::npos);
}

TEST(configuration, refuses_what_is_no_toml) {
  Options options;
  auto ok = apply_config("[ask\n", "config.toml", options);
  ASSERT_FALSE(ok);
  EXPECT_EQ(ok.error().place, "config.toml line 1");
}

TEST(configuration, points_to_the_right_table_for_a_key_in_the_wrong_one) {
  Options options;
  auto ok = apply_config("[engine]\npassages = 6\n", "config.toml", options);
  ASSERT_FALSE(ok);
  EXPECT_EQ(ok.error().next_step, "ask.passages");
}

TEST(configuration, refuses_a_value_out_of_range_and_names_the_range) {
  Options options;
  auto ok = apply_config("[ask]\npassages = 0\n", "config.toml", options);
  ASSERT_FALSE(ok);
  EXPECT_NE(ok.error().message.find("1 to 50"), std::string::npos);
}
}  // namespace
}  // namespace loam::cli
