#include "tasks/batch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "base/json.h"

namespace loam::tasks {
namespace {

namespace fs = std::filesystem;

class Batch : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("loam_batch_test_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    file_ = folder_ / "out.jsonl";
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  void write(const std::string& bytes) const { std::ofstream(file_, std::ios::binary) << bytes; }
  std::string read() const {
    std::ostringstream bytes;
    bytes << std::ifstream(file_, std::ios::binary).rdbuf();
    return bytes.str();
  }
  fs::path folder_, file_;
};

TEST_F(Batch, what_is_done_is_not_done_again) {
  // proves P-TASK-06
  {
    auto batch = BatchFile::open(file_);
    ASSERT_TRUE(batch.ok()) << batch.error().line();
    EXPECT_FALSE((*batch)->is_done("a", "1"));
    ASSERT_TRUE((*batch)->append({{"id", "a"}, {"hash", "1"}, {"summary", "x"}}).ok());
    ASSERT_TRUE((*batch)->append({{"id", "b"}, {"hash", "2"}, {"error", "broken"}}).ok());
  }
  auto again = BatchFile::open(file_);
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE((*again)->is_done("a", "1"));
  EXPECT_FALSE((*again)->is_done("a", "changed"));
  EXPECT_FALSE((*again)->is_done("b", "2"));  // an error is tried again
  EXPECT_EQ((*again)->lines_before(), 2U);
}

TEST_F(Batch, a_line_that_was_cut_off_is_put_aside_and_done_again) {
  write("{\"id\":\"a\",\"hash\":\"1\"}\n{\"id\":\"b\",\"ha");
  {
    auto batch = BatchFile::open(file_);
    ASSERT_TRUE(batch.ok()) << batch.error().line();
    EXPECT_TRUE((*batch)->repaired());
    EXPECT_TRUE((*batch)->is_done("a", "1"));
    EXPECT_FALSE((*batch)->is_done("b", "2"));
    ASSERT_TRUE((*batch)->append({{"id", "b"}, {"hash", "2"}}).ok());
  }
  EXPECT_EQ(read(), "{\"id\":\"a\",\"hash\":\"1\"}\n{\"id\":\"b\",\"hash\":\"2\"}\n");
}

TEST_F(Batch, a_foreign_file_is_refused_and_left_as_it_is) {
  write("dear diary\nmore\n");
  const auto batch = BatchFile::open(file_);
  ASSERT_FALSE(batch.ok());
  EXPECT_EQ(batch.error().kind, Kind::bad_data);
  EXPECT_NE(batch.error().line().find("line 1"), std::string::npos);
  EXPECT_EQ(read(), "dear diary\nmore\n");
}

TEST_F(Batch, a_foreign_file_of_one_line_without_its_end_is_left_as_it_is) {
  for (const std::string bytes : {"dear diary", "{\"id\":\"1\",\"question\":\"Why?\"}", "[1, 2"}) {
    write(bytes);
    EXPECT_FALSE(BatchFile::open(file_).ok()) << bytes;
    EXPECT_EQ(read(), bytes);
  }
}

TEST_F(Batch, a_whole_last_line_without_its_end_counts) {
  write("{\"id\":\"a\",\"hash\":\"1\"}");
  {
    auto batch = BatchFile::open(file_);
    ASSERT_TRUE(batch.ok()) << batch.error().line();
    EXPECT_TRUE((*batch)->is_done("a", "1"));
    ASSERT_TRUE((*batch)->append({{"id", "b"}, {"hash", "2"}}).ok());
  }
  EXPECT_EQ(read(), "{\"id\":\"a\",\"hash\":\"1\"}\n{\"id\":\"b\",\"hash\":\"2\"}\n");
}

TEST_F(Batch, two_runs_at_once_are_refused) {
  const auto first = BatchFile::open(file_);
  ASSERT_TRUE(first.ok());
  const auto second = BatchFile::open(file_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().kind, Kind::unavailable);
}

TEST_F(Batch, items_come_from_a_column) {
  const auto items =
      items_of_column("key,text\nk1,\"one, two\"\nk2,\"three\nfour\"\n", "t.csv", "text", "key");
  ASSERT_TRUE(items.ok()) << items.error().line();
  ASSERT_EQ(items->size(), 2U);
  EXPECT_EQ((*items)[0].id, "k1");
  EXPECT_EQ((*items)[0].text, "one, two");
  EXPECT_EQ((*items)[1].text, "three\nfour");
  const auto rows = items_of_column("text\na\nb\n", "t.csv", "text", "");
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ((*rows)[1].id, "row 2");
}

TEST_F(Batch, a_column_that_is_not_there_is_named_with_those_that_are) {
  const auto items = items_of_column("key,text\nk1,a\n", "t.csv", "texts", "");
  ASSERT_FALSE(items.ok());
  EXPECT_NE(items.error().line().find("key, text"), std::string::npos);
  const auto twice = items_of_column("key,text\nk1,a\nk1,b\n", "t.csv", "text", "key");
  ASSERT_FALSE(twice.ok());
  EXPECT_NE(twice.error().line().find("line 3"), std::string::npos);
}

TEST_F(Batch, the_hash_tells_task_settings_and_input_apart) {
  EXPECT_NE(batch_hash("ab", "c", "d"), batch_hash("a", "bc", "d"));
  EXPECT_EQ(batch_hash("a", "b", "c"), batch_hash("a", "b", "c"));
}

}  // namespace
}  // namespace loam::tasks
