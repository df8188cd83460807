#include "engine/weights.h"

#include <unistd.h>

#include <algorithm>

#include "base/hash.h"
#include "engine/bench.h"
#include "engine/gguf_check.h"
#include "engine/quantize.h"
#include "ggml-cpu.h"

#include <fstream>
#include <thread>

namespace loam::engine {
namespace {

namespace fs = std::filesystem;

/// A form under measurement.
struct Candidate {
  WeightsRow row;
  fs::path file;
  std::vector<double> prefill, decode;
};

/// Files that are removed unless one of them was kept.
class Scratch {
 public:
  explicit Scratch(fs::path folder) : folder_(std::move(folder)) {
    std::error_code ignored;
    fs::create_directories(folder_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  const fs::path& folder() const { return folder_; }

 private:
  fs::path folder_;
};

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Speed of all candidates, in turns, so that a change of the machine's load meets each alike.
Result<void> measure_in_turns(std::vector<Candidate>& candidates, const WeightsOptions& options,
                              const ProgressSink& progress, Logger& logger) {
  SpeedOptions speed;
  speed.prefill_tokens = std::min(options.prompt_tokens, 512);
  speed.decode_tokens = std::min(options.answer_tokens, 24);
  speed.repetitions = 1;
  speed.threads = options.threads;
  std::uint64_t finished = 0;
  const std::uint64_t total = candidates.size() * static_cast<std::uint64_t>(options.rounds);
  for (int round = 0; round < options.rounds; ++round) {
    for (Candidate& candidate : candidates) {
      if (progress) progress({"measuring speed of " + candidate.row.form, finished++, total});
      const auto measured = measure_speed(candidate.file, speed, logger);
      if (!measured) return measured.error();
      candidate.prefill.push_back(measured->prefill_median);
      candidate.decode.push_back(measured->decode_median);
    }
  }
  for (Candidate& candidate : candidates) {
    WeightsRow& row = candidate.row;
    row.prefill_tokens_per_s = median(candidate.prefill);
    row.decode_tokens_per_s = median(candidate.decode);
    if (row.prefill_tokens_per_s > 0 && row.decode_tokens_per_s > 0) {
      row.typical_ask_ms = 1000.0 * (options.prompt_tokens / row.prefill_tokens_per_s +
                                     options.answer_tokens / row.decode_tokens_per_s);
    }
  }
  return done();
}

std::string three_digits(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3g", value);
  return text;
}

/// Marks the fastest form within the limit; the form as it is stays when the gain is small.
std::size_t choose(std::vector<Candidate>& candidates, const WeightsOptions& options) {
  const double as_is_ms = candidates.front().row.typical_ask_ms;
  std::size_t best = 0;
  for (std::size_t i = 1; i < candidates.size(); ++i) {
    WeightsRow& row = candidates[i].row;
    if (row.mean_kl > options.kl_limit) {
      row.reason =
          "loses too much: KL " + three_digits(row.mean_kl) + " is above " + three_digits(options.kl_limit);
    } else if (row.typical_ask_ms * options.least_gain > as_is_ms) {
      row.reason = "not faster by " + three_digits((options.least_gain - 1) * 100) + "% or more";
    } else if (row.typical_ask_ms < candidates[best].row.typical_ask_ms) {
      best = i;
    }
  }
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    WeightsRow& row = candidates[i].row;
    row.chosen = i == best;
    if (row.chosen) {
      row.reason = best == 0
                       ? "no form within the limit is faster by enough"
                       : three_digits(as_is_ms / row.typical_ask_ms) + " times as fast as the form as it is";
    } else if (row.reason.empty()) {
      row.reason = "another form is faster";
    }
  }
  return best;
}

}  // namespace

std::string machine_description() {
  std::string cpu = "CPU";
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (!line.starts_with("model name")) continue;
    if (const std::size_t colon = line.find(": "); colon != std::string::npos) cpu = line.substr(colon + 2);
    break;
  }
  cpu += ", " + std::to_string(std::thread::hardware_concurrency()) + " threads";
  const struct {
    int present;
    const char* name;
  } sets[] = {{ggml_cpu_has_avx2(), "AVX2"},
              {ggml_cpu_has_avx512(), "AVX512"},
              {ggml_cpu_has_avx512_vnni(), "AVX512-VNNI"},
              {ggml_cpu_has_avx512_bf16(), "AVX512-BF16"},
              {ggml_cpu_has_amx_int8(), "AMX-INT8"},
              {ggml_cpu_has_neon(), "NEON"},
              {ggml_cpu_has_dotprod(), "DOTPROD"},
              {ggml_cpu_has_matmul_int8(), "I8MM"}};
  for (const auto& set : sets) {
    if (set.present != 0) cpu += std::string(", ") + set.name;
  }
  return cpu;
}

// The limit of 0.02 nats: a change of the next-token distribution that the usual types of 5 bits and more
// stay under and Q4_0 made from another 4-bit form does not; quantising twice is where quality is lost
// unseen.
Result<InstalledModel> choose_weights(std::string_view name, const fs::path& home,
                                      const WeightsOptions& options, const ProgressSink& progress,
                                      Logger& logger) {
  const InstalledModels installed(home);
  auto model = installed.show(name);
  if (!model) return model.error();
  if (model->role != ModelRole::chat) {
    return Error{Kind::bad_request, model->name, "the form of weights is chosen for chat models only",
                 "nothing is to be done"};
  }
  const auto summary = check_gguf(model->file);
  if (!summary) return summary.error();
  Scratch scratch(installed.folder() / (".weights-" + std::to_string(::getpid())));
  std::vector<Candidate> candidates(1);
  candidates[0].file = model->file;
  candidates[0].row.form = "as is (" + summary->file_type + ")";
  candidates[0].row.size_bytes = summary->file_bytes;
  for (const std::string& form : options.forms) {
    if (form == summary->file_type) continue;
    Candidate candidate;
    candidate.file = scratch.folder() / (form + ".gguf");
    candidate.row.form = form;
    if (progress) progress({"making " + form, 0, 0});
    const auto made = quantize(
        model->file, candidate.file, form,
        {.threads = options.threads, .loss = Measure::no, .speed = Measure::no, .text = {}}, {}, logger);
    if (!made) {
      logger.warning("no " + form + " of " + model->name + ": " + made.error().line());
      if (made.error().kind == Kind::out_of_room) break;
      continue;
    }
    candidate.row.size_bytes = made->bytes_after;
    const auto loss =
        measure_loss(model->file, candidate.file, {}, options.loss_tokens, options.threads, progress);
    if (!loss) return loss.error();
    candidate.row.mean_kl = loss->mean_kl;
    candidate.row.top1_agreement = loss->top1_agreement;
    // What loses too much is listed with its loss but not timed.
    if (loss->mean_kl > options.kl_limit) {
      std::error_code ignored;
      fs::remove(candidate.file, ignored);
    }
    candidates.push_back(std::move(candidate));
  }
  std::vector<Candidate> lossy;
  std::vector<Candidate> timed;
  for (Candidate& candidate : candidates)
    (candidate.row.mean_kl > options.kl_limit ? lossy : timed).push_back(std::move(candidate));
  if (auto measured = measure_in_turns(timed, options, progress, logger); !measured) return measured.error();
  const std::size_t best = choose(timed, options);
  for (Candidate& candidate : lossy) {
    candidate.row.reason = "loses too much: KL " + three_digits(candidate.row.mean_kl) + " is above " +
                           three_digits(options.kl_limit) + "; not timed";
  }
  if (best != 0) {
    const fs::path target = installed.folder() / (model->name + ".gguf");
    const auto hash = sha256_hex_of_file(timed[best].file);
    if (!hash) return hash.error();
    const auto chosen = check_gguf(timed[best].file);
    if (!chosen) return chosen.error();
    std::error_code failure;
    fs::rename(timed[best].file, target, failure);
    if (failure)
      return Error{Kind::unavailable, target.string(),
                   "the file cannot be put in place: " + failure.message(), "check permissions"};
    if (model->source_sha256.empty()) model->source_sha256 = model->sha256;
    model->file = target;
    model->sha256 = *hash;
    model->size_bytes = chosen->file_bytes;
    model->file_type = chosen->file_type;
  }
  model->weights.clear();
  for (Candidate& candidate : timed) model->weights.push_back(std::move(candidate.row));
  for (Candidate& candidate : lossy) model->weights.push_back(std::move(candidate.row));
  model->weights_machine = machine_description();
  if (auto saved = installed.save(*model); !saved) return saved.error();
  return *model;
}

}  // namespace loam::engine
