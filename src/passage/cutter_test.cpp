#include "passage/cutter.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <string>
#include <vector>

#include "base/utf8.h"

namespace loam::passage {
namespace {

// One token per word and two special ones, as a tokenizer of whole words would count.
Result<int> count_words(std::string_view text) {
  int words = 2;
  bool inside = false;
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\n' || c == '\t';
    if (!blank && !inside) ++words;
    inside = !blank;
  }
  return words;
}

// One token per three bytes, whatever they are: borders between pieces do not add up exactly.
Result<int> count_bytes(std::string_view text) { return 2 + static_cast<int>((text.size() + 2) / 3); }

std::string words(int count, const std::string& word = "word") {
  std::string text;
  for (int i = 0; i < count; ++i) text += word + std::to_string(i) + (i % 10 == 9 ? ". Then " : " ");
  return text;
}

// Writes a document as a reader would.
class Writer {
 public:
  Writer& block(BlockKind kind, int level, const std::string& text) {
    if (!document_.text.empty())
      document_.text += kind == BlockKind::table_row || kind == BlockKind::list_item ? "\n" : "\n\n";
    const std::size_t start = document_.text.size();
    document_.text += text;
    while (document_.text.ends_with(' ')) document_.text.pop_back();
    document_.blocks.push_back({kind, level, {start, document_.text.size()}});
    return *this;
  }
  Writer& heading(int level, const std::string& text) { return block(BlockKind::heading, level, text); }
  Writer& paragraph(const std::string& text) { return block(BlockKind::paragraph, 0, text); }
  Document document() const { return document_; }

 private:
  Document document_;
};

void expect_promises(const Document& document, const std::vector<Passage>& passages,
                     const TokenCounter& count, const CutOptions& options) {
  std::size_t covered = 0;
  int ordinal = 0;
  const auto blank = [&](Span span) {
    std::string_view rest = slice(document.text, span);
    while (!rest.empty()) {
      const CodePoint point = decode_utf8(rest);
      if (!is_space(point.value)) return false;
      rest.remove_prefix(point.size);
    }
    return true;
  };
  for (const Passage& passage : passages) {
    ASSERT_EQ(passage.ordinal, ordinal++);
    ASSERT_LT(passage.span.start, passage.span.end);
    ASSERT_LE(passage.span.end, document.text.size());
    ASSERT_EQ(passage.text, slice(document.text, passage.span));
    ASSERT_TRUE(is_valid_utf8(passage.text));
    if (options.overlap_sentences == 0) {
      ASSERT_GE(passage.span.start, covered);
    }
    if (passage.span.start > covered) {
      ASSERT_TRUE(blank({covered, passage.span.start}));
    }
    covered = std::max(covered, passage.span.end);
    const Result<int> tokens = count(passage.indexed_text());
    ASSERT_TRUE(tokens.ok());
    ASSERT_EQ(passage.tokens, *tokens);
    ASSERT_LE(*tokens, options.max_tokens) << passage.text;
  }
  ASSERT_TRUE(blank({covered, document.text.size()}));
}

// proves P-CUT-01, P-CUT-02, P-CUT-03
TEST(cut, keeps_its_promises_on_random_documents_and_counters) {
  std::mt19937 random(11);
  const std::string tokens[] = {"word ",
                                "a. ",
                                "Longer, clause; with: marks ",
                                "\n",
                                "\xE6\x97\xA5\xE6\x9C\xAC\xE3\x80\x82",
                                "12.5 ",
                                "| cell | cell ",
                                "supercalifragilisticexpialidocious",
                                "  ",
                                "\xF0\x9F\x98\x80",
                                "End? "};
  for (int round = 0; round < 400; ++round) {
    Writer writer;
    const int blocks = 1 + static_cast<int>(random() % 12);
    for (int b = 0; b < blocks; ++b) {
      std::string text = "x";
      const auto size = random() % (random() % 5 == 0 ? 400 : 40);
      for (std::size_t i = 0; i < size; ++i) text += tokens[random() % std::size(tokens)];
      const auto kind = static_cast<BlockKind>(random() % 6);
      while (text.ends_with('\n') || text.ends_with(' ')) text.pop_back();
      writer.block(kind, kind == BlockKind::heading ? 1 + static_cast<int>(random() % 4) : 0, text);
    }
    Document document = writer.document();
    if (random() % 4 == 0) document.blocks.clear();
    CutOptions options;
    options.max_tokens = 24 + static_cast<int>(random() % 200);
    options.target_tokens = 1 + static_cast<int>(random() % 200);
    options.overlap_sentences = static_cast<int>(random() % 3 == 0 ? 2 : 0);
    for (const TokenCounter& count : {TokenCounter(count_words), TokenCounter(count_bytes)}) {
      const auto passages = cut(document, count, options);
      ASSERT_TRUE(passages.ok()) << passages.error().line();
      ASSERT_NO_FATAL_FAILURE(expect_promises(document, *passages, count, options)) << "round " << round;
    }
  }
}

TEST(cut, of_an_empty_document_gives_no_passages) {
  Document document;
  EXPECT_TRUE(cut(document, count_words, {})->empty());
  document.text = " \n\n \t";
  EXPECT_TRUE(cut(document, count_words, {})->empty());
}

TEST(cut, starts_a_passage_at_each_heading_and_names_the_headings_above) {
  const Document document = Writer()
                                .heading(1, "Handbook")
                                .heading(2, "Leave")
                                .paragraph(words(30))
                                .heading(3, "Parental leave")
                                .paragraph(words(200))
                                .heading(2, "Parking")
                                .paragraph(words(30))
                                .document();
  const auto passages = cut(document, count_words, {});
  ASSERT_TRUE(passages.ok());
  ASSERT_EQ(passages->size(), 4U);
  EXPECT_TRUE((*passages)[0].text.starts_with("Handbook\n\nLeave\n\n"));
  EXPECT_EQ((*passages)[0].heading_path, "");
  EXPECT_TRUE((*passages)[1].text.starts_with("Parental leave"));
  EXPECT_EQ((*passages)[1].heading_path, "Handbook > Leave");
  EXPECT_EQ((*passages)[2].heading_path, "Handbook > Leave > Parental leave");
  EXPECT_EQ((*passages)[3].heading_path, "Handbook");
  EXPECT_TRUE((*passages)[3].text.starts_with("Parking"));
}

TEST(cut, leaves_markdown_marks_out_of_the_heading_path) {
  Document document =
      Writer().heading(1, "# The **Big** Book #").paragraph(words(170)).paragraph(words(170)).document();
  document.media_type = "text/markdown";
  const auto passages = cut(document, count_words, {});
  ASSERT_TRUE(passages.ok());
  ASSERT_GE(passages->size(), 2U);
  EXPECT_EQ(passages->back().heading_path, "The Big Book");
}

// proves P-CUT-04
TEST(cut, shortens_a_long_heading_path_from_the_left_and_whole) {
  const Document document = Writer()
                                .heading(1, words(40, "outer"))
                                .heading(2, "Inner part")
                                .paragraph(words(150))
                                .paragraph(words(150))
                                .document();
  CutOptions options;
  options.max_tokens = 100;
  options.target_tokens = 80;
  const auto passages = cut(document, count_words, options);
  ASSERT_TRUE(passages.ok());
  EXPECT_EQ(passages->back().heading_path, "Inner part");
}

TEST(cut, keeps_table_rows_whole) {
  Writer writer;
  for (int i = 0; i < 40; ++i)
    writer.block(BlockKind::table_row, 0,
                 "Name: N" + std::to_string(i) + " | Role: baker. Of bread | Age: 30");
  const Document document = writer.document();
  CutOptions options;
  options.target_tokens = 50;
  options.max_tokens = 64;
  const auto passages = cut(document, count_words, options);
  ASSERT_TRUE(passages.ok());
  EXPECT_GT(passages->size(), 5U);
  for (const Passage& passage : *passages) {
    EXPECT_TRUE(passage.text.starts_with("Name: N"));
    EXPECT_TRUE(passage.text.ends_with("Age: 30"));
  }
}

TEST(cut, keeps_the_lead_in_with_its_list) {
  Writer writer;
  writer.paragraph(words(60) + "end. Another sentence here. Bring these things:");
  for (int i = 0; i < 5; ++i)
    writer.block(BlockKind::list_item, 1,
                 "- thing number " + std::to_string(i) + " with seven more words added to it");
  CutOptions options;
  options.target_tokens = 75;
  options.max_tokens = 90;
  const Document document = writer.document();
  const auto passages = cut(document, count_words, options);
  ASSERT_TRUE(passages.ok());
  bool found = false;
  for (const Passage& passage : *passages) {
    const std::size_t at = passage.text.find("Bring these things:");
    if (at == std::string::npos) continue;
    found = true;
    EXPECT_NE(passage.text.find("- thing number 0"), std::string::npos);
  }
  EXPECT_TRUE(found);
}

TEST(cut, merges_a_small_end_into_the_passage_before) {
  const Document document = Writer().paragraph(words(155) + "ends. Short tail here.").document();
  const auto passages = cut(document, count_words, {});
  ASSERT_TRUE(passages.ok());
  EXPECT_EQ(passages->size(), 1U);
}

TEST(cut, stays_close_to_the_target) {
  Writer writer;
  for (int i = 0; i < 60; ++i) writer.paragraph(words(40));
  const Document document = writer.document();
  const auto passages = cut(document, count_words, {});
  ASSERT_TRUE(passages.ok());
  for (std::size_t i = 0; i + 1 < passages->size(); ++i) {
    EXPECT_GE((*passages)[i].tokens, 80);
    EXPECT_LE((*passages)[i].tokens, 165);
  }
}

TEST(cut, splits_a_word_that_no_passage_can_hold_between_code_points) {
  Document document;
  for (int i = 0; i < 5000; ++i) document.text += "\xC3\xA4";
  for (const TokenCounter& count : {TokenCounter(count_words), TokenCounter(count_bytes)}) {
    const auto passages = cut(document, count, {});
    ASSERT_TRUE(passages.ok());
    EXPECT_GT(passages->size(), 1U);
    expect_promises(document, *passages, count, {});
  }
}

TEST(cut, sets_the_page_on_which_a_passage_starts) {
  Document document = Writer().paragraph(words(140)).paragraph(words(140)).document();
  const std::size_t second = document.blocks[1].span.start;
  document.pages = {{1, {0, second}}, {2, {second, document.text.size()}}};
  const auto passages = cut(document, count_words, {});
  ASSERT_TRUE(passages.ok());
  EXPECT_EQ(passages->front().page, 1);
  EXPECT_EQ(passages->back().page, 2);
}

TEST(cut, repeats_sentences_when_asked_to) {
  const Document document = Writer().paragraph(words(400)).document();
  CutOptions options;
  options.overlap_sentences = 1;
  const auto passages = cut(document, count_words, options);
  ASSERT_TRUE(passages.ok());
  ASSERT_GE(passages->size(), 2U);
  EXPECT_LT((*passages)[1].span.start, (*passages)[0].span.end);
}

TEST(cut, passes_on_what_the_counter_reports_and_refuses_impossible_sizes) {
  const Document document = Writer().paragraph("Some text.").document();
  const auto failing = [](std::string_view) -> Result<int> {
    return Error{Kind::unavailable, "model", "is gone", ""};
  };
  EXPECT_EQ(cut(document, failing, {}).error().kind, Kind::unavailable);
  CutOptions options;
  options.max_tokens = 3;
  EXPECT_EQ(cut(document, count_words, options).error().kind, Kind::bad_request);
}

TEST(cut, refuses_blocks_that_leave_the_text) {
  Document document;
  document.text = "short";
  document.blocks = {{BlockKind::paragraph, 0, {0, 500}}};
  EXPECT_EQ(cut(document, count_words, {}).error().kind, Kind::bad_data);
}

// proves P-CUT-05
TEST(cut, counts_each_byte_about_twice) {
  Writer writer;
  for (int i = 0; i < 3600; ++i) writer.paragraph(words(40));
  const Document document = writer.document();
  std::size_t counted = 0;
  const TokenCounter count = [&](std::string_view text) {
    counted += text.size();
    return count_words(text);
  };
  const auto passages = cut(document, count, {});
  ASSERT_TRUE(passages.ok());
  EXPECT_GT(document.text.size(), 1'000'000U);
  EXPECT_LT(counted, 3 * document.text.size());
}

}  // namespace
}  // namespace loam::passage
