// Does this work need a language model? Measured methods, what each costs at the volume at hand, one answer
// in plain words, and what would change it. Nothing here measures (advise_measure.h does); all of it is pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/json_fwd.h"
#include "base/result.h"
#include "eval/cases.h"
#include "eval/classification.h"
#include "eval/metrics.h"
#include "tasks/words.h"

namespace loam::tasks {

enum class AdviceTask : std::uint8_t { classify, answer, summarise, translate, extract, code };
std::string_view name_of(AdviceTask task);  ///< "classify", ...
std::optional<AdviceTask> advice_task_named(std::string_view name);

/// How far texts may travel.
enum class Reach : std::uint8_t { this_machine, own_network, third_party };
std::string_view name_of(Reach reach);  ///< "this-machine", "own-network", "third-party"
std::optional<Reach> reach_named(std::string_view name);

/// What a person knows of the work. Money is in `currency`; 0: not known.
struct Situation {
  AdviceTask task = AdviceTask::classify;
  double items_per_day = 100;
  double latency_ms = 0;  ///< longest wait for one item that is acceptable; 0: any
  Reach reach = Reach::this_machine;
  double target = 0.95;         ///< share of right ones among what is decided without a person
  bool target_implied = false;  ///< it follows from the two costs below (implied_target)
  double error_cost = 0;        ///< of one wrong result that nobody notices
  double check_cost = 0;        ///< of one item that a person does
  double machine_month = 0;     ///< of this machine for a month, power included
  double api_input_price = 0, api_output_price = 0;  ///< of a million tokens of a hosted model
  std::string currency = "EUR";
};

/// The ladder, from what is simplest to run to what costs most.
enum class Rung : std::uint8_t {
  none,          ///< no model: a constant answer, a copy, the first sentences, patterns
  classical,     ///< counted words
  embeddings,    ///< an embedding model with a small head
  small_model,   ///< a small language model on this machine
  tuned_head,    ///< a small model trained on the examples
  larger_model,  ///< a larger language model on own machines
  remote_model,  ///< a language model that someone else runs
};
std::string_view name_of(Rung rung);    ///< "classical", ...
std::string_view words_for(Rung rung);  ///< "counted words"

/// One method as it was measured.
struct Candidate {
  std::string name;
  Rung rung = Rung::none;
  bool trivial = false;  ///< what one would get without trying: always the same label, a copy
  bool scored = false;   ///< false: `note` says why it could not run
  std::string note;
  eval::Estimate score;  ///< 0..1, higher is better
  double ms_per_item = 0, memory_mb = 0;
  std::vector<std::size_t> items;  ///< which of the sample's items, ascending
  std::vector<double> scores;      ///< 0..1, one for each of `items`
  std::vector<bool> decided;       ///< one for each: it would have been decided without a person
  eval::Automation alone;          ///< at the situation's target, where the method can say how sure it is
  std::vector<eval::Automation> targets;  ///< the same at other targets, ascending; may be empty
  bool knows_doubt = false;               ///< whether `alone` and `decided` say anything
  std::vector<eval::RiskPoint> risk;  ///< error over the share decided alone, for the picture; may be empty
  RunId run{};
};

/// Score of the chosen method fitted on fewer examples.
struct LearningPoint {
  std::size_t examples = 0;
  eval::Estimate score;
};

/// What was measured, and on what.
struct Evidence {
  eval::DataVersion data;
  std::string metric = "accuracy";    ///< of `score`
  std::vector<std::string> clusters;  ///< one for each item of the sample, or none
  std::size_t sample_items = 0;       ///< items that methods were tested on
  std::size_t examples = 0;           ///< items they learned from; 0: nothing learns
  std::size_t labels = 0, fewest_of_a_label = 0;
  std::vector<Candidate> candidates;
  std::vector<LearningPoint> learning;   ///< ascending
  double tokens_in = 0, tokens_out = 0;  ///< that a language model would read and write for an item
  std::size_t doubtful_labels = 0;       ///< by confident learning
  std::vector<eval::DataNote> notes;
  std::string machine;  ///< "AMD EPYC 9R45, 2 cores, 7.6 GB"
};

/// Of a month of 30.4 days at the situation's volume.
struct MonthlyCost {
  double items = 0;
  double machine_hours = 0;
  double machines = 0;   ///< how many like this are busy all day; 0.01 is 15 minutes a day
  double by_people = 0;  ///< items that go to a person
  double wrong = 0;      ///< wrong results that nobody sees
  std::optional<double> machine, people, mistakes;  ///< money, where its price is known
  double total = 0;                                 ///< of what is known
};

enum class Verdict : std::uint8_t {
  no_model,       ///< nothing beats what needs no model, and that is good
  classical,      ///< counted words do it
  embeddings,     ///< an embedding model with a small head does it
  small_model,    ///< the small language model is worth its time
  tuned_head,     ///< enough examples to train on, and nothing measured suffices
  larger_model,   ///< nothing measured suffices; texts must stay
  remote_model,   ///< nothing measured suffices; texts may leave
  more_examples,  ///< the sample is too small to tell, or twice the examples would do what no method does
};
std::string_view name_of(Verdict verdict);  ///< "no-model", ...

struct RankedCandidate {
  std::size_t candidate = 0;  ///< into Evidence::candidates
  double loss = 0;            ///< a thousand items' cost, or the share not right where no price is known
  double more_than_best = 0;  ///< loss - that of the best, on the items both have
  double p = 1;               ///< of "no difference to the best", Holm-adjusted
  double detectable = 0;      ///< smallest difference in score to the best that the sample could show
  std::string excluded;       ///< why it cannot be chosen; empty: it can
  MonthlyCost cost;
};

/// A hosted model that was not measured, at the prices given.
struct Hosted {
  double month = 0;                    ///< money for its tokens
  double per_thousand = 0;             ///< the same for a thousand items
  std::optional<double> needed_score;  ///< how good it must be to be worth it; above 1: it cannot be
};

struct Advice {
  Verdict verdict = Verdict::more_examples;
  std::string headline;                 ///< one sentence, to take away
  std::string chosen;                   ///< name of the candidate to start with; empty: none is worth it
  std::vector<std::string> because;     ///< sentences with figures
  std::vector<RankedCandidate> ranked;  ///< least loss first; those that did not run last
  std::optional<Hosted> hosted;
  MonthlyCost all_by_people;
  std::vector<std::string> changes;  ///< what would change the advice
  std::vector<std::string> assumed;  ///< what nobody said
  bool money = false;                ///< losses are money
};

/// The simplest candidate whose loss is not shown to be higher than that of the best (paired test on the
/// items both have, Holm over the candidates). The loss of an item: where it costs something that a person
/// does it or that it is wrong, that money and the machine's; else whether it is right. Too slow, or more
/// than one machine can do: not chosen, and said so. bad_request when no candidate was scored.
Result<Advice> advise(const Situation& situation, const Evidence& evidence);

/// Cost of a month with this candidate.
MonthlyCost monthly_cost(const Situation& situation, const Candidate& candidate);

/// The target that a person's and a mistake's cost imply: below it a mistake costs more than a look. Empty
/// unless both are known and a look is cheaper.
std::optional<double> implied_target(double error_cost, double check_cost);

/// `loam advise --json`.
Json to_json(const Advice& advice, const Situation& situation, const Evidence& evidence);
/// One page that stands alone, with pictures. `next_steps`: commands to run.
std::string advice_page(const Advice& advice, const Situation& situation, const Evidence& evidence,
                        const std::vector<std::string>& next_steps);

// Words that the doors share -------------------------------------------------------------------------------
std::string money_words(double money, std::string_view currency);  ///< "1,240 EUR", "0.35 EUR"
std::string hours_words(double hours);                             ///< "3.1 hours", "12 minutes"
std::string count_words(double count);                             ///< "3,040", "0.4"
std::string wait_words(double milliseconds);                       ///< "0.02 ms", "1.4 s"

}  // namespace loam::tasks
