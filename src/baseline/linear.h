// Text classifiers without a language model: word statistics and linear models. Deterministic: the same data,
// options and seed give the same bytes.
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
  int word_ngrams = 2;       ///< 1: single words; 2: and pairs
  int character_ngrams = 0;  ///< longest character n-gram inside word borders, from 3; 0: none
  int least_documents = 1;   ///< rarer terms are left out
  std::size_t most_terms = 200'000;
  bool sublinear = true;  ///< 1 + log(count)
};

/// Smooth idf and unit length as scikit-learn's TfidfVectorizer has them; lower case, letters and digits.
class Tfidf {
 public:
  static Result<Tfidf> fit(std::span<const std::string> texts, const TfidfOptions& options = {});
  SparseRow transform(std::string_view text) const;
  std::size_t terms() const;
  const std::vector<std::string>& vocabulary() const;  ///< by column
  void save(std::string& out) const;
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
  double tolerance = 1e-4;  ///< on the largest gradient entry
  bool balanced = false;    ///< classes weigh n / (classes * count)
  int threads = 0;
};

/// Multinomial logistic regression by L-BFGS (Nocedal & Wright, Numerical Optimization, 2nd ed.,
/// algorithm 7.5); intercepts are not regularised. Checked against scikit-learn's lbfgs solver.
class LogisticRegression {
 public:
  static Result<LogisticRegression> fit(std::span<const SparseRow> rows, std::size_t columns,
                                        std::span<const int> labels, int classes,
                                        const LogisticOptions& options = {},
                                        const ProgressSink& progress = {});
  /// `rows` is (labels.size(), columns) row-major.
  static Result<LogisticRegression> fit_dense(std::span<const float> rows, std::size_t columns,
                                              std::span<const int> labels, int classes,
                                              const LogisticOptions& options = {},
                                              const ProgressSink& progress = {});
  int classes() const;
  std::size_t columns() const;
  int iterations() const;
  bool converged() const;
  /// Probability of each class.
  std::vector<float> predict(const SparseRow& row) const;
  std::vector<float> predict_dense(std::span<const float> row) const;
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
/// k nearest texts by BM25, votes weighted by score.
class Bm25Neighbours {
 public:
  static Result<Bm25Neighbours> fit(std::span<const std::string> texts, std::span<const int> labels,
                                    int classes, const NeighbourOptions& options = {});
  std::vector<float> predict(std::string_view text) const;
  /// Indexes of the nearest training texts, best first (examples for a prompt).
  std::vector<std::size_t> nearest(std::string_view text, std::size_t k) const;
  void save(std::string& out) const;
  static Result<Bm25Neighbours> load(std::string_view& in);
  struct State;

 private:
  std::shared_ptr<const State> state_;
};

}  // namespace loam::baseline
