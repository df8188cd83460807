#include "cli/parse.h"

#include <gtest/gtest.h>

#include "cli/nearest.h"
#include "cli/terminal.h"

namespace loam::cli {
namespace {

std::string line_of(const Result<ParsedLine>& parsed) { return parsed ? "" : parsed.error().line(); }

TEST(parse, takes_options_before_and_after_the_verb_and_between_arguments) {
  auto line = parse_line({"--home", "/h", "explain", "--json", "Q", "-k", "7", "file.md"});
  ASSERT_TRUE(line) << line_of(line);
  EXPECT_EQ(line->verb->name, "explain");
  EXPECT_EQ(line->arguments, (std::vector<std::string>{"Q", "file.md"}));
  EXPECT_EQ(line->given.size(), 3U);
}

TEST(parse, takes_short_options_joined_to_their_value_and_to_each_other) {
  auto line = parse_line({"search", "-qk12", "words"});
  ASSERT_TRUE(line) << line_of(line);
  ASSERT_EQ(line->given.size(), 2U);
  EXPECT_EQ(line->given[1].first->name, "hits");
  EXPECT_EQ(line->given[1].second, "12");
}

TEST(parse, the_value_of_an_option_is_not_taken_for_the_second_word_of_a_verb) {
  auto line = parse_line({"ledger", "--limit", "5", "--task", "show"});
  ASSERT_TRUE(line) << line_of(line);
  EXPECT_EQ(line->verb->name, "ledger list");
  EXPECT_TRUE(line->arguments.empty());
  line = parse_line({"ledger", "--task", "qa", "export", "--csv", "x"});
  ASSERT_TRUE(line) << line_of(line);
  EXPECT_EQ(line->verb->name, "ledger export");
}

TEST(parse, words_after_a_bare_verb_are_its_own_unless_another_verb_was_meant) {
  auto line = parse_line({"ledger", "tickets", "logreg"});
  ASSERT_TRUE(line) << line_of(line);
  EXPECT_EQ(line->verb->name, "ledger list");
  EXPECT_EQ(line->arguments, (std::vector<std::string>{"tickets", "logreg"}));
  line = parse_line({"ledger", "improt", "x"});
  ASSERT_FALSE(line);
  EXPECT_NE(line.error().next_step.find("ledger import"), std::string::npos);
}

TEST(parse, ends_options_at_two_dashes) {
  auto line = parse_line({"ask", "--", "--what is this?"});
  ASSERT_TRUE(line) << line_of(line);
  EXPECT_EQ(line->arguments.front(), "--what is this?");
}

TEST(parse, reads_a_negative_number_as_an_argument) {
  auto line = parse_line({"tokens", "decode", "-5"});
  ASSERT_TRUE(line) << line_of(line);
  EXPECT_EQ(line->arguments.front(), "-5");
}

TEST(parse, switches_a_flag_off) {
  auto line = parse_line({"ask", "--no-why", "Q"});
  ASSERT_TRUE(line) << line_of(line);
  EXPECT_EQ(line->given.front().second, "false");
}

TEST(parse, suggests_the_nearest_verb) {  // proves P-CLI-04
  auto line = parse_line({"serach", "words"});
  ASSERT_FALSE(line);
  EXPECT_EQ(line.error().next_step, "loam search");
}

TEST(parse, suggests_the_nearest_second_word) {
  auto line = parse_line({"models", "quantise", "m"});
  ASSERT_FALSE(line);
  EXPECT_EQ(line.error().next_step, "loam models quantize");
}

TEST(parse, suggests_the_nearest_option) {
  auto line = parse_line({"ask", "--pasages", "3", "Q"});
  ASSERT_FALSE(line);
  EXPECT_EQ(line.error().next_step, "--passages");
}

TEST(parse, says_to_which_verb_an_option_belongs) {
  auto line = parse_line({"ask", "--grammar", "g", "Q"});
  ASSERT_FALSE(line);
  EXPECT_NE(line.error().message.find("loam generate"), std::string::npos);
}

TEST(parse, names_a_missing_value) {
  auto line = parse_line({"ask", "Q", "--passages"});
  ASSERT_FALSE(line);
  EXPECT_EQ(line.error().place, "--passages");
}

TEST(parse, proposes_quotes_when_a_question_came_as_many_words) {
  auto line = parse_line({"ask", "What", "does", "parking", "cost?"});
  ASSERT_FALSE(line);
  EXPECT_EQ(line.error().next_step, "loam ask \"What does parking cost?\"");
}

TEST(parse, a_bare_group_lists_where_it_can) {
  EXPECT_EQ(parse_line({"models"})->verb->name, "models list");
  EXPECT_EQ(parse_line({"collections", "--json"})->verb->name, "collections list");
  EXPECT_FALSE(parse_line({"tokens"}));
  EXPECT_TRUE(parse_line({"tokens", "--help"}));
}

TEST(parse, takes_the_second_word_after_options) {
  auto line = parse_line({"models", "--json", "show", "m"});
  ASSERT_TRUE(line) << line_of(line);
  EXPECT_EQ(line->verb->name, "models show");
  EXPECT_EQ(line->arguments, std::vector<std::string>{"m"});
}

TEST(parse, help_asks_for_no_arguments) {
  auto line = parse_line({"explain", "--help"});
  ASSERT_TRUE(line) << line_of(line);
  EXPECT_TRUE(line->help);
}

TEST(nearest, counts_swapped_letters_as_one_edit) {
  EXPECT_EQ(edit_distance("ingest", "ignest"), 1);
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("ask", "ask"), 0);
}

TEST(nearest, proposes_nothing_when_nothing_is_near) {
  EXPECT_FALSE(nearest("xylophone", {"ask", "search"}));
  EXPECT_FALSE(nearest("", {"ask"}));
  EXPECT_EQ(nearest("collection", {"collections", "ask"}), "collections");
}

TEST(terminal, outside_text_cannot_steer_the_terminal) {  // proves P-CLI-05
  EXPECT_EQ(printable("a\033[31mb\rc\x07"), "a␛[31mb␍c␇");
  EXPECT_EQ(printable("tab\tline\n"), "tab\tline\n");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\xef\xbf\xbd"
            "31m");  // CSI as one code point
  EXPECT_EQ(printable("abc\xe2\x80\xae"
                      "def"),
            "abc\xef\xbf\xbd"
            "def");  // right-to-left override
  EXPECT_EQ(printable("Größe 日本"), "Größe 日本");
}

TEST(terminal, wraps_between_words_and_counts_wide_letters_twice) {
  EXPECT_EQ(wrap("one two three", 7), "one two\nthree");
  EXPECT_EQ(wrap("one two three", 9, "> ", "  "), "> one two\n  three");
  EXPECT_EQ(wrap("日本 日本", 5), "日本\n日本");
  EXPECT_EQ(wrap("abcdefghij", 4), "abcd\nefgh\nij");
  EXPECT_EQ(wrap("", 10, "> "), "> ");
}

TEST(terminal, shortens_to_a_width) {
  EXPECT_EQ(shorten("abcdef", 6), "abcdef");
  EXPECT_EQ(shorten("abcdef", 5), "abcd…");
  EXPECT_EQ(shorten("日本語", 4), "日…");
}

TEST(terminal, speaks_of_sizes_as_people_do) {
  EXPECT_EQ(human_bytes(98'400'000), "98.4 MB");
  EXPECT_EQ(human_bytes(12), "12 B");
  EXPECT_EQ(human_count(134'515'008), "135M");
  EXPECT_EQ(human_duration(4200), "4.2 s");
  EXPECT_EQ(human_duration(125'000), "2 min 5 s");
  EXPECT_EQ(plural(1, "passage"), "1 passage");
  EXPECT_EQ(plural(2067, "passage"), "2,067 passages");
}
}  // namespace
}  // namespace loam::cli
