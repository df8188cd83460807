// LocalEngine's work: prompt in, answer out.
#include <algorithm>

#include "base/clock.h"
#include "base/utf8.h"
#include "engine/local_engine.h"
#include "engine/local_engine_impl.h"
#include "engine/text_stream.h"
#include "engine/token_batch.h"
#include "engine/token_picker.h"

namespace loam::engine {
namespace {

constexpr std::size_t kMostStops = 64;
constexpr std::size_t kLongestStop = 4096;

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

}  // namespace

Result<bool> LocalEngine::Impl::append(ReadContext& to, std::span<const Token> tokens, bool wants_logits,
                                       const LlamaLogScope& log) {
  const std::size_t start = to.tokens.size();
  TokenBatch batch(static_cast<int>(tokens.size()));
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    batch.add(tokens[i], start + i, wants_logits && i + 1 == tokens.size());
  }
  const int code = llama_decode(to.context.get(), batch.get());
  to.tokens.insert(to.tokens.end(), tokens.begin(), tokens.end());
  if (code == 0) {
    return true;
  }
  // Micro-batches that were done before the failure are in llama.cpp's cache: none of them may stay.
  to.truncate(start);
  if (code == kAborted) {
    return false;
  }
  to.clear();
  return failed(log, code, "computing a batch failed");
}

Result<bool> LocalEngine::Impl::read_prompt(ReadContext& to, const std::vector<Token>& prompt, int& reused,
                                            const std::stop_token& stop, const LlamaLogScope& log) {
  to.truncate(to.reusable(prompt, options));
  reused = static_cast<int>(to.tokens.size());
  const std::span<const Token> all(prompt);
  const auto chunk = static_cast<std::size_t>(options.micro_batch_tokens);
  while (to.tokens.size() < all.size()) {
    if (stop.stop_requested()) {
      return false;
    }
    const std::size_t start = to.tokens.size();
    const std::size_t size = std::min(all.size() - start, static_cast<std::size_t>(options.batch_tokens));
    auto computed = append(to, all.subspan(start, size), start + size == all.size(), log);
    if (!computed || !*computed) {
      return computed;
    }
    if (start % chunk == 0 && to.exact_tokens >= start) {
      to.exact_tokens = (start + size) / chunk * chunk;
    }
  }
  llama_synchronize(to.context.get());
  return true;
}

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
  const AbortOn abort_on(stop, impl.abort);
  Draft draft;
  draft.usage.prompt_tokens = static_cast<int>(prompt->size());
  const Stopwatch prefill;
  auto read = impl.read_prompt(impl.set->writing, *prompt, draft.usage.reused_tokens, stop, log);
  if (!read) {
    return read.error();
  }
  if (!*read) {
    draft.finish = FinishReason::cancelled;
    return draft;
  }
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
    const float* logits = llama_get_logits_ith(impl.set->writing.context.get(), -1);
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
    auto computed = impl.append(impl.set->writing, std::span<const Token>(&token, 1), true, log);
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

}  // namespace loam::engine
