// The paper's weight of two sentences, shared(i, j) / (log |i| + log |j|), depends on the lengths only
// through the sum of two logarithms. Sentences of one length can therefore be added up for each word, and a
// step of the iteration costs (words) * (distinct lengths) instead of (sentences) squared.
#include "baseline/textrank.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <unordered_map>

#include "baseline/words.h"

namespace loam::baseline {
namespace {

constexpr std::size_t kLeastWords = 2;    // log 1 is 0: one word cannot be weighed
constexpr std::size_t kMostWords = 1000;  // a longer "sentence" is a table or a dump; its further words wait

/// Distinct content stems of a sentence, as numbers, ascending.
std::vector<std::uint32_t> stems_of(std::string_view sentence,
                                    std::unordered_map<std::string, std::uint32_t>& numbers) {
  std::set<std::uint32_t> found;
  for (const Word& word : words_of(sentence)) {
    if (word.stop || found.size() >= kMostWords) continue;
    const auto [entry, fresh] = numbers.try_emplace(word.stem, static_cast<std::uint32_t>(numbers.size()));
    found.insert(entry->second);
  }
  return {found.begin(), found.end()};
}

/// Sentences of one length that hold one word: how many, and the sum of what they pass on.
struct Cell {
  std::uint32_t length = 0;  ///< index into the distinct lengths
  double sum = 0;
};

class Graph {
 public:
  explicit Graph(std::vector<std::vector<std::uint32_t>> sentences, std::size_t words)
      : sentences_(std::move(sentences)), cells_(words) {
    std::map<std::size_t, std::uint32_t> order;
    for (const auto& sentence : sentences_) {
      if (sentence.size() >= kLeastWords) order.try_emplace(sentence.size(), 0);
    }
    std::uint32_t next = 0;
    for (auto& [size, index] : order) {
      index = next++;
      logs_.push_back(std::log(static_cast<double>(size)));
    }
    length_of_.resize(sentences_.size());
    for (std::size_t i = 0; i < sentences_.size(); ++i) {
      if (!takes_part(i)) continue;
      length_of_[i] = order.at(sentences_[i].size());
      for (const std::uint32_t word : sentences_[i]) cell(word, length_of_[i]);
    }
  }

  bool takes_part(std::size_t i) const { return sentences_[i].size() >= kLeastWords; }

  /// For each sentence, the sum over the others of weight(i, j) * values[j].
  std::vector<double> weighted_sums(const std::vector<double>& values) {
    for (auto& row : cells_) {
      for (Cell& one : row) one.sum = 0;
    }
    for (std::size_t i = 0; i < sentences_.size(); ++i) {
      if (!takes_part(i)) continue;
      for (const std::uint32_t word : sentences_[i]) cell(word, length_of_[i]).sum += values[i];
    }
    std::vector<double> sums(sentences_.size(), 0);
    for (std::size_t i = 0; i < sentences_.size(); ++i) {
      if (!takes_part(i)) continue;
      const double mine = logs_[length_of_[i]];
      for (const std::uint32_t word : sentences_[i]) {
        for (const Cell& one : cells_[word]) sums[i] += one.sum / (mine + logs_[one.length]);
      }
      // A sentence does not recommend itself.
      sums[i] -= static_cast<double>(sentences_[i].size()) * values[i] / (2 * mine);
      sums[i] = std::max(sums[i], 0.0);  // rounding only
    }
    return sums;
  }

 private:
  Cell& cell(std::uint32_t word, std::uint32_t length) {
    auto& row = cells_[word];
    const auto place =
        std::lower_bound(row.begin(), row.end(), length,
                         [](const Cell& one, std::uint32_t wanted) { return one.length < wanted; });
    if (place != row.end() && place->length == length) return *place;
    return *row.insert(place, Cell{length, 0});
  }

  std::vector<std::vector<std::uint32_t>> sentences_;
  std::vector<std::vector<Cell>> cells_;  // by word, ascending length
  std::vector<double> logs_;              // of the distinct lengths
  std::vector<std::uint32_t> length_of_;
};

std::vector<std::vector<std::uint32_t>> all_stems(std::span<const std::string_view> sentences,
                                                  std::size_t& words) {
  std::unordered_map<std::string, std::uint32_t> numbers;
  std::vector<std::vector<std::uint32_t>> stems;
  stems.reserve(sentences.size());
  for (const std::string_view sentence : sentences) stems.push_back(stems_of(sentence, numbers));
  words = numbers.size();
  return stems;
}

}  // namespace

std::vector<double> textrank(std::span<const std::string_view> sentences, const TextRankOptions& options) {
  const std::size_t n = sentences.size();
  std::size_t words = 0;
  auto stems = all_stems(sentences, words);
  Graph graph(std::move(stems), words);
  std::vector<double> scores(n, 1.0);
  // What a sentence passes on is shared out by the weights of its edges.
  const std::vector<double> strength = graph.weighted_sums(std::vector<double>(n, 1.0));
  constexpr double kNothing = 1e-12;  // strength left by rounding where no word is shared
  std::vector<double> passed(n, 0);
  for (int step = 0; step < options.max_iterations; ++step) {
    for (std::size_t i = 0; i < n; ++i) passed[i] = strength[i] > kNothing ? scores[i] / strength[i] : 0;
    const std::vector<double> sums = graph.weighted_sums(passed);
    double change = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double next = (1 - options.damping) + options.damping * (strength[i] > kNothing ? sums[i] : 0);
      change = std::max(change, std::abs(next - scores[i]));
      scores[i] = next;
    }
    if (change < options.tolerance) break;
  }
  return scores;
}

std::vector<std::size_t> best_sentences(std::span<const std::string_view> sentences,
                                        std::span<const double> scores, std::size_t most) {
  std::size_t words = 0;
  const auto stems = all_stems(sentences, words);
  std::vector<std::size_t> order(std::min(sentences.size(), scores.size()));
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  std::vector<std::size_t> chosen;
  std::set<std::vector<std::uint32_t>> said;
  for (const std::size_t i : order) {
    if (chosen.size() >= most) break;
    if (stems[i].size() < kLeastWords || !said.insert(stems[i]).second) continue;
    chosen.push_back(i);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace loam::baseline
