#include <algorithm>
#include <cmath>
#include <cstdint>
#include <unordered_map>
#include <utility>

#include "base/utf8.h"
#include "eval/text_scores.h"
#include "eval/words.h"

namespace loam::eval {
namespace {

constexpr std::size_t kOrders = 4;

Error no_texts(std::string place, std::string message, std::string next_step) {
  return Error{Kind::bad_request, std::move(place), std::move(message), std::move(next_step)};
}

bool is_digit_byte(char c) { return c >= '0' && c <= '9'; }
bool is_period_or_comma(char c) { return c == '.' || c == ','; }

// The ASCII punctuation (and space) that always stands alone; periods, commas, dashes and apostrophes have
// rules of their own or none.
bool always_stands_alone(char c) {
  return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') ||
         (c >= '(' && c <= '+') || (c >= ':' && c <= '@') || c == '/';
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  std::string out;
  std::size_t start = 0;
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, start)) {
    out.append(text, start, at - start).append(to);
    start = at + from.size();
  }
  if (start == 0) return;
  text = out.append(text, start);
}

enum class ThirdSpace { before, behind };

/// Puts a space between each pair of neighbours that `fits`, left to right without overlap, and another one
/// before or behind the pair.
template <typename Fits>
std::string part_pairs(std::string_view text, ThirdSpace space, const Fits& fits) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i + 1 == text.size() || !fits(text[i], text[i + 1])) {
      out += text[i];
      continue;
    }
    if (space == ThirdSpace::before) out += ' ';
    out += text[i];
    out += ' ';
    out += text[++i];
    if (space == ThirdSpace::behind) out += ' ';
  }
  return out;
}

using Counts = std::unordered_map<std::string, std::size_t>;

/// Counts of all n-grams of orders 1..4; the key holds its words parted by spaces, so that orders differ.
Counts ngram_counts(const std::vector<std::string>& tokens) {
  Counts counts;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    std::string key;
    for (std::size_t order = 1; order <= kOrders && i + order <= tokens.size(); ++order) {
      if (order > 1) key += ' ';
      key += tokens[i + order - 1];
      ++counts[key];
    }
  }
  return counts;
}

struct Statistics {
  std::array<std::size_t, kOrders> right{}, all{};
  std::size_t candidate_words = 0, reference_words = 0;

  void add(const Statistics& other) {
    for (std::size_t n = 0; n < kOrders; ++n) {
      right[n] += other.right[n];
      all[n] += other.all[n];
    }
    candidate_words += other.candidate_words;
    reference_words += other.reference_words;
  }
};

Statistics statistics_of(std::string_view candidate, std::span<const std::string> references) {
  Statistics found;
  const std::vector<std::string> tokens = tokens_13a(candidate);
  found.candidate_words = tokens.size();
  Counts most;  // of each n-gram in any one reference
  bool first = true;
  for (const std::string& reference : references) {
    const std::vector<std::string> words = tokens_13a(reference);
    const auto distance = [&](std::size_t length) {
      return length > tokens.size() ? length - tokens.size() : tokens.size() - length;
    };
    const bool closer =
        first || distance(words.size()) < distance(found.reference_words) ||
        (distance(words.size()) == distance(found.reference_words) && words.size() < found.reference_words);
    if (closer) found.reference_words = words.size();
    first = false;
    for (const auto& [ngram, count] : ngram_counts(words)) {
      std::size_t& known = most[ngram];
      known = std::max(known, count);
    }
  }
  for (const auto& [ngram, count] : ngram_counts(tokens)) {
    const auto order = static_cast<std::size_t>(std::count(ngram.begin(), ngram.end(), ' '));
    found.all[order] += count;
    if (const auto known = most.find(ngram); known != most.end())
      found.right[order] += std::min(count, known->second);
  }
  return found;
}

enum class Order { fixed, effective };

Bleu score_of(const Statistics& found, Order order) {
  Bleu bleu;
  bleu.candidate_words = found.candidate_words;
  bleu.reference_words = found.reference_words;
  const auto said = static_cast<double>(found.candidate_words);
  const auto meant = static_cast<double>(found.reference_words);
  bleu.brevity_penalty = 1;
  if (said < meant) bleu.brevity_penalty = said > 0 ? std::exp(1 - meant / said) : 0;
  if (std::all_of(found.right.begin(), found.right.end(), [](std::size_t count) { return count == 0; }))
    return bleu;
  double smoothing = 1;  // doubles with every order that has no hit (Chen & Cherry, WMT 2014, method 3)
  std::size_t orders = kOrders;
  for (std::size_t n = 0; n < kOrders; ++n) {
    if (found.all[n] == 0) break;
    if (order == Order::effective) orders = n + 1;
    const auto all = static_cast<double>(found.all[n]);
    if (found.right[n] == 0) {
      smoothing *= 2;
      bleu.precisions[n] = 100 / (smoothing * all);
    } else {
      bleu.precisions[n] = 100 * static_cast<double>(found.right[n]) / all;
    }
  }
  double logs = 0;
  for (std::size_t n = 0; n < orders; ++n) {
    if (bleu.precisions[n] == 0) return bleu;  // a corpus without a single n-gram of that order
    logs += std::log(bleu.precisions[n]);
  }
  bleu.score = bleu.brevity_penalty * std::exp(logs / static_cast<double>(orders));
  return bleu;
}

// chrF ---------------------------------------------------------------------------------------------------

/// One order's counts. Keys are views into the text.
using Grams = std::unordered_map<std::string_view, std::size_t>;

/// A text as chrF sees it: without white space for characters, with punctuation parted for words.
class ChrfText {
 public:
  ChrfText(std::string_view raw, const ChrfOptions& options) : valid_(to_valid_utf8(raw)) {
    std::vector<std::size_t> starts;
    for (const std::string_view piece : split_at_spaces(valid_)) {
      part_punctuation(piece);
      packed_ += piece;
    }
    for (std::size_t at = 0; at < packed_.size();) {
      starts.push_back(at);
      at += decode_utf8(std::string_view(packed_).substr(at)).size;
    }
    starts.push_back(packed_.size());
    for (int order = 1; order <= options.character_order; ++order) {
      Grams& grams = orders_.emplace_back();
      const auto length = static_cast<std::size_t>(order);
      for (std::size_t i = 0; i + length < starts.size(); ++i) {
        ++grams[std::string_view(packed_).substr(starts[i], starts[i + length] - starts[i])];
      }
    }
    for (const std::string_view word : words_) joined_.append(word).append(" ");
    std::vector<std::size_t> word_starts{0};
    for (const std::string_view word : words_) word_starts.push_back(word_starts.back() + word.size() + 1);
    for (int order = 1; order <= options.word_order; ++order) {
      Grams& grams = orders_.emplace_back();
      const auto length = static_cast<std::size_t>(order);
      for (std::size_t i = 0; i + length < word_starts.size(); ++i) {
        ++grams[std::string_view(joined_).substr(word_starts[i], word_starts[i + length] - word_starts[i])];
      }
    }
  }
  ChrfText(const ChrfText&) = delete;
  ChrfText& operator=(const ChrfText&) = delete;

  const std::vector<Grams>& orders() const { return orders_; }

 private:
  static bool is_punctuation(char c) {
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
  }
  // One mark at the end of a word, or else one at its beginning, is a word of its own.
  void part_punctuation(std::string_view word) {
    if (word.size() > 1 && is_punctuation(word.back())) {
      words_.push_back(word.substr(0, word.size() - 1));
      words_.push_back(word.substr(word.size() - 1));
    } else if (word.size() > 1 && is_punctuation(word.front())) {
      words_.push_back(word.substr(0, 1));
      words_.push_back(word.substr(1));
    } else {
      words_.push_back(word);
    }
  }

  std::string valid_, packed_, joined_;
  std::vector<std::string_view> words_;
  std::vector<Grams> orders_;
};

struct ChrfCounts {
  std::size_t said = 0, meant = 0, right = 0;
};
using ChrfStatistics = std::vector<ChrfCounts>;

ChrfStatistics compare(const ChrfText& candidate, const ChrfText& reference) {
  ChrfStatistics all;
  for (std::size_t i = 0; i < candidate.orders().size(); ++i) {
    const Grams& said = candidate.orders()[i];
    const Grams& meant = reference.orders()[i];
    ChrfCounts counts;
    for (const auto& [gram, count] : said) {
      counts.said += count;
      if (const auto found = meant.find(gram); found != meant.end())
        counts.right += std::min(count, found->second);
    }
    for (const auto& [gram, count] : meant) counts.meant += count;
    if (meant.empty()) counts.said = 0;  // nothing could have been hit
    all.push_back(counts);
  }
  return all;
}

double chrf_of(const ChrfStatistics& all, int beta) {
  double precision = 0;
  double recall = 0;
  double orders = 0;
  for (const ChrfCounts& counts : all) {
    if (counts.said == 0 || counts.meant == 0) continue;
    precision += static_cast<double>(counts.right) / static_cast<double>(counts.said);
    recall += static_cast<double>(counts.right) / static_cast<double>(counts.meant);
    orders += 1;
  }
  if (orders == 0 || precision + recall == 0) return 0;
  precision /= orders;
  recall /= orders;
  const double weight = static_cast<double>(beta) * static_cast<double>(beta);
  return 100 * (1 + weight) * precision * recall / (weight * precision + recall);
}

/// Statistics against the reference that scores best.
ChrfStatistics best_statistics(std::string_view candidate, std::span<const std::string> references,
                               const ChrfOptions& options) {
  const ChrfText said(candidate, options);
  ChrfStatistics best;
  double best_score = -1;
  for (const std::string& reference : references) {
    ChrfStatistics one = compare(said, ChrfText(reference, options));
    const double score = chrf_of(one, options.beta);
    if (score > best_score) {
      best_score = score;
      best = std::move(one);
    }
  }
  return best;
}

Result<void> check_corpus(std::string_view what, std::span<const std::string> candidates,
                          std::span<const std::vector<std::string>> references) {
  if (candidates.size() != references.size()) {
    return no_texts(std::string(what),
                    std::to_string(candidates.size()) + " texts come with references for " +
                        std::to_string(references.size()),
                    "give each text its references");
  }
  if (candidates.empty())
    return no_texts(std::string(what), "there is no text to score", "give one at least");
  for (std::size_t i = 0; i < references.size(); ++i) {
    if (references[i].empty()) {
      return no_texts(std::string(what), "text " + std::to_string(i + 1) + " has no reference",
                      "give each text one reference at least");
    }
  }
  return done();
}

Result<void> check_chrf(const ChrfOptions& options) {
  if (options.character_order < 1 || options.character_order > 100 || options.word_order < 0 ||
      options.word_order > 100 || options.beta < 0) {
    return no_texts("chrF", "orders must be 1 to 100 characters and 0 to 100 words, and beta not below 0",
                    "6 characters with 0 words is chrF, with 2 words chrF++; beta is 2");
  }
  return done();
}

}  // namespace

std::vector<std::string> tokens_13a(std::string_view text) {
  std::string line(right_trimmed(text));
  replace_all(line, "<skipped>", "");
  replace_all(line, "-\n", "");
  replace_all(line, "\n", " ");
  if (line.find('&') != std::string::npos) {
    replace_all(line, "&quot;", "\"");
    replace_all(line, "&amp;", "&");
    replace_all(line, "&lt;", "<");
    replace_all(line, "&gt;", ">");
  }
  line = " " + to_valid_utf8(line) + " ";
  std::string parted;
  for (const char c : line) {
    if (always_stands_alone(c)) {
      parted += ' ';
      parted += c;
      parted += ' ';
    } else {
      parted += c;
    }
  }
  // Bytes will do for characters here: all that is looked for is ASCII.
  parted = part_pairs(parted, ThirdSpace::behind,
                      [](char x, char y) { return !is_digit_byte(x) && is_period_or_comma(y); });
  parted = part_pairs(parted, ThirdSpace::before,
                      [](char x, char y) { return is_period_or_comma(x) && !is_digit_byte(y); });
  parted =
      part_pairs(parted, ThirdSpace::behind, [](char x, char y) { return is_digit_byte(x) && y == '-'; });
  std::vector<std::string> tokens;
  for (const std::string_view piece : split_at_spaces(parted)) tokens.emplace_back(piece);
  return tokens;
}

Result<Bleu> corpus_bleu(std::span<const std::string> candidates,
                         std::span<const std::vector<std::string>> references) {
  if (Result<void> checked = check_corpus("BLEU", candidates, references); !checked) return checked.error();
  Statistics sum;
  for (std::size_t i = 0; i < candidates.size(); ++i) sum.add(statistics_of(candidates[i], references[i]));
  return score_of(sum, Order::fixed);
}

Result<Bleu> sentence_bleu(std::string_view candidate, std::span<const std::string> references) {
  if (references.empty())
    return no_texts("BLEU", "there is no reference to compare with", "give one at least");
  return score_of(statistics_of(candidate, references), Order::effective);
}

Result<double> corpus_chrf(std::span<const std::string> candidates,
                           std::span<const std::vector<std::string>> references, const ChrfOptions& options) {
  if (Result<void> checked = check_corpus("chrF", candidates, references); !checked) return checked.error();
  if (Result<void> checked = check_chrf(options); !checked) return checked.error();
  ChrfStatistics sum(static_cast<std::size_t>(options.character_order + options.word_order));
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const ChrfStatistics one = best_statistics(candidates[i], references[i], options);
    for (std::size_t k = 0; k < sum.size(); ++k) {
      sum[k].said += one[k].said;
      sum[k].meant += one[k].meant;
      sum[k].right += one[k].right;
    }
  }
  return chrf_of(sum, options.beta);
}

Result<double> sentence_chrf(std::string_view candidate, std::span<const std::string> references,
                             const ChrfOptions& options) {
  if (references.empty())
    return no_texts("chrF", "there is no reference to compare with", "give one at least");
  if (Result<void> checked = check_chrf(options); !checked) return checked.error();
  return chrf_of(best_statistics(candidate, references, options), options.beta);
}

}  // namespace loam::eval
