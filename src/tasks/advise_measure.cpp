#include "tasks/advise_measure.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/json.h"
#include "eval/classification.h"
#include "eval/significance.h"
#include "tasks/classify_parts.h"
#include "tasks/embed_texts.h"

namespace loam::tasks {
namespace {

// Few examples make single draws a matter of luck; many make each draw long.
constexpr std::size_t kManyExamples = 3000;
constexpr std::size_t kTokensCountedOn = 200;
// English prose has about 1.3 tokens a word with the vocabularies in use.
constexpr double kTokensPerWord = 1.3;

Rung rung_of(Method method) {
  switch (method) {
    case Method::majority:
      return Rung::none;
    case Method::tfidf_logreg:
    case Method::bm25_knn:
      return Rung::classical;
    case Method::embeddings_logreg:
      return Rung::embeddings;
    case Method::llm_zero_shot:
    case Method::llm_few_shot:
      return Rung::small_model;
  }
  return Rung::small_model;
}

MethodSettings settings_from(const std::string& json) {
  MethodSettings settings;
  const auto parsed = parse_json(json, "settings");
  if (!parsed || !parsed->is_object()) return settings;
  settings.c = parsed->value("c", settings.c);
  settings.character_ngrams = parsed->value("character_ngrams", settings.character_ngrams);
  settings.neighbours = parsed->value("neighbours", settings.neighbours);
  settings.balanced = parsed->value("balanced", settings.balanced);
  settings.max_iterations = parsed->value("max_iterations", settings.max_iterations);
  return settings;
}

eval::Automation automation_at(const std::vector<eval::Automation>& all, double target) {
  for (const eval::Automation& one : all) {
    if (std::abs(one.target - target) < 1e-9) return one;
  }
  eval::Automation none;
  none.target = target;
  return none;
}

}  // namespace

Evidence evidence_of(const ClassifierComparison& comparison, const CompareRequest& request, double target) {
  Evidence evidence;
  evidence.data = request.data.version;
  evidence.metric = "accuracy";
  evidence.sample_items = comparison.test_items;
  evidence.examples = comparison.train_items;
  evidence.labels = comparison.labels.size();
  evidence.notes = comparison.notes;
  evidence.doubtful_labels = comparison.suspects.size();
  std::map<std::string, std::size_t> counts;
  for (const eval::LabelledText& item : request.data.items) ++counts[item.label];
  for (const auto& [label, count] : counts) {
    evidence.fewest_of_a_label =
        evidence.fewest_of_a_label == 0 ? count : std::min(evidence.fewest_of_a_label, count);
  }
  std::map<std::string, std::string> cluster_of;
  for (const eval::LabelledText& item : (request.test ? *request.test : request.data).items)
    cluster_of[item.id] = item.cluster;
  for (const std::string& id : comparison.test_ids) evidence.clusters.push_back(cluster_of[id]);

  for (const MethodScore& score : comparison.methods) {
    Candidate candidate;
    candidate.name = score.name;
    const auto method = method_named(score.name);
    candidate.rung = method ? rung_of(*method) : Rung::small_model;
    candidate.trivial = method == Method::majority;
    candidate.scored = score.scored;
    candidate.note = score.note;
    candidate.score = score.accuracy;
    candidate.ms_per_item = score.ms_per_item;
    candidate.memory_mb = score.memory_mb;
    candidate.run = score.run;
    candidate.items = score.test_index;
    candidate.scores = score.correct;
    candidate.knows_doubt = score.scored;
    candidate.alone = automation_at(score.automation, target);
    candidate.targets = score.automation;
    for (const eval::Prediction& one : score.predictions) {
      candidate.decided.push_back(one.said >= 0 && one.confidence >= candidate.alone.threshold);
    }
    if (candidate.knows_doubt && !candidate.trivial) candidate.risk = eval::risk_coverage(score.predictions);
    evidence.candidates.push_back(std::move(candidate));
  }
  return evidence;
}

Result<std::vector<LearningPoint>> learning_curve(const ClassifierComparison& comparison,
                                                  const CompareRequest& request, const std::string& name,
                                                  engine::Embedder* embedder, const ProgressSink& progress,
                                                  std::stop_token stop) {
  std::vector<LearningPoint> curve;
  const auto method = method_named(name);
  if (!method || needs_language_model(*method) || *method == Method::majority) return curve;
  if (needs_embedder(*method) && embedder == nullptr) return curve;
  std::vector<eval::Split> splits;
  if (request.folds > 0) {
    auto folds = eval::split_folds(request.data, request.folds, request.seed);
    if (!folds) return folds.error();
    splits = *std::move(folds);
  } else {
    auto split = eval::split_items(request.data, request.validate_share,
                                   request.test ? 0.0 : request.test_share, request.seed);
    if (!split) return split.error();
    splits.push_back(*std::move(split));
  }

  std::vector<std::string> texts;
  std::vector<int> truth;
  for (const eval::LabelledText& item : request.data.items) {
    texts.push_back(item.text);
    truth.push_back(label_index(comparison.labels, item.label));
  }
  if (request.test) {
    std::vector<std::size_t>& test = splits.front().test;
    test.resize(request.test->items.size());
    std::iota(test.begin(), test.end(), texts.size());
    for (const eval::LabelledText& item : request.test->items) {
      texts.push_back(item.text);
      truth.push_back(label_index(comparison.labels, item.label));
    }
  }
  std::vector<float> vectors;
  if (needs_embedder(*method)) {
    auto embedded = embed_texts(*embedder, texts, progress, stop);
    if (!embedded) return embedded.error();
    vectors = *std::move(embedded);
  }
  const Examples all{texts, truth, vectors, static_cast<int>(comparison.labels.size())};
  MethodSettings settings;
  for (const MethodScore& score : comparison.methods) {
    if (score.name == name) settings = settings_from(score.settings);
  }
  const auto vectors_of = [](const FittedMethod& fitted, const OwnedExamples& of) {
    return fitted.dimensions() > 0 ? std::span<const float>(of.vectors) : std::span<const float>();
  };
  for (const std::size_t part : {8U, 4U, 2U, 1U}) {
    std::vector<double> correct(texts.size(), 0.0);
    std::vector<bool> tested(texts.size(), false);
    std::size_t examples = 0;
    bool fits = true;
    for (const eval::Split& split : splits) {
      const std::size_t count = split.train.size() / part;
      const int draws = part == 1 || splits.size() > 1 || split.train.size() > kManyExamples ? 1 : 3;
      examples = std::max(examples, count);
      const OwnedExamples test = subset(all, split.test);
      for (int draw = 0; draw < draws && fits; ++draw) {
        if (stop.stop_requested()) return Error{Kind::unavailable, "loam advise", "stopped", "run it again"};
        std::vector<std::size_t> some;
        const std::uint64_t seed =
            request.seed * 1'000'003ULL + static_cast<std::uint64_t>(draw) * 101ULL + part;
        for (const std::size_t at : draw_some(split.train.size(), count, seed))
          some.push_back(split.train[at]);
        const OwnedExamples train = subset(all, some);
        fits = count >= 2 && std::any_of(train.labels.begin(), train.labels.end(),
                                         [&](int label) { return label != train.labels.front(); });
        if (!fits) break;
        auto fitted = FittedMethod::fit(*method, settings, train.view(), request.threads, progress);
        if (!fitted) return fitted.error();
        auto said = fitted->predict(test.texts, vectors_of(*fitted, test), request.threads);
        if (!said) return said.error();
        const std::vector<eval::Prediction> predictions = predictions_of(*said, test.classes, test.labels);
        for (std::size_t i = 0; i < predictions.size(); ++i) {
          correct[split.test[i]] += predictions[i].said == predictions[i].truth ? 1.0 / draws : 0.0;
          tested[split.test[i]] = true;
        }
      }
    }
    if (!fits) continue;
    std::vector<double> scores;
    for (std::size_t i = 0; i < correct.size(); ++i) {
      if (tested[i]) scores.push_back(correct[i]);
    }
    eval::BootstrapOptions bootstrap;
    bootstrap.seed = request.seed;
    curve.push_back({examples, eval::bootstrap_mean(scores, bootstrap)});
  }
  return curve;
}

Candidate candidate_of(const MeasuredContestant& contestant, std::span<const eval::ItemResult> items,
                       double target) {
  Candidate candidate;
  candidate.name = contestant.name;
  candidate.rung = contestant.rung;
  candidate.trivial = contestant.trivial;
  candidate.scored = !items.empty();
  candidate.ms_per_item = contestant.ms_per_item;
  candidate.memory_mb = contestant.memory_mb;
  candidate.run = contestant.run;
  candidate.knows_doubt = !contestant.decided.empty();
  candidate.alone.target = target;
  candidate.alone.n = items.size();
  std::size_t right = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto score = items[i].scores.find(contestant.score);
    const double value =
        std::clamp(score == items[i].scores.end() ? 0.0 : score->second / contestant.full, 0.0, 1.0);
    const auto decided = items[i].scores.find(contestant.decided);
    const bool alone = !candidate.knows_doubt || (decided != items[i].scores.end() && decided->second > 0.5);
    candidate.items.push_back(i);
    candidate.scores.push_back(value);
    candidate.decided.push_back(alone);
    if (candidate.knows_doubt && alone) {
      ++candidate.alone.decided;
      if (value > 0.5) ++right;
    }
  }
  if (items.empty()) {
    candidate.note = "it was not measured";
    return candidate;
  }
  candidate.score = eval::bootstrap_mean(candidate.scores);
  if (candidate.alone.decided > 0) {
    candidate.alone.coverage =
        static_cast<double>(candidate.alone.decided) / static_cast<double>(candidate.alone.n);
    candidate.alone.accuracy = static_cast<double>(right) / static_cast<double>(candidate.alone.decided);
    candidate.alone.low = eval::clopper_pearson_low(right, candidate.alone.decided);
    candidate.alone.met = candidate.alone.low >= target;
    // Its own threshold does not reach the target here: nothing can be promised to be right alone.
    if (candidate.alone.accuracy < target) candidate.alone.decided = 0;
  }
  return candidate;
}

double mean_tokens(std::span<const std::string> texts, engine::Engine* counter) {
  const std::size_t count = std::min(texts.size(), kTokensCountedOn);
  double tokens = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& text = texts[i * texts.size() / count];
    if (counter != nullptr) {
      if (auto counted = counter->count_tokens(text); counted) {
        tokens += *counted;
        continue;
      }
    }
    std::size_t words = 0;
    bool inside = false;
    for (const char c : text) {
      const bool blank = c == ' ' || c == '\n' || c == '\t';
      if (!blank && !inside) ++words;
      inside = !blank;
    }
    tokens += kTokensPerWord * static_cast<double>(words);
  }
  return count == 0 ? 0 : tokens / static_cast<double>(count);
}

}  // namespace loam::tasks
