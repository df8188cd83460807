#include "tasks/eval_likelihood.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "base/json.h"
#include "base/utf8.h"

namespace loam::tasks {
namespace {

constexpr std::size_t kStretchBytes = 1024;

bool begins_with_space(std::string_view text) { return !text.empty() && is_space(decode_utf8(text).value); }

bool ends_with_space(std::string_view text) {
  if (text.empty()) return false;
  std::size_t start = text.size() - 1;
  while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xC0U) == 0x80U) --start;
  return is_space(decode_utf8(text.substr(start)).value);
}

Error bad_case(const eval::ChoiceData& data, const eval::ChoiceCase& one, std::string message) {
  return Error{Kind::bad_data, data.version.file + " case \"" + one.id + "\"", std::move(message),
               R"(a line is {"id","context","choices":[...],"answer":index})"};
}

Result<eval::Estimate> mean_of(const std::vector<eval::ItemResult>& items, const std::string& score) {
  std::vector<double> values;
  std::vector<std::size_t> groups;
  std::map<std::string, std::size_t> group_of;
  bool clustered = false;
  for (const eval::ItemResult& item : items) {
    values.push_back(item.scores.at(score));
    const bool alone = item.cluster.empty();
    clustered = clustered || !alone;
    const std::string key = alone ? "item " + item.id : "cluster " + item.cluster;
    groups.push_back(group_of.emplace(key, group_of.size()).first->second);
  }
  if (clustered) return eval::bootstrap_mean_by_group(values, groups);
  return eval::bootstrap_mean(values);
}

/// One case: its scores and what was chosen.
Result<eval::ItemResult> score_case(engine::Engine& engine, const eval::ChoiceCase& one,
                                    std::uint64_t& tokens, const std::stop_token& stop) {
  engine::ScoreRequest request;
  request.raw_prompt = one.context;
  for (const std::string& choice : one.choices)
    request.continuations.push_back(joined_choice(one.context, choice));
  auto scores = engine.score(request, stop);
  if (!scores) return scores.error();
  auto context_tokens = engine.count_tokens(std::string_view(one.context));
  if (!context_tokens) return context_tokens.error();
  tokens += static_cast<std::uint64_t>(*context_tokens);
  std::vector<double> sums, by_length;
  Json shown = Json::array();
  for (std::size_t i = 0; i < scores->size(); ++i) {
    tokens += static_cast<std::uint64_t>((*scores)[i].tokens);
    sums.push_back((*scores)[i].log_probability);
    by_length.push_back(sums.back() / static_cast<double>(utf8_length(one.choices[i])));
    shown.push_back(sums.back());
  }
  const int chosen = best_choice(sums);
  const int chosen_norm = best_choice(by_length);
  eval::ItemResult item;
  item.id = one.id;
  item.cluster = one.cluster;
  item.scores["accuracy"] = chosen == one.answer ? 1 : 0;
  item.scores["accuracy_norm"] = chosen_norm == one.answer ? 1 : 0;
  item.output = dump_json({{"chosen", chosen}, {"chosen_norm", chosen_norm}, {"log_likelihoods", shown}});
  return item;
}

}  // namespace

std::string joined_choice(std::string_view context, std::string_view choice) {
  const bool parted = ends_with_space(context) || begins_with_space(choice);
  return (parted ? "" : " ") + std::string(choice);
}

int best_choice(const std::vector<double>& scores) {
  return static_cast<int>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

Result<ChoiceEvaluation> evaluate_choices(engine::Engine& engine, const eval::ChoiceData& data,
                                          std::size_t limit, const ProgressSink& progress,
                                          std::stop_token stop) {
  ChoiceEvaluation found;
  const std::size_t count = limit == 0 ? data.cases.size() : std::min(limit, data.cases.size());
  if (count == 0) {
    return Error{Kind::bad_data, data.version.file, "there is no case in it",
                 R"(a line is {"id","context","choices":[...],"answer":index})"};
  }
  for (std::size_t i = 0; i < count; ++i) {
    const eval::ChoiceCase& one = data.cases[i];
    if (one.choices.size() < 2) return bad_case(data, one, "it has fewer than two choices");
    if (one.answer < 0 || static_cast<std::size_t>(one.answer) >= one.choices.size())
      return bad_case(data, one, "answer " + std::to_string(one.answer) + " is none of its choices");
    for (const std::string& choice : one.choices) {
      if (choice.empty()) return bad_case(data, one, "a choice is empty");
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    auto item = score_case(engine, data.cases[i], found.tokens, stop);
    if (!item && item.error().kind == Kind::out_of_room) {
      eval::ItemResult refused;
      refused.id = data.cases[i].id;
      refused.cluster = data.cases[i].cluster;
      refused.scores = {{"accuracy", 0.0}, {"accuracy_norm", 0.0}};
      refused.output = dump_json({{"refused", item.error().message}});
      item = std::move(refused);
      ++found.refused;
    }
    if (!item) return item.error();
    found.items.push_back(*std::move(item));
    if (progress) progress({"scoring choices", i + 1, count});
  }
  for (const char* name : {"accuracy", "accuracy_norm"}) {
    auto mean = mean_of(found.items, name);
    if (!mean) return mean.error();
    found.metrics.push_back({name, *mean, true});
  }
  return found;
}

Result<LossEvaluation> evaluate_loss(engine::LocalEngine& engine, std::string_view text,
                                     const engine::TextLossOptions& options, const ProgressSink& progress,
                                     std::stop_token stop) {
  const std::size_t stretches = std::max<std::size_t>(1, (text.size() + kStretchBytes / 2) / kStretchBytes);
  std::vector<double> nats(stretches, 0.0);
  auto loss = engine::text_loss(
      engine, text, options,
      [&](std::size_t byte, double loss_of_token) { nats[byte * stretches / text.size()] += loss_of_token; },
      progress, stop);
  if (!loss) return loss.error();
  LossEvaluation found;
  found.loss = *loss;
  std::vector<double> bits;
  for (std::size_t i = 0; i < stretches; ++i) {
    // Byte b belongs to stretch b * stretches / size: stretch i begins at the next whole number from here.
    const std::size_t begin = (i * text.size() + stretches - 1) / stretches;
    const std::size_t end = ((i + 1) * text.size() + stretches - 1) / stretches;
    bits.push_back(nats[i] / std::numbers::ln2 / static_cast<double>(end - begin));
    eval::ItemResult item;
    item.id = "bytes " + std::to_string(begin) + "-" + std::to_string(end - 1);
    item.scores["bits_per_byte"] = bits.back();
    found.items.push_back(std::move(item));
  }
  eval::Estimate per_byte = eval::bootstrap_mean(bits);
  per_byte.value = loss->bits_per_byte();  // stretches differ by a byte: the whole text is exact
  const double nats_per_bit = std::numbers::ln2 * static_cast<double>(loss->bytes) /
                              static_cast<double>(loss->tokens);  // bits of a byte to nats of a token
  const auto with = [&](auto change) {
    return eval::Estimate{change(per_byte.value), change(per_byte.low), change(per_byte.high), per_byte.n};
  };
  found.metrics.push_back({"bits_per_byte", per_byte, false});
  found.metrics.push_back({"nats_per_token", with([&](double bit) { return bit * nats_per_bit; }), false});
  found.metrics.push_back(
      {"perplexity", with([&](double bit) { return std::exp(bit * nats_per_bit); }), false});
  return found;
}

}  // namespace loam::tasks
