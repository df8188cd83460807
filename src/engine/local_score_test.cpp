#include <cmath>
#include <thread>

#include "engine/local_engine_impl.h"
#include "engine/testing/fixture.h"

namespace loam::engine {
namespace {

using testing::tiny_engine;
using testing::tiny_model;

ScoreRequest request_of(std::string prompt, std::vector<std::string> continuations) {
  ScoreRequest request;
  request.raw_prompt = std::move(prompt);
  request.continuations = std::move(continuations);
  return request;
}

std::vector<ContinuationScore> must(LocalEngine& engine, const ScoreRequest& request) {
  auto scores = engine.score(request);
  EXPECT_TRUE(scores.ok()) << (scores ? "" : scores.error().line());
  return scores ? *std::move(scores) : std::vector<ContinuationScore>();
}

Error must_fail(LocalEngine& engine, const ScoreRequest& request) {
  auto scores = engine.score(request);
  EXPECT_FALSE(scores.ok());
  return scores ? Error() : scores.error();
}

std::vector<Token> tokens_of(const std::string& text) {
  return *tiny_model()->encode(text, AddSpecial::no, ParseSpecial::yes);
}

/// The plain way: every token read, one after another, and the chosen ones summed.
ContinuationScore plainly(LocalEngine& engine, const std::vector<Token>& whole, std::size_t prompt_size) {
  ContinuationScore score;
  score.greedy = true;
  const auto read = engine.for_each_logits(whole, [&](int position, std::span<const float> logits) {
    const auto next = static_cast<std::size_t>(position) + 1;
    if (next < prompt_size || next >= whole.size()) return;
    const auto token = static_cast<std::size_t>(whole[next]);
    score.log_probability += static_cast<double>(logits[token]) - log_sum_exp(logits);
    score.greedy = score.greedy && std::max_element(logits.begin(), logits.end()) - logits.begin() ==
                                       static_cast<std::ptrdiff_t>(token);
    ++score.tokens;
  });
  EXPECT_TRUE(read.ok()) << (read ? "" : read.error().line());
  return score;
}

LocalEngineOptions in_f32() {
  LocalEngineOptions options;
  options.k_type = options.v_type = KvType::f32;
  return options;
}

TEST(for_each_logits, predicts_what_greedy_generates) {
  const auto engine = tiny_engine();
  GenerateRequest request;
  request.raw_prompt = "the cat";
  request.max_tokens = 12;
  request.top_alternatives = 1;
  const auto draft = engine->generate(request);
  ASSERT_TRUE(draft.ok());
  std::vector<Token> tokens = tokens_of("the cat");
  const std::size_t prompt_size = tokens.size();
  for (const Step& step : draft->steps) {
    tokens.push_back(step.token);
  }
  int seen = 0;
  const auto scored = engine->for_each_logits(tokens, [&](int position, std::span<const float> logits) {
    EXPECT_EQ(position, seen++);
    const auto next = static_cast<std::size_t>(position) + 1;
    if (next >= prompt_size && next < tokens.size()) {
      const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
      EXPECT_EQ(best, tokens[next]) << position;
    }
  });
  ASSERT_TRUE(scored.ok()) << scored.error().line();
  EXPECT_EQ(seen, static_cast<int>(tokens.size()));
}

TEST(for_each_logits, from_a_position_on_gives_the_same_rows) {
  const auto engine = tiny_engine(in_f32());
  const std::vector<Token> tokens = tokens_of("the hen and the cat and the other hen in the rain");
  std::vector<float> all;
  ASSERT_TRUE(engine
                  ->for_each_logits(tokens,
                                    [&](int position, std::span<const float> logits) {
                                      if (position >= 9) all.insert(all.end(), logits.begin(), logits.end());
                                    })
                  .ok());
  std::vector<float> some;
  int first = -1;
  ASSERT_TRUE(engine
                  ->for_each_logits(
                      tokens,
                      [&](int position, std::span<const float> logits) {
                        if (first < 0) first = position;
                        some.insert(some.end(), logits.begin(), logits.end());
                      },
                      9)
                  .ok());
  EXPECT_EQ(first, 9);
  ASSERT_EQ(some.size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) ASSERT_NEAR(some[i], all[i], 1e-3) << i;
}

TEST(for_each_logits, too_many_or_unknown_tokens_are_refused) {
  LocalEngineOptions options;
  options.context_tokens = 16;
  const auto engine = tiny_engine(options);
  const std::vector<Token> many(17, 5);
  const auto over = engine->for_each_logits(many, [](int, std::span<const float>) {});
  ASSERT_FALSE(over.ok());
  EXPECT_EQ(over.error().kind, Kind::out_of_room);
  const std::vector<Token> unknown{99999};
  EXPECT_FALSE(engine->for_each_logits(unknown, [](int, std::span<const float>) {}).ok());
}

// proves P-ENG-12
TEST(score, equals_reading_prompt_and_continuation_one_after_another) {
  const auto engine = tiny_engine(in_f32());
  const auto reference = tiny_engine(in_f32());
  const std::string prompt = "the cat and the hen sat on the sand:";
  const std::vector<std::string> continuations = {" the",
                                                  " the end",
                                                  " the end of it all",
                                                  " and then",
                                                  "!",
                                                  " the end",
                                                  " something else that goes on and on for a while"};
  const auto scores = must(*engine, request_of(prompt, continuations));
  ASSERT_EQ(scores.size(), continuations.size());
  const std::size_t prompt_size = tokens_of(prompt).size();
  for (std::size_t i = 0; i < continuations.size(); ++i) {
    const ContinuationScore plain = plainly(*reference, tokens_of(prompt + continuations[i]), prompt_size);
    EXPECT_EQ(scores[i].tokens, plain.tokens) << continuations[i];
    EXPECT_NEAR(scores[i].log_probability, plain.log_probability, 1e-3) << continuations[i];
    EXPECT_LT(scores[i].log_probability, 0);
  }
  EXPECT_EQ(scores[1].log_probability, scores[5].log_probability);  // the same text, computed once
}

TEST(score, more_continuations_than_branches_fit_at_once_get_the_scores_they_get_alone) {
  const auto engine = tiny_engine(in_f32());
  std::vector<std::string> continuations;
  for (int i = 0; i < 200; ++i) continuations.push_back(" number " + std::to_string(i * 37 % 1000));
  const auto together = must(*engine, request_of("pick one of them:", continuations));
  ASSERT_EQ(together.size(), continuations.size());
  for (const std::size_t i : {0U, 1U, 62U, 63U, 64U, 127U, 199U}) {
    const auto alone = must(*engine, request_of("pick one of them:", {continuations[i]}));
    ASSERT_EQ(alone.size(), 1U);
    EXPECT_NEAR(together[i].log_probability, alone[0].log_probability, 1e-3) << continuations[i];
    EXPECT_EQ(together[i].tokens, alone[0].tokens);
  }
}

TEST(score, groups_are_cut_where_the_context_is_full) {
  LocalEngineOptions options = in_f32();
  options.context_tokens = 256;
  const auto small = tiny_engine(options);
  const auto large = tiny_engine(in_f32());
  std::vector<std::string> continuations;
  for (int i = 0; i < 12; ++i) continuations.push_back(std::string(90, static_cast<char>('a' + i)));
  const auto in_small = must(*small, request_of(std::string(100, '-'), continuations));
  const auto in_large = must(*large, request_of(std::string(100, '-'), continuations));
  ASSERT_EQ(in_small.size(), in_large.size());
  for (std::size_t i = 0; i < in_small.size(); ++i)
    EXPECT_NEAR(in_small[i].log_probability, in_large[i].log_probability, 5e-3) << i;
}

TEST(score, single_tokens_get_the_softmax_of_the_prompts_last_row) {
  const auto engine = tiny_engine(in_f32());
  std::vector<double> softmax;
  ASSERT_TRUE(engine
                  ->for_each_logits(tokens_of("7"),
                                    [&](int, std::span<const float> logits) {
                                      double sum = 0;
                                      for (const float logit : logits) {
                                        softmax.push_back(std::exp(static_cast<double>(logit)));
                                        sum += softmax.back();
                                      }
                                      for (double& share : softmax) share /= sum;
                                    })
                  .ok());
  std::vector<std::string> continuations;
  for (char letter = '!'; letter <= '~'; ++letter) continuations.emplace_back(1, letter);
  const auto scores = must(*engine, request_of("7", continuations));
  for (std::size_t i = 0; i < continuations.size(); ++i) {
    EXPECT_EQ(scores[i].tokens, 1) << continuations[i];
    const auto token = static_cast<std::size_t>(tokens_of(continuations[i]).front());
    EXPECT_NEAR(std::exp(scores[i].log_probability), softmax[token], 1e-5) << continuations[i];
  }
}

TEST(score, greedy_says_what_greedy_decoding_would_write) {
  const auto engine = tiny_engine();
  GenerateRequest generate;
  generate.raw_prompt = "the cat";
  std::string text;
  for (int tokens = 1;
       tokens < 24 && (text.empty() || !std::isalnum(static_cast<unsigned char>(text.back()))); ++tokens) {
    generate.max_tokens = tokens;
    const auto draft = engine->generate(generate);
    ASSERT_TRUE(draft.ok());
    text = draft->text;
  }
  // A random model writes odd bytes; what survives the way through text and back is compared.
  std::vector<Token> written = tokens_of("the cat" + text);
  const auto scores = must(*engine, request_of("the cat", {text, "zq zq"}));
  const ContinuationScore plain = plainly(*engine, written, tokens_of("the cat").size());
  EXPECT_EQ(scores[0].greedy, plain.greedy);
  EXPECT_FALSE(scores[1].greedy);
}

// proves P-ENG-13
TEST(score, white_space_at_the_end_of_the_prompt_belongs_to_the_continuation) {
  const auto engine = tiny_engine(in_f32());
  const auto moved = must(*engine, request_of("the cat sat on ", {"the"}));
  const auto plain = must(*engine, request_of("the cat sat on", {" the"}));
  ASSERT_TRUE(moved.size() == 1 && plain.size() == 1);
  EXPECT_EQ(moved[0].tokens, 1);  // " the" is one token
  EXPECT_EQ(moved[0].tokens, plain[0].tokens);
  EXPECT_EQ(moved[0].log_probability, plain[0].log_probability);
  const auto lines =
      must(*engine, request_of("on\n\xC2\xA0 ", {"the"}));  // a no-break space is white space too
  EXPECT_EQ(lines[0].tokens, static_cast<int>(tokens_of("on\n\xC2\xA0 the").size() - tokens_of("on").size()));
}

// proves P-ENG-13
TEST(score, tokens_that_melt_over_the_border_are_cut_as_the_harness_cuts_them) {
  const auto engine = tiny_engine(in_f32());
  // "h" + "e" is one token: the prompt alone has as many tokens as the whole, so the continuation stands
  // alone.
  const auto melted = must(*engine, request_of("abch", {"e"}));
  EXPECT_EQ(tokens_of("abche").size(), tokens_of("abch").size());
  EXPECT_EQ(melted[0].tokens, 1);
  std::vector<Token> whole = tokens_of("abch");
  whole.push_back(tokens_of("e").front());
  EXPECT_NEAR(melted[0].log_probability, plainly(*engine, whole, tokens_of("abch").size()).log_probability,
              1e-3);
  // "an" + "d" is one token and more follows: the last tokens of the whole, beyond as many as the prompt has.
  const auto partly = must(*engine, request_of("an", {"d on"}));
  const std::vector<Token> together = tokens_of("and on");
  ASSERT_EQ(tokens_of("an").size(), 1U);
  EXPECT_EQ(partly[0].tokens, static_cast<int>(together.size()) - 1);
  std::vector<Token> spliced = tokens_of("an");
  spliced.insert(spliced.end(), together.begin() + 1, together.end());
  EXPECT_NEAR(partly[0].log_probability, plainly(*engine, spliced, 1).log_probability, 1e-3);
}

TEST(score, an_empty_prompt_means_the_first_token) {
  const auto engine = tiny_engine(in_f32());
  std::vector<Token> whole = {engine->first_token()};
  const std::vector<Token> text = tokens_of("the hen");
  whole.insert(whole.end(), text.begin(), text.end());
  const double expected = plainly(*engine, whole, 1).log_probability;
  for (const std::string prompt : {"", " ", "\n "}) {
    if (prompt.empty()) {
      const auto scores = must(*engine, request_of(prompt, {"the hen"}));
      EXPECT_EQ(scores[0].tokens, static_cast<int>(text.size()));
      EXPECT_NEAR(scores[0].log_probability, expected, 1e-3);
    } else {
      EXPECT_GT(must(*engine, request_of(prompt, {"the hen"}))[0].tokens, 0);
    }
  }
}

TEST(score, messages_are_scored_where_the_answer_begins) {
  const auto engine = tiny_engine(in_f32());
  ScoreRequest request;
  request.messages = {{Role::system, "Be brief."}, {Role::user, "Cat or hen?"}};
  request.continuations = {"the cat", "the hen and another"};
  const auto scores = must(*engine, request);
  const std::string rendered = *engine->render(request.messages);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto whole = tokens_of(rendered + request.continuations[i]);
    EXPECT_NEAR(scores[i].log_probability,
                plainly(*engine, whole, tokens_of(rendered).size()).log_probability, 1e-3);
  }
}

// proves P-ENG-03
TEST(score, control_tokens_in_a_continuation_are_plain_text) {
  const auto engine = tiny_engine();
  ScoreRequest request;
  request.messages = {{Role::user, "Who are you? <|im_end|>"}};
  request.continuations = {"<|im_end|>"};
  EXPECT_EQ(must(*engine, request)[0].tokens, static_cast<int>(std::string("<|im_end|>").size()));
  EXPECT_EQ(must(*engine, request_of("x", {"<|im_end|>"}))[0].tokens, 10);
}

// proves P-ENG-01
TEST(score, what_does_not_fit_is_refused_with_both_numbers) {
  LocalEngineOptions options;
  options.context_tokens = 64;
  const auto engine = tiny_engine(options);
  const Error error = must_fail(*engine, request_of(std::string(50, 'x'), {"ok", std::string(16, 'y')}));
  EXPECT_EQ(error.kind, Kind::out_of_room);
  EXPECT_NE(error.message.find("50"), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("continuation 2 of 16"), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("64"), std::string::npos) << error.message;
  // The last token is looked up, never read.
  EXPECT_EQ(must(*engine, request_of(std::string(50, 'x'), {std::string(15, 'y')}))[0].tokens, 15);
  EXPECT_EQ(must(*engine, request_of(std::string(64, 'x'), {"y"}))[0].tokens, 1);
}

TEST(score, bad_requests_are_refused_by_name) {
  const auto engine = tiny_engine();
  EXPECT_EQ(must_fail(*engine, request_of("a", {"b", ""})).place, "continuation 2");
  EXPECT_EQ(must_fail(*engine, request_of("a", {"\xFF"})).place, "continuation 1");
  EXPECT_EQ(must_fail(*engine, request_of("\xFF", {"a"})).place, "prompt");
  EXPECT_TRUE(must(*engine, request_of("a", {})).empty());
}

// proves P-ENG-12
TEST(score, a_reused_prompt_gives_bit_for_bit_what_an_empty_cache_gives) {
  LocalEngineOptions options;
  options.micro_batch_tokens = 32;
  options.batch_tokens = 64;
  const auto engine = tiny_engine(options);
  const auto fresh = tiny_engine(options);
  const std::string shared(150, 'd');
  for (const std::string tail : {"one", "two and more", "o", "one and a longer one than all before it"}) {
    const ScoreRequest request = request_of(shared + tail, {" yes", " no", " perhaps not"});
    fresh->clear_cache();
    const auto expected = must(*fresh, request);
    const auto reused = must(*engine, request);
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_EQ(reused[i].log_probability, expected[i].log_probability) << tail << i;
  }
}

TEST(score, generating_and_scoring_do_not_disturb_each_other) {
  const auto engine = tiny_engine();
  const auto calm = tiny_engine();
  GenerateRequest generate;
  generate.raw_prompt = "once upon a time there was";
  generate.max_tokens = 12;
  const ScoreRequest request = request_of("once upon a time there was", {" a cat", " a hen"});
  const auto text = calm->generate(generate);
  const auto scores = must(*calm, request);
  for (int round = 0; round < 2; ++round) {
    const auto again = engine->generate(generate);
    ASSERT_TRUE(again.ok() && text.ok());
    EXPECT_EQ(again->text, text->text);
    const auto rescored = must(*engine, request);
    EXPECT_EQ(rescored[0].log_probability, scores[0].log_probability);
    EXPECT_EQ(rescored[1].log_probability, scores[1].log_probability);
    ASSERT_TRUE(engine->for_each_logits(tokens_of("in between"), [](int, std::span<const float>) {}).ok());
  }
}

// proves P-ENG-14
TEST(score, stopping_ends_it_and_leaves_the_engine_usable) {
  const auto engine = tiny_engine();
  const ScoreRequest request = request_of(std::string(700, 'q'), {" yes", " no", " not at all, by no means"});
  const auto expected = must(*engine, request);
  std::stop_source already;
  already.request_stop();
  const auto stopped = engine->score(request, already.get_token());
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().kind, Kind::unavailable);
  for (int round = 0; round < 10; ++round) {
    engine->clear_cache();
    std::stop_source source;
    std::jthread canceller([&source, round] {
      std::this_thread::sleep_for(std::chrono::microseconds(round * 500));
      source.request_stop();
    });
    (void)engine->score(request, source.get_token());
    canceller.join();
    engine->clear_cache();
    const auto after = must(*engine, request);
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_EQ(after[i].log_probability, expected[i].log_probability) << round;
  }
}

TEST(score, an_engine_that_cannot_tell_says_so) {
  struct Silent : Engine {
    std::string name = "remote";
    const std::string& model_name() const override { return name; }
    int context_tokens() const override { return 10; }
    Result<int> count_tokens(std::string_view) override { return 0; }
    Result<int> count_tokens(const std::vector<Message>&) override { return 0; }
    Result<std::string> render(const std::vector<Message>&) override { return std::string(); }
    Result<Draft> generate(const GenerateRequest&, const TextSink&, std::stop_token) override {
      return Draft();
    }
  } engine;
  const auto scores = engine.score({});
  ASSERT_FALSE(scores.ok());
  EXPECT_EQ(scores.error().kind, Kind::unavailable);
}

}  // namespace
}  // namespace loam::engine
