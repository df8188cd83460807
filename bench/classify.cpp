// bench_classify: do I need a language model to sort these texts? Accuracy on banking77 with 1 to 20 examples
// a label and with all of them, the comparison that people see, how much may be decided alone, and how fast
// it goes. Parts: --part=shots|strengths|full|compare|automation|speed (all by default), --llm-items=N,
// --threads=N,
// --rounds=N, and --only=NAMES for part full (methods, or "variations"). The
// checks beside the figures: the automated share is right as often as it must be, on data that chose nothing;
// the classifier's labels are those of the bare head.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <random>
#include <sstream>

#include "base/clock.h"
#include "base/json.h"
#include "engine/local_embedder.h"
#include "engine/local_engine.h"
#include "eval/significance.h"
#include "support/embedding_cache.h"
#include "support/report.h"
#include "tasks/classify.h"
#include "tasks/embed_texts.h"
#include "tasks/folds.h"

namespace loam::bench {
namespace {

using eval::ClassificationData;
using tasks::Examples;
using tasks::FittedMethod;
using tasks::Method;
using tasks::MethodSettings;
using tasks::OwnedExamples;

std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) fail("cannot read " + file.string());
  std::stringstream all;
  all << in.rdbuf();
  return all.str();
}

ClassificationData banking(const Settings& settings, const std::string& part) {
  eval::ClassificationOptions options;
  options.label_column = "category";
  ClassificationData data =
      must(eval::read_classification(settings.data / "02-intent-banking77" / (part + ".csv"), options));
  data.version.file = "banking77 " + part + ".csv";  // raw runs name no folder of one machine
  return data;
}

/// The file's cells hold quotes that quote nothing, so it is read by hand: label, tab, text.
ClassificationData sms(const Settings& settings) {
  const std::string bytes = bytes_of(settings.data / "02-spam-sms" / "SMSSpamCollection.tsv");
  std::istringstream lines(bytes);
  std::string jsonl;
  std::string line;
  std::getline(lines, line);  // header
  while (std::getline(lines, line)) {
    if (line.ends_with('\r')) line.pop_back();
    const std::size_t tab = line.find('\t');
    if (tab == std::string::npos) continue;
    jsonl += dump_json(Json{{"text", line.substr(tab + 1)}, {"label", line.substr(0, tab)}}) + "\n";
  }
  return must(eval::parse_classification(jsonl, "SMSSpamCollection.jsonl"));
}

OwnedExamples examples_of(const ClassificationData& data, const std::vector<std::string>& labels,
                          engine::Embedder* embedder) {
  OwnedExamples all;
  all.classes = static_cast<int>(labels.size());
  for (const eval::LabelledText& item : data.items) {
    all.texts.push_back(item.text);
    all.labels.push_back(
        static_cast<int>(std::lower_bound(labels.begin(), labels.end(), item.label) - labels.begin()));
  }
  if (embedder != nullptr) all.vectors = must(tasks::embed_texts(*embedder, all.texts));
  return all;
}

std::vector<double> correct_of(std::span<const float> probabilities, const OwnedExamples& test) {
  std::vector<double> correct;
  for (const eval::Prediction& one : tasks::predictions_of(probabilities, test.classes, test.labels)) {
    correct.push_back(one.said == one.truth ? 1.0 : 0.0);
  }
  return correct;
}

double mean(const std::vector<double>& values) {
  return values.empty()
             ? 0.0
             : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double deviation(const std::vector<double>& values) {
  const double middle = mean(values);
  double square = 0;
  for (const double value : values) square += (value - middle) * (value - middle);
  return values.size() < 2 ? 0.0 : std::sqrt(square / static_cast<double>(values.size() - 1));
}

/// N of each label.
std::vector<std::size_t> shots_of(const OwnedExamples& train, int shots, std::uint64_t seed) {
  std::vector<std::size_t> order(train.labels.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::mt19937_64 random(seed);
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[static_cast<std::size_t>(random() % i)]);
  std::vector<int> taken(static_cast<std::size_t>(train.classes), 0);
  std::vector<std::size_t> drawn;
  for (const std::size_t item : order) {
    if (taken[static_cast<std::size_t>(train.labels[item])]++ < shots) drawn.push_back(item);
  }
  std::sort(drawn.begin(), drawn.end());
  return drawn;
}

// MTEB's protocol: N texts a label, logistic regression with C = 1 and at most 100 iterations, ten draws
// (Muennighoff et al., EACL 2023).
Json few_shot(const OwnedExamples& train, const OwnedExamples& test) {
  Json rows = Json::array();
  std::printf("\nfew-shot, 10 draws each (mean accuracy +- deviation over draws)\n%8s %20s %20s %20s\n",
              "shots", "embeddings+logreg", "tfidf+logreg", "bm25-knn");
  for (const int shots : {1, 3, 8, 20}) {
    Json row = {{"shots", shots}};
    std::printf("%8d", shots);
    for (const Method method : {Method::embeddings_logreg, Method::tfidf_logreg, Method::bm25_knn}) {
      std::vector<double> accuracies;
      for (std::uint64_t draw = 0; draw < 10; ++draw) {
        const OwnedExamples part = tasks::subset(train.view(), shots_of(train, shots, 42 + draw));
        MethodSettings settings;
        settings.max_iterations = 100;
        settings.c = method == Method::tfidf_logreg ? 16.0 : 1.0;
        settings.neighbours = 3;
        const FittedMethod fitted = must(FittedMethod::fit(method, settings, part.view()));
        const auto vectors =
            fitted.dimensions() > 0 ? std::span<const float>(test.vectors) : std::span<const float>();
        accuracies.push_back(mean(correct_of(must(fitted.predict(test.texts, vectors)), test)));
      }
      row[std::string(tasks::name_of(method))] = {
          {"mean", mean(accuracies)}, {"deviation", deviation(accuracies)}, {"draws", accuracies}};
      std::printf("     %7.4f +- %.4f", mean(accuracies), deviation(accuracies));
      std::fflush(stdout);
    }
    std::printf("\n");
    rows.push_back(std::move(row));
  }
  return rows;
}

/// Which regularisation suits eight shots: chosen on training items that were not drawn, told of the test
/// file.
Json few_shot_strengths(const OwnedExamples& train, const OwnedExamples& test) {
  Json rows = Json::array();
  std::printf("\n8 shots, 10 draws: regularisation of the head on embeddings\n%8s %28s %12s\n", "C",
              "training items not drawn", "test file");
  for (const double c : {0.25, 1.0, 4.0, 16.0, 64.0}) {
    std::vector<double> rest_accuracy;
    std::vector<double> test_accuracy;
    for (std::uint64_t draw = 0; draw < 10; ++draw) {
      const std::vector<std::size_t> drawn = shots_of(train, 8, 42 + draw);
      std::vector<std::size_t> rest;
      for (std::size_t i = 0; i < train.labels.size(); ++i) {
        if (!std::binary_search(drawn.begin(), drawn.end(), i)) rest.push_back(i);
      }
      const OwnedExamples part = tasks::subset(train.view(), drawn);
      const OwnedExamples others = tasks::subset(train.view(), rest);
      MethodSettings settings;
      settings.max_iterations = 100;
      settings.c = c;
      const FittedMethod fitted = must(FittedMethod::fit(Method::embeddings_logreg, settings, part.view()));
      rest_accuracy.push_back(mean(correct_of(must(fitted.predict(others.texts, others.vectors)), others)));
      test_accuracy.push_back(mean(correct_of(must(fitted.predict(test.texts, test.vectors)), test)));
    }
    std::printf("%8.2f %18.4f +- %.4f %6.4f +- %.4f\n", c, mean(rest_accuracy), deviation(rest_accuracy),
                mean(test_accuracy), deviation(test_accuracy));
    std::fflush(stdout);
    rows.push_back({{"c", c},
                    {"not_drawn", mean(rest_accuracy)},
                    {"test", mean(test_accuracy)},
                    {"test_deviation", deviation(test_accuracy)},
                    {"draws", test_accuracy}});
  }
  return rows;
}

/// Vectors beside words in one sparse row each.
std::vector<baseline::SparseRow> joined(const OwnedExamples& examples,
                                        const std::vector<baseline::SparseRow>& words, float share) {
  const std::size_t width = examples.vectors.size() / examples.texts.size();
  std::vector<baseline::SparseRow> rows(words.size());
  for (std::size_t i = 0; i < words.size(); ++i) {
    for (std::size_t k = 0; k < width; ++k) {
      rows[i].columns.push_back(static_cast<std::uint32_t>(k));
      rows[i].values.push_back(examples.vectors[i * width + k]);
    }
    for (std::size_t k = 0; k < words[i].columns.size(); ++k) {
      rows[i].columns.push_back(static_cast<std::uint32_t>(width) + words[i].columns[k]);
      rows[i].values.push_back(share * words[i].values[k]);
    }
  }
  return rows;
}

/// What all training data gives, and what each variation adds: chosen on a fifth of the training data, then
/// fitted on all of it and told of the test file.
Json full_data(const ClassificationData& train_data, const OwnedExamples& train, const OwnedExamples& test,
               const std::string& only) {
  const eval::Split split = must(eval::split_items(train_data, 0.2, 0.0, 1));
  const OwnedExamples part = tasks::subset(train.view(), split.train);
  const OwnedExamples validate = tasks::subset(train.view(), split.validate);
  Json rows = Json::array();
  std::printf("\nall training data (settings chosen on 20%% of it, then fitted on all; test file)\n");
  const auto told = [&](const std::string& name, double validation, const std::vector<double>& correct,
                        const Json& settings, double seconds) {
    const double share = mean(correct);
    const eval::Estimate exact = eval::clopper_pearson(
        static_cast<std::size_t>(std::llround(share * static_cast<double>(correct.size()))), correct.size());
    std::printf("  %-44s validation %.4f  test %s  fit %.1f s\n", name.c_str(), validation,
                shown(exact).c_str(), seconds);
    std::fflush(stdout);
    rows.push_back({{"name", name},
                    {"validation", validation},
                    {"test", to_json(exact)},
                    {"settings", settings},
                    {"fit_seconds", seconds}});
  };
  for (const Method method :
       {Method::majority, Method::bm25_knn, Method::tfidf_logreg, Method::embeddings_logreg}) {
    if (!only.empty() && only.find(tasks::name_of(method)) == std::string::npos) continue;
    std::vector<tasks::TriedSettings> tried;
    const Stopwatch watch;
    const MethodSettings chosen =
        must(tasks::choose_settings(method, part.view(), validate.view(), 0, &tried));
    double best = 0;
    Json all = Json::array();
    for (const tasks::TriedSettings& one : tried) {
      best = std::max(best, one.accuracy);
      all.push_back({{"c", one.settings.c},
                     {"characters", one.settings.character_ngrams},
                     {"neighbours", one.settings.neighbours},
                     {"validation", one.accuracy}});
    }
    const FittedMethod fitted = must(FittedMethod::fit(method, chosen, train.view()));
    const double seconds = watch.milliseconds() / 1000.0;
    const auto vectors =
        fitted.dimensions() > 0 ? std::span<const float>(test.vectors) : std::span<const float>();
    told(std::string(tasks::name_of(method)), best,
         correct_of(must(fitted.predict(test.texts, vectors)), test),
         Json{{"c", chosen.c},
              {"characters", chosen.character_ngrams},
              {"neighbours", chosen.neighbours},
              {"tried", all}},
         seconds);
  }
  if (!only.empty() && only.find("variations") == std::string::npos) return rows;
  // Variations of the head on the same vectors.
  const std::size_t width = train.vectors.size() / train.texts.size();
  const auto best_of = [&](const std::string& name, const auto& fit, const auto& predict) {
    double best = -1;
    double best_c = 0;
    const Stopwatch watch;
    for (const double c : {1.0, 4.0, 16.0, 64.0, 256.0}) {
      const auto model = fit(part, c);
      const double accuracy = mean(correct_of(predict(model, validate), validate));
      if (accuracy > best) {
        best = accuracy;
        best_c = c;
      }
    }
    const auto model = fit(train, best_c);
    told(name, best, correct_of(predict(model, test), test), Json{{"c", best_c}},
         watch.milliseconds() / 1000.0);
  };
  const auto dense = [&](bool balanced) {
    return [width, balanced](const OwnedExamples& on, double c) {
      baseline::LogisticOptions options;
      options.c = c;
      options.balanced = balanced;
      return must(baseline::LogisticRegression::fit_dense(on.vectors, width, on.labels, on.classes, options));
    };
  };
  const auto predict_dense = [](const baseline::LogisticRegression& model, const OwnedExamples& of) {
    return model.predict_many_dense(of.vectors);
  };
  best_of("embeddings+logreg, balanced classes", dense(true), predict_dense);
  // Standardised: mean 0 and deviation 1 by the training part.
  std::vector<double> middle(width, 0.0);
  std::vector<double> scale(width, 0.0);
  for (std::size_t i = 0; i < train.vectors.size(); ++i)
    middle[i % width] += static_cast<double>(train.vectors[i]);
  for (double& value : middle) value /= static_cast<double>(train.texts.size());
  for (std::size_t i = 0; i < train.vectors.size(); ++i)
    scale[i % width] += std::pow(static_cast<double>(train.vectors[i]) - middle[i % width], 2);
  for (double& value : scale) value = 1.0 / std::sqrt(value / static_cast<double>(train.texts.size()));
  const auto standard = [&](const OwnedExamples& of) {
    OwnedExamples copy = of;
    for (std::size_t i = 0; i < copy.vectors.size(); ++i) {
      copy.vectors[i] =
          static_cast<float>((static_cast<double>(copy.vectors[i]) - middle[i % width]) * scale[i % width]);
    }
    return copy;
  };
  best_of(
      "standardised embeddings+logreg (C / 384)",
      [&](const OwnedExamples& on, double c) {
        return dense(false)(standard(on), c / static_cast<double>(width));
      },
      [&](const baseline::LogisticRegression& model, const OwnedExamples& of) {
        return model.predict_many_dense(standard(of).vectors);
      });
  const baseline::Tfidf words = must(baseline::Tfidf::fit(train.texts, {.least_documents = 2}));
  for (const float share : {0.5F, 1.0F}) {
    best_of(
        "embeddings beside words (words x " + std::string(share < 1 ? "0.5" : "1") + ")",
        [&](const OwnedExamples& on, double c) {
          baseline::LogisticOptions options;
          options.c = c;
          return must(baseline::LogisticRegression::fit(joined(on, words.transform(on.texts), share),
                                                        width + words.terms(), on.labels, on.classes,
                                                        options));
        },
        [&](const baseline::LogisticRegression& model, const OwnedExamples& of) {
          return model.predict_many(joined(of, words.transform(of.texts), share));
        });
  }
  return rows;
}

Json comparison_of(const std::string& name, tasks::CompareRequest request, const tasks::CompareTools& tools) {
  const tasks::ClassifierComparison found = must(tasks::compare_classifiers(request, tools));
  std::printf("\n%s: %zu to learn, %zu to choose, %zu to test\n", name.c_str(), found.train_items,
              found.validate_items, found.test_items);
  for (const tasks::MethodScore& one : found.methods) {
    if (!one.scored) {
      std::printf("  %-18s %s\n", one.name.c_str(), one.note.c_str());
      continue;
    }
    const auto at = std::find_if(one.automation.begin(), one.automation.end(),
                                 [](const auto& a) { return a.target == 0.95; });
    std::printf("  %-18s accuracy %s  F1 %.4f  %9.3f ms  alone at 95%%: %.3f (right %.4f)  ECE %.3f  %s\n",
                one.name.c_str(), shown(one.accuracy).c_str(), one.macro_f1.value, one.ms_per_item,
                at->coverage, at->accuracy, one.calibration_error, one.note.c_str());
  }
  std::printf("  recommended: %s\n  %s\n  %zu doubtful labels\n", found.recommended.method.c_str(),
              found.recommended.reason.c_str(), found.suspects.size());
  std::fflush(stdout);
  Json json = tasks::to_json(found, request);
  json.erase("suspects");  // they quote the data
  json["suspects"] = found.suspects.size();
  json.erase("labels");
  return json;
}

struct Kept {
  int splits = 0, reached = 0, within_bound = 0, automated = 0;
  std::vector<double> coverage, accuracy;
  void add(const eval::Automation& one) {
    ++splits;
    const std::size_t right =
        static_cast<std::size_t>(std::llround(one.accuracy * static_cast<double>(one.decided)));
    // Nothing decided is nothing decided wrongly. The bound is that of the measurement itself: the upper end
    // of the 95% interval of the measured accuracy.
    const bool empty = one.decided == 0;
    automated += empty ? 0 : 1;
    reached += empty || one.accuracy >= one.target ? 1 : 0;
    within_bound += empty || eval::clopper_pearson(right, one.decided).high >= one.target ? 1 : 0;
    coverage.push_back(one.coverage);
    if (!empty) accuracy.push_back(one.accuracy);
  }
  Json json(double target) const {
    return {{"target", target},
            {"splits", splits},
            {"automated", automated},
            {"reached_target", reached},
            {"within_bound", within_bound},
            {"mean_coverage", mean(coverage)},
            {"mean_accuracy", mean(accuracy)}};
  }
  void print(double target) const {
    std::printf(
        "  target %.2f: decided alone %.3f, right %.4f on average; at or above the target in %d of %d "
        "splits, within the bound in %d\n",
        target, mean(coverage), mean(accuracy), reached, splits, within_bound);
  }
};

constexpr double kTargets[] = {0.9, 0.95, 0.99};

/// The thresholds on 100 random splits. banking77: one model, its test predictions parted at random. SMS: the
/// whole pipeline anew for each split.
Json automation(const OwnedExamples& train, const OwnedExamples& test, const OwnedExamples& messages) {
  Json json;
  MethodSettings settings;
  settings.c = 16.0;
  for (const Method method : {Method::embeddings_logreg, Method::tfidf_logreg}) {
    const FittedMethod fitted = must(FittedMethod::fit(method, settings, train.view()));
    const auto vectors =
        fitted.dimensions() > 0 ? std::span<const float>(test.vectors) : std::span<const float>();
    const auto predictions =
        tasks::predictions_of(must(fitted.predict(test.texts, vectors)), test.classes, test.labels);
    std::printf(
        "\nautomation, banking77, %s fitted on the training file; 100 random halves of the test file\n",
        std::string(tasks::name_of(method)).c_str());
    Json rows = Json::array();
    for (const double target : kTargets) {
      Kept kept;
      for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        std::mt19937_64 random(seed);
        std::vector<eval::Prediction> halves[2];
        for (const eval::Prediction& one : predictions) halves[random() % 2].push_back(one);
        kept.add(eval::automate(halves[0], halves[1], target));
      }
      kept.print(target);
      rows.push_back(kept.json(target));
    }
    json["banking77 " + std::string(tasks::name_of(method))] = std::move(rows);
  }
  std::printf("\nautomation, SMS spam, the whole pipeline on 100 random splits (60/20/20)\n");
  for (const Method method : {Method::tfidf_logreg, Method::embeddings_logreg}) {
    std::vector<Kept> kept(std::size(kTargets));
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
      const std::vector<int> fold = tasks::folds_of(messages.labels, {}, 5, seed);
      std::vector<std::size_t> parts[3];
      for (std::size_t i = 0; i < fold.size(); ++i)
        parts[fold[i] == 0 ? 1 : fold[i] == 1 ? 2 : 0].push_back(i);
      const OwnedExamples learn = tasks::subset(messages.view(), parts[0]);
      const OwnedExamples choose = tasks::subset(messages.view(), parts[1]);
      const OwnedExamples held = tasks::subset(messages.view(), parts[2]);
      const FittedMethod fitted = must(FittedMethod::fit(method, settings, learn.view()));
      const auto predictions = [&](const OwnedExamples& of) {
        const auto vectors =
            fitted.dimensions() > 0 ? std::span<const float>(of.vectors) : std::span<const float>();
        return tasks::predictions_of(must(fitted.predict(of.texts, vectors)), of.classes, of.labels);
      };
      const auto chosen = predictions(choose);
      const auto verified = predictions(held);
      for (std::size_t t = 0; t < kept.size(); ++t)
        kept[t].add(eval::automate(chosen, verified, kTargets[t]));
    }
    std::printf(" %s\n", std::string(tasks::name_of(method)).c_str());
    Json rows = Json::array();
    for (std::size_t t = 0; t < kept.size(); ++t) {
      kept[t].print(kTargets[t]);
      rows.push_back(kept[t].json(kTargets[t]));
    }
    json["sms " + std::string(tasks::name_of(method))] = std::move(rows);
  }
  return json;
}

/// Texts a second of each fitted method on the test file, and of `predict` against the bare encoder,
/// interleaved.
Json speed(const ClassificationData& train_data, const OwnedExamples& train, const OwnedExamples& test,
           engine::Embedder& embedder, int rounds) {
  Json json;
  std::printf("\nspeed on the %zu short texts of the test file, medians of %d\n", test.texts.size(), rounds);
  MethodSettings settings;
  settings.c = 16.0;
  const auto per_second = [&](double ms) { return 1000.0 * static_cast<double>(test.texts.size()) / ms; };
  for (const Method method :
       {Method::majority, Method::tfidf_logreg, Method::bm25_knn, Method::embeddings_logreg}) {
    MethodSettings own = settings;
    own.character_ngrams = 0;
    const FittedMethod fitted = must(FittedMethod::fit(method, own, train.view()));
    const auto vectors =
        fitted.dimensions() > 0 ? std::span<const float>(test.vectors) : std::span<const float>();
    for (const int threads : {1, 0}) {
      std::vector<double> times;
      for (int round = 0; round < rounds; ++round) {
        const Stopwatch watch;
        (void)must(fitted.predict(test.texts, vectors, threads));
        times.push_back(watch.milliseconds());
      }
      const std::string name = std::string(tasks::name_of(method)) +
                               (method == Method::embeddings_logreg ? " (head alone)" : "") +
                               (threads == 1 ? ", 1 thread" : ", all threads");
      std::printf("  %-40s %12.0f texts/s\n", name.c_str(), per_second(median(times)));
      json[name] = {{"texts_per_second", per_second(median(times))}, {"ms", times}};
    }
  }
  MethodSettings with_characters = settings;
  with_characters.character_ngrams = 5;
  const FittedMethod characters =
      must(FittedMethod::fit(Method::tfidf_logreg, with_characters, train.view()));
  std::vector<double> times;
  for (int round = 0; round < rounds; ++round) {
    const Stopwatch watch;
    (void)must(characters.predict(test.texts, {}, 0));
    times.push_back(watch.milliseconds());
  }
  std::printf("  %-40s %12.0f texts/s\n", "tfidf+logreg with characters, all threads",
              per_second(median(times)));
  json["tfidf+logreg with characters, all threads"] = {{"texts_per_second", per_second(median(times))},
                                                       {"ms", times}};

  // The whole path: text in, label out.
  ClassificationData some = train_data;
  std::vector<std::size_t> drawn = shots_of(train, 8, 1);
  some.items.clear();
  for (const std::size_t item : drawn) some.items.push_back(train_data.items[item]);
  const tasks::Classifier classifier =
      must(tasks::Classifier::fit(Method::embeddings_logreg, some, {}, &embedder));
  // A part of them: the encoder takes milliseconds for each.
  const std::vector<std::string> some_texts(
      test.texts.begin(),
      test.texts.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(640, test.texts.size())));
  const auto encoded_per_second = [&](double ms) {
    return 1000.0 * static_cast<double>(some_texts.size()) / ms;
  };
  std::vector<double> bare;
  std::vector<double> whole;
  for (int round = 0; round < rounds; ++round) {
    const auto encode = [&] {
      const Stopwatch watch;
      (void)must(embedder.embed(some_texts));
      bare.push_back(watch.milliseconds());
    };
    if (round % 2 == 0) encode();  // who goes first changes, so that a drift of the machine favours neither
    const Stopwatch watch;
    (void)must(classifier.predict(some_texts, &embedder));
    whole.push_back(watch.milliseconds());
    if (round % 2 == 1) encode();
  }
  std::vector<double> ratios;
  for (std::size_t i = 0; i < bare.size(); ++i) ratios.push_back(bare[i] / whole[i]);
  std::printf(
      "  %-40s %12.0f texts/s\n  %-40s %12.0f texts/s\n  predict / bare encoder: %.3f (median of %d "
      "interleaved rounds)\n",
      "bare encoder", encoded_per_second(median(bare)), "predict with the embedding head",
      encoded_per_second(median(whole)), median(ratios), rounds);
  json["encoder"] = {{"texts_per_second", encoded_per_second(median(bare))}, {"ms", bare}};
  json["predict"] = {{"texts_per_second", encoded_per_second(median(whole))},
                     {"ms", whole},
                     {"ratio_to_encoder", median(ratios)},
                     {"ratios", ratios}};
  return json;
}

int run(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::vector<std::string> others;
  const Settings settings = settings_from(argc, argv, &others);
  const std::string part = other(others, "part", "all");
  const auto wanted = [&](const std::string& name) { return part == "all" || part == name; };
  const int rounds = std::stoi(other(others, "rounds", "7"));
  const Json before = machine();
  engine::LocalEmbedderOptions embedder_options;
  embedder_options.threads = std::stoi(other(others, "threads", "0"));
  const auto embedder =
      must(engine::LocalEmbedder::open(settings.models / "all-minilm-l6-v2.gguf", embedder_options));
  EmbeddingCache cache(*embedder, settings.work / "classify");
  const ClassificationData train_data = banking(settings, "train");
  const ClassificationData test_data = banking(settings, "test");
  const OwnedExamples train = examples_of(train_data, train_data.labels, &cache);
  const OwnedExamples test = examples_of(test_data, train_data.labels, &cache);
  std::printf("banking77: %zu training and %zu test items, %zu labels\n", train.texts.size(),
              test.texts.size(), train_data.labels.size());
  Json result = {{"train_items", train.texts.size()}, {"test_items", test.texts.size()}};
  if (wanted("shots")) result["few_shot"] = few_shot(train, test);
  if (wanted("strengths")) result["few_shot_strengths"] = few_shot_strengths(train, test);
  if (wanted("full")) result["full"] = full_data(train_data, train, test, other(others, "only", ""));
  if (wanted("speed")) result["speed"] = speed(train_data, train, test, *embedder, rounds);
  if (wanted("automation")) {
    const ClassificationData sms_data = sms(settings);
    result["automation"] = automation(train, test, examples_of(sms_data, sms_data.labels, &cache));
  }
  if (wanted("compare")) {
    const int llm_items = std::stoi(other(others, "llm-items", "100"));
    std::unique_ptr<engine::LocalEngine> model;
    if (llm_items > 0)
      model = must(engine::LocalEngine::open(settings.models / "smollm2-135m-instruct-q4_1.gguf"));
    tasks::CompareTools tools;
    tools.embedder = embedder.get();  // not the cache: milliseconds are told
    tools.language_model = model.get();
    tools.embedder_mb =
        static_cast<double>(std::filesystem::file_size(settings.models / "all-minilm-l6-v2.gguf")) / 1e6;
    tools.language_model_mb =
        static_cast<double>(std::filesystem::file_size(settings.models / "smollm2-135m-instruct-q4_1.gguf")) /
        1e6;
    tasks::CompareRequest request;
    request.llm_items = std::max(llm_items, 1);
    request.data = train_data;
    request.test = test_data;
    result["compare_banking77"] = comparison_of("banking77", request, tools);
    request.data = sms(settings);
    request.test.reset();
    result["compare_sms"] = comparison_of("SMS spam", request, tools);
  }
  keep(settings, part == "all" ? "classify" : "classify-" + part, result, before);
  return 0;
}

}  // namespace
}  // namespace loam::bench

int main(int argc, char** argv) { return loam::bench::run(argc, argv); }
