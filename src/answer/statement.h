// One sentence read as a statement: what it names, counts, denies and limits. align() compares two of them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/span.h"

namespace loam::answer {

/// What stands between a unit and the one before it. A later value separates more strongly.
enum class Break : std::uint8_t { none, conjunction_and, conjunction_or, comma, clause };

/// The verb mood that governs a unit.
enum class Mood : std::uint8_t { plain, obliged, permitted, advised };

/// A word or a number that carries content.
struct Unit {
  std::string key;  ///< canonical stem; for numbers value|unit|rate
  Span span;
  bool number = false;
  bool name = false;        ///< written as a name in the middle of a sentence, an acronym or a code
  bool possessive = false;  ///< "Anna's"
  bool in_aside = false;    ///< in brackets, or between commas without a verb of its own
  Break before = Break::none;
  std::string preposition;  ///< the last one between this unit and the one before
  std::string limit;        ///< numbers: ">=", "<=", ">", "<", "~", "before", "within", ...
  std::string quantifier;   ///< "all", "some", "many", ...
  Mood mood = Mood::plain;
  std::size_t clause = 0;
  std::size_t cell = 0;  ///< of a table row
};

/// "not", "no", "never", "without", "refuse", ...: denies the units of `clause` from index `scope_start` on,
/// or all of the clause when nothing follows.
struct Negation {
  std::size_t scope_start = 0;
  std::size_t scope_end = 0;
};

struct Statement {
  Span span;
  std::vector<Unit> units;
  std::vector<Negation> negations;
  std::vector<std::string> conditions;  ///< "if", "unless", "except", "without", "only", sorted
  bool question = false;
  bool table_row = false;
  bool heading = false;
  bool starts_with_pronoun = false;
  std::string pronoun;
  bool passive = false;         ///< "is paid by"
  std::size_t agent = 0;        ///< passive: index of the unit right after "by"
  bool auxiliary = false;       ///< subject_end stands at a form of be, have, do or a modal verb
  std::size_t subject_end = 0;  ///< units before the first auxiliary; at least the first name
};

/// Reads one sentence; offsets are those of `text`. Linear time.
Statement read_statement(std::string_view text, Span span);

/// Words that may be in a claim without being in the evidence: they only refer to it ("the document states").
bool is_free_word(std::string_view key);

}  // namespace loam::answer
