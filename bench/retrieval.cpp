// bench_retrieval: how well, and how fast, passages are found. SciFact (BEIR) and the SQuAD v1.1 dev
// paragraphs; BM25 alone, dense alone, and both fused. Settings are chosen with --sweep on the training
// questions; the report is on the test questions. A document is scored by its best passage.
#include <algorithm>
#include <cstdio>
#include <map>
#include <unordered_map>

#include "base/clock.h"
#include "base/json.h"
#include "engine/local_embedder.h"
#include "index/index.h"
#include "retrieve/fusion.h"
#include "retrieve/retrieve.h"
#include "support/collection.h"
#include "support/data.h"
#include "support/embedding_cache.h"
#include "support/report.h"

namespace loam::bench {
namespace {

constexpr int kDepth = 1000;  // passages kept per leg, so that recall@100 of documents is not cut short

struct Lists {
  std::vector<store::Scored> lexical, dense;
};

using DocumentNames = std::unordered_map<std::uint64_t, std::string>;  // passage to document id

struct Scores {
  std::vector<double> ndcg_at_10, recall_at_5, recall_at_100, reciprocal_rank;
};

DocumentNames names_of_passages(Ingested& in) {
  DocumentNames names;
  std::vector<store::DocumentRow> rows = must(in.store->documents(in.collection));
  for (const store::DocumentRow& row : rows) {
    const std::string id = id_of_source(row.source);
    for (const PassageId passage : must(in.store->passages_of(row.id))) names[number_of(passage)] = id;
  }
  return names;
}

/// Documents in the order of their best passages.
std::vector<std::string> documents_of(const std::vector<retrieve::Fused>& fused, const DocumentNames& names) {
  std::vector<std::string> out;
  std::unordered_map<std::string, bool> seen;
  for (const retrieve::Fused& one : fused) {
    const auto name = names.find(number_of(one.passage));
    if (name == names.end()) continue;
    if (seen.try_emplace(name->second, true).second) out.push_back(name->second);
    if (out.size() >= 200) break;
  }
  return out;
}

std::vector<retrieve::Fused> fuse_as_find_does(const Lists& lists, const retrieve::RetrieveOptions& options) {
  const auto first = [&](const std::vector<store::Scored>& list) {
    return std::span(list).first(std::min(list.size(), static_cast<std::size_t>(options.candidates)));
  };
  const std::span<const store::Scored> none;
  return retrieve::fuse(
      {options.legs == retrieve::Legs::dense_only ? none : first(lists.lexical), options.lexical_weight},
      {options.legs == retrieve::Legs::lexical_only ? none : first(lists.dense), options.dense_weight});
}

/// What find() is compared with: Cormack, Clarke & Buettcher, "Reciprocal Rank Fusion outperforms Condorcet
/// and individual Rank Learning Methods", SIGIR 2009.
std::vector<retrieve::Fused> fuse_by_rank(const Lists& lists, std::size_t candidates, int k,
                                          float lexical_weight) {
  std::map<PassageId, float> scores;
  for (std::size_t i = 0; i < std::min(candidates, lists.lexical.size()); ++i)
    scores[lists.lexical[i].passage] += lexical_weight / static_cast<float>(k + static_cast<int>(i) + 1);
  for (std::size_t i = 0; i < std::min(candidates, lists.dense.size()); ++i)
    scores[lists.dense[i].passage] += 1.0F / static_cast<float>(k + static_cast<int>(i) + 1);
  std::vector<retrieve::Fused> fused;
  for (const auto& [passage, score] : scores) fused.push_back({passage, score, {}});
  std::ranges::stable_sort(fused, std::greater<>(), &retrieve::Fused::score);
  return fused;
}

template <typename Fuse>
Scores score_with(const std::vector<Question>& questions, const std::vector<Lists>& lists,
                  const DocumentNames& names, const Fuse& fuse) {
  Scores out;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const std::vector<std::string> ranked = documents_of(fuse(lists[i]), names);
    out.ndcg_at_10.push_back(eval::ndcg_at_k(ranked, questions[i].relevant, 10));
    out.recall_at_5.push_back(eval::recall_at_k(ranked, questions[i].relevant, 5));
    out.recall_at_100.push_back(eval::recall_at_k(ranked, questions[i].relevant, 100));
    out.reciprocal_rank.push_back(eval::reciprocal_rank(ranked, questions[i].relevant));
  }
  return out;
}

Scores score(const std::vector<Question>& questions, const std::vector<Lists>& lists,
             const DocumentNames& names, const retrieve::RetrieveOptions& options) {
  return score_with(questions, lists, names,
                    [&](const Lists& one) { return fuse_as_find_does(one, options); });
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

std::vector<Lists> search_all(index::Index& index, engine::Embedder& embedder,
                              const std::vector<Question>& questions) {
  std::vector<Lists> out;
  constexpr std::size_t kBatch = 64;
  const auto dimensions = static_cast<std::size_t>(embedder.dimensions());
  for (std::size_t start = 0; start < questions.size(); start += kBatch) {
    const std::size_t end = std::min(questions.size(), start + kBatch);
    std::vector<std::string> texts;
    for (std::size_t i = start; i < end; ++i) texts.push_back(questions[i].text);
    const std::vector<float> vectors = must(embedder.embed(texts));
    for (std::size_t i = start; i < end; ++i) {
      Lists lists;
      lists.lexical = must(index.lexical(questions[i].text, kDepth));
      lists.dense =
          must(index.dense(std::span(vectors).subspan((i - start) * dimensions, dimensions), kDepth));
      out.push_back(std::move(lists));
    }
    if (start % 1024 == 0) std::fprintf(stderr, "searched %zu of %zu\n", end, questions.size());
  }
  return out;
}

/// Questions of one SQuAD article hang together; those of SciFact do not.
eval::Estimate interval(const std::vector<double>& values, const std::vector<Question>& questions) {
  std::vector<std::size_t> groups;
  for (const Question& question : questions) groups.push_back(question.group);
  return must(eval::bootstrap_mean_by_group(values, groups));
}

Json difference(const std::vector<double>& a, const std::vector<double>& b,
                const std::vector<Question>& questions, std::string& sentence) {
  std::vector<double> differences;
  for (std::size_t i = 0; i < a.size(); ++i) differences.push_back(a[i] - b[i]);
  const eval::Estimate estimate = interval(differences, questions);
  const eval::PairedDifference paired = must(eval::paired_bootstrap(a, b));
  sentence = shown(estimate) + " (p " + std::to_string(paired.p) + ", better " +
             std::to_string(paired.better) + ", worse " + std::to_string(paired.worse) + ")";
  Json out = to_json(estimate);
  out["p"] = paired.p;
  out["better"] = paired.better;
  out["worse"] = paired.worse;
  return out;
}

Json report(const std::string& title, const std::vector<Question>& questions, const std::vector<Lists>& lists,
            const DocumentNames& names, retrieve::RetrieveOptions options) {
  std::map<std::string, Scores> scores;
  options.legs = retrieve::Legs::both;
  scores["hybrid"] = score(questions, lists, names, options);
  retrieve::RetrieveOptions alone = options;
  alone.candidates =
      kDepth;  // a leg alone is shown at its best, so that the comparison does not favour the fusion
  alone.legs = retrieve::Legs::lexical_only;
  scores["bm25"] = score(questions, lists, names, alone);
  alone.legs = retrieve::Legs::dense_only;
  scores["dense"] = score(questions, lists, names, alone);

  using Member = std::vector<double> Scores::*;
  const std::vector<std::pair<std::string, Member>> measures{{"ndcg_at_10", &Scores::ndcg_at_10},
                                                             {"recall_at_5", &Scores::recall_at_5},
                                                             {"recall_at_100", &Scores::recall_at_100},
                                                             {"mrr", &Scores::reciprocal_rank}};
  std::printf("\n%s, %zu questions\n", title.c_str(), questions.size());
  Json out{{"questions", questions.size()}};
  for (const auto& [measure, member] : measures) {
    for (const std::string leg : {"bm25", "dense", "hybrid"}) {
      const eval::Estimate estimate = interval(scores[leg].*member, questions);
      out[measure][leg] = to_json(estimate);
      std::printf("  %-14s %-7s %s\n", measure.c_str(), leg.c_str(), shown(estimate).c_str());
    }
    for (const std::string leg : {"bm25", "dense"}) {
      std::string sentence;
      out[measure]["hybrid_minus_" + leg] =
          difference(scores["hybrid"].*member, scores[leg].*member, questions, sentence);
      std::printf("  %-14s hybrid - %-5s %s\n", measure.c_str(), leg.c_str(), sentence.c_str());
    }
  }
  return out;
}

Json sweep(const std::vector<Question>& questions, const std::vector<Lists>& lists,
           const DocumentNames& names) {
  Json rows = Json::array();
  std::printf("%-8s %10s %6s %7s %9s %9s %9s %9s\n", "fusion", "candidates", "rrf_k", "lexical", "ndcg@10",
              "recall@5", "rec@100", "mrr");
  const auto add = [&](const std::string& fusion, int candidates, int k, float weight, const Scores& scores) {
    rows.push_back({{"fusion", fusion},
                    {"candidates", candidates},
                    {"rrf_k", k},
                    {"lexical_weight", weight},
                    {"ndcg_at_10", mean(scores.ndcg_at_10)},
                    {"recall_at_5", mean(scores.recall_at_5)},
                    {"recall_at_100", mean(scores.recall_at_100)},
                    {"mrr", mean(scores.reciprocal_rank)}});
    std::printf("%-8s %10d %6d %7.2f %9.4f %9.4f %9.4f %9.4f\n", fusion.c_str(), candidates, k,
                static_cast<double>(weight), mean(scores.ndcg_at_10), mean(scores.recall_at_5),
                mean(scores.recall_at_100), mean(scores.reciprocal_rank));
  };
  for (const int candidates : {30, 100, 300, 1000}) {
    for (const float weight : {0.0F, 0.3F, 0.4F, 0.45F, 0.5F, 0.55F, 0.6F, 0.65F, 0.7F, 0.8F, 1.0F}) {
      retrieve::RetrieveOptions options;
      options.candidates = candidates;
      options.lexical_weight = weight;
      options.dense_weight = 1.0F - weight;
      add("scores", candidates, 0, weight, score(questions, lists, names, options));
    }
  }
  for (const int k : {5, 10, 20, 60, 100}) {
    for (const float weight : {0.5F, 1.0F, 1.5F, 2.0F, 3.0F}) {
      add("ranks", 100, k, weight, score_with(questions, lists, names, [&](const Lists& one) {
            return fuse_by_rank(one, 100, k, weight);
          }));
    }
  }
  return rows;
}

/// find() itself must rank as the lists above do, and the same twice.
int count_disagreements(retrieve::Retriever& retriever, const std::vector<Question>& questions,
                        const std::vector<Lists>& lists, std::size_t checked) {
  int disagreements = 0;
  for (std::size_t i = 0; i < std::min(checked, questions.size()); ++i) {
    const std::vector<retrieve::Fused> fused = fuse_as_find_does(lists[i], {});
    for (int run = 0; run < 2; ++run) {
      const std::vector<Hit> hits = must(retriever.find(questions[i].text, 10));
      bool equal = hits.size() == std::min<std::size_t>(10, fused.size());
      for (std::size_t j = 0; equal && j < hits.size(); ++j) equal = hits[j].passage.id == fused[j].passage;
      if (!equal) ++disagreements;
    }
  }
  return disagreements;
}

Json speed(retrieve::Retriever& retriever, const std::vector<Question>& questions) {
  std::vector<double> without, with, lexical, embed, dense, fuse;
  const std::size_t n = std::min<std::size_t>(questions.size(), 310);
  const std::size_t step = questions.size() / n;
  for (std::size_t i = 0; i < n; ++i) {
    retrieve::RetrieveTimings spent;
    const Stopwatch watch;
    const std::vector<Hit> hits = must(retriever.find(questions[i * step].text, 4, {}, &spent));
    const double total = watch.milliseconds();
    if (i < 10) continue;  // warm
    with.push_back(total);
    without.push_back(total - spent.embed_ms);
    lexical.push_back(spent.lexical_ms);
    embed.push_back(spent.embed_ms);
    dense.push_back(spent.dense_ms);
    fuse.push_back(spent.fuse_ms);
  }
  const auto line = [](const char* name, const std::vector<double>& values) {
    std::printf("  %-24s p50 %7.2f ms   p95 %7.2f ms\n", name, percentile(values, 0.5),
                percentile(values, 0.95));
  };
  std::printf("  find(question, 4), default options, %zu questions\n", with.size());
  line("without query embedding", without);
  line("with query embedding", with);
  line("  words", lexical);
  line("  embedding", embed);
  line("  meaning", dense);
  line("  fusion and text", fuse);
  return {{"without_embedding_ms", spread(without)},
          {"with_embedding_ms", spread(with)},
          {"lexical_ms", spread(lexical)},
          {"embed_ms", spread(embed)},
          {"dense_ms", spread(dense)},
          {"fuse_ms", spread(fuse)}};
}

Json run_data_set(const Settings& settings, DataSet data, engine::Embedder& model, EmbeddingCache& embedder) {
  if (settings.limit > 0) {
    const auto limit = static_cast<std::size_t>(settings.limit);
    if (data.train.size() > limit) data.train.resize(limit);
    if (data.test.size() > limit) data.test.resize(limit);
  }
  Ingested in = ingest_data_set(settings, data, embedder);
  std::printf("\n== %s: %llu documents, %llu passages\n", data.name.c_str(),
              static_cast<unsigned long long>(in.counts.documents),
              static_cast<unsigned long long>(in.counts.passages));
  const DocumentNames names = names_of_passages(in);
  auto index = must(index::Index::open(*in.store, in.collection));
  Json out{{"documents", in.counts.documents},
           {"passages", in.counts.passages},
           {"text_bytes", in.counts.text_bytes}};
  if (settings.sweep) {
    const std::vector<Lists> lists = search_all(*index, embedder, data.train);
    out["sweep_on_train"] = sweep(data.train, lists, names);
    return out;
  }
  std::vector<Lists> lists = search_all(*index, embedder, data.test);
  out["test"] = report(data.name + ", test questions", data.test, lists, names, {});

  auto checked = must(retrieve::Retriever::open(*in.store, in.collection, embedder));
  const int disagreements = count_disagreements(*checked, data.test, lists, 100);
  std::printf("  check: find() ranks otherwise than its legs fused in %d of 200 runs\n", disagreements);
  out["disagreements"] = disagreements;
  if (disagreements > 0)
    fail("find() and the fused lists disagree: the figures above are not those of the product");

  auto timed = must(retrieve::Retriever::open(*in.store, in.collection, model));
  out["speed"] = speed(*timed, data.test);

  if (data.name == "squad") {
    std::vector<Question> all = data.train;
    std::vector<Lists> all_lists = search_all(*index, embedder, data.train);
    all.insert(all.end(), data.test.begin(), data.test.end());
    all_lists.insert(all_lists.end(), std::make_move_iterator(lists.begin()),
                     std::make_move_iterator(lists.end()));
    out["all"] = report(data.name + ", all questions", all, all_lists, names, {});
  }
  return out;
}

int run(int argc, char** argv) {
  std::vector<std::string> others;
  const Settings settings = settings_from(argc, argv, &others);
  const std::string only = other(others, "only", "");
  const Json before = machine();
  engine::LocalEmbedderOptions embedder_options;
  embedder_options.threads = std::stoi(other(others, "threads", "0"));  // 0: one per physical core
  const auto model =
      must(engine::LocalEmbedder::open(settings.models / "all-minilm-l6-v2.gguf", embedder_options));
  EmbeddingCache embedder(*model, settings.work);
  const retrieve::RetrieveOptions defaults;
  Json result{{"model", model->model_name()},
              {"options",
               {{"candidates", defaults.candidates},
                {"lexical_weight", defaults.lexical_weight},
                {"dense_weight", defaults.dense_weight}}}};
  if (only.empty() || only == "scifact") {
    result["scifact"] = run_data_set(settings, read_beir(settings.data / "03-retrieval-scifact", "scifact"),
                                     *model, embedder);
  }
  if (only.empty() || only == "squad") {
    result["squad"] = run_data_set(settings, read_squad(settings.data / "01-qa-squad"), *model, embedder);
  }
  std::printf("\nembeddings: %zu computed, %zu from the cache\n", embedder.computed(), embedder.remembered());
  keep(settings, settings.sweep ? "retrieval-sweep" : "retrieval", result, before);
  return 0;
}

}  // namespace
}  // namespace loam::bench

int main(int argc, char** argv) { return loam::bench::run(argc, argv); }
