#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "reader/formats.h"
#include "reader/pdf_layout.h"
#include "reader/test_files.h"

namespace loam::reader {
namespace {
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

Result<Document> parse_bytes(const std::string& bytes, ReadLimits limits = {}) {
  return parse(bytes, "test.pdf", Format::pdf, limits, test_libraries());
}

Document read(const PdfWriter& pdf) {
  Result<Document> document = parse_bytes(pdf.bytes());
  EXPECT_TRUE(document.ok()) << document.error().line();
  return document ? *document : Document{};
}

std::vector<PdfText> column(double x, const std::vector<std::string>& lines) {
  std::vector<PdfText> texts;
  double y = 700;
  for (const std::string& line : lines) {
    texts.push_back({x, y, 11, line, false});
    y -= 13;
  }
  return texts;
}

TEST(pdf, joins_lines_to_paragraphs_and_broken_words_to_whole_ones) {
  const Document document =
      read(PdfWriter().page_of_lines({"The tenant pays the rent on the first day of every month with-",
                                      "out being asked. A well-known rule is that a well-",
                                      "known tenant may pay later than the others in this old house.", "",
                                      "The landlord keeps the house in good order at all times."}));
  EXPECT_EQ(outline(document),
            (Lines{"P:The tenant pays the rent on the first day of every month without being asked. A "
                   "well-known rule is "
                   "that a well-known tenant may pay later than the others in this old house.",
                   "P:The landlord keeps the house in good order at all times."}));
  EXPECT_EQ(document.media_type, "application/pdf");
}

TEST(pdf, has_pages_title_and_headings) {
  std::vector<PdfText> first = {{72, 720, 20, "Rental Contract", true},
                                {72, 680, 11, "This contract is made between two people.", false},
                                {72, 666, 11, "It is written down so that both can look things up.", false},
                                {72, 652, 11, "Nothing else was agreed between the two of them.", false}};
  const Document document = read(PdfWriter()
                                     .title("Contract 12")
                                     .page(first)
                                     .page_of_lines({"The second page holds only this one line of text."}));
  EXPECT_EQ(document.title, "Contract 12");
  EXPECT_EQ(outline(document).front(), "H1:Rental Contract");
  ASSERT_EQ(document.pages.size(), 2U);
  EXPECT_EQ(document.page_at(document.text.find("written down")), 1);
  EXPECT_EQ(document.page_at(document.text.find("second page")), 2);
}

TEST(pdf, with_two_columns_is_read_column_by_column_whatever_the_order_in_the_file) {
  std::vector<std::string> left;
  std::vector<std::string> right;
  for (int i = 0; i < 12; ++i) {
    left.push_back("left line number " + std::to_string(i) + " of the first column");
    right.push_back("right line number " + std::to_string(i) + " of the second column");
  }
  std::vector<PdfText> texts;
  const std::vector<PdfText> a = column(60, left);
  const std::vector<PdfText> b = column(330, right);
  for (std::size_t i = 0; i < a.size(); ++i) {  // row by row, as some programs write
    texts.push_back(a[i]);
    texts.push_back(b[i]);
  }
  texts.push_back({60, 740, 11,
                   "A line above that goes over both of the columns from the left to the right side", false});
  const std::string text = read(PdfWriter().page(texts)).text;
  EXPECT_TRUE(text.starts_with("A line above"));
  EXPECT_LT(text.find("left line number 11"), text.find("right line number 0"));
}

TEST(pdf, reads_tables_row_by_row) {
  const Document document = read(PdfWriter().page({{72, 700, 11, "Name"},
                                                   {250, 700, 11, "Role"},
                                                   {400, 700, 11, "Age"},
                                                   {72, 684, 11, "Anna"},
                                                   {250, 684, 11, "Baker"},
                                                   {400, 684, 11, "30"},
                                                   {72, 668, 11, "Ben"},
                                                   {250, 668, 11, "Cook"},
                                                   {400, 668, 11, "41"}}));
  EXPECT_EQ(outline(document), (Lines{"R:Name | Role | Age", "R:Anna | Baker | 30", "R:Ben | Cook | 41"}));
}

TEST(pdf, drops_running_heads_and_page_numbers_and_says_so) {
  PdfWriter pdf;
  for (int i = 1; i <= 5; ++i) {
    pdf.page({{72, 760, 9, "Handbook of the Mill"},
              {300, 30, 9, std::to_string(i)},
              {72, 700, 11,
               "What stands on page " + std::string(static_cast<std::size_t>(i), 'x') + " is only there."}});
  }
  const Document document = read(pdf);
  EXPECT_EQ(document.text.find("Handbook"), std::string::npos);
  EXPECT_THAT(document.notes,
              Contains(HasSubstr("repeated on 5 pages and left out: \"Handbook of the Mill\"")));
  EXPECT_EQ(document.blocks.size(), 5U);
}

TEST(pdf, reads_a_paragraph_over_a_page_break_as_one) {
  const Document document =
      read(PdfWriter()
               .page_of_lines({"The sentence begins on the first page and goes on and on until"})
               .page_of_lines({"the second page, where it ends. Then another one follows it."}));
  ASSERT_EQ(document.blocks.size(), 1U);
  EXPECT_EQ(document.page_at(document.text.find("the second page")), 2);
}

TEST(pdf, reads_a_page_whose_text_runs_up_it_and_a_stamp_in_the_margin) {
  std::vector<PdfText> lying;
  for (int i = 0; i < 5; ++i) {
    lying.push_back(
        {100 + 14.0 * i, 72, 11, "Line number " + std::to_string(i) + " of a page on its side", false, true});
  }
  EXPECT_THAT(read(PdfWriter().page(lying)).text,
              HasSubstr("Line number 0 of a page on its side Line number 1 of a page on its side"));
  const Document stamped =
      read(PdfWriter().page({{72, 700, 11, "The text of the page is here and it is upright.", false, false},
                             {72, 686, 11, "It has two lines of about the same length.", false, false},
                             {30, 300, 11, "Received 3 May", false, true}}));
  EXPECT_EQ(outline(stamped).back(), "P:Received 3 May");
}

TEST(pdf, notes_pages_without_text) {
  const Document document =
      read(PdfWriter().page_of_lines({"Some text."}).page({}).page({}).page_of_lines({"More."}));
  EXPECT_THAT(document.notes, ElementsAre("pages 2-3 have no text (scans?)"));
  ASSERT_EQ(document.pages.size(), 4U);
  EXPECT_THAT(read(PdfWriter().page({})).notes, ElementsAre("page 1 has no text (a scan?)"));
}

// proves P-READ-02
TEST(pdf, that_is_encrypted_damaged_or_too_long_is_an_error_with_a_next_step) {
  const Result<Document> locked = parse_bytes(PdfWriter().page_of_lines({"secret"}).encrypted().bytes());
  ASSERT_FALSE(locked.ok());
  EXPECT_EQ(locked.error().kind, Kind::bad_data);
  EXPECT_THAT(locked.error().message, HasSubstr("encrypted"));
  EXPECT_THAT(locked.error().next_step, HasSubstr("without password"));

  const Result<Document> truncated = parse_bytes("%PDF-1.7\n1 0 obj\n<< /Type");
  ASSERT_FALSE(truncated.ok());
  EXPECT_EQ(truncated.error().kind, Kind::bad_data);
  EXPECT_THAT(truncated.error().message, HasSubstr("damaged"));

  PdfWriter many;
  for (int i = 0; i < 10'000; ++i) many.page({});
  const Result<Document> long_one = parse_bytes(many.bytes());
  ASSERT_FALSE(long_one.ok());
  EXPECT_EQ(long_one.error().kind, Kind::out_of_room);
  EXPECT_THAT(long_one.error().message, HasSubstr("has 10,000 pages; the limit is 5,000"));
}

TEST(pdf, with_a_lying_table_of_objects_is_mended_or_refused) {
  std::string bytes = PdfWriter().page_of_lines({"Found all the same."}).bytes();
  const std::size_t table = bytes.rfind("startxref\n") + 10;
  bytes.replace(table, 3, "999");
  const Result<Document> document = parse_bytes(bytes);
  if (document.ok()) {
    EXPECT_THAT(document->text, HasSubstr("Found all the same."));
  } else {
    EXPECT_EQ(document.error().kind, Kind::bad_data);
  }
  for (std::size_t cut = 20; cut < bytes.size(); cut += 37) {
    const Result<Document> part = parse_bytes(bytes.substr(0, cut));
    if (part.ok()) {
      EXPECT_TRUE(check_document(*part, {}).ok());
    }
  }
}

TEST(pdf, keeps_the_promises_of_a_document_when_bytes_are_changed) {
  const std::string good = PdfWriter()
                               .page_of_lines({"One line of text.", "- an item", "2. another"})
                               .page_of_lines({"Page two."})
                               .bytes();
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    std::string bytes = good;
    for (int i = 0; i < 4; ++i)
      bytes[20 + random() % (bytes.size() - 20)] = static_cast<char>(random() % 256);
    const Result<Document> document = parse_bytes(bytes);
    if (document.ok()) {
      ASSERT_TRUE(check_document(*document, {}).ok());
    } else {
      ASSERT_NE(document.error().kind, Kind::our_bug) << document.error().line();
    }
  }
}

TEST(write_pages, keeps_the_promises_whatever_the_places) {
  std::mt19937 random(9);
  const std::string words[] = {
      "word", "-", "end.", "1.", "Long heading text", "\xC3\xA4pfel", "x-", "| a", "\xD7\xA9\xD7\x9C"};
  for (int round = 0; round < 300; ++round) {
    std::vector<PageText> pages(1 + random() % 5);
    int number = 0;
    for (PageText& page : pages) {
      page.number = ++number;
      page.top = 800;
      for (std::size_t i = random() % 40; i-- > 0;) {
        const auto x = static_cast<float>(random() % 500);
        const auto y = static_cast<float>(random() % 780);
        const auto size = static_cast<float>(6 + random() % 20);
        const std::string& word = words[random() % std::size(words)];
        page.segments.push_back({word, x, x + size * static_cast<float>(word.size()), y, y + size, size,
                                 random() % 3 == 0, static_cast<int>(word.size())});
      }
    }
    Document document;
    write_pages(pages, document);
    const Result<void> checked = check_document(document, {});
    ASSERT_TRUE(checked.ok()) << checked.error().line();
  }
}

}  // namespace
}  // namespace loam::reader
