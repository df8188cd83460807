// The story of a question with the real embedder: which sentence answers, and when nothing does.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include "answer/answer.h"
#include "baseline/words.h"
#include "engine/local_embedder.h"

namespace loam::answer {
namespace {

/// Ranks a few texts by cosine; terms weigh by how few texts hold them.
class SmallRetriever : public retrieve::Retriever {
 public:
  SmallRetriever(engine::Embedder& embedder, std::vector<std::string> texts) : embedder_(embedder) {
    vectors_ = *embedder.embed(texts);
    for (std::string& text : texts) {
      Hit hit;
      hit.passage.document = static_cast<DocumentId>(hits_.size() + 1);
      hit.passage.span = {0, text.size()};
      hit.passage.text = std::move(text);
      hit.source = "text" + std::to_string(hits_.size() + 1) + ".md";
      hits_.push_back(std::move(hit));
    }
  }
  Result<std::vector<Hit>> find(std::string_view question, int k, const retrieve::RetrieveOptions&,
                                retrieve::RetrieveTimings*) override {
    const std::string text(question);
    const auto asked = embedder_.embed(std::span(&text, 1));
    if (!asked) return asked.error();
    std::vector<Hit> hits = hits_;
    for (std::size_t i = 0; i < hits.size(); ++i) {
      const auto row = vectors_.begin() + static_cast<std::ptrdiff_t>(i * asked->size());
      hits[i].why.cosine = std::inner_product(asked->begin(), asked->end(), row, 0.0F);
      float bm25 = 0;
      for (const baseline::Word& word : baseline::words_of(text)) {
        if (!word.stop && holds(hits[i].passage.text, word.stem)) bm25 += 2.0F;
      }
      hits[i].why.bm25 = bm25;
    }
    std::stable_sort(hits.begin(), hits.end(),
                     [](const Hit& a, const Hit& b) { return *a.why.cosine > *b.why.cosine; });
    hits.resize(std::min(hits.size(), static_cast<std::size_t>(k)));
    return hits;
  }
  Result<retrieve::Explanation> explain(std::string_view, std::string_view, int,
                                        const retrieve::RetrieveOptions&) override {
    return Error{Kind::our_bug, "", "not called", ""};
  }
  Result<std::vector<float>> idf(const std::vector<std::string>& terms) override {
    std::vector<float> weights;
    for (const std::string& term : terms) {
      double df = 0;
      for (const Hit& hit : hits_) df += holds(hit.passage.text, baseline::stem_of(term)) ? 1 : 0;
      const double n = static_cast<double>(hits_.size());
      weights.push_back(static_cast<float>(std::log(1.0 + (n - df + 0.5) / (df + 0.5))));
    }
    return weights;
  }

 private:
  static bool holds(std::string_view text, std::string_view stem) {
    const auto words = baseline::words_of(text);
    return std::any_of(words.begin(), words.end(),
                       [stem](const baseline::Word& word) { return word.stem == stem; });
  }
  engine::Embedder& embedder_;
  std::vector<Hit> hits_;
  std::vector<float> vectors_;
};

// proves P-ANS-04
TEST(AskWithTheRealEmbedder, answers_what_the_texts_say_and_withholds_what_they_do_not) {
  const char* folder = std::getenv("LOAM_TEST_MODELS");
  ASSERT_NE(folder, nullptr) << "set LOAM_TEST_MODELS to the folder of the default models";
  engine::LocalEmbedderOptions embedder_options;
  embedder_options.threads = 1;
  const auto embedder =
      engine::LocalEmbedder::open(std::filesystem::path(folder) / "all-minilm-l6-v2.gguf", embedder_options);
  ASSERT_TRUE(embedder) << embedder.error().line();
  SmallRetriever retriever(
      **embedder,
      {"The museum opens at 10:00 and closes at 17:30. On Mondays it stays shut. Guided tours start at noon.",
       "Can I bring my dog?\n\nAnimals wait outside, except guide dogs.",
       "Ticket | Adults | Children\nDay ticket | 12.50 EUR | 6.00 EUR\nYear pass | 48.00 EUR | 20.00 EUR",
       "The collection was founded by Clara Weidmann in 1911. It holds 2,300 clocks, the oldest from 1540.",
       "The café in the yard serves cake and soup. Groups of more than ten book a table two days ahead.",
       "Lockers take a coin of one euro. Large bags are left at the desk."});
  struct Case {
    const char* question;
    const char* expected;  ///< null: withheld
  };
  for (const Case& one :
       {Case{"Who founded the collection?", "Clara Weidmann"},
        Case{"How many clocks does the collection hold?", "2,300 clocks"},
        Case{"What does a year pass for adults cost?", "48.00 EUR"},
        Case{"When does the museum close?", "17:30"}, Case{"What does parking a car cost?", nullptr},
        Case{"Who is the director of the airport?", nullptr}}) {
    const auto answer = ask(retriever, **embedder, nullptr, one.question, {});
    ASSERT_TRUE(answer) << answer.error().line();
    if (one.expected == nullptr) {
      EXPECT_TRUE(answer->abstained) << one.question << " " << answer->text.value_or("");
    } else {
      ASSERT_TRUE(answer->text.has_value()) << one.question << " " << answer->confidence;
      EXPECT_NE(answer->text->find(one.expected), std::string::npos) << one.question << " " << *answer->text;
      EXPECT_FALSE(answer->citations.empty());
    }
  }
}

}  // namespace
}  // namespace loam::answer
