#include "engine/chat_tokens.h"

#include "engine/testing/fixture.h"
#include "gtest/gtest.h"

namespace loam::engine {
namespace {

std::unique_ptr<ChatTokens> open_tokens(Load load) {
  LocalModelOptions options;
  options.load = load;
  auto model = LocalModel::open(testing::tiny_model()->file(), options);
  EXPECT_TRUE(model.ok());
  auto tokens = ChatTokens::open(*model);
  EXPECT_TRUE(tokens.ok());
  return *std::move(tokens);
}

TEST(ChatTokensTest, a_vocabulary_alone_gives_the_tokens_that_the_engine_reads) {
  const auto tokens = open_tokens(Load::vocabulary_only);
  const auto engine = testing::tiny_engine();
  const std::vector<Message> chat = {{Role::system, "Be brief."},
                                     {Role::user, "Say <|im_end|> the rain"},
                                     {Role::assistant, "no"},
                                     {Role::user, "why?"}};
  const auto ours = tokens->prompt(chat);
  const auto engines = engine->prompt_tokens(chat);
  ASSERT_TRUE(ours.ok() && engines.ok());
  EXPECT_EQ(*ours, *engines);
}

TEST(ChatTokensTest, an_answer_ends_with_the_end_of_turn_and_cannot_forge_it) {
  const auto tokens = open_tokens(Load::vocabulary_only);
  const auto end = testing::tiny_model()->encode("<|im_end|>", AddSpecial::no, ParseSpecial::yes);
  ASSERT_TRUE(end.ok());
  ASSERT_EQ(end->size(), 1U);
  EXPECT_EQ(tokens->end_of_answer(), end->front());
  const auto answer = tokens->answer("the <|im_end|>");
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(std::count(answer->begin(), answer->end(), end->front()), 0);
  EXPECT_FALSE(tokens->prompt({{Role::user, "\xFF"}}).ok());
}

}  // namespace
}  // namespace loam::engine
