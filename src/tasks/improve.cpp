#include "tasks/improve.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "base/hash.h"
#include "base/json.h"
#include "eval/halving.h"
#include "eval/metrics.h"
#include "reader/text.h"
#include "tasks/improve_parts.h"

namespace loam::tasks {
namespace {

constexpr int kFormat = 1;  // of what a search writes down; another one takes nothing up
// Of the budget: the first round may use this much, both rounds that much; the rest is for the confirmation.
constexpr double kFirstRound = 0.5, kBothRounds = 0.75;
constexpr int kTrialResamples = 2000;

std::string counted(std::size_t count, const std::string& word) {
  return reader::with_thousands(count) + " " + (count == 1 ? word : plural_of(word));
}

std::string points(double value) {
  const double rounded = std::round(value * 1000.0) / 1000.0;
  std::string text = std::to_string(rounded == 0 ? 0.0 : rounded);
  return text.substr(0, text.find('.') + 4);
}

Json json_of(const Arm& arm) {
  Json json = Json::object();
  for (const auto& [key, value] : arm) json[key] = value;
  return json;
}

/// Everything measured of one arm so far, in the order of the search.
struct ArmRecord {
  Arm arm;
  std::vector<eval::ItemResult> items;
  double seconds = 0;
  std::size_t measured = 0;  ///< items whose time is in `seconds`
};

class Cycle {
 public:
  Cycle(ImprovePipeline& pipeline, store::Store& ledger, const ImproveRequest& request, const Clock& clock,
        const ProgressSink& progress, std::stop_token stop)
      : pipeline_(pipeline),
        ledger_(ledger),
        request_(request),
        clock_(clock),
        progress_(progress),
        stop_(std::move(stop)) {}

  Result<Improvement> run() {
    if (Result<void> ready = prepare(); !ready) return ready.error();
    if (Result<void> searched = search(); !searched) return searched.error();
    list_tried();
    if (stopped_) return stopped();
    const ArmRecord& current = records_.at(id_of(result_.current));
    const ArmRecord& winner = records_.at(winner_);
    const std::size_t shared = std::min(current.items.size(), winner.items.size());
    result_.development_current = mean_of(current, shared);
    result_.development_winner = mean_of(winner, shared);
    result_.changes = changes_between(result_.current, winner.arm);
    result_.winner_name = name_of_changes(pipeline_.space(), result_.changes);
    for (const SpaceRow& row : pipeline_.space())
      result_.recut = result_.recut || (row.recut && result_.changes.contains(row.key));
    if (result_.changes.empty()) return current_is_best();
    if (request_.dry_run) return dry_run();
    return confirm(current, winner);
  }

 private:
  // Before the search ------------------------------------------------------------------------------------
  Result<void> prepare() {
    if (request_.budget_seconds <= 0 && request_.trials == 0) {
      return Error{Kind::bad_request, "the search", "it has no end", "--budget 30m, or --trials 40"};
    }
    result_.task = pipeline_.task();
    result_.metric = pipeline_.metric();
    result_.item_word = pipeline_.item_word();
    result_.current = pipeline_.canonical(pipeline_.current());
    if (Result<void> divided = divide(); !divided) return divided;
    result_.search = search_name();
    if (!request_.dry_run) {
      auto looks = earlier_looks(ledger_, result_.task, pipeline_.data(), result_.search);
      if (!looks) return looks.error();
      if (looks->looks > 0 && !request_.again) return looked_at_before(*looks);
      look_ = looks->unfinished > 0 ? looks->unfinished : looks->looks + 1;
      if (looks->looks > 0) {
        result_.notes.push_back(
            "the held-out part of this data was looked at " +
            (looks->looks == 1 ? std::string("once") : std::to_string(looks->looks) + " times") +
            " before; this look needs p below " + points(level()) + ", and the ledger says so");
      }
    }
    if (!request_.fresh) {
      auto unfinished = unfinished_search(ledger_, result_.task, pipeline_.data(), request_.scope,
                                          result_.search, pipeline_.fingerprint());
      if (!unfinished) return unfinished.error();
      if (*unfinished && (*unfinished)->other_collection) {
        return Error{Kind::bad_request, request_.scope_name,
                     "it has changed since the interrupted search began (last trial: run " +
                         std::to_string(number_of((*unfinished)->run)) +
                         "), so that its trials and new ones cannot be compared",
                     "--fresh, to begin anew"};
      }
    }
    auto book = TrialBook::open(ledger_, result_.task, result_.search, request_.fresh);
    if (!book) return book.error();
    book_ = std::move(*book);
    return done();
  }

  Result<void> divide() {
    std::vector<Grouping> groupings = pipeline_.groupings();
    std::optional<Error> refused;
    for (std::size_t level = 0; level < groupings.size(); ++level) {
      auto split = eval::hold_out(groupings[level].group_of, request_.held_out_share, request_.seed);
      if (!split) {
        refused = split.error();
        if (refused->kind != Kind::bad_data) return *refused;
        continue;
      }
      if (level > 0) {
        const std::string coarse = groupings.front().word;
        result_.notes.push_back("too few different " + plural_of(coarse) + " to part the data by them: " +
                                plural_of(pipeline_.item_word()) + " of one " + coarse +
                                " may stand in both parts, so the result speaks for these " +
                                plural_of(coarse) + ", not for others");
      }
      split_ = std::move(*split);
      group_of_ = std::move(groupings[level].group_of);
      result_.group_word = groupings[level].word;
      result_.development_items = split_.development.size();
      result_.held_out_items = split_.held_out.size();
      result_.development_groups = split_.development_groups;
      result_.held_out_groups = split_.held_out_groups;
      pipeline_.divide(split_);
      return done();
    }
    return Error{Kind::bad_data, pipeline_.data().file,
                 counted(pipeline_.items(), pipeline_.item_word()) +
                     " are too few to search on one part and to confirm on another",
                 "give at least " + std::to_string(eval::groups_needed(request_.held_out_share)) +
                     "; to show a difference of 10 points, some 150 are usual"};
  }

  std::string search_name() const {
    Json space = Json::array();
    for (const SpaceRow& row : pipeline_.space()) space.push_back({{"key", row.key}, {"values", row.values}});
    Json models = Json::array();
    for (const eval::ModelUse& model : request_.models) models.push_back(model.sha256);
    const Json all = {{"format", kFormat},
                      {"version", request_.version},
                      {"task", pipeline_.task()},
                      {"metric", pipeline_.metric()},
                      {"scoring", request_.scoring},
                      {"data", pipeline_.data().sha256},
                      {"items", pipeline_.items()},
                      {"scope", request_.scope},
                      {"collection", pipeline_.fingerprint()},
                      {"seed", request_.seed},
                      {"share", request_.held_out_share},
                      {"space", std::move(space)},
                      {"current", json_of(result_.current)},
                      {"models", std::move(models)}};
    return sha256_hex(dump_json(all)).substr(0, 16);
  }

  Error looked_at_before(const EarlierLooks& looks) const {
    std::string runs;
    for (const RunId run : looks.runs) runs += (runs.empty() ? "" : ", ") + std::to_string(number_of(run));
    return {
        Kind::bad_request, pipeline_.data().file,
        "its held-out part was looked at before (ledger run" +
            std::string(looks.runs.size() == 1 ? " " : "s ") + runs +
            "), and each further look makes a lucky winner likelier",
        "new " + plural_of(pipeline_.item_word()) +
            ", or --again: it then takes stronger evidence, and the ledger says that it was a second look"};
  }

  double level() const { return request_.level / std::pow(2.0, look_ - 1); }

  // The search -------------------------------------------------------------------------------------------
  Result<void> search() {
    const std::vector<Arm> first = first_arms(pipeline_, request_.seed);
    const std::size_t trials = request_.trials;
    auto round = halve_over(first, trials == 0 ? 0 : std::max<std::size_t>(1, (2 * trials + 2) / 3),
                            request_.budget_seconds * kFirstRound);
    if (!round) return round.error();
    winner_ = id_of(first[round->winner]);
    result_.untried += round->untried;
    stopped_ = round->stopped;
    if (stopped_ || round->winner == 0) return done();
    const bool has_trials = trials == 0 || result_.trials < trials;
    const double left = request_.budget_seconds * kBothRounds - result_.seconds;
    if (!has_trials || (request_.budget_seconds > 0 && left <= 0)) return done();
    std::vector<Arm> ranked;
    for (const eval::ArmStanding& standing : round->arms) {
      if (standing.items > 0) ranked.push_back(first[standing.arm]);
    }
    const std::vector<Arm> second = second_arms(pipeline_, first[round->winner], ranked);
    // What the best and the current settings already have costs nothing.
    auto next = halve_over(second, trials == 0 ? 0 : trials - result_.trials + 2, std::max(left, 0.0));
    if (!next) return next.error();
    stopped_ = next->stopped;
    if (stopped_) return done();
    // Where the second round ended early its winner may stand on fewer items than the first one's: the best
    // so far is among its arms, and measured on all of them.
    winner_ = id_of(second[next->winner]);
    return done();
  }

  Result<eval::HalvingResult> halve_over(const std::vector<Arm>& arms, std::size_t most_trials,
                                         double budget_seconds) {
    eval::HalvingOptions options;
    options.most_trials = most_trials;
    options.budget_seconds = budget_seconds;
    const eval::Measure measure = [&](const eval::Trial& trial) { return measured(arms[trial.arm], trial); };
    return eval::halve(arms.size(), split_.development.size(), options, measure, stop_);
  }

  Result<eval::Measured> measured(const Arm& arm, const eval::Trial& trial) {
    ArmRecord& record = records_[id_of(arm)];
    record.arm = arm;
    eval::Measured out;
    std::vector<eval::ItemResult> unfinished;  // of a trial that ended early: counted, not kept
    if (record.items.size() < trial.to) {
      if (request_.trials > 0 && result_.trials >= request_.trials) return out;
      auto more = measure_more(record, trial, unfinished);
      if (!more) return more.error();
      out.seconds = *more;
    }
    for (const auto* items : {&record.items, &unfinished}) {
      for (std::size_t i = items == &unfinished ? 0 : trial.from;
           i < items->size() && out.scores.size() < trial.to - trial.from; ++i)
        out.scores.push_back((*items)[i].scores.at(pipeline_.metric()));
    }
    return out;
  }

  /// Brings the record up to `trial.to` items, from the ledger or by running; gives the seconds it took.
  Result<double> measure_more(ArmRecord& record, const eval::Trial& trial,
                              std::vector<eval::ItemResult>& unfinished) {
    const std::size_t from = record.items.size();
    const std::string name = name_of_changes(pipeline_.space(), changes_between(result_.current, record.arm));
    if (const TrialBook::Kept* kept = book_.find(record.arm, from, trial.to)) {
      record.items = kept->items;
      record.seconds += kept->seconds;
      record.measured += trial.to - from;
      ++result_.trials;
      ++result_.recalled;
      result_.seconds += kept->seconds;
      return kept->seconds;
    }
    const std::span<const std::size_t> items(split_.development);
    const ProgressSink telling = telling_of("trial " + std::to_string(result_.trials + 1) + ": " + name);
    const double start = clock_.seconds();
    eval::CostMeter meter(clock_);
    std::uint64_t tokens = 0;
    const RunLimits limits{trial.seconds_left, clock_, telling, stop_};
    auto got = pipeline_.run(record.arm, items.subspan(from, trial.to - from), limits, tokens);
    if (!got) return got.error();
    const double seconds = clock_.seconds() - start;
    result_.seconds += seconds;
    if (got->size() < trial.to - from) {
      unfinished = std::move(*got);
      return seconds;
    }
    record.items.insert(record.items.end(), std::make_move_iterator(got->begin()),
                        std::make_move_iterator(got->end()));
    record.seconds += seconds;
    record.measured += trial.to - from;
    ++result_.trials;
    Json about = about_search();
    about["arm"] = json_of(record.arm);
    about["arm_id"] = id_of(record.arm);
    about["rung"] = trial.rung;
    about["from"] = from;
    about["to"] = trial.to;
    about["seconds"] = seconds;
    auto written = write_run(name, "dev", std::move(about), record.items, meter, tokens);
    if (!written) return written.error();
    return seconds;
  }

  ProgressSink telling_of(const std::string& what) const {
    if (!progress_) return {};
    return [this, what](const Progress& progress) { progress_({what, progress.done, progress.total}); };
  }

  Json about_search() const {
    return {{"search", result_.search},
            {"scope", request_.scope},
            {"collection", pipeline_.fingerprint()},
            {"metric", result_.metric},
            {"scoring", request_.scoring}};
  }

  Result<RunId> write_run(const std::string& name, const std::string& part, Json about,
                          const std::vector<eval::ItemResult>& items, const eval::CostMeter& meter,
                          std::uint64_t tokens) {
    eval::Run run;
    run.at = clock_.unix_seconds();
    run.task = result_.task;
    run.name = name;
    run.split = part;
    run.data = pipeline_.data();
    run.seed = request_.seed;
    run.models = request_.models;
    run.version = request_.version;
    run.settings = dump_json(Json{{"improve", std::move(about)}});
    run.items = items;
    run.cost = meter.cost();
    run.cost.tokens = tokens;
    auto metrics = metrics_of(items);
    if (!metrics) return metrics.error();
    run.metrics = std::move(*metrics);
    return eval::record(ledger_, run);
  }

  /// The search's own metric first, then whatever else every item was scored by.
  Result<std::vector<eval::Metric>> metrics_of(const std::vector<eval::ItemResult>& items) const {
    std::vector<std::string> names = {pipeline_.metric()};
    for (const auto& [name, score] : items.front().scores) {
      const bool everywhere = std::all_of(items.begin(), items.end(),
                                          [&](const auto& item) { return item.scores.contains(name); });
      if (name != pipeline_.metric() && everywhere) names.push_back(name);
    }
    std::vector<eval::Metric> metrics;
    eval::BootstrapOptions bootstrap;
    bootstrap.resamples = kTrialResamples;
    for (const std::string& name : names) {
      std::vector<double> values;
      std::vector<std::size_t> groups;
      std::unordered_map<std::string, std::size_t> group_of;
      for (std::size_t i = 0; i < items.size(); ++i) {
        values.push_back(items[i].scores.at(name));
        const std::string cluster = items[i].cluster.empty() ? "\n" + std::to_string(i) : items[i].cluster;
        groups.push_back(group_of.try_emplace(cluster, group_of.size()).first->second);
      }
      auto estimate = eval::bootstrap_mean_by_group(values, groups, bootstrap);
      if (!estimate) return estimate.error();
      metrics.push_back({name, *estimate, true});
    }
    return metrics;
  }

  double mean_of(const ArmRecord& record, std::size_t items) const {
    double sum = 0;
    for (std::size_t i = 0; i < items; ++i) sum += record.items[i].scores.at(pipeline_.metric());
    return items == 0 ? 0 : sum / static_cast<double>(items);
  }

  void list_tried() {
    for (const auto& [id, record] : records_) {
      if (record.items.empty()) continue;
      const Arm changes = changes_between(result_.current, record.arm);
      result_.tried.push_back({name_of_changes(pipeline_.space(), changes), changes, record.items.size(),
                               mean_of(record, record.items.size()), record.seconds});
    }
    std::sort(result_.tried.begin(), result_.tried.end(), [](const TriedArm& x, const TriedArm& y) {
      if (x.items != y.items) return x.items > y.items;
      if (x.mean != y.mean) return x.mean > y.mean;
      if (x.changes.size() != y.changes.size()) return x.changes.size() < y.changes.size();
      return x.name < y.name;
    });
  }

  // Its end ----------------------------------------------------------------------------------------------
  Result<Improvement> stopped() {
    result_.end = ImproveEnd::stopped;
    result_.sentence = "Stopped after " + counted(result_.trials, "trial") +
                       ". All of them are kept; the same command goes on from here.";
    return std::move(result_);
  }

  std::string development_words() const {
    return points(result_.development_winner) + " against " + points(result_.development_current);
  }

  Result<Improvement> current_is_best() {
    result_.end = ImproveEnd::current_is_best;
    result_.winner_name = "current settings";
    result_.sentence = "Of " + counted(result_.tried.size(), "combination") +
                       " tried, none beats the current settings on the development part, so they stay. The "
                       "held-out part was not looked at.";
    return written_down("dev");
  }

  Result<Improvement> dry_run() {
    result_.end = ImproveEnd::dry_run;
    result_.sentence =
        "In development \"" + result_.winner_name + "\" did better, " + development_words() +
        ". That is a promise, no proof: it was picked for it. The held-out part was not looked at.";
    return written_down("dev");
  }

  Result<Improvement> confirm(const ArmRecord& current, const ArmRecord& winner) {
    result_.look = look_;
    result_.level = level();
    double expected = 0;
    for (const ArmRecord* record : {&current, &winner}) {
      if (record->measured > 0)
        expected += record->seconds / static_cast<double>(record->measured) *
                    static_cast<double>(split_.held_out.size());
    }
    const auto known = [&](const char* who) { return book_.find_held_out(who, look_); };
    const bool both_known = known("current") != nullptr && known("winner") != nullptr;
    if (request_.budget_seconds > 0 && !both_known && result_.seconds + expected > request_.budget_seconds) {
      result_.end = ImproveEnd::out_of_budget;
      result_.look = 0;
      result_.sentence = "\"" + result_.winner_name + "\" did better in development, " + development_words() +
                         ", but the budget does not hold its confirmation, which takes about " +
                         std::to_string(static_cast<long long>(std::ceil(expected))) +
                         " s. All trials are kept; the same command with a larger budget goes on from here.";
      return std::move(result_);
    }
    auto before = held_out_run("current", current.arm);
    if (!before) return before.error();
    if (stopped_) return stopped();
    auto after = held_out_run("winner", winner.arm);
    if (!after) return after.error();
    if (stopped_) return stopped();
    std::vector<double> a, b;
    std::vector<std::string> clusters;
    for (std::size_t i = 0; i < split_.held_out.size(); ++i) {
      a.push_back(before->items[i].scores.at(pipeline_.metric()));
      b.push_back(after->items[i].scores.at(pipeline_.metric()));
      clusters.push_back(group_of_[split_.held_out[i]]);
    }
    eval::CompareOptions options;
    options.level = level();
    auto compared = eval::compare_paired(a, b, clusters, options);
    if (!compared) return compared.error();
    result_.held_out = std::move(*compared);
    const eval::PairedResult& paired = *result_.held_out;
    const bool better = paired.p < level() && paired.difference.value > 0;
    result_.end = better ? ImproveEnd::better : ImproveEnd::not_shown;
    const std::string verdict = eval::verdict_sentence(paired, "the current settings", "the winner");
    const std::string on =
        "On the " + counted(split_.held_out.size(), pipeline_.item_word()) + " that were kept aside: ";
    result_.sentence = better ? on + verdict + "."
                              : "In development \"" + result_.winner_name + "\" did better, " +
                                    development_words() + ", but that was not confirmed. " + on + verdict +
                                    ". The current settings stay.";
    held_out_runs_ = {before->run, after->run};
    return written_down("held-out");
  }

  Result<TrialBook::Kept> held_out_run(const char* contestant, const Arm& arm) {
    if (const TrialBook::Kept* kept = book_.find_held_out(contestant, look_)) {
      result_.seconds += kept->seconds;
      return *kept;
    }
    const ProgressSink telling = telling_of(std::string("confirming: ") + contestant + " settings");
    const double start = clock_.seconds();
    eval::CostMeter meter(clock_);
    std::uint64_t tokens = 0;
    const RunLimits limits{std::numeric_limits<double>::infinity(), clock_, telling, stop_};
    auto got = pipeline_.run(arm, split_.held_out, limits, tokens);
    if (!got) return got.error();
    if (got->size() < split_.held_out.size()) {
      stopped_ = true;
      return TrialBook::Kept{};
    }
    const double seconds = clock_.seconds() - start;
    result_.seconds += seconds;
    Json about = about_search();
    about["arm"] = json_of(arm);
    about["contestant"] = contestant;
    about["look"] = look_;
    about["seconds"] = seconds;
    const std::string name = name_of_changes(pipeline_.space(), changes_between(result_.current, arm));
    auto run = write_run(name, "held-out", std::move(about), *got, meter, tokens);
    if (!run) return run.error();
    return TrialBook::Kept{std::move(*got), seconds, *run};
  }

  Result<Improvement> written_down(const std::string& part) {
    Json about = about_search();
    about["task"] = result_.task;
    about["scope_name"] = request_.scope_name;
    about["decision"] = name_of(result_.end);
    about["changes"] = json_of(result_.changes);
    about["before"] = json_of(result_.current);
    about["recut"] = result_.recut;
    about["trials"] = result_.trials;
    about["tried"] = result_.tried.size();
    about["search_seconds"] = result_.seconds;
    about["development_items"] = result_.development_items;
    about["held_out_items"] = result_.held_out_items;
    about["grouped_by"] = result_.group_word;
    about["look"] = result_.look;
    about["level"] = result_.level;
    about["sentence"] = result_.sentence;
    eval::Estimate gain;
    gain.value = gain.low = gain.high = result_.development_winner - result_.development_current;
    gain.n = result_.development_items;
    if (result_.held_out) {
      gain = result_.held_out->difference;
      about["p"] = result_.held_out->p;
      about["runs"] = Json::array({number_of(held_out_runs_[0]), number_of(held_out_runs_[1])});
    }
    eval::Run run;
    run.at = clock_.unix_seconds();
    run.task = "improve";
    run.name = result_.winner_name;
    run.split = part;
    run.data = pipeline_.data();
    run.seed = request_.seed;
    run.models = request_.models;
    run.version = request_.version;
    run.settings = dump_json(Json{{"improve", std::move(about)}});
    run.cost.seconds = result_.seconds;
    run.metrics.push_back({"gain", gain, true});
    if (result_.held_out) {
      run.metrics.push_back({result_.metric + " before", result_.held_out->a, true});
      run.metrics.push_back({result_.metric + " after", result_.held_out->b, true});
    }
    auto id = eval::record(ledger_, run);
    if (!id) return id.error();
    result_.run = *id;
    return std::move(result_);
  }

  ImprovePipeline& pipeline_;
  store::Store& ledger_;
  const ImproveRequest& request_;
  const Clock& clock_;
  const ProgressSink& progress_;
  std::stop_token stop_;

  eval::HeldOutSplit split_;
  std::vector<std::string> group_of_;
  TrialBook book_;
  std::map<std::string, ArmRecord> records_;
  std::string winner_;
  std::vector<RunId> held_out_runs_;
  int look_ = 1;
  bool stopped_ = false;
  Improvement result_;
};

}  // namespace

std::string_view name_of(ImproveEnd end) {
  switch (end) {
    case ImproveEnd::current_is_best:
      return "current settings are best";
    case ImproveEnd::dry_run:
      return "dry run";
    case ImproveEnd::not_shown:
      return "not shown";
    case ImproveEnd::better:
      return "better";
    case ImproveEnd::out_of_budget:
      return "out of budget";
    case ImproveEnd::stopped:
      return "stopped";
  }
  return "";
}

Result<Improvement> improve(ImprovePipeline& pipeline, store::Store& ledger, const ImproveRequest& request,
                            const Clock& clock, const ProgressSink& progress, std::stop_token stop) {
  return Cycle(pipeline, ledger, request, clock, progress, std::move(stop)).run();
}

}  // namespace loam::tasks
