#include "cli/classify_tools.h"

#include <algorithm>

#include "cli/eval_common.h"

namespace loam::cli {
namespace {

/// "a,b" and repeated options alike.
std::vector<std::string> split_commas(const std::vector<std::string>& values) {
  std::vector<std::string> words;
  for (const std::string& value : values) {
    std::string word;
    for (const char c : value + ",") {
      if (c != ',') {
        word += c;
      } else if (!word.empty()) {
        words.push_back(std::move(word));
        word.clear();
      }
    }
  }
  return words;
}

}  // namespace

eval::ClassificationOptions data_options(const Options& options) {
  eval::ClassificationOptions data;
  data.text_column = options.text_column;
  data.label_column = options.label_column;
  data.group_column = options.group_column;
  data.merge_stray_labels = options.merge_labels;
  return data;
}

double file_mb(const std::filesystem::path& file) {
  std::error_code failure;
  const std::uintmax_t bytes = std::filesystem::file_size(file, failure);
  return failure ? 0.0 : static_cast<double>(bytes) / 1e6;
}

Result<OpenTools> open_tools(Context& context, const std::vector<std::string>& methods) {
  const auto wants = [&](const auto& needs) {
    if (methods.empty()) return true;
    return std::any_of(methods.begin(), methods.end(), [&](const std::string& name) {
      const auto method = tasks::method_named(name);
      return method && needs(*method);
    });
  };
  OpenTools open;
  open.tools.version = LOAM_VERSION;
  const bool few_shot = wants([](tasks::Method method) { return method == tasks::Method::llm_few_shot; });
  if (wants(tasks::needs_embedder) || few_shot) {
    auto embedder = context.open_embedder();
    if (embedder) {
      open.embedder = *std::move(embedder);
      open.tools.embedder = open.embedder.get();
      auto file = context.find_model(context.options().embedder, engine::ModelRole::embedding);
      if (!file) return file.error();
      open.tools.embedder_mb = file_mb(*file);
      auto use = model_use("embedder", open.embedder->model_name(), *file);
      if (!use) return use.error();
      open.tools.embedder_sha256 = use->sha256;
    } else if (embedder.error().kind != Kind::unavailable || !context.options().embedder.empty()) {
      return embedder.error();
    }
  }
  if (wants(tasks::needs_language_model)) {
    auto engine = context.open_engine();
    if (engine) {
      open.language_model = *std::move(engine);
      open.tools.language_model = open.language_model.get();
      auto file = context.find_model(context.options().model, engine::ModelRole::chat);
      if (!file) return file.error();
      open.tools.language_model_mb = file_mb(*file);
      auto use = model_use("chat", open.language_model->model_name(), *file);
      if (!use) return use.error();
      open.tools.language_model_sha256 = use->sha256;
    } else if (engine.error().kind != Kind::unavailable || !context.options().model.empty()) {
      return engine.error();
    }
  }
  auto store = context.open_store();
  if (!store) return store.error();
  open.store = *std::move(store);
  open.tools.ledger = open.store.get();
  return open;
}

Result<tasks::CompareRequest> compare_request(const Options& options, const std::string& file) {
  tasks::CompareRequest request;
  auto data = eval::read_classification(file, data_options(options));
  if (!data) return data.error();
  request.data = *std::move(data);
  if (!options.test_file.empty()) {
    auto test = eval::read_classification(options.test_file, data_options(options));
    if (!test) return test.error();
    request.test = *std::move(test);
  }
  request.folds = options.folds;
  request.shots = options.shots;
  request.draws = options.draws;
  request.seed = static_cast<std::uint64_t>(options.seed);
  request.methods = split_commas(options.methods);
  request.llm_items = options.llm_items;
  request.threads = options.threads;
  request.targets = {0.9, 0.95, 0.99};
  if (std::find(request.targets.begin(), request.targets.end(), options.target) == request.targets.end()) {
    request.targets.push_back(options.target);
    std::sort(request.targets.begin(), request.targets.end());
  }
  return request;
}

}  // namespace loam::cli
