// A fitted classifier: one small file that knows its labels, when to ask a person, and where it comes from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "baseline/linear.h"
#include "engine/engine.h"
#include "eval/cases.h"
#include "eval/classification.h"

namespace loam::tasks {

/// Ways to classify, the cheapest to run first.
enum class Method : std::uint8_t {
  majority,           ///< always the most frequent label
  tfidf_logreg,       ///< words and word pairs, logistic regression
  bm25_knn,           ///< votes of the nearest training texts
  embeddings_logreg,  ///< vectors of the embedding model, logistic regression
  llm_zero_shot,      ///< a language model reads the label names alone
  llm_few_shot,       ///< a language model reads the nearest training texts with their labels
};
std::string_view name_of(
    Method method);  ///< "majority", "tfidf+logreg", "bm25-knn", "embeddings+logreg", ...
std::optional<Method> method_named(std::string_view name);
const std::vector<Method>& all_methods();
bool needs_embedder(Method method);
bool needs_language_model(Method method);

/// What can be set about a method; chosen on validation items by choose_settings.
struct MethodSettings {
  double c = 1.0;            ///< of the logistic regression
  int character_ngrams = 0;  ///< tfidf: also character n-grams up to this length; 0: none
  int neighbours = 10;       ///< bm25-knn
  bool balanced = false;     ///< rare classes weigh as much as frequent ones
  int max_iterations = 200;
};

/// Labelled texts as the methods see them. Spans borrow; `vectors` is empty where no embedder is used.
struct Examples {
  std::span<const std::string> texts;
  std::span<const int> labels;
  std::span<const float> vectors;  ///< (texts.size(), dimensions) row-major
  int classes = 0;
};

/// A method fitted to examples. Immutable: any thread.
class FittedMethod {
 public:
  /// bad_request for the methods that ask a language model (they are not fitted), for fewer than two classes
  /// (majority takes one), or for missing vectors.
  static Result<FittedMethod> fit(Method method, const MethodSettings& settings, const Examples& examples,
                                  int threads = 0, const ProgressSink& progress = {});
  Method method() const { return method_; }
  const MethodSettings& settings() const { return settings_; }
  int classes() const { return classes_; }
  std::size_t dimensions() const;  ///< of the vectors it wants; 0: none
  std::size_t bytes() const;       ///< held in memory, about
  /// Probabilities (texts.size(), classes) row-major. `vectors` as in Examples, wanted where dimensions() >
  /// 0.
  Result<std::vector<float>> predict(std::span<const std::string> texts, std::span<const float> vectors,
                                     int threads = 0) const;
  void save(std::string& out) const;
  static Result<FittedMethod> load(Method method, const MethodSettings& settings, int classes,
                                   std::string_view& in);

 private:
  Method method_ = Method::majority;
  MethodSettings settings_;
  int classes_ = 0;
  std::vector<float> prior_;
  std::optional<baseline::Tfidf> tfidf_;
  std::optional<baseline::LogisticRegression> head_;
  std::optional<baseline::Bm25Neighbours> neighbours_;
};

/// The settings whose model, fitted on `train`, is most often right on `validate`; equal ones: the first
/// tried, which is the strongest regularisation. `tried` gets one line for each.
struct TriedSettings {
  MethodSettings settings;
  double accuracy = 0;  ///< on `validate`
};
Result<MethodSettings> choose_settings(Method method, const Examples& train, const Examples& validate,
                                       int threads = 0, std::vector<TriedSettings>* tried = nullptr,
                                       const ProgressSink& progress = {}, std::stop_token stop = {});

/// Most probable class of each row with its probability; the first of equals. `truth` may be empty.
std::vector<eval::Prediction> predictions_of(std::span<const float> probabilities, int classes,
                                             std::span<const int> truth = {});

/// Probabilities for each example by models that were fitted without it: `folds` parts, drawn by `seed`, each
/// label spread evenly over them, examples with the same non-zero `group` in one part.
Result<std::vector<float>> out_of_fold(Method method, const MethodSettings& settings,
                                       const Examples& examples, std::span<const std::size_t> group,
                                       int folds, std::uint64_t seed, int threads = 0,
                                       const ProgressSink& progress = {}, std::stop_token stop = {});

/// From which confidence on an item is decided alone.
struct Threshold {
  double target = 0.95;  ///< accuracy of what is decided alone
  double threshold = 2;  ///< above 1: nothing is
  double coverage = 0;   ///< share of the training data, out of fold, that would have been decided alone
  double accuracy = 0;   ///< of that share
  double low = 0;        ///< its lower bound (Clopper-Pearson, 95%, one-sided)
};

/// Where a classifier comes from and what it scored.
struct Provenance {
  std::string data_file, data_sha256;
  std::size_t items = 0;
  std::uint64_t seed = 0;
  std::string version;                ///< of the program
  eval::Estimate accuracy, macro_f1;  ///< out of fold on the training data
  double calibration_error = 0;
  std::string embedder, embedder_fingerprint;  ///< empty: none is needed
};

struct FitOptions {
  std::vector<double> targets = {0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99};
  int folds = 5;
  std::uint64_t seed = 1;
  int threads = 0;
  std::string version;
  std::optional<MethodSettings> settings;  ///< empty: chosen on a fifth of the data
};

/// What it says of one text.
struct Said {
  int label = 0;  ///< index into labels()
  double probability = 0;
};

/// The fitted method with its labels, thresholds and provenance. The same data, options and seed give the
/// same file. Immutable: any thread (the embedder: one call at a time).
class Classifier {
 public:
  /// Chooses settings on a fifth of the data (unless they are given), finds thresholds on out-of-fold
  /// predictions, then fits on all of it. `embedder` is needed where the method needs one.
  static Result<Classifier> fit(Method method, const eval::ClassificationData& data,
                                const FitOptions& options, engine::Embedder* embedder,
                                const ProgressSink& progress = {}, std::stop_token stop = {});
  /// bad_data for a file that is no classifier, is damaged or of a newer version; unavailable when it cannot
  /// be read.
  static Result<Classifier> load(const std::filesystem::path& file);
  static Result<Classifier> parse(std::string_view bytes, const std::string& name);
  /// Written beside and renamed, so that a failure leaves no half file.
  Result<void> save(const std::filesystem::path& file) const;
  std::string bytes() const;

  Method method() const;
  const MethodSettings& settings() const;
  const std::vector<std::string>& labels() const;
  const std::vector<Threshold>& thresholds() const;  ///< by target, ascending
  const Provenance& provenance() const;
  std::size_t memory_bytes() const;
  /// The threshold of a target; bad_request, naming those there are, when it was not fitted.
  Result<Threshold> threshold_for(double target) const;
  /// bad_request, naming both, when `embedder` is not the one whose vectors it was fitted on, or is missing.
  Result<void> check_embedder(const engine::Embedder* embedder) const;
  /// One for each text, in order.
  Result<std::vector<Said>> predict(std::span<const std::string> texts, engine::Embedder* embedder,
                                    int threads = 0) const;
  struct State;

 private:
  std::shared_ptr<const State> state_;
};

}  // namespace loam::tasks
