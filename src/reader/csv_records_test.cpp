#include "reader/csv_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace loam::reader {
namespace {
using testing::ElementsAre;
using testing::HasSubstr;

CsvTable table_of(std::string_view bytes) {
  const Result<CsvTable> table = read_csv_records(bytes, "test.csv");
  EXPECT_TRUE(table.ok()) << table.error().line();
  return table ? *table : CsvTable{};
}

TEST(csv_records, keep_every_character_of_a_cell) {
  const CsvTable table = table_of("a, b ,\"c \"\"d\"\"\"\r\n\" e\nf\" ,,g\n");
  ASSERT_EQ(table.records.size(), 2u);
  EXPECT_THAT(table.records[0].fields, ElementsAre("a", " b ", "c \"d\""));
  EXPECT_THAT(table.records[1].fields, ElementsAre(" e\nf", "", "g"));
}

TEST(csv_records, know_the_line_on_which_they_start) {
  const CsvTable table = table_of("sep=;\nx;y\n\n\"one\ntwo\";1\n  \nlast;2");
  ASSERT_EQ(table.records.size(), 3u);
  EXPECT_EQ(table.delimiter, ';');
  EXPECT_EQ(table.records[0].line, 2u);
  EXPECT_EQ(table.records[1].line, 4u);
  EXPECT_EQ(table.records[2].line, 7u);
}

TEST(csv_records, take_a_quote_that_is_not_closed_at_the_end_of_a_cell_as_a_character) {
  const CsvTable table = table_of("a,b\n\"x\" y,1\n\"open,2\nz,\"3\"\n");
  ASSERT_EQ(table.records.size(), 4u);
  EXPECT_THAT(table.records[1].fields, ElementsAre("\"x\" y", "1"));
  EXPECT_THAT(table.records[2].fields, ElementsAre("\"open", "2"));
  EXPECT_THAT(table.records[3].fields, ElementsAre("z", "3"));
}

TEST(csv_records, a_quote_that_is_never_closed_costs_no_row_and_is_told) {
  const CsvTable table = table_of("a,b\n\"x,1\ny,2\n");
  ASSERT_EQ(table.records.size(), 3u);
  EXPECT_THAT(table.records[2].fields, ElementsAre("y", "2"));
  EXPECT_THAT(table.notes, ElementsAre(HasSubstr("row 2 is never closed")));
}

TEST(csv_records, one_column_is_not_parted_by_commas_in_its_texts) {
  const CsvTable table = table_of("text\nfirst, second\nthird\n\"quoted, too\"\n");
  EXPECT_EQ(table.delimiter, '\0');
  ASSERT_EQ(table.records.size(), 4u);
  EXPECT_THAT(table.records[1].fields, ElementsAre("first, second"));
  EXPECT_THAT(table.records[3].fields, ElementsAre("quoted, too"));
}

TEST(csv_records, an_empty_file_is_an_empty_table_and_too_many_columns_are_refused_with_their_line) {
  EXPECT_TRUE(table_of("").records.empty());
  EXPECT_TRUE(table_of("\n \n\n").records.empty());
  const Result<CsvTable> wide = read_csv_records("a,b\n" + std::string(kMaxCsvColumns + 1, ','), "wide.csv");
  ASSERT_FALSE(wide);
  EXPECT_EQ(wide.error().kind, Kind::out_of_room);
  EXPECT_EQ(wide.error().place, "wide.csv line 2");
}

}  // namespace
}  // namespace loam::reader
