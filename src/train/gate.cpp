#include "train/gate.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "engine/quantize.h"
#include "engine/text_loss.h"

namespace loam::train {
namespace {

constexpr std::size_t kLeastItems = 5;
constexpr int kProbeWindow = 512;            // tokens of general text at once
constexpr std::size_t kGeneralBytes = 4096;  // of general text: about 900 tokens, read once for each side

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::string number(double value, int digits = 2) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

double score_of(GateMeasure measure, const std::string& answer, const std::string& expected) {
  const std::string accepted[] = {expected};
  return measure == GateMeasure::f1 ? eval::token_f1(answer, accepted) : eval::exact_match(answer, accepted);
}

/// One side while it is measured.
struct Contender {
  const std::vector<engine::Adapter>& adapters;
  GateSide& side;
  std::vector<double> token_ms, prompt_ms;
};

Result<double> general_perplexity(engine::LocalEngine& engine, const std::stop_token& stop,
                                  std::uint64_t& tokens) {
  engine::TextLossOptions window;
  window.window_tokens = std::min(kProbeWindow, engine.context_tokens());
  window.stride_tokens = window.window_tokens;
  std::string_view text = engine::loss_text();
  if (text.size() > kGeneralBytes) text = text.substr(0, text.rfind(' ', kGeneralBytes));
  const auto loss = engine::text_loss(engine, text, window, {}, {}, stop);
  if (!loss) return loss.error();
  tokens += loss->tokens_read;
  return loss->perplexity();
}

Result<double> instruction_perplexity(engine::LocalEngine& engine, const std::stop_token& stop,
                                      std::uint64_t& tokens) {
  double nats = 0;
  int count = 0;
  for (const ProbeItem& item : instruction_probe()) {
    engine::ScoreRequest request;
    request.messages = {{engine::Role::user, std::string(item.instruction)}};
    request.continuations = {std::string(item.answer)};
    const auto scores = engine.score(request, stop);
    if (!scores) return scores.error();
    nats -= scores->front().log_probability;
    count += scores->front().tokens;
  }
  tokens += static_cast<std::uint64_t>(count);
  return std::exp(nats / std::max(1, count));
}

GateCheck ratio_check(std::string name, double now, double before, double limit, const std::string& what) {
  GateCheck check;
  check.name = std::move(name);
  check.value = before > 0 ? now / before : 1;
  check.limit = limit;
  check.passed = std::isfinite(check.value) && check.value <= limit;
  check.words = what + " " + number(before) + " before, " + number(now) + " with it (" + number(check.value) +
                " times; at most " + number(limit) + ")";
  return check;
}

}  // namespace

std::string_view name_of(GateMeasure measure) { return measure == GateMeasure::f1 ? "f1" : "exact_match"; }

Result<GateMeasure> gate_measure_from(std::string_view name) {
  if (name.empty() || name == "f1") return GateMeasure::f1;
  if (name == "exact_match") return GateMeasure::exact_match;
  return Error{Kind::bad_request, "--metric " + std::string(name),
               "answers are measured by f1 or exact_match", "--metric f1"};
}

std::string GateReport::summary() const {
  std::string text = verdict;
  for (const GateCheck& check : checks) {
    if (!check.passed && check.name != "better") text += "; " + check.words;
  }
  return text;
}

Result<GateReport> run_gate(engine::LocalEngine& engine, const std::vector<engine::Adapter>& incumbent,
                            const std::vector<engine::Adapter>& candidate, const TrainingData& data,
                            const GateOptions& options, const ProgressSink& progress, std::stop_token stop) {
  const std::size_t count =
      options.cases > 0 ? std::min(options.cases, data.items.size()) : data.items.size();
  if (count < kLeastItems) {
    return Error{Kind::bad_request, data.version.file,
                 "there are " + std::to_string(count) + " items, and nothing can be shown with fewer than " +
                     std::to_string(kLeastItems),
                 "hold out more; a hundred are a beginning"};
  }
  GateReport report;
  Contender sides[] = {{incumbent, report.incumbent, {}, {}}, {candidate, report.candidate, {}, {}}};
  for (Contender& one : sides) {
    if (auto chosen = engine.set_adapters(one.adapters); !chosen) return chosen.error();
    one.side.name = engine.model_name();
    for (const engine::Adapter& adapter : one.adapters) {
      std::error_code ignored;
      one.side.memory_bytes += std::filesystem::file_size(adapter.file, ignored);
    }
  }
  std::vector<double> before, after;
  std::vector<std::string> clusters;
  for (std::size_t i = 0; i < count; ++i) {
    if (stop.stop_requested()) return Error{Kind::unavailable, "adapters check", "it was stopped", ""};
    const Conversation& conversation = data.items[i];
    engine::GenerateRequest request;
    request.messages.assign(conversation.messages.begin(), conversation.messages.end() - 1);
    request.max_tokens = options.answer_tokens;
    const std::string& expected = conversation.messages.back().content;
    GateItem item;
    item.id = "line " + std::to_string(conversation.line);
    item.cluster = conversation.cluster;
    // Who goes first changes, so that neither always finds the warmer processor.
    for (const std::size_t turn : {i % 2, 1 - i % 2}) {
      Contender& one = sides[turn];
      if (auto chosen = engine.set_adapters(one.adapters); !chosen) return chosen.error();
      auto draft = engine.generate(request, {}, stop);
      if (!draft && draft.error().kind == Kind::out_of_room) {
        if (turn == 0) ++report.refused;
        continue;
      }
      if (!draft) return draft.error();
      if (draft->finish == engine::FinishReason::cancelled)
        return Error{Kind::unavailable, "adapters check", "it was stopped", ""};
      const auto& usage = draft->usage;
      report.tokens += static_cast<std::uint64_t>(usage.prompt_tokens + usage.answer_tokens);
      if (usage.answer_tokens > 0) one.token_ms.push_back(usage.decode_ms / usage.answer_tokens);
      one.prompt_ms.push_back(usage.prefill_ms);
      (turn == 0 ? item.incumbent : item.candidate) = score_of(options.measure, draft->text, expected);
      (turn == 0 ? item.incumbent_answer : item.candidate_answer) = std::move(draft->text);
    }
    before.push_back(item.incumbent);
    after.push_back(item.candidate);
    clusters.push_back(item.cluster);
    report.items.push_back(std::move(item));
    if (progress) progress({"answering", i + 1, count});
  }
  for (Contender& one : sides) {
    one.side.token_ms = median(one.token_ms);
    one.side.prompt_ms = median(one.prompt_ms);
    if (auto chosen = engine.set_adapters(one.adapters); !chosen) return chosen.error();
    if (progress) progress({"what was forgotten", 0, 0});
    const auto general = general_perplexity(engine, stop, report.tokens);
    if (!general) return general.error();
    one.side.perplexity = *general;
    const auto instructions = instruction_perplexity(engine, stop, report.tokens);
    if (!instructions) return instructions.error();
    one.side.instruction_perplexity = *instructions;
  }

  eval::CompareOptions compare;
  compare.level = options.level;
  auto paired = eval::compare_paired(before, after, clusters, compare);
  if (!paired) return paired.error();
  report.paired = *std::move(paired);
  report.verdict = eval::verdict_sentence(report.paired, report.incumbent.name, report.candidate.name);
  GateCheck better;
  better.name = "better";
  better.value = report.paired.difference.value;
  better.passed = report.paired.difference.value > 0 && report.paired.p < options.level;
  better.words = std::string(name_of(options.measure)) + " " + number(report.paired.a.value, 3) +
                 " before, " + number(report.paired.b.value, 3) + " with it, on " + std::to_string(count) +
                 " items; p = " + number(report.paired.p, 4);
  report.checks.push_back(std::move(better));
  report.checks.push_back(ratio_check("general text", report.candidate.perplexity,
                                      report.incumbent.perplexity, options.most_perplexity_ratio,
                                      "perplexity of general text"));
  report.checks.push_back(ratio_check("instructions", report.candidate.instruction_perplexity,
                                      report.incumbent.instruction_perplexity, options.most_instruction_ratio,
                                      "perplexity of plain instructions"));
  report.checks.push_back(ratio_check("latency", report.candidate.token_ms, report.incumbent.token_ms,
                                      options.most_latency_ratio, "milliseconds for a token"));
  report.passed = std::all_of(report.checks.begin(), report.checks.end(),
                              [](const GateCheck& check) { return check.passed; });
  return report;
}

}  // namespace loam::train
