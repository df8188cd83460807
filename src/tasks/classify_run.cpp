// How each method is run on the arena: what is fitted, what is measured.
#include <algorithm>
#include <numeric>
#include <random>

#include "base/clock.h"
#include "base/json.h"
#include "tasks/classify_parts.h"
#include "tasks/label_llm.h"

namespace loam::tasks {
namespace {

// With so few labelled items nothing can be chosen on them: the methods keep fixed settings. C = 16 for
// embeddings was chosen on banking77's training items that no draw had taken (8 shots: 0.824 right in place
// of 0.787 with C = 1, which is the protocol of MTEB, Muennighoff et al., EACL 2023; bench/runs,
// classify-strengths.json).
MethodSettings few_shot_settings(Method method) {
  MethodSettings settings;
  settings.max_iterations = 100;
  if (method == Method::tfidf_logreg || method == Method::embeddings_logreg) settings.c = 16.0;
  if (method == Method::bm25_knn) settings.neighbours = 3;
  return settings;
}

// Examples for a prompt: more cost context, and small models make little of them.
constexpr std::size_t kPromptExamples = 6;

std::span<const float> row_of(const Arena& arena, std::size_t item) {
  return std::span<const float>(arena.vectors).subspan(item * arena.dimensions, arena.dimensions);
}

/// Nearest training items: by meaning where there are vectors, else by words.
class NearestExamples {
 public:
  static Result<NearestExamples> of(const Arena& arena, std::vector<std::size_t> train) {
    NearestExamples nearest(arena, std::move(train));
    if (arena.dimensions == 0) {
      const OwnedExamples part = subset(arena.all(), nearest.train_);
      auto fitted = baseline::Bm25Neighbours::fit(part.texts, part.labels, part.classes);
      if (!fitted) return fitted.error();
      nearest.by_words_ = *std::move(fitted);
    }
    return nearest;
  }

  /// Items of the arena, nearest first.
  std::vector<std::size_t> to(std::size_t item, std::size_t count) const {
    std::vector<std::size_t> found;
    if (by_words_) {
      for (const std::size_t at : by_words_->nearest(arena_->texts[item], count)) found.push_back(train_[at]);
      return found;
    }
    std::vector<std::pair<float, std::size_t>> scored;
    const auto own = row_of(*arena_, item);
    for (const std::size_t one : train_) {
      const auto other = row_of(*arena_, one);
      scored.emplace_back(-std::inner_product(own.begin(), own.end(), other.begin(), 0.0F), one);
    }
    const std::size_t kept = std::min(count, scored.size());
    std::partial_sort(scored.begin(), scored.begin() + static_cast<std::ptrdiff_t>(kept), scored.end());
    for (std::size_t i = 0; i < kept; ++i) found.push_back(scored[i].second);
    return found;
  }

 private:
  NearestExamples(const Arena& arena, std::vector<std::size_t> train)
      : arena_(&arena), train_(std::move(train)) {}
  const Arena* arena_;
  std::vector<std::size_t> train_;
  std::optional<baseline::Bm25Neighbours> by_words_;
};

}  // namespace

std::vector<std::size_t> draw_some(std::size_t from, std::size_t count, std::uint64_t seed) {
  std::vector<std::size_t> all(from);
  std::iota(all.begin(), all.end(), std::size_t{0});
  if (count >= from) return all;
  std::mt19937_64 random(seed);
  for (std::size_t i = 0; i < count; ++i) {
    std::swap(all[i], all[i + static_cast<std::size_t>(random() % (from - i))]);
  }
  all.resize(count);
  std::sort(all.begin(), all.end());
  return all;
}

Result<Outcome> run_fitted(Method method, const Arena& arena, const CompareRequest& request,
                           const CompareTools& tools, const ProgressSink& progress, std::stop_token stop) {
  Outcome outcome;
  const OwnedExamples validate = subset(arena.all(), arena.validate);
  const OwnedExamples test = subset(arena.all(), arena.test);
  outcome.test_index.resize(arena.test.size());
  std::iota(outcome.test_index.begin(), outcome.test_index.end(), std::size_t{0});
  outcome.correct.assign(arena.test.size(), 0.0);
  for (std::size_t draw = 0; draw < arena.draws.size(); ++draw) {
    if (stop.stop_requested()) return Error{Kind::unavailable, "classify compare", "stopped", "run it again"};
    const OwnedExamples train = subset(arena.all(), arena.draws[draw]);
    const Stopwatch fit_watch;
    MethodSettings settings;
    Json tried_json = Json::array();
    if (request.shots > 0) {
      settings = few_shot_settings(method);
    } else if (method != Method::majority && !arena.validate.empty()) {
      std::vector<TriedSettings> tried;
      auto chosen =
          choose_settings(method, train.view(), validate.view(), request.threads, &tried, progress, stop);
      if (!chosen) return chosen.error();
      settings = *chosen;
      for (const TriedSettings& one : tried) {
        Json json = settings_json(method, one.settings);
        json["validation_accuracy"] = one.accuracy;
        tried_json.push_back(std::move(json));
      }
    }
    auto fitted = FittedMethod::fit(method, settings, train.view(), request.threads, progress);
    if (!fitted) return fitted.error();
    const double fit_seconds = fit_watch.milliseconds() / 1000.0;
    auto of_validate = fitted->predict(
        validate.texts,
        fitted->dimensions() > 0 ? std::span<const float>(validate.vectors) : std::span<const float>(),
        request.threads);
    if (!of_validate) return of_validate.error();
    const Stopwatch watch;
    auto of_test = fitted->predict(
        test.texts,
        fitted->dimensions() > 0 ? std::span<const float>(test.vectors) : std::span<const float>(),
        request.threads);
    if (!of_test) return of_test.error();
    const double ms = watch.milliseconds() / static_cast<double>(std::max<std::size_t>(test.texts.size(), 1));
    const std::vector<eval::Prediction> said = predictions_of(*of_test, test.classes, test.labels);
    std::vector<double> correct;
    correct.reserve(said.size());
    for (const eval::Prediction& one : said) correct.push_back(one.said == one.truth ? 1.0 : 0.0);
    for (std::size_t i = 0; i < correct.size(); ++i) {
      outcome.correct[i] += correct[i] / static_cast<double>(arena.draws.size());
    }
    outcome.correct_by_draw.push_back(std::move(correct));
    if (draw > 0) continue;
    outcome.validate = predictions_of(*of_validate, validate.classes, validate.labels);
    outcome.test = said;
    outcome.fit_seconds = fit_seconds;
    outcome.ms_per_item = ms + (needs_embedder(method) ? arena.embed_ms_per_item : 0.0);
    outcome.memory_mb =
        static_cast<double>(fitted->bytes()) / 1e6 + (needs_embedder(method) ? tools.embedder_mb : 0.0);
    Json json = settings_json(method, settings);
    if (!tried_json.empty()) json["tried"] = std::move(tried_json);
    outcome.settings = dump_json(json);
  }
  return outcome;
}

Result<Outcome> run_in_folds(Method method, const Arena& arena, const CompareRequest& request,
                             const CompareTools& tools, const ProgressSink& progress, std::stop_token stop) {
  Arena part = arena;
  part.folds.clear();
  Outcome whole;
  whole.test.resize(arena.test.size());
  whole.correct.assign(arena.test.size(), 0.0);
  whole.test_index.resize(arena.test.size());
  std::iota(whole.test_index.begin(), whole.test_index.end(), std::size_t{0});
  for (std::size_t fold = 0; fold < arena.folds.size(); ++fold) {
    part.train = arena.folds[fold].train;
    part.validate = arena.folds[fold].validate;
    part.test = arena.folds[fold].test;
    part.draws = {part.train};
    auto outcome = run_fitted(method, part, request, tools, progress, stop);
    if (!outcome) return outcome.error();
    std::vector<eval::Prediction>& into = fold < arena.folds.size() / 2 ? whole.validate : whole.verify;
    for (std::size_t i = 0; i < outcome->test.size(); ++i) {
      const std::size_t item = part.test[outcome->test_index[i]];  // arena.test is every item, in order
      whole.test[item] = outcome->test[i];
      whole.correct[item] = outcome->correct[i];
      into.push_back(outcome->test[i]);
    }
    const auto share = 1.0 / static_cast<double>(arena.folds.size());
    whole.ms_per_item += share * outcome->ms_per_item;
    whole.fit_seconds += share * outcome->fit_seconds;
    whole.memory_mb = std::max(whole.memory_mb, outcome->memory_mb);
    if (fold == 0) whole.settings = outcome->settings;
  }
  whole.correct_by_draw.push_back(whole.correct);
  return whole;
}

Result<Outcome> run_language_model(Method method, const Arena& arena, const CompareRequest& request,
                                   const CompareTools& tools, const ProgressSink& progress,
                                   std::stop_token stop) {
  engine::Engine& engine = *tools.language_model;
  const auto most = static_cast<std::size_t>(std::max(request.llm_items, 1));
  Outcome outcome;
  if (arena.folds.empty()) {
    outcome.test_index = draw_some(arena.test.size(), most, request.seed + 17);
  } else {  // what it is shown as examples comes from the first fold, and so must not be tested on
    const std::vector<std::size_t>& fold = arena.folds.front().test;
    for (const std::size_t at : draw_some(fold.size(), most, request.seed + 17))
      outcome.test_index.push_back(fold[at]);
  }
  std::vector<std::size_t> items;  // of the arena: validation first, then test
  for (const std::size_t at : draw_some(arena.validate.size(), most, request.seed + 18)) {
    items.push_back(arena.validate[at]);
  }
  const std::size_t first_test = items.size();
  for (const std::size_t at : outcome.test_index) items.push_back(arena.test[at]);

  const Stopwatch fit_watch;
  auto prompt = LabelPrompt::prepare(engine, arena.labels, {}, stop);
  if (!prompt) return prompt.error();
  // Examples for the prompt, and labels worth scoring where there are too many to score all.
  auto nearest = NearestExamples::of(arena, arena.draws.front());
  if (!nearest) return nearest.error();
  outcome.fit_seconds = fit_watch.milliseconds() / 1000.0;
  const bool few_shot = method == Method::llm_few_shot;
  const bool too_many_labels = arena.labels.size() > static_cast<std::size_t>(prompt->options().most_labels);
  const std::vector<float> prior = [&] {
    std::vector<float> counts(arena.labels.size(), 0.0F);
    for (const std::size_t item : arena.draws.front())
      counts[static_cast<std::size_t>(arena.truth[item])] += 1.0F;
    return counts;
  }();
  const int usual = static_cast<int>(std::max_element(prior.begin(), prior.end()) - prior.begin());
  LabelUsage usage;
  std::size_t refused = 0;
  std::string why_refused;
  double test_ms = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (stop.stop_requested()) return Error{Kind::unavailable, "classify compare", "stopped", "run it again"};
    const Stopwatch watch;
    const std::size_t item = items[i];
    std::vector<LabelExample> examples;
    std::vector<int> candidates;
    if (few_shot) {
      for (const std::size_t one : nearest->to(item, kPromptExamples)) {
        examples.push_back({arena.texts[one], arena.truth[one]});
      }
    }
    if (too_many_labels) {
      for (const std::size_t one :
           nearest->to(item, 4 * static_cast<std::size_t>(prompt->options().most_labels))) {
        const int label = arena.truth[one];
        if (std::find(candidates.begin(), candidates.end(), label) == candidates.end())
          candidates.push_back(label);
      }
    }
    LabelHints hints;
    hints.examples = examples;
    hints.candidates = candidates;
    auto probabilities = label_probabilities(engine, *prompt, arena.texts[item], hints, &usage, stop);
    eval::Prediction one;
    one.truth = arena.truth[item];
    if (probabilities) {
      const auto best = std::max_element(probabilities->begin(), probabilities->end());
      one.said = static_cast<int>(best - probabilities->begin());
      one.confidence = std::clamp(static_cast<double>(*best), 0.0, 1.0);
    } else if (probabilities.error().kind == Kind::unavailable) {
      return probabilities.error();
    } else {  // a text that does not fit still counts: as the most frequent label, with no confidence
      one.said = usual;
      ++refused;
      why_refused = probabilities.error().message;
    }
    if (i >= first_test) {
      outcome.test.push_back(one);
      outcome.correct.push_back(one.said == one.truth ? 1.0 : 0.0);
      test_ms += watch.milliseconds();
    } else {
      outcome.validate.push_back(one);
    }
    if (progress) progress({std::string(name_of(method)), i + 1, items.size()});
  }
  outcome.correct_by_draw.push_back(outcome.correct);
  outcome.ms_per_item = test_ms / static_cast<double>(std::max<std::size_t>(outcome.test.size(), 1));
  if (few_shot && arena.dimensions > 0) outcome.ms_per_item += arena.embed_ms_per_item;
  outcome.memory_mb = tools.language_model_mb + (few_shot && arena.dimensions > 0 ? tools.embedder_mb : 0.0);
  outcome.tokens = usage.tokens() + prompt->preparation().tokens();
  if (outcome.test.size() < arena.test.size()) {
    outcome.note =
        "scored on " + thousands(outcome.test.size()) + " of " + thousands(arena.test.size()) + " items";
  }
  if (refused > 0) {
    outcome.note += (outcome.note.empty() ? "" : "; ") + thousands(refused) +
                    " texts could not be asked and count as the most frequent label (" + why_refused + ")";
  }
  outcome.settings = dump_json(Json{{"examples", few_shot ? kPromptExamples : 0},
                                    {"examples_by", !few_shot              ? "none"
                                                    : arena.dimensions > 0 ? "embedding"
                                                                           : "bm25"},
                                    {"calibration", "once"},
                                    {"labels_listed", prompt->lists_labels()}});
  return outcome;
}

}  // namespace loam::tasks
