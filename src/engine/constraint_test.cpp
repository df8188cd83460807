#include "engine/constraint.h"

#include "gtest/gtest.h"

namespace loam::engine {
namespace {

std::string refusal(std::string_view schema) {
  const auto grammar = grammar_of_schema(schema);
  if (grammar) {
    return "accepted";
  }
  EXPECT_EQ(grammar.error().kind, Kind::bad_request);
  EXPECT_FALSE(grammar.error().next_step.empty());
  return grammar.error().place;
}

TEST(grammar_check, accepts_what_is_balanced_and_has_a_root) {
  EXPECT_TRUE(check_grammar("root ::= \"yes\" | \"no\" # done\n").ok());
  EXPECT_TRUE(check_grammar("root ::= (\"a\" [^\\]\"(] item)* \nitem ::= \"(\" \"\\\"\"\n").ok());
}

// proves P-ENG-06
TEST(grammar_check, refuses_what_would_overflow_the_parser) {
  const std::string deep = "root ::= " + std::string(60000, '(') + "\"a\"" + std::string(60000, ')');
  EXPECT_FALSE(check_grammar(deep).ok());
  EXPECT_FALSE(check_grammar(std::string(kLargestGrammarBytes + 1, ' ')).ok());
  std::string rules = "root ::= \"a\"\n";
  for (int i = 0; i <= kMostGrammarRules; ++i) {
    rules += "r" + std::to_string(i) + " ::= \"a\"\n";
  }
  EXPECT_FALSE(check_grammar(rules).ok());
}

TEST(grammar_check, refuses_what_is_not_well_formed_and_says_where) {
  const auto open = check_grammar("root ::= \"a\"\nb ::= (\"x\"\n");
  ASSERT_FALSE(open.ok());
  EXPECT_EQ(open.error().place, "grammar line 3");
  for (const char* bad :
       {"root ::= \"a", "root ::= [a", "root ::= \"a\")", "start ::= \"a\"", "", "root", "root := \"a\"",
        "root ::= missing", "root ::= * \"a\"", "root ::= \"\\q\"", "root ::= \"\\x1\"",
        "root ::= \"a\"{3,1}", "root ::= \"a\"{0}", "root ::= \"a\"{99999}", "root ::= \"a\"{,2}",
        "root ::= []", "root ::= <a", "root ::= \"a\" } b", "root ::= under_score"}) {
    EXPECT_FALSE(check_grammar(bad).ok()) << bad;
  }
  EXPECT_FALSE(check_grammar(std::string("root ::= \"a\"\0", 13)).ok());
}

// proves P-ENG-06
TEST(grammar_check, refuses_repetitions_that_would_fill_the_memory) {
  EXPECT_FALSE(check_grammar("root ::= \"" + std::string(100000, 'a') + "\"{2000}").ok());
  EXPECT_TRUE(check_grammar("root ::= \"ab\"{2000}").ok());
}

TEST(schema, common_schemas_become_grammars) {
  for (
      const char* schema : {
          R"({"type":"object","properties":{"name":{"type":"string","description":"who"},"age":{"type":"integer"}},)"
          R"("required":["name","age"],"additionalProperties":false})",
          R"({"type":"array","items":{"enum":["a","b"]},"minItems":1,"maxItems":3})",
          R"({"anyOf":[{"type":"null"},{"type":"number"},{"const":"x"}]})",
          R"({"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"next":{"anyOf":[)"
          R"({"$ref":"#/$defs/node"},{"type":"null"}]}},"required":["next"]}}})",
          R"({"type":"string","pattern":"^[A-Z]{2}-[0-9]{4}(-(a|b))?$"})",
          R"({"type":"string","format":"date"})",
          R"({"type":"integer","minimum":1,"maximum":5})",
          R"({"type":["string","null"]})",
          R"({"type":"array","prefixItems":[{"type":"integer"},{"type":"boolean"}]})",
      }) {
    const auto grammar = grammar_of_schema(schema);
    ASSERT_TRUE(grammar.ok()) << schema << ": " << grammar.error().line();
    EXPECT_NE(grammar->find("root ::="), std::string::npos) << schema;
  }
}

// proves P-ENG-07
TEST(schema, what_cannot_be_enforced_is_refused_with_its_place) {
  EXPECT_EQ(refusal(R"({"type":"number","minimum":1})"), "JSON schema #/minimum");
  EXPECT_EQ(refusal(R"({"type":"object","properties":{"a":{"type":"integer","multipleOf":3}}})"),
            "JSON schema #/properties/a/multipleOf");
  EXPECT_EQ(refusal(R"({"not":{"type":"null"}})"), "JSON schema #/not");
  EXPECT_EQ(refusal(R"({"oneOf":[{"type":"null"}]})"), "JSON schema #/oneOf");
  EXPECT_EQ(refusal(R"({"type":"array","uniqueItems":true})"), "JSON schema #/uniqueItems");
  EXPECT_EQ(refusal(R"({"type":"string","format":"email"})"), "JSON schema #/format");
  EXPECT_EQ(refusal(R"({"type":"object","properties":{},"required":["a"]})"), "JSON schema #/required");
  EXPECT_EQ(refusal(R"({"type":"object","patternProperties":{}})"), "JSON schema #/patternProperties");
  EXPECT_EQ(refusal(R"({"$ref":"https://example.org/x.json"})"), "JSON schema #/$ref");
  EXPECT_EQ(refusal(R"({"$ref":"#/$defs/missing"})"), "JSON schema #/$ref");
  EXPECT_EQ(refusal(R"({"anyOf":[{"type":"null"}],"type":"string"})"), "JSON schema #/type");
  EXPECT_EQ(refusal(R"({"type":"string","minLength":5,"maxLength":2})"), "JSON schema #");
  EXPECT_EQ(refusal(R"({"type":"integer","minimum":5,"maximum":2})"), "JSON schema #");
  EXPECT_EQ(refusal(R"({"type":"string","maxLength":100000})"), "JSON schema #/maxLength");
  EXPECT_EQ(refusal(R"({"type":"kite"})"), "JSON schema #/type");
}

// proves P-ENG-07
TEST(schema, patterns_that_the_converter_would_drop_are_refused) {
  for (const char* pattern :
       {"abc", "^a|b$", "^(?<=x)*$", "^a.b$", "^[^a]$", "^\\\\d$", "^a\\\\bc$", "^\\\"$", "^a*?$", "^(a$",
        "^a{3,1}$", "^a{99999}$", "^[!-z]$", "^*$", "^[]$", "^$"}) {
    EXPECT_EQ(refusal(std::string(R"({"type":"string","pattern":")") + pattern + "\"}"),
              "JSON schema #/pattern")
        << pattern;
  }
}

// proves P-ENG-06
TEST(schema, huge_and_deep_schemas_are_refused_quickly) {
  std::string deep;
  for (int i = 0; i < 5000; ++i) {
    deep += R"({"type":"array","items":)";
  }
  EXPECT_NE(refusal(deep + "{}" + std::string(5000, '}')), "accepted");
  std::string medium;
  for (int i = 0; i < kDeepestSchema + 2; ++i) {
    medium += R"({"type":"array","items":)";
  }
  EXPECT_NE(refusal(medium + "{}" + std::string(kDeepestSchema + 2, '}')), "accepted");
  std::string wide = R"({"type":"object","properties":{)";
  for (int i = 0; i < 100; ++i) {
    wide += (i == 0 ? "\"p" : ",\"p") + std::to_string(i) + R"(":{"type":"null"})";
  }
  EXPECT_EQ(refusal(wide + "}}"), "JSON schema #/properties");
  EXPECT_NE(refusal(std::string(kLargestSchemaBytes + 1, ' ')), "accepted");
  EXPECT_NE(refusal("{"), "accepted");
  EXPECT_NE(refusal("[]"), "accepted");
  EXPECT_NE(refusal(""), "accepted");
}

}  // namespace
}  // namespace loam::engine
