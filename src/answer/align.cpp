#include "answer/align.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "answer/numbers.h"
#include "answer/statement.h"
#include "passage/cutter.h"

namespace loam::answer {
namespace {

constexpr std::size_t kMaxClaimBytes = 4096;  // a longer text is no single claim; also bounds the work
constexpr std::size_t kMaxSentences = 16;     // of one claim
constexpr std::size_t kMaxStarts = 8;         // places at which a repeated first word is tried
constexpr std::size_t kMaxSkipped =
    4;  // content words of the evidence that a claim may leave out in one place

using Keys = std::unordered_set<std::string>;
using Places = std::unordered_map<std::string_view, std::vector<std::size_t>>;

/// Where each unit of a claim is in the evidence.
struct Match {
  std::vector<std::ptrdiff_t> place;  ///< -1: from the context, or a word that needs no evidence
  bool lent = false;                  ///< something came from the context
};

/// What surrounds a sentence and may name its subject.
struct Context {
  const Keys* heading = nullptr;
  const Statement* before = nullptr;  ///< the sentence before, when this one starts with a pronoun
};

struct Failure {
  std::string why;
  float overlap = 0;
};

std::string quoted(std::string_view text, const Unit& unit) {
  return "'" + std::string(slice(text, unit.span)) + "'";
}

bool one_of(std::string_view word, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

/// Prepositions that carry meaning of their own.
std::string_view strong(std::string_view word) {
  static const std::unordered_set<std::string_view> kWords = {
      "before", "after", "above",  "below",  "over",    "under",  "against", "without", "until",
      "till",   "since", "within", "during", "between", "beyond", "past",    "than"};
  return kWords.contains(word) ? word : std::string_view{};
}

/// Words that change what the next noun stands for; a claim may not leave them out.
bool changes_meaning(std::string_view key) {
  static const std::unordered_set<std::string_view> kKeys = {
      "maximum", "minimum", "averag",    "net",     "gros",     "additional", "extra",   "reduc", "next",
      "previou", "partial", "temporary", "estimat", "expect",   "propos",     "plan",    "draft", "optional",
      "unpaid",  "paid",    "monthly",   "annual",  "yearly",   "daily",      "weekly",  "month", "year",
      "week",    "day",     "old",       "new",     "more",     "less",       "initial", "final", "total",
      "double",  "non",     "intend",    "try",     "consider", "request",    "ask",     "might", "late",
      "early",   "twic",    "third",     "quarter"};
  return kKeys.contains(key);
}

class Matcher {
 public:
  Matcher(std::string_view claim_text, const Statement& claim, std::string_view evidence_text,
          const Statement& evidence, const Context& context)
      : claim_text_(claim_text), claim_(claim), text_(evidence_text), evidence_(evidence), context_(context) {
    for (std::size_t i = 0; i < evidence_.units.size(); ++i) places_[evidence_.units[i].key].push_back(i);
  }

  /// Nothing when the evidence carries the claim.
  std::optional<Failure> check(Match& match) {
    if (evidence_.question || evidence_.heading || evidence_.units.empty()) return fail("no statement");
    if (claim_.starts_with_pronoun && claim_.pronoun != evidence_.pronoun) {
      return fail("it speaks of '" + claim_.pronoun + "' without saying what that is");
    }
    std::vector<std::size_t> starts = {0};
    if (const auto first = places_.find(claim_.units.front().key); first != places_.end()) {
      starts.assign(first->second.begin(), first->second.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                       first->second.size(), kMaxStarts)));
    }
    std::optional<Failure> failure;
    for (const std::size_t start : starts) {
      std::optional<Failure> now = attempt(start, match);
      if (!now) return std::nullopt;
      if (!failure || now->overlap > failure->overlap) failure = std::move(now);
    }
    return failure;
  }

 private:
  std::optional<Failure> fail(std::string why) const { return Failure{std::move(why), overlap_}; }

  std::optional<Failure> attempt(std::size_t start, Match& match) {
    if (auto failure = place_units(start, match)) return failure;
    if (auto failure = check_denials(match)) return failure;
    if (auto failure = check_attributes(match)) return failure;
    if (evidence_.table_row) return check_row(match);
    if (auto failure = check_order(match)) return failure;
    return check_gaps(match);
  }

  // Every word, name and number of the claim must be there --------------------------------------------------
  std::optional<Failure> place_units(std::size_t start, Match& match) {
    match = {};
    match.place.assign(claim_.units.size(), -1);
    std::size_t found = 0;
    std::ptrdiff_t last = static_cast<std::ptrdiff_t>(start) - 1;
    std::optional<std::string> missing;
    for (std::size_t i = 0; i < claim_.units.size(); ++i) {
      const Unit& unit = claim_.units[i];
      const auto places = places_.find(unit.key);
      std::ptrdiff_t best = -1;
      bool other_limit = false;
      if (places != places_.end()) {
        const std::vector<std::size_t>& all = places->second;
        const auto suits = [&](std::size_t place) {
          return !unit.number || evidence_.units[place].limit == unit.limit;
        };
        auto next =
            std::upper_bound(all.begin(), all.end(), last, [](std::ptrdiff_t value, std::size_t place) {
              return value < static_cast<std::ptrdiff_t>(place);
            });
        next = std::find_if(next, all.end(), suits);
        if (next == all.end()) next = std::find_if(all.begin(), all.end(), suits);
        if (next != all.end()) best = static_cast<std::ptrdiff_t>(*next);
        other_limit = best < 0;
      }
      if (best >= 0) {
        match.place[i] = best;
        last = best;
        ++found;
      } else if (!unit.number && lends(unit.key)) {
        match.lent = true;
        ++found;
      } else if (!free_here(unit)) {
        if (!missing) {
          const std::string what = unit.number ? "the number " : unit.name ? "the name " : "the word ";
          missing = other_limit ? "the limit of " + quoted(claim_text_, unit) + " differs from the source"
                                : what + quoted(claim_text_, unit) +
                                      " is in no matching sentence of the shown passages";
        }
      } else {
        ++found;
      }
    }
    overlap_ = static_cast<float>(found) / static_cast<float>(claim_.units.size());
    if (missing) return fail(*missing);
    if (std::none_of(match.place.begin(), match.place.end(),
                     [](std::ptrdiff_t place) { return place >= 0; })) {
      return fail("only the heading speaks of it");
    }
    return std::nullopt;
  }

  bool lends(const std::string& key) const {
    if (context_.heading != nullptr && context_.heading->contains(key)) return true;
    if (context_.before == nullptr) return false;
    const auto& units = context_.before->units;
    for (std::size_t i = 0; i < context_.before->subject_end && i < units.size(); ++i) {
      if (units[i].key == key && !units[i].number) return true;
    }
    return false;
  }

  /// "costs" beside an amount of money says no more than the amount.
  bool free_here(const Unit& unit) const {
    if (unit.number || unit.name) return false;
    if (is_free_word(unit.key)) return true;
    if (unit.key != "cost" && unit.key != "pric") return false;
    return std::any_of(claim_.units.begin(), claim_.units.end(), [](const Unit& other) {
      return other.number &&
             (other.key.find("|eur") != std::string::npos || other.key.find("|usd") != std::string::npos ||
              other.key.find("|gbp") != std::string::npos || other.key.find("|chf") != std::string::npos);
    });
  }

  // What is denied, and under which condition, must agree
  // -----------------------------------------------------
  std::optional<Failure> check_denials(const Match& match) const {
    if (claim_.conditions != evidence_.conditions) {
      return fail(
          "a condition or exception of the source (such as 'if', 'unless', 'only') is left out or added");
    }
    std::vector<bool> used(evidence_.units.size(), false);
    std::size_t first = evidence_.units.size(), last = 0;
    for (const std::ptrdiff_t place : match.place) {
      if (place < 0) continue;
      used[static_cast<std::size_t>(place)] = true;
      first = std::min(first, static_cast<std::size_t>(place));
      last = std::max(last, static_cast<std::size_t>(place));
    }
    const auto touches = [&](const Negation& negation) {
      for (std::size_t i = negation.scope_start; i < negation.scope_end; ++i) {
        if (used[i]) return true;
      }
      // "for some but not for all": it denies what has no unit of its own, right behind the last one.
      const bool bare = negation.scope_start == negation.scope_end;
      return negation.scope_start > first && negation.scope_start < last + (bare ? 2 : 0);
    };
    const auto relevant = std::count_if(evidence_.negations.begin(), evidence_.negations.end(), touches);
    if (relevant != static_cast<std::ptrdiff_t>(claim_.negations.size()))
      return fail("a negation differs from the source");
    for (const Negation& denied : claim_.negations) {
      const bool same =
          std::any_of(evidence_.negations.begin(), evidence_.negations.end(), [&](const Negation& other) {
            if (denied.scope_start == denied.scope_end) return other.scope_start == other.scope_end;
            for (std::size_t i = denied.scope_start; i < denied.scope_end; ++i) {
              const std::ptrdiff_t place = match.place[i];
              if (place >= static_cast<std::ptrdiff_t>(other.scope_start) &&
                  place < static_cast<std::ptrdiff_t>(other.scope_end)) {
                return true;
              }
            }
            return false;
          });
      if (!same) return fail("a negation stands elsewhere in the source");
    }
    return std::nullopt;
  }

  // How much, how sure, of whom
  // -------------------------------------------------------------------------------
  std::optional<Failure> check_attributes(const Match& match) const {
    const bool same_voice = claim_.passive == evidence_.passive;
    bool claim_permits = false, claim_advises = false, has_and = false, has_or = false;
    for (const Unit& unit : claim_.units) {
      claim_permits |= unit.mood == Mood::permitted;
      claim_advises |= unit.mood == Mood::advised;
      has_and |= unit.before == Break::conjunction_and;
      has_or |= unit.before == Break::conjunction_or;
    }
    for (std::size_t i = 0; i < claim_.units.size(); ++i) {
      if (match.place[i] < 0) {
        if (!claim_.units[i].quantifier.empty() && claim_.units[i].quantifier != "all") {
          return fail("'" + claim_.units[i].quantifier + "' is not in the source");
        }
        continue;
      }
      const Unit& said = claim_.units[i];
      const Unit& source = evidence_.units[static_cast<std::size_t>(match.place[i])];
      const std::string word = quoted(claim_text_, said);
      if (said.quantifier != source.quantifier && !(said.quantifier.empty() && source.quantifier == "all")) {
        return fail("'all', 'some' or another quantity of " + word + " differs from the source");
      }
      const bool first_of_mood = i == 0 || claim_.units[i - 1].mood != said.mood;
      if (said.mood != Mood::plain && first_of_mood && said.mood != source.mood) {
        return fail("must, may or should at " + word + " differs from the source");
      }
      if ((source.mood == Mood::permitted && !claim_permits) ||
          (source.mood == Mood::advised && !claim_advises)) {
        return fail("the source only allows or advises " + word);
      }
      if (strong(said.preposition) != strong(source.preposition)) {
        return fail("before, after or the like at " + word + " differs from the source");
      }
      if (same_voice) {
        const bool said_weak = one_of(said.preposition, {"to", "from", "by"});
        const bool source_weak = one_of(source.preposition, {"to", "from", "by"});
        if (said_weak && source_weak && said.preposition != source.preposition) {
          return fail("to, from or by at " + word + " differs from the source");
        }
        if (said_weak != source_weak && said.preposition != "to" && source.preposition != "to") {
          return fail("from or by at " + word + " differs from the source");
        }
      }
      if (said.possessive != source.possessive)
        return fail(word + " owns something in only one of claim and source");
      if (said.before == Break::conjunction_or && source.before != Break::conjunction_or)
        return fail("'or' is not in the source");
      if (has_and && !has_or && source.before == Break::conjunction_or) return fail("the source says 'or'");
    }
    return std::nullopt;
  }

  // Who does what to whom
  // ---------------------------------------------------------------------------------------
  /// Order of a sentence as if it were active: "B is paid by A on Monday" -> A pay B Monday.
  static std::vector<std::size_t> active_order(const Statement& statement) {
    const std::size_t count = statement.units.size();
    std::vector<std::size_t> order;
    const std::size_t agent = statement.agent;
    if (!statement.passive || agent < 1 || agent >= count) {
      for (std::size_t i = 0; i < count; ++i) order.push_back(i);
      return order;
    }
    std::size_t agent_end = agent + 1;
    while (agent_end < count && statement.units[agent_end].preposition.empty() &&
           !statement.units[agent_end].number && statement.units[agent_end].before <= Break::none) {
      ++agent_end;
    }
    for (std::size_t i = agent; i < agent_end; ++i) order.push_back(i);
    order.push_back(agent - 1);  // the verb
    for (std::size_t i = 0; i + 1 < agent; ++i) order.push_back(i);
    for (std::size_t i = agent_end; i < count; ++i) order.push_back(i);
    return order;
  }

  std::optional<Failure> check_order(const Match& match) const {
    std::vector<std::size_t> claim_order(claim_.units.size());
    for (std::size_t i = 0; i < claim_order.size(); ++i) claim_order[i] = i;
    std::vector<std::size_t> rank(evidence_.units.size());
    for (std::size_t i = 0; i < rank.size(); ++i) rank[i] = i;
    if (claim_.passive != evidence_.passive) {
      claim_order = active_order(claim_);
      const std::vector<std::size_t> order = active_order(evidence_);
      for (std::size_t i = 0; i < order.size(); ++i) rank[order[i]] = i;
    }
    std::vector<std::size_t> units, ranks;  // of the claim's units that are in the sentence
    for (const std::size_t i : claim_order) {
      if (match.place[i] < 0) continue;
      units.push_back(i);
      ranks.push_back(rank[static_cast<std::size_t>(match.place[i])]);
    }
    std::size_t descents = 0, at = 0;
    for (std::size_t i = 1; i < ranks.size(); ++i) {
      if (ranks[i] == ranks[i - 1]) return fail("it says the same thing twice");
      if (ranks[i] < ranks[i - 1]) {
        ++descents;
        at = i;
      }
    }
    if (descents == 0) return std::nullopt;
    // One phrase moved from end to front or back ("Within 14 days, ..."): it is introduced the same way in
    // both.
    if (descents == 1 && ranks.back() < ranks.front()) {
      for (const std::size_t start : {std::size_t{0}, at}) {
        const Unit& said = claim_.units[units[start]];
        const Unit& source = evidence_.units[static_cast<std::size_t>(match.place[units[start]])];
        const bool phrase = !said.preposition.empty() && said.preposition == source.preposition &&
                            !one_of(said.preposition, {"of", "by", "to", "from", "than", "as"});
        const bool limited = said.number && said.limit == source.limit && !said.limit.empty();
        if (phrase || limited) return std::nullopt;
      }
    }
    return fail("the words stand in another order than in the source");
  }

  // Words of the source that the claim leaves out must not change its meaning
  // ---------------------------------------
  bool touching(std::size_t a, std::size_t b) const {
    const std::size_t from = evidence_.units[a].span.end, to = evidence_.units[b].span.start;
    if (to <= from) return to == from;
    const std::string_view gap = text_.substr(from, to - from);
    return gap.find_first_not_of(" \n-") == std::string_view::npos;
  }

  std::optional<Failure> check_gaps(const Match& match) const {
    std::vector<std::size_t> places;
    for (const std::ptrdiff_t place : match.place) {
      if (place >= 0) places.push_back(static_cast<std::size_t>(place));
    }
    std::sort(places.begin(), places.end());
    if (std::adjacent_find(places.begin(), places.end()) != places.end())
      return fail("it says the same thing twice");
    const std::vector<Unit>& units = evidence_.units;

    // Before the first: whose, of what, which kind.
    const std::size_t first = places.front();
    if (first > 0 && units[first].before < Break::comma) {
      const Unit& before = units[first - 1];
      const Unit& said = claim_.units[static_cast<std::size_t>(
          std::find(match.place.begin(), match.place.end(), static_cast<std::ptrdiff_t>(first)) -
          match.place.begin())];
      const bool belongs =
          one_of(units[first].preposition, {"of", "for", "from", "with", "to", "against", "by", "than"}) &&
          said.preposition.empty();
      if (belongs && !is_free_word(before.key))
        return fail("the source speaks of " + quoted(text_, before) + " here");
      if (before.possessive) return fail("the source speaks of " + quoted(text_, before) + " here");
      if (touching(first - 1, first)) return fail("the source speaks of " + quoted(text_, before) + " here");
      // "Coffee and tea ...": both together. "X is 8 bar and Y is 2 bar": a statement of its own.
      const bool own_statement = before.number || (evidence_.auxiliary && first > evidence_.subject_end);
      const bool joined = units[first].before == Break::conjunction_or ||
                          (units[first].before == Break::conjunction_and && !own_statement);
      if (joined) return fail("the source also names " + quoted(text_, before));
    }
    if (match.lent && context_.before == nullptr && first > 0) {
      return fail("the sentence has a subject of its own: " + quoted(text_, units[0]));
    }

    for (std::size_t i = 0; i + 1 < places.size(); ++i) {
      const std::size_t a = places[i], b = places[i + 1];
      if (b - a - 1 > kMaxSkipped) return fail("the words are far apart in the source");
      const bool comma_aside = units[a + 1].before == Break::comma && units[b].before == Break::comma;
      std::size_t last_break = a;
      for (std::size_t j = a + 1; j <= b; ++j) {
        if (j > a + 1 || j == b || units[j].before != Break::none) {
          if (units[j].before != Break::none) last_break = j;
        }
        if (j == b) break;
        if (units[j].in_aside) continue;
        if (units[j].number) return fail("the source has " + quoted(text_, units[j]) + " in between");
        if (units[j].name && !comma_aside)
          return fail("the source names " + quoted(text_, units[j]) + " in between");
        if (changes_meaning(units[j].key)) return fail("the source says " + quoted(text_, units[j]));
        if (units[j].possessive)
          return fail("the source speaks of " + quoted(text_, units[j]) + " in between");
      }
      if (last_break > a && last_break < b)
        return fail("the words belong to different parts of the source sentence");
    }

    // After the last: more of the same name or thing, another way.
    const std::size_t last = places.back();
    if (last + 1 < units.size()) {
      const Unit& after = units[last + 1];
      if (after.before == Break::conjunction_or && after.clause == units[last].clause)
        return fail("the source says 'or'");
      if (after.before == Break::none && touching(last, last + 1)) {
        return fail("the source goes on with " + quoted(text_, after));
      }
    }
    return std::nullopt;
  }

  // A row of a table: its first cell says what the others are about
  // ---------------------------------------------------
  std::optional<Failure> check_row(const Match& match) const {
    const std::vector<Unit>& units = evidence_.units;
    std::vector<bool> used(units.size(), false);
    for (const std::ptrdiff_t place : match.place) {
      if (place < 0) continue;
      if (used[static_cast<std::size_t>(place)]) return fail("it says the same thing twice");
      used[static_cast<std::size_t>(place)] = true;
    }
    const std::size_t subject_cell = units.front().cell;
    std::size_t subject_clause = units.front().clause;  // "Product: Coffee" is about coffee
    for (const Unit& unit : units) {
      if (unit.cell == subject_cell) subject_clause = unit.clause;
    }
    for (std::size_t i = 0; i < units.size(); ++i) {
      if (units[i].cell == subject_cell && units[i].clause == subject_clause && !used[i]) {
        return fail("the row is about " + quoted(text_, units[i]));
      }
    }
    const auto unit_part = [](const std::string& key) { return key.substr(key.find('|')); };
    for (std::size_t i = 0; i < units.size(); ++i) {
      if (!units[i].number || !used[i] || units[i].cell == subject_cell) continue;
      bool rival = false, named = false;
      for (std::size_t j = 0; j < units.size(); ++j) {
        if (units[j].number) {
          rival |= j != i && !used[j] && units[j].cell != subject_cell &&
                   unit_part(units[j].key) == unit_part(units[i].key);
        } else {
          named |= used[j] && units[j].cell == units[i].cell;
        }
      }
      if (rival && !named) return fail("the row has more than one such value");
      std::size_t others = 0;  // two values of one kind in one claim: which is which cannot be told
      for (std::size_t j = 0; j < units.size(); ++j) {
        others += j != i && used[j] && units[j].number && unit_part(units[j].key) == unit_part(units[i].key)
                      ? 1U
                      : 0U;
      }
      if (others > 0) return fail("the claim gives two values of one kind from one row");
    }
    return std::nullopt;
  }

  std::string_view claim_text_;
  const Statement& claim_;
  std::string_view text_;
  const Statement& evidence_;
  const Context& context_;
  Places places_;
  float overlap_ = 0;
};

Keys keys_of(std::string_view text) {
  Keys keys;
  for (const Unit& unit : read_statement(text, {0, text.size()}).units) {
    if (!unit.number) keys.insert(unit.key);
  }
  return keys;
}

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char byte) { return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

/// A claim that is word for word one or more whole sentences.
std::optional<Span> verbatim(std::string_view claim, std::string_view text,
                             const std::vector<Span>& sentences) {
  for (const Span sentence : sentences) {
    if (text.substr(sentence.start, claim.size()) != claim) continue;
    const std::size_t end = sentence.start + claim.size();
    const auto last = std::lower_bound(sentences.begin(), sentences.end(), end,
                                       [](Span span, std::size_t value) { return span.end < value; });
    if (last != sentences.end() && last->end == end) return Span{sentence.start, end};
  }
  return std::nullopt;
}

Support align_one(std::string_view claim, const std::vector<Hit>& shown) {
  Support best;
  const Statement said = read_statement(claim, {0, claim.size()});
  if (said.question) {
    best.why_not = "it is a question";
    return best;
  }
  if (said.units.empty()) {
    best.why_not = "it says nothing that can be checked";
    return best;
  }
  best.why_not = "no shown passage speaks of it";
  for (std::size_t h = 0; h < shown.size(); ++h) {
    const Passage& passage = shown[h].passage;
    const std::string_view text = passage.text;
    const std::vector<Span> sentences = passage::sentences(text);
    if (const std::optional<Span> span = verbatim(claim, text, sentences)) {
      return {true, h, {passage.span.start + span->start, passage.span.start + span->end}, 1.0F, ""};
    }
    Keys heading = keys_of(passage.heading_path + "\n" + shown[h].title);
    std::optional<Statement> before;
    for (const Span span : sentences) {
      Statement statement = read_statement(text, span);
      if (statement.heading) {
        // What follows stands under this heading, no longer under the passage's own.
        heading = keys_of(slice(text, span));
        heading.merge(keys_of(shown[h].title));
        before.reset();
        continue;
      }
      const Context context{&heading, statement.starts_with_pronoun && before && !before->starts_with_pronoun
                                          ? &*before
                                          : nullptr};
      Matcher matcher(claim, said, text, statement, context);
      Match match;
      const std::optional<Failure> failure = matcher.check(match);
      if (!failure) {
        Span carried = span;
        if (match.lent && context.before != nullptr) carried.start = context.before->span.start;
        return {true, h, {passage.span.start + carried.start, passage.span.start + carried.end}, 1.0F, ""};
      }
      if (failure->overlap > best.overlap) {
        best.overlap = failure->overlap;
        best.hit = h;
        best.why_not = failure->why;
      }
      before = std::move(statement);
    }
  }
  // The most useful reason: a number that is nowhere.
  if (best.overlap < 1.0F) {
    std::unordered_set<std::string> values;
    for (const Hit& hit : shown) {
      for (const Number& number : numbers_of(hit.passage.text)) values.insert(number.value);
    }
    for (const Number& number : numbers_of(claim)) {
      if (!number.word_one && !values.contains(number.value)) {
        best.why_not = "the number '" + std::string(slice(claim, number.span)) + "' is in no shown passage";
        break;
      }
    }
  }
  return best;
}

}  // namespace

Support align(std::string_view claim, const std::vector<Hit>& shown) {
  Support support;
  claim = trimmed(claim);
  if (claim.size() > kMaxClaimBytes) {
    support.why_not = "it is too long to be one statement";
    return support;
  }
  const std::vector<Span> sentences = passage::sentences(claim);
  if (sentences.size() <= 1) return align_one(claim, shown);
  if (sentences.size() > kMaxSentences) {
    support.why_not = "it is more than " + std::to_string(kMaxSentences) + " statements";
    return support;
  }
  // Several sentences: each must be carried, and all by one passage.
  for (const Hit& hit : shown) {
    const std::vector<Span> parts = passage::sentences(hit.passage.text);
    if (const std::optional<Span> span = verbatim(claim, hit.passage.text, parts)) {
      const std::size_t index = static_cast<std::size_t>(&hit - shown.data());
      return {
          true, index, {hit.passage.span.start + span->start, hit.passage.span.start + span->end}, 1.0F, ""};
    }
  }
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    Support part = align_one(slice(claim, sentences[i]), shown);
    if (!part.supported) return part;
    if (i == 0) {
      support = part;
    } else if (part.hit != support.hit) {
      part.supported = false;
      part.why_not = "its sentences stand in different passages";
      return part;
    } else {
      support.span = {std::min(support.span.start, part.span.start),
                      std::max(support.span.end, part.span.end)};
    }
  }
  return support;
}

}  // namespace loam::answer
