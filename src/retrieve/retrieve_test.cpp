#include "retrieve/retrieve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>
#include <cmath>

#include <filesystem>
#include <functional>
#include <sstream>

#include "base/hash.h"
#include "retrieve/fusion.h"

namespace loam::retrieve {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Words as directions: texts that share words are near. Reads at most 64 words.
class WordEmbedder : public engine::Embedder {
 public:
  static constexpr int kDimensions = 64;
  const std::string& model_name() const override { return name_; }
  const std::string& fingerprint() const override { return name_; }
  int dimensions() const override { return kDimensions; }
  int max_tokens() const override { return 64; }
  Result<int> count_tokens(std::string_view text) override {
    std::istringstream words{std::string(text)};
    int count = 2;
    for (std::string word; words >> word;) ++count;
    return count;
  }
  Result<std::vector<float>> embed(std::span<const std::string> texts) override {
    if (fails) return Error{Kind::unavailable, "embedder", "the model is gone", ""};
    std::vector<float> out;
    for (const std::string& text : texts) {
      std::vector<float> row(kDimensions, 0.01F);
      std::istringstream words(text);
      for (std::string word; words >> word;)
        row[std::stoul(sha256_hex(word).substr(0, 4), nullptr, 16) % 64] += 1.0F;
      float length = 0;
      for (const float value : row) length += value * value;
      for (const float value : row) out.push_back(value / std::sqrt(length));
    }
    return out;
  }
  bool fails = false;

 private:
  std::string name_ = "word-embedder";
};

class RetrieverTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() /
              ("loam-retrieve-" + std::string(test->name()) + "-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    auto store = store::Store::open(folder_ / "store.db");
    ASSERT_TRUE(store) << store.error().line();
    store_ = std::move(*store);
    auto collection =
        store_->ensure_collection("test", "word-embedder", "word-embedder", WordEmbedder::kDimensions);
    ASSERT_TRUE(collection) << collection.error().line();
    collection_ = collection->id;
  }
  void TearDown() override {
    retriever_.reset();
    store_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  /// One passage per line.
  void add(const std::string& source, const std::string& text, std::vector<Page> pages = {}) {
    Document document;
    document.pages = std::move(pages);
    document.source = source;
    document.title = "About " + source;
    document.text = text;
    document.media_type = "text/plain";
    std::vector<Passage> passages;
    std::vector<std::string> texts;
    for (std::size_t start = 0; start < text.size();) {
      const std::size_t end = std::min(text.find('\n', start), text.size());
      Passage passage;
      passage.ordinal = static_cast<int>(passages.size());
      passage.span = {start, end};
      passage.text = text.substr(start, end - start);
      passage.page = document.page_at(start);
      texts.push_back(passage.indexed_text());
      passages.push_back(std::move(passage));
      start = end + 1;
    }
    std::vector<float> vectors;
    if (!texts.empty()) vectors = *embedder_.embed(texts);
    store::DocumentRow row;
    row.source = source;
    row.title = document.title;
    row.media_type = document.media_type;
    row.content_hash = sha256_hex(text);
    const auto stored = store_->put_document(collection_, row, document, passages, vectors);
    ASSERT_TRUE(stored) << stored.error().line();
  }

  void add_handbook() {
    add("leave.md",
        "Every employee has thirty days of paid leave\nUnused leave ends in March of the next year");
    add("parking.md", "Parking in the garage is free for visitors\nBicycles stand in the yard");
    add("travel.md", "Train tickets are booked by the office\nTaxis are paid back with a receipt");
    add("empty.md", "");
  }

  Retriever& retriever() {
    if (!retriever_) {
      auto opened = Retriever::open(*store_, collection_, embedder_);
      EXPECT_TRUE(opened) << opened.error().line();
      retriever_ = std::move(*opened);
    }
    return *retriever_;
  }

  std::vector<std::string> sources_of(const std::vector<Hit>& hits) {
    std::vector<std::string> sources;
    for (const Hit& hit : hits) sources.push_back(hit.source);
    return sources;
  }

  std::filesystem::path folder_;
  std::unique_ptr<store::Store> store_;
  CollectionId collection_{};
  WordEmbedder embedder_;
  std::unique_ptr<Retriever> retriever_;
};

TEST_F(RetrieverTest, hits_know_the_pages_they_touch) {
  // One passage per line; the second runs over pages 2 to 4, the third lies on page 4.
  const std::string text = "first apples\nsecond pears and plums and cherries\nthird melons";
  add("fruit.pdf", text, {{1, {0, 12}}, {2, {13, 25}}, {3, {26, 36}}, {4, {36, text.size()}}});
  add("fruit.md", "grapes without a page");
  const auto hits = retriever().find("apples pears melons grapes", 4);
  ASSERT_TRUE(hits) << hits.error().line();
  ASSERT_EQ(hits->size(), 4U);
  for (const Hit& hit : *hits) {
    std::vector<int> numbers;
    for (const Page& page : hit.pages) numbers.push_back(page.number);
    const std::string first = hit.passage.text.substr(0, hit.passage.text.find(' '));
    if (first == "first") {
      EXPECT_EQ(numbers, (std::vector<int>{1}));
    }
    if (first == "second") {
      EXPECT_EQ(numbers, (std::vector<int>{2, 3, 4}));
    }
    if (first == "third") {
      EXPECT_EQ(numbers, (std::vector<int>{4}));
    }
    if (first == "grapes") {
      EXPECT_EQ(numbers, (std::vector<int>{}));
    }
    if (first == "second") {
      EXPECT_EQ(hit.page_at(26), 3);
    }
  }
}

// proves P-RET-02
TEST_F(RetrieverTest, the_passage_that_answers_comes_first_with_source_title_and_why) {
  add_handbook();
  RetrieveTimings timings;
  const auto hits = retriever().find("how many days of paid leave has an employee", 3, {}, &timings);
  ASSERT_TRUE(hits) << hits.error().line();
  ASSERT_EQ(hits->size(), 3u);
  const Hit& first = hits->front();
  EXPECT_EQ(first.source, "leave.md");
  EXPECT_EQ(first.title, "About leave.md");
  EXPECT_EQ(first.passage.text, "Every employee has thirty days of paid leave");
  EXPECT_EQ(first.why.bm25_rank, 1);
  EXPECT_EQ(first.why.cosine_rank, 1);
  EXPECT_GT(*first.why.bm25, 0.0F);
  EXPECT_GT(*first.why.cosine, 0.5F);
  EXPECT_FLOAT_EQ(first.score, 1.0F);  // the best of both legs, whose weights add up to 1
  EXPECT_GE((*hits)[1].score, (*hits)[2].score);
  EXPECT_GE(timings.lexical_ms, 0.0);
}

// proves P-RET-01
TEST_F(RetrieverTest, the_same_question_gives_the_same_hits) {
  add_handbook();
  const auto once = retriever().find("paid by the office", 6);
  const auto again = retriever().find("paid by the office", 6);
  ASSERT_TRUE(once);
  ASSERT_TRUE(again);
  ASSERT_EQ(once->size(), again->size());
  for (std::size_t i = 0; i < once->size(); ++i) {
    EXPECT_EQ((*once)[i].passage.id, (*again)[i].passage.id);
    EXPECT_EQ((*once)[i].score, (*again)[i].score);
  }
}

TEST_F(RetrieverTest, k_is_an_upper_bound_and_zero_asks_for_nothing) {
  add_handbook();
  EXPECT_EQ(retriever().find("leave", 2)->size(), 2u);
  EXPECT_EQ(retriever().find("leave", 0)->size(), 0u);
  EXPECT_EQ(retriever().find("leave", -3)->size(), 0u);
  EXPECT_EQ(retriever().find("leave", 1000)->size(), 6u);
}

TEST_F(RetrieverTest, more_hits_than_candidates_may_be_asked_for) {
  add_handbook();
  RetrieveOptions options;
  options.candidates = 1;
  const auto hits = retriever().find("leave", 5, options);
  ASSERT_TRUE(hits);
  EXPECT_EQ(hits->size(), 5u);
}

TEST_F(RetrieverTest, an_empty_collection_finds_nothing_and_that_is_normal) {
  const auto hits = retriever().find("anything", 4);
  ASSERT_TRUE(hits) << hits.error().line();
  EXPECT_TRUE(hits->empty());
}

TEST_F(RetrieverTest, each_leg_can_search_alone) {
  add_handbook();
  RetrieveOptions words;
  words.legs = Legs::lexical_only;
  const auto by_words = retriever().find("garage", 6, words);
  ASSERT_TRUE(by_words);
  EXPECT_THAT(sources_of(*by_words), ElementsAre("parking.md"));
  EXPECT_FALSE(by_words->front().why.cosine_rank);

  RetrieveOptions meaning;
  meaning.legs = Legs::dense_only;
  const auto by_meaning = retriever().find("garage", 6, meaning);
  ASSERT_TRUE(by_meaning);
  EXPECT_EQ(by_meaning->size(), 6u);
  EXPECT_EQ(by_meaning->front().source, "parking.md");
  EXPECT_FALSE(by_meaning->front().why.bm25_rank);
}

TEST_F(RetrieverTest, new_and_removed_documents_are_seen_by_an_open_retriever) {
  add_handbook();
  ASSERT_TRUE(retriever().find("leave", 1));
  add("canteen.md", "The canteen serves soup at noon");
  EXPECT_EQ(retriever().find("canteen soup", 1)->front().source, "canteen.md");
  const auto row = store_->find_document(collection_, "canteen.md");
  ASSERT_TRUE(row && row->has_value());
  ASSERT_TRUE(store_->remove_document((*row)->id));
  EXPECT_THAT(sources_of(*retriever().find("canteen soup", 10)), ::testing::Not(Contains("canteen.md")));
}

// proves P-RET-04
TEST_F(RetrieverTest, an_empty_question_is_a_bad_request) {
  add_handbook();
  for (const std::string question : {"", " ", "\n\t ", "\x01\x02"}) {
    const auto hits = retriever().find(question, 4);
    ASSERT_FALSE(hits) << "question of " << question.size() << " bytes";
    EXPECT_EQ(hits.error().kind, Kind::bad_request);
    EXPECT_FALSE(retriever().explain(question, "leave.md", 4));
  }
}

// proves P-RET-04
TEST_F(RetrieverTest, odd_questions_are_searched_like_any_other) {
  add_handbook();
  const std::vector<std::string> questions{
      "the of and",
      "\" OR NEAR(",
      "leave AND NOT (parking OR *)",
      "text:leave ^leave leave* {heading} : -- ; DROP TABLE passages;",
      "'; \"\"\"",
      "NEAR(leave parking, 5)",
      "???",
      "\xF0\x9F\x9A\x97 parking \xF0\x9F\x98\x80",
      "\xF0\x9F\x98\x80\xF0\x9F\x98\x80",
      "caf\xC3\xA9 \xE4\xB8\xAD\xE6\x96\x87 \xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D",
      "\xFF\xFE leave \xC3",
      std::string("leave\0parking", 13),
      "\x1b[31mleave\x07",
      std::string(10240, 'x'),
  };
  for (const std::string& question : questions) {
    const auto hits = retriever().find(question, 4);
    EXPECT_TRUE(hits) << question.substr(0, 60) << ": " << hits.error().line();
    const auto told = retriever().explain(question, "leave.md", 4);
    EXPECT_TRUE(told) << question.substr(0, 60) << ": " << told.error().line();
  }
}

// proves P-RET-05
TEST_F(RetrieverTest, a_question_longer_than_the_embedder_reads_is_refused_with_both_numbers) {
  add_handbook();
  std::string question;
  for (int i = 0; i < 1700; ++i) question += "leave ";
  ASSERT_GT(question.size(), 10000u);
  const auto hits = retriever().find(question, 4);
  ASSERT_FALSE(hits);
  EXPECT_EQ(hits.error().kind, Kind::bad_request);
  EXPECT_THAT(hits.error().line(), HasSubstr("1702 tokens"));
  EXPECT_THAT(hits.error().line(), HasSubstr("at most 64"));
  RetrieveOptions words;
  words.legs = Legs::lexical_only;
  EXPECT_TRUE(retriever().find(question, 4, words));
}

TEST_F(RetrieverTest, an_embedder_that_fails_is_reported_and_the_retriever_stays_usable) {
  add_handbook();
  ASSERT_TRUE(retriever().find("leave", 1));
  embedder_.fails = true;
  const auto hits = retriever().find("leave", 1);
  ASSERT_FALSE(hits);
  EXPECT_EQ(hits.error().kind, Kind::unavailable);
  embedder_.fails = false;
  EXPECT_TRUE(retriever().find("leave", 1));
}

// proves P-RET-03
TEST_F(RetrieverTest, explain_says_which_words_are_missing_and_where_the_document_fell_out) {
  add_handbook();
  const auto told = retriever().explain("parking costs visitors garage", "travel.md", 2);
  ASSERT_TRUE(told) << told.error().line();
  ASSERT_EQ(told->stages.size(), 4u);
  EXPECT_FALSE(told->stages[0].rank);
  EXPECT_TRUE(told->stages[1].rank);
  EXPECT_EQ(told->stages[1].depth, 6);
  EXPECT_TRUE(told->stages[2].rank);
  EXPECT_FALSE(told->stages[3].rank);
  EXPECT_TRUE(told->matched_terms.empty());
  EXPECT_EQ(told->missing_terms.size(), 4u);
  EXPECT_THAT(told->sentence, HasSubstr("BM25 does not see it"));
  EXPECT_THAT(told->sentence, HasSubstr("below the 2 shown"));
}

TEST_F(RetrieverTest, explain_agrees_with_find) {
  add_handbook();
  const std::string question = "is parking in the garage free";
  const auto hits = retriever().find(question, 6);
  ASSERT_TRUE(hits);
  for (const std::string source : {"leave.md", "parking.md", "travel.md"}) {
    const auto told = retriever().explain(question, source, 6);
    ASSERT_TRUE(told) << told.error().line();
    ASSERT_TRUE(told->best);
    const auto sources = sources_of(*hits);
    const auto first = std::find(sources.begin(), sources.end(), source);
    ASSERT_NE(first, sources.end());
    EXPECT_EQ(told->stages[3].rank, static_cast<int>(first - sources.begin()) + 1) << source;
    const Hit& hit = (*hits)[static_cast<std::size_t>(first - sources.begin())];
    EXPECT_EQ(told->best->passage.id, hit.passage.id);
    EXPECT_EQ(told->best->why.bm25_rank, hit.why.bm25_rank);
    EXPECT_EQ(told->best->why.cosine_rank, hit.why.cosine_rank);
    EXPECT_FLOAT_EQ(told->best->score, hit.score);
  }
}

TEST_F(RetrieverTest, explain_matches_words_by_their_stem_as_the_search_does) {
  add_handbook();
  const auto told = retriever().explain("ticket booking", "travel.md", 4);
  ASSERT_TRUE(told);
  EXPECT_THAT(told->matched_terms, ElementsAre("ticket", "booking"));
  EXPECT_TRUE(told->missing_terms.empty());
}

TEST_F(RetrieverTest, explain_refuses_a_document_that_is_not_there_and_tells_of_one_without_text) {
  add_handbook();
  const auto missing = retriever().explain("leave", "nowhere.md", 4);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, Kind::bad_request);
  EXPECT_THAT(missing.error().line(), HasSubstr("nowhere.md"));
  const auto empty = retriever().explain("leave", "empty.md", 4);
  ASSERT_TRUE(empty) << empty.error().line();
  EXPECT_THAT(empty->sentence, HasSubstr("no passages"));
}

TEST_F(RetrieverTest, a_rare_word_weighs_more_than_a_common_one_and_an_unknown_one_most) {
  add_handbook();
  const auto idf = retriever().idf({"leave", "garage", "zebra"});
  ASSERT_TRUE(idf) << idf.error().line();
  ASSERT_EQ(idf->size(), 3u);
  // 6 passages; "leave" is in 2, "garage" in 1, "zebra" in none: ln(1 + (6 - df + 0.5) / (df + 0.5)).
  EXPECT_NEAR((*idf)[0], std::log(1.0 + 4.5 / 2.5), 1e-5);
  EXPECT_NEAR((*idf)[1], std::log(1.0 + 5.5 / 1.5), 1e-5);
  EXPECT_NEAR((*idf)[2], std::log(1.0 + 6.5 / 0.5), 1e-5);
  EXPECT_TRUE(retriever().idf({})->empty());
}

TEST_F(RetrieverTest, a_passage_removed_between_search_and_fetch_is_left_out) {
  add_handbook();
  /// An index that still knows a passage which the store no longer has.
  class StaleIndex : public index::Index {
   public:
    explicit StaleIndex(std::vector<store::Scored> list) : list_(std::move(list)) {}
    Result<std::vector<store::Scored>> lexical(std::string_view, int) override { return list_; }
    Result<std::vector<store::Scored>> dense(std::span<const float>, int) override { return list_; }
    std::size_t size() const override { return list_.size(); }

   private:
    std::vector<store::Scored> list_;
  };
  const auto all = retriever().find("leave", 6);
  ASSERT_TRUE(all);
  std::vector<store::Scored> list{{PassageId{999999}, 9.0F}};
  for (const Hit& hit : *all) list.push_back({hit.passage.id, 1.0F});
  auto stale = Retriever::over(std::make_unique<StaleIndex>(list), *store_, collection_, embedder_);
  ASSERT_TRUE(stale);
  const auto hits = (*stale)->find("leave", 2);
  ASSERT_TRUE(hits);
  ASSERT_EQ(hits->size(), 2u);
  EXPECT_EQ((*hits)[0].passage.id, (*all)[0].passage.id);
  EXPECT_EQ((*hits)[0].why.bm25_rank, 2);
}

TEST_F(RetrieverTest, opening_over_no_index_is_our_bug) {
  const auto opened = Retriever::over(nullptr, *store_, collection_, embedder_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, Kind::our_bug);
}

/// Prefers passages with one word, and remembers what it was given.
class WordReranker : public engine::Reranker {
 public:
  explicit WordReranker(std::string word) : word_(std::move(word)) {}
  const std::string& model_name() const override { return word_; }
  const std::string& fingerprint() const override { return word_; }
  Result<std::vector<float>> score(std::string_view, std::span<const std::string> passages) override {
    if (fails) return Error{Kind::bad_request, "question", "too long", ""};
    seen.assign(passages.begin(), passages.end());
    std::vector<float> scores;
    for (const std::string& text : passages)
      scores.push_back(text.find(word_) != std::string::npos ? 5.0F : -5.0F);
    return scores;
  }
  bool fails = false;
  std::vector<std::string> seen;

 private:
  std::string word_;
};

// proves P-RET-06
TEST_F(RetrieverTest, a_reranker_decides_among_the_first_and_its_opinion_stands_in_why) {
  add_handbook();
  WordReranker reranker("Taxis");
  const std::string question = "paid leave of every employee";
  const auto before = retriever().find(question, 4);
  RetrieveOptions options;
  options.reranker = &reranker;
  options.rerank_weight = 0.9F;
  RetrieveTimings timings;
  const auto after = retriever().find(question, 4, options, &timings);
  ASSERT_TRUE(before.ok() && after.ok()) << after.error().line();
  EXPECT_EQ(before->front().source, "leave.md");
  EXPECT_FALSE(before->front().why.rerank);
  EXPECT_EQ(after->front().source, "travel.md");
  EXPECT_EQ(after->front().why.rerank, 5.0F);
  EXPECT_EQ(after->front().why.rerank_rank, 1);
  EXPECT_EQ(reranker.seen.size(), 6U);  // all passages there are
  EXPECT_EQ((*after)[1].source, "leave.md");
  for (std::size_t i = 1; i < after->size(); ++i) EXPECT_LE((*after)[i].score, (*after)[i - 1].score);
  // Only so many are read, however many are asked for.
  options.reranked = 1;
  const auto one = retriever().find(question, 4, options);
  ASSERT_TRUE(one.ok());
  EXPECT_EQ(reranker.seen.size(), 1U);
  EXPECT_EQ(one->front().source, "leave.md");
  EXPECT_FALSE((*one)[1].why.rerank);
  EXPECT_EQ(one->size(), 4U);
}

// proves P-RET-03
TEST_F(RetrieverTest, explain_tells_what_the_reranker_did) {
  add_handbook();
  WordReranker reranker("Taxis");
  RetrieveOptions options;
  options.reranker = &reranker;
  options.rerank_weight = 0.9F;
  const std::string question = "paid leave of every employee";
  const auto up = retriever().explain(question, "travel.md", 1, options);
  ASSERT_TRUE(up.ok()) << up.error().line();
  ASSERT_EQ(up->stages.size(), 5U);
  EXPECT_EQ(up->stages[3].name, "re-ranked");
  EXPECT_EQ(up->stages[3].rank, 1);
  EXPECT_EQ(up->stages[4].rank, 1);
  EXPECT_THAT(up->sentence, HasSubstr("the re-ranker moves it from the"));
  ASSERT_TRUE(up->best);
  EXPECT_EQ(up->best->why.rerank, 5.0F);
  const auto down = retriever().explain(question, "leave.md", 1, options);
  ASSERT_TRUE(down.ok());
  EXPECT_FALSE(down->stages[4].rank);
  EXPECT_THAT(down->sentence, HasSubstr("final rank 2 is below the 1 shown"));
  options.reranked = 1;
  const auto beyond = retriever().explain(question, "parking.md", 1, options);
  ASSERT_TRUE(beyond.ok());
  EXPECT_THAT(beyond->stages[3].note, HasSubstr("beyond the 1 that the re-ranker reads"));
  EXPECT_EQ(retriever().explain(question, "leave.md", 1)->stages.size(), 4U);
}

TEST_F(RetrieverTest, a_refusal_of_the_reranker_is_passed_on) {
  add_handbook();
  WordReranker reranker("x");
  reranker.fails = true;
  RetrieveOptions options;
  options.reranker = &reranker;
  const auto found = retriever().find("paid leave", 4, options);
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().kind, Kind::bad_request);
}

}  // namespace
}  // namespace loam::retrieve
