#include "engine/fit.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <thread>

#include "engine/bench.h"
#include "engine/gguf_check.h"
#include "engine/llama_handles.h"
#include "engine/llama_log.h"
#include "ggml-cpu.h"
#include "llama-cpp.h"
#include "llama-ext.h"

namespace loam::engine {
namespace {

namespace fs = std::filesystem;

KvType kv_type_of(KvPrecision kv) {
  switch (kv) {
    case KvPrecision::f16:
      return KvType::f16;
    case KvPrecision::bf16:
      return KvType::bf16;
    case KvPrecision::q8_0:
      return KvType::q8_0;
    case KvPrecision::q4_0:
      return KvType::q4_0;
    case KvPrecision::f32:
      return KvType::f32;
  }
  return KvType::f16;
}

/// Buffers that llama.cpp would allocate for one context.
struct Buffers {
  std::uint64_t repacked = 0;  ///< private copies of weights; what is not repacked stays in the mapped file
  std::uint64_t context = 0;
  std::uint64_t compute = 0;
};

/// The model with all sizes and no memory behind them.
class EmptyModel {
 public:
  static Result<EmptyModel> open(const fs::path& gguf) {
    EmptyModel empty;
    LlamaLogScope log(silent_logger());
    llama_model_params params = llama_model_default_params();
    params.no_alloc = true;
    params.load_mode = LLAMA_LOAD_MODE_NONE;
    params.n_gpu_layers = -1;
    std::string why = "llama.cpp refuses the model";
    try {
      empty.model_.reset(llama_model_load_from_file(gguf.c_str(), params));
      why = log.last_error(why);
    } catch (const std::exception& failure) {
      why = failure.what();
    }
    if (!empty.model_) return Error{Kind::bad_data, gguf.string(), why, "fetch the model again"};
    empty.place_ = gguf.string();
    return empty;
  }

  Result<Buffers> buffers(int context_tokens, KvType kv, int batch_tokens, bool encoder) const {
    LlamaLogScope log(silent_logger());
    llama_context_params params = llama_context_default_params();
    params.n_ctx = static_cast<std::uint32_t>(context_tokens);
    params.n_batch = static_cast<std::uint32_t>(std::min(batch_tokens, context_tokens));
    params.n_ubatch = params.n_batch;
    params.n_seq_max = 1;
    params.n_outputs_max = encoder ? params.n_batch : 1;
    params.embeddings = encoder;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
    params.type_k = ggml_type_of(kv);
    params.type_v = ggml_type_of(kv);
    std::string why = "llama.cpp refuses the context";
    llama_context_ptr context;
    try {
      context.reset(llama_init_from_model(model_.get(), params));
      why = log.last_error(why);
    } catch (const std::exception& failure) {
      why = failure.what();
    }
    if (!context)
      return Error{Kind::bad_request, place_, why, "use another context or another type of the cache"};
    Buffers found;
    for (const auto& [type, bytes] : llama_get_memory_breakdown(context.get())) {
      if (type != ggml_backend_cpu_buffer_type()) found.repacked += bytes.model;
      found.context += bytes.context;
      found.compute += bytes.compute;
    }
    return found;
  }

 private:
  llama_model_ptr model_;
  std::string place_;
};

// What a process holds besides weights, cache and compute buffers, fitted to runs of fit_model_test on
// glibc 2.36: code and libraries, then per token of the vocabulary its text, its hash entries and its cached
// piece.
constexpr std::uint64_t kProgramBytes = 14ULL << 20U;
constexpr std::uint64_t kBytesPerToken = 420;
constexpr std::uint64_t kBytesPerSlot = 1ULL << 20U;

std::uint64_t program_bytes(const GgufSummary& summary, int slots) {
  return kProgramBytes + kBytesPerToken * static_cast<std::uint64_t>(summary.vocabulary) +
         summary.metadata_bytes + kBytesPerSlot * static_cast<std::uint64_t>(slots);
}

Result<MemoryParts> memory_parts(const EmptyModel& model, const GgufSummary& summary,
                                 const FitOptions& options, int context_tokens) {
  const bool encoder =
      summary.architecture == "bert" || (!summary.pooling.empty() && summary.pooling != "none");
  const auto buffers = model.buffers(context_tokens, kv_type_of(options.kv), options.batch_tokens, encoder);
  if (!buffers) return buffers.error();
  MemoryParts parts;
  // The whole file is mapped and read once, also the parts that are then copied in another order.
  parts.weights = summary.file_bytes + buffers->repacked;
  const auto slots = static_cast<std::uint64_t>(options.slots);
  parts.kv_cache = buffers->context * slots;
  parts.compute = buffers->compute * slots;
  for (const fs::path& adapter : options.adapters) {
    std::error_code failure;
    const auto bytes = fs::file_size(adapter, failure);
    if (failure)
      return Error{Kind::bad_request, adapter.string(), "the adapter cannot be read", "check the path"};
    parts.adapters += bytes;
  }
  parts.program = program_bytes(summary, options.slots);
  return parts;
}

/// The largest context, in steps of 256 tokens, whose prediction stays within `available`.
Result<int> largest_context(const EmptyModel& model, const GgufSummary& summary, const FitOptions& options,
                            std::uint64_t available) {
  constexpr int kStep = 256;
  int fits = 0;
  int low = 1;
  int high = std::max(1, summary.context_tokens / kStep);
  while (low <= high) {
    const int middle = low + (high - low) / 2;
    const auto parts = memory_parts(model, summary, options, middle * kStep);
    if (!parts) return parts.error();
    if (parts->total() <= available) {
      fits = middle * kStep;
      low = middle + 1;
    } else {
      high = middle - 1;
    }
  }
  return fits;
}

struct Speed {
  double prefill = 0;
  double decode = 0;
};

/// Multiplies a matrix of a weight type, which is how nearly all time is spent: seconds for one product with
/// `columns` columns.
double seconds_of_product(ggml_type type, std::int64_t rows, std::int64_t columns, int threads) {
  constexpr std::int64_t kInner = 2048;
  const std::size_t weight_bytes = ggml_row_size(type, kInner) * static_cast<std::size_t>(rows);
  const std::size_t bytes =
      weight_bytes + static_cast<std::size_t>((kInner + rows) * columns) * sizeof(float) + (16U << 20U);
  ggml_init_params params{bytes, nullptr, false};
  const std::unique_ptr<ggml_context, decltype(&ggml_free)> context(ggml_init(params), &ggml_free);
  if (!context) return 0;
  ggml_tensor* weights = ggml_new_tensor_2d(context.get(), type, kInner, rows);
  ggml_tensor* input = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, kInner, columns);
  std::fill_n(static_cast<unsigned char*>(weights->data), weight_bytes, static_cast<unsigned char>(0));
  ggml_set_f32(input, 0.5F);
  ggml_cgraph* graph = ggml_new_graph(context.get());
  ggml_build_forward_expand(graph, ggml_mul_mat(context.get(), weights, input));
  double best = 1e9;
  for (int round = 0; round < 3; ++round) {
    const auto start = std::chrono::steady_clock::now();
    if (ggml_graph_compute_with_ctx(context.get(), graph, threads) != GGML_STATUS_SUCCESS) return 0;
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

/// Speed from the model's size and two small products of its main type: one bound by arithmetic, one by
/// memory.
Speed scaled_speed(const GgufSummary& summary) {
  const int threads = thread_count(0);
  ggml_type type = GGML_TYPE_F16;
  for (int i = 0; i < GGML_TYPE_COUNT; ++i) {
    if (ggml_type_info(static_cast<std::uint32_t>(i)).name == summary.tensor_types.front().type)
      type = static_cast<ggml_type>(i);
  }
  if (ggml_blck_size(type) == 0 || 2048 % ggml_blck_size(type) != 0) type = GGML_TYPE_F16;
  constexpr std::int64_t kTall = 65536;  // rows that no cache holds
  const double wide = seconds_of_product(type, 2048, 128, threads);
  const double thin = seconds_of_product(type, kTall, 1, threads);
  if (wide <= 0 || thin <= 0) return {};
  const double operations_per_s = 2.0 * 2048.0 * 2048.0 * 128.0 / wide;
  const double bytes_per_s =
      static_cast<double>(ggml_row_size(type, 2048)) * static_cast<double>(kTall) / thin;
  const double weights =
      static_cast<double>(summary.parameters) -
      (summary.output_bytes > 0 ? static_cast<double>(summary.vocabulary) * summary.embedding_length : 0.0);
  const double read = static_cast<double>(summary.weights_bytes -
                                          (summary.output_bytes > 0 ? summary.token_embedding_bytes : 0));
  // Attention, norms and threads that wait take their part. An estimate, not fitted to any run; the report
  // says so (speed_is_measured).
  constexpr double kShare = 0.75;
  return {kShare * operations_per_s / (2.0 * std::max(1.0, weights)),
          kShare * bytes_per_s / std::max(1.0, read)};
}

/// A model that loads in a moment is measured instead.
constexpr std::uint64_t kMeasuredBelowBytes = 700ULL << 20U;

void add_speed(FitReport& report, const fs::path& gguf, const GgufSummary& summary,
               const FitOptions& options) {
  report.prefill_tokens_per_s = options.prefill_tokens_per_s;
  report.decode_tokens_per_s = options.decode_tokens_per_s;
  report.speed_is_measured = options.decode_tokens_per_s > 0;
  const bool generates = summary.architecture != "bert" && summary.pooling.empty();
  if (!report.speed_is_measured && generates) {
    Speed speed;
    if (report.fits && summary.file_bytes <= kMeasuredBelowBytes) {
      SpeedOptions quick;
      quick.prefill_tokens = std::min(128, std::max(16, summary.context_tokens / 2));
      quick.decode_tokens = 12;
      quick.repetitions = 2;
      if (const auto measured = measure_speed(gguf, quick)) {
        speed = {measured->prefill_median, measured->decode_median};
        report.speed_is_measured = true;
      }
    }
    if (!report.speed_is_measured) {
      speed = scaled_speed(summary);
      report.notes.emplace_back(
          "speed is estimated from the model's size and this machine's memory, not measured");
    }
    report.prefill_tokens_per_s = speed.prefill;
    report.decode_tokens_per_s = speed.decode;
  }
  report.word = speed_word(report.decode_tokens_per_s);
}

/// A number in a file of its own, as cgroups have it; nothing for "max" or a missing file.
std::optional<std::uint64_t> number_in(const fs::path& path) {
  std::ifstream file(path);
  std::uint64_t value = 0;
  if (file >> value) return value;
  return std::nullopt;
}

/// What a cgroup leaves: limit minus use, where page cache that can be dropped does not count as use.
std::optional<std::uint64_t> left_in_cgroup(const fs::path& limit_file, const fs::path& usage_file,
                                            const fs::path& stat_file, const std::string& droppable_key) {
  const auto limit = number_in(limit_file);
  if (!limit || *limit > (1ULL << 60U)) return std::nullopt;  // version 1 writes a huge number for "no limit"
  std::uint64_t used = number_in(usage_file).value_or(0);
  std::ifstream stat(stat_file);
  std::string key;
  for (std::uint64_t value = 0; stat >> key >> value;) {
    if (key == droppable_key) used -= std::min(used, value);
  }
  return *limit - std::min(*limit, used);
}

}  // namespace

SpeedWord speed_word(double decode_tokens_per_s) {
  if (decode_tokens_per_s >= 40) return SpeedWord::excellent;
  if (decode_tokens_per_s >= 30) return SpeedWord::good;
  if (decode_tokens_per_s >= 20) return SpeedWord::acceptable;
  return SpeedWord::low;
}

std::string_view name_of(SpeedWord word) {
  switch (word) {
    case SpeedWord::excellent:
      return "excellent";
    case SpeedWord::good:
      return "good";
    case SpeedWord::acceptable:
      return "acceptable";
    case SpeedWord::low:
      return "low";
  }
  return "low";
}

Result<std::uint64_t> available_memory() { return available_memory("/"); }

Result<std::uint64_t> available_memory(const fs::path& root) {
  std::ifstream info(root / "proc/meminfo");
  std::uint64_t available = 0;
  for (std::string line; std::getline(info, line);) {
    std::istringstream words(line);
    std::string key;
    std::uint64_t kilobytes = 0;
    if (words >> key >> kilobytes && key == "MemAvailable:") available = kilobytes * 1024;
  }
  if (available == 0) {
    return Error{Kind::unavailable, (root / "proc/meminfo").string(), "the available memory cannot be read",
                 "name it with --available"};
  }
  // The process' own group and all above it: each may set a limit.
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first == std::string::npos ? 0 : first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool version2 = controllers.empty();
    if (!version2 && controllers.find("memory") == std::string::npos) continue;
    const fs::path base = root / (version2 ? "sys/fs/cgroup" : "sys/fs/cgroup/memory");
    fs::path group = fs::path(line.substr(second + 1)).relative_path();
    while (true) {
      const fs::path folder = group.empty() ? base : base / group;
      const auto left =
          version2 ? left_in_cgroup(folder / "memory.max", folder / "memory.current", folder / "memory.stat",
                                    "inactive_file")
                   : left_in_cgroup(folder / "memory.limit_in_bytes", folder / "memory.usage_in_bytes",
                                    folder / "memory.stat", "total_inactive_file");
      if (left) available = std::min(available, *left);
      if (group.empty()) break;
      group = group.parent_path();
    }
  }
  return available;
}

Result<FitReport> predict_fit(const fs::path& gguf, const FitOptions& options) {
  if (options.context_tokens < 1 || options.slots < 1 || options.slots > 1024 || options.batch_tokens < 1) {
    return Error{Kind::bad_request, "fit",
                 "context, slots and batch must be at least 1 (and slots at most 1024)",
                 "correct the numbers"};
  }
  const auto summary = check_gguf(gguf);
  if (!summary) return summary.error();
  const auto model = EmptyModel::open(gguf);
  if (!model) return model.error();
  FitReport report;
  report.slots = options.slots;
  report.context_tokens = options.context_tokens;
  if (options.context_tokens > summary->context_tokens) {
    report.context_tokens = summary->context_tokens;
    report.notes.push_back("the model was trained for " + std::to_string(summary->context_tokens) +
                           " tokens; that many are planned");
  }
  const auto parts = memory_parts(*model, *summary, options, report.context_tokens);
  if (!parts) return parts.error();
  report.memory = *parts;
  report.available_bytes = options.available_bytes;
  if (report.available_bytes == 0) {
    const auto available = available_memory();
    if (!available) return available.error();
    report.available_bytes = *available;
  }
  report.fits = report.memory.total() <= report.available_bytes;
  const auto largest = largest_context(*model, *summary, options, report.available_bytes);
  if (!largest) return largest.error();
  report.largest_context_tokens = *largest;
  add_speed(report, gguf, *summary, options);
  return report;
}

}  // namespace loam::engine
