// bench_encoders: what a re-ranker and a reader of spans cost. Passages of 160 tokens beside a question, for
// as many passages as an ask reads; by how many tokens are packed into one call; and without an adapter, to
// see what the LoRA itself takes. Processor time stands beside the clock, so that a busy machine can be told.
#include <ctime>

#include "base/clock.h"
#include "base/json.h"
#include "engine/local_encoder.h"
#include "support/data.h"
#include "support/report.h"

namespace loam::bench {
namespace {

double processor_milliseconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

struct Spent {
  std::vector<double> clock, processor;
};

template <typename Work>
Spent time_of(int rounds, const Work& work) {
  Spent spent;
  work();  // warm
  for (int i = 0; i < rounds; ++i) {
    const double processor = processor_milliseconds();
    const Stopwatch watch;
    work();
    spent.clock.push_back(watch.milliseconds());
    spent.processor.push_back(processor_milliseconds() - processor);
  }
  return spent;
}

int run(int argc, char** argv) {
  std::vector<std::string> others;
  const Settings settings = settings_from(argc, argv, &others);
  const int rounds = settings.limit > 0 ? settings.limit : 9;
  const Json before = machine();
  const auto model = must(engine::LocalModel::open(settings.models / "all-minilm-l6-v2.gguf"));
  engine::LocalEncoderOptions options;
  options.threads = std::stoi(other(others, "threads", "0"));
  const std::string question = "Which company built the machine that was shown at the fair in 1893?";
  const DataSet squad = read_squad(settings.data / "01-qa-squad");
  std::vector<std::string> passages;
  for (const SourceDocument& document : squad.documents) {
    if (document.text.size() > 700 && document.text.size() < 850) passages.push_back(document.text);
    if (passages.size() == 20) break;
  }
  Json rows = Json::array();
  const auto report = [&](const std::string& what, int packed, std::size_t count, std::size_t tokens,
                          const Spent& spent) {
    const double clock = percentile(spent.clock, 0.5), processor = percentile(spent.processor, 0.5);
    std::printf(
        "%-18s packed %5d  %2zu passages %5zu tokens  p50 %7.1f ms  processor %7.1f ms  %6.0f tokens/s "
        "of processor\n",
        what.c_str(), packed, count, tokens, clock, processor,
        static_cast<double>(tokens) / processor * 1000);
    rows.push_back({{"what", what},
                    {"packed", packed},
                    {"passages", count},
                    {"tokens", tokens},
                    {"clock_ms", spread(spent.clock)},
                    {"processor_ms", spread(spent.processor)}});
  };
  for (const int packed : {256, 512, 1024, 2048}) {
    options.tokens_per_call = packed;
    options.max_tokens = packed < 512 ? packed : 0;
    for (const std::string& adapter : {std::string(), other(others, "reader", "")}) {
      if (adapter.empty() && !rows.empty() && packed != 512) continue;
      const auto encoder = must(engine::LocalEncoder::open(model, adapter, options));
      for (const std::size_t count : {std::size_t{5}, std::size_t{8}, std::size_t{20}}) {
        const std::vector<std::string_view> some(passages.begin(),
                                                 passages.begin() + static_cast<std::ptrdiff_t>(count));
        std::size_t tokens = 0;
        const auto windows = must(encoder->windows(question, some));
        std::vector<std::vector<engine::Token>> sequences;
        for (const engine::PairWindow& window : windows) {
          tokens += window.tokens.size();
          sequences.push_back(window.tokens);
        }
        report(adapter.empty() ? "no adapter" : "with adapter", packed, count, tokens, time_of(rounds, [&] {
                 must(encoder->read(sequences, [](std::size_t, std::span<const float>) {}));
               }));
      }
      if (packed != 512) break;
    }
  }
  keep(settings, "encoders", {{"threads", options.threads}, {"rows", rows}}, before);
  return 0;
}

}  // namespace
}  // namespace loam::bench

int main(int argc, char** argv) { return loam::bench::run(argc, argv); }
