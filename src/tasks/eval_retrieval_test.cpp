#include "tasks/eval_retrieval.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "index/testing/fakes.h"

namespace loam::tasks {
namespace {

namespace fs = std::filesystem;

class EvalRetrieval : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("loam_eval_retrieval_test_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    auto opened = store::Store::open(folder_ / "loam.db");
    ASSERT_TRUE(opened.ok()) << opened.error().line();
    store_ = std::move(*opened);
    auto collection =
        store_->ensure_collection("beir", "fake", embedder_.fingerprint(), embedder_.dimensions());
    ASSERT_TRUE(collection.ok());
    collection_ = collection->id;
  }
  void TearDown() override {
    store_.reset();
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  void corpus(const std::string& lines) const { std::ofstream(folder_ / "corpus.jsonl") << lines; }
  Result<CorpusSummary> ingest() { return ingest_corpus(*store_, collection_, embedder_, folder_, 40); }

  fs::path folder_;
  std::unique_ptr<store::Store> store_;
  CollectionId collection_{};
  index::testing::FakeEmbedder embedder_;
};

constexpr const char* kCorpus =
    "{\"_id\":\"1\",\"title\":\"Bridges\",\"text\":\"The bridge over the river is made of steel.\"}\n"
    "{\"_id\":\"2\",\"title\":\"\",\"text\":\"Bread is baked in the morning.\"}\n"
    "{\"_id\":\"3\",\"title\":\"Cats\",\"text\":\"Cats sleep on the sofa.\"}\n";

TEST_F(EvalRetrieval, a_corpus_becomes_documents_and_what_is_unchanged_is_not_embedded_again) {
  // proves P-EVAL-42
  corpus(kCorpus);
  const auto first = ingest();
  ASSERT_TRUE(first.ok()) << first.error().line();
  EXPECT_EQ(first->documents, 3U);
  EXPECT_EQ(first->added, 3U);
  const std::size_t embedded = embedder_.embedded;
  const auto second = ingest();
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->unchanged, 3U);
  EXPECT_EQ(embedder_.embedded, embedded);
  corpus("{\"_id\":\"1\",\"title\":\"Bridges\",\"text\":\"The bridge is new.\"}\n");
  const auto third = ingest();
  ASSERT_TRUE(third.ok());
  EXPECT_EQ(third->added, 1U);
  EXPECT_EQ(third->removed, 2U);
}

TEST_F(EvalRetrieval, a_broken_line_is_named) {
  corpus("{\"_id\":\"1\",\"text\":\"x y\"}\nnot json\n");
  const auto broken = ingest();
  ASSERT_FALSE(broken.ok());
  EXPECT_NE(broken.error().line().find("line 2"), std::string::npos);
  corpus("{\"_id\":\"1\",\"text\":\"x\"}\n{\"_id\":\"1\",\"text\":\"y\"}\n");
  EXPECT_NE(ingest().error().line().find("twice"), std::string::npos);
  fs::remove(folder_ / "corpus.jsonl");
  EXPECT_EQ(ingest().error().kind, Kind::unavailable);
}

TEST_F(EvalRetrieval, all_three_searches_are_scored_on_every_query) {
  corpus(kCorpus);
  ASSERT_TRUE(ingest().ok());
  auto retriever = retrieve::Retriever::open(*store_, collection_, embedder_);
  ASSERT_TRUE(retriever.ok());
  eval::RetrievalData data;
  data.queries = {{"q1", "steel bridge river", {{"1", 1}}}, {"q2", "cats on the sofa", {{"3", 1}, {"9", 1}}}};
  const auto evaluation = evaluate_retrieval(**retriever, *store_, collection_, data, {});
  ASSERT_TRUE(evaluation.ok()) << evaluation.error().line();
  ASSERT_EQ(evaluation->contestants.size(), 3U);
  EXPECT_EQ(evaluation->judged_missing, 1U);
  for (const RetrievalContestant& contestant : evaluation->contestants) {
    ASSERT_EQ(contestant.items.size(), 2U) << contestant.name;
    EXPECT_EQ(contestant.metrics.size(), 4U);
  }
  const RetrievalContestant& bm25 = evaluation->contestants[0];
  EXPECT_EQ(bm25.name, "bm25");
  EXPECT_EQ(bm25.items[0].scores.at("ndcg@10"), 1);
  EXPECT_EQ(bm25.items[1].scores.at("recall@10"), 0.5);  // 9 is not there, and still counts
  EXPECT_EQ(bm25.items[0].output.substr(0, 1), "1");
}

TEST_F(EvalRetrieval, judgements_of_another_collection_are_refused) {
  corpus(kCorpus);
  ASSERT_TRUE(ingest().ok());
  auto retriever = retrieve::Retriever::open(*store_, collection_, embedder_);
  ASSERT_TRUE(retriever.ok());
  eval::RetrievalData data;
  data.queries = {{"q1", "steel bridge", {{"doc77", 1}}}};
  const auto evaluation = evaluate_retrieval(**retriever, *store_, collection_, data, {});
  ASSERT_FALSE(evaluation.ok());
  EXPECT_EQ(evaluation.error().kind, Kind::bad_request);
}

}  // namespace
}  // namespace loam::tasks
