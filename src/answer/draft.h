// What to make of a draft before it is checked: its sentences, without empty talk.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace loam::answer {

/// The sentences of a draft that say something: no list marks, no lead-in ("Based on the passages, ..."), no
/// talk about itself ("I hope this helps"), no repetition of the question or of an earlier sentence.
/// `cut_off` says that the draft ended at its length limit: a last sentence without its end is left out.
std::vector<std::string> sentences_of_draft(std::string_view draft, std::string_view question, bool cut_off);

/// One line of text: runs of white space become one blank.
std::string on_one_line(std::string_view text);

}  // namespace loam::answer
