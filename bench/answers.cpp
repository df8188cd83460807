// bench_answers: how good are answers end to end, with and without a reader of spans and a re-ranker? SQuAD
// v1.1 dev with all 2,067 paragraphs in one collection; the questions of odd articles report, those of even
// articles only choose weights (--features). Beside answerable questions stand two kinds without an answer:
// those of v2.0 whose paragraph reads as if it answered, and questions whose whole article is taken out of
// what is found.
#include <algorithm>
#include <fstream>
#include <map>
#include <random>
#include <unordered_map>

#include "answer/answer.h"
#include "base/clock.h"
#include "base/json.h"
#include "baseline/extractive.h"
#include "baseline/reading.h"
#include "baseline/weights.h"
#include "baseline/words.h"
#include "engine/local_embedder.h"
#include "engine/local_encoder.h"
#include "eval/metrics.h"
#include "eval/significance.h"
#include "support/collection.h"
#include "support/data.h"
#include "support/embedding_cache.h"
#include "support/report.h"
#include "tasks/eval_qa.h"

namespace loam::bench {
namespace {

struct Case {
  std::string kind;  ///< "answerable", "adversarial", "outside"
  std::string id, text, article;
  std::string source;  ///< the paragraph's document
  std::vector<std::string> accepted;
};

/// "a07" of "a07-p012": the articles of both versions are told apart by the paragraphs' text.
std::string article_of(const std::string& document) { return document.substr(0, document.find('-')); }

std::vector<Case> cases_of(const DataSet& squad, const DataSet& squad_2, bool test, std::size_t each) {
  std::unordered_map<std::string, std::string> id_of;
  for (const SourceDocument& document : squad.documents) id_of[document.text] = document.id;
  std::unordered_map<std::string, std::string> text_of;
  for (const SourceDocument& document : squad_2.documents) text_of[document.id] = document.text;
  const auto is_test = [](const std::string& article) { return std::stoi(article.substr(1)) % 2 == 1; };
  std::vector<Case> answerable, adversarial, outside;
  for (const Question& one : test ? squad.test : squad.train) {
    const std::string id = one.relevant.begin()->first;
    answerable.push_back({"answerable", one.id, one.text, article_of(id), id, one.accepted});
  }
  std::mt19937 random(20240301);
  std::shuffle(answerable.begin(), answerable.end(), random);
  for (std::size_t i = each; i < std::min(2 * each, answerable.size()); ++i) {
    outside.push_back(answerable[i]);
    outside.back().kind = "outside";
    outside.back().accepted.clear();
  }
  for (const std::vector<Question>* part : {&squad_2.train, &squad_2.test}) {
    for (const Question& one : *part) {
      if (!one.accepted.empty()) continue;
      const auto id = id_of.find(text_of.at(one.relevant.begin()->first));
      if (id == id_of.end() || is_test(article_of(id->second)) != test) continue;
      adversarial.push_back({"adversarial", one.id, one.text, article_of(id->second), id->second, {}});
    }
  }
  std::shuffle(adversarial.begin(), adversarial.end(), random);
  std::vector<Case> all;
  for (std::vector<Case>* kind : {&answerable, &adversarial, &outside}) {
    if (kind->size() > each) kind->resize(each);
    all.insert(all.end(), kind->begin(), kind->end());
  }
  return all;
}

/// Leaves one article's paragraphs out of what is found, as if it had never been ingested.
class WithoutArticle final : public retrieve::Retriever {
 public:
  explicit WithoutArticle(retrieve::Retriever& inner) : inner_(inner) {}
  std::string hidden;
  Result<std::vector<Hit>> find(std::string_view question, int k, const retrieve::RetrieveOptions& options,
                                retrieve::RetrieveTimings* timings) override {
    auto hits = inner_.find(question, hidden.empty() ? k : k + 80, options, timings);
    if (!hits) return hits;
    if (!hidden.empty()) {
      std::erase_if(*hits, [&](const Hit& hit) { return article_of(id_of_source(hit.source)) == hidden; });
    }
    if (hits->size() > static_cast<std::size_t>(k)) hits->resize(static_cast<std::size_t>(k));
    return hits;
  }
  Result<retrieve::Explanation> explain(std::string_view question, std::string_view source, int shown,
                                        const retrieve::RetrieveOptions& options) override {
    return inner_.explain(question, source, shown, options);
  }
  Result<std::vector<float>> idf(const std::vector<std::string>& terms) override { return inner_.idf(terms); }

 private:
  retrieve::Retriever& inner_;
};

/// What this process holds in memory now: the second number of /proc/self/statm, in pages.
double resident_megabytes() {
  std::ifstream in("/proc/self/statm");
  double size = 0, resident = 0;
  in >> size >> resident;
  return resident * 4096.0 / 1e6;
}

/// One way to answer.
struct Way {
  std::string name;
  engine::SpanReader* reader = nullptr;
  engine::Reranker* reranker = nullptr;
};

struct Scores {
  std::vector<double> f1, exact, right, text_f1, citation, answered;  ///< of answerable questions
  std::vector<double> silent_adversarial, silent_outside;
  std::vector<double> found_ms, rerank_ms, baseline_ms, total_ms;
};

tasks::Answered answered_of(const answer::Answer& answer, bool words) {
  tasks::Answered one;
  one.abstained = answer.abstained || !answer.text;
  one.text = words && answer.short_answer ? answer.short_answer->text : answer.text.value_or("");
  one.confidence = static_cast<double>(answer.confidence);
  one.citations = answer.citations;
  return one;
}

void ask_all(const std::vector<Case>& cases, const Way& way, WithoutArticle& retriever,
             engine::Embedder& embedder, Scores& scores, Json& items) {
  answer::AskOptions options;
  options.use_model = false;
  options.reader = way.reader;
  options.retrieve.reranker = way.reranker;
  std::size_t asked = 0;
  for (const Case& one : cases) {
    retriever.hidden = one.kind == "outside" ? one.article : "";
    const answer::Answer answer = must(answer::ask(retriever, embedder, nullptr, one.text, options));
    if (++asked % 100 == 0) std::fprintf(stderr, "%s: %zu of %zu\n", way.name.c_str(), asked, cases.size());
    items.push_back({{"id", one.id},
                     {"kind", one.kind},
                     {"way", way.name},
                     {"confidence", answer.confidence},
                     {"answer", answer.text ? Json(*answer.text) : Json()},
                     {"short", answer.short_answer ? Json(answer.short_answer->text) : Json()}});
    if (one.kind != "answerable") {
      (one.kind == "outside" ? scores.silent_outside : scores.silent_adversarial)
          .push_back(answer.abstained ? 1 : 0);
      continue;
    }
    eval::QaCase item;
    item.id = one.id;
    item.question = one.text;
    item.answer = one.accepted.front();
    item.accept = one.accepted;
    const auto words = tasks::score_answer(item, answered_of(answer, true));
    const auto text = tasks::score_answer(item, answered_of(answer, false));
    scores.f1.push_back(words.at("f1"));
    scores.exact.push_back(words.at("exact_match"));
    scores.right.push_back(text.at("right"));
    scores.text_f1.push_back(text.at("f1"));
    scores.citation.push_back(text.at("citation_recall"));
    scores.answered.push_back(answer.abstained ? 0 : 1);
    scores.found_ms.push_back(answer.timings.retrieve_ms);
    scores.rerank_ms.push_back(answer.timings.rerank_ms);
    scores.baseline_ms.push_back(answer.timings.baseline_ms);
    scores.total_ms.push_back(answer.timings.total_ms);
  }
}

Json report(const Way& way, const Scores& scores, const std::vector<std::size_t>& groups) {
  Json out;
  std::printf("\n%s\n", way.name.c_str());
  const auto line = [&](const char* name, const char* key, const std::vector<double>& values, bool grouped) {
    if (values.empty()) return;
    const eval::Estimate mean =
        grouped ? must(eval::bootstrap_mean_by_group(values, groups)) : eval::bootstrap_mean(values);
    std::printf("  %-44s %s  (n %zu)\n", name, shown(mean).c_str(), values.size());
    out[key] = to_json(mean);
  };
  line("F1 of the words that answer", "f1", scores.f1, true);
  line("exact match of them", "exact_match", scores.exact, true);
  line("F1 of the text that is shown", "text_f1", scores.text_f1, true);
  line("the text holds an accepted answer", "right", scores.right, true);
  line("a citation holds it", "citation_recall", scores.citation, true);
  line("answered, of answerable", "answered", scores.answered, true);
  line("silent, no answer in a like paragraph", "silent_adversarial", scores.silent_adversarial, false);
  line("silent, its article is not there", "silent_outside", scores.silent_outside, false);
  const auto time = [&](const char* name, const char* key, const std::vector<double>& values) {
    std::printf("  %-44s p50 %.0f ms, p95 %.0f ms\n", name, percentile(values, 0.5),
                percentile(values, 0.95));
    out[key] = spread(values);
  };
  time("search", "retrieve_ms", scores.found_ms);
  if (way.reranker != nullptr) time("re-ranking", "rerank_ms", scores.rerank_ms);
  time("sentences and reader", "baseline_ms", scores.baseline_ms);
  time("in all", "total_ms", scores.total_ms);
  return out;
}

float odds_of(std::span<const float> features, std::span<const float> weights, float bias) {
  float sum = bias;
  for (std::size_t i = 0; i < features.size(); ++i) sum += features[i] * weights[i];
  return sum;
}

/// What bench/baseline/fit_reader.py reads: the numbers that the product computes, before its last weights.
void write_features(const std::filesystem::path& file, const std::vector<Case>& cases, const Way& way,
                    WithoutArticle& retriever, engine::Embedder& embedder) {
  std::ofstream out(file);
  retrieve::RetrieveOptions options;
  options.reranker = way.reranker;
  std::size_t asked = 0;
  for (const Case& one : cases) {
    if (++asked % 100 == 0) std::fprintf(stderr, "features: %zu of %zu\n", asked, cases.size());
    retriever.hidden = one.kind == "outside" ? one.article : "";
    const std::vector<Hit> hits = must(retriever.find(one.text, 5, options, nullptr));
    std::vector<std::string> terms;
    for (const baseline::Word& word : baseline::words_of(one.text)) {
      if (!word.stop && std::find(terms.begin(), terms.end(), word.lower) == terms.end())
        terms.push_back(word.lower);
    }
    std::vector<float> idf;
    if (!terms.empty()) idf = must(retriever.idf(terms));
    const baseline::Question question = baseline::read_question(one.text, terms, idf);
    const auto candidates = must(baseline::candidates(embedder, question, hits));
    if (candidates.empty()) continue;
    const auto readings = must(baseline::read_sentences(*way.reader, one.text, hits, candidates));
    std::vector<float> odds, scores;
    for (const auto& candidate : candidates) {
      odds.push_back(odds_of(candidate.features, baseline::kSentenceWeights, baseline::kSentenceBias));
      scores.push_back(1.0F / (1.0F + std::exp(-odds.back())));
    }
    Json sentences = Json::array();
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const Hit& hit = hits[candidates[i].hit];
      const std::string text(slice(hit.passage.text, candidates[i].local));
      const std::string words =
          readings[i].span ? std::string(slice(hit.passage.text, *readings[i].span)) : std::string();
      const bool gold_place = one.kind == "answerable" && id_of_source(hit.source) == one.source;
      const bool holds =
          std::any_of(one.accepted.begin(), one.accepted.end(),
                      [&](const std::string& answer) { return text.find(answer) != std::string::npos; });
      const auto answer_features = baseline::answer_features(question, hits, candidates, scores, i);
      sentences.push_back(
          {{"hit", candidates[i].hit},
           {"gold", gold_place && holds},
           {"f1", one.accepted.empty() ? 0 : eval::token_f1(words, one.accepted)},
           {"exact", one.accepted.empty() ? 0 : eval::exact_match(words, one.accepted)},
           {"text_f1", one.accepted.empty() ? 0 : eval::token_f1(text, one.accepted)},
           {"holds", holds},
           {"features", baseline::read_sentence_features(odds[i], readings[i], readings)},
           {"answer", odds_of(answer_features, baseline::kAnswerWeights, baseline::kAnswerBias)},
           {"rerank", hit.why.rerank ? Json(*hit.why.rerank) : Json()}});
    }
    out << dump_json(Json{{"id", one.id},
                          {"kind", one.kind},
                          {"article", one.article},
                          {"sentences", std::move(sentences)}})
        << "\n";
  }
}

int run(int argc, char** argv) {
  std::vector<std::string> others;
  const Settings settings = settings_from(argc, argv, &others);
  const std::size_t each = settings.limit > 0 ? static_cast<std::size_t>(settings.limit) : 300;
  const std::string features = other(others, "features", "");
  const Json before = machine();
  engine::LocalEmbedderOptions options;
  options.threads = std::stoi(other(others, "threads", "0"));
  const auto model = must(engine::LocalModel::open(settings.models / "all-minilm-l6-v2.gguf"));
  const auto embedder = must(engine::LocalEmbedder::open(model, options));
  engine::LocalEncoderOptions encoder;
  encoder.threads = options.threads;
  std::unique_ptr<engine::LocalSpanReader> reader;
  std::unique_ptr<engine::LocalReranker> reranker;
  const double memory_before_mb = resident_megabytes();
  if (const std::string file = other(others, "reader", ""); !file.empty())
    reader = must(engine::LocalSpanReader::open(model, file, encoder));
  const double memory_reader_mb = resident_megabytes();
  if (const std::string file = other(others, "reranker", ""); !file.empty())
    reranker = must(engine::LocalReranker::open(model, file, encoder));
  const double memory_both_mb = resident_megabytes();

  EmbeddingCache cache(*embedder, settings.work);
  const DataSet squad = read_squad(settings.data / "01-qa-squad");
  const DataSet squad_2 = read_squad_2(settings.data / "01-qa-squad");
  Ingested in = ingest_data_set(settings, squad, cache);
  const auto inner = must(retrieve::Retriever::open(*in.store, in.collection, *embedder));
  WithoutArticle retriever(*inner);
  if (!features.empty()) {
    if (reader == nullptr) fail("--features needs --reader=FILE");
    write_features(features, cases_of(squad, squad_2, other(others, "part", "train") == "test", each),
                   {"", reader.get(), reranker.get()}, retriever, *embedder);
    return 0;
  }
  const std::vector<Case> cases = cases_of(squad, squad_2, true, each);
  std::vector<Way> ways = {{"without", nullptr, nullptr}};
  if (reranker) ways.push_back({"re-ranker", nullptr, reranker.get()});
  if (reader) ways.push_back({"reader", reader.get(), nullptr});
  if (reader && reranker) ways.push_back({"re-ranker and reader", reader.get(), reranker.get()});
  std::printf("SQuAD v1.1 dev, %llu passages, odd articles, at most %zu questions of each kind\n",
              static_cast<unsigned long long>(in.counts.passages), each);
  std::vector<std::size_t> groups;
  std::vector<std::string> clusters;
  for (const Case& one : cases) {
    if (one.kind != "answerable") continue;
    groups.push_back(static_cast<std::size_t>(std::stoul(one.article.substr(1))));
    clusters.push_back(one.article);
  }
  Json result{{"ways", Json::object()}, {"items", Json::array()}};
  std::vector<Scores> all;
  for (const Way& way : ways) {
    Scores scores;
    ask_all(cases, way, retriever, *embedder, scores, result["items"]);
    result["ways"][way.name] = report(way, scores, groups);
    all.push_back(std::move(scores));
  }
  std::printf("\n");
  for (std::size_t i = 1; i < all.size(); ++i) {
    Json& row = result["ways"][ways[i].name];
    for (const auto& [name, values] : {std::pair{"f1", &Scores::f1}, std::pair{"right", &Scores::right},
                                       std::pair{"text_f1", &Scores::text_f1}}) {
      const auto compared = must(eval::compare_paired(all[0].*values, all[i].*values, clusters));
      std::printf("%s: %s\n", name, eval::verdict_sentence(compared, "without", ways[i].name).c_str());
      row["against_without"][name] = {{"difference", to_json(compared.difference)}, {"p", compared.p}};
    }
  }
  std::printf("memory: %.0f MB before, %.0f MB with the reader, %.0f MB with both\n", memory_before_mb,
              memory_reader_mb, memory_both_mb);
  result["memory_mb"] = {
      {"before", memory_before_mb}, {"reader", memory_reader_mb}, {"both", memory_both_mb}};
  keep(settings, "answers", result, before);
  return 0;
}

}  // namespace
}  // namespace loam::bench

int main(int argc, char** argv) { return loam::bench::run(argc, argv); }
