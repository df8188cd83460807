// Grammars (GBNF) and JSON schemas that an answer must follow, checked before llama.cpp sees them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace loam::engine {

/// Limits. llama.cpp's parser and converter recurse without one: 60,000 nested groups overflow the stack.
inline constexpr std::size_t kLargestGrammarBytes = 256 * 1024;
inline constexpr int kDeepestGrammarGroup = 64;
inline constexpr int kMostGrammarRules = 4000;
inline constexpr std::uint64_t kMostGrammarElements =
    200'000;  ///< after {m,n} is written out, as llama.cpp does
inline constexpr std::size_t kLargestSchemaBytes = 64 * 1024;
inline constexpr int kDeepestSchema = 32;
inline constexpr int kMostProperties = 200;         ///< per object
inline constexpr int kMostOptionalProperties = 60;  ///< per object: their rules grow with the square
inline constexpr int kMostRepetitions = 1000;       ///< minItems, maxLength, {m,n}, ...

/// Refuses (bad_request) a grammar that is too large, nested too deep, has no `root`, or whose groups,
/// brackets or quotes are not balanced. Undefined rules and left recursion are found by llama.cpp afterwards.
Result<void> check_grammar(std::string_view gbnf);

/// The grammar of a JSON schema. Everything in the schema is enforced: a keyword that the grammar cannot hold
/// (a regular expression with look-around, multipleOf, a number's minimum, ...) is refused with its place,
/// never ignored. Properties that the schema does not name are not produced.
Result<std::string> grammar_of_schema(std::string_view json_schema);

}  // namespace loam::engine
