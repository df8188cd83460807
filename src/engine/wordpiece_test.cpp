#include "engine/wordpiece.h"

#include "engine/local_embedder.h"
#include "engine/testing/fixture.h"

namespace loam::engine {
namespace {

std::string normalised(std::string_view text, WordPieceRules rules = {}) {
  return normalise_for_wordpiece(text, rules);
}

TEST(WordPiece, a_hangul_syllable_becomes_its_letters) {
  EXPECT_EQ(normalised("\xED\x95\x9C"), "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB");  // U+D55C: 1112 1161 11AB
  EXPECT_EQ(normalised("\xEA\xB0\x80"), "\xE1\x84\x80\xE1\x85\xA1");              // U+AC00: no final letter
  const WordPieceRules as_it_is{.lowercase = false, .strip_accents = false};
  EXPECT_EQ(normalised("\xED\x95\x9C", as_it_is), "\xED\x95\x9C");
}

TEST(WordPiece, vowel_signs_that_take_room_stay_and_nonspacing_marks_go) {
  // KA, vowel sign AA (Mc) stay; vowel sign U (Mn) goes.
  EXPECT_EQ(normalised("\xE0\xA4\x95\xE0\xA4\xBE\xE0\xA5\x81"), "\xE0\xA4\x95\xE0\xA4\xBE");
  // A vowel sign of two parts (Bengali O, U+09CB) keeps both.
  EXPECT_EQ(normalised("\xE0\xA7\x8B"), "\xE0\xA7\x87\xE0\xA6\xBE");
}

TEST(WordPiece, accents_and_capitals_go_only_as_the_rules_say) {
  EXPECT_EQ(normalised("\xC3\x89t\xC3\xA9"), "ete");
  EXPECT_EQ(normalised("\xC3\x89t\xC3\xA9", {.lowercase = true, .strip_accents = false}),
            "\xC3\xA9t\xC3\xA9");
  EXPECT_EQ(normalised("\xC3\x89t\xC3\xA9", {.lowercase = false, .strip_accents = true}), "Ete");
}

TEST(WordPiece, what_is_not_text_is_left_out) {
  EXPECT_EQ(normalised(std::string_view("a\0b\xE2\x80\x8B"
                                        "c\xFF"
                                        "d\xEF\xBF\xBD",
                                        12)),
            "abcd");
  EXPECT_EQ(normalised("a\tb\xC2\xA0"
                       "c\nd"),
            "a b c d");
}

TEST(WordPiece, marks_and_chinese_characters_are_words_of_their_own) {
  const std::string text = normalised("don't \xE5\x90\x88\xE5\x90\x8C!");
  const std::vector<std::string_view> expected = {"don", "'", "t", "\xE5\x90\x88", "\xE5\x90\x8C", "!"};
  EXPECT_EQ(wordpiece_words(text), expected);
}

TEST(WordPiece, gives_the_tokens_of_llama_cpp_for_plain_english) {
  const auto path = testing::scratch_folder() / "wordpiece.gguf";
  ASSERT_TRUE(testing::write_tiny_embedder(path).ok());
  const auto model = LocalModel::open(path);
  ASSERT_TRUE(model.ok()) << model.error().line();
  const auto pieces = WordPiece::of(**model);
  ASSERT_TRUE(pieces.has_value());
  for (const char* text : {"The price of leave is in the contract.", "notice", "",
                           "pump-manual: [CLS] 12 days", "Greenhouse salads?!", "\xE5\x90\x88"}) {
    EXPECT_EQ(pieces->encode(text), *(*model)->encode(text, AddSpecial::yes, ParseSpecial::no)) << text;
  }
}

TEST(WordPiece, tokens_know_their_place_in_the_text) {
  const auto path = testing::scratch_folder() / "wordpiece_places.gguf";
  ASSERT_TRUE(testing::write_tiny_embedder(path).ok());
  const auto model = LocalModel::open(path);
  ASSERT_TRUE(model.ok()) << model.error().line();
  const auto pieces = WordPiece::of(**model);
  ASSERT_TRUE(pieces.has_value());
  // A capital, a word with an accent of its own and one with a mark after the letter, Hangul, a broken byte.
  const std::string text =
      "  The pri\xC3\xA7"
      "e, cafe\xCC\x81! \xED\x95\x9C\xFF 12\tdays";
  const auto placed = pieces->encode_placed(text);
  std::vector<Token> ids = {pieces->first()};
  std::size_t before = 0;
  std::string letters;
  for (const PlacedToken& token : placed) {
    ids.push_back(token.id);
    EXPECT_GE(token.span.start, before);
    EXPECT_LT(token.span.start, token.span.end);
    before = token.span.start;
    letters += "[" + std::string(slice(text, token.span)) + "]";
  }
  ids.push_back(pieces->last());
  EXPECT_EQ(ids, pieces->encode(text));
  EXPECT_EQ(placed.front().span, (Span{2, 5}));
  EXPECT_NE(letters.find("e\xCC\x81]"), std::string::npos) << letters;
  EXPECT_EQ(letters.find("[ "), std::string::npos) << letters;
  EXPECT_TRUE(pieces->encode_placed("").empty());
}

TEST(WordPiece, is_not_offered_for_other_tokenizers) {
  EXPECT_FALSE(WordPiece::of(*testing::tiny_model()).has_value());
}

TEST(WordPiece, a_word_of_more_than_a_hundred_letters_is_unknown) {
  const auto path = testing::scratch_folder() / "wordpiece.gguf";
  ASSERT_TRUE(testing::write_tiny_embedder(path).ok());
  const auto model = LocalModel::open(path);
  ASSERT_TRUE(model.ok());
  const auto pieces = WordPiece::of(**model);
  EXPECT_EQ(pieces->encode(std::string(100, 'q')).size(), 102U);
  EXPECT_EQ(pieces->encode(std::string(101, 'q')).size(), 3U);
}

}  // namespace
}  // namespace loam::engine
