// The classifier as a file: fitted, checked, written, read, asked.
#include "tasks/classifier.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <map>

#include "base/json.h"
#include "baseline/packed.h"
#include "eval/estimate_json.h"
#include "tasks/classify_parts.h"
#include "tasks/embed_texts.h"
#include "tasks/folds.h"

namespace loam::tasks {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kKind = "LOAMCLAS";
constexpr std::uint32_t kVersion = 1;
constexpr std::uintmax_t kMostBytes = std::uintmax_t{4} << 30U;
constexpr double kConfidence = 0.95;
constexpr std::size_t kTextsPerCall = 2048;

eval::Estimate estimate_from(const Json& json) {
  return {json.at("value").get<double>(), json.at("low").get<double>(), json.at("high").get<double>(),
          json.at("n").get<std::size_t>()};
}

Error stopped() {
  return Error{Kind::unavailable, "classify fit", "stopped; nothing was written", "run it again"};
}

std::string shown(double target) {
  std::string text = std::to_string(target);
  while (text.size() > 3 && text.back() == '0') text.pop_back();
  return text;
}

}  // namespace

struct Classifier::State {
  Method method = Method::majority;
  MethodSettings settings;
  std::vector<std::string> labels;
  std::vector<Threshold> thresholds;
  Provenance provenance;
  FittedMethod fitted;
};

Json settings_json(Method method, const MethodSettings& settings) {
  Json json = Json::object();
  if (method == Method::bm25_knn) json["neighbours"] = settings.neighbours;
  if (method == Method::tfidf_logreg || method == Method::embeddings_logreg) {
    json["c"] = settings.c;
    json["balanced"] = settings.balanced;
    json["max_iterations"] = settings.max_iterations;
  }
  if (method == Method::tfidf_logreg) {
    json["word_ngrams"] = 2;
    json["character_ngrams"] = settings.character_ngrams;
  }
  return json;
}

int label_index(const std::vector<std::string>& labels, const std::string& label) {
  const auto found = std::lower_bound(labels.begin(), labels.end(), label);
  return found != labels.end() && *found == label ? static_cast<int>(found - labels.begin()) : -1;
}

Result<Classifier> Classifier::fit(Method method, const eval::ClassificationData& data,
                                   const FitOptions& options, engine::Embedder* embedder,
                                   const ProgressSink& progress, std::stop_token stop) {
  const std::string& file = data.version.file;
  if (data.items.empty()) {
    return Error{Kind::bad_request, file, "there is no labelled text in it",
                 "give items with text and label"};
  }
  if (data.labels.size() < 2 && method != Method::majority) {
    return Error{Kind::bad_request, file,
                 "every item has the label \"" + (data.labels.empty() ? std::string() : data.labels.front()) +
                     "\": there is nothing to tell apart",
                 "give items of at least two labels; --label COL if this is the wrong column"};
  }
  if (needs_language_model(method)) {
    return Error{Kind::bad_request, std::string(name_of(method)), "a language model is asked, not fitted",
                 "--method tfidf+logreg, bm25-knn or embeddings+logreg"};
  }
  if (needs_embedder(method) && embedder == nullptr) {
    return Error{Kind::unavailable, std::string(name_of(method)),
                 "it needs an embedding model, and there is none", "loam models pull all-minilm-l6-v2"};
  }
  auto state = std::make_shared<State>();
  state->method = method;
  state->labels = data.labels;
  OwnedExamples all;
  all.classes = static_cast<int>(data.labels.size());
  for (const eval::LabelledText& item : data.items) {
    const int label = label_index(data.labels, item.label);
    if (label < 0) return Error{Kind::our_bug, file, "an item's label is not among the labels", "report it"};
    all.texts.push_back(item.text);
    all.labels.push_back(label);
  }
  if (needs_embedder(method)) {
    auto vectors = embed_texts(*embedder, all.texts, progress, stop);
    if (!vectors) return vectors.error();
    all.vectors = *std::move(vectors);
    state->provenance.embedder = embedder->model_name();
    state->provenance.embedder_fingerprint = embedder->fingerprint();
  }
  const std::vector<std::size_t> group = eval::group_numbers(data);
  // Settings: chosen on one part of the folds, which then also check.
  const std::vector<int> fold = folds_of(all.labels, group, std::max(options.folds, 2), options.seed);
  std::vector<std::size_t> train;
  std::vector<std::size_t> validate;
  for (std::size_t i = 0; i < fold.size(); ++i) (fold[i] == 0 ? validate : train).push_back(i);
  if (options.settings) {
    state->settings = *options.settings;
  } else if (!train.empty() && !validate.empty()) {
    const OwnedExamples train_part = subset(all.view(), train);
    const OwnedExamples validate_part = subset(all.view(), validate);
    auto chosen = choose_settings(method, train_part.view(), validate_part.view(), options.threads, nullptr,
                                  progress, stop);
    if (chosen) {
      state->settings = *chosen;
    } else if (chosen.error().kind != Kind::bad_request) {
      return chosen.error();  // with very little data a part may hold one class: the defaults stay then
    }
  }
  if (stop.stop_requested()) return stopped();
  auto probabilities = out_of_fold(method, state->settings, all.view(), group, std::max(options.folds, 2),
                                   options.seed, options.threads, progress, stop);
  if (!probabilities) return probabilities.error();
  const std::vector<eval::Prediction> predictions = predictions_of(*probabilities, all.classes, all.labels);
  std::vector<double> targets = options.targets;
  std::sort(targets.begin(), targets.end());
  targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
  for (const double target : targets) {
    const eval::Automation automation = eval::automate(predictions, predictions, target, kConfidence);
    state->thresholds.push_back(
        {target, automation.threshold, automation.coverage, automation.accuracy, automation.low});
  }
  auto fitted = FittedMethod::fit(method, state->settings, all.view(), options.threads, progress);
  if (!fitted) return fitted.error();
  state->fitted = *std::move(fitted);
  Provenance& from = state->provenance;
  from.data_file = fs::path(file).filename().string();
  from.data_sha256 = data.version.sha256;
  from.items = data.items.size();
  from.seed = options.seed;
  from.version = options.version;
  from.accuracy = eval::accuracy_estimate(predictions);
  from.macro_f1 = eval::macro_f1_estimate(predictions, all.classes);
  from.calibration_error = eval::expected_calibration_error(predictions);
  Classifier classifier;
  classifier.state_ = std::move(state);
  return classifier;
}

std::string Classifier::bytes() const {
  const State& state = *state_;
  const Provenance& from = state.provenance;
  Json thresholds = Json::array();
  for (const Threshold& one : state.thresholds) {
    thresholds.push_back({{"target", one.target},
                          {"threshold", one.threshold},
                          {"coverage", one.coverage},
                          {"accuracy", one.accuracy},
                          {"low", one.low}});
  }
  const Json header = {
      {"method", name_of(state.method)},
      {"settings", settings_json(state.method, state.settings)},
      {"labels", state.labels},
      {"thresholds", std::move(thresholds)},
      {"data", {{"file", from.data_file}, {"sha256", from.data_sha256}, {"items", from.items}}},
      {"seed", from.seed},
      {"version", from.version},
      {"accuracy", estimate_json(from.accuracy)},
      {"macro_f1", estimate_json(from.macro_f1)},
      {"calibration_error", from.calibration_error},
      {"embedder", from.embedder},
      {"embedder_fingerprint", from.embedder_fingerprint}};
  baseline::PackedWriter to;
  to.text(dump_json(header));
  std::string payload = to.bytes();
  state.fitted.save(payload);
  std::string out;
  baseline::append_section(out, kKind, kVersion, payload);
  return out;
}

Result<Classifier> Classifier::parse(std::string_view bytes, const std::string& name) {
  const auto damaged = [&](const std::string& what) {
    return Error{Kind::bad_data, name, what, "fit it again: loam classify fit DATA -o FILE"};
  };
  if (!bytes.starts_with(kKind)) return damaged("it is not a classifier that loam has fitted");
  std::string_view rest = bytes;
  auto payload = baseline::take_section(rest, kKind, kVersion);
  if (!payload) return Error{payload.error().kind, name, payload.error().message, payload.error().next_step};
  if (!rest.empty()) return damaged("more follows after its end");
  baseline::PackedReader from(*payload);
  const std::string_view text = from.text();
  auto header = parse_json(text, name);
  if (!from.ok() || !header) return damaged("its description cannot be read");
  auto state = std::make_shared<State>();
  try {
    const Json& json = *header;
    const auto method = method_named(json.at("method").get<std::string>());
    if (!method)
      return damaged("its method \"" + json.at("method").get<std::string>() + "\" is not known here");
    state->method = *method;
    const Json& settings = json.at("settings");
    state->settings.c = settings.value("c", 1.0);
    state->settings.balanced = settings.value("balanced", false);
    state->settings.max_iterations = settings.value("max_iterations", 200);
    state->settings.character_ngrams = settings.value("character_ngrams", 0);
    state->settings.neighbours = settings.value("neighbours", 10);
    state->labels = json.at("labels").get<std::vector<std::string>>();
    for (const Json& one : json.at("thresholds")) {
      state->thresholds.push_back({one.at("target").get<double>(), one.at("threshold").get<double>(),
                                   one.at("coverage").get<double>(), one.at("accuracy").get<double>(),
                                   one.at("low").get<double>()});
    }
    Provenance& own = state->provenance;
    own.data_file = json.at("data").at("file").get<std::string>();
    own.data_sha256 = json.at("data").at("sha256").get<std::string>();
    own.items = json.at("data").at("items").get<std::size_t>();
    own.seed = json.at("seed").get<std::uint64_t>();
    own.version = json.at("version").get<std::string>();
    own.accuracy = estimate_from(json.at("accuracy"));
    own.macro_f1 = estimate_from(json.at("macro_f1"));
    own.calibration_error = json.at("calibration_error").get<double>();
    own.embedder = json.at("embedder").get<std::string>();
    own.embedder_fingerprint = json.at("embedder_fingerprint").get<std::string>();
  } catch (const Json::exception&) {
    return damaged("its description lacks something, or has it in the wrong form");
  }
  if (state->labels.empty() || state->labels.size() > (std::size_t{1} << 24U) ||
      !std::is_sorted(state->labels.begin(), state->labels.end())) {
    return damaged("its labels cannot be");
  }
  std::string_view models = payload->substr(payload->size() - from.left());
  auto fitted =
      FittedMethod::load(state->method, state->settings, static_cast<int>(state->labels.size()), models);
  if (!fitted)
    return Error{fitted.error().kind, name, fitted.error().place + ": " + fitted.error().message,
                 fitted.error().next_step};
  if (!models.empty()) return damaged("more follows after its end");
  state->fitted = *std::move(fitted);
  Classifier classifier;
  classifier.state_ = std::move(state);
  return classifier;
}

Result<Classifier> Classifier::load(const fs::path& file) {
  std::error_code failure;
  if (fs::is_directory(file, failure)) {
    return Error{Kind::bad_request, file.string(), "is a folder, not a classifier",
                 "loam classify fit DATA -o FILE"};
  }
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    return Error{Kind::unavailable, file.string(), "cannot be read",
                 "loam classify fit DATA -o " + file.string()};
  }
  const std::uintmax_t size = fs::file_size(file, failure);
  if (!failure && size > kMostBytes) {
    return Error{Kind::bad_data, file.string(), "it is too large to be a classifier",
                 "loam classify fit DATA -o FILE"};
  }
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  return parse(bytes, file.string());
}

Result<void> Classifier::save(const fs::path& file) const {
  fs::path beside = file;
  beside += ".new-" + std::to_string(::getpid());
  const std::string all = bytes();
  std::error_code ignored;
  {
    std::ofstream out(beside, std::ios::binary | std::ios::trunc);
    out.write(all.data(), static_cast<std::streamsize>(all.size()));
    out.flush();
    if (!out) {
      out.close();
      fs::remove(beside, ignored);
      return Error{Kind::unavailable, file.string(), "cannot be written", "-o FILE, in a folder with room"};
    }
  }
  std::error_code failure;
  fs::rename(beside, file, failure);
  if (failure) {
    fs::remove(beside, ignored);
    return Error{Kind::unavailable, file.string(), "cannot be written: " + failure.message(),
                 "-o FILE, in a folder that can be written to"};
  }
  return done();
}

Method Classifier::method() const { return state_->method; }
const MethodSettings& Classifier::settings() const { return state_->settings; }
const std::vector<std::string>& Classifier::labels() const { return state_->labels; }
const std::vector<Threshold>& Classifier::thresholds() const { return state_->thresholds; }
const Provenance& Classifier::provenance() const { return state_->provenance; }
std::size_t Classifier::memory_bytes() const { return state_->fitted.bytes(); }

Result<Threshold> Classifier::threshold_for(double target) const {
  std::string known;
  for (const Threshold& one : state_->thresholds) {
    if (std::abs(one.target - target) < 1e-9) return one;
    known += (known.empty() ? "" : ", ") + shown(one.target);
  }
  return Error{Kind::bad_request, "--target " + shown(target),
               "the classifier was fitted for " + (known.empty() ? std::string("no target") : known),
               "loam classify fit DATA -o FILE --target " + shown(target)};
}

Result<void> Classifier::check_embedder(const engine::Embedder* embedder) const {
  const Provenance& from = state_->provenance;
  if (!needs_embedder(state_->method)) return done();
  if (embedder == nullptr) {
    return Error{Kind::unavailable, "classifier", "it needs the embedding model " + from.embedder,
                 "loam models pull " + from.embedder};
  }
  if (embedder->fingerprint() != from.embedder_fingerprint) {
    return Error{Kind::bad_request, "classifier",
                 "it was fitted on vectors of " + from.embedder + " (" +
                     from.embedder_fingerprint.substr(0, 12) + "), and the embedding model here is " +
                     embedder->model_name() + " (" + embedder->fingerprint().substr(0, 12) + ")",
                 "--embedder " + from.embedder + ", or fit it again"};
  }
  if (static_cast<std::size_t>(embedder->dimensions()) != state_->fitted.dimensions()) {
    return Error{Kind::bad_data, "classifier", "its weights do not fit the vectors of " + from.embedder,
                 "fit it again"};
  }
  return done();
}

Result<std::vector<Said>> Classifier::predict(std::span<const std::string> texts, engine::Embedder* embedder,
                                              int threads) const {
  const State& state = *state_;
  if (auto ok = check_embedder(embedder); !ok) return ok.error();
  std::vector<Said> said;
  said.reserve(texts.size());
  for (std::size_t begin = 0; begin < texts.size(); begin += kTextsPerCall) {
    const auto part = texts.subspan(begin, std::min(kTextsPerCall, texts.size() - begin));
    std::vector<float> vectors;
    if (needs_embedder(state.method)) {
      auto embedded = embed_texts(*embedder, part);
      if (!embedded) return embedded.error();
      vectors = *std::move(embedded);
    }
    auto probabilities = state.fitted.predict(part, vectors, threads);
    if (!probabilities) return probabilities.error();
    for (const eval::Prediction& one : predictions_of(*probabilities, state.fitted.classes())) {
      said.push_back({one.said, one.confidence});
    }
  }
  return said;
}

}  // namespace loam::tasks
