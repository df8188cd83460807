// Prints the features of the extractive baseline for question cases, one JSON line each, so that its weights
// can be fitted on exactly what the program computes (bench/baseline/README.md). usage: baseline_features
// EMBEDDER.gguf < cases.jsonl > features.jsonl
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <unordered_map>

#include "base/json.h"
#include "baseline/extractive.h"
#include "baseline/features.h"
#include "engine/local_embedder.h"

namespace {

using loam::Json;

/// Remembers vectors: the same paragraphs come back for many questions.
class Remembering : public loam::engine::Embedder {
 public:
  explicit Remembering(loam::engine::Embedder& inner) : inner_(inner) {}
  const std::string& model_name() const override { return inner_.model_name(); }
  const std::string& fingerprint() const override { return inner_.fingerprint(); }
  int dimensions() const override { return inner_.dimensions(); }
  int max_tokens() const override { return inner_.max_tokens(); }
  loam::Result<int> count_tokens(std::string_view text) override { return inner_.count_tokens(text); }
  loam::Result<std::vector<float>> embed(std::span<const std::string> texts) override {
    std::vector<std::string> missing;
    for (const std::string& text : texts) {
      if (!vectors_.contains(text)) missing.push_back(text);
    }
    const std::size_t size = static_cast<std::size_t>(dimensions());
    if (!missing.empty()) {
      const auto fresh = inner_.embed(missing);
      if (!fresh) return fresh.error();
      for (std::size_t i = 0; i < missing.size(); ++i) {
        vectors_[missing[i]].assign(fresh->begin() + static_cast<std::ptrdiff_t>(i * size),
                                    fresh->begin() + static_cast<std::ptrdiff_t>((i + 1) * size));
      }
    }
    std::vector<float> all;
    for (const std::string& text : texts) {
      const std::vector<float>& vector = vectors_.at(text);
      all.insert(all.end(), vector.begin(), vector.end());
    }
    return all;
  }

 private:
  loam::engine::Embedder& inner_;
  std::unordered_map<std::string, std::vector<float>> vectors_;
};

loam::Hit hit_of(const Json& json) {
  loam::Hit hit;
  hit.passage.text = json["text"].get<std::string>();
  hit.passage.heading_path = json["heading"].get<std::string>();
  hit.passage.span = {0, hit.passage.text.size()};
  hit.source = "case";
  hit.score = json["score"].get<float>();
  hit.why.bm25 = json["bm25"].get<float>();
  hit.why.cosine = json["cosine"].get<float>();
  return hit;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: baseline_features EMBEDDER.gguf < cases.jsonl > features.jsonl\n");
    return 2;
  }
  loam::engine::LocalEmbedderOptions options;
  options.threads = 1;  // steady on a busy machine
  auto embedder = loam::engine::LocalEmbedder::open(arguments[1], options);
  if (!embedder) {
    std::fprintf(stderr, "%s\n", embedder.error().line().c_str());
    return 2;
  }
  Remembering remembering(**embedder);
  std::string line;
  double seconds = 0;
  int asked = 0;
  while (std::getline(std::cin, line)) {
    const Json item = Json::parse(line);
    std::vector<loam::Hit> hits;
    for (const Json& hit : item["hits"]) hits.push_back(hit_of(hit));
    const auto terms = item["terms"].get<std::vector<std::string>>();
    const auto idf = item["idf"].get<std::vector<float>>();
    const std::string question = item["question"].get<std::string>();
    const loam::baseline::Question read = loam::baseline::read_question(question, terms, idf);
    const auto found = loam::baseline::candidates(remembering, read, hits);
    if (!found) {
      std::fprintf(stderr, "%s\n", found.error().line().c_str());
      return 2;
    }
    Json out;
    out["kind"] = item["kind"];
    out["split"] = item["split"];
    out["answers"] = item["answers"];
    out["sentences"] = Json::array();
    for (const auto& candidate : *found) {
      Json sentence;
      sentence["hit"] = candidate.hit;
      sentence["gold"] = item["hits"][candidate.hit]["gold"];
      sentence["text"] = std::string(slice(hits[candidate.hit].passage.text, candidate.local));
      sentence["features"] = candidate.features;
      out["sentences"].push_back(std::move(sentence));
    }
    // Features of the whole result need the chosen sentence; they are given for every candidate as if it
    // were.
    out["answer_features"] = Json::array();
    const std::vector<float> zeros(found->size(), 0.0F);
    for (std::size_t i = 0; i < found->size(); ++i) {
      out["answer_features"].push_back(loam::baseline::answer_features(read, hits, *found, zeros, i));
    }
    const auto start = std::chrono::steady_clock::now();
    if (asked % 100 == 0) {  // the real thing, without remembered vectors, timed now and then
      const auto answer = loam::baseline::answer(**embedder, question, hits, terms, idf);
      if (!answer) return 2;
      seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      out["confidence"] = answer->confidence;
    }
    ++asked;
    std::cout << loam::dump_json(out) << std::endl;
  }
  std::fprintf(stderr, "%d questions; baseline with embedding: %.1f ms a question (every 100th measured)\n",
               asked, asked > 0 ? seconds * 1000.0 / ((asked + 99) / 100) : 0.0);
  return 0;
}
