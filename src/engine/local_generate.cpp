// LocalEngine's work: prompt in, answer out; and the scores of given tokens.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/clock.h"
#include "base/utf8.h"
#include "engine/local_engine.h"
#include "engine/local_engine_impl.h"
#include "engine/text_stream.h"
#include "engine/token_picker.h"

namespace loam::engine {
namespace {

constexpr std::size_t kMostStops = 64;
constexpr std::size_t kLongestStop = 4096;
constexpr std::size_t kScoreBufferBytes = std::size_t{32} << 20;  // logits held at once by for_each_logits
constexpr int kAborted = 2;                                       // llama_decode's code

Result<void> check_request(const GenerateRequest& request) {
  if (request.messages.empty() && request.raw_prompt.empty()) {
    return Error{Kind::bad_request, "prompt", "it is empty", "give a prompt or at least one message"};
  }
  if (request.max_tokens < 1) {
    return Error{Kind::bad_request, "max_tokens", "must be at least 1", "change the value"};
  }
  if (request.stop.size() > kMostStops) {
    return Error{Kind::bad_request, "stop",
                 "at most " + std::to_string(kMostStops) + " stop texts are accepted", "give fewer"};
  }
  for (const std::string& stop : request.stop) {
    if (stop.empty() || stop.size() > kLongestStop || !is_valid_utf8(stop)) {
      return Error{Kind::bad_request, "stop",
                   "a stop text must be valid UTF-8 of 1 to " + std::to_string(kLongestStop) + " bytes",
                   "change the value"};
    }
  }
  return done();
}

class Batch {
 public:
  explicit Batch(int capacity) : batch_(llama_batch_init(capacity, 0, 1)) {}
  ~Batch() { llama_batch_free(batch_); }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  void clear() { batch_.n_tokens = 0; }
  void add(Token token, std::size_t position, bool wants_logits) {
    const int i = batch_.n_tokens++;
    batch_.token[i] = token;
    batch_.pos[i] = static_cast<llama_pos>(position);
    batch_.n_seq_id[i] = 1;
    batch_.seq_id[i][0] = 0;
    batch_.logits[i] = wants_logits ? 1 : 0;
  }
  const llama_batch& get() const { return batch_; }

 private:
  llama_batch batch_;
};

}  // namespace

Result<Draft> LocalEngine::generate(const GenerateRequest& request, const TextSink& sink,
                                    std::stop_token stop) {
  const Stopwatch since_call;
  Impl& impl = *impl_;
  LlamaLogScope log(*impl.logger);
  if (auto checked = check_request(request); !checked) {
    return checked.error();
  }
  auto prompt = request.messages.empty()
                    ? impl.model->encode(request.raw_prompt, AddSpecial::yes, ParseSpecial::yes)
                    : prompt_tokens(request.messages);
  if (!prompt) {
    return prompt.error();
  }
  if (prompt->empty()) {
    return Error{Kind::bad_request, "prompt", "it has no tokens", "give a prompt"};
  }
  const auto context = static_cast<std::size_t>(impl.options.context_tokens);
  if (prompt->size() + static_cast<std::size_t>(request.max_tokens) > context) {
    return Error{Kind::out_of_room, impl.model->name(),
                 "prompt of " + std::to_string(prompt->size()) + " tokens and answer of up to " +
                     std::to_string(request.max_tokens) + " exceed the context of " + std::to_string(context),
                 "shorten the prompt, ask for fewer tokens, or open the model with a larger context"};
  }
  auto picker = TokenPicker::make(*impl.model, request, log);
  if (!picker) {
    return picker.error();
  }

  impl.abort = false;
  const std::stop_callback on_stop(stop, [&impl] { impl.abort = true; });
  Draft draft;
  draft.usage.prompt_tokens = static_cast<int>(prompt->size());

  // Prefill: what the cache holds stays, the rest is computed in batches.
  impl.truncate_cache(impl.reusable(*prompt));
  draft.usage.reused_tokens = static_cast<int>(impl.cached.size());
  Batch batch(impl.options.batch_tokens);
  const auto compute = [&](std::span<const Token> tokens, bool wants_logits) -> Result<bool> {
    const std::size_t start = impl.cached.size();
    batch.clear();
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      batch.add(tokens[i], start + i, wants_logits && i + 1 == tokens.size());
    }
    const int code = llama_decode(impl.context.get(), batch.get());
    if (code == 0) {
      impl.cached.insert(impl.cached.end(), tokens.begin(), tokens.end());
      return true;
    }
    // Micro-batches that were done before the failure are in llama.cpp's cache: none of them may stay.
    impl.cached.insert(impl.cached.end(), tokens.begin(), tokens.end());
    impl.truncate_cache(start);
    if (code == kAborted) {
      return false;
    }
    clear_cache();
    return impl.failed(log, code, "computing a batch failed");
  };
  const Stopwatch prefill;
  const std::span<const Token> all(*prompt);
  while (impl.cached.size() < all.size()) {
    if (stop.stop_requested()) {
      draft.finish = FinishReason::cancelled;
      return draft;
    }
    const std::size_t start = impl.cached.size();
    const std::size_t size =
        std::min(all.size() - start, static_cast<std::size_t>(impl.options.batch_tokens));
    auto computed = compute(all.subspan(start, size), start + size == all.size());
    if (!computed) {
      return computed.error();
    }
    if (!*computed) {
      draft.finish = FinishReason::cancelled;
      return draft;
    }
    const auto chunk = static_cast<std::size_t>(impl.options.micro_batch_tokens);
    if (start % chunk == 0 && impl.exact_tokens >= start) {
      impl.exact_tokens = (start + size) / chunk * chunk;
    }
  }
  llama_synchronize(impl.context.get());
  draft.usage.prefill_ms = prefill.milliseconds();

  const Stopwatch decode;
  const auto vocabulary_size = static_cast<std::size_t>(impl.model->vocabulary_size());
  TextStream stream(request.stop);
  const auto emit = [&](const std::string& text) {
    draft.text += text;
    return text.empty() || !sink || sink(text);
  };
  bool wanted = true;
  while (true) {
    const float* logits = llama_get_logits_ith(impl.context.get(), -1);
    if (logits == nullptr) {
      return impl.failed(log, 0, "there are no logits");
    }
    auto picked = picker->pick({logits, vocabulary_size});
    if (!picked) {
      return picked.error();
    }
    if (draft.usage.answer_tokens == 0) {
      draft.usage.first_token_ms = since_call.milliseconds();
    }
    const Token token = picked->token;
    if (llama_vocab_is_eog(impl.vocabulary(), token)) {
      draft.finish = FinishReason::stop;
      break;
    }
    ++draft.usage.answer_tokens;
    const std::string piece = piece_of(impl.vocabulary(), token, false);
    if (request.top_alternatives > 0) {
      draft.steps.push_back({token, piece, picked->probability, std::move(picked->alternatives)});
    }
    wanted = emit(stream.push(piece));
    if (stream.stopped()) {
      draft.finish = FinishReason::stop;
      break;
    }
    if (!wanted || stop.stop_requested()) {
      draft.finish = FinishReason::cancelled;
      break;
    }
    if (draft.usage.answer_tokens == request.max_tokens) {
      draft.finish = FinishReason::length;
      break;
    }
    auto computed = compute(std::span<const Token>(&token, 1), true);
    if (!computed) {
      return computed.error();
    }
    if (!*computed) {
      draft.finish = FinishReason::cancelled;
      break;
    }
  }
  if (wanted) {
    emit(stream.finish());
  }
  draft.usage.decode_ms = decode.milliseconds();
  return draft;
}

Result<void> LocalEngine::for_each_logits(
    std::span<const Token> tokens,
    const std::function<void(int position, std::span<const float> logits)>& each) {
  Impl& impl = *impl_;
  LlamaLogScope log(*impl.logger);
  if (tokens.empty()) {
    return done();
  }
  if (tokens.size() > static_cast<std::size_t>(impl.options.context_tokens)) {
    return Error{Kind::out_of_room, impl.model->name(),
                 std::to_string(tokens.size()) + " tokens exceed the context of " +
                     std::to_string(impl.options.context_tokens),
                 "score in parts, or open the model with a larger context"};
  }
  const auto vocabulary_size = static_cast<std::size_t>(impl.model->vocabulary_size());
  for (const Token token : tokens) {
    if (token < 0 || static_cast<std::size_t>(token) >= vocabulary_size) {
      return Error{Kind::bad_request, "token " + std::to_string(token),
                   "not in the vocabulary of " + model_name(), "encode the text with this model"};
    }
  }
  const std::size_t rows = std::clamp<std::size_t>(kScoreBufferBytes / (vocabulary_size * sizeof(float)), 1,
                                                   static_cast<std::size_t>(impl.options.batch_tokens));
  impl.abort = false;
  if (!impl.scoring) {
    const int size = static_cast<int>(rows);
    auto made = impl.make_context(impl.options.context_tokens, size, size, size);
    if (!made) {
      return made.error();
    }
    impl.scoring = *std::move(made);
  }
  llama_memory_clear(llama_get_memory(impl.scoring.get()), false);
  Batch batch(static_cast<int>(rows));
  for (std::size_t start = 0; start < tokens.size(); start += rows) {
    const std::size_t size = std::min(rows, tokens.size() - start);
    batch.clear();
    for (std::size_t i = 0; i < size; ++i) {
      batch.add(tokens[start + i], start + i, true);
    }
    const int code = llama_decode(impl.scoring.get(), batch.get());
    if (code != 0) {
      return impl.failed(log, code, "scoring failed");
    }
    for (std::size_t i = 0; i < size; ++i) {
      const float* logits = llama_get_logits_ith(impl.scoring.get(), static_cast<int>(i));
      if (logits == nullptr) {
        return impl.failed(log, 0, "there are no logits");
      }
      each(static_cast<int>(start + i), {logits, vocabulary_size});
    }
  }
  return done();
}

Result<Likelihood> LocalEngine::log_likelihood(std::string_view prompt, std::string_view continuation) {
  Impl& impl = *impl_;
  auto tokens = impl.model->encode(prompt, AddSpecial::yes, ParseSpecial::no);
  if (!tokens) {
    return tokens.error();
  }
  if (tokens->empty()) {
    const Token bos = llama_vocab_bos(impl.vocabulary());
    tokens->push_back(bos != LLAMA_TOKEN_NULL ? bos : llama_vocab_eos(impl.vocabulary()));
  }
  const std::size_t prompt_size = tokens->size();
  auto wanted = impl.model->encode(continuation, AddSpecial::no, ParseSpecial::no);
  if (!wanted) {
    return wanted.error();
  }
  if (wanted->empty()) {
    return Error{Kind::bad_request, "continuation", "it is empty", "give the text whose likelihood is asked"};
  }
  tokens->insert(tokens->end(), wanted->begin(), wanted->end());
  Likelihood likelihood;
  likelihood.tokens = static_cast<int>(wanted->size());
  auto scored = for_each_logits(*tokens, [&](int position, std::span<const float> logits) {
    const auto next = static_cast<std::size_t>(position) + 1;
    if (next >= prompt_size && next < tokens->size()) {
      const auto token = static_cast<std::size_t>((*tokens)[next]);
      likelihood.log_probability += static_cast<double>(logits[token]) - log_sum_exp(logits);
    }
  });
  if (!scored) {
    return scored.error();
  }
  return likelihood;
}

}  // namespace loam::engine
