// How well are documents found? A data set in BEIR's layout against a collection, by words, by meaning, by
// both.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "engine/engine.h"
#include "eval/cases.h"
#include "eval/ledger.h"
#include "retrieve/retrieve.h"
#include "store/store.h"

namespace loam::tasks {

struct CorpusSummary {
  std::size_t documents = 0, added = 0, unchanged = 0, removed = 0, empty = 0;
  std::uint64_t passages = 0;
};

/// Brings a collection in step with `folder`/corpus.jsonl ({"_id","title","text"} a line): each line becomes
/// a document whose source is its id; what has not changed is not embedded again, what is gone is removed.
/// One transaction a document, so an interrupted run goes on where it ended. bad_data with the line for what
/// is no such line or an id that occurs twice.
Result<CorpusSummary> ingest_corpus(store::Store& store, CollectionId collection, engine::Embedder& embedder,
                                    const std::filesystem::path& folder, int passage_tokens,
                                    const ProgressSink& progress = {}, std::stop_token stop = {},
                                    int overlap_sentences = 0);

/// What DocumentRow::recipe holds of a document of a corpus.
std::string corpus_recipe(int passage_tokens, int overlap_sentences, const engine::Embedder& embedder);
/// The document of a corpus again, from its row and its kept text.
Document corpus_document(const store::DocumentRow& row, std::string text);

struct RetrievalContestant {
  std::string name;  ///< "bm25", "dense", "hybrid"; with a re-ranker also "re-ranked"
  std::vector<eval::ItemResult> items;
  std::vector<eval::Metric> metrics;  ///< ndcg@10, recall@10, recall@100, mrr
};

struct RetrievalEvaluation {
  std::vector<RetrievalContestant> contestants;
  std::size_t refused =
      0;  ///< queries that the embedder could not take: scored 0, with the refusal as output
  std::size_t judged_missing = 0;  ///< judged documents that are not in the collection
};

/// A document stands where its best passage stands. Sources are compared with the judged ids as they are, and
/// without folders and extension ("docs/12.txt" is "12"). bad_request when no judged document is in the
/// collection at all: then it is another collection's data.
Result<RetrievalEvaluation> evaluate_retrieval(retrieve::Retriever& retriever, store::Store& store,
                                               CollectionId collection, const eval::RetrievalData& data,
                                               const retrieve::RetrieveOptions& options,
                                               const ProgressSink& progress = {}, std::stop_token stop = {});

/// Scores of some of the queries for exactly these options: the same as evaluate_retrieval() gives them.
/// Asked before each query, `time_is_up` (may be empty) ends it with the items it has; so does `stop`.
Result<std::vector<eval::ItemResult>> rank_queries(retrieve::Retriever& retriever, store::Store& store,
                                                   CollectionId collection, const eval::RetrievalData& data,
                                                   std::span<const std::size_t> which,
                                                   const retrieve::RetrieveOptions& options,
                                                   const std::function<bool()>& time_is_up = {},
                                                   const ProgressSink& progress = {},
                                                   std::stop_token stop = {});

}  // namespace loam::tasks
