#include "engine/quantize.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>

#include "engine/bench.h"
#include "engine/gguf_check.h"
#include "llama.h"

namespace loam::engine {
namespace {

namespace fs = std::filesystem;

struct TypeRow {
  const char* name;
  llama_ftype type;
  double bits;  ///< per weight, for progress and the room that is needed
};
constexpr TypeRow kTypes[] = {
    {"F32", LLAMA_FTYPE_ALL_F32, 32},
    {"F16", LLAMA_FTYPE_MOSTLY_F16, 16},
    {"BF16", LLAMA_FTYPE_MOSTLY_BF16, 16},
    {"Q8_0", LLAMA_FTYPE_MOSTLY_Q8_0, 8.5},
    {"Q6_K", LLAMA_FTYPE_MOSTLY_Q6_K, 6.6},
    {"Q5_K_M", LLAMA_FTYPE_MOSTLY_Q5_K_M, 5.7},
    {"Q5_K_S", LLAMA_FTYPE_MOSTLY_Q5_K_S, 5.6},
    {"Q5_1", LLAMA_FTYPE_MOSTLY_Q5_1, 6},
    {"Q5_0", LLAMA_FTYPE_MOSTLY_Q5_0, 5.5},
    {"Q4_K_M", LLAMA_FTYPE_MOSTLY_Q4_K_M, 4.9},
    {"Q4_K_S", LLAMA_FTYPE_MOSTLY_Q4_K_S, 4.6},
    {"Q4_1", LLAMA_FTYPE_MOSTLY_Q4_1, 5},
    {"Q4_0", LLAMA_FTYPE_MOSTLY_Q4_0, 4.5},
    {"IQ4_NL", LLAMA_FTYPE_MOSTLY_IQ4_NL, 4.5},
    {"IQ4_XS", LLAMA_FTYPE_MOSTLY_IQ4_XS, 4.3},
    {"Q3_K_L", LLAMA_FTYPE_MOSTLY_Q3_K_L, 4.3},
    {"Q3_K_M", LLAMA_FTYPE_MOSTLY_Q3_K_M, 3.9},
    {"Q3_K_S", LLAMA_FTYPE_MOSTLY_Q3_K_S, 3.5},
    {"IQ3_M", LLAMA_FTYPE_MOSTLY_IQ3_M, 3.7},
    {"IQ3_S", LLAMA_FTYPE_MOSTLY_IQ3_S, 3.4},
    {"Q2_K", LLAMA_FTYPE_MOSTLY_Q2_K, 3},
    {"Q2_K_S", LLAMA_FTYPE_MOSTLY_Q2_K_S, 2.8},
    {"TQ1_0", LLAMA_FTYPE_MOSTLY_TQ1_0, 1.7},
    {"TQ2_0", LLAMA_FTYPE_MOSTLY_TQ2_0, 2.1},
    {"MXFP4_MOE", LLAMA_FTYPE_MOSTLY_MXFP4_MOE, 4.3},
    {"NVFP4", LLAMA_FTYPE_MOSTLY_NVFP4, 4.5},
    {"Q1_0", LLAMA_FTYPE_MOSTLY_Q1_0, 1.2},
    {"Q2_0", LLAMA_FTYPE_MOSTLY_Q2_0, 2.3},
    {"IQ3_XS", LLAMA_FTYPE_MOSTLY_IQ3_XS, 3.3},
    {"IQ3_XXS", LLAMA_FTYPE_MOSTLY_IQ3_XXS, 3.1},
    {"IQ2_M", LLAMA_FTYPE_MOSTLY_IQ2_M, 2.7},
    {"IQ2_S", LLAMA_FTYPE_MOSTLY_IQ2_S, 2.5},
    {"IQ2_XS", LLAMA_FTYPE_MOSTLY_IQ2_XS, 2.3},
    {"IQ2_XXS", LLAMA_FTYPE_MOSTLY_IQ2_XXS, 2.1},
    {"IQ1_M", LLAMA_FTYPE_MOSTLY_IQ1_M, 1.8},
    {"IQ1_S", LLAMA_FTYPE_MOSTLY_IQ1_S, 1.6},
};

const TypeRow* find_type(std::string_view name) {
  std::string upper(name);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const auto* found = std::find_if(std::begin(kTypes), std::end(kTypes),
                                   [&](const TypeRow& row) { return upper == row.name; });
  return found == std::end(kTypes) ? nullptr : found;
}

constexpr int kRefused = 3;  // exit status of the child when llama.cpp says no without aborting

/// Runs in the child. Only llama.cpp's quantiser, which starts plain threads of its own.
[[noreturn]] void quantize_in_child(const fs::path& source, const fs::path& out, llama_ftype type,
                                    int threads) {
  ::signal(SIGXFSZ, SIG_IGN);
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  llama_model_quantize_params params = llama_model_quantize_default_params();
  params.ftype = type;
  params.nthread = threads;
  params.allow_requantize = true;
  std::uint32_t status = 1;
  try {
    status = llama_model_quantize(source.c_str(), out.c_str(), &params);
  } catch (...) {
    status = 1;
  }
  ::_exit(status == 0 ? 0 : kRefused);
}

/// Waits for the child, telling how far the file has grown. The wait status, or nothing when time ran out.
std::optional<int> wait_for(pid_t child, const fs::path& out, std::uint64_t expected_bytes, int limit_ms,
                            const ProgressSink& progress) {
  const auto start = std::chrono::steady_clock::now();
  while (true) {
    int status = 0;
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == child) return status;
    if (ended < 0 && errno != EINTR) return kRefused << 8U;
    if (std::chrono::steady_clock::now() - start > std::chrono::milliseconds(limit_ms)) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      return std::nullopt;
    }
    if (progress) {
      std::error_code ignored;
      const auto bytes = fs::file_size(out, ignored);
      progress({"quantising", ignored ? 0 : std::min<std::uint64_t>(bytes, expected_bytes), expected_bytes});
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

Result<SpeedPair> compare_speed(const fs::path& before, const fs::path& after, int threads, Logger& logger) {
  // One repetition each in turn, so that a change of the machine's load meets both.
  std::vector<double> samples[4];
  for (int round = 0; round < 3; ++round) {
    for (int which = 0; which < 2; ++which) {
      SpeedOptions speed;
      speed.prefill_tokens = 128;
      speed.decode_tokens = 16;
      speed.repetitions = 1;
      speed.threads = threads;
      const auto measured = measure_speed(which == 0 ? before : after, speed, logger);
      if (!measured) return measured.error();
      samples[which * 2].push_back(measured->prefill_median);
      samples[which * 2 + 1].push_back(measured->decode_median);
    }
  }
  for (auto& list : samples) std::sort(list.begin(), list.end());
  return SpeedPair{samples[0][1], samples[2][1], samples[1][1], samples[3][1]};
}

}  // namespace

std::vector<std::string> quantize_types() {
  std::vector<std::string> names;
  for (const TypeRow& row : kTypes) names.emplace_back(row.name);
  return names;
}

static Result<void> quantize_file(const fs::path& source, const fs::path& out, std::string_view type,
                                  int threads, int time_limit_ms, const ProgressSink& progress) {
  const TypeRow* row = find_type(type);
  if (row == nullptr) {
    std::string known;
    for (const TypeRow& one : kTypes) known += (known.empty() ? "" : ", ") + std::string(one.name);
    return Error{Kind::bad_request, std::string(type), "this is not a type to quantise to",
                 "use one of " + known};
  }
  const auto summary = check_gguf(source);
  if (!summary) return summary.error();
  std::error_code failure;
  if (fs::equivalent(source, out, failure)) {
    return Error{Kind::bad_request, out.string(), "source and result are the same file",
                 "name another file for the result"};
  }
  const auto expected =
      static_cast<std::uint64_t>(static_cast<double>(summary->parameters) * row->bits / 8.0);
  const fs::path folder = out.has_parent_path() ? out.parent_path() : fs::path(".");
  const auto space = fs::space(folder, failure);
  if (!failure && space.available < expected + summary->metadata_bytes) {
    return Error{Kind::out_of_room, folder.string(),
                 "the result needs about " + std::to_string(expected >> 20U) + " MB, but only " +
                     std::to_string(space.available >> 20U) + " MB are free",
                 "free disk space, or choose another folder"};
  }
  const fs::path part = out.string() + ".part-" + std::to_string(::getpid());
  const pid_t child = ::fork();
  if (child < 0)
    return Error{Kind::unavailable, out.string(), "no child process can be started", "try again"};
  if (child == 0) quantize_in_child(source, part, row->type, threads);
  const auto status = wait_for(child, part, expected, time_limit_ms, progress);
  const auto give_up = [&](Error error) {
    fs::remove(part, failure);
    return error;
  };
  if (!status)
    return give_up(
        {Kind::out_of_room, out.string(), "quantising took longer than its limit", "raise the limit"});
  if (*status != 0) {
    const bool aborted = WIFSIGNALED(*status);
    return give_up({Kind::bad_data, source.string(),
                    std::string("llama.cpp cannot quantise this model to ") + row->name +
                        (aborted ? " (it aborted)" : ""),
                    "use another type, e.g. Q8_0; types of very few bits need an importance matrix"});
  }
  if (const auto checked = check_gguf(part); !checked) return give_up(checked.error());
  fs::rename(part, out, failure);
  if (failure)
    return give_up(
        {Kind::unavailable, out.string(), "renaming failed: " + failure.message(), "check permissions"});
  return done();
}

Result<QuantizeReport> quantize(const fs::path& source, const fs::path& out, std::string_view type,
                                const QuantizeOptions& options, const ProgressSink& progress,
                                Logger& logger) {
  if (auto made = quantize_file(source, out, type, options.threads, options.time_limit_ms, progress); !made)
    return made.error();
  const auto before = check_gguf(source);
  const auto after = check_gguf(out);
  if (!before) return before.error();
  if (!after) return after.error();
  QuantizeReport report;
  report.file = out;
  report.type = find_type(type)->name;
  report.bytes_before = before->file_bytes;
  report.bytes_after = after->file_bytes;
  const bool generates = before->pooling.empty() && before->architecture != "bert";
  if (options.loss == Measure::yes && generates) {
    auto loss = measure_loss(source, out, options.text, options.max_tokens, options.threads, progress);
    if (!loss) return loss.error();
    report.loss = *loss;
    report.has_loss = true;
  }
  if (options.speed == Measure::yes && generates) {
    auto speed = compare_speed(source, out, options.threads, logger);
    if (!speed) return speed.error();
    report.speed = *speed;
    report.has_speed = true;
  }
  return report;
}

}  // namespace loam::engine
