// Word statistics: which terms, how rare, and a text as their weights.
#include <algorithm>
#include <cmath>

#include "base/team.h"
#include "baseline/linear.h"
#include "baseline/packed.h"
#include "baseline/terms.h"

namespace loam::baseline {
namespace {

constexpr std::string_view kKind = "LOAMTFID";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kTextsPerTurn = 64;

struct Counts {
  std::uint64_t documents = 0;
  std::uint64_t total = 0;
};

/// Counts each term once for its text and once for each occurrence.
class Counter {
 public:
  void add(std::string_view term) {
    auto found = counts_.find(term);
    if (found == counts_.end()) found = counts_.emplace(std::string(term), Slot{}).first;
    Slot& slot = found->second;
    ++slot.counts.total;
    if (slot.last_text != text_) {
      slot.last_text = text_;
      ++slot.counts.documents;
    }
  }
  void next_text() { ++text_; }

  /// Terms of at least `least` documents, the `most` most frequent, in ascending order.
  std::vector<std::pair<std::string, std::uint64_t>> kept(std::uint64_t least, std::size_t most) {
    std::vector<std::pair<std::string, Counts>> all;
    for (auto& [term, slot] : counts_) {
      if (slot.counts.documents >= least) all.emplace_back(term, slot.counts);
    }
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    if (all.size() > most) {
      std::stable_sort(all.begin(), all.end(),
                       [](const auto& a, const auto& b) { return a.second.total > b.second.total; });
      all.resize(most);
      std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    }
    std::vector<std::pair<std::string, std::uint64_t>> kept;
    kept.reserve(all.size());
    for (auto& [term, counts] : all) kept.emplace_back(std::move(term), counts.documents);
    return kept;
  }

 private:
  struct Slot {
    Counts counts;
    std::uint64_t last_text = 0;
  };
  std::unordered_map<std::string, Slot, TextHash, std::equal_to<>> counts_;
  std::uint64_t text_ = 1;
};

/// One kind of terms: words, or character n-grams.
struct Half {
  TermTable table;
  std::vector<std::uint64_t> documents;  ///< in which each term occurs
  std::vector<double> idf;

  static Half of(std::vector<std::pair<std::string, std::uint64_t>> kept) {
    Half half;
    std::vector<std::string> terms;
    terms.reserve(kept.size());
    for (auto& [term, documents] : kept) {
      terms.push_back(std::move(term));
      half.documents.push_back(documents);
    }
    half.table = TermTable(std::move(terms));
    return half;
  }
  void weigh(std::uint64_t texts) {
    idf.clear();
    for (const std::uint64_t in : documents) {
      idf.push_back(std::log((1.0 + static_cast<double>(texts)) / (1.0 + static_cast<double>(in))) + 1.0);
    }
  }
};

}  // namespace

struct Tfidf::State {
  TfidfOptions options;
  std::uint64_t texts = 0;
  Half words, characters;
  std::vector<std::string> vocabulary;

  void finish() {
    words.weigh(texts);
    characters.weigh(texts);
    vocabulary = words.table.terms();
    vocabulary.insert(vocabulary.end(), characters.table.terms().begin(), characters.table.terms().end());
  }

  /// Appends the half's part of a row: unit length times `share`.
  void append(SparseRow& row, std::vector<std::uint32_t>& found, const Half& half, std::size_t first_column,
              double share) const {
    if (found.empty()) return;
    std::sort(found.begin(), found.end());
    std::vector<double> weights;
    double square = 0.0;
    const std::size_t begin = row.columns.size();
    for (std::size_t i = 0; i < found.size();) {
      std::size_t end = i;
      while (end < found.size() && found[end] == found[i]) ++end;
      const auto count = static_cast<double>(end - i);
      const double weight = (options.sublinear ? 1.0 + std::log(count) : count) * half.idf[found[i]];
      row.columns.push_back(static_cast<std::uint32_t>(first_column + found[i]));
      weights.push_back(weight);
      square += weight * weight;
      i = end;
    }
    const double scale = share / std::sqrt(square);
    row.values.resize(begin + weights.size());
    for (std::size_t i = 0; i < weights.size(); ++i) {
      row.values[begin + i] = static_cast<float>(weights[i] * scale);
    }
    found.clear();
  }
};

Result<Tfidf> Tfidf::fit(std::span<const std::string> texts, const TfidfOptions& options) {
  const bool words = options.word_ngrams > 0;
  const bool characters = options.character_ngrams >= 3;
  if ((!words && !characters) || options.word_ngrams > 5 || options.character_ngrams > 10) {
    return Error{Kind::bad_request, "word statistics", "no terms, or ones too long, were asked for",
                 "word n-grams up to 5, character n-grams from 3 to 10"};
  }
  Counter word_counts;
  Counter character_counts;
  for (const std::string& text : texts) {
    const WordsOfText found(text);
    if (words) {
      for_each_word_ngram(found, options.word_ngrams, [&](std::string_view term) { word_counts.add(term); });
      word_counts.next_text();
    }
    if (characters) {
      for_each_character_ngram(found.lower, options.character_ngrams,
                               [&](std::string_view term) { character_counts.add(term); });
      character_counts.next_text();
    }
  }
  auto state = std::make_shared<State>();
  state->options = options;
  state->texts = texts.size();
  const auto least = static_cast<std::uint64_t>(std::max(1, options.least_documents));
  state->words = Half::of(word_counts.kept(least, options.most_terms));
  state->characters = Half::of(character_counts.kept(least, options.most_terms));
  state->finish();
  if (state->vocabulary.empty()) {
    return Error{Kind::bad_request, "word statistics",
                 std::to_string(texts.size()) + " texts hold no term that could be counted",
                 "give texts with words in them"};
  }
  Tfidf fitted;
  fitted.state_ = std::move(state);
  return fitted;
}

SparseRow Tfidf::transform(std::string_view text) const {
  const State& state = *state_;
  SparseRow row;
  const WordsOfText words(text);
  std::vector<std::uint32_t> found;
  const bool both = state.options.word_ngrams > 0 && state.options.character_ngrams >= 3;
  const double share = both ? std::sqrt(0.5) : 1.0;
  const auto look_up = [&found](const Half& half) {
    return [&found, &half](std::string_view term) {
      const std::uint32_t column = half.table.find(term);
      if (column != TermTable::kUnknown) found.push_back(column);
    };
  };
  if (state.options.word_ngrams > 0) {
    for_each_word_ngram(words, state.options.word_ngrams, look_up(state.words));
    state.append(row, found, state.words, 0, share);
  }
  if (state.options.character_ngrams >= 3) {
    for_each_character_ngram(words.lower, state.options.character_ngrams, look_up(state.characters));
    state.append(row, found, state.characters, state.words.table.size(), share);
  }
  return row;
}

std::vector<SparseRow> Tfidf::transform(std::span<const std::string> texts, int threads) const {
  std::vector<SparseRow> rows(texts.size());
  const std::size_t turns = (texts.size() + kTextsPerTurn - 1) / kTextsPerTurn;
  Team workers(turns > 1 ? threads : 1);
  workers.run(turns, [&](std::size_t turn) {
    const std::size_t end = std::min(texts.size(), (turn + 1) * kTextsPerTurn);
    for (std::size_t i = turn * kTextsPerTurn; i < end; ++i) rows[i] = transform(texts[i]);
  });
  return rows;
}

std::size_t Tfidf::terms() const { return state_->vocabulary.size(); }
const std::vector<std::string>& Tfidf::vocabulary() const { return state_->vocabulary; }

std::size_t Tfidf::bytes() const {
  return state_->words.table.bytes() + state_->characters.table.bytes() +
         state_->vocabulary.size() * (sizeof(std::string) + 2 * sizeof(double));
}

void Tfidf::save(std::string& out) const {
  const State& state = *state_;
  PackedWriter to;
  to.u8(static_cast<std::uint8_t>(state.options.word_ngrams));
  to.u8(static_cast<std::uint8_t>(state.options.character_ngrams));
  to.u8(state.options.sublinear ? 1 : 0);
  to.varint(state.texts);
  for (const Half* half : {&state.words, &state.characters}) {
    half->table.save(to);
    for (const std::uint64_t documents : half->documents) to.varint(documents);
  }
  append_section(out, kKind, kVersion, to.bytes());
}

Result<Tfidf> Tfidf::load(std::string_view& in) {
  auto payload = take_section(in, kKind, kVersion);
  if (!payload) return payload.error();
  PackedReader from(*payload);
  auto state = std::make_shared<State>();
  state->options.word_ngrams = from.u8();
  state->options.character_ngrams = from.u8();
  state->options.sublinear = from.u8() != 0;
  state->texts = from.varint();
  for (Half* half : {&state->words, &state->characters}) {
    half->table = TermTable::load(from);
    for (std::size_t i = 0; i < half->table.size() && from.ok(); ++i) {
      half->documents.push_back(from.varint());
      if (half->documents.back() > state->texts) from.fail();
    }
  }
  if (!from.ok() || !from.at_end() || state->options.word_ngrams > 5 ||
      state->options.character_ngrams > 10 ||
      state->words.table.size() + state->characters.table.size() == 0) {
    return damaged(kKind, "its contents cannot be");
  }
  state->finish();
  Tfidf loaded;
  loaded.state_ = std::move(state);
  return loaded;
}

}  // namespace loam::baseline
