#include "engine/weights.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

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

constexpr std::string_view kScratchPrefix = ".weights-";

/// Files that are removed unless one of them was kept; also those of a measurement that was killed.
class Scratch {
 public:
  explicit Scratch(const fs::path& models)
      : folder_(models / (std::string(kScratchPrefix) + std::to_string(::getpid()))) {
    std::error_code ignored;
    std::vector<fs::path> old;
    for (const auto& entry : fs::directory_iterator(models, ignored)) {
      const std::string name = entry.path().filename().string();
      if (!name.starts_with(kScratchPrefix)) continue;
      const pid_t owner = std::atoi(name.c_str() + kScratchPrefix.size());
      if (owner > 0 && ::kill(owner, 0) != 0 && errno == ESRCH) old.push_back(entry.path());
    }
    for (const fs::path& folder : old) fs::remove_all(folder, ignored);
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

WeightsProbe complete(WeightsProbe probe, const WeightsOptions& options, const ProgressSink& progress,
                      Logger& logger) {
  if (!probe.make) {
    probe.make = [&](const fs::path& source, const fs::path& out, const std::string& form) -> Result<void> {
      QuantizeOptions only_made;
      only_made.threads = options.threads;
      only_made.loss = Measure::no;
      only_made.speed = Measure::no;
      const auto made = quantize(source, out, form, only_made, {}, logger);
      if (!made) return made.error();
      return done();
    };
  }
  if (!probe.losses) {
    probe.losses = [&](const fs::path& source, const std::vector<fs::path>& forms) {
      return measure_losses(source, forms, options.loss_tokens, options.threads, progress);
    };
  }
  if (!probe.speed) {
    probe.speed = [&](const fs::path& file) -> Result<FormSpeed> {
      SpeedOptions speed;
      speed.prefill_tokens = options.speed_prompt_tokens;
      speed.decode_tokens = options.speed_answer_tokens;
      speed.repetitions = 1;
      speed.threads = options.threads;
      const auto measured = measure_speed(file, speed, logger);
      if (!measured) return measured.error();
      return FormSpeed{measured->prefill_median, measured->decode_median};
    };
  }
  return probe;
}

/// Speed of all candidates, in turns, so that a change of the machine's load meets each alike.
Result<void> measure_in_turns(std::vector<Candidate>& candidates, const WeightsOptions& options,
                              const WeightsProbe& probe, const ProgressSink& progress) {
  double fastest_ms = 0;
  for (int round = 0; round < options.rounds; ++round) {
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      Candidate& candidate = candidates[i];
      WeightsRow& row = candidate.row;
      // The form as it is is always run: the others are held against it.
      if (i > 0 && round > 0 && row.typical_ask_ms > options.drop_behind * fastest_ms) continue;
      if (progress) {
        progress({"measuring speed of " + row.form, static_cast<std::uint64_t>(round) * candidates.size() + i,
                  static_cast<std::uint64_t>(options.rounds) * candidates.size()});
      }
      const auto measured = probe.speed(candidate.file);
      if (!measured) return measured.error();
      candidate.prefill.push_back(measured->prefill);
      candidate.decode.push_back(measured->decode);
      row.prefill_tokens_per_s = median(candidate.prefill);
      row.decode_tokens_per_s = median(candidate.decode);
      if (row.prefill_tokens_per_s > 0 && row.decode_tokens_per_s > 0) {
        row.typical_ask_ms = 1000.0 * (options.prompt_tokens / row.prefill_tokens_per_s +
                                       options.answer_tokens / row.decode_tokens_per_s);
      }
    }
    fastest_ms = std::min_element(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
                   return a.row.typical_ask_ms < b.row.typical_ask_ms;
                 })->row.typical_ask_ms;
  }
  return done();
}

std::string three_digits(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3g", value);
  return text;
}

/// Marks the fastest form; the form as it is stays when the gain is small.
std::size_t choose(std::vector<Candidate>& candidates, const WeightsOptions& options) {
  const double as_is_ms = candidates.front().row.typical_ask_ms;
  std::size_t best = 0;
  for (std::size_t i = 1; i < candidates.size(); ++i) {
    WeightsRow& row = candidates[i].row;
    if (row.typical_ask_ms * options.least_gain > as_is_ms) {
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

// The limit of 0.02 nats per token is an estimate; runs on the default model stand in CHOICES.md.
Result<InstalledModel> choose_weights(std::string_view name, const fs::path& home,
                                      const WeightsOptions& options, const ProgressSink& progress,
                                      Logger& logger, const WeightsProbe& given_probe) {
  const InstalledModels installed(home);
  auto model = installed.show(name);
  if (!model) return model.error();
  if (model->role != ModelRole::chat) {
    return Error{Kind::bad_request, model->name, "the form of weights is chosen for chat models only",
                 "nothing is to be done"};
  }
  const bool converted = std::any_of(model->weights.begin() + (model->weights.empty() ? 0 : 1),
                                     model->weights.end(), [](const WeightsRow& row) { return row.chosen; });
  if (converted) {
    return Error{Kind::bad_request, model->name, "its weights were converted already to " + model->file_type,
                 "loam models rm " + model->name + ", then pull it again"};
  }
  const auto summary = check_gguf(model->file);
  if (!summary) return summary.error();
  const WeightsProbe probe = complete(given_probe, options, progress, logger);
  const Scratch scratch(installed.folder());
  std::vector<Candidate> candidates(1);
  candidates[0].file = model->file;
  candidates[0].row.form = "as is (" + summary->file_type + ")";
  candidates[0].row.size_bytes = summary->file_bytes;
  std::vector<fs::path> files;
  for (const std::string& form : options.forms) {
    if (form == summary->file_type) continue;
    Candidate candidate;
    candidate.file = scratch.folder() / (form + ".gguf");
    candidate.row.form = form;
    if (progress) progress({"making " + form, 0, 0});
    if (const auto made = probe.make(model->file, candidate.file, form); !made) {
      logger.warning("no " + form + " of " + model->name + ": " + made.error().line());
      if (made.error().kind == Kind::out_of_room) break;
      continue;
    }
    std::error_code failure;
    candidate.row.size_bytes = fs::file_size(candidate.file, failure);
    files.push_back(candidate.file);
    candidates.push_back(std::move(candidate));
  }
  if (!files.empty()) {
    const auto losses = probe.losses(model->file, files);
    if (!losses) return losses.error();
    for (std::size_t i = 0; i < files.size(); ++i) {
      candidates[i + 1].row.mean_kl = (*losses)[i].mean_kl;
      candidates[i + 1].row.top1_agreement = (*losses)[i].top1_agreement;
    }
  }
  // What loses too much is listed with its loss but not timed.
  std::vector<Candidate> lossy;
  std::vector<Candidate> timed;
  for (Candidate& candidate : candidates)
    (candidate.row.mean_kl > options.kl_limit ? lossy : timed).push_back(std::move(candidate));
  if (auto measured = measure_in_turns(timed, options, probe, progress); !measured) return measured.error();
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
    // When the program ends between this and the manifest, their sizes differ and the next pull starts anew.
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
  model->weights_measured = true;
  if (auto saved = installed.save(*model); !saved) return saved.error();
  return *model;
}

}  // namespace loam::engine
