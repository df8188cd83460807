// Perplexity and Kullback-Leibler divergence of one model against another, over the same tokens.
#include <algorithm>
#include <cmath>

#include "engine/local_engine.h"
#include "engine/quantize.h"

namespace loam::engine {
namespace {

constexpr std::string_view kText =
#include "loss_text.inc"
    ;

constexpr std::size_t kLogitBytes = 128ULL << 20U;  // kept of the source model at a time
constexpr int kLongestChunk = 512;
constexpr int kShortestChunk = 32;

/// log(sum(exp(logits))), stably.
double log_normaliser(std::span<const float> logits) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - top);
  return top + std::log(sum);
}

std::size_t most_likely(std::span<const float> logits) {
  return static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

Result<std::unique_ptr<LocalEngine>> open_for_scoring(const std::filesystem::path& gguf, int chunk,
                                                      int threads) {
  LocalEngineOptions options;
  options.context_tokens = chunk + 8;
  options.threads = threads;
  return LocalEngine::open(gguf, options);
}

struct Sums {
  double loss_source = 0, loss = 0, kl = 0, kl_squared = 0;
  int positions = 0, agree = 0;
};

}  // namespace

std::string_view loss_text() { return kText; }

Result<LossReport> measure_loss(const std::filesystem::path& source, const std::filesystem::path& model,
                                std::string_view text, int max_tokens, int threads,
                                const ProgressSink& progress) {
  if (text.empty()) text = kText;
  LocalModelOptions vocabulary_only;
  vocabulary_only.load = Load::vocabulary_only;
  const auto vocabulary = LocalModel::open(source, vocabulary_only);
  if (!vocabulary) return vocabulary.error();
  auto tokens = (*vocabulary)->encode(text, AddSpecial::yes, ParseSpecial::no);
  if (!tokens) return tokens.error();
  if (max_tokens > 0 && tokens->size() > static_cast<std::size_t>(max_tokens))
    tokens->resize(static_cast<std::size_t>(max_tokens));
  const auto width = static_cast<std::size_t>(std::max(1, (*vocabulary)->vocabulary_size()));
  const int trained = std::max(kShortestChunk, (*vocabulary)->trained_context_tokens() - 8);
  const int chunk = std::min({static_cast<int>(std::clamp<std::size_t>(kLogitBytes / (width * sizeof(float)),
                                                                       kShortestChunk, kLongestChunk)),
                              trained});
  if (tokens->size() < static_cast<std::size_t>(kShortestChunk)) {
    return Error{Kind::bad_request, "text", "the text has only " + std::to_string(tokens->size()) + " tokens",
                 "use a longer text"};
  }
  const auto first = open_for_scoring(source, chunk, threads);
  if (!first) return first.error();
  const auto second = open_for_scoring(model, chunk, threads);
  if (!second) return second.error();
  if ((*second)->model().vocabulary_size() != static_cast<int>(width)) {
    return Error{Kind::bad_request, model.string(), "the two models have different vocabularies",
                 "compare forms of one model"};
  }
  Sums sums;
  for (std::size_t start = 0; start + static_cast<std::size_t>(kShortestChunk) <= tokens->size();
       start += static_cast<std::size_t>(chunk)) {
    const std::size_t count = std::min(static_cast<std::size_t>(chunk), tokens->size() - start);
    const std::span<const Token> part(tokens->data() + start, count);
    // The first tokens of a piece have no context to speak of; an eighth of it is not scored.
    const int skip = static_cast<int>(count / 8);
    std::vector<float> kept(count * width);
    auto read = (*first)->for_each_logits(part, [&](int position, std::span<const float> logits) {
      std::copy(logits.begin(), logits.end(),
                kept.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(position) * width));
    });
    if (!read) return read.error();
    read = (*second)->for_each_logits(part, [&](int position, std::span<const float> logits) {
      const auto at = static_cast<std::size_t>(position);
      if (position < skip || at + 1 >= count) return;
      const std::span<const float> reference(kept.data() + at * width, width);
      const double norm_p = log_normaliser(reference);
      const double norm_q = log_normaliser(logits);
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
    if (!read) return read.error();
    if (progress) progress({"measuring the loss", start + count, tokens->size()});
  }
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

}  // namespace loam::engine
