// Speed and memory of LoRA training: r16 on all linear layers of the default model, 4 sequences of 256
// tokens, all of them learnt; beside PEFT on PyTorch where LOAM_BENCH_PYTHON names a Python that has both.
// Each round starts fresh processes, one side after the other. Processor time is reported beside the clock:
// on a shared machine only it is fair.
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/json.h"
#include "support/process.h"
#include "support/report.h"
#include "train/adamw.h"
#include "train/gemm.h"
#include "train/llama_pass.h"
#include "train/machine_memory.h"
#include "train/random.h"

namespace loam::bench {
namespace {

constexpr std::size_t kSequences = 4, kTokens = 256;

struct Side {
  std::string name;
  std::vector<double> tokens_per_s, tokens_per_cpu_s, peak_mib;
};

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double clock_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Reads "step WALL CPU" and "peak MIB" lines.
void take(Side& side, const std::string& output) {
  std::istringstream lines(output);
  std::string word;
  while (lines >> word) {
    double first = 0, second = 0;
    if (word == "step" && lines >> first >> second) {
      side.tokens_per_s.push_back(first);
      side.tokens_per_cpu_s.push_back(second);
    } else if (word == "peak" && lines >> first) {
      side.peak_mib.push_back(first);
    }
  }
}

void own_steps(const std::filesystem::path& file, int threads, train::Precision precision, train::Keep keep,
               int warmups, int steps, const std::string& out) {
  Team team(threads);
  const train::FrozenLlama model = must(train::open_frozen_llama(file, precision, team));
  train::LoraParameters lora(model.shape, train::LoraOptions{}, 1);
  train::LlamaPass pass(model, &lora, team, {keep, 256});
  train::Random random(3);
  train::Batch batch;
  for (std::size_t i = 0; i < kSequences; ++i) {
    std::vector<std::int32_t> tokens;
    for (std::size_t t = 0; t < kTokens; ++t)
      tokens.push_back(static_cast<std::int32_t>(random.below(49000)));
    batch.add(tokens, std::vector<std::uint8_t>(tokens.size(), 1));
  }
  std::ofstream file_out(out);
  for (int step = 0; step < warmups + steps; ++step) {
    const double begin = clock_seconds(), cpu = processor_seconds();
    std::fill(lora.gradients().begin(), lora.gradients().end(), 0.0F);
    pass.train(batch, 1.0F / static_cast<float>(batch.rows.size()));
    const double norm = train::norm_of(team, lora.gradients());
    train::adamw_step(team, lora.values(), lora.gradients(), lora.first_moments(), lora.second_moments(),
                      step + 1, 2e-4F, norm > 1.0 ? static_cast<float>(1.0 / norm) : 1.0F, {});
    const double tokens = kSequences * kTokens;
    if (step >= warmups) {
      file_out << "step " << tokens / (clock_seconds() - begin) << " " << tokens / (processor_seconds() - cpu)
               << "\n";
    }
  }
  file_out << "peak " << static_cast<double>(train::peak_memory()) / 1048576.0 << "\n";
}

int run(int argc, char** argv) {
  std::vector<std::string> others;
  const Settings settings = settings_from(argc, argv, &others);
  const std::filesystem::path file =
      settings.models / other(others, "file", "smollm2-135m-instruct-q4_1.gguf");
  const int threads =
      std::stoi(other(others, "threads", std::to_string(std::max(1U, std::thread::hardware_concurrency()))));
  const int rounds = std::stoi(other(others, "rounds", "3"));
  const int steps = std::stoi(other(others, "steps", "2"));
  const char* python = std::getenv("LOAM_BENCH_PYTHON");
  const Json before = machine();
  std::vector<Side> sides;
  const auto side = [&](const std::string& name) -> Side& {
    for (Side& one : sides) {
      if (one.name == name) return one;
    }
    sides.push_back({name, {}, {}, {}});
    return sides.back();
  };
  const std::string scratch = "/tmp/loam_bench_train_" + std::to_string(::getpid());
  for (int round = 0; round < rounds; ++round) {
    for (const auto& [name, keep] : {std::pair{"loam, everything kept", train::Keep::everything},
                                     std::pair{"loam, layer inputs kept", train::Keep::layer_inputs}}) {
      in_child([&, keep = keep] {
        own_steps(file, threads, train::fastest_precision(), keep, 1, steps, scratch);
        return 0;
      });
      std::ifstream in(scratch);
      std::ostringstream text;
      text << in.rdbuf();
      take(side(name), text.str());
    }
    if (python == nullptr) continue;
    for (const std::string dtype : {"f32", "bf16"}) {
      take(side("peft, " + dtype),
           output_of({python, "bench/train/peft_steps.py", other(others, "folder", "random"), dtype,
                      std::to_string(threads), "1", std::to_string(steps)}));
    }
  }
  std::filesystem::remove(scratch);
  Json result = {{"threads", threads},
                 {"kernel", train::kernel_name(train::fastest_precision())},
                 {"sides", Json::array()}};
  std::printf(
      "LoRA r16 on all linear layers, %zu sequences of %zu tokens, %d threads, %d rounds of %d steps\n",
      kSequences, kTokens, threads, rounds, steps);
  for (const Side& one : sides) {
    std::printf("  %-26s %7.1f tokens/s, %7.1f per processor second, peak %5.0f MiB (medians of %zu)\n",
                one.name.c_str(), median(one.tokens_per_s), median(one.tokens_per_cpu_s),
                median(one.peak_mib), one.tokens_per_s.size());
    result["sides"].push_back({{"name", one.name},
                               {"tokens_per_s", one.tokens_per_s},
                               {"tokens_per_cpu_s", one.tokens_per_cpu_s},
                               {"peak_mib", one.peak_mib}});
  }
  keep(settings, "train", result, before);
  return 0;
}

}  // namespace
}  // namespace loam::bench

int main(int argc, char** argv) { return loam::bench::run(argc, argv); }
