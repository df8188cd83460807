// The advice in plain words, with the figures behind each sentence.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tasks/advise_parts.h"

namespace loam::tasks {
namespace {

constexpr double kMillisecondsPerDay = 8.64e7;
// A volume so many times today's is not worth a sentence.
constexpr double kFarAway = 1000;
// A step of the learning curve below this is not worth the labelling.
constexpr double kWorthwhileGain = 0.01;

std::string what_items(AdviceTask task) {
  switch (task) {
    case AdviceTask::classify:
      return "texts";
    case AdviceTask::answer:
      return "questions";
    case AdviceTask::summarise:
    case AdviceTask::translate:
    case AdviceTask::extract:
      return "texts";
    case AdviceTask::code:
      return "tasks";
  }
  return "items";
}

/// "is right for 91.6%", or the score in the measure's name.
std::string score_words(const Evidence& evidence, const Candidate& candidate) {
  const std::string interval =
      fmt::format("({} to {})", percent(candidate.score.low), percent(candidate.score.high));
  if (evidence.metric == "accuracy" || evidence.metric == "right" || evidence.metric == "pass@1") {
    return fmt::format("is right for {} {} of {}", percent(candidate.score.value), interval,
                       count_words(static_cast<double>(candidate.items.size())));
  }
  return fmt::format("scores {} {} in {} over {}", percent(candidate.score.value), interval, evidence.metric,
                     count_words(static_cast<double>(candidate.items.size())));
}

/// The method for people who have never met its name.
std::string plainly(const Candidate& candidate) {
  switch (candidate.rung) {
    case Rung::classical:
      return "counted words (" + candidate.name + ")";
    case Rung::embeddings:
      return "a small embedding model (" + candidate.name + ")";
    case Rung::small_model:
      return "the small language model (" + candidate.name + ")";
    default:
      return candidate.name;
  }
}

std::string headline_of(Verdict verdict, const Situation& situation, const Candidate* chosen) {
  const std::string start = chosen == nullptr || chosen->trivial ? "" : plainly(*chosen);
  switch (verdict) {
    case Verdict::no_model:
      return "You need no model for this.";
    case Verdict::classical:
      return "You need no language model: counting words does it.";
    case Verdict::embeddings:
      return "You need no language model: a small embedding model with a classifier on top does it.";
    case Verdict::small_model:
      return "A small language model on this machine does it.";
    case Verdict::tuned_head:
      return start.empty() ? "Nothing measured is good enough yet: train a small model on your examples."
                           : "Nothing measured is good enough to decide alone: let " + start +
                                 " propose, and train a small model on your examples.";
    case Verdict::larger_model:
      return situation.reach == Reach::own_network
                 ? "Nothing measured is good enough: try a larger language model on a machine of yours."
                 : "Nothing measured is good enough: try a larger language model on this machine.";
    case Verdict::remote_model:
      return "Nothing measured is good enough: try a larger language model, here or hosted.";
    case Verdict::more_examples:
      return start.empty() ? "The sample is too small to tell: collect more examples first."
                           : "Not good enough to decide alone yet, and more examples help: let " + start +
                                 " propose, and go on labelling.";
  }
  return "";
}

void explain_choice(Advice& advice, const Situation& situation, const Evidence& evidence,
                    const RankedCandidate& chosen, const RankedCandidate& best) {
  const Candidate& winner = evidence.candidates[chosen.candidate];
  const Candidate& top = evidence.candidates[best.candidate];
  advice.because.push_back(fmt::format("{} {} {} that it had not seen.", winner.name,
                                       score_words(evidence, winner), what_items(situation.task)));
  if (&chosen != &best) {
    const double difference = top.score.value - winner.score.value;
    advice.because.push_back(fmt::format(
        "{} {}, a difference that this sample cannot tell from chance ({}); {} is simpler and takes {} an "
        "item "
        "in place of {}.",
        top.name,
        difference > 0 ? "is ahead by " + points(difference)
                       : std::string("would be the cheapest by the sums"),
        chance(chosen.p), winner.name, wait_words(winner.ms_per_item), wait_words(top.ms_per_item)));
  }
  // The best of what is simpler, and the language models, in one sentence each.
  const RankedCandidate* simpler = nullptr;
  for (const RankedCandidate& one : advice.ranked) {
    const Candidate& other = evidence.candidates[one.candidate];
    if (!other.scored || other.trivial || &one == &chosen || &one == &best) continue;
    if (other.rung < winner.rung &&
        (simpler == nullptr || other.score.value > evidence.candidates[simpler->candidate].score.value)) {
      simpler = &one;
    }
  }
  if (simpler != nullptr && &chosen == &best) {
    const Candidate& other = evidence.candidates[simpler->candidate];
    if (simpler->p < 0.05) {
      advice.because.push_back(fmt::format("The best of the simpler ones, {}, {}: more than chance ({}).",
                                           other.name, score_words(evidence, other), chance(simpler->p)));
    }
  }
  for (const RankedCandidate& one : advice.ranked) {
    const Candidate& other = evidence.candidates[one.candidate];
    if (!other.scored || other.rung != Rung::small_model || &one == &chosen || &one == &best) continue;
    advice.because.push_back(fmt::format("The language model ({}) {}, at {} an item.", other.name,
                                         score_words(evidence, other), wait_words(other.ms_per_item)));
    break;  // the better of its ways; the table has the others
  }
  for (const RankedCandidate& one : advice.ranked) {
    const Candidate& other = evidence.candidates[one.candidate];
    if (!other.scored || !other.trivial) continue;
    if (&one == &chosen) continue;
    advice.because.push_back(fmt::format("Without trying ({}): {}.", other.name, percent(other.score.value)));
    break;
  }
  if (winner.knows_doubt) {
    if (winner.alone.decided > 0) {
      advice.because.push_back(
          fmt::format("Where {} is sure enough it needs no person: {} of the items at a target of {} ({} of "
                      "these were right "
                      "on items that had no part in choosing the threshold). The rest goes to a person.",
                      winner.name, percent(winner.alone.coverage), percent(winner.alone.target),
                      percent(winner.alone.accuracy)));
    } else {
      std::string text = fmt::format("No share of the items can be shown to be right at {} without a person.",
                                     percent(situation.target));
      for (auto lower = winner.targets.rbegin(); lower != winner.targets.rend(); ++lower) {
        if (lower->target >= situation.target || lower->decided == 0) continue;
        text +=
            fmt::format(" At {} it would be {} of them.", percent(lower->target), percent(lower->coverage));
        break;
      }
      advice.because.push_back(std::move(text));
    }
  }
}

/// From which cost of a mistake another method would be the cheaper one.
std::optional<double> tipping_error_cost(const Situation& situation, const MonthlyCost& chosen,
                                         const MonthlyCost& other) {
  const double fewer_wrong = chosen.wrong - other.wrong;
  const double dearer = (other.machine.value_or(0) + other.people.value_or(0)) -
                        (chosen.machine.value_or(0) + chosen.people.value_or(0));
  if (fewer_wrong <= 0 || dearer <= 0) return std::nullopt;
  const double at = dearer / fewer_wrong;
  return at > situation.error_cost ? std::optional<double>(at) : std::nullopt;
}

void explain_changes(Advice& advice, const Situation& situation, const Evidence& evidence,
                     const RankedCandidate* chosen, const RankedCandidate* best) {
  std::vector<std::string>& changes = advice.changes;
  if (chosen != nullptr) {
    const Candidate& winner = evidence.candidates[chosen->candidate];
    const double full = kMillisecondsPerDay / winner.ms_per_item;
    if (full < kFarAway * situation.items_per_day) {
      changes.push_back(fmt::format("More items: this machine is full with {} at {} items a day.",
                                    winner.name, count_words(std::floor(full))));
    }
    double coarse = 0;
    for (const RankedCandidate& one : advice.ranked) {
      const Candidate& other = evidence.candidates[one.candidate];
      const bool whole = other.items.size() == evidence.sample_items;
      if (other.scored && whole && &one != best && !other.trivial) coarse = std::max(coarse, one.detectable);
    }
    if (coarse > 0.02) {
      changes.push_back(fmt::format(
          "More labelled items: {} in the test show differences of about {} and more; smaller ones "
          "go unseen.",
          count_words(static_cast<double>(evidence.sample_items)), points(coarse)));
    }
    for (const RankedCandidate& one : advice.ranked) {
      const Candidate& other = evidence.candidates[one.candidate];
      if (!other.scored || &one == chosen || !one.excluded.empty()) continue;
      const auto at = tipping_error_cost(situation, chosen->cost, one.cost);
      if (!at) continue;
      const bool only_people = one.cost.by_people > 0.999 * one.cost.items;
      changes.push_back(fmt::format("Dearer mistakes: from {} for each on, {} would be cheaper than {}.",
                                    money_words(*at, situation.currency),
                                    only_people ? "people who do everything" : other.name, winner.name));
      break;
    }
    for (const RankedCandidate& one : advice.ranked) {
      const Candidate& other = evidence.candidates[one.candidate];
      if (!other.scored || one.excluded.empty() || other.score.value <= winner.score.value) continue;
      changes.push_back(fmt::format("{}: it was left out because {}; it is ahead by {}.", other.name,
                                    one.excluded, points(other.score.value - winner.score.value)));
    }
  }
  if (evidence.learning.size() >= 2) {
    const LearningPoint& all = evidence.learning.back();
    const LearningPoint& half = evidence.learning[evidence.learning.size() - 2];
    const double gain = all.score.value - half.score.value;
    changes.push_back(
        gain >= kWorthwhileGain
            ? fmt::format("More examples to learn from: {} gave {}, {} gave {}; the curve still rises.",
                          count_words(static_cast<double>(half.examples)), percent(half.score.value),
                          count_words(static_cast<double>(all.examples)), percent(all.score.value))
            : fmt::format("More examples to learn from: little. {} gave {}, {} gave {}.",
                          count_words(static_cast<double>(half.examples)), percent(half.score.value),
                          count_words(static_cast<double>(all.examples)), percent(all.score.value)));
  }
  for (const eval::DataNote& note : evidence.notes) {
    if (note.kind != "stray label" || note.message.find("kept apart") == std::string::npos) continue;
    changes.push_back(
        fmt::format("Labels that differ in case and spaces alone ({} rows) count as different ones: "
                    "--merge-labels makes them one.",
                    count_words(static_cast<double>(note.count))));
  }
  if (evidence.doubtful_labels > 0) {
    changes.push_back(fmt::format(
        "Better labels: {} look wrong to a model that had not seen them. Mending them may change more than "
        "another method would (loam classify compare lists them).",
        count_words(static_cast<double>(evidence.doubtful_labels))));
  }
  if (advice.hosted) {
    std::string text = fmt::format(
        "A hosted model: at the prices given its tokens cost {} a month ({} per "
        "thousand items). It was not measured.",
        money_words(advice.hosted->month, situation.currency),
        money_words(advice.hosted->per_thousand, situation.currency));
    if (advice.hosted->needed_score) {
      text += *advice.hosted->needed_score > 1
                  ? " Even without a single mistake it would cost more than the method chosen."
                  : fmt::format(" It would be worth it if it were right for more than {} of the items.",
                                percent(std::max(0.0, *advice.hosted->needed_score)));
    }
    if (situation.reach != Reach::third_party)
      text += " As said, the texts may not go to a third party, so that it is no choice.";
    changes.push_back(std::move(text));
  } else if (situation.reach == Reach::third_party) {
    changes.push_back("A hosted model: give --price-in and --price-out to see what it would cost.");
  }
  if (situation.task == AdviceTask::classify && advice.verdict != Verdict::tuned_head &&
      evidence.fewest_of_a_label >= kExamplesToTrain && chosen != nullptr &&
      evidence.candidates[chosen->candidate].score.value < situation.target) {
    changes.push_back(
        fmt::format("A model trained on your examples: every label has at least {}, enough to try.",
                    count_words(static_cast<double>(evidence.fewest_of_a_label))));
  }
}

void note_assumptions(Advice& advice, const Situation& situation) {
  if (situation.target_implied) {
    advice.assumed.push_back(
        fmt::format("The target of {} follows from the costs: below it a mistake ({}) costs more than a "
                    "person's look ({}).",
                    percent(situation.target), money_words(situation.error_cost, situation.currency),
                    money_words(situation.check_cost, situation.currency)));
  }
  if (situation.error_cost <= 0 && situation.check_cost <= 0) {
    advice.assumed.push_back(
        "Nobody said what a mistake or a person's look costs, so that methods are ranked by how often they "
        "are "
        "right (--error-cost, --check-cost).");
  } else if (situation.error_cost <= 0) {
    advice.assumed.push_back(
        "Nobody said what a mistake costs: only the work of people counts (--error-cost).");
  } else if (situation.check_cost <= 0) {
    advice.assumed.push_back(
        "Nobody said what it costs when a person does one item: the method decides everything "
        "(--check-cost).");
  }
  if (situation.machine_month <= 0)
    advice.assumed.push_back("This machine is there anyway and costs nothing more (--machine-cost).");
}

}  // namespace

std::string_view words_for(Rung rung) {
  switch (rung) {
    case Rung::none:
      return "no model";
    case Rung::classical:
      return "counted words";
    case Rung::embeddings:
      return "embedding model";
    case Rung::small_model:
      return "small language model";
    case Rung::tuned_head:
      return "small trained model";
    case Rung::larger_model:
      return "larger language model";
    case Rung::remote_model:
      return "hosted language model";
  }
  return "";
}

std::string count_words(double count) {
  if (std::abs(count) < 10 && std::abs(count - std::round(count)) > 0.05) return fmt::format("{:.1f}", count);
  std::string digits = fmt::format("{:.0f}", count);
  const std::size_t first = digits.starts_with("-") ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string money_words(double money, std::string_view currency) {
  if (std::abs(money) < 0.005 && money != 0) return fmt::format("{:.2g} {}", money, currency);
  if (std::abs(money) < 100) return fmt::format("{:.2f} {}", money, currency);
  return fmt::format("{} {}", count_words(std::round(money)), currency);
}

std::string hours_words(double hours) {
  if (hours >= 100) return count_words(hours) + " hours";
  if (hours >= 1) return fmt::format("{:.1f} hours", hours);
  const double minutes = hours * 60;
  if (minutes >= 1.5) return fmt::format("{:.0f} minutes", minutes);
  return minutes * 60 >= 1 ? fmt::format("{:.0f} seconds", minutes * 60) : "less than a second";
}

std::string wait_words(double milliseconds) {
  if (milliseconds < 0.01) return "less than 0.01 ms";
  if (milliseconds < 10) return fmt::format("{:.2f} ms", milliseconds);
  if (milliseconds < 1000) return fmt::format("{:.0f} ms", milliseconds);
  return fmt::format("{:.1f} s", milliseconds / 1000);
}

void fill_words(Advice& advice, const Situation& situation, const Evidence& evidence,
                const RankedCandidate* chosen, const RankedCandidate* best) {
  const Candidate* winner = chosen == nullptr ? nullptr : &evidence.candidates[chosen->candidate];
  advice.headline = headline_of(advice.verdict, situation, winner);
  if (chosen != nullptr && best != nullptr) {
    explain_choice(advice, situation, evidence, *chosen, *best);
  } else {
    for (const RankedCandidate& one : advice.ranked) {
      advice.because.push_back(
          fmt::format("{} cannot be chosen: {}.", evidence.candidates[one.candidate].name, one.excluded));
    }
  }
  explain_changes(advice, situation, evidence, chosen, best);
  note_assumptions(advice, situation);
}

}  // namespace loam::tasks
