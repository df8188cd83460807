// bench_embedder: how many tokens one call of the embedder should take (kTokensPerCall in
// local_embedder.cpp). The check: every setting gives the same vectors, to what f32 sums in another order
// allow.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/clock.h"
#include "base/json.h"
#include "engine/local_embedder.h"
#include "support/report.h"

namespace loam::bench {
namespace {

/// Texts of 60 to 139 words, so that their lengths differ as those of passages do.
std::vector<std::string> made_up_texts(int count) {
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) {
    std::string text = "Note " + std::to_string(i) + ":";
    for (int word = 0; word < 60 + (i * 37) % 80; ++word) text += word % 3 == 0 ? " salt" : " harbour";
    texts.push_back(std::move(text));
  }
  return texts;
}

int run(int argc, char** argv) {
  std::vector<std::string> others;
  const Settings settings = settings_from(argc, argv, &others);
  const Json before = machine();
  const std::vector<std::string> texts = made_up_texts(settings.limit > 0 ? settings.limit : 64);
  Json rows = Json::array();
  std::vector<float> first;
  float largest = 0;
  std::printf("%15s %12s\n", "tokens per call", "tokens/s");
  for (const int tokens_per_call : {256, 512, 1024, 2048, 4096}) {
    engine::LocalEmbedderOptions options;
    options.tokens_per_call = tokens_per_call;
    options.threads = std::stoi(other(others, "threads", "0"));
    const auto embedder =
        must(engine::LocalEmbedder::open(settings.models / "all-minilm-l6-v2.gguf", options));
    double tokens = 0;
    for (const std::string& text : texts) tokens += must(embedder->count_tokens(text));
    (void)must(embedder->embed(std::span(texts).first(1)));
    const Stopwatch watch;
    const std::vector<float> vectors = must(embedder->embed(texts));
    const double per_second = 1000.0 * tokens / watch.milliseconds();
    if (first.empty()) first = vectors;
    for (std::size_t i = 0; i < vectors.size(); ++i)
      largest = std::max(largest, std::abs(vectors[i] - first[i]));
    rows.push_back({{"tokens_per_call", tokens_per_call}, {"tokens_per_second", per_second}});
    std::printf("%15d %12.0f\n", tokens_per_call, per_second);
  }
  std::printf("  check: largest difference of a component %.2g\n", static_cast<double>(largest));
  keep(settings, "embedder", {{"texts", texts.size()}, {"rows", rows}, {"largest_difference", largest}},
       before);
  return largest < 1e-4F ? 0 : 1;
}

}  // namespace
}  // namespace loam::bench

int main(int argc, char** argv) { return loam::bench::run(argc, argv); }
