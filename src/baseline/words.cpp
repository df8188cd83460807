#include "baseline/words.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "base/utf8.h"

namespace loam::baseline {
namespace {

const std::unordered_set<std::string_view>& stop_words() {
  static const std::unordered_set<std::string_view> kWords = {
      "a",       "about",     "above",    "after",     "again",   "against", "all",     "also",    "am",
      "an",      "and",       "any",      "are",       "aren't",  "as",      "at",      "be",      "because",
      "been",    "before",    "being",    "below",     "between", "both",    "but",     "by",      "can",
      "can't",   "cannot",    "could",    "couldn't",  "did",     "didn't",  "do",      "does",    "doesn't",
      "doing",   "don't",     "during",   "each",      "else",    "ever",    "for",     "from",    "further",
      "had",     "hadn't",    "has",      "hasn't",    "have",    "haven't", "having",  "he",      "her",
      "here",    "hers",      "him",      "his",       "how",     "i",       "if",      "in",      "into",
      "is",      "isn't",     "it",       "its",       "itself",  "just",    "let",     "may",     "me",
      "might",   "mine",      "must",     "my",        "no",      "nor",     "not",     "of",      "off",
      "on",      "once",      "only",     "onto",      "or",      "other",   "our",     "ours",    "out",
      "over",    "own",       "please",   "same",      "shall",   "she",     "should",  "so",      "some",
      "such",    "tell",      "than",     "that",      "the",     "their",   "theirs",  "them",    "then",
      "there",   "therefore", "these",    "they",      "this",    "those",   "through", "thus",    "to",
      "too",     "under",     "until",    "up",        "upon",    "us",      "very",    "via",     "was",
      "wasn't",  "we",        "were",     "weren't",   "what",    "when",    "where",   "whether", "which",
      "while",   "who",       "whom",     "whose",     "why",     "will",    "with",    "within",  "without",
      "won't",   "would",     "wouldn't", "yet",       "you",     "your",    "yours",   "hereby",  "herein",
      "thereof", "whereas",   "per",      "etc",       "it's",    "that's",  "there's", "they're", "we're",
      "you're",  "i'm",       "mustn't",  "shouldn't", "needn't", "never",   "one's",   "mr",      "mrs",
      "ms",      "dr",
  };
  return kWords;
}

const std::unordered_map<std::string_view, std::string_view>& irregular_forms() {
  static const std::unordered_map<std::string_view, std::string_view> kForms = {
      {"paid", "pay"},       {"sent", "send"},     {"kept", "keep"},     {"held", "hold"},
      {"made", "mak"},       {"gave", "giv"},      {"given", "giv"},     {"took", "tak"},
      {"taken", "tak"},      {"wrote", "writ"},    {"written", "writ"},  {"began", "begin"},
      {"begun", "begin"},    {"left", "left"},     {"lost", "los"},      {"sold", "sell"},
      {"bought", "buy"},     {"built", "build"},   {"spent", "spend"},   {"met", "meet"},
      {"became", "becom"},   {"chose", "choos"},   {"chosen", "choos"},  {"drew", "draw"},
      {"drawn", "draw"},     {"grew", "grow"},     {"grown", "grow"},    {"knew", "know"},
      {"known", "know"},     {"led", "lead"},      {"ran", "run"},       {"said", "say"},
      {"saw", "see"},        {"seen", "see"},      {"sought", "seek"},   {"shown", "show"},
      {"stood", "stand"},    {"taught", "teach"},  {"thought", "think"}, {"told", "tell"},
      {"went", "go"},        {"gone", "go"},       {"goes", "go"},       {"won", "win"},
      {"children", "child"}, {"people", "person"}, {"men", "man"},       {"women", "woman"},
      {"using", "use"},      {"used", "use"},      {"uses", "use"},      {"agreed", "agre"},
      {"died", "die"},       {"dying", "die"},     {"lay", "lie"},       {"broke", "break"},
      {"broken", "break"},   {"brought", "bring"}, {"caught", "catch"},  {"fell", "fall"},
      {"fallen", "fall"},    {"found", "find"},    {"got", "get"},       {"heard", "hear"},
      {"rose", "ris"},       {"risen", "ris"},     {"shut", "shut"},     {"spoke", "speak"},
      {"spoken", "speak"},   {"worn", "wear"},     {"sell", "sell"},     {"fall", "fall"},
      {"calls", "cal"},      {"owed", "ow"},       {"owes", "ow"},       {"owe", "ow"},
      {"owing", "ow"},       {"due", "due"},       {"news", "news"},     {"does", "do"},
  };
  return kForms;
}

bool is_vowel(char letter) {
  return letter == 'a' || letter == 'e' || letter == 'i' || letter == 'o' || letter == 'u' || letter == 'y';
}

bool has_vowel(std::string_view text) { return std::any_of(text.begin(), text.end(), is_vowel); }

bool is_upper(char32_t value) { return to_lower(value) != value; }

}  // namespace

bool is_stop_word(std::string_view lower_word) { return stop_words().contains(lower_word); }

std::string stem_of(std::string_view lower_word) {
  if (const auto form = irregular_forms().find(lower_word); form != irregular_forms().end()) {
    return std::string(form->second);
  }
  std::string stem(lower_word);
  const bool ascii_letters =
      std::all_of(stem.begin(), stem.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  if (!ascii_letters || stem.size() <= 3) return stem;
  const auto drop = [&stem](std::size_t count) { stem.resize(stem.size() - count); };

  // Plural and third person.
  if (stem.ends_with("ies") && stem.size() > 4) {
    drop(3);
    stem += 'y';
  } else if (stem.ends_with('s') && !stem.ends_with("ss") && !stem.ends_with("us") && !stem.ends_with("is")) {
    drop(1);
  }
  // Past and progressive.
  if (stem.ends_with("ied") && stem.size() > 4) {
    drop(3);
    stem += 'y';
  } else if (stem.ends_with("ed") && !stem.ends_with("eed") && stem.size() >= 5 &&
             has_vowel(std::string_view(stem).substr(0, stem.size() - 2))) {
    drop(2);
  } else if (stem.ends_with("ing") && stem.size() >= 6 &&
             has_vowel(std::string_view(stem).substr(0, stem.size() - 3))) {
    drop(3);
  } else if (stem.ends_with("ily") && stem.size() > 4) {
    drop(3);
    stem += 'y';
  } else if (stem.ends_with("ly") && stem.size() >= 6) {
    drop(2);
  }
  if (stem.size() > 3 && stem.back() == 'e') drop(1);
  if (stem.size() > 3 && stem.back() == stem[stem.size() - 2] && !is_vowel(stem.back())) drop(1);
  return stem;
}

std::vector<Word> words_of(std::string_view text) {
  std::vector<Word> words;
  bool starts_sentence = true;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint first = decode_utf8(text.substr(at));
    if (!first.valid || !is_letter_or_digit(first.value)) {
      if (first.value == U'.' || first.value == U'!' || first.value == U'?' || first.value == U':' ||
          first.value == U'\n') {
        starts_sentence = true;
      }
      at += first.size;
      continue;
    }
    Word word;
    word.span.start = at;
    word.capital = is_upper(first.value);
    word.sentence_start = starts_sentence;
    starts_sentence = false;
    std::size_t letters = 0;
    std::size_t upper = 0;
    while (at < text.size()) {
      const CodePoint point = decode_utf8(text.substr(at));
      if (point.valid && is_letter_or_digit(point.value)) {
        append_utf8(word.lower, to_lower(point.value));
        word.digit = word.digit || is_digit(point.value);
        letters += is_digit(point.value) ? 0U : 1U;
        upper += is_upper(point.value) ? 1U : 0U;
        at += point.size;
        continue;
      }
      if (point.valid && (point.value == U'\'' || point.value == 0x2019)) {
        const CodePoint next = decode_utf8(text.substr(std::min(at + point.size, text.size())));
        if (next.size > 0 && next.valid && is_letter_or_digit(next.value) && !is_digit(next.value)) {
          word.lower += '\'';
          at += point.size;
          continue;
        }
      }
      break;
    }
    word.span.end = at;
    if (word.lower.ends_with("'s") && !is_stop_word(word.lower)) word.lower.resize(word.lower.size() - 2);
    word.all_capitals = letters >= 2 && upper == letters;
    word.stop = is_stop_word(word.lower);
    word.stem = stem_of(word.lower);
    words.push_back(std::move(word));
  }
  return words;
}

}  // namespace loam::baseline
