#include "eval/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "base/utf8.h"
#include "eval/resample.h"

namespace loam::eval {
namespace {

/// The grade of a document, 0 for one that is not judged.
int grade_of(const Judgements& judged, std::string_view document) {
  const auto found = judged.find(document);
  return found == judged.end() ? 0 : found->second;
}

/// Calls visit(rank, grade) for each document's first place, ranks from 1 without the repeated places.
template <typename Visit>
void for_each_first_place(std::span<const std::string> ranked, const Judgements& judged, const Visit& visit) {
  std::set<std::string_view> seen;
  int rank = 0;
  for (const std::string& document : ranked) {
    if (!seen.insert(document).second) continue;
    ++rank;
    if (!visit(rank, grade_of(judged, document))) return;
  }
}

double discount(int rank) { return 1.0 / std::log2(static_cast<double>(rank) + 1.0); }

bool is_ascii_punctuation(char32_t value) {
  return (value >= 33 && value <= 47) || (value >= 58 && value <= 64) || (value >= 91 && value <= 96) ||
         (value >= 123 && value <= 126);
}

std::vector<std::string> words_of(std::string_view normalised) {
  std::vector<std::string> words;
  std::size_t start = 0;
  while (start < normalised.size()) {
    const std::size_t end = std::min(normalised.find(' ', start), normalised.size());
    if (end > start) words.emplace_back(normalised.substr(start, end - start));
    start = end + 1;
  }
  return words;
}

double f1_of(std::vector<std::string> answer, std::vector<std::string> gold) {
  if (answer.empty() || gold.empty()) return answer.empty() && gold.empty() ? 1.0 : 0.0;
  std::sort(answer.begin(), answer.end());
  std::sort(gold.begin(), gold.end());
  std::vector<std::string> common;
  std::set_intersection(answer.begin(), answer.end(), gold.begin(), gold.end(), std::back_inserter(common));
  if (common.empty()) return 0.0;
  const double same = static_cast<double>(common.size());
  const double precision = same / static_cast<double>(answer.size());
  const double recall = same / static_cast<double>(gold.size());
  return 2.0 * precision * recall / (precision + recall);
}

double mean_of(std::span<const double> values) {
  if (values.empty()) return 0.0;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::vector<double> resampled_means(std::span<const double> values, const BootstrapOptions& options) {
  std::vector<double> means;
  means.reserve(static_cast<std::size_t>(std::max(options.resamples, 0)));
  for (int resample = 0; resample < options.resamples; ++resample) {
    double sum = 0.0;
    for_each_drawn(options.seed, static_cast<std::uint64_t>(resample), values.size(),
                   [&](std::size_t i) { sum += values[i]; });
    means.push_back(sum / static_cast<double>(values.size()));
  }
  return means;
}

}  // namespace

double ndcg_at_k(std::span<const std::string> ranked, const Judgements& judged, int k) {
  double gained = 0.0;
  for_each_first_place(ranked, judged, [&](int rank, int grade) {
    if (rank > k) return false;
    if (grade > 0) gained += grade * discount(rank);
    return true;
  });
  std::vector<int> grades;
  for (const auto& [document, grade] : judged) {
    if (grade > 0) grades.push_back(grade);
  }
  std::sort(grades.rbegin(), grades.rend());
  double best = 0.0;
  for (std::size_t i = 0; i < grades.size() && static_cast<int>(i) < k; ++i) {
    best += grades[i] * discount(static_cast<int>(i) + 1);
  }
  return best > 0.0 ? gained / best : 0.0;
}

double recall_at_k(std::span<const std::string> ranked, const Judgements& judged, int k) {
  const auto relevant =
      std::count_if(judged.begin(), judged.end(), [](const auto& one) { return one.second > 0; });
  if (relevant == 0) return 0.0;
  int found = 0;
  for_each_first_place(ranked, judged, [&](int rank, int grade) {
    if (rank > k) return false;
    if (grade > 0) ++found;
    return true;
  });
  return static_cast<double>(found) / static_cast<double>(relevant);
}

double reciprocal_rank(std::span<const std::string> ranked, const Judgements& judged) {
  double result = 0.0;
  for_each_first_place(ranked, judged, [&](int rank, int grade) {
    if (grade <= 0) return true;
    result = 1.0 / rank;
    return false;
  });
  return result;
}

double mrr(std::span<const std::vector<std::string>> rankings, std::span<const Judgements> judged) {
  const std::size_t n = std::min(rankings.size(), judged.size());
  if (n == 0) return 0.0;
  double sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) sum += reciprocal_rank(rankings[i], judged[i]);
  return sum / static_cast<double>(n);
}

std::string normalise_answer(std::string_view answer) {
  std::string text;  // lower case, without punctuation; words may still be articles
  const std::string lowered = to_lower_utf8(answer);
  for (std::string_view rest = lowered; !rest.empty();) {
    const CodePoint point = decode_utf8(rest);
    rest.remove_prefix(point.size);
    if (!is_ascii_punctuation(point.value)) append_utf8(text, point.value);
  }
  std::string out;
  std::string word;  // a run of letters and digits, so that articles are found beside dashes and quotes too
  bool space_before = false;
  const auto put = [&](std::string_view piece) {
    if (space_before && !out.empty()) out += ' ';
    space_before = false;
    out += piece;
  };
  const auto end_word = [&] {
    if (word == "a" || word == "an" || word == "the") {
      space_before = true;
    } else if (!word.empty()) {
      put(word);
    }
    word.clear();
  };
  for (std::string_view rest = text; !rest.empty();) {
    const CodePoint point = decode_utf8(rest);
    if (is_letter_or_digit(point.value)) {
      append_utf8(word, point.value);
    } else {
      end_word();
      if (is_space(point.value)) {
        space_before = true;
      } else {
        put(rest.substr(0, point.size));
      }
    }
    rest.remove_prefix(point.size);
  }
  end_word();
  return out;
}

double exact_match(std::string_view answer, std::span<const std::string> accepted) {
  const std::string normalised = normalise_answer(answer);
  return std::any_of(accepted.begin(), accepted.end(),
                     [&](const std::string& gold) { return normalise_answer(gold) == normalised; })
             ? 1.0
             : 0.0;
}

double token_f1(std::string_view answer, std::span<const std::string> accepted) {
  const std::vector<std::string> words = words_of(normalise_answer(answer));
  double best = 0.0;
  for (const std::string& gold : accepted) {
    best = std::max(best, f1_of(words, words_of(normalise_answer(gold))));
  }
  return best;
}

Estimate bootstrap_mean(std::span<const double> values, const BootstrapOptions& options) {
  if (values.empty()) return {};
  std::vector<double> means = resampled_means(values, options);
  return percentile_interval(mean_of(values), values.size(), means, options.confidence);
}

Result<Estimate> bootstrap_mean_by_group(std::span<const double> values,
                                         std::span<const std::size_t> group_of,
                                         const BootstrapOptions& options) {
  if (values.size() != group_of.size()) {
    return Error{Kind::bad_request, "bootstrap",
                 std::to_string(values.size()) + " values come with " + std::to_string(group_of.size()) +
                     " group numbers",
                 "give each value its group"};
  }
  if (values.empty()) return Estimate{};
  struct Group {
    double sum = 0.0;
    double count = 0.0;
  };
  std::map<std::size_t, Group> by_number;
  for (std::size_t i = 0; i < values.size(); ++i) {
    by_number[group_of[i]].sum += values[i];
    by_number[group_of[i]].count += 1.0;
  }
  std::vector<Group> groups;
  for (const auto& [number, group] : by_number) groups.push_back(group);
  std::vector<double> means;
  for (int resample = 0; resample < options.resamples; ++resample) {
    Group drawn;
    for_each_drawn(options.seed, static_cast<std::uint64_t>(resample), groups.size(), [&](std::size_t i) {
      drawn.sum += groups[i].sum;
      drawn.count += groups[i].count;
    });
    means.push_back(drawn.sum / drawn.count);
  }
  return percentile_interval(mean_of(values), values.size(), means, options.confidence);
}

Result<PairedDifference> paired_bootstrap(std::span<const double> a, std::span<const double> b,
                                          const BootstrapOptions& options) {
  if (a.size() != b.size()) {
    return Error{Kind::bad_request, "paired comparison",
                 std::to_string(a.size()) + " scores stand against " + std::to_string(b.size()),
                 "score both on the same questions"};
  }
  PairedDifference result;
  if (a.empty()) return result;
  std::vector<double> differences(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    differences[i] = a[i] - b[i];
    if (a[i] > b[i]) ++result.better;
    if (a[i] < b[i]) ++result.worse;
    if (a[i] == b[i]) ++result.equal;
  }
  std::vector<double> means = resampled_means(differences, options);
  result.difference =
      percentile_interval(mean_of(differences), differences.size(), means, options.confidence);
  // Both tails count themselves once (Davison & Hinkley, Bootstrap Methods, 1997, section 4.2), so that p is
  // never 0: a finite number of resamples cannot show that.
  const auto at_most_zero =
      std::count_if(means.begin(), means.end(), [](double mean) { return mean <= 0.0; });
  const auto at_least_zero =
      std::count_if(means.begin(), means.end(), [](double mean) { return mean >= 0.0; });
  const double tail = static_cast<double>(std::min(at_most_zero, at_least_zero)) + 1.0;
  result.p = std::min(1.0, 2.0 * tail / (static_cast<double>(means.size()) + 1.0));
  return result;
}

}  // namespace loam::eval
