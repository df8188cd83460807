// The story, top to bottom: check the question, ask both legs, fuse, re-rank the first where a re-ranker is
// given, fetch the passages. explain() tells the same story again at full depth for one document.
#include "retrieve/retrieve.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "base/clock.h"
#include "base/utf8.h"
#include "retrieve/explain.h"
#include "retrieve/fusion.h"
#include "retrieve/rerank.h"

namespace loam::retrieve {
namespace {

/// Both ranked lists of one question.
struct Lists {
  std::vector<store::Scored> lexical;
  std::vector<store::Scored> dense;
};

std::span<const store::Scored> first(const std::vector<store::Scored>& list, std::size_t n) {
  return std::span(list).first(std::min(n, list.size()));
}

/// The question as the legs get it: valid UTF-8 without control characters, white space trimmed.
Result<std::string> checked_question(std::string_view question) {
  std::string clean;
  for (std::string_view rest = question; !rest.empty();) {
    const CodePoint point = decode_utf8(rest);
    rest.remove_prefix(point.size);
    const bool is_control = point.value < 0x20 || point.value == 0x7F;
    append_utf8(clean, is_control ? U' ' : point.value);
  }
  const std::size_t start = clean.find_first_not_of(' ');
  if (start == std::string::npos) {
    return Error{Kind::bad_request, "question", "the question is empty",
                 "ask something, e.g. loam ask \"What ...?\""};
  }
  const std::size_t end = clean.find_last_not_of(' ');
  return clean.substr(start, end - start + 1);
}

class TwoLegRetriever : public Retriever {
 public:
  TwoLegRetriever(std::unique_ptr<index::Index> index, store::Store& store, CollectionId collection,
                  engine::Embedder& embedder)
      : index_(std::move(index)), store_(store), collection_(collection), embedder_(embedder) {}

  Result<std::vector<Hit>> find(std::string_view question, int k, const RetrieveOptions& options,
                                RetrieveTimings* timings) override {
    RetrieveTimings spent;
    auto clean = checked_question(question);
    if (!clean) return clean.error();
    if (k <= 0) return std::vector<Hit>{};
    const int depth = std::max(options.candidates, k);
    auto lists = search(*clean, depth, options.legs, spent);
    if (!lists) return lists.error();

    const Stopwatch watch;
    std::vector<Fused> fused = fuse_lists(*lists, static_cast<std::size_t>(depth), options);
    spent.fuse_ms = watch.milliseconds();
    const Stopwatch reranking;
    if (auto ranked = rerank(*clean, options, fused); !ranked) return ranked.error();
    spent.rerank_ms = options.reranker != nullptr ? reranking.milliseconds() : 0;
    const Stopwatch fetching;
    auto hits = fetch(fused, static_cast<std::size_t>(k));
    spent.fuse_ms += fetching.milliseconds();
    if (timings != nullptr) *timings = spent;
    return hits;
  }

  Result<Explanation> explain(std::string_view question, std::string_view source, int shown,
                              const RetrieveOptions& options) override {
    auto clean = checked_question(question);
    if (!clean) return clean.error();
    auto document = store_.find_document(collection_, source);
    if (!document) return document.error();
    if (!document->has_value()) {
      return Error{Kind::bad_request, std::string(source), "no document of this name is in the collection",
                   "give the name as `loam search` prints it, or ingest the file first"};
    }
    auto own = store_.passages_of((*document)->id);
    if (!own) return own.error();

    RetrieveTimings spent;
    const std::size_t all = std::max<std::size_t>(index_->size(), 1);
    auto lists = search(*clean, static_cast<int>(std::min<std::size_t>(all, 1U << 30U)), options.legs, spent);
    if (!lists) return lists.error();

    const int depth = std::max(options.candidates, shown);
    DeepRanking ranking;
    ranking.question = *clean;
    ranking.source = (*document)->source;
    ranking.legs = options.legs;
    ranking.shown = std::max(shown, 0);
    ranking.candidates = depth;
    ranking.passages_in_collection = static_cast<int>(index_->size());
    ranking.lexical = lists->lexical;
    ranking.dense = lists->dense;
    ranking.fused = fuse_lists(*lists, static_cast<std::size_t>(depth), options);
    ranking.fused_deep = fuse_lists(*lists, all, options);
    if (options.reranker != nullptr) {
      ranking.reranked = ranking.fused;
      auto read = rerank(*clean, options, *ranking.reranked);
      if (!read) return read.error();
      ranking.reranked_first = static_cast<int>(*read);
    }
    ranking.own_passages = std::move(*own);
    if (auto best = best_passage(ranking)) {
      const std::vector<PassageId> id{*best};
      auto rows = store_.passages(id);
      if (!rows) return rows.error();
      if (!rows->empty()) ranking.best_row = std::move(rows->front());
    }
    ranking.terms = index::query_terms(*clean);
    auto matched = terms_found(ranking);
    if (!matched) return matched.error();
    return explain_ranking(ranking, *matched);
  }

  Result<std::vector<float>> idf(const std::vector<std::string>& terms) override {
    if (terms.empty()) return std::vector<float>{};
    auto frequencies = store_.document_frequencies(collection_, terms);
    if (!frequencies) return frequencies.error();
    if (frequencies->size() != terms.size()) {
      return Error{Kind::our_bug, "retrieve",
                   "the store counted another number of terms than it was asked for", ""};
    }
    auto counts = store_.counts(collection_);
    if (!counts) return counts.error();
    // Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009, equation 3.1,
    // with 1 added inside the logarithm as Lucene's BM25Similarity does, so that no term weighs less than
    // nothing.
    std::vector<float> weights;
    weights.reserve(terms.size());
    const double n = static_cast<double>(counts->passages);
    for (const std::uint64_t frequency : *frequencies) {
      const double df = std::min(static_cast<double>(frequency), n);
      weights.push_back(static_cast<float>(std::log(1.0 + (n - df + 0.5) / (df + 0.5))));
    }
    return weights;
  }

 private:
  Result<Lists> search(const std::string& question, int depth, Legs legs, RetrieveTimings& spent) {
    Lists lists;
    if (legs != Legs::dense_only) {
      const Stopwatch watch;
      auto found = index_->lexical(question, depth);
      if (!found) return found.error();
      lists.lexical = std::move(*found);
      spent.lexical_ms = watch.milliseconds();
    }
    if (legs != Legs::lexical_only) {
      Stopwatch watch;
      auto vector = embed(question);
      if (!vector) return vector.error();
      spent.embed_ms = watch.milliseconds();
      const Stopwatch dense_watch;
      auto found = index_->dense(*vector, depth);
      if (!found) return found.error();
      lists.dense = std::move(*found);
      spent.dense_ms = dense_watch.milliseconds();
    }
    return lists;
  }

  Result<std::vector<float>> embed(const std::string& question) {
    auto tokens = embedder_.count_tokens(question);
    if (!tokens) return tokens.error();
    if (*tokens > embedder_.max_tokens()) {
      return Error{Kind::bad_request, "question",
                   "the question has " + std::to_string(*tokens) + " tokens, and " + embedder_.model_name() +
                       " reads at most " + std::to_string(embedder_.max_tokens()),
                   "ask in fewer words; a question is never cut"};
    }
    return embedder_.embed(std::span(&question, 1));
  }

  static std::vector<Fused> fuse_lists(const Lists& lists, std::size_t depth,
                                       const RetrieveOptions& options) {
    return fuse({first(lists.lexical, depth), options.lexical_weight},
                {first(lists.dense, depth), options.dense_weight});
  }

  /// Puts `fused` into the order that the re-ranker and the fusion agree on; returns how many it read.
  Result<std::size_t> rerank(const std::string& question, const RetrieveOptions& options,
                             std::vector<Fused>& fused) {
    if (options.reranker == nullptr || options.reranked < 1 || fused.empty()) return std::size_t{0};
    const auto most = std::min(static_cast<std::size_t>(options.reranked), fused.size());
    auto hits = fetch(fused, most);
    if (!hits) return hits.error();
    // A passage that was removed since the index looked has no text: it leaves the list here already.
    std::vector<Fused> kept;
    std::vector<std::string> texts;
    std::size_t next = 0;
    for (const Hit& hit : *hits) {
      while (fused[next].passage != hit.passage.id) ++next;
      kept.push_back(fused[next++]);
      texts.push_back(hit.passage.indexed_text());
    }
    kept.insert(kept.end(), fused.begin() + static_cast<std::ptrdiff_t>(next), fused.end());
    fused = std::move(kept);
    auto scores = options.reranker->score(question, texts);
    if (!scores) return scores.error();
    if (scores->size() != texts.size()) {
      return Error{Kind::our_bug, options.reranker->model_name(),
                   "the re-ranker scored another number of passages than it was given", ""};
    }
    combine(fused, *scores, options.rerank_weight);
    return texts.size();
  }

  /// The first k with their text. A passage that was removed since the index looked is left out, and the next
  /// one takes its place.
  Result<std::vector<Hit>> fetch(const std::vector<Fused>& fused, std::size_t k) {
    std::vector<Hit> hits;
    for (std::size_t next = 0; next < fused.size() && hits.size() < k;) {
      const std::size_t take = std::min(k - hits.size(), fused.size() - next);
      std::vector<PassageId> ids;
      for (std::size_t i = next; i < next + take; ++i) ids.push_back(fused[i].passage);
      auto rows = store_.passages(ids);
      if (!rows) return rows.error();
      std::size_t place = next;
      for (auto& row : *rows) {
        while (place < next + take && fused[place].passage != row.passage.id) ++place;
        if (place == next + take) break;
        auto pages = pages_touched(row.passage);
        if (!pages) return pages.error();
        hits.push_back({std::move(row.passage), std::move(row.source), std::move(row.title),
                        fused[place].score, fused[place].why, std::move(*pages)});
      }
      next += take;
    }
    return hits;
  }

  /// A quote of a passage that runs over pages must name its own page, not the passage's first.
  Result<std::vector<Page>> pages_touched(const Passage& passage) {
    if (!passage.page) return std::vector<Page>{};
    auto pages = store_.pages_of(passage.document);
    if (!pages) return pages.error();
    // A page reaches up to the next one's start: the white space between them belongs to the earlier.
    const auto start_of = [](const Page& page) { return page.span.start; };
    auto end =
        std::ranges::lower_bound(*pages, std::max(passage.span.end, passage.span.start + 1), {}, start_of);
    auto begin = std::ranges::upper_bound(pages->begin(), end, passage.span.start, {}, start_of);
    if (begin != pages->begin()) --begin;
    return std::vector<Page>(begin, end);
  }

  /// For each query term whether the best passage holds it: asked of the full-text index itself, so that
  /// stemming and splitting are the ones that ranked it.
  Result<std::vector<bool>> terms_found(const DeepRanking& ranking) {
    std::vector<bool> found(ranking.terms.size(), false);
    if (!ranking.best_row) return found;
    const int everything = std::max(ranking.passages_in_collection, 1);
    for (std::size_t i = 0; i < ranking.terms.size(); ++i) {
      auto list = store_.search_terms(collection_, std::span(&ranking.terms[i], 1), everything);
      if (!list) return list.error();
      found[i] = std::any_of(list->begin(), list->end(), [&](const store::Scored& one) {
        return one.passage == ranking.best_row->passage.id;
      });
    }
    return found;
  }

  std::unique_ptr<index::Index> index_;
  store::Store& store_;
  CollectionId collection_;
  engine::Embedder& embedder_;
};

}  // namespace

Result<std::unique_ptr<Retriever>> Retriever::open(store::Store& store, CollectionId collection,
                                                   engine::Embedder& embedder) {
  auto index = index::Index::open(store, collection);
  if (!index) return index.error();
  return over(std::move(*index), store, collection, embedder);
}

Result<std::unique_ptr<Retriever>> Retriever::over(std::unique_ptr<index::Index> index, store::Store& store,
                                                   CollectionId collection, engine::Embedder& embedder) {
  if (!index) return Error{Kind::our_bug, "retrieve", "a retriever was opened over no index", ""};
  return std::unique_ptr<Retriever>(
      std::make_unique<TwoLegRetriever>(std::move(index), store, collection, embedder));
}

}  // namespace loam::retrieve
