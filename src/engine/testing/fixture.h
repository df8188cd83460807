// Files that engine tests share: written once per process into a folder that goes away with it.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "engine/local_engine.h"
#include "engine/testing/tiny_model.h"
#include "gtest/gtest.h"

namespace loam::engine::testing {

/// A folder of this process, removed at its end.
inline const std::filesystem::path& scratch_folder() {
  struct Folder {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("loam_engine_test_" + std::to_string(::getpid()));
    Folder() { std::filesystem::create_directories(path); }
    ~Folder() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
  };
  static const Folder folder;
  return folder.path;
}

inline std::shared_ptr<LocalModel> tiny_model() {
  static const std::shared_ptr<LocalModel> model = [] {
    const std::filesystem::path path = scratch_folder() / "tiny.gguf";
    const auto written = write_tiny_model(path);
    EXPECT_TRUE(written.ok()) << (written ? "" : written.error().line());
    auto opened = LocalModel::open(path);
    EXPECT_TRUE(opened.ok()) << (opened ? "" : opened.error().line());
    return opened ? *opened : nullptr;
  }();
  return model;
}

inline std::unique_ptr<LocalEngine> tiny_engine(LocalEngineOptions options = {}) {
  if (options.threads == 0) {
    options.threads = 1;
  }
  auto opened = LocalEngine::open(tiny_model(), std::move(options));
  EXPECT_TRUE(opened.ok()) << (opened ? "" : opened.error().line());
  return opened ? *std::move(opened) : nullptr;
}

/// The folder with the real models; the test fails with the reason when it is not there.
inline std::filesystem::path real_model(const std::string& file) {
  const char* folder = std::getenv("LOAM_TEST_MODELS");
  const std::filesystem::path path = std::filesystem::path(folder == nullptr ? "" : folder) / file;
  if (folder == nullptr || !std::filesystem::exists(path)) {
    ADD_FAILURE() << "LOAM_TEST_MODELS must name a folder that holds " << file;
    return {};
  }
  return path;
}

inline std::filesystem::path testdata(const std::string& file) {
  return std::filesystem::path(LOAM_SOURCE_DIR) / "src/engine/testdata" / file;
}

}  // namespace loam::engine::testing
