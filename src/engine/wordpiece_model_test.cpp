// Tokens of our WordPiece against those that sentence-transformers makes of the same texts;
// scripts/make_embedding_reference writes them.
#include "engine/wordpiece.h"

#include <fstream>

#include "base/json.h"
#include "engine/testing/fixture.h"

namespace loam::engine {
namespace {

// proves P-MOD-03
TEST(WordPieceModel, tokens_equal_those_of_the_publishers_tokenizer_in_every_script) {
  const auto path = testing::real_model("all-minilm-l6-v2.gguf");
  LocalModelOptions options;
  options.load = Load::vocabulary_only;
  const auto model = LocalModel::open(path, options);
  ASSERT_TRUE(model.ok()) << model.error().line();
  const auto pieces = WordPiece::of(**model);
  ASSERT_TRUE(pieces.has_value());
  std::ifstream file(testing::testdata("wordpiece_reference.jsonl"));
  int lines = 0;
  int different = 0;
  for (std::string line; std::getline(file, line); ++lines) {
    const auto row = parse_json(line, "reference");
    ASSERT_TRUE(row.ok());
    const auto text = (*row)[0].get<std::string>();
    const auto expected = (*row)[1].get<std::vector<Token>>();
    if (pieces->encode(text) == expected) continue;
    if (++different <= 5) ADD_FAILURE() << "line " << lines + 1 << ": " << text.substr(0, 400);
  }
  EXPECT_GT(lines, 250);
  EXPECT_EQ(different, 0);
}

}  // namespace
}  // namespace loam::engine
