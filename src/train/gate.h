// The gate before an adapter serves: is it better than what serves now, on items it did not learn from, and
// what did the model forget for it?
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "engine/local_engine.h"
#include "eval/metrics.h"
#include "eval/significance.h"
#include "train/training_data.h"

namespace loam::train {

/// What an answer is measured by, against the one in the data.
enum class GateMeasure : std::uint8_t { f1, exact_match };
std::string_view name_of(GateMeasure measure);
/// bad_request naming both.
Result<GateMeasure> gate_measure_from(std::string_view name);

struct GateOptions {
  GateMeasure measure = GateMeasure::f1;
  int answer_tokens = 64;                ///< longest answer
  std::size_t cases = 0;                 ///< items at most; 0: all
  double level = 0.05;                   ///< p below it is better, not luck
  double most_perplexity_ratio = 1.1;    ///< on general text, against what serves now
  double most_instruction_ratio = 1.25;  ///< of the perplexity of our own answers to our own instructions
  double most_latency_ratio = 1.5;       ///< of the median time for a token
};

/// What one item got.
struct GateItem {
  std::string id;       ///< "line 12"
  std::string cluster;  ///< what items share; empty: stands alone
  std::string incumbent_answer, candidate_answer;
  double incumbent = 0, candidate = 0;
};

/// One of the questions that the gate asks.
struct GateCheck {
  std::string name;  ///< "better", "general text", "instructions", "latency"
  bool passed = false;
  double value = 0, limit = 0;
  std::string words;  ///< one line for people
};

struct GateSide {
  std::string name;                   ///< the engine's name for model and adapters
  double perplexity = 0;              ///< of the beginning of engine::loss_text()
  double instruction_perplexity = 0;  ///< of our answers to our instructions
  double token_ms = 0;                ///< median time to write one
  double prompt_ms = 0;               ///< median time to read a prompt
  std::uint64_t memory_bytes = 0;     ///< of the adapters' files, which are in memory while they serve
};

struct GateReport {
  std::vector<GateItem> items;
  GateSide incumbent, candidate;
  eval::PairedResult paired;  ///< a: incumbent, b: candidate
  std::string verdict;        ///< the test in one sentence
  std::vector<GateCheck> checks;
  bool passed = false;
  std::uint64_t tokens = 0;  ///< read and written
  std::size_t refused = 0;   ///< items that do not fit the context: they count as wrong for both

  std::string summary() const;  ///< one line: the verdict, and what was not passed
};

/// Both answer every item, in turns, greedily, so that neither gets the quieter machine. The last answer of
/// each conversation is what is expected. bad_request when there are fewer than 5 items.
Result<GateReport> run_gate(engine::LocalEngine& engine, const std::vector<engine::Adapter>& incumbent,
                            const std::vector<engine::Adapter>& candidate, const TrainingData& data,
                            const GateOptions& options = {}, const ProgressSink& progress = {},
                            std::stop_token stop = {});

/// One of our instructions with our answer (instruction_probe.cpp).
struct ProbeItem {
  std::string_view instruction, answer;
};
std::span<const ProbeItem> instruction_probe();

}  // namespace loam::train
