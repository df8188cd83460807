#include "train/parity.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "engine/local_engine.h"

namespace loam::train {
namespace {

constexpr std::string_view kText =
    "The lease began on 1 March 2019 and runs for five years. Rent is 1,250 euros a month, due on the third "
    "working day; whoever pays late owes interest of 4% a year. Heating, water and the lift are shared by "
    "floor space, and a bill is sent each June. Who repairs the roof? The owner does.";

std::vector<double> log_probabilities(std::span<const float> logits) {
  const double most = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - most);
  std::vector<double> values;
  values.reserve(logits.size());
  for (const float logit : logits) values.push_back(static_cast<double>(logit) - most - std::log(sum));
  return values;
}

}  // namespace

Result<Parity> compare_with_engine(const FrozenLlama& model, const std::filesystem::path& gguf, Team& team,
                                   Logger& logger) {
  engine::LocalEngineOptions options;
  options.context_tokens = 256;
  options.threads = team.threads();
  auto engine = engine::LocalEngine::open(gguf, options, logger);
  if (!engine) return engine.error();
  auto tokens = (*engine)->model().encode(kText, engine::AddSpecial::yes, engine::ParseSpecial::no);
  if (!tokens) return tokens.error();
  tokens->resize(std::min<std::size_t>(tokens->size(), 200));
  std::vector<std::vector<float>> theirs;
  const auto read = (*engine)->for_each_logits(
      *tokens, [&](int, std::span<const float> row) { theirs.emplace_back(row.begin(), row.end()); });
  if (!read) return read.error();

  Batch batch;
  batch.add(*tokens, std::vector<std::uint8_t>(tokens->size(), 0));
  for (std::uint32_t i = 0; i < tokens->size(); ++i) {
    batch.rows.push_back(i);
    batch.targets.push_back(0);
  }
  Parity found;
  found.tokens = static_cast<int>(tokens->size());
  int same = 0;
  bool one_size = true;
  LlamaPass pass(model, nullptr, team, {Keep::layer_inputs, 32});
  pass.for_each_logits(batch, [&](std::size_t index, std::span<const float> ours) {
    const std::vector<float>& their = theirs[index];
    if (their.size() != ours.size()) {
      one_size = false;
      return;
    }
    const auto p = log_probabilities(their), q = log_probabilities(ours);
    for (std::size_t i = 0; i < p.size(); ++i) found.mean_divergence += std::exp(p[i]) * (p[i] - q[i]);
    same +=
        std::max_element(p.begin(), p.end()) - p.begin() == std::max_element(q.begin(), q.end()) - q.begin();
  });
  found.mean_divergence /= static_cast<double>(tokens->size());
  found.same_first_choice = static_cast<double>(same) / static_cast<double>(tokens->size());
  if (!one_size || !(found.mean_divergence <= kParityLimit)) {
    char text[160];
    std::snprintf(text, sizeof(text),
                  "the trainer and llama.cpp do not compute the same model (divergence %.3f nats a token)",
                  found.mean_divergence);
    return Error{Kind::bad_data, gguf.string(), text, "train on another base; please report this one"};
  }
  return found;
}

}  // namespace loam::train
