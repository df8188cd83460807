#include "eval/leaderboard.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <limits>
#include <map>
#include <set>

#include "eval/html_page.h"
#include "eval/run_json.h"

namespace loam::eval {
namespace {

/// What rows must share to stand on one board.
struct Ground {
  std::string file, sha256, split;
  friend bool operator==(const Ground& a, const Ground& b) {
    // Without a hash, the name is all there is to tell data apart.
    const bool same_data = a.sha256 == b.sha256 && (!a.sha256.empty() || a.file == b.file);
    return same_data && a.split == b.split;
  }
};

Ground ground_of(const Run& run) { return {run.data.file, run.data.sha256, run.split}; }

std::string text_of(const Ground& ground) {
  std::string text = ground.file.empty() ? std::string("unnamed data") : ground.file;
  if (!ground.sha256.empty()) text += fmt::format(" ({})", ground.sha256.substr(0, 8));
  if (!ground.split.empty()) text += fmt::format(", {}", ground.split);
  return text;
}

bool is_data(const Run& run, const std::string& wanted) {
  constexpr std::size_t kShortestHash = 4;
  const std::string& file = run.data.file;
  const std::size_t slash = file.rfind('/');
  return file == wanted || (slash != std::string::npos && file.substr(slash + 1) == wanted) ||
         (wanted.size() >= kShortestHash && run.data.sha256.starts_with(wanted));
}

const Metric* find_metric(const Run& run, std::string_view name) {
  for (const Metric& metric : run.metrics) {
    if (metric.name == name) return &metric;
  }
  return nullptr;
}

std::string contestant(const Run& run) {
  return run.name.empty() ? fmt::format("run {}", number_of(run.id)) : run.name;
}

std::string joined(const std::vector<std::string>& names) {
  if (names.size() < 2) return names.empty() ? "" : names.front();
  return fmt::format("{} and {}", fmt::join(names.begin(), names.end() - 1, ", "), names.back());
}

std::string value_of(double value) { return fmt::format("{:.3f}", value); }

std::string interval_of(const Estimate& e) {
  return e.low < e.high ? fmt::format("{} to {}", value_of(e.low), value_of(e.high)) : std::string("-");
}

std::string p_text(double p) { return p < 0.001 ? "< 0.001" : fmt::format("{:.3f}", p); }

std::string seconds_text(double seconds) {
  if (seconds < 120) return fmt::format("{:.{}f} s", seconds, seconds < 1 ? 2 : seconds < 10 ? 1 : 0);
  return fmt::format("{:.0f} min", seconds / 60);
}

/// Runs of the task that have scores, newest first; what is left out is counted.
Result<std::vector<Run>> scored_runs(store::Store& store, std::string_view task,
                                     std::vector<std::string>& notes) {
  auto all = runs(store, task, std::numeric_limits<int>::max());
  if (!all) return all;
  std::vector<Run> scored;
  std::size_t without = 0;
  for (Run& run : *all) {
    if (!run.damage.empty()) {
      notes.push_back(fmt::format("run {} is damaged and left out: {}", number_of(run.id), run.damage));
    } else if (run.metrics.empty()) {
      ++without;
    } else {
      scored.push_back(std::move(run));
    }
  }
  if (without > 0)
    notes.push_back(fmt::format("{} run{} without scores {} left out", without, without == 1 ? "" : "s",
                                without == 1 ? "is" : "are"));
  return scored;
}

Error no_runs(std::string_view task, std::string message) {
  return {Kind::bad_request, fmt::format("task \"{}\"", task), std::move(message), "loam ledger list"};
}

/// "; the ledger has classify, qa"
Result<std::string> tasks_of(store::Store& store) {
  std::set<std::string> tasks;
  auto read = store.for_each_run("", [&](const store::LedgerRow& row) {
    tasks.insert(row.task);
    return true;
  });
  if (!read) return read.error();
  return tasks.empty() ? std::string{} : fmt::format("; the ledger has {}", fmt::join(tasks, ", "));
}

/// The latest run of each contestant that has the metric.
std::vector<Run> latest_of_each(std::vector<Run> on_ground, const std::string& metric,
                                std::vector<std::string>& notes) {
  std::vector<Run> latest;
  std::set<std::string> seen;
  for (Run& run : on_ground) {
    if (!seen.insert(contestant(run)).second) continue;
    if (find_metric(run, metric) == nullptr) {
      notes.push_back(fmt::format("{} has no \"{}\" and is left out", called(run), metric));
    } else {
      latest.push_back(std::move(run));
    }
  }
  return latest;
}

/// Each row against the best, corrected over the board. One run's items are in memory beside the best's.
Result<void> compare_with_best(store::Store& store, Leaderboard& board, const CompareOptions& options) {
  if (board.rows.size() < 2) return done();
  auto best = load_run(store, board.rows.front().run.id);
  if (!best) return best.error();
  std::vector<double> ps;
  std::vector<std::size_t> compared;
  for (std::size_t i = 1; i < board.rows.size(); ++i) {
    BoardRow& row = board.rows[i];
    auto run = load_run(store, row.run.id);
    if (!run && run.error().kind != Kind::bad_data) return run.error();
    auto comparison =
        run ? compare_runs(*run, *best, board.metric, options) : Result<Comparison>(run.error());
    if (!comparison) {
      row.not_worse = false;
      board.notes.push_back(
          fmt::format("{} is not compared with the best: {}", called(row.run), comparison.error().message));
      continue;
    }
    if (const std::size_t left_out = comparison->only_a + comparison->only_b; left_out > 0) {
      board.notes.push_back(
          fmt::format("{} and the best share {} items; {} that only one of them has {} left out",
                      called(row.run), comparison->result.n, left_out, left_out == 1 ? "is" : "are"));
    }
    ps.push_back(comparison->result.p);
    row.behind = std::move(comparison->result);
    compared.push_back(i);
  }
  const std::vector<double> corrected = holm(ps);
  for (std::size_t i = 0; i < compared.size(); ++i) {
    BoardRow& row = board.rows[compared[i]];
    row.p = corrected[i];
    row.not_worse = row.p >= board.level;
  }
  return done();
}

std::vector<std::string> other_grounds(const std::vector<Run>& scored, const Ground& mine) {
  std::vector<std::pair<Ground, std::set<std::string>>> others;
  for (const Run& run : scored) {
    const Ground ground = ground_of(run);
    if (ground == mine) continue;
    auto found =
        std::find_if(others.begin(), others.end(), [&](const auto& one) { return one.first == ground; });
    if (found == others.end()) found = others.insert(others.end(), {ground, {}});
    found->second.insert(contestant(run));
  }
  std::vector<std::string> lines;
  for (const auto& [ground, names] : others)
    lines.push_back(
        fmt::format("{}: {} contestant{}", text_of(ground), names.size(), names.size() == 1 ? "" : "s"));
  return lines;
}

std::string cost_text(const Run& run) {
  std::string text = fmt::format("run {}", number_of(run.id));
  if (run.cost.seconds > 0) text += ", " + seconds_text(run.cost.seconds);
  if (run.cost.peak_mb) text += fmt::format(", {:.0f} MB", *run.cost.peak_mb);
  return text;
}

std::string ground_line(const Leaderboard& board) {
  std::string line = text_of({board.data.file, board.data.sha256, board.split});
  if (board.data.items > 0) line += fmt::format(", {} items", board.data.items);
  return line;
}

std::string date_of(std::int64_t unix_seconds) {
  const auto seconds = static_cast<std::time_t>(unix_seconds);
  std::tm parts{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return {};
  return fmt::format("{:04}-{:02}-{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
}

}  // namespace

Result<Leaderboard> leaderboard(store::Store& store, std::string_view task,
                                const LeaderboardOptions& options) {
  Leaderboard board;
  board.task = task;
  board.level = options.compare.level;
  auto scored = scored_runs(store, task, board.notes);
  if (!scored) return scored.error();
  if (scored->empty()) {
    if (!board.notes.empty()) return no_runs(task, "no run of it has scores");
    auto tasks = tasks_of(store);
    if (!tasks) return tasks.error();
    return no_runs(task, "no run of it is in the ledger" + *tasks);
  }

  const auto newest = std::find_if(scored->begin(), scored->end(), [&](const Run& run) {
    return (options.data.empty() || is_data(run, options.data)) &&
           (options.split.empty() || run.split == options.split) &&
           (options.metric.empty() || find_metric(run, options.metric) != nullptr);
  });
  if (newest == scored->end()) {
    std::vector<std::string> grounds;
    for (const Run& run : *scored) {
      const std::string text = text_of(ground_of(run));
      if (std::find(grounds.begin(), grounds.end(), text) == grounds.end()) grounds.push_back(text);
    }
    std::vector<std::string> metrics;
    for (const Metric& metric : scored->front().metrics) metrics.push_back(metric.name);
    return no_runs(task, fmt::format("no run fits; there is data {}, and the newest run has {}",
                                     fmt::join(grounds, "; "), fmt::join(metrics, ", ")));
  }
  const Ground ground = ground_of(*newest);
  board.data = newest->data;
  board.split = newest->split;
  board.metric = options.metric.empty() ? newest->metrics.front().name : options.metric;
  board.higher_is_better = find_metric(*newest, board.metric)->higher_is_better;
  board.others = other_grounds(*scored, ground);

  std::vector<Run> on_ground;
  for (Run& run : *scored) {
    if (ground_of(run) == ground) on_ground.push_back(std::move(run));
  }
  for (Run& run : latest_of_each(std::move(on_ground), board.metric, board.notes)) {
    BoardRow row;
    row.estimate = find_metric(run, board.metric)->estimate;
    row.run = std::move(run);
    board.rows.push_back(std::move(row));
  }
  // Equal scores: the one that took less time stands first.
  std::stable_sort(board.rows.begin(), board.rows.end(), [&](const BoardRow& a, const BoardRow& b) {
    if (a.estimate.value != b.estimate.value)
      return board.higher_is_better ? a.estimate.value > b.estimate.value
                                    : a.estimate.value < b.estimate.value;
    const auto known = [](double seconds) { return seconds > 0 ? seconds : 1e300; };
    return known(a.run.cost.seconds) < known(b.run.cost.seconds);
  });
  board.rows.front().is_best = true;
  if (auto compared = compare_with_best(store, board, options.compare); !compared) return compared.error();
  return board;
}

std::string summary_of(const Leaderboard& board) {
  const BoardRow& best = board.rows.front();
  std::string text =
      fmt::format("{} is best with {} {}", contestant(best.run), board.metric, value_of(best.estimate.value));
  if (best.estimate.low < best.estimate.high)
    text += fmt::format(" (between {} and {})", value_of(best.estimate.low), value_of(best.estimate.high));
  if (board.rows.size() == 1) return text + "; there is nothing yet to compare it with.";
  std::vector<std::string> equals;
  std::size_t compared = 0;
  double detectable = 0;
  for (const BoardRow& row : board.rows) {
    if (!row.behind) continue;
    ++compared;
    if (!row.not_worse) continue;
    detectable = std::max(detectable, row.behind->minimum_detectable);
    equals.push_back(contestant(row.run));
  }
  if (compared == 0) return text + "; no other run could be compared with it item by item.";
  if (equals.empty())
    return text + (compared == 1 ? ", significantly better than the other."
                                 : ", significantly better than all others.");
  text += fmt::format("; {} {} not significantly worse", joined(equals), equals.size() == 1 ? "is" : "are");
  if (detectable > 0)
    text +=
        fmt::format(" (differences below about {} could not be seen with these items)", value_of(detectable));
  return text + ".";
}

IntervalChart chart_of(const Leaderboard& board) {
  IntervalChart chart;
  chart.title = fmt::format("{}: {}", board.task, board.metric);
  chart.subtitle = ground_line(board);
  chart.axis.label = board.metric + (board.higher_is_better ? " (more is better)" : " (less is better)");
  for (const BoardRow& row : board.rows) {
    const Emphasis emphasis = row.is_best || (row.behind && row.not_worse) ? Emphasis::strong
                              : row.behind                                 ? Emphasis::faint
                                                                           : Emphasis::normal;
    chart.rows.push_back({contestant(row.run), row.estimate.value, row.estimate.low, row.estimate.high,
                          cost_text(row.run), emphasis});
  }
  if (!board.rows.empty()) chart.references.push_back({board.rows.front().estimate.value, "best"});
  chart.footer = fmt::format(
      "Bars: 95% intervals. Bold and filled: the best, and what is not significantly worse on the same items "
      "(paired "
      "test, Holm's correction, level {:g}). Hollow: significantly worse.",
      board.level);
  return chart;
}

std::string html_of(const Leaderboard& board) {
  HtmlPage page(fmt::format("Leaderboard: {}", board.task));
  page.lead(summary_of(board));
  page.figure(svg_of(chart_of(board)));

  HtmlTable table;
  table.caption = fmt::format("The latest run of each contestant by {}, best first", board.metric);
  const auto right = CellAlign::right;
  table.columns = {{"contestant"},    {board.metric, right}, {"95% interval", right},  {"n", right},
                   {"behind", right}, {"p", right},          {"could be seen", right}, {"run", right}};
  HtmlTable costs;
  costs.caption = "Whole runs; energy is that of the machine's processors while the run lasted";
  costs.columns = {{"contestant"},    {"time", right},   {"processor time", right},
                   {"tokens", right}, {"energy", right}, {"memory", right}};
  const auto known_time = [](double seconds) {
    return seconds > 0 ? seconds_text(seconds) : std::string("-");
  };
  for (const BoardRow& row : board.rows) {
    const Cost& cost = row.run.cost;
    const std::string behind = row.is_best  ? "best"
                               : row.behind ? value_of(std::abs(row.behind->difference.value))
                                            : "-";
    table.rows.push_back({contestant(row.run), value_of(row.estimate.value), interval_of(row.estimate),
                          std::to_string(row.estimate.n), behind, row.behind ? p_text(row.p) : "-",
                          row.behind ? value_of(row.behind->minimum_detectable) : "-",
                          std::to_string(number_of(row.run.id))});
    costs.rows.push_back({contestant(row.run), known_time(cost.seconds), known_time(cost.cpu_seconds),
                          cost.tokens > 0 ? std::to_string(cost.tokens) : "-",
                          cost.joules ? fmt::format("{:.0f} J", *cost.joules) : "-",
                          cost.peak_mb ? fmt::format("{:.0f} MB", *cost.peak_mb) : "-"});
    if (row.is_best || (row.behind && row.not_worse)) table.strong_rows.push_back(table.rows.size() - 1);
  }
  page.heading("The board").table(table);
  page.list({"Bold rows: the best, and those that are not significantly worse than it.",
             fmt::format(
                 "p: of \"no difference to the best\", paired on the same items, corrected by Holm's method "
                 "for the number of contestants; below {:g} counts as worse.",
                 board.level),
             "Could be seen: the smallest true difference to the best that these items show in 8 of 10 such "
             "experiments. A contestant that is \"not worse\" may be worse by less than that."});

  page.heading("What it cost").table(costs);

  page.heading("Measured on");
  std::set<std::string> machines;
  for (const BoardRow& row : board.rows) {
    if (!row.run.machine.empty()) machines.insert(row.run.machine);
  }
  std::vector<std::pair<std::string, std::string>> facts = {
      {"data", board.data.file.empty() ? "unnamed" : board.data.file},
      {"SHA-256", board.data.sha256.empty() ? "not given" : board.data.sha256},
      {"items", std::to_string(board.data.items)},
      {"part", board.split.empty() ? "all" : board.split},
      {"machine", machines.empty() ? "not given" : fmt::format("{}", fmt::join(machines, "; "))},
      {"newest run",
       date_of(std::max_element(board.rows.begin(), board.rows.end(), [](const auto& a, const auto& b) {
                 return a.run.at < b.run.at;
               })->run.at)}};
  page.facts(facts);
  if (!board.notes.empty()) page.heading("To be known").list(board.notes);
  if (!board.others.empty()) page.heading("Other boards of this task").list(board.others);
  return page.text();
}

}  // namespace loam::eval
