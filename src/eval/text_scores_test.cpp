#include "eval/text_scores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "eval/test_reference.h"

namespace loam::eval {
namespace {
using testing::ElementsAre;
using Texts = std::vector<std::string>;

constexpr double kExact = 1e-9;

void expect_overlap(const Overlap& ours, const Json& theirs, const std::string& what) {
  EXPECT_NEAR(ours.precision, theirs.at(0).get<double>(), kExact) << what;
  EXPECT_NEAR(ours.recall, theirs.at(1).get<double>(), kExact) << what;
  EXPECT_NEAR(ours.f1, theirs.at(2).get<double>(), kExact) << what;
}

void expect_rouge(const Result<Rouge>& ours, const Json& theirs, const std::string& what) {
  ASSERT_TRUE(ours) << what;
  expect_overlap(ours->rouge_1, theirs.at("rouge1"), what + " rouge1");
  expect_overlap(ours->rouge_2, theirs.at("rouge2"), what + " rouge2");
  expect_overlap(ours->rouge_l, theirs.at("rougeL"), what + " rougeL");
  expect_overlap(ours->rouge_lsum, theirs.at("rougeLsum"), what + " rougeLsum");
}

void expect_bleu(const Result<Bleu>& ours, const Json& theirs, const std::string& what) {
  ASSERT_TRUE(ours) << what;
  EXPECT_NEAR(ours->score, theirs.at("score").get<double>(), kExact) << what;
  EXPECT_NEAR(ours->brevity_penalty, theirs.at("brevity_penalty").get<double>(), kExact) << what;
  for (std::size_t n = 0; n < 4; ++n)
    EXPECT_NEAR(ours->precisions[n], theirs.at("precisions").at(n).get<double>(), kExact) << what << " " << n;
  EXPECT_EQ(ours->candidate_words, theirs.at("candidate_words").get<std::size_t>()) << what;
  EXPECT_EQ(ours->reference_words, theirs.at("reference_words").get<std::size_t>()) << what;
}

TEST(Rouge, equals_the_rouge_score_package) {  // proves P-EVAL-03
  const Json cases = reference("texts").at("cases");
  ASSERT_GT(cases.size(), 20u);
  for (const Json& one : cases) {
    const auto candidate = one.at("candidate").get<std::string>();
    const auto references = one.at("references").get<Texts>();
    expect_rouge(rouge(candidate, std::string_view(references[0])), one.at("rouge"), candidate);
    expect_rouge(rouge(candidate, std::string_view(references[0]), Stemming::yes), one.at("rouge_stemmed"),
                 candidate + " (stemmed)");
    if (one.contains("rouge_multi"))
      expect_rouge(rouge(candidate, references, Stemming::yes), one.at("rouge_multi"), candidate + " (all)");
  }
}

TEST(Rouge, stems_equal_nltks) {  // proves P-EVAL-03
  const Json stems = reference("texts").at("stems");
  ASSERT_GT(stems.size(), 1000u);
  for (const auto& [word, stem] : stems.items())
    EXPECT_EQ(porter_stem(word), stem.get<std::string>()) << word;
}

TEST(Rouge, a_known_pair_has_the_hand_computed_scores) {
  // 3 of 4 words are common; of the pairs only "on tuesday"; the longest common subsequence is "the on
  // tuesday".
  const auto found = rouge("the parcel on tuesday", std::string_view("the letter on tuesday"));
  ASSERT_TRUE(found);
  EXPECT_DOUBLE_EQ(found->rouge_1.f1, 0.75);
  EXPECT_DOUBLE_EQ(found->rouge_2.recall, 1.0 / 3.0);
  EXPECT_DOUBLE_EQ(found->rouge_l.precision, 0.75);
}

TEST(Rouge, texts_without_words_score_nothing) {
  for (const auto& [candidate, reference] :
       {std::pair("", "a word"), std::pair("a word", ""), std::pair("", ""),
        std::pair("\xFF\xFE", "\xFF\xFE"), std::pair("...", "...")}) {
    const auto found = rouge(candidate, std::string_view(reference));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->rouge_1.f1, 0.0);
    EXPECT_EQ(found->rouge_lsum.f1, 0.0);
  }
}

TEST(Rouge, the_tables_of_short_and_of_long_lines_give_the_same_union) {
  // One line of 1,200 words against the same words: whatever the way back through the table, all are taken.
  std::string line;
  for (int i = 0; i < 1200; ++i) line += "w" + std::to_string(i % 37) + " ";
  const auto found = rouge(line, std::string_view(line));
  ASSERT_TRUE(found);
  EXPECT_DOUBLE_EQ(found->rouge_lsum.f1, 1.0);
  EXPECT_DOUBLE_EQ(found->rouge_l.f1, 1.0);
}

TEST(Rouge, texts_too_long_to_align_are_refused_with_both_lengths) {
  std::string longest;
  for (int i = 0; i < 50'000; ++i) longest += "a ";
  const auto found = rouge(longest, std::string_view(longest));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, Kind::out_of_room);
  EXPECT_THAT(found.error().message, testing::HasSubstr("50,000"));
}

TEST(Rouge, a_word_of_a_million_letters_is_stemmed_in_time) {
  const std::string word(1'000'000, 'y');
  EXPECT_FALSE(porter_stem(word).empty());  // quadratic work would not end within the test's limit
}

TEST(Bleu, equals_sacrebleu) {  // proves P-EVAL-03
  const Json texts = reference("texts");
  std::size_t compared = 0;
  for (const Json& one : texts.at("cases")) {
    if (!one.contains("bleu")) continue;
    const auto candidate = one.at("candidate").get<std::string>();
    const auto references = one.at("references").get<Texts>();
    EXPECT_EQ(tokens_13a(candidate), one.at("tokens").get<Texts>());
    expect_bleu(sentence_bleu(candidate, references), one.at("bleu"), candidate);
    const auto single = sentence_bleu(candidate, std::span(references).first(1));
    ASSERT_TRUE(single);
    EXPECT_NEAR(single->score, one.at("bleu_one").get<double>(), kExact) << candidate;
    ++compared;
  }
  EXPECT_GE(compared, 20u);
  for (const Json& one : texts.at("corpora")) {
    expect_bleu(
        corpus_bleu(one.at("candidates").get<Texts>(), one.at("references").get<std::vector<Texts>>()),
        one.at("bleu"), one.at("candidates").dump());
  }
}

TEST(Bleu, a_perfect_translation_scores_a_hundred) {
  const Texts text{"one two three four five"};
  const auto found = corpus_bleu(text, std::vector<Texts>{text});
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->score, 100.0, 1e-9);
}

TEST(Bleu, missing_references_and_uneven_lists_are_refused) {
  EXPECT_EQ(corpus_bleu(Texts{"a"}, {}).error().kind, Kind::bad_request);
  EXPECT_EQ(corpus_bleu(Texts{}, {}).error().kind, Kind::bad_request);
  EXPECT_THAT(corpus_bleu(Texts{"a", "b"}, std::vector<Texts>{{"a"}, {}}).error().message,
              testing::HasSubstr("text 2"));
  EXPECT_FALSE(sentence_bleu("a", {}));
  EXPECT_FALSE(sentence_chrf("a", {}));
  EXPECT_FALSE(rouge("a", std::span<const std::string>{}));
  EXPECT_FALSE(corpus_chrf(Texts{"a"}, {}));
}

TEST(Chrf, equals_sacrebleu) {  // proves P-EVAL-03
  const Json texts = reference("texts");
  const ChrfOptions plus_plus{.word_order = 2};
  for (const Json& one : texts.at("cases")) {
    if (!one.contains("chrf")) continue;
    const auto candidate = one.at("candidate").get<std::string>();
    const auto references = one.at("references").get<Texts>();
    const auto chrf = sentence_chrf(candidate, references);
    const auto better = sentence_chrf(candidate, references, plus_plus);
    ASSERT_TRUE(chrf && better);
    EXPECT_NEAR(*chrf, one.at("chrf").get<double>(), kExact) << candidate;
    EXPECT_NEAR(*better, one.at("chrf_plus_plus").get<double>(), kExact) << candidate;
  }
  for (const Json& one : texts.at("corpora")) {
    const auto candidates = one.at("candidates").get<Texts>();
    const auto references = one.at("references").get<std::vector<Texts>>();
    const auto chrf = corpus_chrf(candidates, references);
    const auto better = corpus_chrf(candidates, references, plus_plus);
    ASSERT_TRUE(chrf && better);
    EXPECT_NEAR(*chrf, one.at("chrf").get<double>(), kExact);
    EXPECT_NEAR(*better, one.at("chrf_plus_plus").get<double>(), kExact);
  }
}

TEST(Chrf, orders_out_of_range_are_refused) {
  EXPECT_FALSE(sentence_chrf("a", Texts{"a"}, {.character_order = 0}));
  EXPECT_FALSE(sentence_chrf("a", Texts{"a"}, {.word_order = -1}));
  EXPECT_FALSE(corpus_chrf(Texts{"a"}, std::vector<Texts>{{"a"}}, {.character_order = 1'000'000'000}));
}

TEST(Chrf, bytes_that_are_not_utf8_are_scored_as_replacement_characters) {
  const auto found = sentence_chrf("ab\xFF", Texts{"ab\xFE"});
  ASSERT_TRUE(found);
  EXPECT_NEAR(*found, 100.0, 1e-9);
}

}  // namespace
}  // namespace loam::eval
