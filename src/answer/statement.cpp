#include "answer/statement.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "answer/numbers.h"
#include "base/utf8.h"
#include "baseline/words.h"

namespace loam::answer {
namespace {

using baseline::Word;
using Set = std::unordered_set<std::string_view>;

/// Different words for one thing, by stem. Short on purpose: contracts keep "client" and "customer" apart.
const std::unordered_map<std::string_view, std::string_view>& canonical_stems() {
  static const std::unordered_map<std::string_view, std::string_view> kStems = {
      {"permit", "allow"},  {"permitt", "allow"},   {"commenc", "start"},   {"begin", "start"},
      {"purchas", "buy"},   {"obtain", "receiv"},   {"get", "receiv"},      {"phon", "telephon"},
      {"max", "maximum"},   {"min", "minimum"},     {"gues", "guest"},      {"vacation", "holiday"},
      {"car", "car"},       {"maximal", "maximum"}, {"minimal", "minimum"}, {"annual", "year"},
      {"yearly", "year"},   {"monthly", "month"},   {"weekly", "week"},     {"daily", "day"},
      {"payabl", "payabl"}, {"assist", "help"},     {"locat", "locat"},     {"metr", "meter"},
      {"colour", "color"},  {"centr", "center"},    {"licenc", "licens"},   {"organis", "organiz"},
      {"e", "e"},
  };
  return kStems;
}

const Set& forbidding() {
  static const Set kWords = {"forbid", "forbids", "forbidden", "prohibit", "prohibits",  "prohibited",
                             "ban",    "bans",    "banned",    "disallow", "disallowed", "disallows"};
  return kWords;
}

/// Words that turn around what follows.
bool negates(std::string_view word) {
  static const Set kWords = {
      "not",       "no",       "never",     "nor",       "neither", "nobody",     "none",     "nothing",
      "nowhere",   "cannot",   "hardly",    "rarely",    "seldom",  "barely",     "scarcely", "refuse",
      "refuses",   "refused",  "fail",      "fails",     "failed",  "deny",       "denies",   "denied",
      "reject",    "rejects",  "rejected",  "cease",     "ceases",  "ceased",     "prevent",  "prevents",
      "prevented", "exclude",  "excludes",  "excluded",  "lack",    "lacks",      "lacked",   "false",
      "untrue",    "wrong",    "incorrect", "stop",      "stops",   "stopped",    "avoid",    "avoids",
      "avoided",   "former",   "formerly",  "allegedly", "alleged", "supposedly", "almost",   "abolished",
      "cancelled", "canceled", "waived",    "nicht",     "kein",    "keine",      "keinen",   "keiner",
      "nie"};
  return kWords.contains(word) || word.ends_with("n't");
}

/// Conditions and exceptions: dropping or adding one changes what is promised.
bool limits_promise(std::string_view word) {
  static const Set kWords = {"if",        "unless",   "except",    "excepting", "without",
                             "only",      "provided", "excluding", "solely",    "exclusively",
                             "otherwise", "however",  "although",  "instead",   "besides",
                             "whether",   "until",    "rather",    "apart"};
  return kWords.contains(word);
}

std::string_view quantifier_of(std::string_view word) {
  static const std::unordered_map<std::string_view, std::string_view> kWords = {
      {"all", "all"},           {"every", "all"},           {"each", "all"},
      {"any", "all"},           {"both", "both"},           {"some", "some"},
      {"several", "several"},   {"many", "many"},           {"most", "most"},
      {"few", "few"},           {"half", "half"},           {"certain", "some"},
      {"either", "either"},     {"various", "several"},     {"another", "another"},
      {"everyone", "all"},      {"everybody", "all"},       {"part", "part"},
      {"partly", "part"},       {"fully", "fully"},         {"always", "always"},
      {"often", "often"},       {"sometimes", "sometimes"}, {"usually", "usually"},
      {"generally", "usually"}, {"normally", "usually"},    {"occasionally", "sometimes"},
      {"mostly", "most"},       {"mainly", "most"},         {"twice", "twice"},
      {"once", "once"},         {"double", "double"},       {"triple", "triple"}};
  const auto found = kWords.find(word);
  return found == kWords.end() ? std::string_view{} : found->second;
}

bool is_preposition(std::string_view word) {
  static const Set kWords = {
      "before", "after", "above",  "below",  "over",    "under",  "against", "without", "until",
      "till",   "since", "within", "during", "between", "beyond", "past",    "from",    "to",
      "by",     "for",   "with",   "in",     "on",      "at",     "of",      "into",    "through",
      "per",    "as",    "than",   "up",     "down",    "off",    "out",     "onto",    "upon"};
  return kWords.contains(word);
}

bool is_pronoun(std::string_view word) {
  static const Set kWords = {"it",  "they",  "he",  "she", "this", "these", "those", "that",
                             "its", "their", "his", "her", "such", "both",  "there", "here",
                             "we",  "you",   "i",   "our", "your", "my"};
  return kWords.contains(word);
}

bool is_be(std::string_view word) {
  static const Set kWords = {"is", "are", "was", "were", "be", "been", "being"};
  return kWords.contains(word);
}

bool is_auxiliary(std::string_view word) {
  static const Set kWords = {"is",     "are",   "was",   "were",  "be",   "has", "have",
                             "had",    "must",  "may",   "shall", "will", "can", "could",
                             "should", "would", "might", "do",    "does", "did", "cannot"};
  return kWords.contains(word);
}

/// Comparators that stand before a number: the longest first.
struct Limit {
  std::string_view words;
  std::string_view sign;
};
constexpr std::array<Limit, 62> kLimitsBefore = {{
    {"no later than", "by"},
    {"not later than", "by"},
    {"no less than", ">="},
    {"not less than", ">="},
    {"no fewer than", ">="},
    {"no more than", "<="},
    {"not more than", "<="},
    {"not exceed", "<="},
    {"not exceeding", "<="},
    {"a minimum of", ">="},
    {"a maximum of", "<="},
    {"minimum of", ">="},
    {"maximum of", "<="},
    {"at least", ">="},
    {"at most", "<="},
    {"up to", "<="},
    {"more than", ">"},
    {"greater than", ">"},
    {"longer than", ">"},
    {"higher than", ">"},
    {"larger than", ">"},
    {"older than", ">"},
    {"later than", "after"},
    {"earlier than", "before"},
    {"less than", "<"},
    {"fewer than", "<"},
    {"shorter than", "<"},
    {"lower than", "<"},
    {"smaller than", "<"},
    {"younger than", "<"},
    {"prior to", "before"},
    {"over", ">"},
    {"above", ">"},
    {"exceeding", ">"},
    {"exceeds", ">"},
    {"exceed", ">"},
    {"under", "<"},
    {"below", "<"},
    {"about", "~"},
    {"around", "~"},
    {"approximately", "~"},
    {"approx", "~"},
    {"roughly", "~"},
    {"circa", "~"},
    {"ca", "~"},
    {"nearly", "~"},
    {"almost", "~"},
    {"some", "~"},
    {"within", "within"},
    {"before", "before"},
    {"after", "after"},
    {"until", "until"},
    {"till", "until"},
    {"by", "by"},
    {"since", "since"},
    {"from", "from"},
    {"to", "to"},
    {"between", "between"},
    {"every", "every"},
    {"beyond", ">"},
    {"minus", "minus"},
    {"than", "than"},
}};
constexpr std::array<Limit, 22> kLimitsAfter = {{
    {"or more", ">="},   {"or less", "<="},  {"or fewer", "<="},   {"or longer", ">="},
    {"or older", ">="},  {"or later", ">="}, {"or earlier", "<="}, {"or higher", ">="},
    {"or above", ">="},  {"or below", "<="}, {"and above", ">="},  {"and over", ">="},
    {"at least", ">="},  {"at most", "<="},  {"before", "before"}, {"after", "after"},
    {"prior", "before"}, {"ago", "ago"},     {"later", "later"},   {"earlier", "earlier"},
    {"less", "less"},    {"more", "more"},
}};

/// Words of a limit, split once.
std::vector<std::string_view> split(std::string_view words) {
  std::vector<std::string_view> parts;
  while (!words.empty()) {
    const std::size_t space = words.find(' ');
    parts.push_back(words.substr(0, space));
    words = space == std::string_view::npos ? std::string_view{} : words.substr(space + 1);
  }
  return parts;
}

class StatementReader {
 public:
  StatementReader(std::string_view text, Span span) : sentence_(slice(text, span)), offset_(span.start) {
    statement_.span = span;
    words_ = baseline::words_of(sentence_);
    numbers_ = numbers_of(sentence_);
  }

  Statement read() {
    classify();
    mark_passive();
    std::size_t number = 0;
    std::size_t last_end = 0;
    for (std::size_t w = 0; w < words_.size() || number < numbers_.size();) {
      const bool number_next = number < numbers_.size() &&
                               (w >= words_.size() || numbers_[number].span.start <= words_[w].span.start);
      if (number_next) {
        const Number& found = numbers_[number++];
        punctuation(last_end, found.span.start);
        const std::size_t first_word = w;
        while (w < words_.size() && words_[w].span.start < found.span.end) ++w;
        add_number(found, first_word, w);
        last_end = std::max(last_end, found.span.end);
        continue;
      }
      punctuation(last_end, words_[w].span.start);
      last_end = words_[w].span.end;
      w = add_word(w);
      if (w > 0) last_end = std::max(last_end, words_[w - 1].span.end);
    }
    close_clause();
    if (statement_.subject_end == 0) statement_.subject_end = default_subject();
    std::sort(statement_.conditions.begin(), statement_.conditions.end());
    return std::move(statement_);
  }

 private:
  void classify() {
    std::string_view trimmed = sentence_;
    while (!trimmed.empty() && (trimmed.back() == ' ' || trimmed.back() == '\n' || trimmed.back() == '"' ||
                                trimmed.back() == ')')) {
      trimmed.remove_suffix(1);
    }
    statement_.question = trimmed.ends_with('?');
    const auto semicolons = std::count(trimmed.begin(), trimmed.end(), ';');
    statement_.table_row = trimmed.find(" | ") != std::string_view::npos || trimmed.starts_with('|') ||
                           trimmed.find('\t') != std::string_view::npos ||
                           (semicolons >= 1 && std::count(trimmed.begin(), trimmed.end(), ':') > semicolons);
    statement_.heading = trimmed.starts_with('#') ||
                         (!trimmed.empty() && words_.size() <= 8 && numbers_.empty() &&
                          !statement_.table_row && !trimmed.starts_with('-') && !trimmed.starts_with('*') &&
                          std::string_view(".!?;,").find(trimmed.back()) == std::string_view::npos);
    if (!words_.empty() && is_pronoun(words_.front().lower)) {
      statement_.starts_with_pronoun = true;
      statement_.pronoun = words_.front().lower;
    }
  }

  /// "is paid by": be, up to two words, a participle, then "by" that introduces no number.
  void mark_passive() {
    for (std::size_t i = 0; i + 2 < words_.size(); ++i) {
      if (!is_be(words_[i].lower)) continue;
      for (std::size_t j = i + 1; j < std::min(i + 12, words_.size() - 1); ++j) {
        if (words_[j].lower != "by") continue;
        const bool counts = std::any_of(numbers_.begin(), numbers_.end(), [&](const Number& n) {
          return n.span.start <= words_[j + 1].span.start && words_[j + 1].span.start < n.span.end;
        });
        if (!counts) {
          statement_.passive = true;
          by_ = j;
        }
        return;
      }
    }
  }

  void punctuation(std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to && i < sentence_.size(); ++i) {
      const char byte = sentence_[i];
      if (byte == '(' || byte == '[') ++depth_;
      if ((byte == ')' || byte == ']') && depth_ > 0) --depth_;
      if (byte == ',') raise(Break::comma);
      if (byte == ';' || byte == ':' || byte == '|' || byte == '\t' || byte == '.' || byte == '!' ||
          byte == '?')
        new_clause();
      if (byte == '|' || byte == '\t' || byte == ';') ++cell_;
      // A dash between spaces.
      if (byte == '-' && i > from && i + 1 < to && sentence_[i - 1] == ' ' && sentence_[i + 1] == ' ')
        new_clause();
      if (sentence_.substr(i).starts_with("—") || sentence_.substr(i).starts_with(" – ")) new_clause();
      if (byte == '/' && from > 0) raise(Break::conjunction_or);
    }
    if (break_ == Break::comma) close_negations();
  }

  void raise(Break value) { break_ = std::max(break_, value); }

  void new_clause() {
    raise(Break::clause);
    close_clause();
    ++clause_;
    mood_ = Mood::plain;
  }

  /// Negations reach to the next comma; one with nothing behind it denies the clause before it.
  void close_negations() {
    for (const std::size_t start : open_negations_) {
      const std::size_t end = statement_.units.size();
      statement_.negations.push_back(start < end ? Negation{start, end} : Negation{clause_first_, end});
    }
    open_negations_.clear();
  }

  void close_clause() {
    close_negations();
    for (; pending_negations_ > 0; --pending_negations_) {
      statement_.negations.push_back({clause_first_, statement_.units.size()});
    }
    clause_first_ = statement_.units.size();
  }

  std::string word_at(std::size_t w) const { return w < words_.size() ? words_[w].lower : std::string(); }

  /// Comparators directly before word `w` (exclusive) or byte `at`.
  std::string limit_before(std::size_t w, std::size_t at) const {
    // Only blanks, opening brackets and currency signs may stand between.
    if (w == 0) return sentence_.substr(0, at).ends_with("~") ? "~" : "";
    const std::string_view gap = sentence_.substr(words_[w - 1].span.end, at - words_[w - 1].span.end);
    if (gap.find('~') != std::string_view::npos || gap.find("≈") != std::string_view::npos) return "~";
    if (gap.find("≤") != std::string_view::npos) return "<=";
    if (gap.find("≥") != std::string_view::npos) return ">=";
    if (gap.find('<') != std::string_view::npos) return "<";
    if (gap.find('>') != std::string_view::npos) return ">";
    if (gap.find_first_of(",;|:") != std::string_view::npos) return "";
    std::size_t last = w;
    while (last > 0 &&
           (word_at(last - 1) == "the" || word_at(last - 1) == "eur" || word_at(last - 1) == "usd" ||
            word_at(last - 1) == "gbp" || word_at(last - 1) == "chf")) {
      --last;
    }
    for (const Limit& limit : kLimitsBefore) {
      const std::vector<std::string_view> parts = split(limit.words);
      if (parts.size() > last) continue;
      bool same = true;
      for (std::size_t i = 0; i < parts.size() && same; ++i)
        same = words_[last - parts.size() + i].lower == parts[i];
      if (same) return std::string(limit.sign);
    }
    return "";
  }

  std::string limit_after(std::size_t w, std::size_t at) const {
    if (w >= words_.size()) return "";
    const std::string_view gap = sentence_.substr(at, words_[w].span.start - at);
    if (gap.find_first_not_of(" ") != std::string_view::npos) return "";
    for (const Limit& limit : kLimitsAfter) {
      const std::vector<std::string_view> parts = split(limit.words);
      bool same = w + parts.size() <= words_.size();
      for (std::size_t i = 0; i < parts.size() && same; ++i) same = words_[w + i].lower == parts[i];
      if (same) return std::string(limit.sign);
    }
    return "";
  }

  void add_number(const Number& number, std::size_t first_word, std::size_t after_word) {
    if (number.word_one) {
      // "one" counts only with a unit; elsewhere it is a pronoun or an article.
      preposition_.clear();
      return;
    }
    Unit unit;
    unit.number = true;
    unit.key = number.key();
    unit.span = {offset_ + number.span.start, offset_ + number.span.end};
    const std::string before = limit_before(first_word, number.span.start);
    const std::string after = limit_after(after_word, number.span.end);
    unit.limit = before + (before.empty() || after.empty() ? "" : " ") + after;
    // 5-10 and 5–10 are the ends of a range, not two numbers.
    const std::string_view behind = sentence_.substr(number.span.end);
    const std::string_view ahead = sentence_.substr(0, number.span.start);
    const auto digit_next = [](std::string_view text, std::size_t dash) {
      const std::size_t at = text.find_first_not_of(' ', dash);
      return at != std::string_view::npos && at < text.size() &&
             (text[at] == '$' || is_digit(decode_utf8(text.substr(at)).value));
    };
    if ((behind.starts_with('-') && digit_next(behind, 1)) ||
        (behind.starts_with("–") && digit_next(behind, 3)) ||
        (behind.starts_with(" – ") && digit_next(behind, 5)) ||
        (behind.starts_with(" - ") && digit_next(behind, 3))) {
      unit.limit += "from..";
      range_ = true;
    } else if (range_ && (ahead.ends_with('-') || ahead.ends_with("–") || ahead.ends_with("- ") ||
                          ahead.ends_with("– ") || ahead.ends_with('$'))) {
      unit.limit += "..to";
      range_ = false;
    }
    finish(unit);
  }

  std::size_t add_word(std::size_t w) {
    const Word& word = words_[w];
    const std::string& lower = word.lower;
    if (statement_.subject_end == 0 && is_auxiliary(lower) && !statement_.units.empty()) {
      statement_.subject_end = statement_.units.size();
      statement_.auxiliary = true;
    }
    if (limits_promise(lower)) statement_.conditions.push_back(lower);
    if (lower == "in" && word_at(w + 1) == "case") statement_.conditions.emplace_back("if");
    if (lower == "as" && word_at(w + 1) == "long" && word_at(w + 2) == "as")
      statement_.conditions.emplace_back("if");
    if (lower == "but" || lower == "while" || lower == "whereas") {
      new_clause();
      return w + 1;
    }
    if (lower == "and") raise(Break::conjunction_and);
    if (lower == "or" || lower == "nor") raise(Break::conjunction_or);
    // Moods, with the longer forms of "must" and "may".
    if (const std::size_t used = mood(w); used > 0) return w + used;
    if (forbidding().contains(lower)) {
      ++pending_negations_;
      add_content("allow", word, false);
      return w + 1;
    }
    if (negates(lower)) {
      // "no more than", "not exceeding", "no later than" limit a number and deny nothing.
      const std::string next = word_at(w + 1);
      const bool limit = (lower == "no" || lower == "not") &&
                         (((next == "more" || next == "less" || next == "fewer" || next == "later") &&
                           word_at(w + 2) == "than") ||
                          next == "exceeding");
      if (limit) return w + 3 <= words_.size() && next != "exceeding" ? w + 3 : w + 2;
      ++pending_negations_;
      return w + 1;
    }
    const bool at_most = lower == "most" && w > 0 && word_at(w - 1) == "at";
    if (const std::string_view quantifier = quantifier_of(lower); !quantifier.empty() && !at_most) {
      quantifier_ = std::string(quantifier);
      return w + 1;
    }
    if (is_preposition(lower)) preposition_ = lower;
    if (word.stop || at_most || lower == "yes" || lower == "least" || lower == "more" || lower == "less") {
      if ((lower == "more" || lower == "less") && word_at(w + 1) != "than" && !limit_word(w))
        add_content(lower, word, false);
      return w + 1;
    }
    if (comparator_only(w)) return w + 1;
    const auto canonical = canonical_stems().find(word.stem);
    const bool named = word.digit || word.all_capitals || (word.capital && !word.sentence_start);
    add_content(canonical != canonical_stems().end() && !named ? std::string(canonical->second) : word.stem,
                word, named);
    return w + 1;
  }

  /// "more" and "less" that belong to a number: "or more", "14 days more".
  bool limit_word(std::size_t w) const {
    return w > 0 && (word_at(w - 1) == "or" || word_at(w - 1) == "and");
  }

  /// Words that only limit the number right behind them: they are in Unit::limit.
  bool comparator_only(std::size_t w) const {
    static const Set kWords = {"approximately", "approx", "roughly",   "circa", "ca",
                               "nearly",        "around", "exceeding", "prior"};
    return kWords.contains(words_[w].lower);
  }

  std::size_t mood(std::size_t w) {
    const std::string lower = word_at(w);
    const std::string next = word_at(w + 1);
    const auto governs = [this](Mood value) { mood_ = value; };
    if (lower == "must" || lower == "shall" || lower == "mustn't")
      return governs(Mood::obliged), negated_mood(lower);
    if (lower == "may" && !is_month(w)) return governs(Mood::permitted), 1U;
    if (lower == "can" || lower == "could" || lower == "might") return governs(Mood::permitted), 1U;
    if (lower == "cannot" || lower == "can't") return governs(Mood::permitted), negated_mood(lower);
    if (lower == "should" || lower == "shouldn't") return governs(Mood::advised), negated_mood(lower);
    if ((lower == "has" || lower == "have" || lower == "had" || lower == "need" || lower == "needs") &&
        next == "to") {
      return governs(Mood::obliged), 2U;
    }
    if ((lower == "required" || lower == "obliged" || lower == "obligated") && next == "to") {
      return governs(Mood::obliged), 2U;
    }
    if ((lower == "entitled" || lower == "allowed" || lower == "permitted") && next == "to") {
      return governs(Mood::permitted), 2U;
    }
    return 0;
  }

  std::size_t negated_mood(const std::string& lower) {
    if (negates(lower)) ++pending_negations_;
    return 1;
  }

  bool is_month(std::size_t w) const { return words_[w].capital && !words_[w].sentence_start; }

  void add_content(std::string key, const Word& word, bool name) {
    Unit unit;
    unit.key = std::move(key);
    unit.span = {offset_ + word.span.start, offset_ + word.span.end};
    unit.name = name;
    const std::string_view written = slice(sentence_, word.span);
    unit.possessive = written.ends_with("'s") || written.ends_with("’s") ||
                      (sentence_.substr(word.span.end).starts_with("' ") && written.ends_with('s'));
    finish(unit);
  }

  void finish(Unit& unit) {
    unit.before = statement_.units.empty() ? Break::none : break_;
    unit.preposition = preposition_;
    unit.quantifier = quantifier_;
    unit.mood = mood_;
    unit.clause = clause_;
    unit.cell = cell_;
    unit.in_aside = depth_ > 0;
    for (; pending_negations_ > 0; --pending_negations_) open_negations_.push_back(statement_.units.size());
    if (statement_.passive && statement_.agent == 0 && by_ < words_.size() &&
        unit.span.start > offset_ + words_[by_].span.start) {
      statement_.agent = statement_.units.size();
    }
    statement_.units.push_back(std::move(unit));
    break_ = Break::none;
    preposition_.clear();
    quantifier_.clear();
  }

  std::size_t default_subject() const {
    const std::vector<Unit>& units = statement_.units;
    std::size_t end = 0;
    while (end < units.size() && units[end].name && (end == 0 || units[end].before == Break::none)) ++end;
    return std::max<std::size_t>(end, std::min<std::size_t>(1, units.size()));
  }

  std::string_view sentence_;
  std::size_t offset_;
  Statement statement_;
  std::vector<Word> words_;
  std::vector<Number> numbers_;
  std::size_t by_ = static_cast<std::size_t>(-1);
  Break break_ = Break::none;
  std::string preposition_, quantifier_;
  Mood mood_ = Mood::plain;
  std::size_t clause_ = 0, clause_first_ = 0, cell_ = 0, pending_negations_ = 0;
  int depth_ = 0;
  bool range_ = false;
  std::vector<std::size_t> open_negations_;
};

}  // namespace

Statement read_statement(std::string_view text, Span span) { return StatementReader(text, span).read(); }

bool is_free_word(std::string_view key) {
  static const Set kWords = {"accord", "document", "passag", "text",  "mention", "describ", "indicat",
                             "answer", "yes",      "amount", "equal", "say",     "sourc"};
  return kWords.contains(key);
}

}  // namespace loam::answer
