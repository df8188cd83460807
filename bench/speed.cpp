// bench_speed: prefill and decode of our engine against llama-bench: same file, threads and flags,
// interleaved and in turns first, so that a slow minute of the machine hits both. The ratio is the geometric
// mean over rounds with its bootstrap interval, because one round of a shared machine varies by 20%. The
// check beside the figure: greedy output of LocalEngine repeats, and generate() itself is as fast as the bare
// measurement.
#include <cmath>
#include <cstdio>
#include <thread>

#include "base/json.h"
#include "engine/bench.h"
#include "engine/local_engine.h"
#include "eval/metrics.h"
#include "support/process.h"
#include "support/report.h"

namespace loam::bench {
namespace {

constexpr int kPrefill = 512;
constexpr int kDecode = 64;

/// Tokens per second of one llama-bench run: prefill, decode.
std::pair<double, double> llama_bench(const std::string& tools, const std::string& model, int threads) {
  const std::string out = output_of({tools + "/llama-bench", "-m", model, "-p", std::to_string(kPrefill),
                                     "-n", std::to_string(kDecode), "-t", std::to_string(threads), "-r", "1",
                                     "-fa", "1", "-ngl", "0", "-o", "json"});
  const Json rows = must(parse_json(out, "llama-bench"));
  std::pair<double, double> speed{0, 0};
  for (const Json& row : rows) {
    const double value = row.at("avg_ts").get<double>();
    (row.at("n_prompt").get<int>() > 0 ? speed.first : speed.second) = value;
  }
  return speed;
}

/// Ours over theirs, round by round: geometric mean and its 95% interval.
eval::Estimate ratio_of(const std::vector<double>& ours, const std::vector<double>& theirs) {
  std::vector<double> logs;
  for (std::size_t i = 0; i < std::min(ours.size(), theirs.size()); ++i) {
    logs.push_back(std::log(ours[i] / theirs[i]));
  }
  eval::Estimate estimate = eval::bootstrap_mean(logs);
  for (double* value : {&estimate.value, &estimate.low, &estimate.high}) *value = std::exp(*value);
  return estimate;
}

Json json_of(const eval::Estimate& estimate) {
  return {{"value", estimate.value}, {"low", estimate.low}, {"high", estimate.high}, {"n", estimate.n}};
}

std::string long_prompt(engine::LocalEngine& engine, int tokens) {
  std::string text = "The harbour master wrote in his book:";
  int n = 0;
  while (must(engine.count_tokens(text)) < tokens) {
    text += " on day " + std::to_string(++n) + " the ships brought salt, wool and timber from the north,";
  }
  return text;
}

int run(int argc, char** argv) {
  std::vector<std::string> others;
  const Settings settings = settings_from(argc, argv, &others);
  const char* tools_folder = std::getenv("LOAM_LLAMA_TOOLS");
  const std::string tools = other(others, "tools", tools_folder != nullptr ? tools_folder : "");
  if (tools.empty()) fail("set LOAM_LLAMA_TOOLS to the folder that holds llama-bench");
  const std::string file =
      (settings.models / other(others, "file", "smollm2-135m-instruct-q4_1.gguf")).string();
  const int threads =
      std::stoi(other(others, "threads", std::to_string(std::max(1U, std::thread::hardware_concurrency()))));
  const int rounds = std::stoi(other(others, "rounds", "21"));
  const Json before = machine();

  engine::SpeedOptions speed;
  speed.prefill_tokens = kPrefill;
  speed.decode_tokens = kDecode;
  speed.repetitions = 1;
  speed.threads = threads;
  engine::LocalEngineOptions options;
  options.threads = threads;
  options.reuse = engine::Reuse::off;
  auto engine = must(engine::LocalEngine::open(file, options));
  engine::GenerateRequest request;
  request.raw_prompt = long_prompt(*engine, kPrefill);
  request.max_tokens = kDecode;

  std::vector<double> theirs_prefill, theirs_decode, ours_prefill, ours_decode, generate_prefill,
      generate_decode;
  std::string first_text;
  int differing = 0, short_answers = 0;
  (void)llama_bench(tools, file, threads);  // warms the page cache for both
  for (int round = 0; round < rounds; ++round) {
    std::pair<double, double> theirs;
    if (round % 2 == 0) theirs = llama_bench(tools, file, threads);
    const engine::SpeedReport ours = must(engine::measure_speed(std::filesystem::path(file), speed));
    if (round % 2 == 1) theirs = llama_bench(tools, file, threads);
    const auto [prefill, decode] = theirs;
    theirs_prefill.push_back(prefill);
    theirs_decode.push_back(decode);
    ours_prefill.push_back(ours.prefill_median);
    ours_decode.push_back(ours.decode_median);
    engine->clear_cache();
    const engine::Draft draft = must(engine->generate(request));
    const engine::Usage& use = draft.usage;
    generate_prefill.push_back(1000.0 * use.prompt_tokens / use.prefill_ms);
    if (use.answer_tokens > 1) generate_decode.push_back(1000.0 * use.answer_tokens / use.decode_ms);
    if (use.answer_tokens < kDecode) ++short_answers;
    if (round == 0) first_text = draft.text;
    if (draft.text != first_text) ++differing;
    std::printf(
        "round %d: prefill theirs %.0f ours %.0f generate %.0f | decode theirs %.1f ours %.1f generate "
        "%.1f\n",
        round + 1, prefill, ours.prefill_median, generate_prefill.back(), decode, ours.decode_median,
        generate_decode.empty() ? 0.0 : generate_decode.back());
  }
  const eval::Estimate prefill_ratio = ratio_of(ours_prefill, theirs_prefill);
  const eval::Estimate decode_ratio = ratio_of(ours_decode, theirs_decode);
  const eval::Estimate generate_ratio = ratio_of(generate_prefill, theirs_prefill);
  std::printf("\n%s, %d threads, flash attention on, %d interleaved rounds\n", file.c_str(), threads, rounds);
  std::printf(
      "  prefill pp%d: medians llama-bench %.1f, ours %.1f tok/s; ratio %.3f [%.3f, %.3f] (target 0.98)\n",
      kPrefill, median(theirs_prefill), median(ours_prefill), prefill_ratio.value, prefill_ratio.low,
      prefill_ratio.high);
  std::printf(
      "  decode  tg%d: medians llama-bench %.1f, ours %.1f tok/s; ratio %.3f [%.3f, %.3f] (target 0.98)\n",
      kDecode, median(theirs_decode), median(ours_decode), decode_ratio.value, decode_ratio.low,
      decode_ratio.high);
  std::printf("  generate() itself: prefill %.1f (ratio %.3f [%.3f, %.3f]), decode at depth %d %.1f tok/s\n",
              median(generate_prefill), generate_ratio.value, generate_ratio.low, generate_ratio.high,
              kPrefill, median(generate_decode));
  std::printf("  check: greedy output differed from the first in %d of %d rounds; %d ended early\n",
              differing, rounds, short_answers);
  keep(settings, "speed",
       {{"file", std::filesystem::path(file).filename().string()},
        {"threads", threads},
        {"rounds", rounds},
        {"prefill",
         {{"llama_bench", theirs_prefill},
          {"ours", ours_prefill},
          {"generate", generate_prefill},
          {"ratio", json_of(prefill_ratio)},
          {"ratio_generate", json_of(generate_ratio)}}},
        {"decode",
         {{"llama_bench", theirs_decode},
          {"ours", ours_decode},
          {"generate_at_depth", generate_decode},
          {"ratio", json_of(decode_ratio)}}},
        {"output_differed", differing}},
       before);
  return differing == 0 ? 0 : 1;
}

}  // namespace
}  // namespace loam::bench

int main(int argc, char** argv) { return loam::bench::run(argc, argv); }
