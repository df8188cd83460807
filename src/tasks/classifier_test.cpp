#include "tasks/classifier.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>

#include "base/hash.h"
#include "index/testing/fakes.h"
#include "tasks/embed_texts.h"
#include "tasks/folds.h"
#include "tasks/testing/tickets.h"

namespace loam::tasks {
namespace {

using index::testing::FakeEmbedder;
using testing::tickets;

Classifier must_fit(Method method, const eval::ClassificationData& data, engine::Embedder* embedder = nullptr,
                    const FitOptions& options = {}) {
  auto fitted = Classifier::fit(method, data, options, embedder);
  EXPECT_TRUE(fitted.ok()) << (fitted ? "" : fitted.error().line());
  return *fitted;
}

const std::vector<Method> kFitted = {Method::majority, Method::tfidf_logreg, Method::bm25_knn,
                                     Method::embeddings_logreg};

// proves P-CLASS-04
TEST(Classifier, a_saved_one_says_the_same_and_knows_where_it_comes_from) {
  const eval::ClassificationData data = tickets(240);
  const std::vector<std::string> texts = {"ticket refund money please", "parcel driver late", "", "zzz"};
  for (const Method method : kFitted) {
    FakeEmbedder embedder("fake", 256);
    const Classifier classifier = must_fit(method, data, &embedder);
    const auto again = Classifier::parse(classifier.bytes(), "again");
    ASSERT_TRUE(again.ok()) << again.error().line();
    EXPECT_EQ(again->bytes(), classifier.bytes());
    const auto first = classifier.predict(texts, &embedder);
    const auto second = again->predict(texts, &embedder);
    ASSERT_TRUE(first.ok() && second.ok());
    ASSERT_EQ(first->size(), texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      EXPECT_EQ((*first)[i].label, (*second)[i].label);
      EXPECT_EQ((*first)[i].probability, (*second)[i].probability);
    }
    EXPECT_EQ(again->provenance().data_sha256, sha256_hex(testing::ticket_csv(240)));
    EXPECT_EQ(again->provenance().items, 240U);
    EXPECT_EQ(again->labels(), (std::vector<std::string>{"account", "delivery", "praise", "refund"}));
    if (method == Method::majority) continue;
    EXPECT_EQ(classifier.labels()[static_cast<std::size_t>((*first)[0].label)], "refund");
    EXPECT_EQ(classifier.labels()[static_cast<std::size_t>((*first)[1].label)], "delivery");
    EXPECT_GT(again->provenance().accuracy.value, 0.75);
  }
}

// proves P-CLASS-02
TEST(Classifier, the_same_data_and_seed_give_the_same_file) {
  const eval::ClassificationData data = tickets(160);
  FitOptions one;
  one.threads = 1;
  FitOptions three;
  three.threads = 3;
  EXPECT_EQ(must_fit(Method::tfidf_logreg, data, nullptr, one).bytes(),
            must_fit(Method::tfidf_logreg, data, nullptr, three).bytes());
}

// proves P-CLASS-04
TEST(Classifier, a_damaged_or_foreign_file_is_refused) {
  const Classifier classifier = must_fit(Method::bm25_knn, tickets(60));
  const std::string bytes = classifier.bytes();
  EXPECT_EQ(Classifier::parse("hello", "x").error().kind, Kind::bad_data);
  EXPECT_EQ(Classifier::parse("", "x").error().kind, Kind::bad_data);
  EXPECT_EQ(Classifier::parse(bytes + "!", "x").error().kind, Kind::bad_data);
  std::mt19937 random(3);
  for (int i = 0; i < 200; ++i) {
    std::string damaged = bytes;
    damaged[random() % damaged.size()] ^= static_cast<char>(1U << (random() % 8));
    const auto parsed = Classifier::parse(damaged, "my.classifier");
    ASSERT_FALSE(parsed.ok());
    EXPECT_EQ(parsed.error().kind, Kind::bad_data);
    EXPECT_EQ(parsed.error().place, "my.classifier");
  }
}

TEST(Classifier, another_embedder_is_refused_by_both_names) {
  FakeEmbedder embedder("first");
  FakeEmbedder other("second");
  const Classifier classifier = must_fit(Method::embeddings_logreg, tickets(80), &embedder);
  const std::vector<std::string> texts = {"parcel"};
  EXPECT_TRUE(classifier.predict(texts, &embedder).ok());
  const auto refused = classifier.predict(texts, &other);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, Kind::bad_request);
  EXPECT_NE(refused.error().message.find("second"), std::string::npos);
  EXPECT_EQ(classifier.predict(texts, nullptr).error().kind, Kind::unavailable);
}

TEST(Classifier, what_cannot_be_fitted_is_refused_with_a_next_step) {
  const auto one_label = eval::parse_classification("text,label\na b c,x\nd e f,x\n", "one.csv");
  ASSERT_TRUE(one_label.ok());
  const auto refused = Classifier::fit(Method::tfidf_logreg, *one_label, {}, nullptr);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, Kind::bad_request);
  EXPECT_NE(refused.error().message.find("\"x\""), std::string::npos);
  EXPECT_EQ(Classifier::fit(Method::embeddings_logreg, tickets(20), {}, nullptr).error().kind,
            Kind::unavailable);
  EXPECT_EQ(Classifier::fit(Method::llm_zero_shot, tickets(20), {}, nullptr).error().kind, Kind::bad_request);
}

TEST(Classifier, one_item_for_each_label_is_enough_to_fit_and_decides_nothing_alone) {
  std::string csv = "text,label\n";
  for (int i = 0; i < 12; ++i) csv += "word" + std::to_string(i) + " here,label" + std::to_string(i) + "\n";
  const auto data = eval::parse_classification(csv, "few.csv");
  ASSERT_TRUE(data.ok());
  for (const Method method : {Method::tfidf_logreg, Method::bm25_knn}) {
    const Classifier classifier = must_fit(method, *data);
    EXPECT_EQ(classifier.labels().size(), 12U);
    for (const Threshold& one : classifier.thresholds()) EXPECT_GT(one.threshold, 1.0);
    const std::vector<std::string> texts = {"word7"};
    const auto said = classifier.predict(texts, nullptr);
    ASSERT_TRUE(said.ok());
    EXPECT_EQ(classifier.labels()[static_cast<std::size_t>(said->front().label)], "label7");
  }
}

TEST(Classifier, a_target_that_was_not_fitted_is_named_with_those_that_were) {
  const Classifier classifier = must_fit(Method::majority, tickets(40));
  EXPECT_TRUE(classifier.threshold_for(0.95).ok());
  const auto refused = classifier.threshold_for(0.93);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("0.95"), std::string::npos);
}

// proves P-CLASS-05
TEST(Classifier, what_it_decides_alone_reaches_the_target_on_new_data) {
  const Classifier classifier = must_fit(Method::tfidf_logreg, tickets(1200, 0.15, 1));
  const eval::ClassificationData fresh = tickets(1200, 0.15, 2);
  std::vector<std::string> texts;
  for (const eval::LabelledText& item : fresh.items) texts.push_back(item.text);
  const auto said = classifier.predict(texts, nullptr);
  ASSERT_TRUE(said.ok());
  const auto threshold = classifier.threshold_for(0.8);
  ASSERT_TRUE(threshold.ok());
  std::size_t decided = 0;
  std::size_t right = 0;
  for (std::size_t i = 0; i < said->size(); ++i) {
    if ((*said)[i].probability < threshold->threshold) continue;
    ++decided;
    right += classifier.labels()[static_cast<std::size_t>((*said)[i].label)] == fresh.items[i].label ? 1 : 0;
  }
  EXPECT_GT(decided, 300U);
  EXPECT_GE(static_cast<double>(right) / static_cast<double>(decided), 0.8);
}

TEST(Classifier, is_written_whole_or_not_at_all) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("loam_classifier_test_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const Classifier classifier = must_fit(Method::majority, tickets(40));
  EXPECT_TRUE(classifier.save(folder / "a.classifier").ok());
  EXPECT_TRUE(Classifier::load(folder / "a.classifier").ok());
  EXPECT_FALSE(classifier.save(folder / "no_such_folder" / "b.classifier").ok());
  EXPECT_EQ(Classifier::load(folder / "absent").error().kind, Kind::unavailable);
  EXPECT_EQ(Classifier::load(folder).error().kind, Kind::bad_request);
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files += entry.exists() ? 1 : 0;
  EXPECT_EQ(files, 1U);
  std::filesystem::remove_all(folder);
}

// proves P-CLASS-04
TEST(Classifier, files_of_every_released_format_open) {
  const auto sample = Classifier::load(std::string(LOAM_SOURCE_DIR) + "/tests/compat/tickets_v1.classifier");
  ASSERT_TRUE(sample.ok()) << sample.error().line();
  EXPECT_EQ(sample->method(), Method::tfidf_logreg);
  const std::vector<std::string> texts = {"please refund my money", "the parcel is late",
                                          "login password locked"};
  const auto said = sample->predict(texts, nullptr);
  ASSERT_TRUE(said.ok());
  EXPECT_EQ(sample->labels()[static_cast<std::size_t>((*said)[0].label)], "refund");
  EXPECT_EQ(sample->labels()[static_cast<std::size_t>((*said)[1].label)], "delivery");
  EXPECT_EQ(sample->labels()[static_cast<std::size_t>((*said)[2].label)], "account");
}

TEST(Folds, spread_each_label_evenly_and_keep_groups_together) {
  std::vector<int> labels;
  std::vector<std::size_t> group;
  for (int i = 0; i < 300; ++i) {
    labels.push_back(i % 3);
    group.push_back(i < 30 ? 1 + static_cast<std::size_t>(i / 3) : 0);  // ten groups of three labels
  }
  const std::vector<int> fold = folds_of(labels, group, 5, 9);
  for (int i = 0; i < 30; ++i)
    EXPECT_EQ(fold[static_cast<std::size_t>(i)], fold[static_cast<std::size_t>(i / 3 * 3)]);
  for (int f = 0; f < 5; ++f) {
    for (int label = 0; label < 3; ++label) {
      int count = 0;
      for (std::size_t i = 0; i < labels.size(); ++i) count += fold[i] == f && labels[i] == label ? 1 : 0;
      EXPECT_GE(count, 14);
      EXPECT_LE(count, 26);
    }
  }
  EXPECT_EQ(fold, folds_of(labels, group, 5, 9));
  EXPECT_NE(fold, folds_of(labels, group, 5, 10));
}

TEST(EmbedTexts, a_long_text_is_the_mean_of_its_pieces_and_nothing_is_cut_off) {
  FakeEmbedder embedder;  // reads 64 words
  std::string longer;
  for (int i = 0; i < 300; ++i) longer += "word" + std::to_string(i % 50) + (i % 20 == 19 ? ". " : " ");
  const std::vector<std::string> texts = {"short text", longer, ""};
  const auto vectors = embed_texts(embedder, texts);
  ASSERT_TRUE(vectors.ok()) << vectors.error().line();
  ASSERT_EQ(vectors->size(), 3U * 16U);
  for (std::size_t i = 0; i < 3; ++i) {
    double square = 0;
    for (std::size_t k = 0; k < 16; ++k)
      square += static_cast<double>((*vectors)[i * 16 + k] * (*vectors)[i * 16 + k]);
    EXPECT_NEAR(square, 1.0, 1e-4);
  }
  EXPECT_GT(embedder.embedded, 5U);  // the long one in several pieces
}

TEST(EmbedTexts, can_be_stopped) {
  FakeEmbedder embedder;
  std::stop_source source;
  source.request_stop();
  const std::vector<std::string> texts = {"a"};
  EXPECT_EQ(embed_texts(embedder, texts, {}, source.get_token()).error().kind, Kind::unavailable);
}

}  // namespace
}  // namespace loam::tasks
