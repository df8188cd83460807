// Text classifiers without a language model: word statistics and linear models. Deterministic: the same data,
// options and seed give the same bytes, for any number of threads. Fitted models are immutable: any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "base/result.h"

namespace loam::baseline {

// Features -----------------------------------------------------------------------------------------------

/// One row of a sparse matrix: ascending columns.
struct SparseRow {
  std::vector<std::uint32_t> columns;
  std::vector<float> values;
};

struct TfidfOptions {
  int word_ngrams = 2;               ///< 0: no words; 1: single words; 2: and pairs
  int character_ngrams = 0;          ///< longest character n-gram inside word borders, from 3; 0: none
  int least_documents = 1;           ///< rarer terms are left out
  std::size_t most_terms = 200'000;  ///< of each kind (words, characters): the most frequent stay
  bool sublinear = true;             ///< 1 + log(count)
};

/// Smooth idf and unit length as scikit-learn's TfidfVectorizer has them. Words are lower-case runs of two or
/// more letters, digits and underscores; character n-grams are those of its analyzer "char_wb". With both
/// kinds, each half has unit length and is then divided by the square root of 2, so that the whole has it
/// too.
class Tfidf {
 public:
  /// bad_request when no text holds a term, or the options ask for nothing.
  static Result<Tfidf> fit(std::span<const std::string> texts, const TfidfOptions& options = {});
  /// Terms that the fit did not see count nothing; a text without known terms is an empty row.
  SparseRow transform(std::string_view text) const;
  std::vector<SparseRow> transform(std::span<const std::string> texts, int threads = 0) const;
  std::size_t terms() const;
  const std::vector<std::string>& vocabulary() const;  ///< by column: words in order, then character n-grams
  std::size_t bytes() const;                           ///< held in memory, about
  void save(std::string& out) const;
  /// Takes its own bytes from the front of `in`. bad_data when they are damaged or of a newer version.
  static Result<Tfidf> load(std::string_view& in);
  struct State;

 private:
  std::shared_ptr<const State> state_;
};

// Linear model -------------------------------------------------------------------------------------------

struct LogisticOptions {
  double c = 1.0;  ///< inverse regularisation strength, as scikit-learn's LogisticRegression(C): 1/2 |w|^2 +
                   ///< C sum loss
  int max_iterations = 200;
  double tolerance = 1e-4;  ///< on the largest entry of the gradient of the mean loss, as scikit-learn's tol
  bool balanced = false;    ///< classes weigh n / (classes * count)
  int threads = 0;          ///< 0: one for each core; the result does not depend on it
};

/// Multinomial logistic regression by L-BFGS (Nocedal & Wright, Numerical Optimization, 2nd ed.,
/// algorithm 7.5); intercepts are not regularised. Checked against scikit-learn's lbfgs solver; like it, two
/// classes share one weight vector. A class without a training item has probability 0.
class LogisticRegression {
 public:
  /// Labels are 0..classes-1. bad_request when fewer than two classes occur, lengths differ or a value is not
  /// finite; out_of_room when classes times columns exceed what fits (2^30 weights). `start`, when given, is
  /// a model of the same shape from which to go on: a path of regularisation strengths is faster so.
  static Result<LogisticRegression> fit(std::span<const SparseRow> rows, std::size_t columns,
                                        std::span<const int> labels, int classes,
                                        const LogisticOptions& options = {},
                                        const ProgressSink& progress = {},
                                        const LogisticRegression* start = nullptr);
  /// `rows` is (labels.size(), columns) row-major.
  static Result<LogisticRegression> fit_dense(std::span<const float> rows, std::size_t columns,
                                              std::span<const int> labels, int classes,
                                              const LogisticOptions& options = {},
                                              const ProgressSink& progress = {},
                                              const LogisticRegression* start = nullptr);
  int classes() const;
  std::size_t columns() const;
  int iterations() const;
  bool converged() const;
  std::size_t bytes() const;  ///< held in memory, about
  /// Probability of each class.
  std::vector<float> predict(const SparseRow& row) const;
  std::vector<float> predict_dense(std::span<const float> row) const;
  /// (rows, classes) row-major.
  std::vector<float> predict_many(std::span<const SparseRow> rows, int threads = 0) const;
  std::vector<float> predict_many_dense(std::span<const float> rows, int threads = 0) const;
  /// As scikit-learn's coef_ and intercept_: for two classes there is one vector, that of class 1.
  double weight(int class_number, std::size_t column) const;
  double intercept(int class_number) const;
  void save(std::string& out) const;
  static Result<LogisticRegression> load(std::string_view& in);
  struct State;

 private:
  std::shared_ptr<const State> state_;
};

// Neighbours ---------------------------------------------------------------------------------------------

struct NeighbourOptions {
  int neighbours = 10;
  double k1 = 1.2, b = 0.75;
};
/// k nearest texts by BM25 (Robertson & Zaragoza, Foundations and Trends in IR 3(4), 2009; idf ln(1 + (N - n
/// + 0.5) / (n + 0.5))), votes weighted by score. A text that shares no word with any other gets the shares
/// of the classes among the training texts.
class Bm25Neighbours {
 public:
  static Result<Bm25Neighbours> fit(std::span<const std::string> texts, std::span<const int> labels,
                                    int classes, const NeighbourOptions& options = {});
  std::vector<float> predict(std::string_view text) const;
  /// (texts, classes) row-major.
  std::vector<float> predict_many(std::span<const std::string> texts, int threads = 0) const;
  /// Indexes of the nearest training texts, best first (examples for a prompt). Those that share no word are
  /// not among them; equal scores: the earlier text first.
  std::vector<std::size_t> nearest(std::string_view text, std::size_t k) const;
  /// The same index with another number of neighbours.
  Bm25Neighbours with_neighbours(int neighbours) const;
  int classes() const;
  std::size_t bytes() const;  ///< held in memory, about
  void save(std::string& out) const;
  static Result<Bm25Neighbours> load(std::string_view& in);
  struct State;

 private:
  std::shared_ptr<const State> state_;
  int neighbours_ = 10;
};

}  // namespace loam::baseline
