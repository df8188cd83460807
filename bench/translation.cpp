// bench_translation: can the default model translate? English to French on short sentences (Tatoeba's first
// 5,000 pairs), beside copying the source. Sentences are drawn evenly from the file; all its translations of
// a sentence are references. Beside the figures: the share of segments that kept what must be kept, and a few
// outputs to look at.
#include <fstream>
#include <map>

#include "base/hash.h"
#include "base/json.h"
#include "engine/local_engine.h"
#include "eval/ledger.h"
#include "support/report.h"
#include "tasks/eval_texts.h"

namespace loam::bench {
namespace {

eval::TextData read_pairs(const std::filesystem::path& file, int limit) {
  std::ifstream in(file);
  if (!in) fail("cannot read " + file.string() + "; set LOAM_BENCH_DATA");
  std::vector<eval::TextCase> all;
  for (std::string line; std::getline(in, line);) {
    const std::size_t first = line.find('\t');
    if (first == std::string::npos) continue;
    const std::size_t second = std::min(line.find('\t', first + 1), line.size());
    const std::string source = line.substr(0, first);
    const std::string reference = line.substr(first + 1, second - first - 1);
    if (!all.empty() && all.back().input == source) {
      all.back().references.push_back(reference);
    } else {
      all.push_back({std::to_string(all.size() + 1), source, {reference}, ""});
    }
  }
  eval::TextData data;
  data.version.file = file.filename().string();
  data.version.sha256 = must(sha256_hex_of_file(file));
  const std::size_t wanted = limit > 0 ? std::min(static_cast<std::size_t>(limit), all.size()) : all.size();
  for (std::size_t i = 0; i < wanted; ++i) data.cases.push_back(all[i * all.size() / wanted]);
  data.version.items = data.cases.size();
  return data;
}

int run(int argc, char** argv) {
  std::vector<std::string> others;
  const Settings settings = settings_from(argc, argv, &others);
  const Json before = machine();
  const eval::TextData data =
      read_pairs(settings.data / "05-mt-tatoeba-en-fr" / "eng-fra.tsv", settings.limit);
  engine::LocalEngineOptions options;
  options.context_tokens = 1024;
  options.threads = std::stoi(other(others, "threads", "0"));  // 0: one per core
  auto engine = must(engine::LocalEngine::open(settings.models / "smollm2-135m-instruct-q4_1.gguf", options));
  tasks::TranslateOptions translate;
  translate.to = must(tasks::find_language("fr"));
  translate.from = must(tasks::find_language("en"));
  const eval::CostMeter meter;
  const tasks::TextEvaluation evaluation =
      must(tasks::evaluate_translations(engine.get(), data, translate, told_every(20)));
  Json result = {{"data", data.version.file},
                 {"sha256", data.version.sha256},
                 {"items", data.cases.size()},
                 {"seconds", meter.cost().seconds}};
  std::printf("Tatoeba en-fr, %zu sentences drawn evenly\n", data.cases.size());
  for (const tasks::TextContestant& contestant : evaluation.contestants) {
    for (const eval::Metric& metric : contestant.metrics) {
      std::printf("  %-15s %-9s %s\n", contestant.name.c_str(), metric.name.c_str(),
                  shown(metric.estimate).c_str());
      result[contestant.name][metric.name] = to_json(metric.estimate);
    }
  }
  for (std::size_t i = 0; i < data.cases.size(); i += std::max<std::size_t>(1, data.cases.size() / 8)) {
    const std::string& output = evaluation.contestants.front().items[i].output;
    std::printf("  %s -> %s (wanted: %s)\n", data.cases[i].input.c_str(), output.c_str(),
                data.cases[i].references.front().c_str());
  }
  keep(settings, "translation", result, before);
  return 0;
}

}  // namespace
}  // namespace loam::bench

int main(int argc, char** argv) { return loam::bench::run(argc, argv); }
