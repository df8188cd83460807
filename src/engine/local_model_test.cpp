#include "engine/local_model.h"

#include <fstream>

#include "engine/testing/fixture.h"

namespace loam::engine {
namespace {

using testing::scratch_folder;
using testing::tiny_model;

std::vector<Token> encode(std::string_view text, ParseSpecial parse = ParseSpecial::no) {
  auto tokens = tiny_model()->encode(text, AddSpecial::no, parse);
  EXPECT_TRUE(tokens.ok());
  return tokens ? *tokens : std::vector<Token>();
}

TEST(local_model, tells_what_it_is) {
  const auto model = tiny_model();
  EXPECT_EQ(model->name(), "tiny");
  EXPECT_EQ(model->architecture(), "llama");
  EXPECT_EQ(model->layers(), 2);
  EXPECT_EQ(model->dimensions(), 64);
  EXPECT_EQ(model->trained_context_tokens(), 1024);
  EXPECT_EQ(model->vocabulary_size(), 273);
  EXPECT_EQ(model->metadata("general.name"), "tiny test model");
  EXPECT_EQ(model->metadata("no.such.key"), std::nullopt);
  EXPECT_TRUE(model->chat_template().has_value());
}

TEST(local_model, text_survives_encoding_and_decoding) {
  for (const std::string text : {"the cat and the hen", "  two  spaces\n\n\ttab",
                                 "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x8C\xB1", "a <|im_start|> b", ""}) {
    const auto tokens = encode(text);
    const auto back = tiny_model()->decode(tokens);
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(*back, text);
  }
}

TEST(local_model, control_tokens_are_read_only_when_asked_for) {
  EXPECT_EQ(encode("<|im_end|>", ParseSpecial::yes).size(), 1U);
  EXPECT_GT(encode("<|im_end|>", ParseSpecial::no).size(), 1U);
  const auto pieces = tiny_model()->encode_pieces("a<|im_end|>", AddSpecial::no, ParseSpecial::yes);
  ASSERT_TRUE(pieces.ok());
  ASSERT_EQ(pieces->size(), 2U);
  EXPECT_FALSE((*pieces)[0].is_control);
  EXPECT_EQ((*pieces)[0].bytes, "a");
  EXPECT_TRUE((*pieces)[1].is_control);
  EXPECT_EQ((*pieces)[1].bytes, "<|im_end|>");
}

TEST(local_model, a_number_outside_the_vocabulary_is_a_bad_request) {
  const std::vector<Token> high{5, 100000};
  const std::vector<Token> low{-1};
  ASSERT_FALSE(tiny_model()->decode(high).ok());
  EXPECT_EQ(tiny_model()->decode(high).error().kind, Kind::bad_request);
  EXPECT_FALSE(tiny_model()->decode(low).ok());
}

TEST(local_model, bytes_that_are_not_utf8_do_not_kill_the_tokenizer) {
  const std::string bytes = "a\xFF\xFE\xC3(\x80";
  const auto tokens = tiny_model()->encode(bytes, AddSpecial::no, ParseSpecial::yes);
  if (tokens) {
    EXPECT_TRUE(tiny_model()->decode(*tokens).ok());
  }
}

TEST(local_model, a_missing_or_damaged_file_is_refused_before_llama_cpp_sees_it) {
  EXPECT_FALSE(LocalModel::open(scratch_folder() / "absent.gguf").ok());
  const auto text_file = scratch_folder() / "text.gguf";
  std::ofstream(text_file) << "this is no model";
  const auto opened = LocalModel::open(text_file);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind, Kind::bad_data);

  ASSERT_TRUE(tiny_model());
  const auto cut = scratch_folder() / "cut.gguf";
  std::filesystem::copy_file(tiny_model()->file(), cut, std::filesystem::copy_options::overwrite_existing);
  std::filesystem::resize_file(cut, std::filesystem::file_size(cut) - 1000);
  EXPECT_FALSE(LocalModel::open(cut).ok());
}

// proves P-ENG-09
TEST(local_model, the_fingerprint_changes_with_any_tensor_and_not_with_the_name) {
  ASSERT_TRUE(tiny_model());
  const auto copy = scratch_folder() / "copy.gguf";
  std::filesystem::copy_file(tiny_model()->file(), copy, std::filesystem::copy_options::overwrite_existing);
  const auto same = LocalModel::open(copy);
  ASSERT_TRUE(same.ok());
  EXPECT_EQ((*same)->fingerprint(), tiny_model()->fingerprint());
  EXPECT_EQ((*same)->fingerprint().size(), 64U);

  std::fstream file(copy, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-4, std::ios::end);
  file.write("\x01\x02\x03\x3C", 4);  // the last weight of the last tensor
  file.close();
  const auto changed = LocalModel::open(copy);
  ASSERT_TRUE(changed.ok());
  EXPECT_NE((*changed)->fingerprint(), tiny_model()->fingerprint());
}

TEST(local_model, the_vocabulary_alone_is_enough_to_encode) {
  ASSERT_TRUE(tiny_model());
  const auto opened = LocalModel::open(tiny_model()->file(), {Repack::on, Load::vocabulary_only, -1});
  ASSERT_TRUE(opened.ok()) << opened.error().line();
  const auto tokens = (*opened)->encode("the cat", AddSpecial::no, ParseSpecial::no);
  ASSERT_TRUE(tokens.ok());
  EXPECT_EQ(*tokens, encode("the cat"));
}

}  // namespace
}  // namespace loam::engine
