#include "tasks/improve_classify.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <unordered_map>

#include "base/utf8.h"
#include "tasks/classify_parts.h"
#include "tasks/embed_texts.h"
#include "tasks/folds.h"
#include "tasks/improve_parts.h"

namespace loam::tasks {
namespace {

constexpr int kFolds = 5;
constexpr const char* kAuto = "auto";

Error bad_value(const std::string& key, const std::string& value) {
  return {Kind::bad_data, key, "\"" + value + "\" is not one of its values", "loam improve --undo"};
}

/// A positive number as it stands in the space: "16", "0.25".
std::optional<double> number(const std::string& text) {
  double value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size() || !(value >= 0 && value <= 1e9))
    return std::nullopt;
  return value;
}

std::string text_of(double value) {
  std::string text = std::to_string(value);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

bool is_linear(const std::string& method) {
  return method == name_of(Method::tfidf_logreg) || method == name_of(Method::embeddings_logreg);
}

/// What one model said of one item.
struct Said {
  int label = -1;
  double confidence = 0;
};

class ClassifyPipeline final : public ImprovePipeline {
 public:
  ClassifyPipeline(eval::ClassificationData data, const ClassifySettings& current, std::vector<float> vectors,
                   bool has_vectors, const std::set<std::string>& fixed, int threads)
      : data_(std::move(data)), current_(arm_of(current)), vectors_(std::move(vectors)), threads_(threads) {
    for (const eval::LabelledText& item : data_.items) {
      texts_.push_back(item.text);
      truth_.push_back(label_index(data_.labels, item.label));
    }
    std::vector<std::string> methods = {std::string(name_of(Method::tfidf_logreg)),
                                        std::string(name_of(Method::bm25_knn))};
    if (has_vectors) methods.emplace_back(name_of(Method::embeddings_logreg));
    space_ = {
        {"classify.method", "method", std::move(methods), false, {}},
        {"classify.c", "C", {kAuto, "1", "4", "16", "64", "256"}, false, {{kAuto, "C found by itself"}}},
        {"classify.character_ngrams",
         "character n-grams to",
         {"0", "4", "5"},
         false,
         {{"0", "no character n-grams"}}},
        {"classify.neighbours",
         "neighbours",
         {kAuto, "1", "3", "5", "10", "20"},
         false,
         {{kAuto, "neighbours found by itself"}}},
        {"classify.balanced",
         "balanced",
         {"false", "true"},
         false,
         {{"false", "labels weighed by frequency"}, {"true", "rare labels weighed as frequent ones"}}}};
    for (SpaceRow& row : space_) {
      if (fixed.contains(row.key)) row.values.clear();
      const std::string& now = current_.at(row.key);
      if (std::find(row.values.begin(), row.values.end(), now) == row.values.end()) row.values.push_back(now);
    }
  }

  std::string task() const override { return "classify"; }
  std::string metric() const override { return "accuracy"; }
  std::string item_word() const override { return "text"; }
  std::string fingerprint() const override { return ""; }
  const eval::DataVersion& data() const override { return data_.version; }
  const std::vector<SpaceRow>& space() const override { return space_; }
  Arm current() const override { return current_; }
  Arm canonical(Arm arm) const override {
    const std::string& method = arm["classify.method"];
    if (!is_linear(method)) arm["classify.c"] = kAuto;
    if (method != name_of(Method::bm25_knn)) arm["classify.neighbours"] = kAuto;
    // What finds C by itself finds the n-grams too.
    if (method != name_of(Method::tfidf_logreg) || arm["classify.c"] == kAuto)
      arm["classify.character_ngrams"] = "0";
    if (!is_linear(method) || arm["classify.c"] == kAuto) arm["classify.balanced"] = "false";
    return arm;
  }
  std::size_t items() const override { return data_.items.size(); }
  std::string item_id(std::size_t item) const override { return data_.items[item].id; }
  std::vector<Grouping> groupings() const override {
    Grouping groups{"group", {}}, texts{"text", {}};
    bool grouped = false;
    for (const eval::LabelledText& item : data_.items) {
      const std::string text = "text " + to_lower_utf8(item.text);
      grouped = grouped || !item.cluster.empty();
      groups.group_of.push_back(item.cluster.empty() ? text : item.cluster);
      texts.group_of.push_back(text);
    }
    // Groups that a person names are never parted, however few they are.
    if (grouped) return {std::move(groups)};
    return {std::move(texts)};
  }

  /// Folds of development: groups stay together, and the search takes fold after fold, so that a few items
  /// need one fit.
  void divide(eval::HeldOutSplit& split) override {
    const std::vector<std::string> group_of = groupings().front().group_of;
    std::unordered_map<std::string, std::size_t> size_of;
    for (const std::size_t item : split.development) ++size_of[group_of[item]];
    std::unordered_map<std::string, int> fold_of_group;
    std::size_t dealt = 0;
    fold_of_.assign(data_.items.size(), -1);
    for (const std::size_t item : split.development) {
      const auto [place, is_new] = fold_of_group.try_emplace(group_of[item], 0);
      if (is_new) {
        place->second = std::min(kFolds - 1, static_cast<int>(dealt * static_cast<std::size_t>(kFolds) /
                                                              split.development.size()));
        dealt += size_of[group_of[item]];
      }
      fold_of_[item] = place->second;
    }
    std::stable_sort(split.development.begin(), split.development.end(),
                     [&](std::size_t x, std::size_t y) { return fold_of_[x] < fold_of_[y]; });
    development_ = split.development;
    held_out_ = split.held_out;
  }

  Result<std::vector<eval::ItemResult>> run(const Arm& arm, std::span<const std::size_t> items,
                                            const RunLimits& limits, std::uint64_t&) override {
    const double start = limits.clock.seconds();
    auto settings = classify_settings_of(arm);
    if (!settings) return settings.error();
    std::map<std::size_t, Said>& known = said_[id_of(arm)];
    std::vector<eval::ItemResult> results;
    for (const std::size_t item : items) {
      if (limits.stop.stop_requested() || limits.clock.seconds() - start >= limits.seconds) break;
      if (limits.progress) limits.progress({"classifying", results.size(), items.size()});
      if (!known.contains(item)) {
        if (auto fitted = fit_and_say(*settings, fold_of_[item], known, limits.stop); !fitted) {
          if (limits.stop.stop_requested()) break;
          return fitted.error();
        }
      }
      const Said& said = known.at(item);
      eval::ItemResult result;
      result.id = data_.items[item].id;
      result.cluster = data_.items[item].cluster;
      result.scores["accuracy"] = said.label == truth_[item] ? 1 : 0;
      result.output = said.label < 0 ? "" : data_.labels[static_cast<std::size_t>(said.label)];
      results.push_back(std::move(result));
    }
    return results;
  }

 private:
  Examples all() const { return {texts_, truth_, vectors_, static_cast<int>(data_.labels.size())}; }

  /// Fits on development without the fold (held-out items, fold -1: on all of it), and labels what was left
  /// out.
  Result<void> fit_and_say(const ClassifySettings& settings, int fold, std::map<std::size_t, Said>& known,
                           std::stop_token stop) const {
    std::vector<std::size_t> train, test;
    for (const std::size_t item : development_) (fold_of_[item] == fold ? test : train).push_back(item);
    if (fold < 0) test = held_out_;
    const OwnedExamples learnt = subset(all(), train);
    const OwnedExamples asked = subset(all(), test);
    MethodSettings chosen;
    if (settings.settings) {
      chosen = *settings.settings;
    } else {
      std::vector<std::size_t> most, rest;
      for (std::size_t i = 0; i < train.size(); ++i) (i % 5 == 4 ? rest : most).push_back(train[i]);
      const OwnedExamples fit_part = subset(all(), most);
      const OwnedExamples choose_part = subset(all(), rest);
      auto found =
          choose_settings(settings.method, fit_part.view(), choose_part.view(), threads_, nullptr, {}, stop);
      if (found) {
        chosen = *found;
      } else if (found.error().kind != Kind::bad_request) {
        return found.error();  // a part with one class alone keeps the defaults
      }
    }
    if (stop.stop_requested()) return Error{Kind::unavailable, "fitting", "stopped", "run it again"};
    auto fitted = FittedMethod::fit(settings.method, chosen, learnt.view(), threads_);
    if (!fitted && fitted.error().kind == Kind::bad_request)
      fitted = FittedMethod::fit(Method::majority, chosen, learnt.view(), threads_);
    if (!fitted) return fitted.error();
    auto probabilities = fitted->predict(
        asked.texts,
        fitted->dimensions() > 0 ? std::span<const float>(asked.vectors) : std::span<const float>(),
        threads_);
    if (!probabilities) return probabilities.error();
    const std::vector<eval::Prediction> predictions =
        predictions_of(*probabilities, static_cast<int>(data_.labels.size()));
    for (std::size_t i = 0; i < test.size(); ++i)
      known[test[i]] = {predictions[i].said, predictions[i].confidence};
    return done();
  }

  eval::ClassificationData data_;
  Arm current_;
  std::vector<float> vectors_;
  int threads_;
  std::vector<std::string> texts_;
  std::vector<int> truth_;
  std::vector<SpaceRow> space_;
  std::vector<int> fold_of_;  // -1: held out
  std::vector<std::size_t> development_, held_out_;
  std::map<std::string, std::map<std::size_t, Said>> said_;  // by arm, then by item
};

}  // namespace

Arm arm_of(const ClassifySettings& settings) {
  Arm arm = {{"classify.method", std::string(name_of(settings.method))},
             {"classify.c", kAuto},
             {"classify.character_ngrams", "0"},
             {"classify.neighbours", kAuto},
             {"classify.balanced", "false"}};
  if (!settings.settings) return arm;
  if (settings.method == Method::bm25_knn) {
    arm["classify.neighbours"] = std::to_string(settings.settings->neighbours);
    return arm;
  }
  arm["classify.c"] = text_of(settings.settings->c);
  arm["classify.balanced"] = settings.settings->balanced ? "true" : "false";
  if (settings.method == Method::tfidf_logreg)
    arm["classify.character_ngrams"] = std::to_string(settings.settings->character_ngrams);
  return arm;
}

Result<ClassifySettings> classify_settings_of(const Arm& arm) {
  const auto value_of = [&](const std::string& key, const std::string& otherwise) {
    const auto found = arm.find(key);
    return found == arm.end() ? otherwise : found->second;
  };
  ClassifySettings settings;
  const std::string name = value_of("classify.method", "tfidf+logreg");
  const auto method = method_named(name);
  if (!method || needs_language_model(*method)) return bad_value("classify.method", name);
  settings.method = *method;
  MethodSettings fixed;
  bool by_itself = true;
  const std::string c = value_of("classify.c", kAuto);
  const std::string neighbours = value_of("classify.neighbours", kAuto);
  const std::string ngrams = value_of("classify.character_ngrams", "0");
  const std::string balanced = value_of("classify.balanced", "false");
  if (is_linear(name) && c != kAuto) {
    const auto strength = number(c);
    if (!strength || *strength <= 0) return bad_value("classify.c", c);
    fixed.c = *strength;
    by_itself = false;
  }
  if (*method == Method::bm25_knn && neighbours != kAuto) {
    const auto count = number(neighbours);
    if (!count || *count < 1 || *count > 10'000) return bad_value("classify.neighbours", neighbours);
    fixed.neighbours = static_cast<int>(*count);
    by_itself = false;
  }
  const auto longest = number(ngrams);
  if (!longest || *longest > 10) return bad_value("classify.character_ngrams", ngrams);
  fixed.character_ngrams = static_cast<int>(*longest);
  if (balanced != "true" && balanced != "false") return bad_value("classify.balanced", balanced);
  fixed.balanced = balanced == "true";
  if (!by_itself) settings.settings = fixed;
  return settings;
}

Result<std::unique_ptr<ImprovePipeline>> improve_classify(
    eval::ClassificationData data, const ClassifySettings& current, engine::Embedder* embedder,
    std::set<std::string> fixed, int threads, const ProgressSink& progress, std::stop_token stop) {
  if (data.labels.size() < 2) {
    return Error{Kind::bad_data, data.version.file,
                 "all texts have the label \"" + (data.labels.empty() ? std::string() : data.labels.front()) +
                     "\": there is nothing to tell apart",
                 "--label COL, if this is the wrong column"};
  }
  std::vector<float> vectors;
  if (embedder != nullptr) {
    std::vector<std::string> texts;
    for (const eval::LabelledText& item : data.items) texts.push_back(item.text);
    auto embedded = embed_texts(*embedder, texts, progress, stop);
    if (!embedded) return embedded.error();
    vectors = std::move(*embedded);
  }
  const bool has_vectors = !vectors.empty();
  return std::unique_ptr<ImprovePipeline>(std::make_unique<ClassifyPipeline>(
      std::move(data), current, std::move(vectors), has_vectors, fixed, threads));
}

}  // namespace loam::tasks
