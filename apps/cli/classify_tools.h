// What the verbs around classification share: the models their methods ask for, and the request that the
// command line makes.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/context.h"
#include "tasks/classify.h"

namespace loam::cli {

/// The models that the methods ask for, opened; what is missing stays empty.
struct OpenTools {
  std::unique_ptr<engine::LocalEmbedder> embedder;
  std::unique_ptr<engine::LocalEngine> language_model;
  std::unique_ptr<store::Store> store;
  tasks::CompareTools tools;
};

/// `methods` empty: all. A missing default model is no error: its methods will be skipped, and say so.
Result<OpenTools> open_tools(Context& context, const std::vector<std::string>& methods);

eval::ClassificationOptions data_options(const Options& options);

/// The comparison that the options ask for, of the data file `file`.
Result<tasks::CompareRequest> compare_request(const Options& options, const std::string& file);

double file_mb(const std::filesystem::path& file);

}  // namespace loam::cli
