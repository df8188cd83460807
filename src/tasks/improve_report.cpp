// Small steps, summed over time: as a picture and as a page.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "eval/chart.h"
#include "eval/html_page.h"
#include "tasks/improve.h"

namespace loam::tasks {
namespace {

/// Steps that can be summed: one task, one score, one scope.
struct Line {
  std::string name;
  std::vector<ImproveStep> steps;  ///< confirmed ones, oldest first
};

bool counts(const ImproveStep& step) { return step.adopted && !step.taken_back; }

std::vector<Line> lines_of(const std::vector<ImproveStep>& steps) {
  std::vector<Line> lines;
  for (const ImproveStep& step : steps) {
    if (!step.confirmed) continue;
    const std::string name =
        step.task + " (" + step.metric + "), " + (step.scope_name.empty() ? step.scope : step.scope_name);
    auto at = std::find_if(lines.begin(), lines.end(), [&](const Line& line) { return line.name == name; });
    if (at == lines.end()) at = lines.insert(lines.end(), {name, {}});
    at->steps.push_back(step);
  }
  return lines;
}

eval::LineChart chart_of(const std::vector<Line>& lines) {
  eval::LineChart chart;
  chart.title = "What adopted improvements add up to";
  chart.subtitle = "each gain measured on items that chose nothing, with 95% intervals";
  chart.x.label = "time (UTC)";
  chart.x.unit = eval::AxisUnit::time;
  chart.y.label = "gain, summed";
  std::int64_t first = 0, last = 0;
  for (const Line& line : lines) {
    for (const ImproveStep& step : line.steps) {
      if (first == 0 || step.at < first) first = step.at;
      last = std::max(last, step.at);
    }
  }
  const std::int64_t before = std::max<std::int64_t>(60, (last - first) / 20);
  for (const Line& line : lines) {
    eval::LineSeries series;
    series.name = line.name;
    series.shape = eval::LineShape::steps;
    series.markers = true;
    const std::vector<eval::Estimate> sums = cumulative_gain(line.steps);
    series.points.push_back({static_cast<double>(line.steps.front().at - before), 0, 0.0, 0.0});
    for (std::size_t i = 0; i < sums.size(); ++i) {
      series.points.push_back(
          {static_cast<double>(line.steps[i].at), sums[i].value, sums[i].low, sums[i].high});
    }
    // The last level stays visible beyond its step.
    eval::LinePoint end = series.points.back();
    end.x = static_cast<double>(last + before);
    series.points.push_back(end);
    chart.series.push_back(std::move(series));
  }
  chart.horizontal.push_back({0, "before"});
  chart.footer =
      "The line rises where a confirmed winner was adopted and has not been taken back. The band adds the "
      "intervals as independent ones: looks at the same held-out items are not.";
  return chart;
}

eval::IntervalChart gains_of(const Line& line) {
  eval::IntervalChart chart;
  chart.title = "Gains of " + line.name;
  chart.axis.label = "gain on the held-out part";
  chart.references.push_back({0, "no gain"});
  for (const ImproveStep& step : line.steps) {
    eval::IntervalRow row;
    row.label = step.winner_name;
    row.value = step.gain.value;
    row.low = step.gain.low;
    row.high = step.gain.high;
    row.note = fmt::format("run {}, {} items, p = {:.3g}, {}", number_of(step.run), step.gain.n, step.p,
                           step.taken_back ? "taken back"
                           : step.adopted  ? "adopted"
                                           : step.decision);
    row.emphasis = counts(step) ? eval::Emphasis::strong : eval::Emphasis::faint;
    chart.rows.push_back(std::move(row));
  }
  chart.footer = "An interval that reaches below zero leaves room for no gain at all.";
  return chart;
}

std::string fate_of(const ImproveStep& step) {
  if (step.taken_back) return "adopted, taken back";
  if (step.adopted) return "adopted";
  return step.decision;
}

}  // namespace

std::vector<eval::Estimate> cumulative_gain(const std::vector<ImproveStep>& steps) {
  std::vector<eval::Estimate> sums;
  double value = 0, below = 0, above = 0;
  std::size_t n = 0;
  for (const ImproveStep& step : steps) {
    if (counts(step)) {
      value += step.gain.value;
      below += std::pow(step.gain.value - step.gain.low, 2);
      above += std::pow(step.gain.high - step.gain.value, 2);
      n += step.gain.n;
    }
    sums.push_back({value, value - std::sqrt(below), value + std::sqrt(above), n});
  }
  return sums;
}

std::string improvement_svg(const std::vector<ImproveStep>& steps) {
  return eval::svg_of(chart_of(lines_of(steps)));
}

std::string improvement_html(const std::vector<ImproveStep>& steps) {
  const std::vector<Line> lines = lines_of(steps);
  eval::HtmlPage page("Improvements");
  std::size_t adopted = 0, confirmed = 0;
  for (const ImproveStep& step : steps) {
    adopted += counts(step) ? 1 : 0;
    confirmed += step.confirmed ? 1 : 0;
  }
  page.lead(fmt::format("{} searches, {} winners looked at on held-out items, {} adopted and in force.",
                        steps.size(), confirmed, adopted));
  page.figure(eval::svg_of(chart_of(lines)), "Cumulative gain");
  for (const Line& line : lines) page.figure(eval::svg_of(gains_of(line)), line.name);
  page.heading("All searches");
  eval::HtmlTable table;
  table.caption = "Newest first";
  table.columns = {{"Run", eval::CellAlign::right},
                   {"Task"},
                   {"For"},
                   {"Winner"},
                   {"Gain", eval::CellAlign::right},
                   {"95% interval"},
                   {"p", eval::CellAlign::right},
                   {"Items", eval::CellAlign::right},
                   {"Look", eval::CellAlign::right},
                   {"What came of it"}};
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    if (counts(*step)) table.strong_rows.push_back(table.rows.size());
    table.rows.push_back({std::to_string(number_of(step->run)), step->task + " (" + step->metric + ")",
                          step->scope_name, step->winner_name, fmt::format("{:+.3f}", step->gain.value),
                          step->confirmed ? fmt::format("{:+.3f} to {:+.3f}", step->gain.low, step->gain.high)
                                          : "development only",
                          step->confirmed ? fmt::format("{:.3g}", step->p) : "", std::to_string(step->gain.n),
                          step->look > 0 ? std::to_string(step->look) : "", fate_of(*step)});
  }
  page.table(table);
  page.note(
      "A gain is the winner's mean score less that of the settings before, on items that had no part in "
      "choosing it. Gains of development alone are flattering: the winner was picked for them.");
  return page.text();
}

}  // namespace loam::tasks
