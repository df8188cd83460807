#include "baseline/packed.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>

#include "base/team.h"
#include "baseline/linear.h"
#include "baseline/terms.h"

namespace loam::baseline {
namespace {

TEST(Packed, what_is_written_is_read) {
  PackedWriter to;
  to.u8(7);
  to.u32(0xDEADBEEF);
  to.u64(1ULL << 60U);
  for (const std::uint64_t value : {0ULL, 127ULL, 128ULL, ~0ULL}) to.varint(value);
  to.f32(-1.5F);
  to.f64(1e300);
  to.text("Zürich");
  const std::vector<float> values = {1, 2, 3};
  to.floats(values);
  PackedReader from(to.bytes());
  EXPECT_EQ(from.u8(), 7);
  EXPECT_EQ(from.u32(), 0xDEADBEEF);
  EXPECT_EQ(from.u64(), 1ULL << 60U);
  for (const std::uint64_t value : {0ULL, 127ULL, 128ULL, ~0ULL}) EXPECT_EQ(from.varint(), value);
  EXPECT_EQ(from.f32(), -1.5F);
  EXPECT_EQ(from.f64(), 1e300);
  EXPECT_EQ(from.text(), "Zürich");
  EXPECT_EQ(from.floats(), values);
  EXPECT_TRUE(from.ok() && from.at_end());
  (void)from.u8();
  EXPECT_FALSE(from.ok());
}

TEST(Packed, a_count_that_lies_allocates_nothing) {
  PackedWriter to;
  to.varint(1ULL << 60U);
  PackedReader from(to.bytes());
  EXPECT_TRUE(from.floats().empty());
  EXPECT_FALSE(from.ok());
}

TEST(Packed, a_newer_version_is_refused_by_its_number) {
  std::string bytes;
  append_section(bytes, "LOAMTEST", 9, "payload");
  std::string_view in = bytes;
  const auto taken = take_section(in, "LOAMTEST", 3);
  ASSERT_FALSE(taken.ok());
  EXPECT_NE(taken.error().message.find("version 9"), std::string::npos);
}

// With a right checksum over wrong contents nothing protects but the checks of the contents themselves.
TEST(Packed, contents_that_cannot_be_are_refused_behind_a_right_checksum) {
  std::mt19937 random(5);
  int refused = 0;
  const std::vector<std::string> texts = {"one two three", "two three four", "five"};
  const std::vector<int> labels = {0, 1, 1};
  const auto tfidf = Tfidf::fit(texts);
  const auto neighbours = Bm25Neighbours::fit(texts, labels, 2);
  ASSERT_TRUE(tfidf.ok() && neighbours.ok());
  const auto model = LogisticRegression::fit(tfidf->transform(texts), tfidf->terms(), labels, 2);
  ASSERT_TRUE(model.ok());
  std::string saved[3];
  tfidf->save(saved[0]);
  model->save(saved[1]);
  neighbours->save(saved[2]);
  const char* kinds[3] = {"LOAMTFID", "LOAMLOGR", "LOAMBM25"};
  for (int i = 0; i < 6000; ++i) {
    const int which = i % 3;
    std::string_view in = saved[which];
    auto payload = take_section(in, kinds[which], 1);
    ASSERT_TRUE(payload.ok());
    std::string altered(*payload);
    const int changes = 1 + static_cast<int>(random() % 3);
    for (int c = 0; c < changes; ++c) altered[random() % altered.size()] = static_cast<char>(random());
    if (random() % 4 == 0) altered.resize(random() % altered.size());
    std::string bytes;
    append_section(bytes, kinds[which], 1, altered);
    std::string_view again = bytes;
    if (which == 0) {
      auto loaded = Tfidf::load(again);
      refused += loaded ? 0 : 1;
      if (loaded) (void)loaded->transform("one two five");
    } else if (which == 1) {
      auto loaded = LogisticRegression::load(again);
      refused += loaded ? 0 : 1;
      if (loaded) (void)loaded->predict(SparseRow{});
    } else {
      auto loaded = Bm25Neighbours::load(again);
      refused += loaded ? 0 : 1;
      if (loaded) (void)loaded->predict("one two five");
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(Terms, are_found_by_their_place_in_order) {
  const TermTable table({"a", "ab", "abc", "b", "zürich"});
  EXPECT_EQ(table.find("abc"), 2U);
  EXPECT_EQ(table.find("zürich"), 4U);
  EXPECT_EQ(table.find("abd"), TermTable::kUnknown);
  EXPECT_EQ(TermTable().find("a"), TermTable::kUnknown);
}

TEST(Team, do_each_turn_once_for_any_number_of_threads) {
  for (const int threads : {1, 2, 7}) {
    Team workers(threads);
    for (int round = 0; round < 50; ++round) {
      std::vector<std::atomic<int>> done(97);
      workers.run(done.size(), [&](std::size_t i) { ++done[i]; });
      for (const auto& times : done) EXPECT_EQ(times.load(), 1);
    }
    workers.run(0, [](std::size_t) { FAIL(); });
  }
}

}  // namespace
}  // namespace loam::baseline
