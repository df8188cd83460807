#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "passage/cutter.h"

namespace loam::passage {
namespace {

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  for (const Span span : sentences(text)) parts.emplace_back(slice(text, span));
  return parts;
}
using Parts = std::vector<std::string>;

TEST(sentences, end_at_full_stops_questions_and_exclamations) {
  EXPECT_EQ(split("One. Two? Three! Four"), (Parts{"One.", "Two?", "Three!", "Four"}));
}

TEST(sentences, go_on_after_abbreviations_and_initials) {
  EXPECT_EQ(split("Dr. Smith met J. R. Brown at 5 p.m. in St. Ives. He left."),
            (Parts{"Dr. Smith met J. R. Brown at 5 p.m. in St. Ives.", "He left."}));
  EXPECT_EQ(split("See Fig. 3 and No. 12, e.g. the lid. Done."),
            (Parts{"See Fig. 3 and No. 12, e.g. the lid.", "Done."}));
  EXPECT_EQ(split("He works for Loam Inc. The firm is small."),
            (Parts{"He works for Loam Inc.", "The firm is small."}));
  EXPECT_EQ(split("The U.S. Army came. It left the U.S. The end."),
            (Parts{"The U.S. Army came.", "It left the U.S.", "The end."}));
}

TEST(sentences, go_on_inside_numbers_dates_and_addresses) {
  EXPECT_EQ(split("It costs 3.50 euros. Version 2.0.1 is out at www.example.org/index.html. Good."),
            (Parts{"It costs 3.50 euros.", "Version 2.0.1 is out at www.example.org/index.html.", "Good."}));
  EXPECT_EQ(split("It began in 2020. Then it ended."), (Parts{"It began in 2020.", "Then it ended."}));
}

TEST(sentences, know_german_and_french) {
  EXPECT_EQ(
      split(
          "Der Vertrag gilt ab dem 3. Oktober, z. B. f\xC3\xBCr Hr. M\xC3\xBCller. Er endet am 31.12.2024."),
      (Parts{"Der Vertrag gilt ab dem 3. Oktober, z. B. f\xC3\xBCr Hr. M\xC3\xBCller.",
             "Er endet am 31.12.2024."}));
  EXPECT_EQ(split("Im 19. Jahrhundert war das usw. anders. Heute nicht."),
            (Parts{"Im 19. Jahrhundert war das usw. anders.", "Heute nicht."}));
  EXPECT_EQ(split("\xC2\xAB Venez ! \xC2\xBB dit M. Dupont. Mme. Roy attend."),
            (Parts{"\xC2\xAB Venez ! \xC2\xBB dit M. Dupont.", "Mme. Roy attend."}));
  EXPECT_EQ(split("Il habite rue X. Dupont est l\xC3\xA0.").size(), 1U);
}

TEST(sentences, keep_closing_quotes_and_brackets_with_their_sentence) {
  EXPECT_EQ(split("He said \"Stop!\" and left. (It was late.) She stayed."),
            (Parts{"He said \"Stop!\" and left.", "(It was late.)", "She stayed."}));
  EXPECT_EQ(split("Wait... what? Well... Nothing."), (Parts{"Wait... what?", "Well...", "Nothing."}));
}

TEST(sentences, keep_marks_of_notes_with_the_sentence_before) {
  EXPECT_EQ(split("It grew.[5][12] Then it fell.[3] End"),
            (Parts{"It grew.[5][12]", "Then it fell.[3]", "End"}));
}

TEST(sentences, end_at_list_items_table_rows_and_headings_but_not_at_wrapped_lines) {
  EXPECT_EQ(split("A line\nwrapped here. Next."), (Parts{"A line\nwrapped here.", "Next."}));
  EXPECT_EQ(split("You need:\n- a cup\n- a spoon"), (Parts{"You need:", "- a cup", "- a spoon"}));
  EXPECT_EQ(split("1. Open the lid.\n2. Close it."), (Parts{"1. Open the lid.", "2. Close it."}));
  EXPECT_EQ(split("Name: Anna | Role: Baker\nName: Ben | Role: Cook"),
            (Parts{"Name: Anna | Role: Baker", "Name: Ben | Role: Cook"}));
  EXPECT_EQ(split("# Leave\nAll staff"), (Parts{"# Leave", "All staff"}));
  EXPECT_EQ(split("One part\n\nAnother"), (Parts{"One part", "Another"}));
}

TEST(sentences, end_at_cjk_full_stops_without_space) {
  EXPECT_EQ(split("\xE4\xBB\x8A\xE6\x97\xA5\xE3\x80\x82\xE6\x98\x8E\xE6\x97\xA5\xE3\x80\x82").size(), 2U);
}

TEST(sentences, of_nothing_are_none) {
  EXPECT_TRUE(sentences("").empty());
  EXPECT_TRUE(sentences(" \n\t\f ").empty());
}

TEST(sentences, cover_every_byte_that_is_not_blank_whatever_the_text) {
  std::mt19937 random(7);
  const std::string pieces[] = {"a",        ".",  " ",  "\n", "Dr.", "! ",  "3.", "\"", ")", "\xE3\x80\x82",
                                "\xC3\xA9", "\f", "| ", "- ", "...", "\xFF"};
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (int i = 0; i < 60; ++i) text += pieces[random() % std::size(pieces)];
    std::size_t end = 0;
    const auto blank = [&](Span span) {
      std::string_view rest = slice(text, span);
      while (!rest.empty()) {
        const CodePoint point = decode_utf8(rest);
        if (!is_space(point.value)) return false;
        rest.remove_prefix(point.size);
      }
      return true;
    };
    for (const Span span : sentences(text)) {
      ASSERT_GE(span.start, end);
      ASSERT_GT(span.end, span.start);
      ASSERT_TRUE(blank({end, span.start})) << text;
      end = span.end;
    }
    ASSERT_TRUE(blank({end, text.size()})) << text;
  }
}

}  // namespace
}  // namespace loam::passage
