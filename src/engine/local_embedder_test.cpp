#include "engine/local_embedder.h"

#include <cmath>
#include <numeric>

#include "engine/testing/fixture.h"

namespace loam::engine {
namespace {

std::shared_ptr<LocalModel> tiny_embedding_model() {
  static const std::shared_ptr<LocalModel> model = [] {
    const auto path = testing::scratch_folder() / "tiny_embedder.gguf";
    const auto written = testing::write_tiny_embedder(path, {1, 64, 2, 128});
    EXPECT_TRUE(written.ok());
    auto opened = LocalModel::open(path);
    EXPECT_TRUE(opened.ok()) << (opened ? "" : opened.error().line());
    return opened ? *opened : nullptr;
  }();
  return model;
}

std::unique_ptr<LocalEmbedder> tiny_embedder(LocalEmbedderOptions options = {}) {
  options.threads = 1;
  auto opened = LocalEmbedder::open(tiny_embedding_model(), options);
  EXPECT_TRUE(opened.ok()) << (opened ? "" : opened.error().line());
  return opened ? *std::move(opened) : nullptr;
}

double cosine(const float* a, const float* b, int size) { return std::inner_product(a, a + size, b, 0.0); }

std::vector<std::string> texts() {
  std::vector<std::string> out = {"the cat", "leave is 30 days in the year", "a",
                                  "notice of the contract to the staff"};
  for (int i = 0; i < 30; ++i) {
    std::string text = "the price of pump " + std::to_string(i);
    for (int j = 0; j < i; ++j) {
      text += " and salad";
    }
    out.push_back(text);
  }
  return out;
}

// proves P-ENG-10
TEST(local_embedder, vectors_have_unit_length_and_do_not_depend_on_company) {
  const auto embedder = tiny_embedder();
  const auto all = texts();
  const auto together = embedder->embed(all);
  ASSERT_TRUE(together.ok()) << together.error().line();
  const int width = embedder->dimensions();
  ASSERT_EQ(together->size(), all.size() * static_cast<std::size_t>(width));
  for (std::size_t i = 0; i < all.size(); ++i) {
    const float* row = together->data() + i * static_cast<std::size_t>(width);
    EXPECT_NEAR(cosine(row, row, width), 1.0, 1e-5);
    const auto alone = embedder->embed(std::vector<std::string>{all[i]});
    ASSERT_TRUE(alone.ok());
    EXPECT_GT(cosine(row, alone->data(), width), 0.99999) << all[i];
  }
}

TEST(local_embedder, different_texts_have_different_vectors) {
  const auto embedder = tiny_embedder();
  const auto two = embedder->embed(std::vector<std::string>{"the green house", "invoice to pay"});
  ASSERT_TRUE(two.ok());
  EXPECT_LT(cosine(two->data(), two->data() + embedder->dimensions(), embedder->dimensions()), 0.999);
}

// proves P-ENG-01
TEST(local_embedder, a_text_that_is_too_long_is_refused_with_both_numbers) {
  LocalEmbedderOptions options;
  options.max_tokens = 16;
  const auto embedder = tiny_embedder(options);
  std::string text = "cat";
  for (int i = 0; i < 13; ++i) {
    text += " cat";
  }
  EXPECT_EQ(*embedder->count_tokens(text), 16);
  EXPECT_TRUE(embedder->embed(std::vector<std::string>{text}).ok());
  const auto over = embedder->embed(std::vector<std::string>{"cat", text + " cat"});
  ASSERT_FALSE(over.ok());
  EXPECT_EQ(over.error().kind, Kind::out_of_room);
  EXPECT_EQ(over.error().place, "text 2");
  EXPECT_NE(over.error().message.find("17"), std::string::npos);
  EXPECT_NE(over.error().message.find("16"), std::string::npos);
}

TEST(local_embedder, nothing_gives_nothing) {
  const auto embedder = tiny_embedder();
  const auto none = embedder->embed({});
  ASSERT_TRUE(none.ok());
  EXPECT_TRUE(none->empty());
  EXPECT_TRUE(embedder->embed(std::vector<std::string>{""}).ok());  // [CLS] [SEP]: a text like any other
}

TEST(local_embedder, the_fingerprint_holds_the_model_and_the_limit) {
  LocalEmbedderOptions shorter;
  shorter.max_tokens = 32;
  EXPECT_EQ(tiny_embedder()->fingerprint(), tiny_embedder()->fingerprint());
  EXPECT_NE(tiny_embedder()->fingerprint(), tiny_embedder(shorter)->fingerprint());
}

TEST(local_embedder, a_chat_model_and_bad_options_are_refused) {
  const auto chat = LocalEmbedder::open(testing::tiny_model());
  ASSERT_FALSE(chat.ok());
  EXPECT_EQ(chat.error().kind, Kind::bad_request) << chat.error().line();
  LocalEmbedderOptions beyond;
  beyond.max_tokens = 129;
  EXPECT_FALSE(LocalEmbedder::open(tiny_embedding_model(), beyond).ok());
}

TEST(local_embedder, control_words_in_a_text_are_plain_text) {
  const auto embedder = tiny_embedder();
  EXPECT_GT(*embedder->count_tokens("[SEP]"), 3);
}

}  // namespace
}  // namespace loam::engine
