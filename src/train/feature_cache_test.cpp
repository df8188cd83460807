#include "train/feature_cache.h"

#include <cstring>

#include "engine/testing/fixture.h"
#include "gtest/gtest.h"

namespace loam::train {
namespace {

constexpr std::size_t kWidth = 6;

Operand numbered(Precision precision, std::size_t rows, int seed) {
  Operand states;
  states.shape(precision, rows, kWidth);
  for (std::size_t row = 0; row < rows; ++row) {
    auto* bytes = static_cast<unsigned char*>(states.at(row));
    for (std::size_t i = 0; i < kWidth * (precision == Precision::f32 ? 4 : 2); ++i) {
      bytes[i] = static_cast<unsigned char>(static_cast<std::size_t>(seed) * 31 + row * 7 + i);
    }
  }
  return states;
}

TEST(FeatureCacheTest, gives_back_what_was_kept_in_memory_and_on_the_disk) {
  const std::vector<std::size_t> lengths = {3, 0, 5};
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    EXPECT_EQ(FeatureCache::bytes(precision, kWidth, lengths), precision == Precision::f32 ? 192U : 96U);
    for (const bool on_disk : {false, true}) {
      std::unique_ptr<FeatureCache> cache;
      if (on_disk) {
        auto opened = FeatureCache::on_disk(engine::testing::scratch_folder(), precision, kWidth, lengths);
        ASSERT_TRUE(opened.ok()) << opened.error().line();
        cache = *std::move(opened);
      } else {
        cache = FeatureCache::in_memory(precision, kWidth, lengths);
      }
      const Operand states = numbered(precision, 8, 1);
      EXPECT_FALSE(cache->has(2));
      ASSERT_TRUE(cache->put(2, states, 3).ok());
      ASSERT_TRUE(cache->put(0, states, 0).ok());
      ASSERT_TRUE(cache->put(1, states, 0).ok());
      EXPECT_TRUE(cache->has(0) && cache->has(1) && cache->has(2));
      Operand back = numbered(precision, 9, 2);
      ASSERT_TRUE(cache->get(0, back, 1).ok());
      ASSERT_TRUE(cache->get(2, back, 4).ok());
      const std::size_t row_bytes = kWidth * (precision == Precision::f32 ? 4 : 2);
      for (std::size_t row = 0; row < 8; ++row) {
        EXPECT_EQ(std::memcmp(back.view().at(row + 1), states.view().at(row), row_bytes), 0) << row;
      }
    }
  }
}

TEST(FeatureCacheTest, a_folder_that_is_not_there_is_told) {
  const std::vector<std::size_t> lengths = {3};
  const auto opened =
      FeatureCache::on_disk(engine::testing::scratch_folder() / "nowhere", Precision::f32, kWidth, lengths);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind, Kind::unavailable);
}

}  // namespace
}  // namespace loam::train
