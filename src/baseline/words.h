// The words of a text as this room and answer/ compare them: lower case, lightly stemmed, stop words marked.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/span.h"

namespace loam::baseline {

/// One word: a run of letters and digits, with apostrophes inside it. A possessive 's is not part of it.
struct Word {
  Span span;                    ///< bytes of the text given
  std::string lower;            ///< lower case, apostrophes written as '
  std::string stem;             ///< see stem_of
  bool stop = false;            ///< carries grammar, not content
  bool capital = false;         ///< starts with an upper-case letter
  bool all_capitals = false;    ///< two or more letters, all upper case: an acronym
  bool digit = false;           ///< holds a digit
  bool sentence_start = false;  ///< first word of the text or after . ! ? : or a line break
};

/// The words of a text, in order. Linear time.
std::vector<Word> words_of(std::string_view text);

/// A lower-case English word without its inflection: plural, -ed, -ing, -ly, common irregular forms. Does not
/// join what law and trade keep apart ("employer", "employee", "employment" stay three words).
std::string stem_of(std::string_view lower_word);

/// Articles, prepositions, pronouns, auxiliaries and question words. Negations are stop words too: who cares
/// for them must look for them.
bool is_stop_word(std::string_view lower_word);

}  // namespace loam::baseline
