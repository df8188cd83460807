#include "tasks/eval_retrieval.h"

#include <algorithm>
#include <fstream>
#include <unordered_map>
#include <unordered_set>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "eval/metrics.h"
#include "passage/cutter.h"

namespace loam::tasks {
namespace {

constexpr int kDepth = 1000;  // passages asked for, so that recall@100 of documents is not cut short
constexpr std::size_t kDocuments = 100;  // ranked for each query
constexpr std::size_t kBatch = 32;       // passages embedded in one call, as ingest does

Error stopped(const std::string& what, std::size_t finished, std::size_t all) {
  return Error{
      Kind::unavailable, what,
      "stopped after " + std::to_string(finished) + (all > 0 ? " of " + std::to_string(all) : std::string()),
      "run it again"};
}

struct CorpusLine {
  std::string id, title, text;
};

Result<CorpusLine> read_line(const std::string& line, const std::string& place) {
  const Result<Json> json = parse_json(line, place);
  if (!json) return json.error();
  const auto text_of = [&](const char* key) {
    return json->is_object() && json->contains(key) && (*json)[key].is_string()
               ? (*json)[key].get<std::string>()
               : std::string();
  };
  CorpusLine document{text_of("_id"), text_of("title"), text_of("text")};
  if (document.id.empty()) {
    return Error{Kind::bad_data, place,
                 "is not a line of a corpus: {\"_id\": \"...\", \"title\": \"...\", \"text\": \"...\"}",
                 "see the layout of BEIR data sets"};
  }
  return document;
}

Document document_of(const CorpusLine& line) {
  Document document;
  document.source = line.id;
  document.title = line.title;
  document.media_type = "text/plain";
  if (!line.title.empty()) {
    document.text = line.title;
    document.blocks.push_back({BlockKind::heading, 1, {0, line.title.size()}});
  }
  if (!line.text.empty()) {
    if (!document.text.empty()) document.text += "\n\n";
    const std::size_t start = document.text.size();
    document.text += line.text;
    document.blocks.push_back({BlockKind::paragraph, 0, {start, document.text.size()}});
  }
  return document;
}

class CorpusIngest {
 public:
  CorpusIngest(store::Store& store, CollectionId collection, engine::Embedder& embedder, int passage_tokens,
               int overlap_sentences)
      : store_(store), collection_(collection), embedder_(embedder) {
    cut_.target_tokens = passage_tokens;
    cut_.max_tokens = embedder.max_tokens();
    cut_.overlap_sentences = overlap_sentences;
    recipe_ = corpus_recipe(passage_tokens, overlap_sentences, embedder);
  }

  Result<void> add(const CorpusLine& line, CorpusSummary& summary) {
    const std::string hash = sha256_hex(line.title + "\n" + line.text);
    Result<std::optional<store::DocumentRow>> known = store_.find_document(collection_, line.id);
    if (!known) return known.error();
    if (known->has_value() && (*known)->content_hash == hash && (*known)->recipe == recipe_) {
      ++summary.unchanged;
      return done();
    }
    const Document document = document_of(line);
    const auto count = [&](std::string_view text) { return embedder_.count_tokens(text); };
    Result<std::vector<Passage>> passages = passage::cut(document, count, cut_);
    if (!passages) return passages.error();
    std::vector<float> vectors;
    for (std::size_t start = 0; start < passages->size(); start += kBatch) {
      std::vector<std::string> texts;
      for (std::size_t i = start; i < std::min(passages->size(), start + kBatch); ++i)
        texts.push_back((*passages)[i].indexed_text());
      Result<std::vector<float>> some = embedder_.embed(texts);
      if (!some) return some.error();
      vectors.insert(vectors.end(), some->begin(), some->end());
    }
    store::DocumentRow row;
    row.source = line.id;
    row.title = line.title;
    row.media_type = document.media_type;
    row.content_hash = hash;
    row.recipe = recipe_;
    row.file_size = static_cast<std::int64_t>(document.text.size());
    row.ingested_at = system_clock().unix_seconds();
    Result<DocumentId> put = store_.put_document(collection_, row, document, *passages, vectors);
    if (!put) return put.error();
    ++summary.added;
    summary.passages += passages->size();
    if (passages->empty()) ++summary.empty;
    return done();
  }

 private:
  store::Store& store_;
  CollectionId collection_;
  engine::Embedder& embedder_;
  passage::CutOptions cut_;
  std::string recipe_;
};

/// "docs/12.txt" -> "12"
std::string stem_of(const std::string& source) {
  const std::size_t slash = source.rfind('/');
  std::string name = slash == std::string::npos ? source : source.substr(slash + 1);
  const std::size_t dot = name.rfind('.');
  if (dot != std::string::npos && dot > 0) name.resize(dot);
  return name;
}

/// Which judged id a source stands for, if any.
using IdOfSource = std::unordered_map<std::string, std::string>;

struct Judged {
  IdOfSource ids;
  std::size_t missing = 0;
};

Result<Judged> match(store::Store& store, CollectionId collection, const eval::RetrievalData& data) {
  std::unordered_set<std::string> wanted, found;
  for (const auto& query : data.queries) {
    for (const auto& [id, grade] : query.judged) wanted.insert(id);
  }
  Judged judged;
  Result<void> visited = store.for_each_document(collection, [&](const store::DocumentRow& row) {
    const std::string stem = stem_of(row.source);
    const std::string& id = wanted.contains(row.source) ? row.source : stem;
    if (!wanted.contains(id)) return;
    judged.ids[row.source] = id;
    found.insert(id);
  });
  if (!visited) return visited.error();
  judged.missing = wanted.size() - found.size();
  if (found.empty() && !wanted.empty()) {
    return Error{Kind::bad_request, data.version.file, "none of its judged documents is in this collection",
                 "loam eval retrieval --ingest " + data.version.file};
  }
  return judged;
}

std::vector<std::string> documents_of(const std::vector<Hit>& hits, const IdOfSource& ids) {
  std::vector<std::string> ranked;
  std::unordered_set<std::string> seen;
  for (const Hit& hit : hits) {
    if (!seen.insert(hit.source).second) continue;
    const auto judged = ids.find(hit.source);
    ranked.push_back(judged == ids.end() ? "\n" + hit.source : judged->second);
    if (ranked.size() >= kDocuments) break;
  }
  return ranked;
}

Result<eval::ItemResult> score_query(retrieve::Retriever& retriever, const Judged& judged,
                                     const eval::RetrievalData::Query& query,
                                     const retrieve::RetrieveOptions& options, bool& refused) {
  eval::ItemResult item;
  item.id = query.id;
  std::vector<std::string> ranked;
  Result<std::vector<Hit>> hits = retriever.find(query.text, kDepth, options);
  if (hits) {
    ranked = documents_of(*hits, judged.ids);
  } else if (hits.error().kind == Kind::bad_request) {
    refused = true;
    item.output = hits.error().line();
  } else {
    return hits.error();
  }
  const eval::Judgements grades(query.judged.begin(), query.judged.end());
  item.scores["ndcg@10"] = eval::ndcg_at_k(ranked, grades, 10);
  item.scores["recall@10"] = eval::recall_at_k(ranked, grades, 10);
  item.scores["recall@100"] = eval::recall_at_k(ranked, grades, 100);
  item.scores["mrr"] = eval::reciprocal_rank(ranked, grades);
  if (item.output.empty()) {  // the first ten, for people who look at differences
    for (std::size_t i = 0; i < std::min<std::size_t>(10, ranked.size()); ++i) {
      const std::string_view id = ranked[i];
      item.output += (i == 0 ? "" : " ") + std::string(id.starts_with('\n') ? id.substr(1) : id);
    }
  }
  return item;
}

eval::Metric mean_of(const std::vector<eval::ItemResult>& items, const std::string& name) {
  std::vector<double> values;
  for (const eval::ItemResult& item : items) values.push_back(item.scores.at(name));
  return {name, eval::bootstrap_mean(values), true};
}

}  // namespace

std::string corpus_recipe(int passage_tokens, int overlap_sentences, const engine::Embedder& embedder) {
  return sha256_hex("corpus " + std::to_string(passage::kCutterVersion) + " " +
                    std::to_string(passage_tokens) + " " +
                    (overlap_sentences == 0 ? "" : "overlap " + std::to_string(overlap_sentences) + " ") +
                    embedder.fingerprint());
}

Document corpus_document(const store::DocumentRow& row, std::string text) {
  const std::string frame = row.title.empty() ? "" : row.title + "\n\n";
  CorpusLine line{row.source, row.title, ""};
  if (text.size() > frame.size() && text.starts_with(frame)) line.text = text.substr(frame.size());
  return document_of(line);
}

Result<CorpusSummary> ingest_corpus(store::Store& store, CollectionId collection, engine::Embedder& embedder,
                                    const std::filesystem::path& folder, int passage_tokens,
                                    const ProgressSink& progress, std::stop_token stop,
                                    int overlap_sentences) {
  const std::filesystem::path file = folder / "corpus.jsonl";
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    return Error{Kind::unavailable, file.string(), "cannot be read",
                 "give a folder in BEIR's layout: corpus.jsonl, queries.jsonl, qrels/test.tsv"};
  }
  CorpusIngest ingest(store, collection, embedder, passage_tokens, overlap_sentences);
  CorpusSummary summary;
  std::unordered_set<std::string> ids;
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    if (stop.stop_requested()) return stopped("ingest of " + file.string(), summary.documents, 0);
    if (progress) progress({"embedding the corpus", summary.documents, 0});
    const std::string place = file.string() + " line " + std::to_string(number);
    Result<CorpusLine> document = read_line(line, place);
    if (!document) return document.error();
    if (!ids.insert(document->id).second) {
      return Error{Kind::bad_data, place, "the id \"" + document->id + "\" occurs twice",
                   "give each document its own"};
    }
    if (Result<void> added = ingest.add(*document, summary); !added) return added.error();
    ++summary.documents;
  }
  std::vector<DocumentId> gone;
  Result<void> visited = store.for_each_document(collection, [&](const store::DocumentRow& row) {
    if (!ids.contains(row.source)) gone.push_back(row.id);
  });
  if (!visited) return visited.error();
  for (const DocumentId id : gone) {
    if (Result<void> removed = store.remove_document(id); !removed) return removed.error();
    ++summary.removed;
  }
  return summary;
}

Result<RetrievalEvaluation> evaluate_retrieval(retrieve::Retriever& retriever, store::Store& store,
                                               CollectionId collection, const eval::RetrievalData& data,
                                               const retrieve::RetrieveOptions& options,
                                               const ProgressSink& progress, std::stop_token stop) {
  Result<Judged> judged = match(store, collection, data);
  if (!judged) return judged.error();
  RetrievalEvaluation evaluation;
  evaluation.judged_missing = judged->missing;
  struct Way {
    const char* name;
    retrieve::Legs legs;
    engine::Reranker* reranker;
  };
  std::vector<Way> ways = {{"bm25", retrieve::Legs::lexical_only, nullptr},
                           {"dense", retrieve::Legs::dense_only, nullptr},
                           {"hybrid", retrieve::Legs::both, nullptr}};
  if (options.reranker != nullptr) ways.push_back({"re-ranked", retrieve::Legs::both, options.reranker});
  std::unordered_set<std::string> refused;
  std::size_t asked = 0;
  for (const auto& [name, which, reranker] : ways) {
    RetrievalContestant contestant;
    contestant.name = name;
    retrieve::RetrieveOptions one = options;
    one.legs = which;
    one.reranker = reranker;
    // A leg alone is shown at its best, so that the comparison does not favour the fusion.
    if (which != retrieve::Legs::both) one.candidates = std::max(one.candidates, kDepth);
    for (const auto& query : data.queries) {
      if (stop.stop_requested()) return stopped("evaluation", asked, ways.size() * data.queries.size());
      if (progress) progress({"searching", asked, ways.size() * data.queries.size()});
      ++asked;
      bool query_refused = false;
      Result<eval::ItemResult> scored = score_query(retriever, *judged, query, one, query_refused);
      if (!scored) return scored.error();
      eval::ItemResult item = std::move(*scored);
      if (query_refused) refused.insert(query.id);
      contestant.items.push_back(std::move(item));
    }
    for (const char* metric : {"ndcg@10", "recall@10", "recall@100", "mrr"})
      contestant.metrics.push_back(mean_of(contestant.items, metric));
    evaluation.contestants.push_back(std::move(contestant));
  }
  evaluation.refused = refused.size();
  return evaluation;
}

Result<std::vector<eval::ItemResult>> rank_queries(retrieve::Retriever& retriever, store::Store& store,
                                                   CollectionId collection, const eval::RetrievalData& data,
                                                   std::span<const std::size_t> which,
                                                   const retrieve::RetrieveOptions& options,
                                                   const std::function<bool()>& time_is_up,
                                                   const ProgressSink& progress, std::stop_token stop) {
  Result<Judged> judged = match(store, collection, data);
  if (!judged) return judged.error();
  std::vector<eval::ItemResult> items;
  for (const std::size_t query : which) {
    if (stop.stop_requested() || (time_is_up && time_is_up())) break;
    if (progress) progress({"searching", items.size(), which.size()});
    bool refused = false;
    Result<eval::ItemResult> item = score_query(retriever, *judged, data.queries[query], options, refused);
    if (!item) return item.error();
    items.push_back(std::move(*item));
  }
  return items;
}

}  // namespace loam::tasks
