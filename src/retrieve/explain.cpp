#include "retrieve/explain.h"

#include <algorithm>
#include <unordered_set>

namespace loam::retrieve {
namespace {

struct Place {
  int rank = 0;
  float score = 0;
};

template <typename List, typename Matches>
std::optional<Place> first_place(const List& list, const Matches& matches) {
  int rank = 0;
  for (const auto& one : list) {
    ++rank;
    if (matches(one.passage)) return Place{rank, one.score};
  }
  return std::nullopt;
}

template <typename List>
std::optional<Place> place_of(const List& list, PassageId passage) {
  return first_place(list, [&](PassageId one) { return one == passage; });
}

std::string with_thousands(int value) {
  std::string digits = std::to_string(value);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

std::string ordinal(int value) {
  const int last_two = value % 100;
  const int last = value % 10;
  const bool teen = last_two >= 11 && last_two <= 13;
  return with_thousands(value) + (teen        ? "th"
                                  : last == 1 ? "st"
                                  : last == 2 ? "nd"
                                  : last == 3 ? "rd"
                                              : "th");
}

std::string quoted_list(const std::vector<std::string>& words) {
  constexpr std::size_t kNamed = 6;  // a sentence that lists more is no longer read
  std::string out;
  for (std::size_t i = 0; i < std::min(words.size(), kNamed); ++i) {
    if (i > 0) out += ", ";
    out += "'" + words[i] + "'";
  }
  if (words.size() > kNamed) out += " and " + std::to_string(words.size() - kNamed) + " more";
  return out;
}

class Teller {
 public:
  Teller(const DeepRanking& ranking, const std::vector<bool>& term_found) : ranking_(ranking) {
    for (std::size_t i = 0; i < ranking.terms.size(); ++i) {
      const bool found = i < term_found.size() && term_found[i];
      (found ? out_.matched_terms : out_.missing_terms).push_back(ranking.terms[i]);
    }
    out_.source = ranking.source;
    for (const PassageId passage : ranking.own_passages) own_.insert(number_of(passage));
  }

  Explanation tell() {
    const std::optional<PassageId> best = best_passage(ranking_);
    if (!best) {
      out_.sentence = "The document has no passages: no text was found in it.";
      return std::move(out_);
    }
    find_places(*best);
    fill_best(*best);
    fill_stages(*best);
    out_.sentence = sentence();
    return std::move(out_);
  }

 private:
  bool uses_words() const { return ranking_.legs != Legs::dense_only; }
  bool uses_meaning() const { return ranking_.legs != Legs::lexical_only; }
  /// The list that is shown, and the passage's place in it.
  const std::vector<Fused>& last_list() const {
    return ranking_.reranked ? *ranking_.reranked : ranking_.fused;
  }
  const std::optional<Place>& last() const { return ranking_.reranked ? reranked_ : fused_; }
  bool is_shown() const { return last() && last()->rank <= ranking_.shown; }

  void find_places(PassageId best) {
    lexical_ = place_of(ranking_.lexical, best);
    dense_ = place_of(ranking_.dense, best);
    fused_ = place_of(ranking_.fused, best);
    fused_deep_ = place_of(ranking_.fused_deep, best);
    if (ranking_.reranked) {
      reranked_ = place_of(*ranking_.reranked, best);
      for (const Fused& one : *ranking_.reranked) {
        if (one.passage == best) opinion_ = one.why;
      }
    }
  }

  void fill_best(PassageId best) {
    if (!ranking_.best_row) return;
    Hit hit;
    hit.passage = ranking_.best_row->passage;
    hit.source = ranking_.best_row->source;
    hit.title = ranking_.best_row->title;
    hit.passage.id = best;
    const auto& score = last() ? last() : fused_ ? fused_ : fused_deep_;
    if (score) hit.score = score->score;
    if (lexical_) {
      hit.why.bm25 = lexical_->score;
      hit.why.bm25_rank = lexical_->rank;
    }
    if (dense_) {
      hit.why.cosine = dense_->score;
      hit.why.cosine_rank = dense_->rank;
    }
    hit.why.rerank = opinion_.rerank;
    hit.why.rerank_rank = opinion_.rerank_rank;
    out_.best = std::move(hit);
  }

  /// "another passage of this document is 3rd here": the stage would otherwise look worse for the document.
  std::string better_sibling(const std::vector<store::Scored>& list,
                             const std::optional<Place>& place) const {
    const auto sibling = first_place(list, [&](PassageId one) { return own_.contains(number_of(one)); });
    if (!sibling || (place && place->rank <= sibling->rank)) return {};
    return "another passage of this document is " + ordinal(sibling->rank) + " here";
  }

  void add_stage(std::string name, const std::optional<Place>& place, int depth, std::string note) {
    Explanation::Stage stage;
    stage.name = std::move(name);
    stage.depth = depth;
    stage.note = std::move(note);
    if (place) {
      stage.rank = place->rank;
      stage.score = place->score;
    }
    out_.stages.push_back(std::move(stage));
  }

  std::string beyond_candidates(const std::optional<Place>& place) const {
    if (!place || place->rank <= ranking_.candidates) return {};
    return "beyond the " + with_thousands(ranking_.candidates) + " candidates of this leg";
  }

  static std::string joined(std::string one, const std::string& other) {
    if (!one.empty() && !other.empty()) one += "; ";
    return one + other;
  }

  void fill_stages(PassageId best) {
    if (uses_words()) {
      std::string note = !lexical_ ? "no word of the question occurs in it" : beyond_candidates(lexical_);
      add_stage("lexical", lexical_, static_cast<int>(ranking_.lexical.size()),
                joined(std::move(note), better_sibling(ranking_.lexical, lexical_)));
    } else {
      add_stage("lexical", std::nullopt, 0, "not used");
    }
    if (uses_meaning()) {
      add_stage("dense", dense_, static_cast<int>(ranking_.dense.size()),
                joined(beyond_candidates(dense_), better_sibling(ranking_.dense, dense_)));
    } else {
      add_stage("dense", std::nullopt, 0, "not used");
    }
    if (fused_) {
      add_stage("fused", fused_, static_cast<int>(ranking_.fused.size()), "");
    } else {
      add_stage(
          "fused", fused_deep_, static_cast<int>(ranking_.fused_deep.size()),
          fused_deep_ ? "not among the candidates; this is the rank when both legs are fused whole" : "");
    }
    if (ranking_.reranked) fill_reranked();
    std::optional<Place> shown;
    if (is_shown()) shown = last();
    std::string note;
    if (!shown && ranking_.shown > 0 && last_list().size() >= static_cast<std::size_t>(ranking_.shown)) {
      const Fused& lowest = last_list()[static_cast<std::size_t>(ranking_.shown) - 1];
      const bool same_document = own_.contains(number_of(lowest.passage)) && lowest.passage != best;
      if (!same_document) note = "the last one shown scores " + std::to_string(lowest.score);
    }
    add_stage("shown", shown, ranking_.shown, std::move(note));
  }

  void fill_reranked() {
    std::string note;
    if (opinion_.rerank_rank) {
      note = "the re-ranker has it " + ordinal(*opinion_.rerank_rank) + " of the " +
             with_thousands(ranking_.reranked_first) + " it read";
    } else if (fused_) {
      note = "beyond the " + with_thousands(ranking_.reranked_first) + " that the re-ranker reads";
    }
    add_stage("re-ranked", reranked_, ranking_.reranked_first, std::move(note));
  }

  /// ", and the re-ranker moves it from 7th to 2nd"
  std::string reranked_part() const {
    if (!fused_ || !reranked_ || !opinion_.rerank_rank) return {};
    if (fused_->rank == reranked_->rank) return ", and the re-ranker leaves it where it was";
    return ", and the re-ranker moves it from the " + ordinal(fused_->rank) + " place to the " +
           ordinal(reranked_->rank);
  }

  std::string words_part() const {
    if (!uses_words()) return {};
    if (ranking_.terms.empty()) return "the question has no words to look for";
    if (!lexical_) {
      return "none of the words " + quoted_list(ranking_.terms) + " occurs in it, so BM25 does not see it";
    }
    std::string out = ordinal(lexical_->rank) + " of " +
                      with_thousands(static_cast<int>(ranking_.lexical.size())) + " in BM25";
    if (out_.missing_terms.size() == 1) {
      out += " (the term " + quoted_list(out_.missing_terms) + " does not occur)";
    } else if (!out_.missing_terms.empty()) {
      out += " (the terms " + quoted_list(out_.missing_terms) + " do not occur)";
    }
    return out;
  }

  std::string meaning_part() const {
    if (!uses_meaning()) return {};
    if (!dense_) return "it has no vector to compare by meaning";
    return ordinal(dense_->rank) + " of " + with_thousands(ranking_.passages_in_collection) + " by meaning";
  }

  std::string sentence() const {
    const std::string words = words_part();
    const std::string meaning = meaning_part();
    std::string out;
    const bool words_are_rank = uses_words() && lexical_.has_value();
    if (uses_words() && uses_meaning()) {
      out = words_are_rank ? "Its best passage is " + words + " and " + meaning
                           : "Its best passage: " + words + ", and it is " + meaning;
    } else {
      const std::string& only = uses_words() ? words : meaning;
      out = (words_are_rank || (uses_meaning() && dense_)) ? "Its best passage is " + only
                                                           : "Its best passage: " + only;
    }
    if (ranking_.reranked) out += reranked_part();
    if (is_shown()) {
      out += ", so it is shown at rank " + std::to_string(last()->rank) + " of " +
             std::to_string(ranking_.shown) + ".";
    } else if (last()) {
      out += std::string(", so the ") + (ranking_.reranked ? "final" : "fused") + " rank " +
             with_thousands(last()->rank) + " is below the " + std::to_string(ranking_.shown) + " shown.";
    } else if (fused_deep_) {
      out += ", so it is beyond the " + with_thousands(ranking_.candidates) +
             " candidates of each leg and never reaches the fusion (there it would be " +
             ordinal(fused_deep_->rank) + ").";
    } else {
      out += ", so it is not found at all.";
    }
    return out;
  }

  const DeepRanking& ranking_;
  Explanation out_;
  std::unordered_set<std::uint64_t> own_;
  std::optional<Place> lexical_, dense_, fused_, fused_deep_, reranked_;
  Why opinion_;  ///< of the re-ranker
};

}  // namespace

std::optional<PassageId> best_passage(const DeepRanking& ranking) {
  if (ranking.own_passages.empty()) return std::nullopt;
  std::unordered_set<std::uint64_t> own;
  for (const PassageId passage : ranking.own_passages) own.insert(number_of(passage));
  const std::vector<Fused>& found = ranking.reranked ? *ranking.reranked : ranking.fused;
  for (const std::vector<Fused>* list : {&found, &ranking.fused_deep}) {
    for (const Fused& one : *list) {
      if (own.contains(number_of(one.passage))) return one.passage;
    }
  }
  return ranking.own_passages.front();
}

Explanation explain_ranking(const DeepRanking& ranking, const std::vector<bool>& term_found) {
  return Teller(ranking, term_found).tell();
}

}  // namespace loam::retrieve
