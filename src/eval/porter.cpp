// Porter's stemmer (An algorithm for suffix stripping, Program 14(3), 1980) with the additions that NLTK
// makes by default, because published ROUGE figures are computed with it.
#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "eval/text_scores.h"

namespace loam::eval {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 16> kIrregular = {{
    {"sky", "sky"},
    {"skies", "sky"},
    {"dying", "die"},
    {"lying", "lie"},
    {"tying", "tie"},
    {"news", "news"},
    {"innings", "inning"},
    {"inning", "inning"},
    {"outings", "outing"},
    {"outing", "outing"},
    {"cannings", "canning"},
    {"canning", "canning"},
    {"howe", "howe"},
    {"proceed", "proceed"},
    {"exceed", "exceed"},
    {"succeed", "succeed"},
}};

bool is_consonant(std::string_view word, std::size_t i) {
  const char c = word[i];
  if (c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u') return false;
  if (c != 'y' || i == 0) return true;
  // A run of y takes turns: consonant, vowel, consonant ... from what stands before it.
  std::size_t run = 0;
  while (i > 0 && word[i] == 'y') {
    --i;
    ++run;
  }
  const bool first = word[i] == 'y' || is_consonant(word, i);  // i is 0 or no y
  return run % 2 == 0 ? first : !first;
}

// Visits each letter with whether it is a consonant, in one pass however many y there are.
template <typename Visit>
void for_each_letter(std::string_view word, const Visit& visit) {
  bool consonant = false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    consonant = word[i] == 'y' && i > 0 ? !consonant : is_consonant(word, i);
    visit(consonant);
  }
}

// The number of vowel-consonant turns, Porter's m.
int measure(std::string_view stem) {
  int turns = 0;
  bool after_vowel = false;
  for_each_letter(stem, [&](bool consonant) {
    if (consonant && after_vowel) ++turns;
    after_vowel = !consonant;
  });
  return turns;
}

bool contains_vowel(std::string_view stem) {
  bool found = false;
  for_each_letter(stem, [&](bool consonant) { found = found || !consonant; });
  return found;
}

bool ends_in_double_consonant(std::string_view word) {
  return word.size() >= 2 && word[word.size() - 1] == word[word.size() - 2] &&
         is_consonant(word, word.size() - 1);
}

bool ends_in_cvc(std::string_view word) {
  const std::size_t n = word.size();
  if (n == 2) return !is_consonant(word, 0) && is_consonant(word, 1);  // NLTK's addition
  return n >= 3 && is_consonant(word, n - 3) && !is_consonant(word, n - 2) && is_consonant(word, n - 1) &&
         word[n - 1] != 'w' && word[n - 1] != 'x' && word[n - 1] != 'y';
}

std::string with_suffix(std::string_view word, std::size_t dropped, std::string_view added) {
  return std::string(word.substr(0, word.size() - dropped)) + std::string(added);
}

struct Rule {
  std::string_view suffix, replacement;
};

// The first rule whose suffix fits decides; its condition is that the stem measures more than `above`.
std::string apply(std::string_view word, std::span<const Rule> rules, int above) {
  for (const Rule& rule : rules) {
    if (!word.ends_with(rule.suffix)) continue;
    const std::string_view stem = word.substr(0, word.size() - rule.suffix.size());
    return measure(stem) > above ? std::string(stem) + std::string(rule.replacement) : std::string(word);
  }
  return std::string(word);
}

std::string step_1a(std::string_view word) {
  if (word.ends_with("ies") && word.size() == 4) return with_suffix(word, 1, "");  // NLTK: ties, not ti
  if (word.ends_with("sses")) return with_suffix(word, 2, "");
  if (word.ends_with("ies")) return with_suffix(word, 2, "");
  if (word.ends_with("ss")) return std::string(word);
  if (word.ends_with("s")) return with_suffix(word, 1, "");
  return std::string(word);
}

std::string step_1b(std::string_view word) {
  if (word.ends_with("ied")) return with_suffix(word, word.size() == 4 ? 1 : 2, "");  // NLTK: died, spied
  if (word.ends_with("eed")) {
    return measure(word.substr(0, word.size() - 3)) > 0 ? with_suffix(word, 1, "") : std::string(word);
  }
  std::string_view stem;
  if (word.ends_with("ed") && contains_vowel(word.substr(0, word.size() - 2))) {
    stem = word.substr(0, word.size() - 2);
  } else if (word.ends_with("ing") && contains_vowel(word.substr(0, word.size() - 3))) {
    stem = word.substr(0, word.size() - 3);
  } else {
    return std::string(word);
  }
  if (stem.ends_with("at") || stem.ends_with("bl") || stem.ends_with("iz")) return with_suffix(stem, 0, "e");
  if (ends_in_double_consonant(stem)) {
    const char last = stem.back();
    return last == 'l' || last == 's' || last == 'z' ? std::string(stem) : with_suffix(stem, 1, "");
  }
  if (measure(stem) == 1 && ends_in_cvc(stem)) return with_suffix(stem, 0, "e");
  return std::string(stem);
}

std::string step_1c(std::string_view word) {
  // NLTK: after a consonant that does not begin the word, so that "enjoy" and "by" keep their y.
  if (word.ends_with("y") && word.size() > 2 &&
      is_consonant(word.substr(0, word.size() - 1), word.size() - 2))
    return with_suffix(word, 1, "i");
  return std::string(word);
}

std::string step_2(std::string_view word) {
  if (word.ends_with("alli") && measure(word.substr(0, word.size() - 4)) > 0)
    return step_2(with_suffix(word, 2, ""));  // NLTK: then the rules again
  static constexpr std::array<Rule, 21> kRules = {{
      {"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"}, {"anci", "ance"}, {"izer", "ize"},
      {"bli", "ble"},     {"alli", "al"},     {"entli", "ent"}, {"eli", "e"},     {"ousli", "ous"},
      {"ization", "ize"}, {"ation", "ate"},   {"ator", "ate"},  {"alism", "al"},  {"iveness", "ive"},
      {"fulness", "ful"}, {"ousness", "ous"}, {"aliti", "al"},  {"iviti", "ive"}, {"biliti", "ble"},
      {"fulli", "ful"},
  }};
  if (word.ends_with("logi"))  // the l counts with the stem, so that "geologi" is long enough
    return measure(word.substr(0, word.size() - 3)) > 0 ? with_suffix(word, 1, "") : std::string(word);
  return apply(word, kRules, 0);
}

std::string step_3(std::string_view word) {
  static constexpr std::array<Rule, 7> kRules = {{{"icate", "ic"},
                                                  {"ative", ""},
                                                  {"alize", "al"},
                                                  {"iciti", "ic"},
                                                  {"ical", "ic"},
                                                  {"ful", ""},
                                                  {"ness", ""}}};
  return apply(word, kRules, 0);
}

std::string step_4(std::string_view word) {
  static constexpr std::array<Rule, 11> kBeforeIon = {{{"al", ""},
                                                       {"ance", ""},
                                                       {"ence", ""},
                                                       {"er", ""},
                                                       {"ic", ""},
                                                       {"able", ""},
                                                       {"ible", ""},
                                                       {"ant", ""},
                                                       {"ement", ""},
                                                       {"ment", ""},
                                                       {"ent", ""}}};
  static constexpr std::array<Rule, 7> kAfterIon = {
      {{"ou", ""}, {"ism", ""}, {"ate", ""}, {"iti", ""}, {"ous", ""}, {"ive", ""}, {"ize", ""}}};
  if (word.ends_with("ion")) {
    const std::string_view stem = word.substr(0, word.size() - 3);
    return measure(stem) > 1 && (stem.ends_with("s") || stem.ends_with("t")) ? std::string(stem)
                                                                             : std::string(word);
  }
  const bool before = std::any_of(kBeforeIon.begin(), kBeforeIon.end(),
                                  [&](const Rule& rule) { return word.ends_with(rule.suffix); });
  return before ? apply(word, kBeforeIon, 1) : apply(word, kAfterIon, 1);
}

std::string step_5(std::string word) {
  if (word.ends_with("e")) {
    const std::string_view stem = std::string_view(word).substr(0, word.size() - 1);
    if (measure(stem) > 1 || (measure(stem) == 1 && !ends_in_cvc(stem))) word.pop_back();
  }
  if (word.ends_with("ll") && measure(std::string_view(word).substr(0, word.size() - 1)) > 1) word.pop_back();
  return word;
}

}  // namespace

std::string porter_stem(std::string_view word) {
  for (const auto& [form, stem] : kIrregular) {
    if (form == word) return std::string(stem);
  }
  if (word.size() <= 2) return std::string(word);
  return step_5(step_4(step_3(step_2(step_1c(step_1b(step_1a(word)))))));
}

}  // namespace loam::eval
