#include "tasks/improve_classify.h"

#include <gtest/gtest.h>

#include <set>

#include "store/testing/sample.h"
#include "tasks/testing/tickets.h"
#include "tasks/testing/toy_pipeline.h"

namespace loam::tasks {
namespace {

Result<std::unique_ptr<ImprovePipeline>> over(const eval::ClassificationData& data,
                                              ClassifySettings now = {Method::bm25_knn, {}}) {
  return improve_classify(data, now, nullptr, {}, 1);
}

TEST(ImproveClassify, settings_come_back_from_their_arm) {
  MethodSettings fixed;
  fixed.c = 16;
  fixed.character_ngrams = 5;
  fixed.balanced = true;
  for (const ClassifySettings& settings :
       {ClassifySettings{Method::tfidf_logreg, fixed}, ClassifySettings{Method::embeddings_logreg, {}},
        ClassifySettings{Method::bm25_knn, {}}}) {
    const auto back = classify_settings_of(arm_of(settings));
    ASSERT_TRUE(back.ok()) << back.error().line();
    EXPECT_EQ(arm_of(*back), arm_of(settings));
  }
  EXPECT_EQ(classify_settings_of({{"classify.method", "magic"}}).error().kind, Kind::bad_data);
  EXPECT_FALSE(classify_settings_of({{"classify.method", "llm-zero-shot"}}).ok());
  EXPECT_FALSE(classify_settings_of({{"classify.method", "tfidf+logreg"}, {"classify.c", "-3"}}).ok());
  EXPECT_FALSE(classify_settings_of({{"classify.balanced", "perhaps"}}).ok());
}

TEST(ImproveClassify, a_search_over_tickets_leaves_trials_and_a_decision_in_the_ledger) {
  store::testing::TemporaryFolder folder;
  auto store = store::Store::open(folder / "loam.db");
  ASSERT_TRUE(store.ok());
  const auto data = testing::tickets(200, 0.3);
  auto pipeline = over(data);
  ASSERT_TRUE(pipeline.ok()) << pipeline.error().line();
  ImproveRequest request;
  request.scope = "data /tickets.csv";
  request.scope_name = "tickets.csv";
  request.trials = 12;
  const auto found = improve(**pipeline, **store, request);
  ASSERT_TRUE(found.ok()) << found.error().line();
  EXPECT_LE(found->trials, 12U);
  EXPECT_TRUE(found->run.has_value());
  EXPECT_EQ(found->metric, "accuracy");
  for (const TriedArm& arm : found->tried) EXPECT_LE(arm.mean, 1.0);
}

TEST(ImproveClassify, named_groups_are_never_parted_and_no_item_is_lost) {
  const auto data = testing::tickets(120, 0.1, 1, "customer");
  auto made = over(data);
  ASSERT_TRUE(made.ok());
  const auto groups = (*made)->groupings();
  ASSERT_EQ(groups.size(), 1U) << "named groups are never parted";
  auto split = eval::hold_out(groups.front().group_of, 0.4, 1);
  ASSERT_TRUE(split.ok());
  const std::set<std::size_t> before(split->development.begin(), split->development.end());
  (*made)->divide(*split);
  EXPECT_EQ(std::set<std::size_t>(split->development.begin(), split->development.end()), before);
  const ProgressSink quiet;
  std::uint64_t tokens = 0;
  const auto scored =
      (*made)->run((*made)->current(), split->development, {1e9, system_clock(), quiet, {}}, tokens);
  ASSERT_TRUE(scored.ok()) << scored.error().line();
  EXPECT_EQ(scored->size(), split->development.size());
}

TEST(ImproveClassify, an_item_is_labelled_by_a_model_that_has_not_seen_it) {
  // Each text is one word of its own and labels alternate: whoever has not seen a text cannot know it.
  std::string csv = "text,label\n";
  for (int i = 0; i < 120; ++i)
    csv += "word" + std::to_string(i * 7919) + "," + (i % 2 == 0 ? "even" : "odd") + "\n";
  const auto data = eval::parse_classification(csv, "words.csv");
  ASSERT_TRUE(data.ok());
  auto pipeline = over(*data);
  ASSERT_TRUE(pipeline.ok());
  auto split = eval::hold_out((*pipeline)->groupings().front().group_of, 0.4, 1);
  ASSERT_TRUE(split.ok());
  (*pipeline)->divide(*split);
  const ProgressSink quiet;
  std::uint64_t tokens = 0;
  for (const auto& items : {split->development, split->held_out}) {
    const auto scored =
        (*pipeline)->run((*pipeline)->current(), items, {1e9, system_clock(), quiet, {}}, tokens);
    ASSERT_TRUE(scored.ok()) << scored.error().line();
    double right = 0;
    for (const eval::ItemResult& item : *scored) right += item.scores.at("accuracy");
    EXPECT_LT(right / static_cast<double>(items.size()), 0.75);
  }
}

TEST(ImproveClassify, one_label_alone_is_refused) {
  const auto data = eval::parse_classification("text,label\na b,x\nc d,x\n", "one.csv");
  ASSERT_TRUE(data.ok());
  EXPECT_EQ(over(*data).error().kind, Kind::bad_data);
}

}  // namespace
}  // namespace loam::tasks
