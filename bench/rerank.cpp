// bench_rerank: does a re-ranker find better than the fusion alone? SciFact (BEIR), the SQuAD v1.1 dev
// paragraphs and the paragraphs of TAT-QA's dev set (which no re-ranker here was trained on). With --sweep
// the weight and the number of passages are tried on the training questions (SciFact, SQuAD's even articles);
// otherwise the settings of the product report on the test questions, with the paired test that decides
// whether a re-ranker is used. At most --limit questions of each set, drawn by seed.
#include <algorithm>
#include <fstream>
#include <random>
#include <sstream>
#include <unordered_set>

#include "base/clock.h"
#include "base/json.h"
#include "engine/local_embedder.h"
#include "engine/local_encoder.h"
#include "eval/metrics.h"
#include "eval/significance.h"
#include "retrieve/rerank.h"
#include "retrieve/retrieve.h"
#include "support/collection.h"
#include "support/data.h"
#include "support/embedding_cache.h"
#include "support/report.h"

namespace loam::bench {
namespace {

constexpr int kDepth =
    300;  // passages found for each question: documents after the 10th are seldom asked for

/// Remembers what it was asked, so that a sweep reads each pair once.
class Remembered final : public engine::Reranker {
 public:
  explicit Remembered(engine::Reranker& inner) : inner_(inner) {}
  const std::string& model_name() const override { return inner_.model_name(); }
  const std::string& fingerprint() const override { return inner_.fingerprint(); }
  Result<std::vector<float>> score(std::string_view question,
                                   std::span<const std::string> passages) override {
    std::vector<std::string> missing;
    for (const std::string& text : passages) {
      if (!known_.contains(key(question, text))) missing.push_back(text);
    }
    if (!missing.empty()) {
      const auto fresh = inner_.score(question, missing);
      if (!fresh) return fresh.error();
      for (std::size_t i = 0; i < missing.size(); ++i) known_[key(question, missing[i])] = (*fresh)[i];
    }
    std::vector<float> scores;
    for (const std::string& text : passages) scores.push_back(known_.at(key(question, text)));
    return scores;
  }

 private:
  static std::string key(std::string_view question, const std::string& text) {
    return std::string(question) + "\n" + text;
  }
  engine::Reranker& inner_;
  std::unordered_map<std::string, float> known_;
};

/// tatqa_dataset_dev.json: each paragraph is a document; questions that are answered from text ask for
/// theirs.
DataSet read_tatqa(const std::filesystem::path& folder) {
  std::ifstream in(folder / "tatqa_dataset_dev.json", std::ios::binary);
  std::ostringstream bytes;
  bytes << in.rdbuf();
  const Json root = must(parse_json(bytes.str(), "tatqa_dataset_dev.json"));
  DataSet data;
  data.name = "tatqa";
  std::size_t report = 0;
  for (const Json& one : root) {
    const auto id_of = [&](const std::string& order) { return "r" + std::to_string(report) + "-p" + order; };
    for (const Json& paragraph : one.at("paragraphs")) {
      data.documents.push_back({id_of(std::to_string(paragraph.at("order").get<int>())), "",
                                paragraph.at("text").get<std::string>()});
    }
    for (const Json& asked : one.at("questions")) {
      if (asked.at("answer_from") != "text") continue;
      Question question;
      question.id = asked.at("uid").get<std::string>();
      question.text = asked.at("question").get<std::string>();
      question.group = report;
      for (const Json& order : asked.at("rel_paragraphs"))
        question.relevant[id_of(order.get<std::string>())] = 1;
      if (!question.relevant.empty()) data.test.push_back(std::move(question));
    }
    ++report;
  }
  return data;
}

struct Scores {
  std::vector<double> ndcg, mrr;
  std::vector<double> rerank_ms, all_ms;
};

Scores score(retrieve::Retriever& retriever, const std::vector<Question>& questions,
             const retrieve::RetrieveOptions& options, const char* what) {
  Scores scores;
  for (const Question& question : questions) {
    retrieve::RetrieveTimings spent;
    const Stopwatch watch;
    const std::vector<Hit> hits = must(retriever.find(question.text, kDepth, options, &spent));
    scores.all_ms.push_back(watch.milliseconds());
    scores.rerank_ms.push_back(spent.rerank_ms);
    std::vector<std::string> documents;
    std::unordered_set<std::string> seen;
    for (const Hit& hit : hits) {
      const std::string id = id_of_source(hit.source);
      if (seen.insert(id).second) documents.push_back(id);
    }
    scores.ndcg.push_back(eval::ndcg_at_k(documents, question.relevant, 10));
    scores.mrr.push_back(eval::reciprocal_rank(documents, question.relevant));
    if (scores.ndcg.size() % 50 == 0)
      std::fprintf(stderr, "%s: %zu of %zu\n", what, scores.ndcg.size(), questions.size());
  }
  return scores;
}

std::vector<Question> drawn(std::vector<Question> questions, int limit) {
  std::mt19937 random(20240301);
  std::shuffle(questions.begin(), questions.end(), random);
  if (limit > 0 && questions.size() > static_cast<std::size_t>(limit))
    questions.resize(static_cast<std::size_t>(limit));
  return questions;
}

Json sweep(retrieve::Retriever& retriever, engine::Reranker& reranker,
           const std::vector<Question>& questions) {
  Remembered remembered(reranker);
  Json rows = Json::array();
  const auto add = [&](int first, float weight) {
    retrieve::RetrieveOptions options;
    options.reranker = first > 0 ? &remembered : nullptr;
    options.reranked = first;
    options.rerank_weight = weight;
    const Scores scores = score(retriever, questions, options, "sweep");
    const eval::Estimate ndcg = eval::bootstrap_mean(scores.ndcg);
    const eval::Estimate mrr = eval::bootstrap_mean(scores.mrr);
    std::printf("  first %2d, weight %.2f: nDCG@10 %.4f, MRR %.4f\n", first, static_cast<double>(weight),
                ndcg.value, mrr.value);
    rows.push_back(
        {{"reranked", first}, {"weight", weight}, {"ndcg@10", to_json(ndcg)}, {"mrr", to_json(mrr)}});
  };
  add(0, 0);
  for (const int first : {30, 20, 10, 5}) {
    for (const float weight : {0.1F, 0.2F, 0.3F, 0.4F, 0.5F, 0.6F, 0.7F, 0.8F, 1.0F}) add(first, weight);
  }
  return rows;
}

Json report(retrieve::Retriever& retriever, engine::Reranker& reranker,
            const std::vector<Question>& questions) {
  retrieve::RetrieveOptions options;
  const Scores without = score(retriever, questions, options, "fused");
  options.reranker = &reranker;
  const Scores with = score(retriever, questions, options, "re-ranked");
  std::vector<std::string> clusters;
  for (const Question& question : questions) clusters.push_back(std::to_string(question.group));
  Json out{{"questions", questions.size()}};
  for (const auto& [name, values] : {std::pair{"ndcg@10", &Scores::ndcg}, std::pair{"mrr", &Scores::mrr}}) {
    const auto compared = must(eval::compare_paired(without.*values, with.*values, clusters));
    std::printf("  %-8s fused %s, re-ranked %s\n           %s\n", name, shown(compared.a).c_str(),
                shown(compared.b).c_str(), eval::verdict_sentence(compared, "fused", "re-ranked").c_str());
    out[name] = {{"fused", to_json(compared.a)},
                 {"reranked", to_json(compared.b)},
                 {"difference", to_json(compared.difference)},
                 {"p", compared.p}};
  }
  std::printf("  re-ranking p50 %.0f ms, p95 %.0f ms\n", percentile(with.rerank_ms, 0.5),
              percentile(with.rerank_ms, 0.95));
  out["rerank_ms"] = spread(with.rerank_ms);
  out["find_ms"] = spread(without.all_ms);
  return out;
}

int run(int argc, char** argv) {
  std::vector<std::string> others;
  const Settings settings = settings_from(argc, argv, &others);
  const std::string file = other(others, "reranker", "");
  if (file.empty()) fail("give the adapter: --reranker=FILE");
  const std::string only = other(others, "only", "");
  const Json before = machine();
  const auto model = must(engine::LocalModel::open(settings.models / "all-minilm-l6-v2.gguf"));
  engine::LocalEmbedderOptions embedding;
  embedding.threads = std::stoi(other(others, "threads", "0"));
  const auto embedder = must(engine::LocalEmbedder::open(model, embedding));
  engine::LocalEncoderOptions encoding;
  encoding.threads = embedding.threads;
  const auto reranker = must(engine::LocalReranker::open(model, file, encoding));
  EmbeddingCache cache(*embedder, settings.work);
  Json result{{"reranker", reranker->model_name()}};
  for (const std::string name : {"scifact", "squad", "tatqa"}) {
    if (!only.empty() && only != name) continue;
    if (settings.sweep && name == "tatqa") continue;
    const DataSet data = name == "scifact" ? read_beir(settings.data / "03-retrieval-scifact", name)
                         : name == "squad" ? read_squad(settings.data / "01-qa-squad")
                                           : read_tatqa(settings.data / "01-qa-tatqa");
    Ingested in = ingest_data_set(settings, data, cache);
    const auto retriever = must(retrieve::Retriever::open(*in.store, in.collection, cache));
    const std::vector<Question> questions = drawn(settings.sweep ? data.train : data.test, settings.limit);
    std::printf("\n%s: %llu documents, %zu questions\n", name.c_str(),
                static_cast<unsigned long long>(in.counts.documents), questions.size());
    result[name] =
        settings.sweep ? sweep(*retriever, *reranker, questions) : report(*retriever, *reranker, questions);
    std::fflush(stdout);
  }
  keep(settings, settings.sweep ? "rerank-sweep" : "rerank", result, before);
  return 0;
}

}  // namespace
}  // namespace loam::bench

int main(int argc, char** argv) { return loam::bench::run(argc, argv); }
