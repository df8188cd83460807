#include "engine/text_stream.h"

#include "base/utf8.h"
#include "gtest/gtest.h"

namespace loam::engine {
namespace {

std::string feed(TextStream& stream, std::string_view bytes, std::size_t piece) {
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += piece) {
    const std::string part = stream.push(bytes.substr(i, piece));
    EXPECT_TRUE(is_valid_utf8(part)) << part;
    out += part;
  }
  return out + stream.finish();
}

// proves P-ENG-04
TEST(text_stream, gives_whole_code_points_whatever_the_pieces) {
  const std::string text = "a \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x8C\xB1 z";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    TextStream stream({});
    EXPECT_EQ(feed(stream, text, piece), text) << piece;
  }
}

TEST(text_stream, replaces_bytes_that_are_not_utf8) {
  TextStream stream({});
  const std::string out = feed(stream, "a\xFF\xC3(b\xE2\x82", 1);
  EXPECT_TRUE(is_valid_utf8(out));
  EXPECT_EQ(out.front(), 'a');
  EXPECT_NE(out.find("(b"), std::string::npos);
  EXPECT_NE(out.find("\xEF\xBF\xBD"), std::string::npos);
}

TEST(text_stream, an_unfinished_code_point_waits_and_is_replaced_at_the_end) {
  TextStream stream({});
  EXPECT_EQ(stream.push("ab\xE2\x82"), "ab");
  EXPECT_EQ(stream.push("\xAC"), "\xE2\x82\xAC");
  EXPECT_EQ(stream.push("\xF0\x9F"), "");
  EXPECT_TRUE(is_valid_utf8(stream.finish()));
}

// proves P-ENG-05
TEST(text_stream, never_shows_a_piece_of_a_stop_text) {
  for (std::size_t piece = 1; piece <= 12; ++piece) {
    TextStream stream({"</answer>", "STOP"});
    std::string out;
    const std::string text = "yes</answe no</answer>hidden";
    for (std::size_t i = 0; i < text.size() && !stream.stopped(); i += piece) {
      out += stream.push(std::string_view(text).substr(i, piece));
    }
    EXPECT_TRUE(stream.stopped());
    EXPECT_EQ(out + stream.finish(), "yes</answe no") << piece;
  }
}

TEST(text_stream, a_start_of_a_stop_text_at_the_very_end_is_text) {
  TextStream stream({"STOP"});
  EXPECT_EQ(stream.push("wait ST"), "wait ");
  EXPECT_EQ(stream.finish(), "ST");
  EXPECT_FALSE(stream.stopped());
}

TEST(text_stream, the_earliest_stop_text_wins) {
  TextStream stream({"cd", "b"});
  EXPECT_EQ(stream.push("abcd"), "a");
  EXPECT_TRUE(stream.stopped());
  EXPECT_EQ(stream.push("more"), "");
}

TEST(text_stream, overlapping_starts_are_held_together) {
  TextStream stream({"aab"});
  EXPECT_EQ(stream.push("aaa"), "a");
  EXPECT_EQ(stream.push("b"), "");
  EXPECT_TRUE(stream.stopped());
}

}  // namespace
}  // namespace loam::engine
