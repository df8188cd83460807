#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/document.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/result.h"
#include "base/span.h"
#include "base/utf8.h"

namespace loam {
namespace {

TEST(Error, line_names_kind_place_and_next_step) {
  const Error error{Kind::bad_data, "offer.pdf page 3", "picture without text",
                    "loam ingest --ocr offer.pdf"};
  EXPECT_EQ(error.line(),
            "bad data: offer.pdf page 3: picture without text. Try: loam ingest --ocr offer.pdf");
}

TEST(Result, holds_a_value_or_an_error) {
  const Result<int> good = 3;
  const Result<int> bad = Error{Kind::out_of_room, "", "full", ""};
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, 3);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().kind, Kind::out_of_room);
}

// Test vectors of FIPS 180-4 (NIST examples "", "abc").
TEST(Sha256, matches_the_standard) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, pieces_give_the_same_digest_as_the_whole) {
  Sha256 hash;
  hash.add("a");
  hash.add("bc");
  EXPECT_EQ(hash.hex(), sha256_hex("abc"));
}

TEST(Utf8, decodes_and_encodes_every_boundary_code_point) {
  for (const char32_t value : {U'\x01', U'\x7F', U'\x80', U'\u07FF', U'\u0800', U'\uD7FF', U'\uE000',
                               U'\uFFFF', U'\U00010000', U'\U0010FFFF'}) {
    std::string text;
    append_utf8(text, value);
    const CodePoint point = decode_utf8(text);
    EXPECT_TRUE(point.valid);
    EXPECT_EQ(point.value, value);
    EXPECT_EQ(point.size, text.size());
  }
}

TEST(Utf8, refuses_overlong_surrogate_and_truncated_forms) {
  for (const std::string_view bad : {"\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
                                     "\xF4\x90\x80\x80", "\xE2\x82", "\x80", "\xFF"}) {
    EXPECT_FALSE(is_valid_utf8(bad));
    std::size_t replaced = 0;
    EXPECT_TRUE(is_valid_utf8(to_valid_utf8(bad, &replaced)));
    EXPECT_GT(replaced, 0U);
  }
}

TEST(Utf8, floor_never_splits_a_code_point) {
  const std::string text = "a\u00E9\u20AC\U0001F600";
  for (std::size_t limit = 0; limit <= text.size(); ++limit) {
    EXPECT_TRUE(is_valid_utf8(std::string_view(text).substr(0, utf8_floor(text, limit)))) << limit;
  }
}

TEST(Utf8, lower_case_covers_the_european_alphabets) {
  EXPECT_EQ(to_lower_utf8("ÄÖÜ ÉÀ ŁŻŹ ŠČ Ÿ ΑΩ ДЯЁ STRASSE"), "äöü éà łżź šč ÿ αω дяё strasse");
}

TEST(Json, refuses_nesting_beyond_the_limit) {
  const std::string deep = std::string(65, '[') + std::string(65, ']');
  const auto parsed = parse_json(deep, "request");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().kind, Kind::bad_data);
  EXPECT_TRUE(parse_json(deep, "request", 100));
}

TEST(Json, brackets_inside_strings_do_not_count_as_nesting) {
  EXPECT_TRUE(parse_json("[\"" + std::string(1000, '[') + "\\\"[\"]", "request"));
}

TEST(Json, output_is_valid_utf8_even_for_bad_bytes) {
  const Json value = {{"text", std::string("a\xFF") + "b"}};
  EXPECT_EQ(dump_json(value), "{\"text\":\"a\uFFFDb\"}");
}

TEST(Document, page_at_finds_the_page_that_holds_an_offset) {
  Document document;
  EXPECT_EQ(document.page_at(5), std::nullopt);
  document.pages = {{1, {0, 10}}, {2, {11, 20}}};
  EXPECT_EQ(document.page_at(0), 1);
  EXPECT_EQ(document.page_at(10), 1);
  EXPECT_EQ(document.page_at(11), 2);
  EXPECT_EQ(document.page_at(99), 2);
}

TEST(Span, slice_is_clamped_to_the_text) {
  EXPECT_EQ(slice("hello", {1, 3}), "el");
  EXPECT_EQ(slice("hello", {3, 99}), "lo");
  EXPECT_EQ(slice("hello", {9, 99}), "");
}

}  // namespace
}  // namespace loam
