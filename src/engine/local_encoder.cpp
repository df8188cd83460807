#include "engine/local_encoder.h"

#include <algorithm>
#include <numeric>

#include "base/hash.h"
#include "engine/adapter_check.h"
#include "engine/llama_handles.h"
#include "engine/llama_log.h"
#include "engine/threads.h"
#include "engine/token_batch.h"
#include "engine/wordpiece.h"

namespace loam::engine {
namespace {

// As for the embedder: more sequences a call waste attention over the dense mask, fewer waste matrix width.
constexpr int kPackedTokens = 512;
constexpr int kMostSequences = 64;
// What two windows of one passage share, at most: longer than any answer with the words around it.
constexpr std::size_t kSharedTokens = 128;

}  // namespace

struct LocalEncoder::Impl {
  std::shared_ptr<LocalModel> model;
  std::optional<WordPiece> wordpiece;
  Logger* logger = nullptr;
  ThreadpoolPtr threadpool;
  llama_adapter_lora_ptr adapter;  ///< outlives the context that it is applied to
  llama_context_ptr context;
  EncoderHead head;
  std::string name;
  std::string fingerprint;
  int dimensions = 0;
  int max_tokens = 0;
  int tokens_per_call = 0;

  Result<void> load_adapter(const std::filesystem::path& file);
  Result<void> make_context(int threads);
  Result<void> read_together(std::span<const std::size_t> which,
                             std::span<const std::vector<Token>> sequences, const StatesSink& sink,
                             const LlamaLogScope& log);
};

Result<void> LocalEncoder::Impl::load_adapter(const std::filesystem::path& file) {
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

Result<void> LocalEncoder::Impl::make_context(int threads) {
  LlamaLogScope log(*logger);
  llama_context_params params = llama_context_default_params();
  params.n_batch = static_cast<std::uint32_t>(tokens_per_call);
  params.n_ubatch = params.n_batch;  // an encoder sees its whole batch at once
  params.n_ctx = params.n_batch;
  params.n_seq_max = kMostSequences;
  params.kv_unified = true;
  params.embeddings = true;
  params.pooling_type = LLAMA_POOLING_TYPE_NONE;
  params.n_threads = threads;
  params.n_threads_batch = threads;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
  params.no_perf = true;
  std::string why;
  try {
    context.reset(llama_init_from_model(model->impl().model.get(), params));
    why = log.last_error("the context could not be made");
  } catch (const std::exception& failure) {
    why = failure.what();
  }
  if (!context) {
    return Error{why.find("alloc") != std::string::npos ? Kind::out_of_room : Kind::bad_data, model->name(),
                 why, "check the model file: loam models show"};
  }
  llama_attach_threadpool(context.get(), threadpool.get(), threadpool.get());
  if (!adapter) return done();
  llama_adapter_lora* handle = adapter.get();
  float scale = 1.0F;
  if (const int code = llama_set_adapters_lora(context.get(), &handle, 1, &scale); code != 0) {
    return Error{Kind::our_bug, name,
                 "the adapter could not be applied: " + log.last_error("code " + std::to_string(code)),
                 "report it with the model's name"};
  }
  return done();
}

LocalEncoder::LocalEncoder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LocalEncoder::~LocalEncoder() = default;

Result<std::unique_ptr<LocalEncoder>> LocalEncoder::open(std::shared_ptr<LocalModel> model,
                                                         const std::filesystem::path& adapter,
                                                         LocalEncoderOptions options, Logger& logger) {
  if (auto whole = require_weights(*model); !whole) return whole.error();
  if (options.max_tokens < 0 || options.tokens_per_call < 0 || options.threads < 0)
    return Error{Kind::bad_request, "encoder options", "must not be negative", "leave them at 0"};
  auto impl = std::make_unique<Impl>();
  impl->wordpiece = WordPiece::of(*model);
  if (model->architecture() != "bert" || !impl->wordpiece) {
    return Error{Kind::bad_request, model->name(),
                 "this is no encoder of the BERT family (its architecture is " + model->architecture() + ")",
                 "use all-minilm-l6-v2 or another of that family: loam models list"};
  }
  impl->logger = &logger;
  impl->name = model->name();
  impl->dimensions = llama_model_n_embd_out(model->impl().model.get());
  std::string adapter_hash;
  if (!adapter.empty()) {
    auto head = read_encoder_head(adapter, model->architecture(), impl->dimensions);
    if (!head) return head.error();
    const auto match = check_adapter_base(adapter, model->file());
    if (!match) return match.error();
    if (*match == BaseMatch::shapes_only)
      logger.warning(adapter.string() + ": it does not say for which model it was made; the shapes fit " +
                     model->name());
    auto hash = sha256_hex_of_file(adapter);
    if (!hash) return hash.error();
    adapter_hash = *std::move(hash);
    impl->head = *std::move(head);
    impl->name = model_name_of(adapter);
  }
  const int positions = model->trained_context_tokens();
  const int stated = impl->head.max_tokens > 0 ? impl->head.max_tokens : positions;
  impl->max_tokens = options.max_tokens > 0 ? options.max_tokens : stated;
  if (impl->max_tokens < 8 || impl->max_tokens > positions) {
    return Error{Kind::bad_request, impl->name,
                 "longest sequence of " + std::to_string(impl->max_tokens) + " tokens, but " + model->name() +
                     " has " + std::to_string(positions) + " positions",
                 "give a number from 8 to that"};
  }
  impl->tokens_per_call =
      std::max(options.tokens_per_call > 0 ? options.tokens_per_call : kPackedTokens, impl->max_tokens);
  options.threads = free_threads(options.threads);
  impl->threadpool = make_threadpool(options.threads);
  impl->model = std::move(model);
  if (!adapter.empty()) {  // before the context, which makes room for it
    if (auto loaded = impl->load_adapter(adapter); !loaded) return loaded.error();
  }
  if (auto made = impl->make_context(options.threads); !made) return made.error();
  impl->fingerprint = sha256_hex(impl->model->fingerprint() + " adapter " + adapter_hash + " max_tokens " +
                                 std::to_string(impl->max_tokens) + " wordpiece 1");
  return std::unique_ptr<LocalEncoder>(new LocalEncoder(std::move(impl)));
}

LocalModel& LocalEncoder::model() { return *impl_->model; }
const EncoderHead& LocalEncoder::head() const { return impl_->head; }
const std::string& LocalEncoder::name() const { return impl_->name; }
const std::string& LocalEncoder::fingerprint() const { return impl_->fingerprint; }
int LocalEncoder::dimensions() const { return impl_->dimensions; }
int LocalEncoder::max_tokens() const { return impl_->max_tokens; }

Result<std::vector<PairWindow>> LocalEncoder::windows(std::string_view question,
                                                      std::span<const std::string_view> passages) const {
  const WordPiece& wordpiece = *impl_->wordpiece;
  const std::vector<PlacedToken> asked = wordpiece.encode_placed(question);
  const auto most = static_cast<std::size_t>(impl_->max_tokens);
  const std::size_t around = asked.size() + 3;  // [CLS], and [SEP] twice
  if (around > most / 2) {
    return Error{Kind::bad_request, "question",
                 "the question has " + std::to_string(asked.size()) + " tokens, and " + impl_->name +
                     " reads at most " + std::to_string(most / 2 - 3) + " beside a passage",
                 "ask in fewer words; a question is never cut"};
  }
  const std::size_t room = most - around;
  const std::size_t step = room - std::min(kSharedTokens, room / 2);
  std::vector<PairWindow> all;
  for (std::size_t p = 0; p < passages.size(); ++p) {
    const std::vector<PlacedToken> own = wordpiece.encode_placed(passages[p]);
    for (std::size_t from = 0;; from += step) {
      PairWindow window;
      window.passage = p;
      const std::size_t to = std::min(own.size(), from + room);
      window.tokens.reserve(around + to - from);
      window.tokens.push_back(wordpiece.first());
      for (const PlacedToken& token : asked) window.tokens.push_back(token.id);
      window.tokens.push_back(wordpiece.last());
      window.first = window.tokens.size();
      for (std::size_t i = from; i < to; ++i) {
        window.tokens.push_back(own[i].id);
        window.spans.push_back(own[i].span);
      }
      window.tokens.push_back(wordpiece.last());
      all.push_back(std::move(window));
      if (to == own.size()) break;
    }
  }
  return all;
}

Result<void> LocalEncoder::Impl::read_together(std::span<const std::size_t> which,
                                               std::span<const std::vector<Token>> sequences,
                                               const StatesSink& sink, const LlamaLogScope& log) {
  std::size_t total = 0;
  for (const std::size_t one : which) total += sequences[one].size();
  TokenBatch batch(static_cast<int>(total));
  for (std::size_t i = 0; i < which.size(); ++i) {
    const std::array<llama_seq_id, 1> id = {static_cast<llama_seq_id>(i)};
    const std::vector<Token>& tokens = sequences[which[i]];
    for (std::size_t position = 0; position < tokens.size(); ++position)
      batch.add(tokens[position], position, id, true);
  }
  if (const int code = llama_encode(context.get(), batch.get()); code != 0) {
    return Error{Kind::our_bug, name, log.last_error("llama.cpp failed with code " + std::to_string(code)),
                 "report it with the model's name"};
  }
  const float* states = llama_get_embeddings(context.get());
  if (states == nullptr)
    return Error{Kind::our_bug, name, "llama.cpp gave no states", "report it with the model's name"};
  const auto width = static_cast<std::size_t>(dimensions);
  for (const std::size_t one : which) {
    const std::size_t count = sequences[one].size() * width;
    sink(one, {states, count});
    states += count;
  }
  return done();
}

Result<void> LocalEncoder::read(std::span<const std::vector<Token>> sequences, const StatesSink& sink) {
  Impl& impl = *impl_;
  LlamaLogScope log(*impl.logger);
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    if (sequences[i].empty())
      return Error{Kind::bad_request, "sequence " + std::to_string(i + 1), "it is empty", "leave it out"};
    if (sequences[i].size() > static_cast<std::size_t>(impl.max_tokens)) {
      return Error{Kind::out_of_room, "sequence " + std::to_string(i + 1),
                   std::to_string(sequences[i].size()) + " tokens exceed the " +
                       std::to_string(impl.max_tokens) + " that " + impl.name + " reads at once",
                   "read it in windows"};
    }
  }
  std::vector<std::size_t> order(sequences.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return sequences[a].size() > sequences[b].size(); });
  const auto budget = static_cast<std::size_t>(impl.tokens_per_call);
  for (std::size_t start = 0; start < order.size();) {
    std::size_t end = start, total = 0;
    while (end < order.size() && end - start < kMostSequences &&
           total + sequences[order[end]].size() <= budget) {
      total += sequences[order[end]].size();
      ++end;
    }
    if (auto done_one =
            impl.read_together(std::span(order).subspan(start, end - start), sequences, sink, log);
        !done_one)
      return done_one.error();
    start = end;
  }
  return done();
}

}  // namespace loam::engine
