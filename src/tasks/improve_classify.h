// How texts are classified, as a search space: the method and what can be set about it.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "tasks/classifier.h"
#include "tasks/improve.h"

namespace loam::tasks {

struct ClassifySettings {
  Method method = Method::tfidf_logreg;
  std::optional<MethodSettings> settings;  ///< empty: chosen on a fifth of the data, as `classify fit` does
};

/// As adopted settings have it: "classify.method", "classify.c", ...
Arm arm_of(const ClassifySettings& settings);
/// bad_data for values that arm_of() does not write. Keys that are missing have their defaults.
Result<ClassifySettings> classify_settings_of(const Arm& arm);

/// Accuracy of single items, out of fold on the development part; on the held-out part by a model fitted on
/// all of development. `embedder` may be null: then the method that needs it is left out. Embeds all texts.
/// bad_data for fewer than two labels.
Result<std::unique_ptr<ImprovePipeline>> improve_classify(eval::ClassificationData data,
                                                          const ClassifySettings& current,
                                                          engine::Embedder* embedder,
                                                          std::set<std::string> fixed, int threads = 0,
                                                          const ProgressSink& progress = {},
                                                          std::stop_token stop = {});

}  // namespace loam::tasks
