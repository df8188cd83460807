// The import of all-MiniLM-L6-v2 against vectors that sentence-transformers 6.2.0 (torch, float32) made once
// for 200 texts of our own writing; scripts/make_embedding_reference writes them.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>

#include "base/json.h"
#include "engine/gguf_check.h"
#include "engine/import.h"
#include "engine/local_embedder.h"

namespace loam::engine {
namespace {

constexpr int kDimensions = 384;
constexpr std::size_t kTexts = 200;

std::filesystem::path models_folder() {
  const char* folder = std::getenv("LOAM_TEST_MODELS");
  return folder != nullptr ? folder : "";
}

std::vector<std::string> reference_texts() {
  std::ifstream file(std::string(LOAM_SOURCE_DIR) + "/src/engine/testdata/embedding_texts.jsonl");
  std::vector<std::string> texts;
  for (std::string line; std::getline(file, line);)
    texts.push_back(parse_json(line, "texts")->get<std::string>());
  return texts;
}

std::vector<float> reference_vectors() {
  std::ifstream file(std::string(LOAM_SOURCE_DIR) + "/src/engine/testdata/embedding_reference.f32",
                     std::ios::binary);
  std::vector<float> values(kTexts * kDimensions);
  file.read(reinterpret_cast<char*>(values.data()),
            static_cast<std::streamsize>(values.size() * sizeof(float)));
  EXPECT_TRUE(file.good());
  return values;
}

/// The lowest cosine over all texts; each that is below `wanted` is a failure that shows its text.
double lowest_cosine(const std::filesystem::path& gguf, double wanted, std::size_t step = 1) {
  const auto texts = reference_texts();
  const auto expected = reference_vectors();
  EXPECT_EQ(texts.size(), kTexts);
  auto embedder = LocalEmbedder::open(gguf);
  if (!embedder) {
    ADD_FAILURE() << embedder.error().line();
    return 0;
  }
  double lowest = 1;
  for (std::size_t i = 0; i < texts.size(); i += step) {
    const auto vector = (*embedder)->embed(std::span(&texts[i], 1));
    if (!vector) {
      ADD_FAILURE() << vector.error().line() << " for " << texts[i];
      continue;
    }
    double cosine = 0;
    for (int d = 0; d < kDimensions; ++d) {
      cosine += static_cast<double>((*vector)[static_cast<std::size_t>(d)]) *
                expected[i * kDimensions + static_cast<std::size_t>(d)];
    }
    EXPECT_GE(cosine, wanted) << "text " << i << ": " << texts[i];
    lowest = std::min(lowest, cosine);
  }
  return lowest;
}

class ImportMiniLm : public ::testing::Test {
 protected:
  void SetUp() override {
    if (models_folder().empty())
      FAIL() << "LOAM_TEST_MODELS is not set; scripts/test sets it to the folder of test models";
    // The weights as published, when set-up kept them; else the GGUF that our own import made of them.
    folder_ = models_folder() / "all-minilm-l6-v2";
  }

  std::filesystem::path imported(ImportType type) {
    const auto out =
        std::filesystem::temp_directory_path() /
        ("loam-import-test-" + std::to_string(::getpid()) + "-" + std::string(name_of(type)) + ".gguf");
    const auto report = import_model(folder_, out, {type, ""});
    EXPECT_TRUE(report.ok()) << (report.ok() ? "" : report.error().line());
    return out;
  }

  std::filesystem::path folder_;
};

// proves P-MOD-03
TEST_F(ImportMiniLm, embeddings_equal_those_of_sentence_transformers_on_200_texts) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder_, ignored)) {
    const auto gguf = models_folder() / "all-minilm-l6-v2.gguf";
    const auto summary = check_gguf(gguf);
    ASSERT_TRUE(summary.ok()) << summary.error().line();
    // Only our own import writes this key, so the file is its work.
    ASSERT_EQ(summary->embedding_max_tokens, 256) << gguf << " was not made by loam models import";
    ASSERT_EQ(summary->file_type, "F32");
    EXPECT_GE(lowest_cosine(gguf, 0.9999), 0.9999);
    return;
  }
  const auto gguf = imported(ImportType::f32);
  const double lowest = lowest_cosine(gguf, 0.9999);
  RecordProperty("lowest_cosine", std::to_string(lowest));
  std::printf("lowest cosine over 200 texts, f32: %.7f\n", lowest);
  std::filesystem::remove(gguf);
}

TEST_F(ImportMiniLm, smaller_types_stay_close) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder_, ignored))
    GTEST_SKIP() << "the published weights are not in " << folder_;
  const struct {
    ImportType type;
    double wanted;
  } rows[] = {{ImportType::f16, 0.9999}, {ImportType::bf16, 0.995}, {ImportType::q8_0, 0.99}};
  for (const auto& row : rows) {
    const auto gguf = imported(row.type);
    std::printf("lowest cosine over every tenth text, %s: %.6f\n", std::string(name_of(row.type)).c_str(),
                lowest_cosine(gguf, row.wanted, 10));
    std::filesystem::remove(gguf);
  }
}

}  // namespace
}  // namespace loam::engine
