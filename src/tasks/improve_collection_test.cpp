#include "tasks/improve_collection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "index/ingest.h"
#include "index/testing/fakes.h"
#include "store/testing/sample.h"
#include "tasks/eval_retrieval.h"

namespace loam::tasks {
namespace {

using ::testing::HasSubstr;

class ImproveCollection : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = store::Store::open(folder_ / "loam.db");
    ASSERT_TRUE(opened.ok()) << opened.error().line();
    store_ = std::move(*opened);
    auto collection =
        store_->ensure_collection("handbook", "fake", embedder_.fingerprint(), embedder_.dimensions());
    ASSERT_TRUE(collection.ok());
    collection_ = *collection;
    std::filesystem::create_directories(folder_ / "docs");
    for (int i = 0; i < 6; ++i) {
      std::string text;
      for (int s = 0; s < 8; ++s) {
        text += "Room " + std::to_string(10 * i + s) + " costs " + std::to_string(100 + 10 * i + s) +
                " euros for each night of the stay there. ";
      }
      std::ofstream(folder_ / ("docs/" + std::to_string(i) + ".txt")) << text << "\n";
    }
    ingest({40, 64, 0});
  }
  void ingest(const passage::CutOptions& cut) {
    index::IngestOptions options;
    options.cut = cut;
    unchanged_ = 0;
    const auto summary = index::ingest(*store_, collection_.id, reader_, embedder_, {folder_ / "docs"},
                                       options, [](const index::FileVerdict&) {});
    ASSERT_TRUE(summary.ok()) << summary.error().line();
    unchanged_ = summary->unchanged;
  }
  Recuts recuts() { return Recuts({*store_, collection_, embedder_, &reader_, folder_ / "improve"}); }
  eval::QaData questions() const {
    eval::QaData data;
    data.version.sha256 = "questions";
    for (int i = 0; i < 48; ++i) {
      const int room = 10 * (i / 8) + i % 8;
      eval::QaCase one;
      one.id = "q" + std::to_string(i);
      one.question = "What does Room " + std::to_string(room) + " cost?";
      one.answer = std::to_string(100 + room) + " euros";
      one.source = std::to_string(i / 8) + ".txt";
      data.cases.push_back(one);
    }
    data.version.items = data.cases.size();
    return data;
  }
  CollectionTools tools(Recuts& recuts) {
    return {recuts.embedder(),
            nullptr,
            [&recuts](const Cut& cut, const ProgressSink& progress, std::stop_token stop) {
              return recuts.at(cut, progress, stop);
            },
            [](const std::string& name) -> Result<prompt::PrePrompt> {
              return prompt::PrePrompt{name, "x"};
            },
            {},
            true,
            {},
            *fingerprint_of(*store_, collection_.id)};
  }

  store::testing::TemporaryFolder folder_;
  index::testing::FakeEmbedder embedder_;
  index::testing::FakeReader reader_;
  std::unique_ptr<store::Store> store_;
  store::Collection collection_;
  int unchanged_ = 0;
};

TEST_F(ImproveCollection, how_the_documents_were_cut_is_found_by_their_recipe) {
  Recuts now = recuts();
  const auto cut = now.present();
  ASSERT_TRUE(cut.ok() && *cut);
  EXPECT_EQ(**cut, (Cut{40, 0}));
  EXPECT_EQ(*now.obstacle(), "");
  ingest({24, 64, 2});
  Recuts later = recuts();
  EXPECT_EQ(**later.present(), (Cut{24, 2}));
}

// proves P-IMPROVE-10
TEST_F(ImproveCollection, another_cut_is_made_beside_the_collection_which_stays_as_it_is) {
  const auto before = *store_->generation(collection_.id);
  const auto fingerprint = *fingerprint_of(*store_, collection_.id);
  Recuts cuts = recuts();
  const auto own = cuts.at({40, 0});
  ASSERT_TRUE(own.ok());
  EXPECT_EQ(own->store, store_.get());
  const auto other = cuts.at({20, 0});
  ASSERT_TRUE(other.ok()) << other.error().line();
  EXPECT_NE(other->store, store_.get());
  EXPECT_EQ(other->store->counts(other->collection)->documents, 6U);
  EXPECT_GT(other->store->counts(other->collection)->passages, store_->counts(collection_.id)->passages);
  EXPECT_EQ(*store_->generation(collection_.id), before);
  EXPECT_EQ(*fingerprint_of(*store_, collection_.id), fingerprint);
  const auto hits = other->retriever->find("What does Room 12 cost?", 3);
  ASSERT_TRUE(hits.ok());
  EXPECT_FALSE(hits->empty());
  cuts.clear();
  EXPECT_FALSE(std::filesystem::exists(folder_ / "improve"));
}

TEST_F(ImproveCollection, what_was_embedded_before_is_not_embedded_again) {
  Recuts first = recuts();
  ASSERT_TRUE(first.at({20, 0}).ok());
  const std::size_t embedded = embedder_.embedded;
  // Taken up again: nothing is left to do.
  Recuts second = recuts();
  ASSERT_TRUE(second.at({20, 0}).ok());
  EXPECT_EQ(embedder_.embedded, embedded);
  // The same cut under another name of its size holds the same passages: texts of the collection are known.
  ASSERT_TRUE(second.at({39, 0}).ok());
  EXPECT_GT(second.embedder().reused(), 0U);
}

TEST_F(ImproveCollection, a_file_that_changed_is_an_obstacle_and_never_mixed_in) {
  std::ofstream(folder_ / "docs/3.txt") << "Something else now.\n";
  Recuts cuts = recuts();
  EXPECT_THAT(*cuts.obstacle(), HasSubstr("3.txt"));
  const auto refused = cuts.at({20, 0});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, Kind::bad_data);
  std::filesystem::remove(folder_ / "docs/3.txt");
  Recuts gone = recuts();
  EXPECT_THAT(*gone.obstacle(), HasSubstr("gone"));
}

TEST_F(ImproveCollection, a_collection_cut_anew_is_what_ingest_would_have_made) {
  Recuts cuts = recuts();
  ASSERT_TRUE(cuts.recut_collection({20, 1}).ok());
  EXPECT_EQ(**cuts.present(), (Cut{20, 1}));
  EXPECT_TRUE(store_->check()->empty());
  ingest({20, 64, 1});
  EXPECT_EQ(unchanged_, 6);
}

TEST_F(ImproveCollection, a_corpus_is_cut_anew_from_what_the_store_keeps) {
  std::ofstream(folder_ / "corpus.jsonl")
      << "{\"_id\":\"1\",\"title\":\"Bridges\",\"text\":\"The bridge is made of steel. It is long. It was "
         "built by "
         "many people over the years of the war and after.\"}\n"
         "{\"_id\":\"2\",\"title\":\"\",\"text\":\"Bread is baked in the morning.\"}\n";
  auto beir = store_->ensure_collection("beir", "fake", embedder_.fingerprint(), embedder_.dimensions());
  ASSERT_TRUE(beir.ok());
  ASSERT_TRUE(ingest_corpus(*store_, beir->id, embedder_, folder_.path(), 40).ok());
  Recuts cuts({*store_, *beir, embedder_, nullptr, folder_ / "improve"});
  EXPECT_EQ(**cuts.present(), (Cut{40, 0}));
  EXPECT_EQ(*cuts.obstacle(), "");
  const auto other = cuts.at({16, 0});
  ASSERT_TRUE(other.ok()) << other.error().line();
  EXPECT_GT(other->store->counts(other->collection)->passages, store_->counts(beir->id)->passages);
  ASSERT_TRUE(cuts.recut_collection({16, 0}).ok());
  const auto again = ingest_corpus(*store_, beir->id, embedder_, folder_.path(), 16);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->unchanged, 2U);
}

TEST_F(ImproveCollection, thresholds_share_their_answers_and_silence_lies_between_right_and_wrong) {
  Recuts cuts = recuts();
  CollectionSettings now;
  now.cut = {40, 0};
  auto pipeline = improve_qa({questions(), "worth", 1}, now, tools(cuts));
  ASSERT_TRUE(pipeline.ok());
  Arm arm = (*pipeline)->current();
  EXPECT_FALSE(arm.contains("ask.pre_prompt")) << "there is no language model to read it";
  const ProgressSink quiet;
  const RunLimits limits{1e9, system_clock(), quiet, {}};
  const std::vector<std::size_t> items = {0, 9, 20, 33};
  std::uint64_t tokens = 0;
  arm["ask.min_confidence"] = "0.0";
  const auto all = (*pipeline)->run(arm, items, limits, tokens);
  ASSERT_TRUE(all.ok()) << all.error().line();
  const std::size_t embedded = embedder_.embedded;
  arm["ask.min_confidence"] = "1.0";
  const auto silent = (*pipeline)->run(arm, items, limits, tokens);
  ASSERT_TRUE(silent.ok());
  EXPECT_EQ(embedder_.embedded, embedded);
  for (const eval::ItemResult& item : *silent) {
    EXPECT_EQ(item.scores.at("worth"), 0.5);
    EXPECT_EQ(item.output, "");
  }
  for (const eval::ItemResult& item : *all)
    EXPECT_EQ(item.scores.at("worth"), item.scores.at("right") > 0.5 ? 1.0 : 0.0);
}

TEST_F(ImproveCollection, the_space_leaves_out_what_cannot_vary) {
  Recuts cuts = recuts();
  CollectionSettings now;
  now.cut = {40, 0};
  CollectionTools some = tools(cuts);
  some.can_recut = false;
  some.fixed = {"search.candidates"};
  auto pipeline = improve_qa({questions(), "right", 1}, now, some);
  ASSERT_TRUE(pipeline.ok());
  for (const SpaceRow& row : (*pipeline)->space()) {
    EXPECT_FALSE(row.recut) << row.key;
    if (row.key == "search.candidates") {
      EXPECT_EQ(row.values, std::vector<std::string>{"300"});
    }
  }
  Arm arm = (*pipeline)->current();
  arm["search.legs"] = "dense";
  arm["search.lexical_weight"] = "0.2";
  EXPECT_EQ((*pipeline)->canonical(arm)["search.lexical_weight"], "0.55")
      << "a weight of words means nothing where words are not searched";
  const auto refused = improve_qa({questions(), "beauty", 1}, now, some);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().next_step, HasSubstr("worth"));
}

TEST_F(ImproveCollection, queries_score_as_eval_retrieval_scores_them) {
  Recuts cuts = recuts();
  eval::RetrievalData data;
  data.version.sha256 = "queries";
  for (int i = 0; i < 12; ++i)
    data.queries.push_back({"q" + std::to_string(i),
                            "What does Room " + std::to_string(10 * (i % 6)) + " cost?",
                            {{std::to_string(i % 6), 1}}});
  CollectionSettings now;
  now.cut = {40, 0};
  auto pipeline = improve_retrieval(data, "mrr", now, tools(cuts));
  ASSERT_TRUE(pipeline.ok());
  const ProgressSink quiet;
  std::uint64_t tokens = 0;
  const std::vector<std::size_t> items = {3, 5};
  const auto scored =
      (*pipeline)->run((*pipeline)->current(), items, {1e9, system_clock(), quiet, {}}, tokens);
  ASSERT_TRUE(scored.ok()) << scored.error().line();
  const auto shelf = cuts.at({40, 0});
  const auto whole = evaluate_retrieval(*shelf->retriever, *shelf->store, shelf->collection, data, {});
  ASSERT_TRUE(whole.ok());
  for (const RetrievalContestant& contestant : whole->contestants) {
    if (contestant.name != "hybrid") continue;
    EXPECT_EQ((*scored)[0].scores, contestant.items[3].scores);
    EXPECT_EQ((*scored)[1].scores, contestant.items[5].scores);
  }
  // Queries about one document hang together.
  const auto groups = (*pipeline)->groupings().front().group_of;
  EXPECT_EQ(groups[0], groups[6]);
  EXPECT_NE(groups[0], groups[1]);
}

}  // namespace
}  // namespace loam::tasks
