#include "reader/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "base/utf8.h"
#include "reader/formats.h"
#include "reader/test_files.h"

namespace loam::reader {
namespace {
using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::string_literals;

Document read(std::string_view bytes, Format format) {
  Result<Document> document = parse(bytes, "test", format, {});
  EXPECT_TRUE(document.ok()) << document.error().line();
  return document ? *document : Document{};
}

TEST(text, is_read_in_every_encoding_that_windows_and_unix_write) {
  const std::string expected = "Gr\xC3\xBC\xC3\x9F Gott \xE2\x82\xAC\n";
  EXPECT_EQ(read(expected, Format::text).text, expected);
  EXPECT_EQ(read("\xEF\xBB\xBF" + expected, Format::text).text, expected);
  const std::string little = "\xFF\xFEG\0r\0\xFC\0\xDF\0 \0G\0o\0t\0t\0 \0\xAC\x20\n\0"s;
  EXPECT_EQ(read(little, Format::text).text, expected);
  const std::string big = "\xFE\xFF\0G\0r\0\xFC\0\xDF\0 \0G\0o\0t\0t\0 \x20\xAC\0\n"s;
  EXPECT_EQ(read(big, Format::text).text, expected);
  const Document windows = read("Gr\xFC\xDF Gott \x80\n", Format::text);
  EXPECT_EQ(windows.text, expected);
  EXPECT_THAT(windows.notes, ElementsAre(HasSubstr("Windows-1252")));
}

TEST(text, keeps_the_good_part_of_damaged_utf8_and_says_so) {
  const Document document = read("\xC3\xA4\xC3\xB6\xC3\xBC bad \xFF end", Format::text);
  EXPECT_EQ(document.text, "\xC3\xA4\xC3\xB6\xC3\xBC bad \xEF\xBF\xBD end");
  EXPECT_THAT(document.notes, ElementsAre(HasSubstr("1 malformed byte was replaced")));
}

TEST(text, has_no_carriage_returns_and_no_nul) {
  const Document document = read("a\r\nb\rc\0d\n"s, Format::text);
  EXPECT_EQ(document.text,
            "a\nb\nc\xEF\xBF\xBD"
            "d\n");
  EXPECT_THAT(document.notes, ElementsAre(HasSubstr("NUL")));
}

TEST(text, has_a_page_for_each_form_feed) {
  const Document document = read("one\n\ftwo\ftail", Format::text);
  ASSERT_EQ(document.pages.size(), 3U);
  EXPECT_EQ(document.page_at(document.text.find("two")), 2);
  EXPECT_EQ(document.page_at(document.text.find("tail")), 3);
  EXPECT_THAT(outline(document), ElementsAre("P:one", "P:two", "P:tail"));
}

TEST(text, has_paragraphs_and_list_items) {
  EXPECT_THAT(outline(read("First\nline.\n\nYou need:\n- a cup\n  of tea\n- milk\n\nLast.", Format::text)),
              ElementsAre("P:First\nline.", "P:You need:", "L1:- a cup\n  of tea", "L1:- milk", "P:Last."));
}

TEST(text, with_a_line_of_200_megabytes_or_more_text_than_the_limit_is_refused) {
  const std::string huge(200 << 20, 'x');
  const Result<Document> too_long = parse(huge, "huge.txt", Format::text, {});
  ASSERT_FALSE(too_long.ok());
  EXPECT_EQ(too_long.error().kind, Kind::out_of_room);
  EXPECT_EQ(too_long.error().place, "huge.txt");
  EXPECT_FALSE(too_long.error().next_step.empty());
  const Result<Document> line =
      parse(std::string_view(huge).substr(0, 20 << 20), "line.txt", Format::text, {});
  ASSERT_FALSE(line.ok());
  EXPECT_THAT(line.error().message, HasSubstr("line 1 has 20,971,520 bytes"));
}

TEST(text, that_is_empty_says_so) {
  EXPECT_THAT(read("", Format::text).notes, ElementsAre("the file has no text"));
}

TEST(detect_format, trusts_content_before_the_name) {
  EXPECT_EQ(detect_format("%PDF-1.7\n...", "notes.txt"), Format::pdf);
  EXPECT_EQ(detect_format("<!DOCTYPE html><p>", "notes.txt"), Format::html);
  EXPECT_EQ(detect_format("\n <!-- x --> <HTML lang=en>", "a.md"), Format::html);
  EXPECT_EQ(detect_format("plain words", "report.pdf"), Format::text);
  EXPECT_EQ(detect_format("plain words", "page.html"), Format::text);
  EXPECT_EQ(detect_format("<p>fragment", "page.html"), Format::html);
  EXPECT_EQ(detect_format("# Title", "a.MD"), Format::markdown);
  EXPECT_EQ(detect_format("a,b", "a.csv"), Format::csv);
  EXPECT_EQ(detect_format("BZh is three letters", "a.txt"), Format::text);
  EXPECT_EQ(detect_format("\xFF\xFEh\0i\0"s, "a.md"), Format::markdown);
}

TEST(detect_format, refuses_binary_content_by_its_name_for_people) {
  const std::string zip = "PK\x03\x04\x14\0\0\0\x08\0bomb"s;
  EXPECT_EQ(detect_format(zip, "bomb.md"), Format::unknown);
  EXPECT_EQ(detect_format("\x1F\x8B\x08\0\0"s, "a.csv"), Format::unknown);
  EXPECT_EQ(detect_format("some\0thing"s, "a.txt"), Format::unknown);
  const Result<Document> refused = parse(zip, "bomb.md", Format::unknown, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, Kind::bad_data);
  EXPECT_THAT(refused.error().line(), HasSubstr("bomb.md: is a zip archive"));
}

TEST(markdown, keeps_its_text_and_maps_its_blocks) {  // proves P-READ-06
  const std::string source =
      "---\ntitle: \"Leave Policy\"\n---\n# Leave\n\nAll staff\nmay go.\n\nSub\n---\n\n- one\n  - two\n- "
      "three\n\n"
      "  more of three\n\n1. first\n2. second\n\n> quoted\n> text\n\n```c\nint x;\n\n```\n| a | b "
      "|\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n";
  const Document document = read(source, Format::markdown);
  EXPECT_EQ(document.text, source);
  EXPECT_EQ(document.title, "Leave Policy");
  EXPECT_EQ(outline(document),
            (Lines{"C:---\ntitle: \"Leave Policy\"\n---", "H1:# Leave", "P:All staff\nmay go.", "H2:Sub\n---",
                   "L1:- one", "L2:- two", "L1:- three", "L1:more of three", "L1:1. first", "L1:2. second",
                   "Q:> quoted\n> text", "C:```c\nint x;\n\n```", "R:| a | b |\n|---|---|", "R:| 1 | 2 |",
                   "R:| 3 | 4 |"}));
}

TEST(markdown, takes_its_title_from_the_first_heading) {
  EXPECT_EQ(read("Some\n\n## The Title ##\n", Format::markdown).title, "The Title");
}

TEST(markdown, keeps_a_year_at_a_line_start_inside_its_paragraph) {
  EXPECT_EQ(outline(read("It was in\n1984. Then not.\n", Format::markdown)),
            (Lines{"P:It was in\n1984. Then not."}));
}

TEST(markdown, reads_an_open_fence_to_the_end) {
  EXPECT_EQ(outline(read("~~~\ncode\n# no heading\n", Format::markdown)),
            (Lines{"C:~~~\ncode\n# no heading"}));
}

TEST(csv, labels_every_value_with_its_column) {
  const Document document =
      read("Name,Role,Note\nAnna,Baker,\"says \"\"hi\"\", often\"\nBen,,\n", Format::csv);
  EXPECT_EQ(outline(document),
            (Lines{"R:Name: Anna | Role: Baker | Note: says \"hi\", often", "R:Name: Ben"}));
}

TEST(csv, finds_the_delimiter) {
  EXPECT_EQ(outline(read("a;b\n1,5;2\n3,5;4\n", Format::csv)).front(), "R:a: 1,5 | b: 2");
  EXPECT_EQ(outline(read("a\tb\nx, y\tz\n", Format::csv)).front(), "R:a: x, y | b: z");
  EXPECT_EQ(outline(read("sep=|\na|b\n1|2\n", Format::csv)).front(), "R:a: 1 | b: 2");
}

TEST(csv, without_header_numbers_its_columns) {
  const Document document = read("1,Anna\n2,Ben\n", Format::csv);
  EXPECT_EQ(outline(document).front(), "R:column 1: 1 | column 2: Anna");
  EXPECT_THAT(document.notes, ElementsAre(HasSubstr("no header")));
}

TEST(csv, notes_ragged_rows_and_open_quotes) {
  const Document ragged = read("a,b\n1,2\n1,2,3\n1\n", Format::csv);
  EXPECT_THAT(
      ragged.notes,
      ElementsAre(HasSubstr("2 rows have another number of columns than the first row (first: row 3)")));
  EXPECT_EQ(outline(ragged)[1], "R:a: 1 | b: 2 | column 3: 3");
  const Document odd = read("a,b\n1,\"odd\n2,y\n3,z\n", Format::csv);
  EXPECT_EQ(odd.blocks.size(), 3U);
  EXPECT_THAT(odd.notes, ElementsAre(HasSubstr("a quote opened in row 2 is never closed")));
}

TEST(csv, with_a_million_columns_is_refused) {  // proves P-READ-07
  const Result<Document> wide = parse(std::string(1'000'000, ','), "wide.csv", Format::csv, {});
  ASSERT_FALSE(wide.ok());
  EXPECT_EQ(wide.error().kind, Kind::out_of_room);
  EXPECT_THAT(wide.error().message, HasSubstr("more than 16,384 columns"));
}

TEST(csv, with_nothing_but_quotes_is_read_in_linear_time) {
  EXPECT_TRUE(parse(std::string(2'000'000, '"'), "q.csv", Format::csv, {}).ok());
  std::string lines;
  for (int i = 0; i < 200'000; ++i) lines += "\"a,b\n";
  EXPECT_TRUE(parse(lines + "\"", "q.csv", Format::csv, {}).ok());
}

// proves P-READ-01
TEST(every_text_format, keeps_the_promises_of_a_document_whatever_the_bytes) {
  std::mt19937 random(3);
  const std::string pieces[] = {"# ",
                                "\n",
                                "- ",
                                "1. ",
                                "```\n",
                                "> ",
                                "|a|b|\n",
                                "|-|-|\n",
                                "\r\n",
                                "\"",
                                ",",
                                ";",
                                "<p>",
                                "<table><tr><td>",
                                "</",
                                "<!--",
                                "&amp;",
                                "&#x0;",
                                "&#13;",
                                "\xFF",
                                "\xC3",
                                "\xC3\xA4",
                                "\xE2\x80\xA2 ",
                                "\0"s,
                                "\f",
                                "    ",
                                "\t",
                                "text. ",
                                "---\n",
                                "===\n",
                                "<ul><li>",
                                "<h1>",
                                "<pre>",
                                "<br>",
                                "\xF0\x9F\x98\x80",
                                "title: x\n",
                                "<script>",
                                "&#xD800;",
                                "\xE3\x80\x80"};
  for (int round = 0; round < 3000; ++round) {
    std::string bytes;
    const auto count = random() % 60;
    for (std::size_t i = 0; i < count; ++i) bytes += pieces[random() % std::size(pieces)];
    for (const Format format : {Format::text, Format::markdown, Format::html, Format::csv}) {
      const Result<Document> document = parse(bytes, "fuzz", format, {});
      ASSERT_TRUE(document.ok()) << document.error().line() << "\n" << bytes;
      ASSERT_TRUE(check_document(*document, {}).ok());
    }
  }
}

TEST(check_document, finds_every_broken_promise) {
  Document good;
  good.text = "abc \xC3\xA4";
  good.blocks = {{BlockKind::paragraph, 0, {0, 3}}, {BlockKind::paragraph, 0, {4, 6}}};
  good.pages = {{1, {0, 4}}, {2, {4, 6}}};
  ASSERT_TRUE(check_document(good, {}).ok());
  const auto broken = [&](auto change) {
    Document bad = good;
    change(bad);
    return !check_document(bad, {}).ok();
  };
  EXPECT_TRUE(broken([](Document& d) { d.text[5] = 'x'; }));
  EXPECT_TRUE(broken([](Document& d) { d.text[0] = '\0'; }));
  EXPECT_TRUE(broken([](Document& d) { d.text[3] = '\r'; }));
  EXPECT_TRUE(broken([](Document& d) { d.blocks[1].span.end = 5; }));
  EXPECT_TRUE(broken([](Document& d) { d.blocks[1].span.end = 7; }));
  EXPECT_TRUE(broken([](Document& d) { d.blocks[1].span.start = 2; }));
  EXPECT_TRUE(broken([](Document& d) { d.blocks[0].span.end = 2; }));
  EXPECT_TRUE(broken([](Document& d) { d.blocks.pop_back(); }));
  EXPECT_TRUE(broken([](Document& d) { std::swap(d.blocks[0], d.blocks[1]); }));
  EXPECT_TRUE(broken([](Document& d) { d.pages[1].span.start = 5; }));
  EXPECT_TRUE(broken([](Document& d) { d.pages[1].number = 1; }));
  EXPECT_TRUE(broken([](Document& d) { d.pages.pop_back(); }));
}

}  // namespace
}  // namespace loam::reader
