// The decision: losses, the simplest that is not shown to be dearer, and whether it is good enough.
#include "tasks/advise.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "eval/significance.h"
#include "tasks/advise_parts.h"

namespace loam::tasks {
namespace {

constexpr double kLevel = 0.05;
// A sample that cannot show a difference of this size says little about which method is best.
constexpr double kCoarse = 0.10;
// What twice the examples must have brought for more of them to be the next step.
constexpr double kRising = 0.02;
// Below this share of the work done alone a method is a help to people and not in their place.
constexpr double kWorthwhileShare = 0.2;

template <typename Enum, std::size_t N>
std::optional<Enum> named(const std::array<std::string_view, N>& names, std::string_view name) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

constexpr std::array<std::string_view, 6> kTasks = {"classify",  "answer",  "summarise",
                                                    "translate", "extract", "code"};
constexpr std::array<std::string_view, 3> kReaches = {"this-machine", "own-network", "third-party"};
constexpr std::array<std::string_view, 7> kRungs = {
    "none", "classical", "embeddings", "small-model", "tuned-head", "larger-model", "remote-model"};
constexpr std::array<std::string_view, 8> kVerdicts = {"no-model",     "classical",    "embeddings",
                                                       "small-model",  "tuned-head",   "larger-model",
                                                       "remote-model", "more-examples"};

/// Loss of each scored item, in money where a price is known.
std::vector<double> losses_of(const Situation& situation, const Candidate& candidate, bool money) {
  std::vector<double> losses;
  losses.reserve(candidate.scores.size());
  const MonthlyCost cost = monthly_cost(situation, candidate);
  const double run = money && cost.machine && cost.items > 0 ? *cost.machine / cost.items : 0;
  const bool shared_with_people = candidate.knows_doubt && situation.check_cost > 0;
  for (std::size_t i = 0; i < candidate.scores.size(); ++i) {
    const double wrong = 1 - candidate.scores[i];
    if (!money) {
      losses.push_back(wrong);
    } else if (shared_with_people && !candidate.decided[i]) {
      losses.push_back(situation.check_cost + run);
    } else {
      losses.push_back(wrong * situation.error_cost + run);
    }
  }
  return losses;
}

double mean(std::span<const double> values) {
  if (values.empty()) return 0;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

struct Shared {
  std::vector<double> a, b;
  std::vector<std::string> clusters;
};

/// Values of both on the items that both have.
Shared shared_items(const Candidate& a, std::span<const double> of_a, const Candidate& b,
                    std::span<const double> of_b, const std::vector<std::string>& clusters) {
  Shared shared;
  std::size_t at = 0;
  bool clustered = false;
  for (std::size_t i = 0; i < b.items.size(); ++i) {
    while (at < a.items.size() && a.items[at] < b.items[i]) ++at;
    if (at == a.items.size() || a.items[at] != b.items[i]) continue;
    shared.a.push_back(of_a[at]);
    shared.b.push_back(of_b[i]);
    const std::size_t item = b.items[i];
    shared.clusters.push_back(item < clusters.size() ? clusters[item] : "");
    clustered = clustered || !shared.clusters.back().empty();
  }
  if (!clustered) shared.clusters.clear();
  return shared;
}

std::string excluded_for(const Situation& situation, const Candidate& candidate, const MonthlyCost& cost) {
  if (situation.latency_ms > 0 && candidate.ms_per_item > situation.latency_ms) {
    return fmt::format("it takes {} an item, and {} is the longest wait", wait_words(candidate.ms_per_item),
                       wait_words(situation.latency_ms));
  }
  if (cost.machines > 1) {
    return fmt::format("{} items a day would keep {} machines like this one busy",
                       count_words(situation.items_per_day), count_words(std::ceil(cost.machines)));
  }
  return "";
}

Verdict verdict_of(Rung rung) {
  switch (rung) {
    case Rung::none:
      return Verdict::no_model;
    case Rung::classical:
      return Verdict::classical;
    case Rung::embeddings:
      return Verdict::embeddings;
    case Rung::small_model:
      return Verdict::small_model;
    case Rung::tuned_head:
      return Verdict::tuned_head;
    case Rung::larger_model:
      return Verdict::larger_model;
    case Rung::remote_model:
      return Verdict::remote_model;
  }
  return Verdict::more_examples;
}

bool still_rises(const Evidence& evidence) {
  const std::size_t n = evidence.learning.size();
  return n >= 2 && evidence.learning[n - 1].score.value - evidence.learning[n - 2].score.value >= kRising;
}

/// What to try when nothing measured will do.
Verdict beyond(const Situation& situation, const Evidence& evidence) {
  if (situation.task == AdviceTask::classify && evidence.fewest_of_a_label >= kExamplesToTrain)
    return Verdict::tuned_head;
  return situation.reach == Reach::third_party ? Verdict::remote_model : Verdict::larger_model;
}

}  // namespace

std::string_view name_of(AdviceTask task) { return kTasks[static_cast<std::size_t>(task)]; }
std::optional<AdviceTask> advice_task_named(std::string_view name) { return named<AdviceTask>(kTasks, name); }
std::string_view name_of(Reach reach) { return kReaches[static_cast<std::size_t>(reach)]; }
std::optional<Reach> reach_named(std::string_view name) { return named<Reach>(kReaches, name); }
std::string_view name_of(Rung rung) { return kRungs[static_cast<std::size_t>(rung)]; }
std::string_view name_of(Verdict verdict) { return kVerdicts[static_cast<std::size_t>(verdict)]; }

double useful_score(AdviceTask task, double target) {
  switch (task) {
    case AdviceTask::classify:
    case AdviceTask::answer:
    case AdviceTask::code:
      return target;
    // Half of the fields wrong is more work to mend than to write.
    case AdviceTask::extract:
      return 0.5;
    // A chrF of 0.4 to 0.5 is about where a translation can be followed; see the figures of WMT's systems.
    case AdviceTask::translate:
      return 0.4;
    case AdviceTask::summarise:
      return 0.0;  // there is no absolute measure of a summary: only the baseline beside it
  }
  return target;
}

bool good_enough(const Situation& situation, const Candidate& candidate) {
  if (candidate.score.value >= useful_score(situation.task, situation.target)) return true;
  return candidate.knows_doubt && candidate.alone.decided > 0 && candidate.alone.coverage >= kWorthwhileShare;
}

Result<Advice> advise(const Situation& situation, const Evidence& evidence) {
  Advice advice;
  // Without a price of mistakes, people's work alone can rank only methods that hand over what they doubt:
  // any other would win by never asking.
  advice.money = situation.error_cost > 0 ||
                 (situation.check_cost > 0 &&
                  std::all_of(evidence.candidates.begin(), evidence.candidates.end(),
                              [](const Candidate& one) { return !one.scored || one.knows_doubt; }));
  std::vector<std::vector<double>> losses;
  std::size_t most_items = 0;
  for (std::size_t i = 0; i < evidence.candidates.size(); ++i) {
    const Candidate& candidate = evidence.candidates[i];
    RankedCandidate ranked;
    ranked.candidate = i;
    losses.push_back(candidate.scored ? losses_of(situation, candidate, advice.money)
                                      : std::vector<double>());
    if (candidate.scored) {
      ranked.loss = mean(losses.back()) * (advice.money ? 1000.0 : 1.0);
      ranked.cost = monthly_cost(situation, candidate);
      ranked.excluded = excluded_for(situation, candidate, ranked.cost);
      most_items = std::max(most_items, candidate.items.size());
    } else {
      ranked.excluded = candidate.note.empty() ? "it could not run" : candidate.note;
    }
    advice.ranked.push_back(std::move(ranked));
  }
  if (most_items == 0) {
    return Error{Kind::bad_request, evidence.data.file, "no method could be measured on it",
                 "see the notes above, and loam doctor"};
  }
  const auto candidate_of = [&](const RankedCandidate& one) -> const Candidate& {
    return evidence.candidates[one.candidate];
  };
  std::stable_sort(advice.ranked.begin(), advice.ranked.end(), [&](const auto& a, const auto& b) {
    if (candidate_of(a).scored != candidate_of(b).scored) return candidate_of(a).scored;
    if (!candidate_of(a).scored) return false;
    return a.loss != b.loss ? a.loss < b.loss : candidate_of(a).score.value > candidate_of(b).score.value;
  });

  // The best of what may be chosen. One that saw only part of the items has to win on those.
  const RankedCandidate* best = nullptr;
  for (const RankedCandidate& one : advice.ranked) {
    if (candidate_of(one).scored && one.excluded.empty() && candidate_of(one).items.size() == most_items &&
        best == nullptr) {
      best = &one;
    }
  }
  for (const RankedCandidate& one : advice.ranked) {
    if (!candidate_of(one).scored || !one.excluded.empty() || candidate_of(one).items.size() == most_items)
      continue;
    if (best == nullptr) {
      best = &one;
      continue;
    }
    const Shared shared = shared_items(candidate_of(*best), losses[best->candidate], candidate_of(one),
                                       losses[one.candidate], evidence.clusters);
    if (shared.a.empty()) continue;
    auto tested = eval::compare_paired(shared.a, shared.b, shared.clusters);
    if (!tested) return tested.error();
    if (tested->difference.value < 0 && tested->p < kLevel) best = &one;
  }

  if (best == nullptr) {
    advice.verdict = situation.reach == Reach::third_party ? Verdict::remote_model : Verdict::larger_model;
    fill_words(advice, situation, evidence, nullptr, nullptr);
    return advice;
  }
  // Every other one against it.
  std::vector<double> p;
  std::vector<RankedCandidate*> compared;
  for (RankedCandidate& one : advice.ranked) {
    if (&one == best || !candidate_of(one).scored) continue;
    const Shared shared = shared_items(candidate_of(*best), losses[best->candidate], candidate_of(one),
                                       losses[one.candidate], evidence.clusters);
    if (shared.a.empty()) continue;
    auto tested = eval::compare_paired(shared.a, shared.b, shared.clusters);
    if (!tested) return tested.error();
    one.more_than_best = tested->difference.value * (advice.money ? 1000.0 : 1.0);
    one.detectable = tested->minimum_detectable;
    if (advice.money) {  // else the loss is the score, but for its sign
      const Shared of_scores = shared_items(candidate_of(*best), candidate_of(*best).scores,
                                            candidate_of(one), candidate_of(one).scores, evidence.clusters);
      auto score_tested = eval::compare_paired(of_scores.a, of_scores.b, of_scores.clusters);
      if (!score_tested) return score_tested.error();
      one.detectable = score_tested->minimum_detectable;
    }
    p.push_back(tested->p);
    compared.push_back(&one);
  }
  const std::vector<double> adjusted = eval::holm(p);
  for (std::size_t i = 0; i < compared.size(); ++i) compared[i]->p = adjusted[i];

  const RankedCandidate* chosen = best;
  for (const RankedCandidate& one : advice.ranked) {
    if (&one == best || !candidate_of(one).scored || !one.excluded.empty()) continue;
    const bool dearer = one.more_than_best > 0 && one.p < kLevel;
    if (!dearer && candidate_of(one).rung < candidate_of(*chosen).rung) chosen = &one;
  }
  const Candidate& winner = candidate_of(*chosen);
  double coarse = 0;
  for (const RankedCandidate& one : advice.ranked) {
    if (&one == best || !candidate_of(one).scored || candidate_of(one).trivial != winner.trivial) continue;
    coarse = std::max(coarse, one.detectable);
  }
  if (winner.trivial) coarse = std::max(coarse, chosen == best ? 0.0 : chosen->detectable);

  // Always the same label is right often enough, or a copy is as good as anything that was written.
  const bool constant_will_do =
      winner.trivial && (winner.score.value >= situation.target ||
                         (situation.task != AdviceTask::classify && good_enough(situation, winner)));
  if (good_enough(situation, winner) && !winner.trivial) {
    advice.verdict = verdict_of(winner.rung);
    advice.chosen = winner.name;
  } else if (winner.trivial && coarse > kCoarse) {
    advice.verdict = Verdict::more_examples;
  } else if (!winner.trivial && still_rises(evidence)) {
    advice.verdict = Verdict::more_examples;  // before any larger model: examples are cheaper
    advice.chosen = winner.name;
  } else if (constant_will_do) {
    advice.verdict = Verdict::no_model;
    advice.chosen = winner.name;
  } else {
    advice.verdict = beyond(situation, evidence);
    if (!winner.trivial) advice.chosen = winner.name;
  }
  if (situation.check_cost > 0) {
    advice.all_by_people.items = chosen->cost.items;
    advice.all_by_people.by_people = chosen->cost.items;
    advice.all_by_people.people = chosen->cost.items * situation.check_cost;
    advice.all_by_people.total = *advice.all_by_people.people;
  }
  if (situation.api_input_price > 0 || situation.api_output_price > 0) {
    Hosted hosted;
    const double per_item =
        (evidence.tokens_in * situation.api_input_price + evidence.tokens_out * situation.api_output_price) /
        1e6;
    hosted.month = per_item * chosen->cost.items;
    hosted.per_thousand = per_item * 1000;
    if (situation.error_cost > 0 && chosen->cost.items > 0) {
      hosted.needed_score =
          1 - (chosen->cost.total - hosted.month) / (chosen->cost.items * situation.error_cost);
    }
    advice.hosted = hosted;
  }
  fill_words(advice, situation, evidence, chosen, best);
  return advice;
}

}  // namespace loam::tasks
