// The classical classifiers against scikit-learn (testdata/make_linear_fixture.py made the fixture) and
// against what they promise.
#include "baseline/linear.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>
#include <random>
#include <sstream>

#include "base/json.h"

namespace loam::baseline {
namespace {

const Json& fixture() {
  static const Json parsed = [] {
    std::ifstream in(std::string(LOAM_SOURCE_DIR) + "/src/baseline/testdata/linear_fixture.json");
    std::stringstream bytes;
    bytes << in.rdbuf();
    auto json = parse_json(bytes.str(), "linear_fixture.json");
    EXPECT_TRUE(json.ok());
    return json ? *json : Json::object();
  }();
  return parsed;
}

std::vector<std::string> texts_of(const Json& list) { return list.get<std::vector<std::string>>(); }

Tfidf must_fit(std::span<const std::string> texts, const TfidfOptions& options = {}) {
  auto fitted = Tfidf::fit(texts, options);
  EXPECT_TRUE(fitted.ok()) << (fitted ? "" : fitted.error().line());
  return *fitted;
}

LogisticRegression must(Result<LogisticRegression> fitted) {
  EXPECT_TRUE(fitted.ok()) << (fitted ? "" : fitted.error().line());
  return *fitted;
}

void expect_row(const SparseRow& row, const Json& expected, const std::string& what) {
  ASSERT_EQ(row.columns, expected[0].get<std::vector<std::uint32_t>>()) << what;
  const auto values = expected[1].get<std::vector<double>>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(row.values[i]), values[i], 2e-7) << what << ", value " << i;
  }
}

TfidfOptions options_of(const Json& json) {
  TfidfOptions options;
  options.word_ngrams = json["word_ngrams"];
  options.character_ngrams = json["character_ngrams"];
  options.least_documents = json["least_documents"];
  options.sublinear = json["sublinear"];
  return options;
}

// proves P-CLASS-01
TEST(Tfidf, equals_scikit_learns_vectorizer) {
  const std::vector<std::string> texts = texts_of(fixture()["texts"]);
  const std::vector<std::string> unseen = texts_of(fixture()["unseen"]);
  for (const Json& one : fixture()["tfidf"]) {
    const Tfidf tfidf = must_fit(texts, options_of(one["options"]));
    EXPECT_EQ(tfidf.terms(), one["terms"].get<std::size_t>());
    if (!one["vocabulary"].is_null()) {
      EXPECT_EQ(tfidf.vocabulary(), texts_of(one["vocabulary"]));
    }
    for (std::size_t i = 0; i < one["rows"].size(); ++i) {
      expect_row(tfidf.transform(texts[i]), one["rows"][i], texts[i]);
    }
    for (std::size_t i = 0; i < unseen.size(); ++i) {
      expect_row(tfidf.transform(unseen[i]), one["unseen"][i], "unseen " + unseen[i]);
    }
  }
}

TEST(Tfidf, words_and_characters_together_have_unit_length) {
  const std::vector<std::string> texts = texts_of(fixture()["texts"]);
  TfidfOptions options;
  options.character_ngrams = 4;
  const Tfidf tfidf = must_fit(texts, options);
  for (const std::string& text : texts) {
    const SparseRow row = tfidf.transform(text);
    EXPECT_NEAR(std::inner_product(row.values.begin(), row.values.end(), row.values.begin(), 0.0), 1.0, 1e-5);
    EXPECT_TRUE(std::is_sorted(row.columns.begin(), row.columns.end()));
  }
}

TEST(Tfidf, keeps_the_most_frequent_terms_when_told_to_keep_few) {
  const std::vector<std::string> texts = {"apple apple apple pear", "pear plum", "quince"};
  TfidfOptions options;
  options.word_ngrams = 1;
  options.most_terms = 2;
  EXPECT_EQ(must_fit(texts, options).vocabulary(), (std::vector<std::string>{"apple", "pear"}));
}

TEST(Tfidf, texts_without_words_are_refused_with_a_next_step) {
  const std::vector<std::string> texts = {"", "! ?", "a b"};
  const auto fitted = Tfidf::fit(texts);
  ASSERT_FALSE(fitted.ok());
  EXPECT_EQ(fitted.error().kind, Kind::bad_request);
  EXPECT_FALSE(fitted.error().next_step.empty());
}

TEST(Tfidf, any_bytes_are_a_text) {
  const std::vector<std::string> texts = {"good words here", std::string("\xff\xfe\x00\xc3(", 5),
                                          "\xf0\x9f\x9a\xb2\xf0\x9f\x9a\xb2"};
  TfidfOptions options;
  options.character_ngrams = 5;
  const Tfidf tfidf = must_fit(texts, options);
  for (const std::string& text : texts) (void)tfidf.transform(text);
  EXPECT_TRUE(tfidf.transform("\xff\xff").columns.empty() || !tfidf.transform("\xff\xff").values.empty());
}

// proves P-CLASS-01
TEST(Logistic, equals_scikit_learns_lbfgs_solver) {
  const std::vector<std::string> texts = texts_of(fixture()["texts"]);
  const std::vector<std::string> unseen = texts_of(fixture()["unseen"]);
  const Tfidf tfidf = must_fit(texts);
  const std::vector<SparseRow> rows = tfidf.transform(texts, 1);
  for (const Json& run : fixture()["logistic"]) {
    LogisticOptions options;
    options.c = run["options"]["c"];
    options.balanced = run["options"].value("balanced", false);
    options.max_iterations = 2000;
    options.tolerance = 1e-7;
    const auto labels = run["labels"].get<std::vector<int>>();
    const int classes = 1 + *std::max_element(labels.begin(), labels.end());
    const bool dense = run["kind"] == "dense";
    std::vector<float> values;
    if (dense) {
      for (const Json& row : run["rows"]) {
        for (const Json& value : row) values.push_back(value.get<float>());
      }
    }
    const LogisticRegression model =
        dense ? must(LogisticRegression::fit_dense(values, 5, labels, classes, options))
              : must(LogisticRegression::fit(rows, tfidf.terms(), labels, classes, options));
    const std::string what = run["kind"].get<std::string>() + " " + dump_json(run["options"]);
    EXPECT_TRUE(model.converged()) << what;
    const Json& coefficients = run["coef"];
    for (std::size_t k = 0; k < coefficients.size(); ++k) {
      const int class_number = classes == 2 ? 1 : static_cast<int>(k);
      for (std::size_t c = 0; c < coefficients[k].size(); ++c) {
        EXPECT_NEAR(model.weight(class_number, c), coefficients[k][c].get<double>(), 2e-3)
            << what << ", class " << k << ", column " << c;
      }
      EXPECT_NEAR(model.intercept(class_number), run["intercept"][k].get<double>(), 2e-3) << what;
    }
    for (std::size_t i = 0; i < run["probabilities"].size(); ++i) {
      std::vector<float> row;
      if (dense) {
        for (const Json& value : run["unseen"][i]) row.push_back(value.get<float>());
      }
      const std::vector<float> probabilities =
          dense ? model.predict_dense(row) : model.predict(tfidf.transform(unseen[i]));
      ASSERT_EQ(probabilities.size(), run["probabilities"][i].size());
      for (std::size_t k = 0; k < probabilities.size(); ++k) {
        EXPECT_NEAR(static_cast<double>(probabilities[k]), run["probabilities"][i][k].get<double>(), 2e-4)
            << what << ", item " << i;
      }
    }
  }
}

/// Points around as many centres as classes.
struct Cloud {
  std::vector<float> rows;
  std::vector<int> labels;
  std::size_t columns;
};
Cloud cloud(std::size_t count, std::size_t columns, int classes, std::uint32_t seed) {
  std::mt19937 random(seed);
  const auto draw = [&] { return static_cast<float>(random() % 2000) / 1000.0F - 1.0F; };
  std::vector<float> centres(static_cast<std::size_t>(classes) * columns);
  for (float& value : centres) value = draw();
  Cloud made;
  made.columns = columns;
  for (std::size_t i = 0; i < count; ++i) {
    const int label = static_cast<int>(i % static_cast<std::size_t>(classes));
    made.labels.push_back(label);
    for (std::size_t c = 0; c < columns; ++c) {
      made.rows.push_back(centres[static_cast<std::size_t>(label) * columns + c] + 0.8F * draw());
    }
  }
  return made;
}

// proves P-CLASS-02
TEST(Logistic, any_number_of_threads_gives_the_same_bytes) {
  const Cloud points = cloud(1500, 37, 7, 3);
  std::string first;
  for (const int threads : {1, 2, 3, 8}) {
    LogisticOptions options;
    options.threads = threads;
    options.c = 3.0;
    std::string bytes;
    must(LogisticRegression::fit_dense(points.rows, points.columns, points.labels, 7, options)).save(bytes);
    if (first.empty()) first = bytes;
    EXPECT_TRUE(bytes == first) << threads << " threads";
  }
  std::vector<std::string> texts;
  std::vector<int> labels;
  for (int i = 0; i < 3000; ++i) {
    texts.push_back("word" + std::to_string(i % 61) + " thing" + std::to_string(i % 7) + " piece" +
                    std::to_string(i % 113));
    labels.push_back(i % 7);
  }
  const Tfidf tfidf = must_fit(texts);
  first.clear();
  for (const int threads : {1, 2, 5}) {
    LogisticOptions options;
    options.threads = threads;
    std::string bytes;
    must(LogisticRegression::fit(tfidf.transform(texts, threads), tfidf.terms(), labels, 7, options))
        .save(bytes);
    if (first.empty()) first = bytes;
    EXPECT_TRUE(bytes == first) << threads << " threads";
  }
}

TEST(Logistic, batches_of_any_size_predict_what_single_rows_do) {
  const Cloud points = cloud(301, 13, 5, 4);
  const auto model = must(LogisticRegression::fit_dense(points.rows, 13, points.labels, 5));
  const std::vector<float> all = model.predict_many_dense(points.rows, 2);
  for (std::size_t r = 0; r < 301; ++r) {
    const std::vector<float> one = model.predict_dense(std::span(points.rows).subspan(r * 13, 13));
    double sum = 0;
    for (std::size_t k = 0; k < 5; ++k) {
      EXPECT_EQ(one[k], all[r * 5 + k]);
      sum += static_cast<double>(one[k]);
    }
    EXPECT_NEAR(sum, 1.0, 1e-5);
  }
}

TEST(Logistic, a_class_without_items_gets_no_probability) {
  const Cloud points = cloud(60, 4, 3, 5);
  std::vector<int> labels;
  for (const int label : points.labels) labels.push_back(label * 2);  // 0, 2, 4 of six classes
  const auto model = must(LogisticRegression::fit_dense(points.rows, 4, labels, 6));
  const std::vector<float> probabilities = model.predict_dense(std::span(points.rows).first(4));
  ASSERT_EQ(probabilities.size(), 6U);
  EXPECT_EQ(probabilities[1], 0.0F);
  EXPECT_EQ(probabilities[3], 0.0F);
  EXPECT_EQ(probabilities[5], 0.0F);
  EXPECT_NEAR(static_cast<double>(std::accumulate(probabilities.begin(), probabilities.end(), 0.0F)), 1.0,
              1e-5);
}

TEST(Logistic, a_start_near_the_end_takes_fewer_steps_and_ends_there_too) {
  const Cloud points = cloud(400, 20, 4, 6);
  LogisticOptions options;
  options.tolerance = 1e-6;
  options.max_iterations = 1000;
  const auto cold = must(LogisticRegression::fit_dense(points.rows, 20, points.labels, 4, options));
  const auto warm =
      must(LogisticRegression::fit_dense(points.rows, 20, points.labels, 4, options, {}, &cold));
  EXPECT_LT(warm.iterations(), cold.iterations());
  EXPECT_NEAR(warm.weight(2, 3), cold.weight(2, 3), 1e-3);
}

TEST(Logistic, what_cannot_be_fitted_is_refused_with_a_reason) {
  const std::vector<float> rows = {1, 2, 3, 4};
  const std::vector<int> same = {1, 1};
  const std::vector<int> beyond = {0, 5};
  const std::vector<int> one = {0};
  const std::vector<int> good = {0, 1};
  const std::vector<float> infinite = {1, INFINITY, 3, 4};
  EXPECT_EQ(LogisticRegression::fit_dense(rows, 2, same, 2).error().kind, Kind::bad_request);
  EXPECT_EQ(LogisticRegression::fit_dense(rows, 2, beyond, 2).error().kind, Kind::bad_request);
  EXPECT_EQ(LogisticRegression::fit_dense(rows, 2, one, 2).error().kind, Kind::bad_request);
  EXPECT_EQ(LogisticRegression::fit_dense(rows, 3, good, 2).error().kind, Kind::bad_request);
  EXPECT_EQ(LogisticRegression::fit_dense(infinite, 2, good, 2).error().kind, Kind::bad_request);
  LogisticOptions options;
  options.c = 0;
  EXPECT_EQ(LogisticRegression::fit_dense(rows, 2, good, 2, options).error().kind, Kind::bad_request);
  const std::vector<SparseRow> outside = {{{7}, {1.0F}}, {{0}, {1.0F}}};
  EXPECT_EQ(LogisticRegression::fit(outside, 3, good, 2).error().kind, Kind::bad_request);
}

TEST(Logistic, a_thousand_classes_are_fitted) {
  std::vector<std::string> texts;
  std::vector<int> labels;
  for (int i = 0; i < 1000; ++i) {
    texts.push_back("item number n" + std::to_string(i));
    labels.push_back(i);
  }
  const Tfidf tfidf = must_fit(texts);
  LogisticOptions options;
  options.c = 1000;
  options.max_iterations = 30;
  const auto model =
      must(LogisticRegression::fit(tfidf.transform(texts), tfidf.terms(), labels, 1000, options));
  const std::vector<float> probabilities = model.predict(tfidf.transform(texts[437]));
  EXPECT_EQ(std::max_element(probabilities.begin(), probabilities.end()) - probabilities.begin(), 437);
}

TEST(Neighbours, vote_by_score_and_fall_back_on_the_shares_of_the_classes) {
  const std::vector<std::string> texts = {"red apple pie", "green apple", "fast red car", "slow car"};
  const std::vector<int> labels = {0, 0, 1, 1};
  NeighbourOptions options;
  options.neighbours = 2;
  const auto fitted = Bm25Neighbours::fit(texts, labels, 3, options);
  ASSERT_TRUE(fitted.ok());
  const std::vector<float> apple = fitted->predict("apple");
  EXPECT_GT(apple[0], 0.9F);
  EXPECT_EQ(apple[2], 0.0F);
  EXPECT_EQ(fitted->nearest("green apple", 1), (std::vector<std::size_t>{1}));
  EXPECT_EQ(fitted->nearest("car", 9), (std::vector<std::size_t>{3, 2}));  // the shorter text scores higher
  const std::vector<float> nothing = fitted->predict("zebra");
  EXPECT_EQ(nothing[0], 0.5F);
  EXPECT_EQ(nothing[1], 0.5F);
  EXPECT_TRUE(fitted->nearest("zebra", 3).empty());
  const std::vector<std::string> queries = {"apple", "zebra", "", "car car red"};
  const std::vector<float> many = fitted->predict_many(queries, 2);
  for (std::size_t i = 0; i < queries.size(); ++i) {
    const std::vector<float> single = fitted->predict(queries[i]);
    for (std::size_t k = 0; k < 3; ++k) EXPECT_EQ(single[k], many[i * 3 + k]);
  }
}

TEST(Neighbours, score_as_bm25_by_hand) {
  // idf of a word in one of two texts is ln(1 + 1.5 / 1.5) = ln 2; both texts have the mean length, so that
  // one occurrence weighs ln 2 * 1 * 2.2 / (1 + 1.2) = ln 2.
  const std::vector<std::string> texts = {"alpha beta", "gamma delta"};
  const std::vector<int> labels = {0, 1};
  const auto fitted = Bm25Neighbours::fit(texts, labels, 2);
  ASSERT_TRUE(fitted.ok());
  const double best = std::log(2.0);
  const double all = best + 0.1 * best;
  EXPECT_NEAR(static_cast<double>(fitted->predict("alpha")[0]), (best + 0.05 * best) / all, 1e-6);
}

// proves P-CLASS-03
TEST(SavedModels, come_back_the_same_and_damage_is_noticed) {
  const std::vector<std::string> texts = texts_of(fixture()["texts"]);
  const auto labels = fixture()["labels"].get<std::vector<int>>();
  TfidfOptions tfidf_options;
  tfidf_options.character_ngrams = 4;
  const Tfidf tfidf = must_fit(texts, tfidf_options);
  const auto model = must(LogisticRegression::fit(tfidf.transform(texts), tfidf.terms(), labels, 4));
  const auto neighbours = Bm25Neighbours::fit(texts, labels, 4);
  ASSERT_TRUE(neighbours.ok());
  std::string bytes;
  tfidf.save(bytes);
  model.save(bytes);
  neighbours->save(bytes);

  std::string_view rest = bytes;
  auto tfidf_again = Tfidf::load(rest);
  auto model_again = LogisticRegression::load(rest);
  auto neighbours_again = Bm25Neighbours::load(rest);
  ASSERT_TRUE(tfidf_again.ok() && model_again.ok() && neighbours_again.ok());
  EXPECT_TRUE(rest.empty());
  for (const std::string& text : texts) {
    EXPECT_EQ(tfidf.transform(text).values, tfidf_again->transform(text).values);
    EXPECT_EQ(model.predict(tfidf.transform(text)), model_again->predict(tfidf.transform(text)));
    EXPECT_EQ(neighbours->predict(text), neighbours_again->predict(text));
  }
  std::string again;
  tfidf_again->save(again);
  model_again->save(again);
  neighbours_again->save(again);
  EXPECT_TRUE(again == bytes);

  const auto load_all = [](std::string_view in) {
    auto first = Tfidf::load(in);
    if (!first) return first.error().kind;
    auto second = LogisticRegression::load(in);
    if (!second) return second.error().kind;
    auto third = Bm25Neighbours::load(in);
    return third ? Kind::our_bug : third.error().kind;
  };
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    std::string damaged = bytes;
    damaged[random() % damaged.size()] ^= static_cast<char>(1U << (random() % 8));
    EXPECT_EQ(load_all(damaged), Kind::bad_data);
    EXPECT_EQ(load_all(std::string_view(bytes).substr(0, random() % bytes.size())), Kind::bad_data);
  }
}

}  // namespace
}  // namespace loam::baseline
