// The comparison, top to bottom: one split, each method on it, scores, tests, recommendation, doubts.
#include "tasks/classify.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "base/clock.h"
#include "base/json.h"
#include "tasks/classify_parts.h"
#include "tasks/embed_texts.h"

namespace loam::tasks {
namespace {

constexpr double kConfidence = 0.95;

Error bad(const eval::ClassificationData& data, std::string message, std::string next) {
  return Error{Kind::bad_request, data.version.file, std::move(message), std::move(next)};
}

/// What is worth knowing beside what the reader of the file noted.
void add_notes(std::vector<eval::DataNote>& notes, std::vector<eval::DataNote> more, const std::string& of) {
  for (eval::DataNote& note : more) {
    if (!of.empty()) note.message = of + ": " + note.message;
    notes.push_back(std::move(note));
  }
}

/// Labels that can never be said.
void note_unlearnable_labels(const Arena& arena, std::vector<eval::DataNote>& notes) {
  std::vector<std::size_t> counts(arena.labels.size(), 0);
  for (const std::size_t item : arena.train) ++counts[static_cast<std::size_t>(arena.truth[item])];
  std::string names;
  std::size_t none = 0;
  for (std::size_t k = 0; k < counts.size(); ++k) {
    if (counts[k] > 0) continue;
    if (++none <= 5) names += (none > 1 ? ", \"" : "\"") + arena.labels[k] + "\"";
  }
  if (none == 0) return;
  notes.push_back({"label without training item",
                   thousands(none) + (none == 1 ? " label has" : " labels have") +
                       " no item in the training part, so that no fitted method can say it: " + names +
                       (none > 5 ? ", ..." : ""),
                   {},
                   none,
                   false});
}

Result<Arena> arrange(const CompareRequest& request, std::vector<eval::DataNote>& notes) {
  const eval::ClassificationData& data = request.data;
  Arena arena;
  std::set<std::string> labels(data.labels.begin(), data.labels.end());
  if (request.test) labels.insert(request.test->labels.begin(), request.test->labels.end());
  arena.labels.assign(labels.begin(), labels.end());
  if (data.labels.size() < 2) {
    return bad(data,
               data.items.empty() ? "there is no labelled text in it"
                                  : "every item has the label \"" + data.labels.front() +
                                        "\": there is nothing to tell apart",
               "give items of at least two labels; --label COL if this is the wrong column");
  }
  const auto add = [&](const eval::ClassificationData& from, const std::string& prefix) {
    for (const eval::LabelledText& item : from.items) {
      arena.texts.push_back(item.text);
      arena.truth.push_back(label_index(arena.labels, item.label));
      arena.ids.push_back(prefix + item.id);
      arena.clusters.push_back(item.cluster);
    }
  };
  add(data, "");
  add_notes(notes, data.notes, "");
  if (request.folds > 0 && (request.test || request.shots > 0)) {
    return Error{
        Kind::bad_request, "--folds",
        request.test ? "with a test file there is nothing to fold" : "shots are drawn from one split",
        "leave out one of the two"};
  }
  if (request.folds > 0) {
    auto folds = eval::split_folds(data, request.folds, request.seed);
    if (!folds) return folds.error();
    arena.folds = *std::move(folds);
    arena.train = arena.folds.front().train;
    arena.validate = arena.folds.front().validate;
    arena.test.resize(data.items.size());
    std::iota(arena.test.begin(), arena.test.end(), std::size_t{0});
  } else {
    auto split = eval::split_items(data, request.validate_share, request.test ? 0.0 : request.test_share,
                                   request.seed);
    if (!split) return split.error();
    arena.train = std::move(split->train);
    arena.validate = std::move(split->validate);
    arena.test = std::move(split->test);
  }
  if (request.test) {
    const std::size_t first = arena.texts.size();
    add(*request.test, "");
    add_notes(notes, request.test->notes, request.test->version.file);
    add_notes(notes, eval::leakage(data, *request.test), "");
    arena.test.resize(request.test->items.size());
    std::iota(arena.test.begin(), arena.test.end(), first);
  }
  std::set<int> in_train;
  for (const std::size_t item : arena.train) in_train.insert(arena.truth[item]);
  if (in_train.size() < 2 || arena.test.empty()) {
    return bad(data,
               "its " + thousands(data.items.size()) + " items are too few to be parted into " +
                   thousands(arena.train.size()) + " for training, " + thousands(arena.validate.size()) +
                   " for choosing and " + thousands(arena.test.size()) + " for the test",
               "give more labelled items, or a test file: --test FILE");
  }
  note_unlearnable_labels(arena, notes);
  // Few-shot: N training items of each label, drawn anew for each draw.
  if (request.shots <= 0) {
    arena.draws.push_back(arena.train);
    return arena;
  }
  std::vector<std::vector<std::size_t>> of_label(arena.labels.size());
  for (const std::size_t item : arena.train)
    of_label[static_cast<std::size_t>(arena.truth[item])].push_back(item);
  std::size_t short_labels = 0;
  for (int draw = 0; draw < std::max(request.draws, 1); ++draw) {
    std::vector<std::size_t> drawn;
    for (std::size_t k = 0; k < of_label.size(); ++k) {
      const std::uint64_t seed =
          request.seed * 1'000'003ULL + static_cast<std::uint64_t>(draw) * 10'007ULL + k;
      for (const std::size_t at :
           draw_some(of_label[k].size(), static_cast<std::size_t>(request.shots), seed)) {
        drawn.push_back(of_label[k][at]);
      }
      if (draw == 0 && of_label[k].size() < static_cast<std::size_t>(request.shots)) ++short_labels;
    }
    std::sort(drawn.begin(), drawn.end());
    arena.draws.push_back(std::move(drawn));
  }
  if (short_labels > 0) {
    notes.push_back({"fewer than the shots",
                     thousands(short_labels) + " labels have fewer than " + std::to_string(request.shots) +
                         " training items; all they have is used",
                     {},
                     short_labels,
                     false});
  }
  return arena;
}

/// All vectors, computed once. Equal texts are embedded once.
Result<void> embed_arena(Arena& arena, engine::Embedder& embedder, const ProgressSink& progress,
                         std::stop_token stop) {
  std::map<std::string_view, std::size_t> place;
  std::vector<std::string> unique;
  std::vector<std::size_t> of_item;
  for (const std::string& text : arena.texts) {
    const auto [at, fresh] = place.emplace(text, unique.size());
    if (fresh) unique.push_back(text);
    of_item.push_back(at->second);
  }
  const Stopwatch watch;
  auto vectors = embed_texts(embedder, unique, progress, stop);
  if (!vectors) return vectors.error();
  arena.embed_ms_per_item =
      watch.milliseconds() / static_cast<double>(std::max<std::size_t>(unique.size(), 1));
  arena.dimensions = static_cast<std::size_t>(embedder.dimensions());
  arena.vectors.reserve(arena.texts.size() * arena.dimensions);
  for (const std::size_t at : of_item) {
    const auto row = std::span<const float>(*vectors).subspan(at * arena.dimensions, arena.dimensions);
    arena.vectors.insert(arena.vectors.end(), row.begin(), row.end());
  }
  return done();
}

/// Mean over items with an interval that draws clusters where there are some, and draws where there are many.
eval::Estimate accuracy_estimate(const Outcome& outcome, const Arena& arena, std::uint64_t seed) {
  std::vector<std::string> cluster_names;
  bool clustered = false;
  for (const std::size_t at : outcome.test_index) {
    cluster_names.push_back(arena.clusters[arena.test[at]]);
    clustered = clustered || !cluster_names.back().empty();
  }
  if (outcome.correct_by_draw.size() == 1 && !clustered) return eval::accuracy_estimate(outcome.test);
  std::map<std::string, std::size_t> number;
  std::vector<std::size_t> group;
  for (std::size_t i = 0; i < cluster_names.size(); ++i) {
    const std::string name = cluster_names[i].empty() ? "\n" + std::to_string(i) : cluster_names[i];
    group.push_back(number.emplace(name, number.size()).first->second);
  }
  eval::BootstrapOptions options;
  options.seed = seed;
  eval::Estimate estimate;
  if (auto by_items = eval::bootstrap_mean_by_group(outcome.correct, group, options)) estimate = *by_items;
  if (outcome.correct_by_draw.size() > 1) {
    // The draws are a second source of chance: the wider of both intervals is told, and their spread is
    // added.
    std::vector<double> means;
    for (const std::vector<double>& draw : outcome.correct_by_draw) {
      means.push_back(std::accumulate(draw.begin(), draw.end(), 0.0) /
                      static_cast<double>(std::max<std::size_t>(draw.size(), 1)));
    }
    const eval::Estimate by_draws = eval::bootstrap_mean(means, options);
    const double below = std::hypot(estimate.value - estimate.low, by_draws.value - by_draws.low);
    const double above = std::hypot(estimate.high - estimate.value, by_draws.high - by_draws.value);
    estimate.low = std::max(0.0, estimate.value - below);
    estimate.high = std::min(1.0, estimate.value + above);
  }
  return estimate;
}

MethodScore scored(Method method, Outcome outcome, const Arena& arena, const CompareRequest& request) {
  MethodScore score;
  score.name = name_of(method);
  score.scored = true;
  const int classes = static_cast<int>(arena.labels.size());
  score.accuracy = accuracy_estimate(outcome, arena, request.seed);
  eval::BootstrapOptions bootstrap;
  bootstrap.seed = request.seed;
  bootstrap.resamples = 1000;  // each resample scores every class anew
  score.macro_f1 = eval::macro_f1_estimate(outcome.test, classes, bootstrap);
  score.calibration_error = eval::expected_calibration_error(outcome.test);
  for (const double target : request.targets) {
    score.automation.push_back(eval::automate(
        outcome.validate, outcome.verify.empty() ? outcome.test : outcome.verify, target, kConfidence));
  }
  for (const eval::Prediction& one : outcome.test) {
    score.labels_said.push_back(one.said >= 0 ? arena.labels[static_cast<std::size_t>(one.said)] : "");
  }
  score.ms_per_item = outcome.ms_per_item;
  score.fit_seconds = outcome.fit_seconds;
  score.memory_mb = outcome.memory_mb;
  score.test_items = outcome.test.size();
  score.note = std::move(outcome.note);
  score.settings = std::move(outcome.settings);
  score.predictions = std::move(outcome.test);
  score.test_index = std::move(outcome.test_index);
  score.correct = std::move(outcome.correct);
  return score;
}

Result<void> to_ledger(MethodScore& score, const Arena& arena, const CompareRequest& request,
                       const CompareTools& tools, Method method, const eval::Cost& cost) {
  eval::Run run;
  run.task = "classify";
  run.name = score.name;
  run.split = arena.folds.empty() ? "test" : "folds";
  run.data = request.test ? request.test->version : request.data.version;
  run.seed = request.seed;
  Json settings = {{"train", request.data.version.file},
                   {"train_sha256", request.data.version.sha256},
                   {"train_items", arena.draws.front().size()},
                   {"validate_items", arena.validate.size()},
                   {"folds", arena.folds.size()},
                   {"shots", request.shots},
                   {"draws", arena.draws.size()}};
  if (auto own = parse_json(score.settings, "settings")) settings["method"] = *own;
  run.settings = dump_json(settings);
  if (needs_embedder(method) && tools.embedder != nullptr) {
    run.models.push_back({"embedder", tools.embedder->model_name(), tools.embedder_sha256});
  }
  if (needs_language_model(method) && tools.language_model != nullptr) {
    run.models.push_back({"chat", tools.language_model->model_name(), tools.language_model_sha256});
  }
  run.machine = tools.machine;
  run.version = tools.version;
  run.cost = cost;
  const std::size_t n = score.predictions.size();
  const auto plain = [n](double value) { return eval::Estimate{value, value, value, n}; };
  run.metrics = {{"accuracy", score.accuracy, true},
                 {"macro_f1", score.macro_f1, true},
                 {"calibration_error", plain(score.calibration_error), false},
                 {"aurc", plain(eval::aurc(score.predictions)), false},
                 {"ms_per_item", plain(score.ms_per_item), false},
                 {"memory_mb", plain(score.memory_mb), false}};
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t item = arena.test[score.test_index[i]];
    eval::ItemResult result;
    result.id = arena.ids[item];
    result.cluster = arena.clusters[item];
    result.scores = {{"accuracy", score.correct[i]}, {"confidence", score.predictions[i].confidence}};
    result.output = score.labels_said[i];
    run.items.push_back(std::move(result));
  }
  auto id = eval::record(*tools.ledger, run);
  if (!id) return id.error();
  score.run = *id;
  return done();
}

Result<void> find_suspects(ClassifierComparison& comparison, const Arena& arena,
                           const CompareRequest& request, const ProgressSink& progress,
                           std::stop_token stop) {
  const std::size_t count = request.data.items.size();
  Examples examples = arena.all();
  examples.texts = examples.texts.first(count);
  examples.labels = examples.labels.first(count);
  Method method = Method::tfidf_logreg;
  MethodSettings settings = MethodSettings{.c = 16.0, .max_iterations = 60};
  if (arena.dimensions > 0) {
    method = Method::embeddings_logreg;
    settings.c = 4.0;
    examples.vectors = examples.vectors.first(count * arena.dimensions);
  } else {
    examples.vectors = {};
  }
  auto probabilities = out_of_fold(method, settings, examples, eval::group_numbers(request.data), 5,
                                   request.seed, request.threads, progress, stop);
  if (!probabilities) return probabilities.error();
  comparison.suspects = label_suspects(*probabilities, examples.labels, arena.labels);
  comparison.suspects_method = name_of(method);
  return done();
}

}  // namespace

std::vector<LabelSuspect> label_suspects(std::span<const float> probabilities, std::span<const int> labels,
                                         const std::vector<std::string>& names) {
  const std::size_t classes = names.size();
  std::vector<double> sum(classes, 0.0);
  std::vector<std::size_t> count(classes, 0);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto label = static_cast<std::size_t>(labels[i]);
    sum[label] += static_cast<double>(probabilities[i * classes + label]);
    ++count[label];
  }
  std::vector<LabelSuspect> suspects;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto row = probabilities.subspan(i * classes, classes);
    const auto own = static_cast<std::size_t>(labels[i]);
    std::size_t believed = classes;
    for (std::size_t k = 0; k < classes; ++k) {
      if (count[k] == 0) continue;
      const double threshold = sum[k] / static_cast<double>(count[k]);
      if (static_cast<double>(row[k]) >= threshold && (believed == classes || row[k] > row[believed]))
        believed = k;
    }
    if (believed == classes || believed == own || !(row[believed] > row[own])) continue;
    suspects.push_back({i, names[own], names[believed], 1.0 - static_cast<double>(row[own])});
  }
  std::stable_sort(suspects.begin(), suspects.end(),
                   [](const LabelSuspect& a, const LabelSuspect& b) { return a.doubt > b.doubt; });
  return suspects;
}

Result<ClassifierComparison> compare_classifiers(const CompareRequest& request, const CompareTools& tools,
                                                 const ProgressSink& progress, std::stop_token stop) {
  std::vector<Method> methods = all_methods();
  if (!request.methods.empty()) {
    methods.clear();
    for (const std::string& name : request.methods) {
      const auto method = method_named(name);
      if (!method) {
        std::string known;
        for (const Method one : all_methods())
          known += (known.empty() ? "" : ", ") + std::string(name_of(one));
        return Error{Kind::bad_request, "--methods", "\"" + name + "\" is not one of " + known,
                     "--methods tfidf+logreg"};
      }
      if (std::find(methods.begin(), methods.end(), *method) == methods.end()) methods.push_back(*method);
    }
    std::sort(methods.begin(), methods.end());
  }
  ClassifierComparison comparison;
  auto arranged = arrange(request, comparison.notes);
  if (!arranged) return arranged.error();
  Arena arena = *std::move(arranged);
  comparison.labels = arena.labels;
  comparison.train_items = arena.draws.front().size();
  comparison.validate_items = arena.validate.size();
  comparison.test_items = arena.test.size();
  for (const std::size_t item : arena.test) comparison.test_ids.push_back(arena.ids[item]);

  const bool asked = !request.methods.empty();
  const bool wants_vectors = std::any_of(methods.begin(), methods.end(), [](Method method) {
    return needs_embedder(method) || method == Method::llm_few_shot;
  });
  eval::Cost embedding_cost;
  if (tools.embedder != nullptr && wants_vectors) {
    const eval::CostMeter meter;
    if (auto embedded = embed_arena(arena, *tools.embedder, progress, stop); !embedded)
      return embedded.error();
    embedding_cost = meter.cost();
  }
  for (const Method method : methods) {
    const bool lacks_embedder = needs_embedder(method) && tools.embedder == nullptr;
    const bool lacks_model = needs_language_model(method) && tools.language_model == nullptr;
    MethodScore score;
    score.name = name_of(method);
    if (lacks_embedder || lacks_model) {
      const std::string what = lacks_embedder ? "no embedding model" : "no language model";
      if (asked) {
        return Error{
            Kind::unavailable, "--methods " + score.name, "there is " + what + " here",
            lacks_embedder ? "loam models pull all-minilm-l6-v2" : "loam models pull smollm2-135m-instruct"};
      }
      score.note = "skipped: " + what;
      comparison.methods.push_back(std::move(score));
      continue;
    }
    const eval::CostMeter meter;
    auto outcome = needs_language_model(method)
                       ? run_language_model(method, arena, request, tools, progress, stop)
                   : arena.folds.empty() ? run_fitted(method, arena, request, tools, progress, stop)
                                         : run_in_folds(method, arena, request, tools, progress, stop);
    if (!outcome) {
      if (asked || stop.stop_requested()) return outcome.error();
      score.note = "skipped: " + (outcome.error().place.empty() ? "" : outcome.error().place + ": ") +
                   outcome.error().message;
      comparison.methods.push_back(std::move(score));
      continue;
    }
    eval::Cost cost = meter.cost();
    cost.tokens = outcome->tokens;
    if (needs_embedder(method)) {  // the vectors are computed once and shared; their cost is this method's
      cost.seconds += embedding_cost.seconds;
      cost.cpu_seconds += embedding_cost.cpu_seconds;
      if (cost.joules && embedding_cost.joules) *cost.joules += *embedding_cost.joules;
    }
    score = scored(method, *std::move(outcome), arena, request);
    if (tools.ledger != nullptr) {
      if (auto written = to_ledger(score, arena, request, tools, method, cost); !written)
        return written.error();
    }
    comparison.methods.push_back(std::move(score));
  }
  std::vector<std::string> clusters;
  for (const std::size_t item : arena.test) clusters.push_back(arena.clusters[item]);
  if (auto ranked = rank_and_recommend(comparison, clusters); !ranked) return ranked.error();
  if (request.find_suspects) {
    if (auto found = find_suspects(comparison, arena, request, progress, stop); !found) {
      if (stop.stop_requested()) return found.error();
      comparison.notes.push_back({"label errors",
                                  "doubtful labels could not be looked for: " + found.error().message,
                                  {},
                                  0,
                                  false});
    }
  }
  return comparison;
}

}  // namespace loam::tasks
