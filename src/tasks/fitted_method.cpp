// The methods that learn from labelled texts: fitting, choosing their settings, predicting out of fold.
#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <random>

#include "baseline/packed.h"
#include "tasks/classifier.h"
#include "tasks/folds.h"

namespace loam::tasks {
namespace {

struct Named {
  Method method;
  std::string_view name;
};
constexpr std::array<Named, 6> kNames = {{{Method::majority, "majority"},
                                          {Method::tfidf_logreg, "tfidf+logreg"},
                                          {Method::bm25_knn, "bm25-knn"},
                                          {Method::embeddings_logreg, "embeddings+logreg"},
                                          {Method::llm_zero_shot, "llm-zero-shot"},
                                          {Method::llm_few_shot, "llm-few-shot"}}};

// A fit holds a weight for each term and class: 40 million are 160 MB, and three times that while it runs.
constexpr std::size_t kMostWeights = 40'000'000;
// In larger data a term of one text alone says little and costs a column.
constexpr std::size_t kManyTexts = 2000;

baseline::TfidfOptions tfidf_options(const MethodSettings& settings, std::size_t texts, int classes) {
  baseline::TfidfOptions options;
  options.character_ngrams = settings.character_ngrams;
  options.least_documents = texts > kManyTexts ? 2 : 1;
  options.most_terms =
      std::clamp<std::size_t>(kMostWeights / static_cast<std::size_t>(std::max(classes, 1)), 2000, 200'000);
  return options;
}

baseline::LogisticOptions logistic_options(const MethodSettings& settings, int threads) {
  baseline::LogisticOptions options;
  options.c = settings.c;
  options.balanced = settings.balanced;
  options.max_iterations = settings.max_iterations;
  options.threads = threads;
  return options;
}

std::vector<float> shares(std::span<const int> labels, int classes) {
  std::vector<float> prior(static_cast<std::size_t>(classes), 0.0F);
  for (const int label : labels) prior[static_cast<std::size_t>(label)] += 1.0F;
  for (float& share : prior) share /= static_cast<float>(std::max<std::size_t>(labels.size(), 1));
  return prior;
}

Error stopped() { return Error{Kind::unavailable, "classify", "stopped", "run it again"}; }

double accuracy_of(std::span<const float> probabilities, const Examples& examples) {
  return eval::accuracy(predictions_of(probabilities, examples.classes, examples.labels));
}

}  // namespace

std::string_view name_of(Method method) {
  for (const Named& one : kNames) {
    if (one.method == method) return one.name;
  }
  return "";
}

std::optional<Method> method_named(std::string_view name) {
  for (const Named& one : kNames) {
    if (one.name == name) return one.method;
  }
  return std::nullopt;
}

const std::vector<Method>& all_methods() {
  static const std::vector<Method> all = [] {
    std::vector<Method> methods;
    for (const Named& one : kNames) methods.push_back(one.method);
    return methods;
  }();
  return all;
}

bool needs_embedder(Method method) { return method == Method::embeddings_logreg; }
bool needs_language_model(Method method) {
  return method == Method::llm_zero_shot || method == Method::llm_few_shot;
}

std::vector<eval::Prediction> predictions_of(std::span<const float> probabilities, int classes,
                                             std::span<const int> truth) {
  std::vector<eval::Prediction> predictions;
  const auto width = static_cast<std::size_t>(classes);
  for (std::size_t i = 0; width > 0 && (i + 1) * width <= probabilities.size(); ++i) {
    const auto row = probabilities.subspan(i * width, width);
    const auto best = std::max_element(row.begin(), row.end());  // the first of equals
    eval::Prediction one;
    one.truth = i < truth.size() ? truth[i] : -1;
    one.said = static_cast<int>(best - row.begin());
    one.confidence = std::clamp(static_cast<double>(*best), 0.0, 1.0);
    predictions.push_back(one);
  }
  return predictions;
}

Result<FittedMethod> FittedMethod::fit(Method method, const MethodSettings& settings,
                                       const Examples& examples, int threads, const ProgressSink& progress) {
  const std::string name(name_of(method));
  if (examples.texts.empty() || examples.labels.size() != examples.texts.size()) {
    return Error{Kind::bad_request, name,
                 std::to_string(examples.texts.size()) + " texts come with " +
                     std::to_string(examples.labels.size()) + " labels",
                 "give each text its label, and at least one text"};
  }
  FittedMethod fitted;
  fitted.method_ = method;
  fitted.settings_ = settings;
  fitted.classes_ = examples.classes;
  fitted.prior_ = shares(examples.labels, examples.classes);
  switch (method) {
    case Method::majority:
      return fitted;
    case Method::tfidf_logreg: {
      auto tfidf = baseline::Tfidf::fit(examples.texts,
                                        tfidf_options(settings, examples.texts.size(), examples.classes));
      if (!tfidf) return tfidf.error();
      const std::vector<baseline::SparseRow> rows = tfidf->transform(examples.texts, threads);
      auto head = baseline::LogisticRegression::fit(rows, tfidf->terms(), examples.labels, examples.classes,
                                                    logistic_options(settings, threads), progress);
      if (!head) return head.error();
      fitted.tfidf_ = *std::move(tfidf);
      fitted.head_ = *std::move(head);
      return fitted;
    }
    case Method::bm25_knn: {
      baseline::NeighbourOptions options;
      options.neighbours = settings.neighbours;
      auto neighbours =
          baseline::Bm25Neighbours::fit(examples.texts, examples.labels, examples.classes, options);
      if (!neighbours) return neighbours.error();
      fitted.neighbours_ = *std::move(neighbours);
      return fitted;
    }
    case Method::embeddings_logreg: {
      const std::size_t width = examples.vectors.size() / examples.texts.size();
      if (width == 0 || width * examples.texts.size() != examples.vectors.size()) {
        return Error{Kind::bad_request, name, "the texts come without their vectors",
                     "give an embedding model"};
      }
      auto head =
          baseline::LogisticRegression::fit_dense(examples.vectors, width, examples.labels, examples.classes,
                                                  logistic_options(settings, threads), progress);
      if (!head) return head.error();
      fitted.head_ = *std::move(head);
      return fitted;
    }
    case Method::llm_zero_shot:
    case Method::llm_few_shot:
      break;
  }
  return Error{Kind::bad_request, name, "a language model is asked, not fitted",
               "--method tfidf+logreg, bm25-knn or embeddings+logreg"};
}

std::size_t FittedMethod::dimensions() const {
  return method_ == Method::embeddings_logreg && head_ ? head_->columns() : 0;
}

std::size_t FittedMethod::bytes() const {
  std::size_t total = prior_.size() * sizeof(float);
  if (tfidf_) total += tfidf_->bytes();
  if (head_) total += head_->bytes();
  if (neighbours_) total += neighbours_->bytes();
  return total;
}

Result<std::vector<float>> FittedMethod::predict(std::span<const std::string> texts,
                                                 std::span<const float> vectors, int threads) const {
  if (vectors.size() != texts.size() * dimensions() && dimensions() > 0) {
    return Error{Kind::bad_request, std::string(name_of(method_)),
                 std::to_string(texts.size()) + " texts come with " + std::to_string(vectors.size()) +
                     " numbers in place of vectors of " + std::to_string(dimensions()),
                 "give each text its vector"};
  }
  switch (method_) {
    case Method::tfidf_logreg:
      return head_->predict_many(tfidf_->transform(texts, threads), threads);
    case Method::bm25_knn:
      return neighbours_->predict_many(texts, threads);
    case Method::embeddings_logreg:
      return head_->predict_many_dense(vectors, threads);
    default:
      break;
  }
  std::vector<float> out;
  out.reserve(texts.size() * prior_.size());
  for (std::size_t i = 0; i < texts.size(); ++i) out.insert(out.end(), prior_.begin(), prior_.end());
  return out;
}

void FittedMethod::save(std::string& out) const {
  baseline::PackedWriter to;
  to.floats(prior_);
  baseline::append_section(out, "LOAMPRIO", 1, to.bytes());
  if (tfidf_) tfidf_->save(out);
  if (head_) head_->save(out);
  if (neighbours_) neighbours_->save(out);
}

Result<FittedMethod> FittedMethod::load(Method method, const MethodSettings& settings, int classes,
                                        std::string_view& in) {
  FittedMethod fitted;
  fitted.method_ = method;
  fitted.settings_ = settings;
  fitted.classes_ = classes;
  auto prior = baseline::take_section(in, "LOAMPRIO", 1);
  if (!prior) return prior.error();
  baseline::PackedReader from(*prior);
  fitted.prior_ = from.floats();
  if (!from.ok() || fitted.prior_.size() != static_cast<std::size_t>(classes)) {
    return baseline::damaged("LOAMPRIO", "it does not fit the number of labels");
  }
  if (method == Method::tfidf_logreg) {
    auto tfidf = baseline::Tfidf::load(in);
    if (!tfidf) return tfidf.error();
    fitted.tfidf_ = *std::move(tfidf);
  }
  if (method == Method::tfidf_logreg || method == Method::embeddings_logreg) {
    auto head = baseline::LogisticRegression::load(in);
    if (!head) return head.error();
    if (head->classes() != classes || (fitted.tfidf_ && head->columns() != fitted.tfidf_->terms())) {
      return baseline::damaged("LOAMLOGR", "it does not fit the labels or the terms");
    }
    fitted.head_ = *std::move(head);
  }
  if (method == Method::bm25_knn) {
    auto neighbours = baseline::Bm25Neighbours::load(in);
    if (!neighbours) return neighbours.error();
    if (neighbours->classes() != classes) {
      return baseline::damaged("LOAMBM25", "it does not fit the number of labels");
    }
    fitted.neighbours_ = *std::move(neighbours);
  }
  if (needs_language_model(method)) {
    return baseline::damaged("LOAMCLAS", "it holds a method that cannot be kept in a file");
  }
  return fitted;
}

Result<MethodSettings> choose_settings(Method method, const Examples& train, const Examples& validate,
                                       int threads, std::vector<TriedSettings>* tried,
                                       const ProgressSink& progress, std::stop_token stop) {
  MethodSettings best;
  double best_accuracy = -1;
  const auto note = [&](const MethodSettings& settings, double accuracy) {
    if (tried != nullptr) tried->push_back({settings, accuracy});
    if (accuracy > best_accuracy) {
      best_accuracy = accuracy;
      best = settings;
    }
  };
  if (method == Method::bm25_knn) {
    auto neighbours = baseline::Bm25Neighbours::fit(train.texts, train.labels, train.classes);
    if (!neighbours) return neighbours.error();
    for (const int count : {20, 10, 5, 3, 1}) {
      if (stop.stop_requested()) return stopped();
      MethodSettings settings;
      settings.neighbours = count;
      note(settings,
           accuracy_of(neighbours->with_neighbours(count).predict_many(validate.texts, threads), validate));
    }
    return best;
  }
  // From strong to weak regularisation: each fit goes on from the one before.
  const std::vector<double> strengths = {1.0, 4.0, 16.0, 64.0, 256.0};
  if (method == Method::embeddings_logreg) {
    const std::size_t width = train.texts.empty() ? 0 : train.vectors.size() / train.texts.size();
    std::optional<baseline::LogisticRegression> before;
    for (const double c : strengths) {
      if (stop.stop_requested()) return stopped();
      MethodSettings settings;
      settings.c = c;
      auto head = baseline::LogisticRegression::fit_dense(train.vectors, width, train.labels, train.classes,
                                                          logistic_options(settings, threads), progress,
                                                          before ? &*before : nullptr);
      if (!head) return head.error();
      note(settings, accuracy_of(head->predict_many_dense(validate.vectors, threads), validate));
      before = *std::move(head);
    }
    return best;
  }
  if (method == Method::tfidf_logreg) {
    for (const int characters : {0, 5}) {
      MethodSettings settings;
      settings.character_ngrams = characters;
      auto tfidf =
          baseline::Tfidf::fit(train.texts, tfidf_options(settings, train.texts.size(), train.classes));
      if (!tfidf) return tfidf.error();
      const auto train_rows = tfidf->transform(train.texts, threads);
      const auto validate_rows = tfidf->transform(validate.texts, threads);
      std::optional<baseline::LogisticRegression> before;
      for (const double c : strengths) {
        if (stop.stop_requested()) return stopped();
        settings.c = c;
        auto head = baseline::LogisticRegression::fit(train_rows, tfidf->terms(), train.labels, train.classes,
                                                      logistic_options(settings, threads), progress,
                                                      before ? &*before : nullptr);
        if (!head) return head.error();
        note(settings, accuracy_of(head->predict_many(validate_rows, threads), validate));
        before = *std::move(head);
      }
    }
    return best;
  }
  return best;
}

std::vector<int> folds_of(std::span<const int> labels, std::span<const std::size_t> group, int folds,
                          std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::size_t> order(labels.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = order.size(); i > 1; --i) {  // Fisher-Yates; the library's shuffle differs by platform
    std::swap(order[i - 1], order[static_cast<std::size_t>(random() % i)]);
  }
  std::map<int, std::vector<std::size_t>> by_label;
  for (const std::size_t item : order) by_label[labels[item]].push_back(item);
  std::vector<int> fold(labels.size(), -1);
  std::map<std::size_t, int> fold_of_group;
  int next =
      0;  // goes on from label to label, so that labels of one item do not all fall into the first part
  for (const auto& [label, items] : by_label) {
    for (const std::size_t item : items) {
      const std::size_t own = item < group.size() ? group[item] : 0;
      if (own != 0) {
        const auto known = fold_of_group.find(own);
        if (known != fold_of_group.end()) {
          fold[item] = known->second;
          continue;
        }
      }
      fold[item] = next;
      if (own != 0) fold_of_group[own] = next;
      next = (next + 1) % folds;
    }
  }
  return fold;
}

OwnedExamples subset(const Examples& all, std::span<const std::size_t> which) {
  OwnedExamples part;
  const std::size_t width = all.texts.empty() ? 0 : all.vectors.size() / all.texts.size();
  part.classes = all.classes;
  for (const std::size_t item : which) {
    part.texts.push_back(all.texts[item]);
    part.labels.push_back(all.labels[item]);
    const auto row = all.vectors.subspan(item * width, width);
    part.vectors.insert(part.vectors.end(), row.begin(), row.end());
  }
  return part;
}

Result<std::vector<float>> out_of_fold(Method method, const MethodSettings& settings,
                                       const Examples& examples, std::span<const std::size_t> group,
                                       int folds, std::uint64_t seed, int threads,
                                       const ProgressSink& progress, std::stop_token stop) {
  if (folds < 2) {
    return Error{Kind::bad_request, "out of fold", "fewer than two parts were asked for", "5 parts"};
  }
  const auto classes = static_cast<std::size_t>(examples.classes);
  std::vector<float> all(examples.texts.size() * classes, 0.0F);
  const std::vector<int> fold = folds_of(examples.labels, group, folds, seed);
  for (int left_out = 0; left_out < folds; ++left_out) {
    if (stop.stop_requested()) return stopped();
    std::vector<std::size_t> kept;
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < fold.size(); ++i) (fold[i] == left_out ? out : kept).push_back(i);
    if (out.empty()) continue;
    const OwnedExamples train = subset(examples, kept);
    const OwnedExamples test = subset(examples, out);
    if (train.texts.empty()) continue;  // one item alone: nothing can be said of it
    auto fitted = FittedMethod::fit(method, settings, train.view(), threads, progress);
    // A part may be left with one class or without a word: then its shares are all there is to say.
    if (!fitted && fitted.error().kind == Kind::bad_request) {
      fitted = FittedMethod::fit(Method::majority, settings, train.view(), threads);
    }
    if (!fitted) return fitted.error();
    auto probabilities = fitted->predict(
        test.texts,
        fitted->dimensions() > 0 ? std::span<const float>(test.vectors) : std::span<const float>(), threads);
    if (!probabilities) return probabilities.error();
    for (std::size_t i = 0; i < out.size(); ++i) {
      std::copy_n(probabilities->begin() + static_cast<std::ptrdiff_t>(i * classes), classes,
                  all.begin() + static_cast<std::ptrdiff_t>(out[i] * classes));
    }
    if (progress) {
      progress({"checking out of fold", static_cast<std::uint64_t>(left_out + 1),
                static_cast<std::uint64_t>(folds)});
    }
  }
  return all;
}

}  // namespace loam::tasks
