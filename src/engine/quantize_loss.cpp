// Perplexity and Kullback-Leibler divergence of one model against another, over the same tokens.
#include <algorithm>
#include <cmath>

#include "engine/local_engine.h"
#include "engine/local_engine_impl.h"
#include "engine/quantize.h"

namespace loam::engine {
namespace {

constexpr std::string_view kText =
#include "loss_text.inc"
    ;

constexpr std::size_t kLogitBytes = 128ULL << 20U;  // kept of the source model at a time
constexpr int kLongestChunk = 512;
constexpr int kShortestChunk = 32;

std::size_t most_likely(std::span<const float> logits) {
  return static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

struct Sums {
  double loss_source = 0, loss = 0, kl = 0, kl_squared = 0;
  int positions = 0, agree = 0;
};

Result<std::unique_ptr<LocalEngine>> open_for_scoring(const std::filesystem::path& gguf, int chunk,
                                                      std::size_t width, int threads,
                                                      const std::vector<Adapter>& adapters = {}) {
  LocalEngineOptions options;
  options.adapters = adapters;
  options.context_tokens = chunk + 8;
  options.threads = threads;
  auto engine = LocalEngine::open(gguf, options);
  if (engine && (*engine)->model().vocabulary_size() != static_cast<int>(width)) {
    return Error{Kind::bad_request, gguf.string(), "the two models have different vocabularies",
                 "compare forms of one model"};
  }
  return engine;
}

/// What is scored, and in which pieces.
struct Plan {
  std::vector<Token> tokens;
  std::size_t width = 0;  ///< of the vocabulary
  int chunk = 0;

  std::vector<std::span<const Token>> parts() const {
    std::vector<std::span<const Token>> found;
    for (std::size_t start = 0; start + static_cast<std::size_t>(kShortestChunk) <= tokens.size();
         start += static_cast<std::size_t>(chunk)) {
      found.emplace_back(tokens.data() + start,
                         std::min(static_cast<std::size_t>(chunk), tokens.size() - start));
    }
    return found;
  }
};

Result<Plan> plan_scoring(const std::filesystem::path& source, std::string_view text, int max_tokens) {
  if (text.empty()) text = kText;
  LocalModelOptions vocabulary_only;
  vocabulary_only.load = Load::vocabulary_only;
  const auto vocabulary = LocalModel::open(source, vocabulary_only);
  if (!vocabulary) return vocabulary.error();
  auto tokens = (*vocabulary)->encode(text, AddSpecial::yes, ParseSpecial::no);
  if (!tokens) return tokens.error();
  Plan plan;
  plan.tokens = *std::move(tokens);
  if (max_tokens > 0 && plan.tokens.size() > static_cast<std::size_t>(max_tokens))
    plan.tokens.resize(static_cast<std::size_t>(max_tokens));
  if (plan.tokens.size() < static_cast<std::size_t>(kShortestChunk)) {
    return Error{Kind::bad_request, "text",
                 "the text has only " + std::to_string(plan.tokens.size()) + " tokens, " +
                     std::to_string(kShortestChunk) + " are needed",
                 "use a longer text"};
  }
  plan.width = static_cast<std::size_t>(std::max(1, (*vocabulary)->vocabulary_size()));
  const int trained = std::max(kShortestChunk, (*vocabulary)->trained_context_tokens() - 8);
  plan.chunk = std::min({static_cast<int>(std::clamp<std::size_t>(kLogitBytes / (plan.width * sizeof(float)),
                                                                  kShortestChunk, kLongestChunk)),
                         trained});
  return plan;
}

/// All logits of one part, (tokens, vocabulary) row-major.
Result<std::vector<float>> logits_of(LocalEngine& engine, std::span<const Token> part, std::size_t width) {
  std::vector<float> kept(part.size() * width);
  auto read = engine.for_each_logits(part, [&](int position, std::span<const float> logits) {
    std::copy(logits.begin(), logits.end(),
              kept.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(position) * width));
  });
  if (!read) return read.error();
  return kept;
}

/// Scores one part of the model against the source's logits of it.
Result<void> compare(LocalEngine& engine, std::span<const Token> part, const std::vector<float>& source,
                     std::size_t width, Sums& sums) {
  // The first tokens of a piece have no context to speak of; an eighth of it is not scored.
  const int skip = static_cast<int>(part.size() / 8);
  return engine.for_each_logits(part, [&](int position, std::span<const float> logits) {
    const auto at = static_cast<std::size_t>(position);
    if (position < skip || at + 1 >= part.size()) return;
    const std::span<const float> reference(source.data() + at * width, width);
    const double norm_p = log_sum_exp(reference);
    const double norm_q = log_sum_exp(logits);
    double kl = 0;
    for (std::size_t i = 0; i < width; ++i) {
      const double log_p = static_cast<double>(reference[i]) - norm_p;
      if (log_p > -40.0) kl += std::exp(log_p) * (log_p - (static_cast<double>(logits[i]) - norm_q));
    }
    const auto next = static_cast<std::size_t>(part[at + 1]);
    sums.loss_source += norm_p - static_cast<double>(reference[next]);
    sums.loss += norm_q - static_cast<double>(logits[next]);
    kl = std::max(0.0, kl);
    sums.kl += kl;
    sums.kl_squared += kl * kl;
    sums.agree += most_likely(reference) == most_likely(logits) ? 1 : 0;
    ++sums.positions;
  });
}

LossReport report_of(const Sums& sums) {
  const double n = std::max(1, sums.positions);
  LossReport report;
  report.tokens = sums.positions;
  report.perplexity_source = std::exp(sums.loss_source / n);
  report.perplexity = std::exp(sums.loss / n);
  report.mean_kl = sums.kl / n;
  report.mean_kl_standard_error =
      std::sqrt(std::max(0.0, sums.kl_squared / n - report.mean_kl * report.mean_kl) / n);
  report.top1_agreement = sums.agree / n;
  return report;
}

}  // namespace

std::string_view loss_text() { return kText; }

Result<LossReport> measure_loss(const std::filesystem::path& source, const std::filesystem::path& model,
                                std::string_view text, int max_tokens, int threads,
                                const ProgressSink& progress) {
  return measure_loss(source, {}, model, text, max_tokens, threads, progress);
}

Result<LossReport> measure_loss(const std::filesystem::path& source, const std::vector<Adapter>& adapters,
                                const std::filesystem::path& model, std::string_view text, int max_tokens,
                                int threads, const ProgressSink& progress) {
  const auto plan = plan_scoring(source, text, max_tokens);
  if (!plan) return plan.error();
  const auto first = open_for_scoring(source, plan->chunk, plan->width, threads, adapters);
  if (!first) return first.error();
  const auto second = open_for_scoring(model, plan->chunk, plan->width, threads);
  if (!second) return second.error();
  Sums sums;
  std::size_t scored = 0;
  for (const std::span<const Token> part : plan->parts()) {
    const auto logits = logits_of(**first, part, plan->width);
    if (!logits) return logits.error();
    if (auto compared = compare(**second, part, *logits, plan->width, sums); !compared)
      return compared.error();
    scored += part.size();
    if (progress) progress({"measuring the loss", scored, plan->tokens.size()});
  }
  return report_of(sums);
}

Result<std::vector<LossReport>> measure_losses(const std::filesystem::path& source,
                                               const std::vector<std::filesystem::path>& models,
                                               int max_tokens, int threads, const ProgressSink& progress) {
  const auto plan = plan_scoring(source, {}, max_tokens);
  if (!plan) return plan.error();
  const auto parts = plan->parts();
  std::vector<std::vector<float>> kept;
  {
    const auto engine = open_for_scoring(source, plan->chunk, plan->width, threads);
    if (!engine) return engine.error();
    for (const std::span<const Token> part : parts) {
      auto logits = logits_of(**engine, part, plan->width);
      if (!logits) return logits.error();
      kept.push_back(*std::move(logits));
    }
  }
  std::vector<LossReport> reports;
  for (const std::filesystem::path& model : models) {
    if (progress) progress({"measuring the loss", reports.size(), models.size()});
    const auto engine = open_for_scoring(model, plan->chunk, plan->width, threads);
    if (!engine) return engine.error();
    Sums sums;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (auto compared = compare(**engine, parts[i], kept[i], plan->width, sums); !compared)
        return compared.error();
    }
    reports.push_back(report_of(sums));
  }
  return reports;
}

}  // namespace loam::engine
