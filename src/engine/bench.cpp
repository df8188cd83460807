#include "engine/bench.h"

#include <algorithm>
#include <random>
#include <string>

#include "base/clock.h"
#include "engine/llama_handles.h"
#include "engine/llama_log.h"

namespace loam::engine {
namespace {

double median(std::vector<double> values) {
  if (values.empty()) {
    return 0;
  }
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) {
    return *middle;
  }
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

Result<void> check_options(const SpeedOptions& options) {
  constexpr int kMost = 1 << 20;
  const auto in_range = [](int value, int least) { return value >= least && value <= kMost; };
  if (!in_range(options.prefill_tokens, 0) || !in_range(options.decode_tokens, 0) ||
      !in_range(options.repetitions, 1) || !in_range(options.micro_batch_tokens, 1) || options.threads < 0) {
    return Error{Kind::bad_request, "speed measurement", "token counts and repetitions must be positive",
                 "leave them at their defaults"};
  }
  return done();
}

}  // namespace

Result<SpeedReport> measure_speed(const std::filesystem::path& gguf, const SpeedOptions& options,
                                  Logger& logger) {
  auto model = LocalModel::open(gguf, options.model, logger);
  if (!model) {
    return model.error();
  }
  return measure_speed(**model, options, logger);
}

Result<SpeedReport> measure_speed(LocalModel& model, const SpeedOptions& options, Logger& logger) {
  if (auto checked = check_options(options); !checked) {
    return checked.error();
  }
  if (auto whole = require_weights(model); !whole) {
    return whole.error();
  }
  LlamaLogScope log(logger);
  const LocalModel::Impl& impl = model.impl();
  // llama-bench's own settings: batch 2048, its flags where they are asked for, one thread pool for both
  // phases.
  constexpr int kBatch = 2048;
  const ThreadpoolPtr threadpool = make_threadpool(thread_count(options.threads));
  llama_context_params params = llama_context_default_params();
  params.n_ctx = static_cast<std::uint32_t>(std::max(options.prefill_tokens, options.decode_tokens));
  params.n_batch = kBatch;
  params.n_ubatch = static_cast<std::uint32_t>(options.micro_batch_tokens);
  params.n_threads = thread_count(options.threads);
  params.n_threads_batch = params.n_threads;
  params.flash_attn_type = options.flash_attention == FlashAttention::on ? LLAMA_FLASH_ATTN_TYPE_ENABLED
                                                                         : LLAMA_FLASH_ATTN_TYPE_DISABLED;
  params.type_k = ggml_type_of(options.k_type);
  params.type_v = ggml_type_of(options.v_type);
  const llama_context_ptr context(llama_init_from_model(impl.model.get(), params));
  if (!context || llama_get_memory(context.get()) == nullptr) {
    return Error{Kind::bad_request, model.name(), log.last_error("no generating context could be made"),
                 "measure a chat model with the default options"};
  }
  llama_attach_threadpool(context.get(), threadpool.get(), nullptr);

  // Which tokens does not matter for speed; a fixed seed makes runs comparable.
  std::mt19937 random(1);
  std::uniform_int_distribution<Token> any(0, model.vocabulary_size() - 1);
  const auto decode_all = [&](int total, int batch) -> Result<void> {
    std::vector<Token> tokens(static_cast<std::size_t>(std::max(1, std::min(batch, total))));
    for (int done_tokens = 0; done_tokens < total;) {
      const int size = std::min(batch, total - done_tokens);
      std::generate_n(tokens.begin(), size, [&] { return any(random); });
      const int code = llama_decode(context.get(), llama_batch_get_one(tokens.data(), size));
      if (code != 0) {
        return Error{Kind::our_bug, model.name(),
                     log.last_error("llama.cpp failed with code " + std::to_string(code)),
                     "report it with the model's name"};
      }
      if (batch == 1) {
        llama_synchronize(context.get());
      }
      done_tokens += size;
    }
    llama_synchronize(context.get());
    return done();
  };
  const auto measure = [&](int total, int batch, std::vector<double>& samples) -> Result<void> {
    if (total == 0) {
      return done();
    }
    for (int run = -1; run < options.repetitions; ++run) {  // run -1 warms up
      llama_memory_clear(llama_get_memory(context.get()), false);
      const Stopwatch watch;
      if (auto decoded = decode_all(run < 0 && batch == 1 ? 1 : total, batch); !decoded) {
        return decoded;
      }
      if (run >= 0) {
        samples.push_back(total * 1000.0 / watch.milliseconds());
      }
    }
    return done();
  };
  SpeedReport report;
  if (auto measured = measure(options.prefill_tokens, kBatch, report.prefill_samples); !measured) {
    return measured.error();
  }
  if (auto measured = measure(options.decode_tokens, 1, report.decode_samples); !measured) {
    return measured.error();
  }
  report.prefill_median = median(report.prefill_samples);
  report.decode_median = median(report.decode_samples);
  return report;
}

}  // namespace loam::engine
