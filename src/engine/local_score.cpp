// LocalEngine's other work: how likely are given tokens?
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/utf8.h"
#include "engine/local_engine.h"
#include "engine/local_engine_impl.h"
#include "engine/token_batch.h"

namespace loam::engine {
namespace {

constexpr std::size_t kScoreBufferBytes = std::size_t{32} << 20;  // logits held at once
// Continuations that branch off the prompt at the same time. llama.cpp keeps room for one row of logits each.
constexpr int kMostBranches = 63;

/// Where the white space at the end begins: what Python's str.rstrip() would cut, since that is what
/// lm-evaluation-harness calls.
std::size_t trailing_space(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0) {
    std::size_t start = end - 1;
    while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xC0U) == 0x80U) --start;
    const CodePoint last = decode_utf8(text.substr(start, end - start));
    const bool separator = last.value >= 0x1C && last.value <= 0x1F;  // white space to Python alone
    if (!last.valid || (!is_space(last.value) && !separator)) break;
    end = start;
  }
  return end;
}

/// What is read and what is looked up.
struct ScoreTokens {
  std::vector<Token> prompt;
  std::vector<std::vector<Token>> continuations;
};

/// What a row of logits says of one next token.
struct Row {
  double log_normaliser = 0;
  Token best = 0;
  std::span<const float> logits;

  explicit Row(std::span<const float> row)
      : log_normaliser(log_sum_exp(row)),
        best(static_cast<Token>(std::max_element(row.begin(), row.end()) - row.begin())),
        logits(row) {}
  void add_to(ContinuationScore& score, Token next) const {
    score.log_probability += static_cast<double>(logits[static_cast<std::size_t>(next)]) - log_normaliser;
    score.greedy = score.greedy && next == best;
  }
};

/// One computed token: shared by all continuations of a group that have it, and everything before it, in
/// common.
struct Branch {
  Token token = 0;
  std::size_t depth = 0;                ///< 0: right after the prompt
  std::vector<llama_seq_id> sequences;  ///< of the continuations that go through here; 1-based in the group
};

/// Continuations that branch off the prompt together, with the tree of what must be computed for them.
struct Group {
  std::vector<std::size_t> members;  ///< indexes of continuations; member i is sequence i + 1
  std::vector<Branch> branches;      ///< each after the one it follows

  /// `order` is sorted by tokens, so that what continuations share lies side by side. Takes members from its
  /// front as long as there are sequences and `room` for computed tokens; at least one.
  static Group take(const ScoreTokens& tokens, std::span<const std::size_t>& order, std::size_t room) {
    Group group;
    std::vector<std::size_t> path;  // branches of the member before, by depth
    while (!order.empty() && group.members.size() < static_cast<std::size_t>(kMostBranches)) {
      const std::vector<Token>& now = tokens.continuations[order.front()];
      std::size_t shared = 0;
      if (!group.members.empty()) {
        const std::vector<Token>& before = tokens.continuations[group.members.back()];
        const auto common = std::mismatch(now.begin(), now.end(), before.begin(), before.end());
        shared =
            std::min({static_cast<std::size_t>(common.first - now.begin()), path.size(), now.size() - 1});
      }
      const std::size_t fresh = now.size() - 1 - shared;  // the last token is looked up, never computed
      if (!group.members.empty() && group.branches.size() + fresh > room) break;
      group.members.push_back(order.front());
      order = order.subspan(1);
      path.resize(shared);
      for (std::size_t depth = shared; depth + 1 < now.size(); ++depth) {
        path.push_back(group.branches.size());
        group.branches.push_back({now[depth], depth, {}});
      }
      for (const std::size_t branch : path)
        group.branches[branch].sequences.push_back(static_cast<llama_seq_id>(group.members.size()));
    }
    return group;
  }
};

Error no_logits(const std::string& model) {
  return Error{Kind::our_bug, model, "there are no logits", "report it with the model's name"};
}

}  // namespace

std::size_t LocalEngine::Impl::most_rows() const {
  const auto width = static_cast<std::size_t>(std::max(1, model->vocabulary_size()));
  return std::clamp<std::size_t>(kScoreBufferBytes / (width * sizeof(float)), 1,
                                 static_cast<std::size_t>(options.batch_tokens));
}

bool LocalEngine::Impl::can_branch() const {
  const llama_model* handle = model->impl().model.get();
  return !llama_model_is_recurrent(handle) && !llama_model_is_hybrid(handle);
}

Result<void> LocalEngine::Impl::open_scoring() {
  if (scoring.context) {
    return done();
  }
  const int sequences = can_branch() ? kMostBranches + 1 : 1;
  const int rows =
      std::max(static_cast<int>(most_rows()), sequences);  // llama.cpp keeps a row for each sequence
  auto made =
      make_context(options.context_tokens, options.batch_tokens, options.micro_batch_tokens, rows, sequences);
  if (!made) {
    return made.error();
  }
  if (auto applied = apply(*set, made->get()); !applied) {
    return applied;
  }
  scoring.context = *std::move(made);
  scoring.clear();
  return done();
}

Token LocalEngine::first_token() const {
  const Token bos = llama_vocab_bos(impl_->vocabulary());
  return bos != LLAMA_TOKEN_NULL ? bos : llama_vocab_eos(impl_->vocabulary());
}

Result<void> LocalEngine::for_each_logits(
    std::span<const Token> tokens,
    const std::function<void(int position, std::span<const float> logits)>& each, int first,
    std::stop_token stop) {
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
  if (auto opened = impl.open_scoring(); !opened) {
    return opened;
  }
  impl.abort = false;
  const AbortOn abort_on(stop, impl.abort);
  impl.scoring.clear();
  llama_context* context = impl.scoring.context.get();
  const auto wanted_from = static_cast<std::size_t>(std::clamp(first, 0, static_cast<int>(tokens.size())));
  TokenBatch batch(impl.options.batch_tokens);
  for (std::size_t start = 0; start < tokens.size();) {
    const bool wanted = start >= wanted_from;
    const std::size_t most = wanted ? impl.most_rows() : static_cast<std::size_t>(impl.options.batch_tokens);
    const std::size_t size = std::min(most, (wanted ? tokens.size() : wanted_from) - start);
    batch.clear();
    for (std::size_t i = 0; i < size; ++i) {
      batch.add(tokens[start + i], start + i, wanted);
    }
    const int code = stop.stop_requested() ? kAborted : llama_decode(context, batch.get());
    if (code == kAborted) {
      impl.scoring.clear();
      return impl.stopped("scoring");
    }
    if (code != 0) {
      impl.scoring.clear();
      return impl.failed(log, code, "scoring failed");
    }
    for (std::size_t i = 0; wanted && i < size; ++i) {
      const float* logits = llama_get_logits_ith(context, static_cast<int>(i));
      if (logits == nullptr) {
        return no_logits(model_name());
      }
      each(static_cast<int>(start + i), {logits, vocabulary_size});
    }
    start += size;
  }
  // What was read here is not offered for reuse: it was cut into other batches than a prompt is.
  impl.scoring.clear();
  return done();
}

namespace {

/// Prompt and continuations as tokens, by the rule in engine.h.
Result<ScoreTokens> tokens_of(const LocalModel& model, std::vector<PromptPart> prompt,
                              const std::string& tail, const std::vector<std::string>& continuations,
                              Token first_token) {
  ScoreTokens tokens;
  auto alone = encode_parts(model, prompt);
  if (!alone) {
    return alone.error();
  }
  tokens.prompt = *std::move(alone);
  const bool from_nothing = tokens.prompt.empty();
  if (from_nothing) {
    tokens.prompt.push_back(first_token);
  }
  prompt.push_back({"", true});
  for (std::size_t i = 0; i < continuations.size(); ++i) {
    const std::string place = "continuation " + std::to_string(i + 1);
    if (continuations[i].empty()) {
      return Error{Kind::bad_request, place, "it is empty", "give the text whose likelihood is asked"};
    }
    if (!is_valid_utf8(continuations[i])) {
      return Error{Kind::bad_request, place, "not valid UTF-8", "convert the text to UTF-8"};
    }
    prompt.back().text = tail + continuations[i];
    auto whole = encode_parts(model, prompt);
    if (!whole) {
      return whole.error();
    }
    const std::size_t cut = from_nothing ? 0 : tokens.prompt.size();
    if (whole->size() > cut) {
      whole->erase(whole->begin(), whole->begin() + static_cast<std::ptrdiff_t>(cut));
    } else {
      whole = model.encode(prompt.back().text, AddSpecial::no, ParseSpecial::no);
      if (!whole) {
        return whole.error();
      }
    }
    if (whole->empty()) {
      return Error{Kind::bad_request, place, "it has no tokens", "give the text whose likelihood is asked"};
    }
    tokens.continuations.push_back(*std::move(whole));
  }
  return tokens;
}

}  // namespace

Result<std::vector<ContinuationScore>> LocalEngine::score(const ScoreRequest& request, std::stop_token stop) {
  Impl& impl = *impl_;
  LlamaLogScope log(*impl.logger);
  std::vector<PromptPart> parts;
  std::string tail;
  if (!request.messages.empty()) {
    auto rendered = impl.render_parts(request.messages);
    if (!rendered) {
      return rendered.error();
    }
    parts = *std::move(rendered);
  } else {
    if (!is_valid_utf8(request.raw_prompt)) {
      return Error{Kind::bad_request, "prompt", "not valid UTF-8", "convert the text to UTF-8"};
    }
    const std::size_t end = trailing_space(request.raw_prompt);
    tail = request.raw_prompt.substr(end);
    parts.push_back({request.raw_prompt.substr(0, end), false});
  }
  const auto tokens = tokens_of(*impl.model, std::move(parts), tail, request.continuations, first_token());
  if (!tokens) {
    return tokens.error();
  }
  const auto context_size = static_cast<std::size_t>(impl.options.context_tokens);
  for (std::size_t i = 0; i < tokens->continuations.size(); ++i) {
    const std::size_t size = tokens->continuations[i].size();
    if (tokens->prompt.size() + size - 1 > context_size) {
      return Error{Kind::out_of_room, impl.model->name(),
                   "prompt of " + std::to_string(tokens->prompt.size()) + " tokens and continuation " +
                       std::to_string(i + 1) + " of " + std::to_string(size) + " exceed the context of " +
                       std::to_string(context_size),
                   "shorten the prompt, or open the model with a larger context"};
    }
  }
  std::vector<ContinuationScore> scores(tokens->continuations.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    scores[i].tokens = static_cast<int>(tokens->continuations[i].size());
    scores[i].greedy = true;
  }
  if (scores.empty()) {
    return scores;
  }
  if (!impl.can_branch()) {
    for (std::size_t i = 0; i < scores.size(); ++i) {
      std::vector<Token> whole = tokens->prompt;
      const std::vector<Token>& now = tokens->continuations[i];
      whole.insert(whole.end(), now.begin(), now.end() - 1);
      const auto first = static_cast<int>(tokens->prompt.size()) - 1;
      auto read = for_each_logits(
          whole,
          [&](int position, std::span<const float> logits) {
            Row(logits).add_to(scores[i], now[static_cast<std::size_t>(position - first)]);
          },
          first, stop);
      if (!read) {
        return read.error();
      }
    }
    return scores;
  }

  if (auto opened = impl.open_scoring(); !opened) {
    return opened.error();
  }
  impl.abort = false;
  const AbortOn abort_on(stop, impl.abort);
  ReadContext& reading = impl.scoring;
  int reused = 0;
  auto read = impl.read_prompt(reading, tokens->prompt, reused, stop, log);
  if (!read) {
    return read.error();
  }
  if (!*read) {
    return impl.stopped("scoring");
  }
  llama_context* context = reading.context.get();
  const auto vocabulary_size = static_cast<std::size_t>(impl.model->vocabulary_size());
  const float* after_prompt = llama_get_logits_ith(context, -1);
  if (after_prompt == nullptr) {
    return no_logits(model_name());
  }
  const Row prompt_row({after_prompt, vocabulary_size});
  for (std::size_t i = 0; i < scores.size(); ++i) {
    prompt_row.add_to(scores[i], tokens->continuations[i].front());
  }

  std::vector<std::size_t> sorted(scores.size());
  std::iota(sorted.begin(), sorted.end(), std::size_t{0});
  std::sort(sorted.begin(), sorted.end(), [&](std::size_t a, std::size_t b) {
    return tokens->continuations[a] < tokens->continuations[b];
  });
  const std::size_t rows = impl.most_rows();
  TokenBatch batch(static_cast<int>(rows), kMostBranches);
  llama_memory_t memory = llama_get_memory(context);
  for (std::span<const std::size_t> order(sorted); !order.empty();) {
    const Group group = Group::take(*tokens, order, context_size - tokens->prompt.size());
    if (group.branches.empty()) {
      continue;  // all of them are one token: the prompt has told
    }
    const auto sequences = static_cast<llama_seq_id>(group.members.size());
    for (llama_seq_id sequence = 1; sequence <= sequences; ++sequence) {
      llama_memory_seq_cp(memory, 0, sequence, -1, -1);
    }
    for (std::size_t start = 0; start < group.branches.size(); start += rows) {
      const std::size_t size = std::min(rows, group.branches.size() - start);
      batch.clear();
      for (std::size_t i = start; i < start + size; ++i) {
        const Branch& branch = group.branches[i];
        batch.add(branch.token, tokens->prompt.size() + branch.depth, branch.sequences, true);
      }
      const int code = stop.stop_requested() ? kAborted : llama_decode(context, batch.get());
      if (code != 0) {
        reading.clear();
        return code == kAborted ? impl.stopped("scoring") : impl.failed(log, code, "scoring failed");
      }
      for (std::size_t i = 0; i < size; ++i) {
        const float* logits = llama_get_logits_ith(context, static_cast<int>(i));
        if (logits == nullptr) {
          reading.clear();
          return no_logits(model_name());
        }
        const Row row({logits, vocabulary_size});
        const Branch& branch = group.branches[start + i];
        for (const llama_seq_id sequence : branch.sequences) {
          const std::size_t member = group.members[static_cast<std::size_t>(sequence) - 1];
          row.add_to(scores[member], tokens->continuations[member][branch.depth + 1]);
        }
      }
    }
    for (llama_seq_id sequence = 1; sequence <= sequences; ++sequence) {
      llama_memory_seq_rm(memory, sequence, -1, -1);
    }
  }
  return scores;
}

}  // namespace loam::engine
