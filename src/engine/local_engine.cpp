#include "engine/local_engine.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/utf8.h"
#include "engine/local_engine_impl.h"
#include "engine/threads.h"
#include "engine/token_picker.h"
#include "llama-ext.h"  // llama_get_memory_breakdown: the only way to see what a context really holds

namespace loam::engine {
namespace {

struct KvName {
  KvType type;
  std::string_view name;
  ggml_type ggml;
};

constexpr std::array kKvNames = {
    KvName{KvType::f32, "f32", GGML_TYPE_F32},          KvName{KvType::f16, "f16", GGML_TYPE_F16},
    KvName{KvType::bf16, "bf16", GGML_TYPE_BF16},       KvName{KvType::q8_0, "q8_0", GGML_TYPE_Q8_0},
    KvName{KvType::q5_1, "q5_1", GGML_TYPE_Q5_1},       KvName{KvType::q5_0, "q5_0", GGML_TYPE_Q5_0},
    KvName{KvType::q4_1, "q4_1", GGML_TYPE_Q4_1},       KvName{KvType::q4_0, "q4_0", GGML_TYPE_Q4_0},
    KvName{KvType::iq4_nl, "iq4_nl", GGML_TYPE_IQ4_NL},
};

const KvName& entry_of(KvType type) {
  return *std::find_if(kKvNames.begin(), kKvNames.end(),
                       [&](const KvName& entry) { return entry.type == type; });
}

bool abort_requested(void* flag) {
  return static_cast<std::atomic<bool>*>(flag)->load(std::memory_order_relaxed);
}

Result<void> check_options(const LocalEngineOptions& options) {
  const auto refuse = [](std::string name, std::string message, std::string next) -> Result<void> {
    return Error{Kind::bad_request, std::move(name), std::move(message), std::move(next)};
  };
  if (options.context_tokens < 0) {
    return refuse("context_tokens", "must be 0 (as trained) or more", "give a positive number");
  }
  if (options.batch_tokens < 1 || options.micro_batch_tokens < 1) {
    return refuse("batch_tokens", "batch and micro-batch must be at least 1", "leave them at 512");
  }
  if (options.adapter_sets < 1) {
    return refuse("adapter_sets", "must be at least 1", "leave it at 4");
  }
  if (options.threads < 0) {
    return refuse("threads", "must be 0 (one per core) or more", "give a positive number");
  }
  if (options.flash_attention == FlashAttention::off && ggml_is_quantized(entry_of(options.v_type).ggml)) {
    return refuse("v_type", std::string(name_of(options.v_type)) + " needs flash attention",
                  "turn flash attention on, or use f16");
  }
  return done();
}

}  // namespace

std::string_view name_of(KvType type) { return entry_of(type).name; }

ggml_type ggml_type_of(KvType type) { return entry_of(type).ggml; }

Result<KvType> kv_type_from_name(std::string_view name) {
  std::string known;
  for (const KvName& entry : kKvNames) {
    if (entry.name == name) {
      return entry.type;
    }
    known += (known.empty() ? "" : ", ") + std::string(entry.name);
  }
  return Error{Kind::bad_request, "key-value type \"" + std::string(name) + "\"", "unknown",
               "use one of " + known};
}

Error LocalEngine::Impl::failed(const LlamaLogScope& log, int code, const std::string& what) const {
  return Error{Kind::our_bug, model->name(),
               what + ": llama.cpp says " + log.last_error("code " + std::to_string(code)),
               "report it with the model's name; try flash attention off"};
}

Error LocalEngine::Impl::stopped(const std::string& what) const {
  return Error{Kind::unavailable, model->name(), what + " was stopped", ""};
}

Result<llama_context_ptr> LocalEngine::Impl::make_context(int context_tokens, int batch, int micro_batch,
                                                          int outputs, int sequences) {
  LlamaLogScope log(*logger);
  llama_context_params params = llama_context_default_params();
  params.n_ctx = static_cast<std::uint32_t>(context_tokens);
  params.n_batch = static_cast<std::uint32_t>(batch);
  params.n_ubatch = static_cast<std::uint32_t>(std::min(batch, micro_batch));
  params.n_seq_max = static_cast<std::uint32_t>(sequences);
  params.kv_unified = sequences > 1;
  params.n_outputs_max = static_cast<std::uint32_t>(outputs);
  params.n_threads = options.threads;
  params.n_threads_batch = params.n_threads;
  params.flash_attn_type = options.flash_attention == FlashAttention::on ? LLAMA_FLASH_ATTN_TYPE_ENABLED
                                                                         : LLAMA_FLASH_ATTN_TYPE_DISABLED;
  params.type_k = entry_of(options.k_type).ggml;
  params.type_v = entry_of(options.v_type).ggml;
  params.no_perf = true;
  params.abort_callback = &abort_requested;
  params.abort_callback_data = &abort;
  llama_context_ptr made;
  std::string why;
  try {
    made.reset(llama_init_from_model(model->impl().model.get(), params));
    why = log.last_error("the context could not be made");
  } catch (const std::exception& failure) {
    why = failure.what();
  }
  if (!made) {
    const bool no_room = why.find("alloc") != std::string::npos;
    return Error{no_room ? Kind::out_of_room : Kind::bad_request, model->name(), why,
                 no_room ? "use a smaller context or a smaller key-value type; loam fit says what fits"
                         : "try the default options"};
  }
  llama_attach_threadpool(made.get(), threadpool.get(), threadpool.get());
  return made;
}

Result<ChatTemplate*> LocalEngine::Impl::chat_template() {
  if (!chat) {
    const auto text_of = [&](Token token) {
      return token == LLAMA_TOKEN_NULL ? std::string() : piece_of(vocabulary(), token, true);
    };
    const std::string source = model->chat_template().value_or(std::string(default_chat_template()));
    auto parsed = ChatTemplate::parse(source, text_of(llama_vocab_bos(vocabulary())),
                                      text_of(llama_vocab_eos(vocabulary())), model->name());
    if (!parsed) {
      return parsed.error();
    }
    chat = *std::move(parsed);
  }
  return &*chat;
}

Result<std::vector<PromptPart>> LocalEngine::Impl::render_parts(const std::vector<Message>& messages) {
  if (messages.empty()) {
    return Error{Kind::bad_request, "messages", "there are none", "give at least one message"};
  }
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (!is_valid_utf8(messages[i].content)) {
      return Error{Kind::bad_request, "message " + std::to_string(i + 1), "not valid UTF-8",
                   "convert the text to UTF-8"};
    }
  }
  auto chat_ready = chat_template();
  if (!chat_ready) {
    return chat_ready.error();
  }
  return (*chat_ready)->render(messages, model->impl().control_tokens);
}

void ReadContext::truncate(std::size_t keep) {
  if (keep >= tokens.size()) {
    return;
  }
  llama_memory_t memory = llama_get_memory(context.get());
  if (keep > 0 && !llama_memory_seq_rm(memory, 0, static_cast<llama_pos>(keep), -1)) {
    keep = 0;  // recurrent models cannot go back to the middle of what they read
  }
  if (keep == 0) {
    llama_memory_clear(memory, false);
  }
  tokens.resize(keep);
  exact_tokens = std::min(exact_tokens, keep);
}

void ReadContext::clear() {
  tokens.clear();
  exact_tokens = 0;
  if (context) {
    llama_memory_clear(llama_get_memory(context.get()), false);
  }
}

std::size_t ReadContext::reusable(const std::vector<Token>& prompt, const LocalEngineOptions& options) const {
  if (options.reuse == Reuse::off) {
    return 0;
  }
  const std::size_t most = std::min(prompt.size() - 1, tokens.size());
  const auto [mine, theirs] =
      std::mismatch(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(most), prompt.begin());
  const auto shared = static_cast<std::size_t>(mine - tokens.begin());
  if (options.reuse == Reuse::fast) {
    return shared;
  }
  const auto chunk = static_cast<std::size_t>(options.micro_batch_tokens);
  return std::min(shared, exact_tokens) / chunk * chunk;
}

LocalEngine::LocalEngine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LocalEngine::~LocalEngine() = default;

Result<std::unique_ptr<LocalEngine>> LocalEngine::open(const std::filesystem::path& gguf,
                                                       LocalEngineOptions options, Logger& logger) {
  if (auto checked = check_options(options); !checked) {
    return checked.error();
  }
  auto model = LocalModel::open(gguf, options.model, logger);
  if (!model) {
    return model.error();
  }
  return open(*std::move(model), std::move(options), logger);
}

Result<std::unique_ptr<LocalEngine>> LocalEngine::open(std::shared_ptr<LocalModel> model,
                                                       LocalEngineOptions options, Logger& logger) {
  if (auto checked = check_options(options); !checked) {
    return checked.error();
  }
  if (auto whole = require_weights(*model); !whole) {
    return whole.error();
  }
  llama_model* handle = model->impl().model.get();
  const Error no_chat{Kind::bad_request, model->name(),
                      "this is an encoder (" + model->architecture() + "), which cannot generate text",
                      "use it as an embedder, or pull a chat model: loam models list"};
  if (llama_model_has_encoder(handle) || !llama_model_has_decoder(handle)) {
    return no_chat;
  }
  const int trained = model->trained_context_tokens();
  if (options.context_tokens == 0 && trained == 0) {
    return Error{Kind::bad_request, model->name(), "the file does not say for which context it was trained",
                 "give the context in tokens"};
  }
  if (trained > 0 && (options.context_tokens == 0 || options.context_tokens > trained)) {
    if (options.context_tokens > trained) {
      logger.warning(model->name() + ": context of " + std::to_string(options.context_tokens) +
                     " tokens lowered to the " + std::to_string(trained) + " it was trained for");
    }
    options.context_tokens = trained;
  }
  options.batch_tokens = std::min(options.batch_tokens, options.context_tokens);
  options.micro_batch_tokens = std::min(options.micro_batch_tokens, options.batch_tokens);
  if (options.reuse == Reuse::exact) {
    options.batch_tokens = options.batch_tokens / options.micro_batch_tokens * options.micro_batch_tokens;
  }

  options.threads = free_threads(options.threads);
  auto impl = std::make_unique<Impl>();
  impl->model = std::move(model);
  impl->logger = &logger;
  impl->options = options;
  impl->threadpool = make_threadpool(options.threads);
  if (auto chosen = impl->choose_adapters(options.adapters); !chosen) {
    return chosen.error();
  }
  if (llama_get_memory(impl->set->writing.context.get()) == nullptr) {
    return no_chat;
  }
  return std::unique_ptr<LocalEngine>(new LocalEngine(std::move(impl)));
}

const std::string& LocalEngine::model_name() const { return impl_->set->name; }
int LocalEngine::context_tokens() const { return impl_->options.context_tokens; }
LocalModel& LocalEngine::model() { return *impl_->model; }
const LocalEngineOptions& LocalEngine::options() const { return impl_->options; }
const std::vector<Adapter>& LocalEngine::adapters() const { return impl_->set->wanted; }

Result<int> LocalEngine::count_tokens(std::string_view text) {
  auto tokens = impl_->model->encode(text, AddSpecial::no, ParseSpecial::no);
  if (!tokens) {
    return tokens.error();
  }
  return static_cast<int>(tokens->size());
}

Result<int> LocalEngine::count_tokens(const std::vector<Message>& messages) {
  auto tokens = prompt_tokens(messages);
  if (!tokens) {
    return tokens.error();
  }
  return static_cast<int>(tokens->size());
}

Result<std::string> LocalEngine::render(const std::vector<Message>& messages) {
  auto parts = impl_->render_parts(messages);
  if (!parts) {
    return parts.error();
  }
  std::string prompt;
  for (const PromptPart& part : *parts) {
    prompt += part.text;
  }
  return prompt;
}

Result<std::vector<Token>> LocalEngine::prompt_tokens(const std::vector<Message>& messages) {
  auto parts = impl_->render_parts(messages);
  if (!parts) {
    return parts.error();
  }
  LlamaLogScope log(*impl_->logger);
  return encode_parts(*impl_->model, *parts);
}

void LocalEngine::clear_cache() {
  for (const auto& set : impl_->sets) {
    set->writing.clear();
  }
  impl_->scoring.clear();
}

MemoryUse LocalEngine::memory() const {
  MemoryUse use;
  for (const auto& set : impl_->sets) {
    std::uint64_t weights = 0;
    for (const auto& [type, bytes] : llama_get_memory_breakdown(set->writing.context.get())) {
      weights += bytes.model;
      use.cache += bytes.context;
      use.compute += bytes.compute;
    }
    use.weights = weights;  // every context names the same ones
  }
  return use;
}

}  // namespace loam::engine
