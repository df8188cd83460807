// bench_engine: bare figures of the engine room, as CSV, for bench/engine-ratio and for its constants.
//   bench_engine speed MODEL.gguf [REPETITIONS]      loam,pp512,tok/s and loam,tg64,tok/s, one line per
//   sample bench_engine embedder MODEL.gguf [TEXTS]         tokens_per_call,tok/s, for choosing
//   kTokensPerCall
#include <cstdio>

#include "base/clock.h"
#include "engine/bench.h"
#include "engine/local_embedder.h"
#include "support/report.h"

namespace loam::bench {
namespace {

int speed(const std::string& model, int repetitions) {
  engine::SpeedOptions options;
  options.repetitions = repetitions;
  const engine::SpeedReport report = must(engine::measure_speed(std::filesystem::path(model), options));
  for (const double sample : report.prefill_samples) std::printf("loam,pp512,%.2f\n", sample);
  for (const double sample : report.decode_samples) std::printf("loam,tg64,%.2f\n", sample);
  return 0;
}

int embedder(const std::string& model, int texts) {
  std::vector<std::string> batch;
  for (int i = 0; i < texts; ++i) {
    std::string text = "Note " + std::to_string(i) + ":";
    for (int word = 0; word < 60 + (i * 37) % 80; ++word) text += word % 3 == 0 ? " salt" : " harbour";
    batch.push_back(text);
  }
  std::printf("tokens_per_call,tok/s\n");
  for (const int tokens_per_call : {256, 512, 1024, 2048, 4096}) {
    engine::LocalEmbedderOptions options;
    options.tokens_per_call = tokens_per_call;
    const auto one = must(engine::LocalEmbedder::open(std::filesystem::path(model), options));
    double tokens = 0;
    for (const std::string& text : batch) tokens += must(one->count_tokens(text));
    (void)must(one->embed(std::span(batch).first(1)));
    const Stopwatch watch;
    (void)must(one->embed(batch));
    std::printf("%d,%.0f\n", tokens_per_call, 1000.0 * tokens / watch.milliseconds());
  }
  return 0;
}

int run(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (argc < 3 || (what != "speed" && what != "embedder")) {
    fail("usage: bench_engine speed MODEL.gguf [REPETITIONS] | bench_engine embedder MODEL.gguf [TEXTS]");
  }
  const int count = argc > 3 ? std::atoi(argv[3]) : 0;
  return what == "speed" ? speed(argv[2], count > 0 ? count : 5) : embedder(argv[2], count > 0 ? count : 64);
}

}  // namespace
}  // namespace loam::bench

int main(int argc, char** argv) { return loam::bench::run(argc, argv); }
