#include "eval/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/json.h"
#include "base/utf8.h"
#include "eval/run_json.h"
#include "eval/run_rows.h"

namespace loam::eval {
namespace {

/// All texts inside a value; the keys too where they carry meaning (settings).
void collect_texts(const Json& value, bool with_keys, std::string& out) {
  if (value.is_object()) {
    for (const auto& [key, one] : value.items()) {
      if (with_keys) out += key + "=";
      collect_texts(one, with_keys || key == "settings", out);
    }
  } else if (value.is_array()) {
    for (const Json& one : value) collect_texts(one, with_keys, out);
  } else if (value.is_string()) {
    out += value.get<std::string>() + "\n";
  } else if (!value.is_null()) {
    out += dump_json(value) + "\n";
  }
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find_first_of(" \t\n", at), text.size());
    if (end > at) words.push_back(to_lower_utf8(text.substr(at, end - at)));
    at = end + 1;
  }
  return words;
}

/// Whether each word stands somewhere in what describes the run.
bool matches(const store::LedgerRow& row, const std::vector<std::string>& words) {
  if (words.empty()) return true;
  std::string text = row.task + "\n";
  if (const auto config = parse_json(row.config, "ledger")) {
    collect_texts(*config, false, text);
  } else {
    text += row.config;
  }
  text = to_lower_utf8(text);
  return std::all_of(words.begin(), words.end(),
                     [&](const std::string& word) { return text.find(word) != std::string::npos; });
}

/// Names of scores that at least one item of both runs has, in the order of a's metrics, others after them.
std::vector<std::string> shared_scores(const Run& a, const Run& b) {
  const auto names_in = [](const Run& run) {
    std::set<std::string> names;
    for (const ItemResult& item : run.items) {
      for (const auto& [name, score] : item.scores) names.insert(name);
    }
    return names;
  };
  const std::set<std::string> in_a = names_in(a);
  const std::set<std::string> in_b = names_in(b);
  std::vector<std::string> shared;
  const auto add = [&](const std::string& name) {
    if (in_a.contains(name) && in_b.contains(name) &&
        std::find(shared.begin(), shared.end(), name) == shared.end())
      shared.push_back(name);
  };
  for (const Metric& metric : a.metrics) add(metric.name);
  for (const std::string& name : in_a) add(name);
  return shared;
}

const Metric* find_metric(const Run& run, std::string_view name) {
  const auto found =
      std::find_if(run.metrics.begin(), run.metrics.end(), [&](const Metric& m) { return m.name == name; });
  return found == run.metrics.end() ? nullptr : &*found;
}

std::string quoted_list(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

Result<std::string> choose_metric(const Run& a, const Run& b, std::string_view wanted) {
  for (const Run* run : {&a, &b}) {
    if (run->items.empty()) {
      return Error{Kind::bad_request, called(*run),
                   "it keeps no results of single items, so nothing can be paired",
                   "compare runs of `loam eval`, `loam classify compare` or `loam ledger import` with items"};
    }
  }
  const std::vector<std::string> shared = shared_scores(a, b);
  const std::string both = fmt::format("{} and {}", called(a), called(b));
  if (shared.empty()) {
    return Error{Kind::bad_request, both, "their items have no score in common",
                 fmt::format("loam ledger show {} --items", number_of(a.id))};
  }
  if (wanted.empty()) return shared.front();
  if (std::find(shared.begin(), shared.end(), wanted) != shared.end()) return std::string(wanted);
  const bool of_whole_runs = find_metric(a, wanted) != nullptr && find_metric(b, wanted) != nullptr;
  return Error{Kind::bad_request, both,
               of_whole_runs
                   ? fmt::format("\"{}\" is a score of whole runs and not of items, so it cannot be paired; "
                                 "items have {}",
                                 wanted, quoted_list(shared))
                   : fmt::format("they do not both have \"{}\"; they share {}", wanted, quoted_list(shared)),
               "--metric " + shared.front()};
}

std::string name_in_sentence(const Run& run, const Run& other) {
  if (run.name.empty()) return fmt::format("run {}", number_of(run.id));
  return run.name == other.name ? fmt::format("{} (run {})", run.name, number_of(run.id)) : run.name;
}

/// What could make the comparison say something else than it seems to.
std::vector<std::string> warnings_of(const Run& a, const Run& b, const Comparison& comparison,
                                     bool clusters_differ) {
  std::vector<std::string> warnings;
  if (a.id == b.id && number_of(a.id) != 0) warnings.emplace_back("this is one run compared with itself");
  if (a.task != b.task)
    warnings.push_back(fmt::format("the runs are of different tasks: {} and {}", a.task, b.task));
  if (!a.data.sha256.empty() && !b.data.sha256.empty() && a.data.sha256 != b.data.sha256) {
    warnings.push_back(
        a.data.file == b.data.file
            ? fmt::format("the data file {} has changed between the runs; items are paired by id",
                          a.data.file)
            : fmt::format("the runs used different data files ({} and {}); items are paired by id",
                          a.data.file, b.data.file));
  }
  if (a.split != b.split)
    warnings.push_back(
        fmt::format("the runs used different parts of the data: \"{}\" and \"{}\"", a.split, b.split));
  if (const std::size_t left_out = comparison.only_a + comparison.only_b; left_out > 0) {
    warnings.push_back(fmt::format("{} item{} only one of the runs has {} left out ({} of {}, {} of {})",
                                   left_out, left_out == 1 ? " that" : "s that", left_out == 1 ? "is" : "are",
                                   comparison.only_a, called(a), comparison.only_b, called(b)));
  }
  if (clusters_differ) {
    warnings.push_back(
        fmt::format("the runs group items in different ways; the groups of {} are used", called(a)));
  }
  return warnings;
}

}  // namespace

std::vector<store::RunItem> rows_of_items(const Run& run) {
  std::vector<store::RunItem> items;
  items.reserve(run.items.size());
  for (const ItemResult& item : run.items) {
    items.push_back({to_valid_utf8(item.id), to_valid_utf8(item.cluster), dump_json(scores_json(item)),
                     to_valid_utf8(item.output)});
  }
  return items;
}

store::LedgerRow row_of(const Run& run) {
  return {RunId{}, run.at, to_valid_utf8(run.task), dump_json(config_json(run)), dump_json(result_json(run))};
}

Result<RunId> record(store::Store& store, Run& run) {
  if (auto valid = check_run(run); !valid) return valid.error();
  if (run.at == 0) run.at = system_clock().unix_seconds();
  if (run.machine.empty()) run.machine = this_machine();
  auto id = store.add_run(row_of(run), rows_of_items(run));
  if (id) run.id = *id;
  return id;
}

Result<Run> load_run(store::Store& store, RunId id) {
  auto row = store.find_run(id);
  if (!row) return row.error();
  if (!*row) {
    return Error{Kind::bad_request, fmt::format("ledger run {}", number_of(id)), "there is no such run",
                 "loam ledger list"};
  }
  auto run = run_from_row(**row);
  if (!run) return run;
  auto items = store.run_items(id);
  if (!items) return items.error();
  run->items.reserve(items->size());
  for (const store::RunItem& one : *items) {
    auto item = item_from_row(one, fmt::format("ledger run {}", number_of(id)));
    if (!item) return item.error();
    run->items.push_back(std::move(*item));
  }
  return run;
}

Result<std::vector<Run>> runs(store::Store& store, std::string_view task, int limit,
                              std::string_view search) {
  std::vector<Run> found;
  if (limit <= 0) return found;
  const std::vector<std::string> words = words_of(search);
  auto read = store.for_each_run(task, [&](const store::LedgerRow& row) {
    if (!matches(row, words)) return true;
    auto run = run_from_row(row);
    if (run) {
      found.push_back(std::move(*run));
    } else {
      Run damaged;
      damaged.id = row.id;
      damaged.at = row.at;
      damaged.task = row.task;
      damaged.damage = run.error().message;
      found.push_back(std::move(damaged));
    }
    return found.size() < static_cast<std::size_t>(limit);
  });
  if (!read) return read.error();
  return found;
}

Result<Comparison> compare_runs(const Run& a, const Run& b, std::string_view metric,
                                const CompareOptions& options) {
  auto chosen = choose_metric(a, b, metric);
  if (!chosen) return chosen.error();
  Comparison comparison;
  comparison.metric = *chosen;

  const auto score_in = [&](const ItemResult& item) -> const double* {
    const auto found = item.scores.find(comparison.metric);
    return found == item.scores.end() ? nullptr : &found->second;
  };
  std::map<std::string_view, const ItemResult*> of_b;
  for (const ItemResult& item : b.items) {
    if (score_in(item) != nullptr) of_b[item.id] = &item;
  }
  std::vector<double> values_a;
  std::vector<double> values_b;
  std::vector<std::string> clusters;
  bool clustered = false;
  bool clusters_differ = false;
  for (const ItemResult& item : a.items) {
    const double* const score = score_in(item);
    if (score == nullptr) continue;
    const auto other = of_b.find(item.id);
    if (other == of_b.end()) {
      ++comparison.only_a;
      continue;
    }
    values_a.push_back(*score);
    values_b.push_back(*score_in(*other->second));
    const std::string& cluster = item.cluster.empty() ? other->second->cluster : item.cluster;
    clusters_differ =
        clusters_differ || (!other->second->cluster.empty() && cluster != other->second->cluster);
    clustered = clustered || !cluster.empty();
    // Among items in clusters, one without stands alone: it is a cluster of its own.
    clusters.push_back(cluster.empty() ? "item " + item.id : "cluster " + cluster);
  }
  comparison.only_b = of_b.size() - values_a.size();
  if (values_a.empty()) {
    return Error{Kind::bad_request, fmt::format("{} and {}", called(a), called(b)),
                 fmt::format("they have no item in common that both score with \"{}\"", comparison.metric),
                 "compare runs over the same data"};
  }
  if (!clustered) clusters.clear();

  const Metric* const in_a = find_metric(a, comparison.metric);
  const Metric* const in_b = find_metric(b, comparison.metric);
  const Metric* const named = in_a != nullptr ? in_a : in_b;
  if (named != nullptr) comparison.higher_is_better = named->higher_is_better;
  auto result = compare_paired(values_a, values_b, clusters, options);
  if (!result) return result.error();
  comparison.result = std::move(*result);
  comparison.sentence = verdict_sentence(comparison.result, name_in_sentence(a, b), name_in_sentence(b, a),
                                         comparison.higher_is_better);
  comparison.warnings = warnings_of(a, b, comparison, clusters_differ);
  if (in_a != nullptr && in_b != nullptr && in_a->higher_is_better != in_b->higher_is_better) {
    comparison.warnings.push_back(
        fmt::format("the runs do not agree on whether a higher \"{}\" is better; {} is followed",
                    comparison.metric, called(a)));
  }
  return comparison;
}

}  // namespace loam::eval
