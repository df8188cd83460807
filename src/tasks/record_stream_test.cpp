#include "tasks/record_stream.h"

#include <gtest/gtest.h>

namespace loam::tasks {
namespace {

struct Read {
  std::vector<StreamRecord> records;
  std::string error;
  StreamFormat format = StreamFormat::automatic;
};

/// Pushes the bytes in pieces of `piece`.
Read read_all(const std::string& bytes, std::size_t piece, const std::string& name = "-",
              StreamFormat format = StreamFormat::automatic, const std::string& column = "text") {
  Read read;
  RecordStream stream(name, format, column);
  for (std::size_t at = 0; at <= bytes.size(); at += piece) {
    if (at < bytes.size()) stream.push(std::string_view(bytes).substr(at, piece));
    if (at + piece > bytes.size()) stream.end();
    for (;;) {
      StreamRecord record;
      auto more = stream.next(record);
      if (!more) {
        read.error = more.error().line();
        return read;
      }
      if (!*more) break;
      read.records.push_back(std::move(record));
    }
  }
  read.format = stream.format();
  return read;
}

TEST(RecordStream, csv_comes_out_the_same_in_pieces_of_any_size) {
  const std::string csv =
      "\xEF\xBB\xBFid,text,label\r\n7,\"two\nlines, \"\"quoted\"\"\",x\r\n\r\n8,5\" "
      "pipe,y\n9,,z\n10,a,b,c\n11,last,no line end";
  for (const std::size_t piece : {1UL, 2UL, 3UL, 7UL, 1000UL}) {
    const Read read = read_all(csv, piece);
    ASSERT_EQ(read.error, "") << piece;
    EXPECT_EQ(read.format, StreamFormat::csv);
    ASSERT_EQ(read.records.size(), 5U) << piece;
    EXPECT_EQ(read.records[0].text, "two\nlines, \"quoted\"");
    EXPECT_EQ(read.records[0].id, "7");
    EXPECT_EQ(read.records[0].line, 2U);
    EXPECT_EQ(read.records[1].text, "5\" pipe");
    EXPECT_EQ(read.records[1].line, 5U);
    EXPECT_EQ(read.records[2].problem, "empty text");
    EXPECT_NE(read.records[3].problem, "");
    EXPECT_EQ(read.records[4].text, "last");
  }
}

TEST(RecordStream, json_lines_that_are_not_json_are_named_and_not_dropped) {
  const std::string lines =
      "{\"id\": 3, \"text\": \"good\"}\nnot json\n{\"other\": 1}\n{\"text\": \"\"}\n[1]\n{\"text\": "
      "\"Z\\u00fcrich\"}\n";
  for (const std::size_t piece : {1UL, 5UL, 500UL}) {
    const Read read = read_all(lines, piece);
    ASSERT_EQ(read.records.size(), 6U);
    EXPECT_EQ(read.format, StreamFormat::json_lines);
    EXPECT_EQ(read.records[0].id, "3");
    EXPECT_EQ(read.records[1].problem, "not a JSON object");
    EXPECT_EQ(read.records[2].problem, "no text under \"text\"");
    EXPECT_EQ(read.records[3].problem, "empty text");
    EXPECT_EQ(read.records[4].line, 5U);
    EXPECT_EQ(read.records[5].text, "Zürich");
  }
}

TEST(RecordStream, anything_else_is_one_text_a_line) {
  const Read read = read_all("where is my parcel, please?\n\nrefund\n\xff\xfe\n", 4);
  EXPECT_EQ(read.format, StreamFormat::lines);
  ASSERT_EQ(read.records.size(), 3U);
  EXPECT_EQ(read.records[0].text, "where is my parcel, please?");
  EXPECT_EQ(read.records[1].line, 3U);
  EXPECT_EQ(read.records[2].text, "\uFFFD\uFFFD");
}

TEST(RecordStream, a_missing_column_is_named_with_those_there_are) {
  const Read read = read_all("body;label\nhello;x\n", 100, "new.csv");
  EXPECT_NE(read.error.find("\"text\""), std::string::npos);
  EXPECT_NE(read.error.find("\"body\", \"label\""), std::string::npos);
  const Read right = read_all("body;label\nhello;x\n", 100, "new.csv", StreamFormat::automatic, "body");
  ASSERT_EQ(right.records.size(), 1U);
  EXPECT_EQ(right.records[0].text, "hello");
}

TEST(RecordStream, a_quote_that_never_closes_is_an_error_with_its_line) {
  const Read read = read_all("text\ngood\n\"never\nclosed\n", 3, "new.csv");
  EXPECT_EQ(read.records.size(), 1U);
  EXPECT_NE(read.error.find("new.csv line 3"), std::string::npos);
}

TEST(RecordStream, nothing_in_nothing_out) {
  EXPECT_TRUE(read_all("", 1).records.empty());
  EXPECT_TRUE(read_all("\n\n \n", 1).records.empty());
  EXPECT_TRUE(read_all("text,label\n", 1).records.empty());
}

TEST(CsvCell, is_read_back_as_it_was) {
  EXPECT_EQ(csv_cell("plain", ','), "plain");
  EXPECT_EQ(csv_cell("a,b", ','), "\"a,b\"");
  EXPECT_EQ(csv_cell("a,b", ';'), "a,b");
  EXPECT_EQ(csv_cell("say \"hi\"", ','), "\"say \"\"hi\"\"\"");
}

}  // namespace
}  // namespace loam::tasks
