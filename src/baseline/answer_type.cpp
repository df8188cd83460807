// Which kind of answer a question asks for, and whether a sentence holds one.
#include <algorithm>
#include <array>
#include <unordered_set>

#include "baseline/features.h"
#include "baseline/words.h"

namespace loam::baseline {
namespace {

using Set = std::unordered_set<std::string_view>;

bool one_of(std::string_view word, const Set& set) { return set.contains(word); }

const Set& number_words() {
  static const Set kWords = {
      "one",       "two",      "three",    "four",    "five",     "six",      "seven",   "eight",
      "nine",      "ten",      "eleven",   "twelve",  "thirteen", "fourteen", "fifteen", "sixteen",
      "seventeen", "eighteen", "nineteen", "twenty",  "thirty",   "forty",    "fifty",   "sixty",
      "seventy",   "eighty",   "ninety",   "hundred", "thousand", "million",  "billion", "half",
      "third",     "quarter",  "dozen",    "once",    "twice",    "none",     "zero"};
  return kWords;
}

const Set& calendar_words() {
  static const Set kWords = {
      "january",  "february", "march",    "april",     "june",     "july",      "august",   "september",
      "october",  "november", "december", "monday",    "tuesday",  "wednesday", "thursday", "friday",
      "saturday", "sunday",   "century",  "centuries", "today",    "tomorrow",  "noon",     "midnight",
      "morning",  "evening",  "spring",   "summer",    "autumn",   "winter",    "quarter",  "daily",
      "weekly",   "monthly",  "annually", "yearly",    "quarterly"};
  return kWords;
}

const Set& duration_words() {
  static const Set kWords = {"second",  "minute", "hour",   "day",     "week",  "fortnight", "month",
                             "quarter", "year",   "decade", "century", "night", "permanent", "indefinit"};
  return kWords;
}

/// "every six months", "twice a day", "three times", "weekly", "after each use".
bool holds_frequency(const std::vector<Word>& words) {
  static const Set kEach = {"every", "each", "per"};
  static const Set kRegular = {"daily",   "weekly", "monthly", "quarterly",   "yearly",       "annually",
                               "annual",  "hourly", "nightly", "fortnightly", "biannually",   "twice",
                               "once",    "always", "never",   "regularly",   "continuously", "constantly",
                               "anytime", "seldom", "rarely",  "sometimes",   "occasionally"};
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (one_of(words[i].lower, kRegular)) return true;
    if (i + 1 == words.size()) continue;
    if (one_of(words[i].lower, kEach)) return true;
    const bool counts = words[i].digit || one_of(words[i].lower, number_words());
    if (counts && (words[i + 1].lower == "times" || words[i + 1].lower == "time")) return true;
  }
  return false;
}

const Set& money_words() {
  static const Set kWords = {"eur",   "euro",  "usd",   "dollar", "gbp", "pound", "chf",  "franc",
                             "cent",  "penny", "pence", "yen",    "jpy", "cny",   "yuan", "inr",
                             "rupee", "free",  "fre",   "sek",    "nok", "dkk",   "pln"};
  return kWords;
}

const Set& role_words() {
  static const Set kWords = {
      "manager",    "director", "officer",   "team",     "department", "landlord", "tenant",  "employer",
      "employe",    "employee", "supplier",  "customer", "committe",   "board",    "hr",      "staff",
      "party",      "owner",    "buyer",     "seller",   "contractor", "client",   "head",    "operator",
      "technician", "doctor",   "president", "king",     "queen",      "author",   "company", "agency"};
  return kWords;
}

const Set& place_words() {
  static const Set kWords = {"in",     "at",      "near", "on", "under",  "behind",
                             "inside", "outside", "from", "to", "through"};
  return kWords;
}

const Set& measure_words() {  // for "how long" of things that are no time
  static const Set kWords = {"km", "kilometre", "kilometer", "metr", "meter", "mil", "foot", "feet",
                             "ft", "inch",      "cm",        "mm",   "yard",  "m",   "pag",  "word"};
  return kWords;
}

bool names_price(const Word& word) {
  static const Set kWords = {"price", "pric", "cost", "fee", "charg", "rent", "salary", "amount", "total"};
  return one_of(word.stem, kWords);
}

bool is_month(const Word& word) {
  static const Set kMonths = {"january", "february", "march",     "april",   "may",      "june",
                              "july",    "august",   "september", "october", "november", "december"};
  return word.capital && one_of(word.lower, kMonths);
}

/// The clock, telephone numbers, days and years of dates and the like: digits, but no count of anything.
bool is_counting(std::string_view text, const std::vector<Word>& words, std::size_t i) {
  const auto padded = [](const Word& word) {
    return word.lower.size() > 1 && word.lower[0] == '0' && word.digit;
  };
  const auto joined = [&](std::size_t left, std::size_t right) {  // "08:30", "0113 496"
    if (words[right].span.start != words[left].span.end + 1) return false;
    const char between = text[words[left].span.end];
    if (!words[left].digit || !words[right].digit) return false;
    return between == ':' ||
           ((between == ' ' || between == '-') && (padded(words[left]) || padded(words[right])));
  };
  if ((i > 0 && is_month(words[i - 1])) || (i + 1 < words.size() && is_month(words[i + 1]))) return false;
  return !padded(words[i]) && !(i > 0 && joined(i - 1, i)) && !(i + 1 < words.size() && joined(i, i + 1));
}

/// A year, or digits that stand with others as in 31.12., 08:30, 2024-03-01 and 5pm.
bool is_date_like(std::string_view text, const std::vector<Word>& words, std::size_t i) {
  const Word& word = words[i];
  if (!word.digit) return false;
  const bool only_digits = word.lower.find_first_not_of("0123456789") == std::string::npos;
  if (only_digits && word.lower.size() == 4 && (word.lower[0] == '1' || word.lower[0] == '2')) return true;
  for (const std::string_view ending : {"s", "st", "nd", "rd", "th", "am", "pm", "bc", "ad"}) {
    if (!only_digits && word.lower.ends_with(ending)) return true;  // "1980s", "19th"
  }
  if (i + 1 == words.size()) return false;
  const Word& next = words[i + 1];
  static const Set kEras = {"am", "pm", "bc", "ad", "bce", "ce", "o'clock"};
  if (one_of(next.lower, kEras)) return true;
  return next.digit && next.span.start == word.span.end + 1 &&
         std::string_view(":/-").find(text[word.span.end]) != std::string_view::npos;
}

bool asks_for_temperature(std::string_view question) {
  const std::vector<Word> words = words_of(question);
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i].lower == "temperature" || words[i].lower == "temperatures") return true;
    if (i > 0 && words[i - 1].lower == "how" && (words[i].lower == "hot" || words[i].lower == "cold"))
      return true;
  }
  return false;
}

}  // namespace

bool is_number_word(const Word& word) { return word.digit || one_of(word.lower, number_words()); }

bool is_measure(AnswerType type) {
  return type == AnswerType::number || type == AnswerType::money || type == AnswerType::percent ||
         type == AnswerType::date || type == AnswerType::duration || type == AnswerType::frequency;
}

AnswerType answer_type_of(std::string_view question) {
  const std::vector<Word> words = words_of(question);
  const auto says = [&words](std::string_view word) {
    return std::any_of(words.begin(), words.end(),
                       [word](const Word& w) { return w.lower == word || w.stem == word; });
  };
  const auto any_of = [&says](std::initializer_list<std::string_view> list) {
    return std::any_of(list.begin(), list.end(), says);
  };
  const bool priced = any_of({"cost", "price", "pay", "paid", "fee", "rent", "salary", "charg", "worth",
                              "deposit", "fin", "budget", "expens", "rate", "money", "amount", "penalty"});
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i].lower;
    const std::string next = i + 1 < words.size() ? words[i + 1].lower : "";
    if (word == "how") {
      if (next == "much") return priced ? AnswerType::money : AnswerType::number;
      if (next == "long") return AnswerType::duration;
      static const Set kMeasures = {"many", "old",  "far", "tall", "high", "large", "big",   "fast", "heavy",
                                    "deep", "wide", "hot", "cold", "soon", "late",  "early", "loud", "thick"};
      if (next == "often" || next == "frequently") return AnswerType::frequency;
      if (one_of(next, kMeasures)) return next == "soon" ? AnswerType::duration : AnswerType::number;
      continue;
    }
    if (word == "when") return AnswerType::date;
    if (word == "who" || word == "whom" || word == "whose") return AnswerType::name;
    if (word == "where") return AnswerType::place;
    if (word == "why") return AnswerType::reason;
    if (word == "what" || word == "which") {
      // "What does a subscription for six months cost?": the verb at the end decides.
      if ((next == "does" || next == "do" || next == "did") && any_of({"cost"})) return AnswerType::money;
      // What stands right behind decides: "what percentage", "in which year", "what is the price".
      for (std::size_t j = i + 1; j < words.size() && j <= i + 5; ++j) {
        const std::string& asked = words[j].stem;
        if (asked == "percentag" || asked == "percent" || asked == "proportion") return AnswerType::percent;
        if (asked == "year" || asked == "dat" || asked == "day" || asked == "month" || asked == "deadlin" ||
            asked == "century" || asked == "tim" || asked == "decad") {
          return AnswerType::date;
        }
        if (asked == "number" || asked == "temperatur" || asked == "voltag" || asked == "weight" ||
            asked == "height" || asked == "length" || asked == "siz" || asked == "population" ||
            asked == "capacity" || asked == "pressur") {
          return AnswerType::number;
        }
        if (asked == "price" || asked == "pric" || asked == "cost" || asked == "fee" || asked == "rent" ||
            asked == "salary" || asked == "deposit") {
          return AnswerType::money;
        }
        if (asked == "period" || asked == "duration") return AnswerType::duration;
        if (asked == "city" || asked == "country" || asked == "stat" || asked == "town" ||
            asked == "region" || asked == "person" || asked == "company" || asked == "nam" ||
            asked == "team" || asked == "university") {
          return AnswerType::name;
        }
      }
      return any_of({"cost"}) ? AnswerType::money : AnswerType::any;
    }
  }
  return AnswerType::any;
}

bool holds_answer_of(AnswerType type, std::string_view text, std::string_view question) {
  if (type == AnswerType::any) return true;
  const std::vector<Word> words = words_of(text);
  std::unordered_set<std::string> asked;
  for (const Word& word : words_of(question)) asked.insert(word.stem);
  const auto is_number = [&asked](const Word& word) {
    return is_number_word(word) && !asked.contains(word.stem);
  };
  const auto found = [&words](auto&& test) { return std::any_of(words.begin(), words.end(), test); };
  switch (type) {
    case AnswerType::number:
      if (asks_for_temperature(question) && text.find("\u00B0") == std::string_view::npos &&
          !found([](const Word& w) { return w.stem == "degre" || w.stem == "degree"; })) {
        return false;
      }
      for (std::size_t i = 0; i < words.size(); ++i) {
        if (is_number(words[i]) && (!words[i].digit || is_counting(text, words, i))) return true;
      }
      return false;
    case AnswerType::money: {
      const bool symbol =
          text.find_first_of("$") != std::string_view::npos || text.find("€") != std::string_view::npos ||
          text.find("£") != std::string_view::npos || text.find("¥") != std::string_view::npos;
      return (symbol && found(is_number)) ||
             found([](const Word& w) { return one_of(w.stem, money_words()); }) ||
             (found(names_price) && found(is_number)) ||  // "Price: 3.20"
             (text.find('%') != std::string_view::npos && found(is_number));
    }
    case AnswerType::percent:
      return found(is_number) && (text.find('%') != std::string_view::npos || found([](const Word& w) {
                                    return w.lower.starts_with("percent") || w.lower == "cent";
                                  }));
    case AnswerType::date:
      for (std::size_t i = 0; i < words.size(); ++i) {
        const Word& word = words[i];
        if (asked.contains(word.stem)) continue;
        if (is_date_like(text, words, i) || one_of(word.lower, calendar_words()) ||
            one_of(word.stem, calendar_words()) || (word.lower == "may" && word.capital)) {
          return true;
        }
      }
      // "18 months after the last purchase"
      return found(is_number) && found([](const Word& w) { return one_of(w.stem, duration_words()); });
    case AnswerType::duration:
      return found([](const Word& w) {
               return one_of(w.stem, duration_words()) || w.lower == "once" || w.lower == "twice" ||
                      w.lower == "daily" || w.lower == "weekly" || w.lower == "monthly" ||
                      w.lower == "yearly" || w.lower == "annually" || w.lower == "always";
             }) ||
             (found(is_number) && found([](const Word& w) { return one_of(w.stem, measure_words()); }));
    case AnswerType::frequency:
      return holds_frequency(words);
    case AnswerType::name:
      return found([&asked](const Word& w) {
               return !asked.contains(w.stem) && !w.stop &&
                      ((w.capital && !w.sentence_start) || one_of(w.stem, role_words()));
             }) ||
             (!words.empty() && words.front().capital && !words.front().stop &&
              !asked.contains(words.front().stem));
    case AnswerType::place:
      for (std::size_t i = 0; i + 1 < words.size(); ++i) {
        if (!one_of(words[i].lower, place_words())) continue;
        for (std::size_t j = i + 1; j < words.size() && j <= i + 3; ++j) {
          if (!words[j].stop && !asked.contains(words[j].stem) && !words[j].digit) return true;
        }
      }
      return false;
    case AnswerType::reason: {
      static const Set kCauses = {"because", "due", "since", "therefore", "caus",  "reason", "so",    "thus",
                                  "result",  "as",  "order", "prevent",   "avoid", "allow",  "becaus"};
      return found([](const Word& w) { return one_of(w.stem, kCauses) || one_of(w.lower, kCauses); });
    }
    case AnswerType::any:
      break;
  }
  return true;
}

}  // namespace loam::baseline
