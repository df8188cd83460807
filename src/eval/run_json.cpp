#include "eval/run_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/json.h"
#include "base/utf8.h"

namespace loam::eval {
namespace {

/// Reads fields of an object; the first thing that is wrong is kept, so that one check at the end will do.
class Fields {
 public:
  Fields(const Json& object, std::string place) : object_(object), place_(std::move(place)) {
    if (!object.is_object()) complain("", "is not a JSON object");
  }

  const Json* find(const char* key) const {
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }
  std::string text(const char* key) {
    const Json* value = find(key);
    if (value == nullptr) return {};
    if (value->is_string()) return value->get<std::string>();
    complain(key, "is not a text");
    return {};
  }
  std::optional<double> number(const char* key) {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_number()) return value->get<double>();
    complain(key, "is not a number");
    return std::nullopt;
  }
  std::uint64_t count(const char* key) {
    const Json* value = find(key);
    if (value == nullptr) return 0;
    if (value->is_number_unsigned()) return value->get<std::uint64_t>();
    if (value->is_number_integer() && value->get<std::int64_t>() >= 0) return value->get<std::uint64_t>();
    complain(key, "is not a whole number from 0");
    return 0;
  }
  std::int64_t integer(const char* key) {
    const Json* value = find(key);
    if (value == nullptr) return 0;
    if (value->is_number_integer()) return value->get<std::int64_t>();
    complain(key, "is not a whole number");
    return 0;
  }
  std::optional<bool> truth(const char* key) {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_boolean()) return value->get<bool>();
    complain(key, "is neither true nor false");
    return std::nullopt;
  }

  void complain(std::string_view key, std::string_view what) {
    if (error_) return;
    const std::string subject = key.empty() ? "it" : fmt::format("\"{}\"", key);
    error_ = Error{Kind::bad_data, place_, fmt::format("{} {}", subject, what), {}};
  }
  void complain(const Error& error) {
    if (!error_) error_ = error;
  }
  const std::optional<Error>& error() const { return error_; }
  const std::string& place() const { return place_; }

 private:
  const Json& object_;
  std::string place_;
  std::optional<Error> error_;
};

void read_models(Fields& fields, const char* key, std::string_view default_role,
                 std::vector<ModelUse>& models) {
  const Json* list = fields.find(key);
  if (list == nullptr) return;
  if (!list->is_array()) return fields.complain(key, "is not a list");
  for (const Json& one : *list) {
    ModelUse model;
    if (one.is_string()) {
      model.name = one.get<std::string>();
    } else {
      Fields of(one, fields.place());
      model = {of.text("role"), of.text("name"), of.text("sha256")};
      if (of.error()) return fields.complain(key, "holds something else than a model");
    }
    if (model.role.empty()) model.role = default_role;
    models.push_back(std::move(model));
  }
}

void read_metrics(Fields& fields, std::vector<Metric>& metrics) {
  const Json* all = fields.find("metrics");
  if (all == nullptr) return;
  if (!all->is_object()) return fields.complain("metrics", "is not an object of named values");
  for (const auto& [name, value] : all->items()) {
    Metric metric;
    metric.name = name;
    if (value.is_number()) {
      metric.estimate.value = metric.estimate.low = metric.estimate.high = value.get<double>();
    } else {
      Fields of(value, fields.place());
      const auto given = of.number("value");
      metric.estimate.value = given.value_or(0);
      metric.estimate.low = of.number("low").value_or(metric.estimate.value);
      metric.estimate.high = of.number("high").value_or(metric.estimate.value);
      metric.estimate.n = of.count("n");
      metric.higher_is_better = of.truth("higher_is_better").value_or(true);
      if (of.error() || !given)
        return fields.complain("metrics", fmt::format("has no usable value for \"{}\"", name));
    }
    metrics.push_back(std::move(metric));
  }
}

/// The tokens of a run, or those that `loam ask` counts by kind.
std::uint64_t read_tokens(Fields& fields) {
  const Json* tokens = fields.find("tokens");
  if (tokens == nullptr || !tokens->is_object()) return fields.count("tokens");
  Fields of(*tokens, fields.place());
  const std::uint64_t sum = of.count("prompt") + of.count("answer");
  if (of.error()) fields.complain("tokens", "is neither a number nor counts by kind");
  return sum;
}

void read_cost(Fields& fields, Cost& cost) {
  cost.seconds = fields.number("seconds").value_or(0);
  cost.cpu_seconds = fields.number("cpu_seconds").value_or(0);
  cost.tokens = read_tokens(fields);
  cost.joules = fields.number("joules");
  cost.peak_mb = fields.number("peak_mb");
  if (const Json* timings = fields.find("timings_ms"); timings != nullptr && timings->is_object()) {
    Fields of(*timings, fields.place());
    if (const auto total = of.number("total"); total && cost.seconds == 0) cost.seconds = *total / 1000;
  }
}

void read_config(Fields& fields, Run& run) {
  run.name = fields.text("name");
  run.split = fields.text("split");
  run.seed = fields.count("seed");
  run.version = fields.text("version");
  if (const Json* machine = fields.find("machine")) {
    if (machine->is_object()) {
      Fields of(*machine, fields.place());
      run.machine = of.text("description");
      if (of.error()) fields.complain(*of.error());
    } else {
      run.machine = fields.text("machine");
    }
  }
  if (const Json* data = fields.find("data")) {
    Fields of(*data, fields.place());
    run.data = {of.text("file"), of.text("sha256"), of.count("items")};
    if (of.error()) fields.complain("data", "is not {\"file\",\"sha256\",\"items\"}");
  }
  if (const Json* settings = fields.find("settings")) {
    if (settings->is_object()) {
      run.settings = dump_json(*settings);
    } else {
      fields.complain("settings", "is not an object");
    }
  }
  read_models(fields, "models", "", run.models);
  read_models(fields, "adapters", "adapter", run.models);
}

std::optional<double> score_of(const Json& value) {
  if (value.is_boolean()) return value.get<bool>() ? 1.0 : 0.0;
  if (value.is_number()) return value.get<double>();
  return std::nullopt;
}

Result<ItemResult> item_from_json(const Json& json, const std::string& place) {
  Fields fields(json, place);
  ItemResult item;
  if (const Json* id = fields.find("id"); id != nullptr && id->is_number_integer()) {
    item.id = dump_json(*id);
  } else {
    item.id = fields.text("id");
  }
  item.cluster = fields.text("cluster");
  if (const Json* output = fields.find("output")) {
    item.output = output->is_string() ? output->get<std::string>() : dump_json(*output);
  }
  if (const Json* scores = fields.find("scores")) {
    if (!scores->is_object()) fields.complain("scores", "is not an object of named numbers");
    for (const auto& [name, value] : scores->items()) {
      if (const auto score = score_of(value)) {
        item.scores[name] = *score;
      } else {
        fields.complain("scores", fmt::format("has no number for \"{}\"", name));
      }
    }
  }
  if (item.id.empty()) fields.complain("id", "is missing");
  if (json.is_object()) {
    for (const auto& [key, value] : json.items()) {
      constexpr std::string_view kKnown[] = {"id", "cluster", "scores", "output"};
      if (std::find(std::begin(kKnown), std::end(kKnown), key) == std::end(kKnown))
        fields.complain(key, "is not a key of an item: these are id, cluster, scores, output");
    }
  }
  if (fields.error()) return *fields.error();
  return item;
}

/// Mean of the items' scores of one name, with its interval; whole clusters are drawn where there are some.
Result<Estimate> mean_of(const std::vector<ItemResult>& items, const std::string& name) {
  std::vector<double> values;
  std::vector<std::size_t> groups;
  std::map<std::string, std::size_t, std::less<>> group_of;
  bool clustered = false;
  for (const ItemResult& item : items) {
    const auto found = item.scores.find(name);
    if (found == item.scores.end()) continue;
    values.push_back(found->second);
    // An item without a cluster is one of its own.
    const std::string key = item.cluster.empty() ? "item " + item.id : "cluster " + item.cluster;
    groups.push_back(group_of.emplace(key, group_of.size()).first->second);
    clustered = clustered || !item.cluster.empty();
  }
  if (clustered) return bootstrap_mean_by_group(values, groups);
  return bootstrap_mean(values);
}

/// Metrics that were not given, or were given without an interval, get both from the items.
Result<void> complete_metrics(Run& run, bool metrics_given, const std::string& place) {
  if (!metrics_given) {
    std::set<std::string> names;
    for (const ItemResult& item : run.items) {
      for (const auto& [name, score] : item.scores) names.insert(name);
    }
    for (const std::string& name : names) run.metrics.push_back({name, {}, true});
  }
  for (Metric& metric : run.metrics) {
    const bool has_interval = metrics_given && metric.estimate.low < metric.estimate.high;
    const bool in_items = std::any_of(run.items.begin(), run.items.end(), [&](const ItemResult& item) {
      return item.scores.find(metric.name) != item.scores.end();
    });
    if (has_interval || !in_items) continue;
    auto mean = mean_of(run.items, metric.name);
    if (!mean) return mean.error();
    constexpr double kSlack = 1e-6;
    const double given = metric.estimate.value;
    if (metrics_given && std::abs(given - mean->value) > kSlack * std::max(1.0, std::abs(given))) {
      return Error{Kind::bad_data, place,
                   fmt::format("the metric \"{}\" is {:g}, but the mean of its items is {:g}", metric.name,
                               given, mean->value),
                   "give the metric with \"low\" and \"high\" when it is not the mean of its items"};
    }
    metric.estimate = *mean;
  }
  return done();
}

}  // namespace

std::string called(const Run& run) {
  const std::string number = number_of(run.id) == 0 ? "a new run" : fmt::format("run {}", number_of(run.id));
  return run.name.empty() ? number : fmt::format("{} ({})", number, run.name);
}

Json config_json(const Run& run) {
  const auto use = [](const ModelUse& model) {
    return Json{{"role", model.role}, {"name", model.name}, {"sha256", model.sha256}};
  };
  Json models = Json::array();
  Json adapters = Json::array();
  for (const ModelUse& model : run.models)
    (model.role == "adapter" ? adapters : models).push_back(use(model));
  auto settings = parse_json(run.settings.empty() ? "{}" : run.settings, "settings");
  Json config = {{"name", run.name},
                 {"data", {{"file", run.data.file}, {"sha256", run.data.sha256}, {"items", run.data.items}}},
                 {"split", run.split},
                 {"seed", run.seed},
                 {"settings", settings ? *settings : Json::object()},
                 {"models", std::move(models)}};
  if (!adapters.empty()) config["adapters"] = std::move(adapters);
  config["machine"] = {{"description", run.machine}};
  config["version"] = run.version;
  return config;
}

Json result_json(const Run& run) {
  Json metrics = Json::object();
  for (const Metric& metric : run.metrics) {
    metrics[metric.name] = {{"value", metric.estimate.value},
                            {"low", metric.estimate.low},
                            {"high", metric.estimate.high},
                            {"n", metric.estimate.n},
                            {"higher_is_better", metric.higher_is_better}};
  }
  Json result = {{"metrics", std::move(metrics)},
                 {"seconds", run.cost.seconds},
                 {"cpu_seconds", run.cost.cpu_seconds},
                 {"tokens", run.cost.tokens}};
  result["joules"] = run.cost.joules ? Json(*run.cost.joules) : Json(nullptr);
  result["peak_mb"] = run.cost.peak_mb ? Json(*run.cost.peak_mb) : Json(nullptr);
  return result;
}

Json scores_json(const ItemResult& item) {
  Json scores = Json::object();
  for (const auto& [name, score] : item.scores) scores[name] = score;
  return scores;
}

Json run_json(const Run& run) {
  Json line = {{"task", run.task}, {"at", run.at}};
  line.update(config_json(run));
  line.update(result_json(run));
  Json items = Json::array();
  for (const ItemResult& item : run.items) {
    Json one = {{"id", item.id}};
    if (!item.cluster.empty()) one["cluster"] = item.cluster;
    one["scores"] = scores_json(item);
    if (!item.output.empty()) one["output"] = item.output;
    items.push_back(std::move(one));
  }
  line["items"] = std::move(items);
  return line;
}

Result<Run> run_from_row(const store::LedgerRow& row) {
  const std::string place = fmt::format("ledger run {}", number_of(row.id));
  const auto damaged = [&](Error error) {
    error.place = place;
    error.next_step = "loam check says whether more is damaged; other runs can be used as before";
    return error;
  };
  auto config = parse_json(row.config, place);
  if (!config) return damaged(config.error());
  auto result = parse_json(row.result, place);
  if (!result) return damaged(result.error());
  Run run;
  run.id = row.id;
  run.at = row.at;
  run.task = row.task;
  Fields of_config(*config, place);
  read_config(of_config, run);
  Fields of_result(*result, place);
  read_metrics(of_result, run.metrics);
  read_cost(of_result, run.cost);
  if (of_config.error()) return damaged(*of_config.error());
  if (of_result.error()) return damaged(*of_result.error());
  // A row that names no contestant was written by a verb with a shape of its own: all of it is its setting.
  if (of_config.find("name") == nullptr && run.settings.empty()) run.settings = dump_json(*config);
  return run;
}

Result<ItemResult> item_from_row(const store::RunItem& row, std::string_view place) {
  const auto scores = parse_json(row.scores, place);
  ItemResult item{row.item, row.cluster, {}, row.output};
  bool readable = scores.ok() && scores->is_object();
  if (readable) {
    for (const auto& [name, value] : scores->items()) {
      const auto score = score_of(value);
      readable = readable && score.has_value();
      if (score) item.scores[name] = *score;
    }
  }
  if (!readable) {
    return Error{Kind::bad_data, std::string(place),
                 fmt::format("the scores of item \"{}\" cannot be read", row.item),
                 "loam check says whether more is damaged; other runs can be used as before"};
  }
  return item;
}

Result<Run> run_from_json(const Json& line, const std::string& place) {
  static constexpr std::string_view kKnown[] = {"run",     "task",    "at",       "name",        "data",
                                                "split",   "seed",    "settings", "models",      "adapters",
                                                "machine", "version", "metrics",  "cpu_seconds", "seconds",
                                                "tokens",  "joules",  "peak_mb",  "items"};
  Fields fields(line, place);
  Run run;
  run.task = fields.text("task");
  run.at = fields.integer("at");
  read_config(fields, run);
  read_metrics(fields, run.metrics);
  read_cost(fields, run.cost);
  if (line.is_object()) {
    for (const auto& [key, value] : line.items()) {
      if (std::find(std::begin(kKnown), std::end(kKnown), key) == std::end(kKnown))
        fields.complain(key, fmt::format("is not a key of a run: these are {}", fmt::join(kKnown, ", ")));
    }
  }
  if (run.task.empty()) fields.complain("task", "is missing");
  if (run.name.empty()) fields.complain("name", "is missing: what was scored, such as \"tfidf+logreg\"");
  if (const Json* items = fields.find("items")) {
    if (!items->is_array()) fields.complain("items", "is not a list");
    for (std::size_t i = 0; items->is_array() && i < items->size(); ++i) {
      auto item = item_from_json((*items)[i], fmt::format("{}, item {}", place, i + 1));
      if (!item) fields.complain(item.error());
      if (fields.error()) break;
      run.items.push_back(std::move(*item));
    }
  }
  if (!fields.error() && run.metrics.empty() && run.items.empty())
    fields.complain("", "has neither \"metrics\" nor \"items\"");
  if (!fields.error()) {
    if (auto valid = check_run(run); !valid) {
      Error error = valid.error();
      error.kind = Kind::bad_data;
      error.place = place;
      fields.complain(error);
    }
  }
  if (fields.error()) {
    Error error = *fields.error();
    if (error.next_step.empty()) error.next_step = "correct the line; docs/formats/runs.md has the shape";
    return error;
  }
  if (auto complete = complete_metrics(run, fields.find("metrics") != nullptr, place); !complete)
    return complete.error();
  if (run.data.items == 0) run.data.items = run.items.size();
  return run;
}

Result<void> check_run(const Run& run) {
  const auto refuse = [&](std::string message, std::string next) {
    return Error{Kind::bad_request, called(run), std::move(message), std::move(next)};
  };
  if (run.task.empty()) return refuse("it has no task", "name the task, such as \"classify\"");
  if (run.name.empty()) return refuse("it has no name", "name what was scored, such as \"tfidf+logreg\"");
  if (!run.settings.empty()) {
    const auto settings = parse_json(run.settings, "settings");
    if (!settings || !settings->is_object())
      return refuse("its settings are not a JSON object", "give settings as an object");
  }
  std::set<std::string_view> names;
  for (const Metric& metric : run.metrics) {
    if (metric.name.empty()) return refuse("a metric has no name", "name it");
    if (!names.insert(metric.name).second)
      return refuse(fmt::format("the metric \"{}\" stands twice", metric.name), "give each metric once");
    const Estimate& e = metric.estimate;
    if (!std::isfinite(e.value) || !std::isfinite(e.low) || !std::isfinite(e.high))
      return refuse(fmt::format("the metric \"{}\" is not a number", metric.name),
                    "leave out what has no value");
    // The value may lie outside: a percentile interval of a biased measure (ECE, say) need not hold it.
    if (e.low > e.high) {
      return refuse(
          fmt::format("the interval of \"{}\" goes from {:g} down to {:g}", metric.name, e.low, e.high),
          "give low <= high");
    }
  }
  for (const double cost :
       {run.cost.seconds, run.cost.cpu_seconds, run.cost.joules.value_or(0), run.cost.peak_mb.value_or(0)}) {
    if (!std::isfinite(cost) || cost < 0)
      return refuse("a cost is not a number from 0", "leave out what is not known");
  }
  std::set<std::string_view> ids;
  for (const ItemResult& item : run.items) {
    if (item.id.empty()) return refuse("an item has no id", "give each item the id that it has in the data");
    if (!ids.insert(item.id).second)
      return refuse(fmt::format("the item \"{}\" stands twice", item.id), "give each item once");
    for (const auto& [name, score] : item.scores) {
      if (!std::isfinite(score))
        return refuse(fmt::format("the score \"{}\" of item \"{}\" is not a number", name, item.id),
                      "leave out what has no value");
    }
  }
  return done();
}

}  // namespace loam::eval
