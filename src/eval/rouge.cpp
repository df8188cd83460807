#include <algorithm>
#include <bit>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <utility>

#include "eval/text_scores.h"
#include "reader/text.h"

namespace loam::eval {
namespace {

using WordId = std::uint32_t;
using Words = std::vector<WordId>;

constexpr std::uint64_t kMostPairs = std::uint64_t{1} << 31U;  // 256 MiB of bits to trace back through
constexpr std::size_t kSmallTable = 4096;  // cells; below, the plain table is faster than bits

bool is_word_byte(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

/// Numbers for words, so that comparing is cheap.
class WordIds {
 public:
  Words of(std::string_view text, Stemming stemming) {
    Words ids;
    for (std::string& word : rouge_words(text, stemming)) {
      ids.push_back(ids_.try_emplace(std::move(word), static_cast<WordId>(ids_.size())).first->second);
    }
    return ids;
  }

 private:
  std::unordered_map<std::string, WordId> ids_;
};

Overlap overlap(std::size_t hits, std::size_t candidate, std::size_t reference) {
  Overlap result;
  if (candidate == 0 || reference == 0) return result;
  result.precision = static_cast<double>(hits) / static_cast<double>(candidate);
  result.recall = static_cast<double>(hits) / static_cast<double>(reference);
  const double sum = result.precision + result.recall;
  result.f1 = sum > 0 ? 2 * result.precision * result.recall / sum : 0;
  return result;
}

std::vector<std::uint64_t> sorted_ngrams(const Words& words, std::size_t order) {
  std::vector<std::uint64_t> ngrams;
  for (std::size_t i = 0; i + order <= words.size(); ++i) {
    ngrams.push_back(order == 1 ? words[i] : (std::uint64_t{words[i]} << 32U) | words[i + 1]);
  }
  std::sort(ngrams.begin(), ngrams.end());
  return ngrams;
}

Overlap ngram_overlap(const Words& candidate, const Words& reference, std::size_t order) {
  const std::vector<std::uint64_t> said = sorted_ngrams(candidate, order);
  const std::vector<std::uint64_t> meant = sorted_ngrams(reference, order);
  std::vector<std::uint64_t> common;
  std::set_intersection(said.begin(), said.end(), meant.begin(), meant.end(), std::back_inserter(common));
  return overlap(common.size(), said.size(), meant.size());
}

/// Rows of the table of longest common subsequences as bits: a zero at j of row i says that
/// length(i + 1, j + 1) = length(i + 1, j) + 1 (Hyyro, "Bit-parallel LCS-length computation revisited",
/// AWOCA 2004).
class LcsBits {
 public:
  enum class Keep { last_row, all_rows };

  LcsBits(const Words& reference, const Words& candidate, Keep keep)
      : width_((candidate.size() + 63) / 64), row_(width_, ~std::uint64_t{0}) {
    std::unordered_map<WordId, std::vector<std::size_t>> places;
    for (std::size_t j = 0; j < candidate.size(); ++j) places[candidate[j]].push_back(j);
    if (keep == Keep::all_rows) rows_.reserve(reference.size() * width_);
    std::vector<std::uint64_t> matches(width_);
    for (const WordId word : reference) {
      if (const auto found = places.find(word); found != places.end()) {
        for (const std::size_t j : found->second) matches[j / 64] |= std::uint64_t{1} << (j % 64);
        step(matches);
        for (const std::size_t j : found->second) matches[j / 64] = 0;
      }
      if (keep == Keep::all_rows) rows_.insert(rows_.end(), row_.begin(), row_.end());
    }
  }

  /// Length for the whole reference and the first `columns` words of the candidate.
  std::size_t last_length(std::size_t columns) const { return zeros(row_.data(), columns); }
  /// Length for the first `rows` and `columns` words.
  std::size_t length(std::size_t rows, std::size_t columns) const {
    return rows == 0 ? 0 : zeros(rows_.data() + (rows - 1) * width_, columns);
  }

 private:
  void step(const std::vector<std::uint64_t>& matches) {
    std::uint64_t carry = 0;
    for (std::size_t k = 0; k < width_; ++k) {
      const std::uint64_t old = row_[k];
      const std::uint64_t both = old & matches[k];
      const std::uint64_t sum = old + both;
      const std::uint64_t total = sum + carry;
      carry = (sum < old || total < sum) ? 1 : 0;
      row_[k] = total | (old & ~matches[k]);
    }
  }
  static std::size_t zeros(const std::uint64_t* row, std::size_t columns) {
    std::size_t ones = 0;
    std::size_t k = 0;
    for (; (k + 1) * 64 <= columns; ++k) ones += static_cast<std::size_t>(std::popcount(row[k]));
    if (const std::size_t rest = columns % 64; rest > 0) {
      ones += static_cast<std::size_t>(std::popcount(row[k] & ((std::uint64_t{1} << rest) - 1)));
    }
    return columns - ones;
  }

  std::size_t width_;
  std::vector<std::uint64_t> row_;
  std::vector<std::uint64_t> rows_;  // (reference words, width_)
};

std::size_t lcs_length(const Words& reference, const Words& candidate) {
  if (reference.empty() || candidate.empty()) return 0;
  return LcsBits(reference, candidate, LcsBits::Keep::last_row).last_length(candidate.size());
}

/// Walks back through the table from its end, preferring a step in the reference where both ways are as long,
/// and marks the reference's words on the way: which of several longest subsequences is taken decides the
/// union below.
template <typename Length>
void trace(const Words& reference, const Words& candidate, const Length& length, std::vector<bool>& taken) {
  std::size_t i = reference.size();
  std::size_t j = candidate.size();
  while (i > 0 && j > 0) {
    if (reference[i - 1] == candidate[j - 1]) {
      taken[--i] = true;
      --j;
    } else if (length(i, j - 1) > length(i - 1, j)) {
      --j;
    } else {
      --i;
    }
  }
}

void mark_lcs(const Words& reference, const Words& candidate, std::vector<std::uint16_t>& table,
              std::vector<bool>& taken) {
  if (reference.empty() || candidate.empty()) return;
  const std::size_t width = candidate.size() + 1;
  if ((reference.size() + 1) * width > kSmallTable) {
    const LcsBits bits(reference, candidate, LcsBits::Keep::all_rows);
    trace(
        reference, candidate, [&](std::size_t i, std::size_t j) { return bits.length(i, j); }, taken);
    return;
  }
  table.assign((reference.size() + 1) * width, 0);
  for (std::size_t i = 1; i <= reference.size(); ++i) {
    for (std::size_t j = 1; j <= candidate.size(); ++j) {
      table[i * width + j] = reference[i - 1] == candidate[j - 1]
                                 ? static_cast<std::uint16_t>(table[(i - 1) * width + j - 1] + 1)
                                 : std::max(table[(i - 1) * width + j], table[i * width + j - 1]);
    }
  }
  trace(
      reference, candidate, [&](std::size_t i, std::size_t j) { return table[i * width + j]; }, taken);
}

std::vector<Words> lines_as_words(std::string_view text, Stemming stemming, WordIds& ids) {
  std::vector<Words> lines;
  for (const Span line : reader::lines_of(text)) {
    if (!line.empty()) lines.push_back(ids.of(slice(text, line), stemming));
  }
  return lines;
}

std::map<WordId, std::size_t> counts_of(const std::vector<Words>& lines) {
  std::map<WordId, std::size_t> counts;
  for (const Words& line : lines) {
    for (const WordId word : line) ++counts[word];
  }
  return counts;
}

/// Section 3.2 of the paper, where a word counts at most as often as both texts have it.
Overlap summary_overlap(const std::vector<Words>& candidate, const std::vector<Words>& reference) {
  std::map<WordId, std::size_t> said_left = counts_of(candidate);
  std::map<WordId, std::size_t> meant_left = counts_of(reference);
  std::size_t hits = 0;
  std::vector<std::uint16_t> table;
  for (const Words& line : reference) {
    std::vector<bool> taken(line.size());
    for (const Words& other : candidate) mark_lcs(line, other, table, taken);
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (!taken[i]) continue;
      std::size_t& said = said_left[line[i]];
      std::size_t& meant = meant_left[line[i]];
      if (said == 0 || meant == 0) continue;
      --said;
      --meant;
      ++hits;
    }
  }
  const auto words = [](const std::vector<Words>& lines) {
    std::size_t sum = 0;
    for (const Words& line : lines) sum += line.size();
    return sum;
  };
  return overlap(hits, words(candidate), words(reference));
}

}  // namespace

std::vector<std::string> rouge_words(std::string_view text, Stemming stemming) {
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    if (word.empty()) return;
    words.push_back(stemming == Stemming::yes && word.size() > 3 ? porter_stem(word) : word);
    word.clear();
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view rest = text.substr(i);
    char c = text[i];
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (rest.starts_with("\xE2\x84\xAA")) {  // the Kelvin sign's lower case is an ASCII k
      word += 'k';
      i += 2;
    } else if (rest.starts_with("\xC4\xB0")) {  // I with a dot: i and a combining dot, which parts words
      word += 'i';
      end_word();
      i += 1;
    } else if (is_word_byte(c)) {
      word += c;
    } else {
      end_word();
    }
  }
  end_word();
  return words;
}

Result<Rouge> rouge(std::string_view candidate, std::string_view reference, Stemming stemming) {
  WordIds ids;
  const Words said = ids.of(candidate, stemming);
  const Words meant = ids.of(reference, stemming);
  if (std::uint64_t{said.size()} * meant.size() > kMostPairs) {
    return Error{Kind::out_of_room, "ROUGE",
                 reader::with_thousands(said.size()) + " words cannot be aligned with " +
                     reader::with_thousands(meant.size()),
                 "score shorter texts, for example section by section"};
  }
  Rouge result;
  result.rouge_1 = ngram_overlap(said, meant, 1);
  result.rouge_2 = ngram_overlap(said, meant, 2);
  result.rouge_l = overlap(lcs_length(meant, said), said.size(), meant.size());
  result.rouge_lsum =
      summary_overlap(lines_as_words(candidate, stemming, ids), lines_as_words(reference, stemming, ids));
  return result;
}

Result<Rouge> rouge(std::string_view candidate, std::span<const std::string> references, Stemming stemming) {
  if (references.empty()) {
    return Error{Kind::bad_request, "ROUGE", "there is no reference to compare with", "give one at least"};
  }
  Rouge best;
  for (std::size_t i = 0; i < references.size(); ++i) {
    const Result<Rouge> one = rouge(candidate, std::string_view(references[i]), stemming);
    if (!one) return one.error();
    for (Overlap Rouge::*measure : {&Rouge::rouge_1, &Rouge::rouge_2, &Rouge::rouge_l, &Rouge::rouge_lsum}) {
      if (i == 0 || ((*one).*measure).f1 > (best.*measure).f1) best.*measure = (*one).*measure;
    }
  }
  return best;
}

}  // namespace loam::eval
