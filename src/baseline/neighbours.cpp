// The nearest training texts by BM25, and their votes.
#include <algorithm>
#include <cmath>

#include "base/team.h"
#include "baseline/linear.h"
#include "baseline/packed.h"
#include "baseline/terms.h"

namespace loam::baseline {
namespace {

constexpr std::string_view kKind = "LOAMBM25";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kTextsPerTurn = 32;

struct Posting {
  std::uint32_t text = 0;
  std::uint32_t count = 0;
};

}  // namespace

struct Bm25Neighbours::State {
  NeighbourOptions options;
  int classes = 0;
  std::vector<int> labels;
  std::vector<std::uint32_t> lengths;  ///< words of each text
  TermTable table;
  std::vector<std::size_t> begin;  ///< postings of each term
  std::vector<Posting> postings;   ///< texts ascending within a term
  // What a query walks through, apart from what is only saved: half the memory to read.
  std::vector<std::uint32_t> texts;  ///< of each posting
  std::vector<float> weights;        ///< of each posting: what one occurrence in a query adds
  std::vector<float> prior;

  void finish() {
    double total = 0.0;
    for (const std::uint32_t length : lengths) total += length;
    const auto count_of_texts = static_cast<double>(lengths.size());
    const double average = std::max(1.0, total / count_of_texts);
    weights.resize(postings.size());
    texts.clear();
    for (const Posting& posting : postings) texts.push_back(posting.text);
    for (std::size_t term = 0; term < table.size(); ++term) {
      const auto in = static_cast<double>(begin[term + 1] - begin[term]);
      const double idf = std::log(1.0 + (count_of_texts - in + 0.5) / (in + 0.5));
      for (std::size_t i = begin[term]; i < begin[term + 1]; ++i) {
        const double count = postings[i].count;
        const double length = lengths[postings[i].text];
        const double norm = options.k1 * (1.0 - options.b + options.b * length / average);
        weights[i] = static_cast<float>(idf * count * (options.k1 + 1.0) / (count + norm));
      }
    }
    prior.assign(static_cast<std::size_t>(classes), 0.0F);
    for (const int label : labels) prior[static_cast<std::size_t>(label)] += 1.0F;
    for (float& share : prior) share /= static_cast<float>(labels.size());
  }

  struct Near {
    float score = 0;
    std::uint32_t text = 0;
  };

  /// The k best, best first. `scores` has one zero for each text and is left so.
  std::vector<Near> nearest(std::string_view text, std::size_t k, std::vector<float>& scores) const {
    const WordsOfText words(text);
    std::vector<std::uint32_t> terms;
    for (std::size_t i = 0; i < words.words.size(); ++i) {
      const std::uint32_t term = table.find(words.word(i));
      if (term != TermTable::kUnknown) terms.push_back(term);
    }
    std::sort(terms.begin(), terms.end());  // sums in one order, however the words were ordered
    for (const std::uint32_t term : terms) {
      const std::uint32_t* text_of = texts.data();
      const float* weight = weights.data();
      float* score = scores.data();
      for (std::size_t i = begin[term]; i < begin[term + 1]; ++i) score[text_of[i]] += weight[i];
    }
    const auto better = [](const Near& a, const Near& b) {
      return a.score > b.score || (a.score == b.score && a.text < b.text);
    };
    std::vector<Near> best;  // a heap with the worst of the best on top
    best.reserve(k + 1);
    float least = 0.0F;
    if (k == 0) return best;
    for (std::uint32_t i = 0; i < scores.size(); ++i) {
      if (!(scores[i] > least)) continue;
      best.push_back({scores[i], i});
      std::push_heap(best.begin(), best.end(), better);
      if (best.size() > k) {
        std::pop_heap(best.begin(), best.end(), better);
        best.pop_back();
      }
      if (best.size() == k) least = best.front().score;
    }
    std::sort_heap(best.begin(), best.end(), better);
    std::fill(scores.begin(), scores.end(), 0.0F);
    return best;
  }

  void vote(std::string_view text, int neighbours, std::vector<float>& scores, float* out) const {
    std::copy(prior.begin(), prior.end(), out);
    const std::vector<Near> near = nearest(text, static_cast<std::size_t>(std::max(1, neighbours)), scores);
    if (near.empty()) return;
    // The shares of the classes count as one more neighbour of a tenth of the best one's weight: a class that
    // no neighbour has is unlikely and not impossible.
    double total = 0.1 * static_cast<double>(near.front().score);
    std::vector<double> votes(prior.begin(), prior.end());
    for (double& value : votes) value *= total;
    for (const Near& one : near) {
      votes[static_cast<std::size_t>(labels[one.text])] += static_cast<double>(one.score);
      total += static_cast<double>(one.score);
    }
    for (std::size_t k = 0; k < votes.size(); ++k) out[k] = static_cast<float>(votes[k] / total);
  }
};

Result<Bm25Neighbours> Bm25Neighbours::fit(std::span<const std::string> texts, std::span<const int> labels,
                                           int classes, const NeighbourOptions& options) {
  const auto bad = [](std::string message, std::string next) {
    return Error{Kind::bad_request, "nearest texts", std::move(message), std::move(next)};
  };
  if (texts.size() != labels.size() || texts.empty()) {
    return bad(std::to_string(texts.size()) + " texts come with " + std::to_string(labels.size()) + " labels",
               "give each text its label, and at least one text");
  }
  if (options.neighbours < 1 || !(options.k1 >= 0.0) || !(options.b >= 0.0 && options.b <= 1.0)) {
    return bad("neighbours must be at least 1, k1 not below 0, b from 0 to 1", "leave the defaults");
  }
  auto state = std::make_shared<State>();
  state->options = options;
  state->classes = classes;
  std::unordered_map<std::string, std::vector<Posting>, TextHash, std::equal_to<>> found;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (labels[i] < 0 || labels[i] >= classes) {
      return bad("label " + std::to_string(labels[i]) + " is not below " + std::to_string(classes),
                 "number the classes from 0");
    }
    const WordsOfText words(texts[i]);
    state->labels.push_back(labels[i]);
    state->lengths.push_back(static_cast<std::uint32_t>(words.words.size()));
    for (std::size_t w = 0; w < words.words.size(); ++w) {
      const std::string_view word = words.word(w);
      auto at = found.find(word);
      if (at == found.end()) at = found.emplace(std::string(word), std::vector<Posting>()).first;
      if (at->second.empty() || at->second.back().text != i)
        at->second.push_back({static_cast<std::uint32_t>(i), 0});
      ++at->second.back().count;
    }
  }
  std::vector<std::string> terms;
  for (const auto& [term, postings] : found) terms.push_back(term);
  std::sort(terms.begin(), terms.end());
  state->begin.push_back(0);
  for (const std::string& term : terms) {
    const std::vector<Posting>& postings = found.find(term)->second;
    state->postings.insert(state->postings.end(), postings.begin(), postings.end());
    state->begin.push_back(state->postings.size());
  }
  state->table = TermTable(std::move(terms));
  state->finish();
  Bm25Neighbours fitted;
  fitted.neighbours_ = options.neighbours;
  fitted.state_ = std::move(state);
  return fitted;
}

std::vector<float> Bm25Neighbours::predict(std::string_view text) const {
  std::vector<float> scores(state_->labels.size(), 0.0F);
  std::vector<float> out(static_cast<std::size_t>(state_->classes));
  state_->vote(text, neighbours_, scores, out.data());
  return out;
}

std::vector<float> Bm25Neighbours::predict_many(std::span<const std::string> texts, int threads) const {
  const auto classes = static_cast<std::size_t>(state_->classes);
  std::vector<float> out(texts.size() * classes);
  const std::size_t turns = (texts.size() + kTextsPerTurn - 1) / kTextsPerTurn;
  Team workers(turns > 1 ? threads : 1);
  workers.run(turns, [&](std::size_t turn) {
    std::vector<float> scores(state_->labels.size(), 0.0F);
    const std::size_t end = std::min(texts.size(), (turn + 1) * kTextsPerTurn);
    for (std::size_t i = turn * kTextsPerTurn; i < end; ++i) {
      state_->vote(texts[i], neighbours_, scores, out.data() + i * classes);
    }
  });
  return out;
}

std::vector<std::size_t> Bm25Neighbours::nearest(std::string_view text, std::size_t k) const {
  std::vector<float> scores(state_->labels.size(), 0.0F);
  std::vector<std::size_t> indexes;
  for (const State::Near& near : state_->nearest(text, k, scores)) indexes.push_back(near.text);
  return indexes;
}

Bm25Neighbours Bm25Neighbours::with_neighbours(int neighbours) const {
  Bm25Neighbours other = *this;
  other.neighbours_ = std::max(1, neighbours);
  return other;
}

int Bm25Neighbours::classes() const { return state_->classes; }

std::size_t Bm25Neighbours::bytes() const {
  return state_->table.bytes() +
         state_->postings.size() * (sizeof(Posting) + sizeof(std::uint32_t) + sizeof(float)) +
         state_->labels.size() * (sizeof(int) + sizeof(std::uint32_t));
}

void Bm25Neighbours::save(std::string& out) const {
  const State& state = *state_;
  PackedWriter to;
  to.varint(static_cast<std::uint64_t>(neighbours_));
  to.f64(state.options.k1);
  to.f64(state.options.b);
  to.varint(static_cast<std::uint64_t>(state.classes));
  to.varint(state.labels.size());
  for (std::size_t i = 0; i < state.labels.size(); ++i) {
    to.varint(static_cast<std::uint64_t>(state.labels[i]));
    to.varint(state.lengths[i]);
  }
  state.table.save(to);
  for (std::size_t term = 0; term < state.table.size(); ++term) {
    to.varint(state.begin[term + 1] - state.begin[term]);
    std::uint32_t before = 0;
    for (std::size_t i = state.begin[term]; i < state.begin[term + 1]; ++i) {
      to.varint(state.postings[i].text - before);
      to.varint(state.postings[i].count);
      before = state.postings[i].text;
    }
  }
  append_section(out, kKind, kVersion, to.bytes());
}

Result<Bm25Neighbours> Bm25Neighbours::load(std::string_view& in) {
  auto payload = take_section(in, kKind, kVersion);
  if (!payload) return payload.error();
  PackedReader from(*payload);
  auto state = std::make_shared<State>();
  const std::uint64_t neighbours = from.varint();
  state->options.k1 = from.f64();
  state->options.b = from.f64();
  const std::uint64_t classes = from.varint();
  const std::size_t texts = from.count(2);
  bool sound = from.ok() && neighbours >= 1 && neighbours < (1U << 24U) && classes >= 1 &&
               classes <= (1U << 24U) && texts >= 1 && state->options.k1 >= 0.0 && state->options.k1 < 1e6 &&
               state->options.b >= 0.0 && state->options.b <= 1.0;
  for (std::size_t i = 0; i < texts && sound; ++i) {
    const std::uint64_t label = from.varint();
    const std::uint64_t length = from.varint();
    sound = label < classes && length < (1ULL << 32U);
    state->labels.push_back(static_cast<int>(label));
    state->lengths.push_back(static_cast<std::uint32_t>(length));
  }
  if (sound) state->table = TermTable::load(from);
  state->begin.push_back(0);
  for (std::size_t term = 0; term < state->table.size() && sound; ++term) {
    const std::size_t count = from.count(2);
    std::uint64_t at = 0;
    for (std::size_t i = 0; i < count && sound; ++i) {
      const std::uint64_t gap = from.varint();
      const std::uint64_t occurrences = from.varint();
      sound = from.ok() && (gap > 0 || i == 0) && gap < texts && at + gap < texts && occurrences >= 1 &&
              occurrences < (1ULL << 32U);
      at += gap;
      state->postings.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(occurrences)});
    }
    sound = sound && from.ok() && count > 0;
    state->begin.push_back(state->postings.size());
  }
  if (!sound || !from.ok() || !from.at_end()) return damaged(kKind, "its contents cannot be");
  state->classes = static_cast<int>(classes);
  state->options.neighbours = static_cast<int>(neighbours);
  state->finish();
  Bm25Neighbours loaded;
  loaded.neighbours_ = static_cast<int>(neighbours);
  loaded.state_ = std::move(state);
  return loaded;
}

}  // namespace loam::baseline
