// Eight adapters on one base, asked in turns: is each answer what the adapter says alone, does each keep its
// own prompt, and how much slower is it than one adapter for everyone? Both sides answer one request after
// the other, so that neither has the quieter machine.
//   --file=NAME.gguf   base (in LOAM_TEST_MODELS)    --adapters=N   --rounds=N   --rank=N
//   --logits BASE ADAPTER TOKENS.json OUT.f32          only writes logits, for bench/train/peft_exchange.py
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>
#include <sstream>

#include "base/json.h"
#include "engine/base_identity.h"
#include "engine/gguf_file.h"
#include "engine/gguf_writer.h"
#include "engine/local_engine.h"
#include "support/report.h"

namespace loam::bench {
namespace {

namespace fs = std::filesystem;

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// A random adapter on all linear layers, small enough that the model still writes words.
void write_random_adapter(const fs::path& base, const fs::path& out, std::uint64_t rank, std::uint32_t seed) {
  engine::GgufFile bytes(must(engine::ReadOnlyFile::open(base)));
  const engine::GgufMetadata model = must(engine::read_gguf_metadata(bytes, base.string()));
  std::mt19937 random(seed);
  const auto values = [&](std::uint64_t count, float spread) {
    std::string data(count * sizeof(float), '\0');
    for (std::uint64_t i = 0; i < count; ++i) {
      const float value = spread * (static_cast<float>(random()) / 2147483648.0F - 1.0F);
      std::memcpy(data.data() + i * sizeof(float), &value, sizeof value);
    }
    return data;
  };
  engine::GgufWriter writer;
  writer.set("general.type", "adapter");
  writer.set("general.architecture", std::string_view(model.find("general.architecture")->text));
  writer.set("adapter.type", "lora");
  writer.set("adapter.lora.alpha", static_cast<float>(2 * rank));
  writer.set(engine::kBaseIdentityKey, std::string_view(must(engine::base_identity(base))));
  std::vector<std::string> data;
  for (const engine::GgufTensor& tensor : model.tensors) {
    if (!tensor.name.starts_with("blk.") || tensor.dimensions.size() != 2) continue;
    writer.add_tensor(tensor.name + ".lora_a", {tensor.dimensions[0], rank}, 0,
                      tensor.dimensions[0] * rank * sizeof(float));
    data.push_back(values(tensor.dimensions[0] * rank, 0.05F));
    writer.add_tensor(tensor.name + ".lora_b", {rank, tensor.dimensions[1]}, 0,
                      tensor.dimensions[1] * rank * sizeof(float));
    data.push_back(values(tensor.dimensions[1] * rank, 0.01F));
  }
  must(writer.write(out, [&](std::size_t i) -> Result<std::string> { return data[i]; }));
}

/// One user's conversation: a long beginning that stays, and a question that changes.
engine::GenerateRequest request_of(std::size_t user, int round) {
  std::string notes;
  for (int i = 0; i < 14; ++i) {
    notes += "Note " + std::to_string(i) + " of customer " + std::to_string(user) +
             ": the delivery came late and the box was open, so we sent another one by train. ";
  }
  engine::GenerateRequest request;
  request.messages = {
      {engine::Role::system, notes},
      {engine::Role::user, "Question " + std::to_string(round) + ": what should we do next?"}};
  request.max_tokens = 48;
  request.top_alternatives = 1;
  return request;
}

bool same(const engine::Draft& a, const engine::Draft& b) {
  if (a.text != b.text || a.steps.size() != b.steps.size()) return false;
  for (std::size_t i = 0; i < a.steps.size(); ++i) {
    if (a.steps[i].token != b.steps[i].token || a.steps[i].probability != b.steps[i].probability)
      return false;
  }
  return true;
}

struct Side {
  double wall = 0, cpu = 0;
  std::uint64_t tokens = 0, reused = 0, prompt = 0;
  std::vector<double> request_ms;

  engine::Draft ask(engine::LocalEngine& engine, const std::vector<engine::Adapter>& adapters,
                    const engine::GenerateRequest& request, bool counts) {
    const double wall_before = wall_seconds(), cpu_before = cpu_seconds();
    must(engine.set_adapters(adapters));
    engine::Draft draft = must(engine.generate(request));
    if (counts) {
      wall += wall_seconds() - wall_before;
      cpu += cpu_seconds() - cpu_before;
      request_ms.push_back(1000.0 * (wall_seconds() - wall_before));
      tokens += static_cast<std::uint64_t>(draft.usage.answer_tokens);
      reused += static_cast<std::uint64_t>(draft.usage.reused_tokens);
      prompt += static_cast<std::uint64_t>(draft.usage.prompt_tokens);
    }
    return draft;
  }
  double tokens_per_s() const { return static_cast<double>(tokens) / wall; }
  double tokens_per_cpu_s() const { return static_cast<double>(tokens) / cpu; }
};

engine::LocalEngineOptions options_of(int sets) {
  engine::LocalEngineOptions options;
  options.context_tokens = 1024;
  options.adapter_sets = sets;
  options.threads = 2;
  return options;
}

/// What it costs to change the adapters of one context instead of having a context for each set.
double switch_ms(std::shared_ptr<engine::LocalModel> model,
                 const std::vector<std::vector<engine::Adapter>>& sets) {
  auto engine = must(engine::LocalEngine::open(std::move(model), options_of(1)));
  engine::GenerateRequest request;
  request.raw_prompt = "The";
  request.max_tokens = 1;
  std::vector<double> stays, changes;
  for (int i = 0; i < 40; ++i) {
    for (const bool change : {false, true}) {
      if (change) must(engine->set_adapters(sets[static_cast<std::size_t>(i) % 2]));
      const double begin = wall_seconds();
      must(engine->generate(request));
      (change ? changes : stays).push_back(1000.0 * (wall_seconds() - begin));
    }
  }
  return median(changes) - median(stays);
}

int write_logits(const fs::path& base, const fs::path& adapter, const fs::path& tokens_file,
                 const fs::path& out) {
  std::ifstream in(tokens_file);
  std::ostringstream text;
  text << in.rdbuf();
  const Json tokens = must(parse_json(text.str(), tokens_file.string()));
  engine::LocalEngineOptions options = options_of(1);
  options.flash_attention = engine::FlashAttention::off;
  options.k_type = options.v_type = engine::KvType::f32;
  if (adapter != "none") options.adapters = {{adapter, 1.0F}};
  auto engine = must(engine::LocalEngine::open(base, options));
  std::ofstream file(out, std::ios::binary);
  must(
      engine->for_each_logits(tokens.get<std::vector<engine::Token>>(), [&](int, std::span<const float> row) {
        file.write(reinterpret_cast<const char*>(row.data()), static_cast<std::streamsize>(row.size_bytes()));
      }));
  return file.good() ? 0 : 1;
}

int run(int argc, char** argv) {
  if (argc == 6 && std::strcmp(argv[1], "--logits") == 0)
    return write_logits(argv[2], argv[3], argv[4], argv[5]);
  std::vector<std::string> others;
  const Settings settings = settings_from(argc, argv, &others);
  const fs::path file = settings.models / other(others, "file", "smollm2-135m-instruct-q4_1.gguf");
  const auto count = static_cast<std::size_t>(std::stoi(other(others, "adapters", "8")));
  const int rounds = std::stoi(other(others, "rounds", "3"));
  const auto rank = static_cast<std::uint64_t>(std::stoi(other(others, "rank", "16")));
  const Json before = machine();
  const fs::path scratch = fs::temp_directory_path() / ("loam_bench_adapters_" + std::to_string(::getpid()));
  fs::create_directories(scratch);
  std::vector<std::vector<engine::Adapter>> sets;
  for (std::size_t i = 0; i < count; ++i) {
    const fs::path path = scratch / ("a" + std::to_string(i) + ".gguf");
    write_random_adapter(file, path, rank, static_cast<std::uint32_t>(i) + 1);
    sets.push_back({{path, 1.0F}});
  }
  auto model = must(engine::LocalModel::open(file));
  auto turns = must(engine::LocalEngine::open(model, options_of(static_cast<int>(count))));
  auto single = must(engine::LocalEngine::open(model, options_of(1)));
  auto dropping = must(engine::LocalEngine::open(model, options_of(1)));
  Side in_turns, one, drops;
  std::size_t equal = 0, compared = 0;
  for (int round = 0; round <= rounds; ++round) {  // the first one reads the beginnings and is not counted
    for (std::size_t user = 0; user < count; ++user) {
      const engine::GenerateRequest request = request_of(user, round);
      const engine::Draft draft = in_turns.ask(*turns, sets[user], request, round > 0);
      // One adapter for everyone: as many requests, of one conversation.
      one.ask(*single, sets[0], request_of(0, round * static_cast<int>(count) + static_cast<int>(user)),
              round > 0 || user > 0);
      if (round <= 1) drops.ask(*dropping, sets[user], request, round > 0);
      if (round == rounds) {
        auto alone = must(engine::LocalEngine::open(model, [&] {
          engine::LocalEngineOptions options = options_of(1);
          options.adapters = sets[user];
          return options;
        }()));
        ++compared;
        equal += same(draft, must(alone->generate(request))) ? 1 : 0;
      }
    }
  }
  const double change_ms = switch_ms(model, sets);
  const engine::MemoryUse memory = turns->memory();
  const engine::MemoryUse memory_of_one = single->memory();
  fs::remove_all(scratch);
  const auto show = [](const char* name, const Side& side) {
    std::printf(
        "  %-34s %6.1f tokens/s, %6.1f per processor second, request %5.0f ms (median), %4.1f%% of prompts "
        "reused\n",
        name, side.tokens_per_s(), side.tokens_per_cpu_s(), median(side.request_ms),
        100.0 * static_cast<double>(side.reused) /
            static_cast<double>(std::max<std::uint64_t>(1, side.prompt)));
  };
  std::printf("%zu adapters of rank %llu on %s, %d rounds\n", count, static_cast<unsigned long long>(rank),
              file.filename().c_str(), rounds);
  show("in turns, a cache for each", in_turns);
  show("one adapter", one);
  show("in turns, one cache", drops);
  std::printf("  aggregate against one adapter: %.3f by the clock, %.3f by processor time\n",
              in_turns.tokens_per_s() / one.tokens_per_s(),
              in_turns.tokens_per_cpu_s() / one.tokens_per_cpu_s());
  std::printf("  equal to each alone, bit for bit: %zu of %zu\n", equal, compared);
  std::printf(
      "  memory: caches %.0f MB, computing %.0f MB (one: %.0f and %.0f); changing one context's adapters: "
      "%.1f ms\n",
      static_cast<double>(memory.cache) / 1e6, static_cast<double>(memory.compute) / 1e6,
      static_cast<double>(memory_of_one.cache) / 1e6, static_cast<double>(memory_of_one.compute) / 1e6,
      change_ms);
  const auto json_of = [](const Side& side) {
    return Json{{"tokens_per_s", side.tokens_per_s()},
                {"tokens_per_cpu_s", side.tokens_per_cpu_s()},
                {"reused", side.reused},
                {"prompt", side.prompt},
                {"request_ms", side.request_ms}};
  };
  keep(settings, "adapters",
       Json{{"adapters", count},
            {"rank", rank},
            {"rounds", rounds},
            {"in_turns", json_of(in_turns)},
            {"one", json_of(one)},
            {"one_cache", json_of(drops)},
            {"equal", equal},
            {"compared", compared},
            {"cache_bytes", memory.cache},
            {"compute_bytes", memory.compute},
            {"cache_bytes_of_one", memory_of_one.cache},
            {"compute_bytes_of_one", memory_of_one.compute},
            {"switch_ms", change_ms}},
       before);
  return equal == compared ? 0 : 1;
}

}  // namespace
}  // namespace loam::bench

int main(int argc, char** argv) { return loam::bench::run(argc, argv); }
