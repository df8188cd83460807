#include "engine/local_embedder.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/hash.h"
#include "engine/adapter_check.h"
#include "engine/encoder_head.h"
#include "engine/llama_handles.h"
#include "engine/llama_log.h"
#include "engine/threads.h"
#include "engine/wordpiece.h"

namespace loam::engine {
namespace {

// llama.cpp's encoder builds one dense mask of n_tokens x n_tokens per call, over all texts in it: packing
// more texts wastes attention with the square, packing fewer wastes matrix width. Reasoned, not
// measured: CHOICES.md.
constexpr int kTokensPerCall = 512;
constexpr int kMostTextsPerCall = 64;  // llama.cpp's limit of sequences per batch is 256

std::string_view pooling_name(enum llama_pooling_type pooling) {
  switch (pooling) {
    case LLAMA_POOLING_TYPE_MEAN:
      return "mean";
    case LLAMA_POOLING_TYPE_CLS:
      return "cls";
    case LLAMA_POOLING_TYPE_LAST:
      return "last";
    default:
      return "none";
  }
}

}  // namespace

struct LocalEmbedder::Impl {
  std::shared_ptr<LocalModel> model;
  std::optional<WordPiece> wordpiece;  ///< in place of llama.cpp's tokenizer, where the model is of that kind
  Logger* logger = nullptr;
  ThreadpoolPtr threadpool;
  llama_adapter_lora_ptr adapter;  ///< outlives the context that it is applied to
  std::string name;
  llama_context_ptr context;
  std::string fingerprint;
  int dimensions = 0;
  int max_tokens = 0;
  int tokens_per_call = 0;

  /// Loads the adapter and sets how its states are pooled. `hash` becomes that of the file.
  Result<void> load_adapter(const std::filesystem::path& file, enum llama_pooling_type& pooling,
                            std::string& hash);
  /// Embeds the texts `which` of `tokens` in one call and writes their rows into `out`.
  Result<void> embed_together(std::span<const std::size_t> which,
                              const std::vector<std::vector<Token>>& tokens, std::vector<float>& out,
                              const LlamaLogScope& log);
  /// Tokens of a text with the model's special tokens.
  Result<std::vector<Token>> encode(std::string_view text) const;
};

Result<std::vector<Token>> LocalEmbedder::Impl::encode(std::string_view text) const {
  constexpr std::size_t kMostBytes = std::size_t{1} << 30U;  // as LocalModel::encode
  if (wordpiece && text.size() <= kMostBytes) {
    return wordpiece->encode(text);
  }
  return model->encode(text, AddSpecial::yes, ParseSpecial::no);
}

Result<void> LocalEmbedder::Impl::load_adapter(const std::filesystem::path& file,
                                               enum llama_pooling_type& pooling, std::string& hash) {
  auto head =
      read_encoder_head(file, model->architecture(), llama_model_n_embd_out(model->impl().model.get()));
  if (!head) return head.error();
  if (head->kind != HeadKind::embedder) {
    return Error{Kind::bad_request, file.string(),
                 "its head is of the kind " + std::string(name_of(head->kind)) + ", not embedder",
                 "loam train embedder makes one"};
  }
  if (const auto match = check_adapter_base(file, model->file()); !match) return match.error();
  auto hashed = sha256_hex_of_file(file);
  if (!hashed) return hashed.error();
  hash = *std::move(hashed);
  if (head->pooling_stated)
    pooling = head->pooling == HeadPooling::cls ? LLAMA_POOLING_TYPE_CLS : LLAMA_POOLING_TYPE_MEAN;
  name = model->name() + "+" + model_name_of(file);
  LlamaLogScope log(*logger);
  const std::lock_guard lock(model->impl().adapters_mutex);
  std::string why;
  try {
    adapter.reset(llama_adapter_lora_init(model->impl().model.get(), file.c_str()));
    why = log.last_error("llama.cpp could not load the adapter");
  } catch (const std::exception& failure) {
    why = failure.what();
  }
  if (!adapter)
    return Error{Kind::bad_data, file.string(), why, "check that it was trained on " + model->name()};
  return done();
}

Result<void> LocalEmbedder::Impl::embed_together(std::span<const std::size_t> which,
                                                 const std::vector<std::vector<Token>>& tokens,
                                                 std::vector<float>& out, const LlamaLogScope& log) {
  std::size_t total = 0;
  for (const std::size_t text : which) {
    total += tokens[text].size();
  }
  llama_batch batch = llama_batch_init(static_cast<int>(total), 0, 1);
  for (std::size_t sequence = 0; sequence < which.size(); ++sequence) {
    const std::vector<Token>& own = tokens[which[sequence]];
    for (std::size_t position = 0; position < own.size(); ++position) {
      const int i = batch.n_tokens++;
      batch.token[i] = own[position];
      batch.pos[i] = static_cast<llama_pos>(position);
      batch.n_seq_id[i] = 1;
      batch.seq_id[i][0] = static_cast<llama_seq_id>(sequence);
      batch.logits[i] = 1;
    }
  }
  if (llama_memory_t memory = llama_get_memory(context.get()); memory != nullptr) {
    llama_memory_clear(memory, false);  // embedders built on decoders keep a cache
  }
  const int code = llama_decode(context.get(), batch);
  llama_batch_free(batch);
  if (code != 0) {
    return Error{Kind::our_bug, model->name(),
                 log.last_error("llama.cpp failed with code " + std::to_string(code)),
                 "report it with the model's name"};
  }
  const auto width = static_cast<std::size_t>(dimensions);
  for (std::size_t sequence = 0; sequence < which.size(); ++sequence) {
    const float* vector = llama_get_embeddings_seq(context.get(), static_cast<llama_seq_id>(sequence));
    if (vector == nullptr) {
      return Error{Kind::our_bug, model->name(), "llama.cpp gave no vector",
                   "report it with the model's name"};
    }
    const double length = std::sqrt(std::inner_product(vector, vector + width, vector, 0.0));
    if (!std::isfinite(length) || length == 0.0) {
      return Error{Kind::bad_data, model->name(), "the model gave a vector without a direction",
                   "check the model file: loam models show"};
    }
    float* row = out.data() + which[sequence] * width;
    for (std::size_t i = 0; i < width; ++i) {
      row[i] = static_cast<float>(static_cast<double>(vector[i]) / length);
    }
  }
  return done();
}

LocalEmbedder::LocalEmbedder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LocalEmbedder::~LocalEmbedder() = default;

Result<std::unique_ptr<LocalEmbedder>> LocalEmbedder::open(const std::filesystem::path& gguf,
                                                           LocalEmbedderOptions options, Logger& logger) {
  auto model = LocalModel::open(gguf, options.model, logger);
  if (!model) {
    return model.error();
  }
  return open(*std::move(model), options, logger);
}

Result<std::unique_ptr<LocalEmbedder>> LocalEmbedder::open(std::shared_ptr<LocalModel> model,
                                                           LocalEmbedderOptions options, Logger& logger) {
  if (auto whole = require_weights(*model); !whole) {
    return whole.error();
  }
  const GgufSummary& summary = model->impl().summary;
  const int trained = model->trained_context_tokens();
  const int stated = summary.embedding_max_tokens > 0 ? summary.embedding_max_tokens : trained;
  const int max_tokens = options.max_tokens > 0 ? options.max_tokens : stated;
  if (options.max_tokens < 0 || options.tokens_per_call < 0 || options.threads < 0) {
    return Error{Kind::bad_request, "embedder options", "must not be negative", "leave them at 0"};
  }
  if (max_tokens < 1 || (trained > 0 && max_tokens > trained)) {
    return Error{Kind::bad_request, model->name(),
                 "longest text of " + std::to_string(max_tokens) + " tokens, but the model was trained for " +
                     std::to_string(trained),
                 "lower max_tokens"};
  }
  options.threads = free_threads(options.threads);
  auto impl = std::make_unique<Impl>();
  impl->logger = &logger;
  impl->max_tokens = max_tokens;
  impl->tokens_per_call =
      std::max(options.tokens_per_call > 0 ? options.tokens_per_call : kTokensPerCall, max_tokens);
  impl->threadpool = make_threadpool(options.threads);
  impl->model = model;
  impl->name = model->name();

  llama_context_params params = llama_context_default_params();
  std::string adapter_hash;
  if (!options.adapter.empty()) {  // before the context, which makes room for it
    if (auto loaded = impl->load_adapter(options.adapter, params.pooling_type, adapter_hash); !loaded)
      return loaded.error();
  }
  LlamaLogScope log(logger);
  params.n_batch = static_cast<std::uint32_t>(impl->tokens_per_call);
  params.n_ubatch = params.n_batch;  // an encoder sees its whole batch at once
  params.n_ctx = params.n_batch;
  params.n_seq_max = kMostTextsPerCall;
  params.kv_unified = true;
  params.embeddings = true;
  params.n_threads = options.threads;
  params.n_threads_batch = params.n_threads;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
  params.no_perf = true;
  std::string why;
  try {
    impl->context.reset(llama_init_from_model(model->impl().model.get(), params));
    why = log.last_error("the context could not be made");
  } catch (const std::exception& failure) {
    why = failure.what();
  }
  if (!impl->context) {
    return Error{why.find("alloc") != std::string::npos ? Kind::out_of_room : Kind::bad_data, model->name(),
                 why, "pull an embedding model: loam models list"};
  }
  const enum llama_pooling_type pooling = llama_pooling_type(impl->context.get());
  if (pooling == LLAMA_POOLING_TYPE_NONE || pooling == LLAMA_POOLING_TYPE_RANK) {
    return Error{Kind::bad_request, model->name(), "the model does not say how to pool its vectors into one",
                 "pull an embedding model: loam models list"};
  }
  llama_attach_threadpool(impl->context.get(), impl->threadpool.get(), impl->threadpool.get());
  if (impl->adapter) {
    llama_adapter_lora* handle = impl->adapter.get();
    float scale = 1.0F;
    if (llama_set_adapters_lora(impl->context.get(), &handle, 1, &scale) != 0) {
      return Error{Kind::our_bug, impl->name, log.last_error("the adapter could not be applied"),
                   "report it with the model's name"};
    }
  }
  impl->wordpiece = WordPiece::of(*model);
  impl->dimensions = llama_model_n_embd_out(model->impl().model.get());
  impl->fingerprint =
      sha256_hex(model->fingerprint() + " pooling " + std::string(pooling_name(pooling)) + " max_tokens " +
                 std::to_string(max_tokens) + " unit length" + (impl->wordpiece ? " wordpiece 1" : "") +
                 (adapter_hash.empty() ? "" : " adapter " + adapter_hash));
  return std::unique_ptr<LocalEmbedder>(new LocalEmbedder(std::move(impl)));
}

const std::string& LocalEmbedder::model_name() const { return impl_->name; }
const std::string& LocalEmbedder::fingerprint() const { return impl_->fingerprint; }
int LocalEmbedder::dimensions() const { return impl_->dimensions; }
int LocalEmbedder::max_tokens() const { return impl_->max_tokens; }
LocalModel& LocalEmbedder::model() { return *impl_->model; }
std::shared_ptr<LocalModel> LocalEmbedder::shared_model() const { return impl_->model; }

Result<int> LocalEmbedder::count_tokens(std::string_view text) {
  auto tokens = impl_->encode(text);
  if (!tokens) {
    return tokens.error();
  }
  return static_cast<int>(tokens->size());
}

Result<std::vector<float>> LocalEmbedder::embed(std::span<const std::string> texts) {
  Impl& impl = *impl_;
  LlamaLogScope log(*impl.logger);
  std::vector<std::vector<Token>> tokens(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto encoded = impl.encode(texts[i]);
    if (!encoded) {
      return encoded.error();
    }
    if (encoded->size() > static_cast<std::size_t>(impl.max_tokens)) {
      return Error{Kind::out_of_room, "text " + std::to_string(i + 1),
                   std::to_string(encoded->size()) + " tokens exceed the " + std::to_string(impl.max_tokens) +
                       " that " + impl.model->name() + " can embed",
                   "cut it into shorter passages"};
    }
    if (encoded->empty()) {
      return Error{Kind::bad_request, "text " + std::to_string(i + 1), "it is empty",
                   "leave empty texts out"};
    }
    tokens[i] = *std::move(encoded);
  }
  std::vector<float> out(texts.size() * static_cast<std::size_t>(impl.dimensions));
  // Texts of like length share a call: the shapes llama.cpp plans for change less often.
  std::vector<std::size_t> order(texts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return tokens[a].size() > tokens[b].size(); });
  const auto budget = static_cast<std::size_t>(impl.tokens_per_call);
  std::size_t start = 0;
  while (start < order.size()) {
    std::size_t end = start;
    std::size_t total = 0;
    while (end < order.size() && end - start < kMostTextsPerCall &&
           total + tokens[order[end]].size() <= budget) {
      total += tokens[order[end]].size();
      ++end;
    }
    if (auto embedded = impl.embed_together(std::span(order).subspan(start, end - start), tokens, out, log);
        !embedded) {
      return embedded.error();
    }
    start = end;
  }
  return out;
}

}  // namespace loam::engine
