// bench_summaries: how close do one-sentence summaries of paper abstracts (SciTLDR-A, test; Cachola et al.,
// Findings of EMNLP 2020) come to what people wrote: the default model, TextRank, and the first sentence.
// Each abstract has several references; the best counts, as in the data set's own scoring. Beside the
// figures: how many of the model's sentences hold, and that every abstract was read whole.
#include <fstream>

#include "base/hash.h"
#include "base/json.h"
#include "engine/local_engine.h"
#include "eval/ledger.h"
#include "support/report.h"
#include "tasks/eval_texts.h"

namespace loam::bench {
namespace {

eval::TextData read_papers(const std::filesystem::path& file, int limit) {
  std::ifstream in(file);
  if (!in) fail("cannot read " + file.string() + "; set LOAM_BENCH_DATA");
  eval::TextData data;
  data.version.file = file.filename().string();
  data.version.sha256 = must(sha256_hex_of_file(file));
  for (std::string line; std::getline(in, line);) {
    if (limit > 0 && data.cases.size() >= static_cast<std::size_t>(limit)) break;
    const Json json = must(parse_json(line, file.string()));
    eval::TextCase one;
    one.id = json["paper_id"].get<std::string>();
    for (const Json& sentence : json["source"])
      one.input += (one.input.empty() ? "" : " ") + sentence.get<std::string>();
    one.references = json["target"].get<std::vector<std::string>>();
    data.cases.push_back(std::move(one));
  }
  data.version.items = data.cases.size();
  return data;
}

int run(int argc, char** argv) {
  std::vector<std::string> others;
  const Settings settings = settings_from(argc, argv, &others);
  const Json before = machine();
  const bool baseline_only = other(others, "baseline-only", "no") != "no";
  const eval::TextData data = read_papers(settings.data / "04-sum-scitldr" / "test.jsonl", settings.limit);
  std::unique_ptr<engine::LocalEngine> engine;
  if (!baseline_only) {
    engine::LocalEngineOptions options;
    options.context_tokens = 2048;
    options.threads = std::stoi(other(others, "threads", "0"));  // 0: one per core
    engine = must(engine::LocalEngine::open(settings.models / "smollm2-135m-instruct-q4_1.gguf", options));
  }
  tasks::SummariseOptions summarise;
  summarise.sentences = 1;
  summarise.chunk_tokens = 1500;  // an abstract is read in one call
  const eval::CostMeter meter;
  const tasks::TextEvaluation evaluation =
      must(tasks::evaluate_summaries(engine.get(), data, summarise, told_every(10)));
  Json result = {{"data", data.version.file},
                 {"sha256", data.version.sha256},
                 {"items", data.cases.size()},
                 {"sentences", 1},
                 {"seconds", meter.cost().seconds}};
  std::printf("SciTLDR-A test, %zu abstracts, one sentence each\n", data.cases.size());
  for (const tasks::TextContestant& contestant : evaluation.contestants) {
    for (const eval::Metric& metric : contestant.metrics) {
      std::printf("  %-15s %-11s %s\n", contestant.name.c_str(), metric.name.c_str(),
                  shown(metric.estimate).c_str());
      result[contestant.name][metric.name] = to_json(metric.estimate);
      if (metric.name == "coverage" && metric.estimate.value < 1) fail("an abstract was not read whole");
    }
  }
  keep(settings, "summaries", result, before);
  return 0;
}

}  // namespace
}  // namespace loam::bench

int main(int argc, char** argv) { return loam::bench::run(argc, argv); }
