// Which method to take, and why, in words that need no statistics.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/json.h"
#include "eval/estimate_json.h"
#include "eval/significance.h"
#include "tasks/classify_parts.h"

namespace loam::tasks {
namespace {

constexpr double kLevel = 0.05;
// A test part that cannot show a difference of this size says little about which method is best.
constexpr double kCoarse = 0.05;

/// Scores of both on the items that both were scored on.
struct SharedItems {
  std::vector<double> a, b;
  std::vector<std::string> clusters;
};

SharedItems shared_items(const MethodScore& a, const MethodScore& b,
                         const std::vector<std::string>& clusters) {
  SharedItems shared;
  bool clustered = false;
  std::size_t at = 0;
  for (std::size_t i = 0; i < b.test_index.size(); ++i) {  // both ascend
    while (at < a.test_index.size() && a.test_index[at] < b.test_index[i]) ++at;
    if (at == a.test_index.size() || a.test_index[at] != b.test_index[i]) continue;
    shared.a.push_back(a.correct[at]);
    shared.b.push_back(b.correct[i]);
    shared.clusters.push_back(clusters[b.test_index[i]]);
    clustered = clustered || !shared.clusters.back().empty();
  }
  if (!clustered) {
    shared.clusters.clear();
    return shared;
  }
  for (std::size_t i = 0; i < shared.clusters.size(); ++i) {  // an item without one stands alone
    if (shared.clusters[i].empty()) shared.clusters[i] = "\n" + std::to_string(i);
  }
  return shared;
}

std::string milliseconds(double ms) {
  return ms < 0.01 ? "less than 0.01 ms"
         : ms < 10 ? fmt::format("{:.2f} ms", ms)
                   : fmt::format("{:.0f} ms", ms);
}

std::string needs_of(const std::string& name) {
  const auto method = method_named(name);
  if (method && needs_language_model(*method)) return "a language model";
  if (method && needs_embedder(*method)) return "an embedding model and no language model";
  return "no model at all";
}

std::string cost_of(const MethodScore& score) {
  return fmt::format("It takes {} an item and {:.0f} MB, and needs {}.", milliseconds(score.ms_per_item),
                     std::max(1.0, score.memory_mb), needs_of(score.name));
}

std::string automation_of(const MethodScore& score) {
  for (const eval::Automation& one : score.automation) {
    if (std::abs(one.target - 0.95) > 1e-9) continue;
    if (one.decided == 0) return " No share of the items can be shown to be decided alone at 95% accuracy.";
    return fmt::format(
        " At a target accuracy of 95% it decides {} of the items alone (measured: {} right), the rest "
        "goes to a person.",
        percent(one.coverage), percent(one.accuracy));
  }
  return "";
}

}  // namespace

Result<void> rank_and_recommend(ClassifierComparison& comparison, const std::vector<std::string>& clusters) {
  std::vector<MethodScore>& methods = comparison.methods;
  std::stable_sort(methods.begin(), methods.end(), [](const MethodScore& a, const MethodScore& b) {
    if (a.scored != b.scored) return a.scored;
    return a.scored && a.accuracy.value > b.accuracy.value;
  });
  const auto end_of_scored =
      std::find_if(methods.begin(), methods.end(), [](const auto& one) { return !one.scored; });
  const std::span<MethodScore> ranked(methods.begin(), end_of_scored);
  if (ranked.empty()) {
    return Error{Kind::unavailable, "classify compare", "no method could run",
                 methods.empty() ? "" : methods.front().note};
  }
  // A method scored on a few items only may look best by luck: best is the one that is best among those
  // scored on all of them, unless one scored on fewer beats it on their shared items.
  std::size_t best_at = 0;
  while (best_at + 1 < ranked.size() && ranked[best_at].test_items < comparison.test_items) ++best_at;
  if (ranked[best_at].test_items < comparison.test_items) best_at = 0;
  for (std::size_t i = 0; i < ranked.size(); ++i) {
    if (ranked[i].test_items >= comparison.test_items) continue;
    const SharedItems shared = shared_items(ranked[best_at], ranked[i], clusters);
    if (shared.a.empty()) continue;
    auto tested = eval::compare_paired(shared.a, shared.b, shared.clusters);
    if (tested && tested->difference.value > 0 && tested->p < kLevel) best_at = i;
  }
  const MethodScore& best = ranked[best_at];
  std::vector<double> p;
  std::vector<std::size_t> of;
  for (std::size_t i = 0; i < ranked.size(); ++i) {
    if (i == best_at) continue;
    const SharedItems shared = shared_items(best, ranked[i], clusters);
    if (shared.a.empty()) continue;
    auto tested = eval::compare_paired(shared.a, shared.b, shared.clusters);
    if (!tested) return tested.error();
    ranked[i].difference_to_best = tested->difference.value;
    ranked[i].detectable = tested->minimum_detectable;
    p.push_back(tested->p);
    of.push_back(i);
  }
  const std::vector<double> adjusted = eval::holm(p);
  for (std::size_t i = 0; i < of.size(); ++i) ranked[of[i]].p_to_best = adjusted[i];

  // The cheapest that is not shown to be worse. Methods are cheap in a fixed order, so that the noise of a
  // clock does not decide.
  const auto rank_of_cost = [](const MethodScore& score) {
    return method_named(score.name).value_or(Method::llm_few_shot);
  };
  std::size_t chosen_at = best_at;
  for (std::size_t i = 0; i < ranked.size(); ++i) {
    const bool worse = i != best_at && ranked[i].difference_to_best < 0 && ranked[i].p_to_best < kLevel;
    if (!worse && rank_of_cost(ranked[i]) < rank_of_cost(ranked[chosen_at])) chosen_at = i;
  }
  const MethodScore& chosen = ranked[chosen_at];
  std::string reason;
  if (rank_of_cost(chosen) == Method::majority) {
    reason = fmt::format(
        "No method is shown to be better than always giving the most frequent label, which is right for {} "
        "of "
        "{} items.",
        percent(chosen.accuracy.value), thousands(chosen.test_items));
    if (chosen_at != best_at) {
      reason += fmt::format(" The best, {}, is ahead by {}, which chance explains ({}).", best.name,
                            points(chosen.difference_to_best), chance(chosen.p_to_best));
    }
  } else if (chosen_at == best_at) {
    reason = fmt::format("{} is right most often: {} ({} to {}) of {} test items.", chosen.name,
                         percent(chosen.accuracy.value), percent(chosen.accuracy.low),
                         percent(chosen.accuracy.high), thousands(chosen.test_items));
    const MethodScore* cheaper = nullptr;  // the best of the cheaper ones
    for (const MethodScore& one : ranked) {
      if (rank_of_cost(one) < rank_of_cost(chosen) && rank_of_cost(one) != Method::majority &&
          (cheaper == nullptr || one.accuracy.value > cheaper->accuracy.value)) {
        cheaper = &one;
      }
    }
    if (cheaper != nullptr) {
      reason +=
          fmt::format(" The best of the cheaper ones, {}, is worse by {}, which is more than chance ({}).",
                      cheaper->name, points(cheaper->difference_to_best), chance(cheaper->p_to_best));
    }
  } else {
    reason = fmt::format(
        "{} is right for {} of {} test items. The best, {}, is {}: a difference that these items cannot tell "
        "from "
        "chance ({}). {} is cheaper: {} an item in place of {}.",
        chosen.name, percent(chosen.accuracy.value), thousands(chosen.test_items), best.name,
        chosen.difference_to_best < 0 ? "ahead by " + points(chosen.difference_to_best)
                                      : std::string("not ahead of it"),
        chance(chosen.p_to_best), chosen.name, milliseconds(chosen.ms_per_item),
        milliseconds(best.ms_per_item));
  }
  if (rank_of_cost(chosen) != Method::majority) reason += " " + cost_of(chosen) + automation_of(chosen);
  const MethodScore* asked_model = nullptr;
  for (const MethodScore& one : ranked) {
    if (needs_language_model(rank_of_cost(one)) && &one != &chosen && &one != &best &&
        (asked_model == nullptr || one.accuracy.value > asked_model->accuracy.value)) {
      asked_model = &one;
    }
  }
  if (asked_model != nullptr) {
    reason +=
        fmt::format(" The language model ({}) is right for {} of the {} items it was given, at {} an item.",
                    asked_model->name, percent(asked_model->accuracy.value),
                    thousands(asked_model->test_items), milliseconds(asked_model->ms_per_item));
  }
  double coarse = 0;
  for (const MethodScore& one : ranked) {
    // One that saw only some of the items says nothing about what all of them can show.
    if (one.test_items < comparison.test_items) continue;
    if (&one != &best && (chosen_at == best_at || &one == &chosen)) coarse = std::max(coarse, one.detectable);
  }
  if (coarse > kCoarse && chosen.test_items == comparison.test_items) {
    reason += fmt::format(
        " {} test items show only differences above about {}: with more labelled items the choice "
        "would be safer.",
        thousands(comparison.test_items), points(coarse));
  }
  comparison.recommended = {chosen.name, reason};
  return done();
}

Json to_json(const ClassifierComparison& comparison, const CompareRequest& request) {
  Json methods = Json::array();
  for (const MethodScore& one : comparison.methods) {
    if (!one.scored) {
      methods.push_back({{"name", one.name}, {"scored", false}, {"note", one.note}});
      continue;
    }
    Json automation = Json::array();
    for (const eval::Automation& at : one.automation) {
      automation.push_back({{"target", at.target},
                            {"coverage", at.coverage},
                            {"threshold", at.threshold},
                            {"accuracy", at.accuracy},
                            {"low", at.low},
                            {"decided", at.decided},
                            {"n", at.n},
                            {"met", at.met}});
    }
    auto settings = parse_json(one.settings, "settings");
    methods.push_back({{"name", one.name},
                       {"scored", true},
                       {"accuracy", estimate_json(one.accuracy)},
                       {"macro_f1", estimate_json(one.macro_f1)},
                       {"ms_per_item", one.ms_per_item},
                       {"fit_seconds", one.fit_seconds},
                       {"memory_mb", one.memory_mb},
                       {"calibration_error", one.calibration_error},
                       {"automation", std::move(automation)},
                       {"difference_to_best", one.difference_to_best},
                       {"p_to_best", one.p_to_best},
                       {"minimum_detectable", one.detectable},
                       {"items", one.test_items},
                       {"settings", settings ? *settings : Json()},
                       {"note", one.note},
                       {"run", number_of(one.run) == 0 ? Json() : Json(number_of(one.run))}});
  }
  Json notes = Json::array();
  for (const eval::DataNote& note : comparison.notes) {
    notes.push_back(
        {{"kind", note.kind}, {"message", note.message}, {"lines", note.lines}, {"count", note.count}});
  }
  Json suspects = Json::array();
  for (std::size_t i = 0; i < comparison.suspects.size() && i < 100; ++i) {
    const LabelSuspect& one = comparison.suspects[i];
    const eval::LabelledText& item = request.data.items[one.item];
    suspects.push_back({{"id", item.id},
                        {"line", item.line},
                        {"text", item.text},
                        {"label", one.label},
                        {"suggested", one.suggested},
                        {"doubt", one.doubt}});
  }
  return {{"methods", std::move(methods)},
          {"recommended", comparison.recommended.method},
          {"reason", comparison.recommended.reason},
          {"items",
           {{"train", comparison.train_items},
            {"validate", comparison.validate_items},
            {"test", comparison.test_items}}},
          {"labels", comparison.labels},
          {"folds", request.folds},
          {"shots", request.shots},
          {"draws", request.shots > 0 ? request.draws : 1},
          {"seed", request.seed},
          {"notes", std::move(notes)},
          {"suspects",
           {{"count", comparison.suspects.size()},
            {"method", comparison.suspects_method},
            {"items", std::move(suspects)}}}};
}

}  // namespace loam::tasks
