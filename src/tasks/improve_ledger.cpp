// What the ledger knows of searches: trials, looks at held-out parts, what came of them, what was adopted.
#include <algorithm>
#include <limits>
#include <set>

#include "base/json.h"
#include "tasks/improve_parts.h"

namespace loam::tasks {
namespace {

constexpr int kAllRuns = std::numeric_limits<int>::max();

/// The object that improve() writes into a run's settings; null where there is none.
Json about_of(const eval::Run& run) {
  auto settings = parse_json(run.settings.empty() ? "{}" : run.settings, "settings");
  if (!settings || !settings->is_object()) return nullptr;
  const auto found = settings->find("improve");
  return found != settings->end() && found->is_object() ? *found : Json();
}

std::string text_of(const Json& about, const char* key) {
  const auto found = about.find(key);
  return found != about.end() && found->is_string() ? found->get<std::string>() : std::string();
}

double number_of(const Json& about, const char* key) {
  const auto found = about.find(key);
  return found != about.end() && found->is_number() ? found->get<double>() : 0.0;
}

Arm arm_of(const Json& about, const char* key) {
  Arm arm;
  const auto found = about.find(key);
  if (found == about.end() || !found->is_object()) return arm;
  for (const auto& [name, value] : found->items()) {
    if (value.is_string()) arm[name] = value.get<std::string>();
  }
  return arm;
}

std::string key_of(const std::string& arm_id, std::size_t from, std::size_t to) {
  return arm_id + " " + std::to_string(from) + " " + std::to_string(to);
}

std::string held_out_key(const std::string& contestant, int look) {
  return "held-out " + contestant + " " + std::to_string(look);
}

ImproveStep step_of(const eval::Run& run, const std::vector<store::Adoption>& adoptions) {
  const Json about = about_of(run);
  ImproveStep step;
  step.run = run.id;
  step.at = run.at;
  step.data_file = run.data.file;
  step.winner_name = run.name;
  if (about.is_object()) {
    step.task = text_of(about, "task");
    step.metric = text_of(about, "metric");
    step.scope = text_of(about, "scope");
    step.scope_name = text_of(about, "scope_name");
    step.decision = text_of(about, "decision");
    step.changes = arm_of(about, "changes");
    step.recut = about.value("recut", false);
    step.look = static_cast<int>(number_of(about, "look"));
    step.p = about.contains("p") ? number_of(about, "p") : 1.0;
  }
  step.confirmed = run.split == "held-out";
  for (const eval::Metric& metric : run.metrics) {
    if (metric.name == "gain") step.gain = metric.estimate;
  }
  for (const store::Adoption& adoption : adoptions) {
    if (adoption.run != run.id) continue;
    step.adopted = true;
    step.taken_back = adoption.undone_at != 0;
    break;  // the newest
  }
  return step;
}

}  // namespace

Result<TrialBook> TrialBook::open(store::Store& ledger, const std::string& task, const std::string& search,
                                  bool fresh) {
  TrialBook book;
  auto runs = eval::runs(ledger, task, kAllRuns, search);
  if (!runs) return runs.error();
  for (const eval::Run& row : *runs) {  // newest first, and the newest counts
    const Json about = about_of(row);
    if (!about.is_object() || text_of(about, "search") != search) continue;
    const bool held_out = row.split == "held-out";
    // A held-out part that was looked at stays looked at, however the search begins.
    if (fresh && !held_out) continue;
    const std::string key =
        held_out ? held_out_key(text_of(about, "contestant"), static_cast<int>(number_of(about, "look")))
                 : key_of(text_of(about, "arm_id"), static_cast<std::size_t>(number_of(about, "from")),
                          static_cast<std::size_t>(number_of(about, "to")));
    if (book.kept_.contains(key)) continue;
    auto whole = eval::load_run(ledger, row.id);
    if (!whole) return whole.error();
    book.kept_[key] = {std::move(whole->items), number_of(about, "seconds"), row.id};
  }
  return book;
}

const TrialBook::Kept* TrialBook::find(const Arm& arm, std::size_t from, std::size_t to) const {
  const auto found = kept_.find(key_of(id_of(arm), from, to));
  return found != kept_.end() && found->second.items.size() == to ? &found->second : nullptr;
}

const TrialBook::Kept* TrialBook::find_held_out(const std::string& contestant, int look) const {
  const auto found = kept_.find(held_out_key(contestant, look));
  return found == kept_.end() ? nullptr : &found->second;
}

Result<EarlierLooks> earlier_looks(store::Store& ledger, const std::string& task,
                                   const eval::DataVersion& data, const std::string& search) {
  EarlierLooks looks;
  std::set<std::string> ended;  // "search look" of searches that came to their end
  auto ends = eval::runs(ledger, "improve", kAllRuns);
  if (!ends) return ends.error();
  for (const eval::Run& run : *ends) {
    const Json about = about_of(run);
    if (about.is_object() && run.split == "held-out")
      ended.insert(text_of(about, "search") + " " +
                   std::to_string(static_cast<int>(number_of(about, "look"))));
  }
  auto runs = eval::runs(ledger, task, kAllRuns);
  if (!runs) return runs.error();
  std::set<int> seen;
  for (const eval::Run& run : *runs) {
    if (run.split != "held-out" || run.data.sha256 != data.sha256) continue;
    const Json about = about_of(run);
    if (!about.is_object()) continue;
    const int look = static_cast<int>(number_of(about, "look"));
    const std::string name = text_of(about, "search") + " " + std::to_string(look);
    if (text_of(about, "search") == search && !ended.contains(name)) {
      looks.unfinished = look;
      continue;
    }
    if (seen.insert(look).second) looks.runs.push_back(run.id);
  }
  looks.looks = static_cast<int>(seen.size());
  std::sort(looks.runs.begin(), looks.runs.end());
  return looks;
}

Result<std::optional<Unfinished>> unfinished_search(store::Store& ledger, const std::string& task,
                                                    const eval::DataVersion& data, const std::string& scope,
                                                    const std::string& search,
                                                    const std::string& collection) {
  auto ends = eval::runs(ledger, "improve", kAllRuns);
  if (!ends) return ends.error();
  std::set<std::string> ended;
  for (const eval::Run& run : *ends) {
    const Json about = about_of(run);
    if (about.is_object()) ended.insert(text_of(about, "search"));
  }
  auto runs = eval::runs(ledger, task, kAllRuns, "improve");
  if (!runs) return runs.error();
  for (const eval::Run& run : *runs) {
    if (run.split != "dev" || run.data.sha256 != data.sha256) continue;
    const Json about = about_of(run);
    if (!about.is_object() || text_of(about, "scope") != scope) continue;
    // Only the newest search of this scope and data is one that somebody may want to go on with.
    const std::string name = text_of(about, "search");
    if (name == search || ended.contains(name)) return std::optional<Unfinished>();
    return std::optional(Unfinished{run.id, text_of(about, "collection") != collection});
  }
  return std::optional<Unfinished>();
}

Result<std::vector<ImproveStep>> improvement_history(store::Store& ledger, std::string_view task,
                                                     std::string_view scope) {
  auto adoptions = ledger.adoptions("");
  if (!adoptions) return adoptions.error();
  auto runs = eval::runs(ledger, "improve", kAllRuns);
  if (!runs) return runs.error();
  std::vector<ImproveStep> steps;
  for (const eval::Run& run : *runs) {
    if (!run.damage.empty()) continue;
    ImproveStep step = step_of(run, *adoptions);
    if (!task.empty() && step.task != task) continue;
    if (!scope.empty() && step.scope != scope) continue;
    steps.push_back(std::move(step));
  }
  std::reverse(steps.begin(), steps.end());
  return steps;
}

Result<ImproveStep> improvement_of(store::Store& ledger, RunId run) {
  auto steps = improvement_history(ledger);
  if (!steps) return steps.error();
  for (const ImproveStep& step : *steps) {
    if (step.run == run) return step;
  }
  return Error{Kind::bad_request, "run " + std::to_string(loam::number_of(run)),
               "it is not the end of a search", "loam improve --history"};
}

Result<Arm> settings_of(const store::Adoption& adoption) {
  const std::string place = "adopted settings of " + adoption.scope;
  auto json = parse_json(adoption.settings, place);
  if (!json) return json.error();
  Arm settings;
  bool sound = json->is_object();
  if (sound) {
    for (const auto& [key, value] : json->items()) {
      sound = sound && value.is_string();
      if (value.is_string()) settings[key] = value.get<std::string>();
    }
  }
  if (!sound) return Error{Kind::bad_data, place, "they are not an object of texts", "loam improve --undo"};
  return settings;
}

Result<store::Adoption> adopt_run(store::Store& ledger, const ImproveStep& step, std::int64_t at) {
  const std::string place = "run " + std::to_string(loam::number_of(step.run));
  if (!step.confirmed || step.decision != name_of(ImproveEnd::better)) {
    return Error{
        Kind::bad_request, place,
        "the search ended with \"" + step.decision + "\": there is nothing that was shown to be better",
        "loam improve --history"};
  }
  if (step.adopted && !step.taken_back)
    return Error{Kind::bad_request, place, "its settings are adopted already", "loam improve --history"};
  auto before = ledger.adopted(step.scope);
  if (!before) return before.error();
  Arm settings;
  if (*before) {
    auto kept = settings_of(**before);
    if (!kept) return kept.error();
    settings = std::move(*kept);
  }
  for (const auto& [key, value] : step.changes) settings[key] = value;
  Json json = Json::object();
  for (const auto& [key, value] : settings) json[key] = value;
  return ledger.adopt(step.scope, dump_json(json), step.run, at);
}

}  // namespace loam::tasks
