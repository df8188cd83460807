// How close is a text to what a person wrote? ROUGE for summaries, BLEU and chrF for translations. Pure
// functions; any thread. Bytes that are not UTF-8 count as U+FFFD.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace loam::eval {

// ROUGE --------------------------------------------------------------------------------------------------

/// Shares in 0..1. All 0 where one of the texts has no words.
struct Overlap {
  double precision = 0;
  double recall = 0;
  double f1 = 0;
};

/// Words are runs of ASCII letters and digits in lower case, as in the rouge-score package: other scripts
/// have no words here and score 0; use chrF for them.
struct Rouge {
  Overlap rouge_1;     ///< single words
  Overlap rouge_2;     ///< pairs of words
  Overlap rouge_l;     ///< longest common subsequence of the whole texts
  Overlap rouge_lsum;  ///< union of the longest common subsequences line by line: one sentence per line
};

/// Porter's stemmer as NLTK extends it, on words longer than three letters.
enum class Stemming { no, yes };

/// Lin, "ROUGE: a package for automatic evaluation of summaries", ACL workshop 2004; equal to the rouge-score
/// package 0.1.2. Time grows with the product of the word counts (about 0.1 s for 20,000 * 20,000 words).
/// out_of_room above 2^31 pairs of words.
Result<Rouge> rouge(std::string_view candidate, std::string_view reference, Stemming stemming = Stemming::no);

/// Against several references: for each measure the one with the best F1. bad_request without references.
Result<Rouge> rouge(std::string_view candidate, std::span<const std::string> references,
                    Stemming stemming = Stemming::no);

/// The words that ROUGE compares.
std::vector<std::string> rouge_words(std::string_view text, Stemming stemming);

/// Porter's stem of a lower-case ASCII word (Program 14(3), 1980, with NLTK's additions).
std::string porter_stem(std::string_view word);

// BLEU ---------------------------------------------------------------------------------------------------

struct Bleu {
  double score = 0;  ///< 0..100
  std::array<double, 4> precisions{};
  double brevity_penalty = 0;
  std::size_t candidate_words = 0, reference_words = 0;
};

/// Papineni et al., ACL 2002, with the tokens, the smoothing and the closest reference length of sacreBLEU's
/// defaults ("13a", "exp"; Post, WMT 2018). `references[i]` belong to `candidates[i]`; each needs one at
/// least. bad_request when the counts differ, nothing is there, or a candidate has no reference.
Result<Bleu> corpus_bleu(std::span<const std::string> candidates,
                         std::span<const std::vector<std::string>> references);

/// One sentence, where n-grams longer than the sentence do not count against it (sacreBLEU's
/// sentence_bleu).
Result<Bleu> sentence_bleu(std::string_view candidate, std::span<const std::string> references);

/// Tokens of mteval-v13a.
std::vector<std::string> tokens_13a(std::string_view text);

// chrF ---------------------------------------------------------------------------------------------------

struct ChrfOptions {
  int character_order = 6;
  int word_order = 0;  ///< 2 makes it chrF++ (Popovic, WMT 2017)
  int beta = 2;        ///< recall weighs beta^2 times as much as precision
};

/// Popovic, WMT 2015; equal to sacreBLEU's. 0..100. Errors as corpus_bleu.
Result<double> corpus_chrf(std::span<const std::string> candidates,
                           std::span<const std::vector<std::string>> references,
                           const ChrfOptions& options = {});
Result<double> sentence_chrf(std::string_view candidate, std::span<const std::string> references,
                             const ChrfOptions& options = {});

}  // namespace loam::eval
