#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "base/json.h"
#include "eval/test_reference.h"

namespace loam::eval {

Json reference(std::string_view part) {
  std::ifstream in(std::string(LOAM_SOURCE_DIR) + "/src/eval/testdata/reference.json", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const Result<Json> parsed = parse_json(text, "reference.json");
  if (!parsed || !parsed->contains(part)) return nullptr;
  return parsed->at(std::string(part));
}

namespace {

TEST(Reference, says_what_made_it) { EXPECT_EQ(reference("made_with").at("sacrebleu"), "2.6.0"); }

}  // namespace
}  // namespace loam::eval
