// Scores of rankings and answers, and how far a score can be trusted. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace loam::eval {

// Rankings ---------------------------------------------------------------------------------------------

/// Grades of the judged documents of one question: above 0 is relevant, what is not listed is not.
using Judgements = std::map<std::string, int, std::less<>>;

/// Normalised discounted cumulated gain of the first k: the grade is the gain, log2(rank + 1) the discount
/// (Jarvelin & Kekalainen, ACM TOIS 20(4), 2002; with the linear gain that trec_eval's ndcg_cut and BEIR
/// use). 0 when nothing is relevant. A document that is ranked twice counts once, at its better rank.
double ndcg_at_k(std::span<const std::string> ranked, const Judgements& judged, int k);

/// Share of the relevant documents found among the first k. 0 when nothing is relevant.
double recall_at_k(std::span<const std::string> ranked, const Judgements& judged, int k);

/// 1 / rank of the first relevant document, 0 when there is none (Voorhees, TREC-8, 1999).
double reciprocal_rank(std::span<const std::string> ranked, const Judgements& judged);

/// Mean of reciprocal_rank over questions. 0 for no questions. REQUIRES: as many rankings as judgements.
double mrr(std::span<const std::vector<std::string>> rankings, std::span<const Judgements> judged);

// Answers ----------------------------------------------------------------------------------------------

/// An answer as SQuAD compares it: lower case, without ASCII punctuation, without the articles a, an, the,
/// words parted by one space (Rajpurkar et al., EMNLP 2016, and the task's published evaluation rules).
std::string normalise_answer(std::string_view answer);

/// 1 when the answer equals one of `accepted` after normalisation, else 0. 0 when nothing is accepted.
double exact_match(std::string_view answer, std::span<const std::string> accepted);

/// Harmonic mean of precision and recall of the answer's words against `accepted`, the best of them. Two
/// texts without words agree (1), one without words does not (0), as in SQuAD 2.0 (Rajpurkar et al., ACL
/// 2018).
double token_f1(std::string_view answer, std::span<const std::string> accepted);

// Trust ------------------------------------------------------------------------------------------------

struct BootstrapOptions {
  int resamples = 10000;     ///< time grows with resamples * values; 10,000 * 10,000 take about 0.3 s
  double confidence = 0.95;  ///< share of the resampled means inside the interval
  std::uint64_t seed = 1;    ///< same seed and values, same interval on every machine
};

/// A mean with its interval.
struct Estimate {
  double value = 0;
  double low = 0;
  double high = 0;
  std::size_t n = 0;
};

/// Mean of `values` with its percentile bootstrap interval (Efron & Tibshirani, An Introduction to the
/// Bootstrap, 1993, chapter 13). One value gives an interval of no width, none gives zeros.
Estimate bootstrap_mean(std::span<const double> values, const BootstrapOptions& options = {});

/// The same when values come in groups that hang together (questions of one article): whole groups are drawn,
/// and the interval is as wide as the number of groups deserves. `group_of` has one number per value.
Result<Estimate> bootstrap_mean_by_group(std::span<const double> values,
                                         std::span<const std::size_t> group_of,
                                         const BootstrapOptions& options = {});

/// How much a is better than b on the same questions.
struct PairedDifference {
  Estimate difference;  ///< mean of a[i] - b[i]
  double p = 1;  ///< two-sided, of "no difference": how often a resampled mean falls on the other side of 0
  std::size_t better = 0, worse = 0, equal = 0;  ///< questions on which a is better, worse, equal
};

/// Resamples questions, so that what both find hard cancels out (Koehn, EMNLP 2004). bad_request when the
/// lengths differ.
Result<PairedDifference> paired_bootstrap(std::span<const double> a, std::span<const double> b,
                                          const BootstrapOptions& options = {});

}  // namespace loam::eval
