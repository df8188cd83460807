// The advice for programs (JSON) and as one page with pictures.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "eval/chart.h"
#include "eval/estimate_json.h"
#include "eval/html_page.h"
#include "tasks/advise.h"

namespace loam::tasks {
namespace {

constexpr double kDaysPerMonth = 365.25 / 12.0;

Json number_or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

Json cost_json(const MonthlyCost& cost) {
  return {{"items", cost.items},
          {"machine_hours", cost.machine_hours},
          {"machines", cost.machines},
          {"by_people", cost.by_people},
          {"wrong", cost.wrong},
          {"machine", number_or_null(cost.machine)},
          {"people", number_or_null(cost.people)},
          {"mistakes", number_or_null(cost.mistakes)},
          {"total", cost.total}};
}

bool has_money(const Situation& situation) {
  return situation.error_cost > 0 || situation.check_cost > 0 || situation.machine_month > 0;
}

/// Scores of all methods, the chosen one strong.
std::string score_chart(const Advice& advice, const Situation& situation, const Evidence& evidence) {
  eval::IntervalChart chart;
  chart.title = "How good is each method?";
  chart.subtitle = fmt::format("{} on {} items that it had not seen, with 95% intervals", evidence.metric,
                               count_words(static_cast<double>(evidence.sample_items)));
  chart.axis.label = evidence.metric;
  chart.axis.unit = eval::AxisUnit::percent;
  std::vector<const Candidate*> shown;
  for (const Candidate& one : evidence.candidates) {
    if (one.scored) shown.push_back(&one);
  }
  std::stable_sort(shown.begin(), shown.end(),
                   [](const auto* a, const auto* b) { return a->score.value > b->score.value; });
  for (const Candidate* one : shown) {
    chart.rows.push_back({one->name, one->score.value, one->score.low, one->score.high,
                          fmt::format("{}, {} an item", words_for(one->rung), wait_words(one->ms_per_item)),
                          one->name == advice.chosen ? eval::Emphasis::strong
                          : one->trivial             ? eval::Emphasis::faint
                                                     : eval::Emphasis::normal});
  }
  if (situation.task == AdviceTask::classify || situation.task == AdviceTask::answer)
    chart.references.push_back({situation.target, "target"});
  return eval::svg_of(chart);
}

/// Share right among what is decided alone, over the share decided alone. Long curves are thinned.
std::string doubt_chart(const Advice& advice, const Situation& situation, const Evidence& evidence) {
  constexpr std::size_t kMostPoints = 300;
  constexpr double kFirstShare = 0.02;  // a handful of items says nothing
  eval::LineChart chart;
  chart.title = "How much can it decide alone?";
  chart.subtitle = "Most confident items first: the more it decides without a person, the more mistakes";
  chart.x = {"share of the items decided alone", eval::AxisUnit::percent, eval::AxisScale::linear, 0.0, 1.0};
  chart.y = {"share of these that are right", eval::AxisUnit::percent, eval::AxisScale::linear, {}, 1.0};
  for (const RankedCandidate& ranked : advice.ranked) {
    const Candidate& one = evidence.candidates[ranked.candidate];
    if (!one.scored || one.trivial || one.risk.size() < 2 || chart.series.size() >= 4) continue;
    eval::LineSeries series;
    series.name = one.name;
    const std::size_t step = std::max<std::size_t>(1, one.risk.size() / kMostPoints);
    for (std::size_t i = 0; i < one.risk.size(); i += step) {
      if (one.risk[i].coverage < kFirstShare) continue;
      series.points.push_back({one.risk[i].coverage, 1 - one.risk[i].error, {}, {}});
    }
    if (!series.points.empty()) chart.series.push_back(std::move(series));
  }
  if (chart.series.empty()) return "";
  chart.horizontal.push_back({situation.target, "target"});
  return eval::svg_of(chart);
}

std::string learning_chart(const Advice& advice, const Evidence& evidence) {
  if (evidence.learning.size() < 2) return "";
  eval::LineChart chart;
  chart.title = "Would more examples help?";
  chart.subtitle = fmt::format("{} fitted on fewer examples, tested on the same items", advice.chosen);
  chart.x = {"examples to learn from", eval::AxisUnit::number, eval::AxisScale::logarithmic, {}, {}};
  chart.y = {evidence.metric, eval::AxisUnit::percent, eval::AxisScale::linear, {}, {}};
  eval::LineSeries series;
  series.name = advice.chosen;
  series.markers = true;
  for (const LearningPoint& one : evidence.learning)
    series.points.push_back(
        {static_cast<double>(one.examples), one.score.value, one.score.low, one.score.high});
  chart.series.push_back(std::move(series));
  return eval::svg_of(chart);
}

/// Money a month over the volume, for every method, a hosted model and people.
std::string cost_chart(const Advice& advice, const Situation& situation, const Evidence& evidence) {
  if (!has_money(situation) && !advice.hosted) return "";
  eval::LineChart chart;
  chart.title = "What does a month cost at other volumes?";
  chart.subtitle = "Machine, people and mistakes together, as far as their prices are known";
  chart.x = {"items a day", eval::AxisUnit::number, eval::AxisScale::logarithmic, {}, {}};
  chart.y = {situation.currency + " a month", eval::AxisUnit::number, eval::AxisScale::logarithmic, {}, {}};
  std::vector<double> volumes;
  for (double factor = 0.01; factor < 150; factor *= 1.7782794)
    volumes.push_back(situation.items_per_day * factor);
  const auto add = [&](const std::string& name, const auto& money_at) {
    eval::LineSeries series;
    series.name = name;
    for (const double volume : volumes) {
      const double money = money_at(volume);
      if (money > 0) series.points.push_back({volume, money, {}, {}});
    }
    if (!series.points.empty()) chart.series.push_back(std::move(series));
  };
  for (const RankedCandidate& ranked : advice.ranked) {
    const Candidate& one = evidence.candidates[ranked.candidate];
    if (!one.scored || one.trivial || chart.series.size() >= 4) continue;
    add(one.name, [&](double volume) {
      Situation at = situation;
      at.items_per_day = volume;
      return monthly_cost(at, one).total;
    });
  }
  if (advice.hosted) {
    add("hosted model, its tokens alone",
        [&](double volume) { return advice.hosted->per_thousand / 1000 * volume * kDaysPerMonth; });
  }
  if (situation.check_cost > 0) {
    add("people do everything", [&](double volume) { return volume * kDaysPerMonth * situation.check_cost; });
  }
  chart.vertical.push_back({situation.items_per_day, "today"});
  return eval::svg_of(chart);
}

std::string reach_words(Reach reach) {
  switch (reach) {
    case Reach::this_machine:
      return "texts stay on this machine";
    case Reach::own_network:
      return "texts stay in our own network";
    case Reach::third_party:
      return "texts may go to a third party";
  }
  return "";
}

std::string or_unknown(double money, const std::string& currency) {
  return money > 0 ? money_words(money, currency) : "not said";
}

}  // namespace

Json to_json(const Advice& advice, const Situation& situation, const Evidence& evidence) {
  Json methods = Json::array();
  for (const RankedCandidate& ranked : advice.ranked) {
    const Candidate& one = evidence.candidates[ranked.candidate];
    Json method = {{"name", one.name}, {"rung", name_of(one.rung)}, {"scored", one.scored}};
    if (!one.scored) {
      method["excluded"] = ranked.excluded;
      methods.push_back(std::move(method));
      continue;
    }
    method.update({{"score", estimate_json(one.score)},
                   {"ms_per_item", one.ms_per_item},
                   {"memory_mb", one.memory_mb},
                   {"loss", ranked.loss},
                   {"more_than_best", ranked.more_than_best},
                   {"p", ranked.p},
                   {"minimum_detectable", ranked.detectable},
                   {"excluded", ranked.excluded.empty() ? Json() : Json(ranked.excluded)},
                   {"month", cost_json(ranked.cost)},
                   {"note", one.note},
                   {"run", number_of(one.run) == 0 ? Json() : Json(number_of(one.run))}});
    method["alone"] = one.knows_doubt
                          ? Json{{"target", one.alone.target},       {"coverage", one.alone.coverage},
                                 {"accuracy", one.alone.accuracy},   {"low", one.alone.low},
                                 {"threshold", one.alone.threshold}, {"n", one.alone.n}}
                          : Json();
    methods.push_back(std::move(method));
  }
  Json learning = Json::array();
  for (const LearningPoint& one : evidence.learning)
    learning.push_back({{"examples", one.examples}, {"score", estimate_json(one.score)}});
  Json notes = Json::array();
  for (const eval::DataNote& note : evidence.notes)
    notes.push_back(
        {{"kind", note.kind}, {"message", note.message}, {"lines", note.lines}, {"count", note.count}});
  return {{"verdict", name_of(advice.verdict)},
          {"headline", advice.headline},
          {"chosen", advice.chosen.empty() ? Json() : Json(advice.chosen)},
          {"because", advice.because},
          {"changes", advice.changes},
          {"assumed", advice.assumed},
          {"situation",
           {{"task", name_of(situation.task)},
            {"items_per_day", situation.items_per_day},
            {"latency_ms", situation.latency_ms > 0 ? Json(situation.latency_ms) : Json()},
            {"reach", name_of(situation.reach)},
            {"target", situation.target},
            {"error_cost", situation.error_cost > 0 ? Json(situation.error_cost) : Json()},
            {"check_cost", situation.check_cost > 0 ? Json(situation.check_cost) : Json()},
            {"machine_month", situation.machine_month > 0 ? Json(situation.machine_month) : Json()},
            {"api_input_price", situation.api_input_price},
            {"api_output_price", situation.api_output_price},
            {"currency", situation.currency}}},
          {"data",
           {{"file", evidence.data.file}, {"sha256", evidence.data.sha256}, {"items", evidence.data.items}}},
          {"metric", evidence.metric},
          {"items", {{"examples", evidence.examples}, {"test", evidence.sample_items}}},
          {"machine", evidence.machine},
          {"methods", std::move(methods)},
          {"learning", std::move(learning)},
          {"tokens", {{"in", evidence.tokens_in}, {"out", evidence.tokens_out}}},
          {"hosted", advice.hosted ? Json{{"month", advice.hosted->month},
                                          {"per_thousand", advice.hosted->per_thousand},
                                          {"needed_score", number_or_null(advice.hosted->needed_score)}}
                                   : Json()},
          {"people", situation.check_cost > 0 ? Json(advice.all_by_people.total) : Json()},
          {"doubtful_labels", evidence.doubtful_labels},
          {"notes", std::move(notes)}};
}

std::string advice_page(const Advice& advice, const Situation& situation, const Evidence& evidence,
                        const std::vector<std::string>& next_steps) {
  eval::HtmlPage page("Do we need a language model for this?");
  page.lead(advice.headline);
  page.list(advice.because);

  page.heading("What was measured");
  page.figure(score_chart(advice, situation, evidence));
  eval::HtmlTable table;
  table.columns = {{"method", eval::CellAlign::left},         {"what it needs", eval::CellAlign::left},
                   {evidence.metric, eval::CellAlign::right}, {"95% interval", eval::CellAlign::right},
                   {"decided alone", eval::CellAlign::right}, {"an item", eval::CellAlign::right},
                   {"memory", eval::CellAlign::right}};
  for (const RankedCandidate& ranked : advice.ranked) {
    const Candidate& one = evidence.candidates[ranked.candidate];
    if (one.name == advice.chosen) table.strong_rows.push_back(table.rows.size());
    if (!one.scored) {
      table.rows.push_back({one.name, ranked.excluded, "", "", "", "", ""});
      continue;
    }
    table.rows.push_back({one.name, std::string(words_for(one.rung)), percent(one.score.value),
                          fmt::format("{} to {}", percent(one.score.low), percent(one.score.high)),
                          !one.knows_doubt         ? ""
                          : one.alone.decided == 0 ? "none"
                                                   : percent(one.alone.coverage),
                          wait_words(one.ms_per_item), fmt::format("{:.0f} MB", std::ceil(one.memory_mb))});
  }
  page.table(table);
  for (const Candidate& one : evidence.candidates) {
    if (one.scored && !one.note.empty()) page.note(one.name + ": " + one.note);
  }
  if (const std::string svg = doubt_chart(advice, situation, evidence); !svg.empty()) page.figure(svg);
  if (const std::string svg = learning_chart(advice, evidence); !svg.empty()) page.figure(svg);

  page.heading(fmt::format("A month at {} items a day", count_words(situation.items_per_day)));
  eval::HtmlTable costs;
  costs.columns = {{"", eval::CellAlign::left},
                   {"machine time", eval::CellAlign::right},
                   {"items for people", eval::CellAlign::right},
                   {"mistakes", eval::CellAlign::right}};
  const bool money = has_money(situation);
  if (money) costs.columns.push_back({"cost", eval::CellAlign::right});
  for (const RankedCandidate& ranked : advice.ranked) {
    const Candidate& one = evidence.candidates[ranked.candidate];
    if (!one.scored) continue;
    if (one.name == advice.chosen) costs.strong_rows.push_back(costs.rows.size());
    std::vector<std::string> row = {one.name, hours_words(ranked.cost.machine_hours),
                                    count_words(ranked.cost.by_people), count_words(ranked.cost.wrong)};
    if (money) row.push_back(money_words(ranked.cost.total, situation.currency));
    costs.rows.push_back(std::move(row));
  }
  if (money && situation.check_cost > 0) {
    costs.rows.push_back({"people do everything", "", count_words(advice.all_by_people.by_people),
                          "not known", money_words(advice.all_by_people.total, situation.currency)});
  }
  if (advice.hosted) {
    std::vector<std::string> row = {"hosted model, its tokens alone (not measured)", "", "", "not known"};
    if (!money) {
      costs.columns.push_back({"cost", eval::CellAlign::right});
      for (auto& other : costs.rows) other.emplace_back("");
    }
    row.push_back(money_words(advice.hosted->month, situation.currency));
    costs.rows.push_back(std::move(row));
  }
  page.table(costs);
  if (const std::string svg = cost_chart(advice, situation, evidence); !svg.empty()) page.figure(svg);

  page.heading("What would change this");
  page.list(advice.changes);
  page.heading("What to do next");
  page.list(next_steps);
  page.heading("What was said and assumed");
  page.facts(
      {{"task", std::string(name_of(situation.task))},
       {"items a day", count_words(situation.items_per_day)},
       {"longest wait", situation.latency_ms > 0 ? wait_words(situation.latency_ms) : "any"},
       {"privacy", reach_words(situation.reach)},
       {"target", percent(situation.target)},
       {"a mistake costs", or_unknown(situation.error_cost, situation.currency)},
       {"a person's item costs", or_unknown(situation.check_cost, situation.currency)},
       {"this machine costs a month", or_unknown(situation.machine_month, situation.currency)},
       {"machine", evidence.machine},
       {"data", fmt::format("{}, {} items, SHA-256 {}", evidence.data.file,
                            count_words(static_cast<double>(evidence.data.items)), evidence.data.sha256)}});
  page.list(advice.assumed);
  if (!evidence.notes.empty()) {
    page.heading("What the data is like");
    std::vector<std::string> notes;
    for (const eval::DataNote& note : evidence.notes) notes.push_back(note.kind + ": " + note.message);
    page.list(notes);
  }
  return page.text();
}

}  // namespace loam::tasks
