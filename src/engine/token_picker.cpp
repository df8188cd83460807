#include "engine/token_picker.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/constraint.h"
#include "engine/local_engine_impl.h"

namespace loam::engine {
namespace {

constexpr int kMostAlternatives = 10000;

Error out_of_range(std::string name, std::string range) {
  return Error{Kind::bad_request, std::move(name), "must be " + std::move(range), "change the value"};
}

Result<void> check_numbers(const GenerateRequest& request) {
  const Sampling& sampling = request.sampling;
  if (!std::isfinite(sampling.temperature) || sampling.temperature < 0 || sampling.temperature > 100) {
    return out_of_range("temperature", "a number from 0 to 100");
  }
  if (sampling.top_k < 0) {
    return out_of_range("top_k", "0 (off) or more");
  }
  if (!(sampling.top_p > 0 && sampling.top_p <= 1)) {
    return out_of_range("top_p", "above 0 and at most 1");
  }
  if (!(sampling.min_p >= 0 && sampling.min_p <= 1)) {
    return out_of_range("min_p", "from 0 to 1");
  }
  if (!(sampling.repeat_penalty > 0 && sampling.repeat_penalty <= 100)) {
    return out_of_range("repeat_penalty", "above 0 and at most 100");
  }
  if (request.top_alternatives < 0 || request.top_alternatives > kMostAlternatives) {
    return out_of_range("top_alternatives", "from 0 to " + std::to_string(kMostAlternatives));
  }
  return done();
}

Result<std::string> grammar_of(const GenerateRequest& request) {
  if (!request.grammar.empty() && !request.json_schema.empty()) {
    return Error{Kind::bad_request, "grammar", "grammar and json_schema cannot be given together",
                 "keep one of them"};
  }
  if (!request.json_schema.empty()) {
    return grammar_of_schema(request.json_schema);
  }
  if (!request.grammar.empty()) {
    if (auto checked = check_grammar(request.grammar); !checked) {
      return checked.error();
    }
  }
  return request.grammar;
}

Result<llama_sampler_ptr> make_grammar(const llama_vocab* vocabulary, const std::string& grammar,
                                       const LlamaLogScope& log) {
  std::string why;
  try {
    llama_sampler_ptr sampler(llama_sampler_init_grammar(vocabulary, grammar.c_str(), "root"));
    if (sampler) {
      return sampler;
    }
    why = log.last_error("llama.cpp cannot read it");
  } catch (const std::exception& failure) {
    why = failure.what();
  }
  return Error{Kind::bad_request, "grammar", why.substr(0, why.find('\n')),
               "see llama.cpp's grammars/README.md for the notation"};
}

}  // namespace

double log_sum_exp(std::span<const float> logits) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) {
    sum += std::exp(static_cast<double>(logit) - top);
  }
  return top + std::log(sum);
}

Result<TokenPicker> TokenPicker::make(const LocalModel& model, const GenerateRequest& request,
                                      const LlamaLogScope& log) {
  if (auto checked = check_numbers(request); !checked) {
    return checked.error();
  }
  auto grammar = grammar_of(request);
  if (!grammar) {
    return grammar.error();
  }
  TokenPicker picker;
  picker.vocabulary_ = model.impl().vocabulary;
  picker.top_alternatives_ = std::min(request.top_alternatives, model.vocabulary_size());
  std::int32_t suppressed_count = 0;
  const Token* suppressed = llama_vocab_get_suppress_tokens(picker.vocabulary_, &suppressed_count);
  if (suppressed != nullptr) {
    picker.suppressed_.assign(suppressed, suppressed + suppressed_count);
  }
  if (!grammar->empty()) {
    auto sampler = make_grammar(picker.vocabulary_, *grammar, log);
    if (!sampler) {
      return sampler.error();
    }
    picker.grammar_ = *std::move(sampler);
  }

  const Sampling& sampling = request.sampling;
  picker.greedy_ = sampling.temperature == 0;
  const bool penalised = sampling.repeat_penalty != 1.0F;
  if (!picker.greedy_ || penalised || picker.grammar_) {
    llama_sampler_chain_params params = llama_sampler_chain_default_params();
    params.no_perf = true;
    picker.chain_.reset(llama_sampler_chain_init(params));
    llama_sampler* chain = picker.chain_.get();
    if (penalised) {
      llama_sampler_chain_add(chain, llama_sampler_init_penalties(model.vocabulary_size(), kPenaltyWindow,
                                                                  sampling.repeat_penalty, 0.0F, 0.0F));
    }
    if (picker.greedy_) {
      llama_sampler_chain_add(chain, llama_sampler_init_greedy());
    } else {
      if (sampling.top_k > 0) {
        llama_sampler_chain_add(chain, llama_sampler_init_top_k(sampling.top_k));
      }
      if (sampling.top_p < 1) {
        llama_sampler_chain_add(chain, llama_sampler_init_top_p(sampling.top_p, 1));
      }
      if (sampling.min_p > 0) {
        llama_sampler_chain_add(chain, llama_sampler_init_min_p(sampling.min_p, 1));
      }
      llama_sampler_chain_add(chain, llama_sampler_init_temp(sampling.temperature));
      // llama.cpp reads this one seed as "a random one": our seeds always repeat.
      const std::uint32_t seed = sampling.seed == LLAMA_DEFAULT_SEED ? 0x10A3U : sampling.seed;
      llama_sampler_chain_add(chain, llama_sampler_init_dist(seed));
    }
  }
  return picker;
}

Token TokenPicker::greedy(std::span<const float> logits) const {
  const auto best = std::max_element(logits.begin(), logits.end());
  const auto token = static_cast<Token>(best - logits.begin());
  if (std::find(suppressed_.begin(), suppressed_.end(), token) == suppressed_.end()) {
    return token;
  }
  std::vector<float> allowed(logits.begin(), logits.end());
  for (const Token forbidden : suppressed_) {
    allowed[static_cast<std::size_t>(forbidden)] = -std::numeric_limits<float>::infinity();
  }
  return static_cast<Token>(std::max_element(allowed.begin(), allowed.end()) - allowed.begin());
}

void TokenPicker::fill(std::span<const float> logits) {
  candidates_.resize(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    candidates_[i] = {static_cast<Token>(i), logits[i], 0.0F};
  }
  for (const Token forbidden : suppressed_) {
    candidates_[static_cast<std::size_t>(forbidden)].logit = -std::numeric_limits<float>::infinity();
  }
}

bool TokenPicker::grammar_allows(Token token) {
  llama_token_data one{token, 1.0F, 0.0F};
  llama_token_data_array array{&one, 1, -1, false};
  llama_sampler_apply(grammar_.get(), &array);
  return one.logit != -std::numeric_limits<float>::infinity();
}

Result<Token> TokenPicker::sampled(std::span<const float> logits, bool grammar_first) {
  fill(logits);
  llama_token_data_array array{candidates_.data(), candidates_.size(), -1, false};
  if (grammar_first) {
    llama_sampler_apply(grammar_.get(), &array);
    const bool any = std::any_of(array.data, array.data + array.size, [](const llama_token_data& candidate) {
      return candidate.logit > -std::numeric_limits<float>::infinity();
    });
    if (!any) {
      return Error{Kind::bad_request, "grammar", "no token of this model can continue the text",
                   "check the grammar for rules that lead nowhere"};
    }
  }
  llama_sampler_apply(chain_.get(), &array);
  if (array.selected < 0) {
    return Error{Kind::our_bug, "sampling", "no token was chosen", ""};
  }
  return array.data[array.selected].id;
}

Result<TokenPicker::Pick> TokenPicker::pick(std::span<const float> logits) {
  Pick pick;
  try {
    if (!chain_) {
      pick.token = greedy(logits);
    } else {
      // The grammar looks at one token first: checking the whole vocabulary costs far more, and is seldom
      // needed.
      auto token = sampled(logits, false);
      if (token && grammar_ && !grammar_allows(*token)) {
        token = sampled(logits, true);
      }
      if (!token) {
        return token.error();
      }
      pick.token = *token;
      llama_sampler_accept(chain_.get(), pick.token);
      if (grammar_) {
        llama_sampler_accept(grammar_.get(), pick.token);
      }
    }
  } catch (const std::exception& failure) {
    return Error{Kind::bad_request, "grammar", failure.what(),
                 "check the grammar for rules that lead nowhere"};
  }
  if (top_alternatives_ > 0) {
    report(logits, pick);
  }
  return pick;
}

void TokenPicker::report(std::span<const float> logits, Pick& pick) const {
  const double total = log_sum_exp(logits);
  const auto probability = [&](Token token) {
    return static_cast<float>(std::exp(static_cast<double>(logits[static_cast<std::size_t>(token)]) - total));
  };
  std::vector<Token> order(logits.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = static_cast<Token>(i);
  }
  std::partial_sort(order.begin(), order.begin() + top_alternatives_, order.end(), [&](Token a, Token b) {
    const float left = logits[static_cast<std::size_t>(a)];
    const float right = logits[static_cast<std::size_t>(b)];
    return left != right ? left > right : a < b;
  });
  order.resize(static_cast<std::size_t>(top_alternatives_));
  for (const Token token : order) {
    pick.alternatives.push_back({token, piece_of(vocabulary_, token, true), probability(token)});
  }
  pick.probability = probability(pick.token);
}

}  // namespace loam::engine
