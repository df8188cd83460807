#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "reader/formats.h"
#include "reader/test_files.h"

namespace loam::reader {
namespace {
using testing::ElementsAre;
using testing::HasSubstr;

Document read(std::string_view html) {
  Result<Document> document = parse(html, "page.html", Format::html, {});
  EXPECT_TRUE(document.ok()) << document.error().line();
  return document ? *document : Document{};
}

TEST(html, gives_its_main_text_without_scripts_navigation_and_hidden_parts) {
  const Document document = read(
      "<html><head><title> The\n Page "
      "</title><style>p{}</style></head><body><nav><a>Menu</a></nav><script>x()</script>"
      "<h1>Opening <em>hours</em></h1><p>We open\n   at <b>9</b>&nbsp;&amp; close<br>at 5.</p>"
      "<p style='display: none'>secret</p><div hidden>more</div></body></html>");
  EXPECT_EQ(document.title, "The Page");
  EXPECT_EQ(outline(document), (Lines{"H1:Opening hours", "P:We open at 9 & close\nat 5."}));
  EXPECT_THAT(document.notes, ElementsAre(HasSubstr("2 hidden parts")));
}

TEST(html, leaves_menus_out_and_says_so) {
  std::string menu = "<ul>";
  std::string prose = "<ul>";
  for (int i = 0; i < 12; ++i) {
    menu += "<li><a href=x>Language " + std::to_string(i) + "</a></li>";
    prose += "<li><a href=x>Page " + std::to_string(i) + "</a> tells what to do in that case.</li>";
  }
  const Document document = read(menu + "</ul>" + prose + "</ul>");
  EXPECT_EQ(document.blocks.size(), 12U);
  EXPECT_EQ(document.text.find("Language"), std::string::npos);
  EXPECT_THAT(document.notes, ElementsAre(HasSubstr("1 list of links")));
}

TEST(html, reads_lists_with_their_markers_and_levels) {
  EXPECT_EQ(
      outline(
          read("<ul><li>one<ul><li>two</li></ul></li><li><p>three</p></li></ul><ol start=3><li>c<li>d</ol>")),
      (Lines{"L1:- one", "L2:- two", "L1:- three", "L1:3. c", "L1:4. d"}));
}

TEST(html, reads_tables_row_by_row_with_parted_cells) {
  EXPECT_EQ(
      outline(read("<table><tr><th>Name<th>Role</tr><tr><td><p>Anna</p><td>Baker<br>and cook</tr></table>")),
      (Lines{"R:Name | Role", "R:Anna | Baker and cook"}));
}

TEST(html, reads_tables_that_arrange_the_page_as_blocks) {
  EXPECT_EQ(outline(read("<table><tr><td><h2>Left</h2><p>Text</p></td><td><table><tr><td>a<td>b</tr></"
                         "table></td></tr></table>")),
            (Lines{"H2:Left", "P:Text", "R:a | b"}));
}

TEST(html, keeps_preformatted_text_and_quotes) {
  EXPECT_EQ(outline(read("<pre>int x;\n  y</pre><blockquote><p>Said.</p></blockquote>")),
            (Lines{"C:int x;\n  y", "Q:Said."}));
}

// proves P-READ-07
TEST(html, nested_without_end_is_refused_in_little_time_and_stack) {
  for (const char* tag : {"<div>", "<b>", "<table><tr><td>", "<span>", "<blockquote>"}) {
    std::string deep;
    for (int i = 0; i < 100'000; ++i) deep += tag;
    const Result<Document> refused = parse(deep + "text", "deep.html", Format::html, {});
    ASSERT_FALSE(refused.ok()) << tag;
    EXPECT_EQ(refused.error().kind, Kind::bad_data);
    EXPECT_THAT(refused.error().message, HasSubstr("nested"));
  }
}

TEST(html, with_many_open_paragraphs_or_items_is_no_deep_page) {
  std::string flat;
  for (int i = 0; i < 20'000; ++i) flat += "<p>text<li>item<br>";
  EXPECT_GT(read(flat).blocks.size(), 20'000U);
}

TEST(html, with_a_flood_of_entities_is_read) {
  std::string flood;
  for (int i = 0; i < 200'000; ++i) flood += "&amp;&bogus;&#99999999;&lt";
  EXPECT_GT(read("<p>" + flood).text.size(), 200'000U);
}

TEST(html, that_needs_more_memory_than_allowed_is_refused) {
  ReadLimits limits;
  limits.memory_bytes = 4 << 20;
  std::string many;
  for (int i = 0; i < 100'000; ++i) many += "<p>x</p>";
  const Result<Document> refused = parse(many, "many.html", Format::html, limits);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, Kind::out_of_room);
}

}  // namespace
}  // namespace loam::reader
