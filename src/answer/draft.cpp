#include "answer/draft.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "base/utf8.h"
#include "baseline/words.h"
#include "passage/cutter.h"

namespace loam::answer {
namespace {

/// Openings that only point at the source; what follows them is the statement.
constexpr std::array<std::string_view, 13> kLeadIns = {"based on the",
                                                       "based on passage",
                                                       "according to the",
                                                       "according to passage",
                                                       "the passages state that",
                                                       "the passage states that",
                                                       "the passages say that",
                                                       "the passage says that",
                                                       "as stated in",
                                                       "the answer is:",
                                                       "the answer is that",
                                                       "answer:",
                                                       "in summary,"};

/// Sentences that begin like this say nothing about the documents.
constexpr std::array<std::string_view, 26> kEmptyTalk = {"i do not know",
                                                         "i don't know",
                                                         "i'm sorry",
                                                         "i am sorry",
                                                         "sorry,",
                                                         "as an ai",
                                                         "i hope",
                                                         "let me know",
                                                         "sure",
                                                         "here is",
                                                         "here are",
                                                         "please note",
                                                         "i'm not",
                                                         "i am not",
                                                         "i cannot",
                                                         "i can't",
                                                         "i couldn't",
                                                         "to answer",
                                                         "the question asks",
                                                         "the question is",
                                                         "question:",
                                                         "<<<",
                                                         ">>>",
                                                         "thank you",
                                                         "you asked",
                                                         "the following"};

bool is_blank(char byte) { return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r'; }

std::string_view without_marks(std::string_view text) {
  for (bool changed = true; changed && !text.empty();) {
    changed = false;
    while (!text.empty() &&
           (is_blank(text.front()) || text.front() == '*' || text.front() == '#' || text.front() == '>')) {
      text.remove_prefix(1);
    }
    if (text.starts_with("- ") || text.starts_with("• ")) {
      text.remove_prefix(text.find(' ') + 1);
      changed = true;
    }
    std::size_t digits = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
    if (digits > 0 && digits <= 2 &&
        (text.substr(digits).starts_with(". ") || text.substr(digits).starts_with(") "))) {
      text.remove_prefix(digits + 2);
      changed = true;
    }
  }
  while (!text.empty() && (is_blank(text.back()) || text.back() == '*')) text.remove_suffix(1);
  return text;
}

std::string_view without_lead_in(std::string_view text) {
  const std::string lower = to_lower_utf8(text.substr(0, utf8_floor(text, 200)));
  for (const std::string_view lead_in : kLeadIns) {
    if (!lower.starts_with(lead_in)) continue;
    if (lead_in.ends_with(':') || lead_in.ends_with("that") || lead_in.ends_with("summary,")) {
      return without_marks(text.substr(lead_in.size()));
    }
    // "Based on the passages, X": up to a comma or colon nearby.
    const std::size_t end = text.find_first_of(",:");
    if (end != std::string_view::npos && end < 80) return without_marks(text.substr(end + 1));
    return {};
  }
  return text;
}

bool ends_whole(std::string_view text) {
  while (!text.empty() && (text.back() == '"' || text.back() == ')' || text.back() == '\''))
    text.remove_suffix(1);
  return !text.empty() && (text.back() == '.' || text.back() == '!' || text.back() == '?');
}

/// Whether a sentence adds a word to the question. Yes-or-no questions are answered in their own words.
bool repeats(std::string_view sentence, std::string_view question) {
  const std::vector<baseline::Word> asked = baseline::words_of(question);
  if (asked.empty()) return false;
  static const std::unordered_set<std::string_view> kYesNo = {"is",   "are",  "was",    "were", "do",
                                                              "does", "did",  "can",    "may",  "must",
                                                              "has",  "have", "should", "will", "am"};
  if (kYesNo.contains(asked.front().lower)) return false;
  std::unordered_set<std::string> stems;
  for (const baseline::Word& word : asked) stems.insert(word.stem);
  for (const baseline::Word& word : baseline::words_of(sentence)) {
    if (!word.stop && !stems.contains(word.stem)) return false;
  }
  return true;
}

}  // namespace

std::string on_one_line(std::string_view text) {
  std::string line;
  for (const char byte : text) {
    if (!is_blank(byte)) {
      line += byte;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

std::vector<std::string> sentences_of_draft(std::string_view draft, std::string_view question, bool cut_off) {
  std::vector<std::string> kept;
  std::unordered_set<std::string> seen;
  const std::vector<Span> spans = passage::sentences(draft);
  for (std::size_t i = 0; i < spans.size(); ++i) {
    std::string_view text = without_marks(slice(draft, spans[i]));
    if (cut_off && i + 1 == spans.size() && !ends_whole(text)) continue;
    text = without_lead_in(text);
    const std::string lower = to_lower_utf8(text);
    const bool empty_talk = std::any_of(kEmptyTalk.begin(), kEmptyTalk.end(),
                                        [&](std::string_view opening) { return lower.starts_with(opening); });
    if (text.empty() || empty_talk || text.ends_with('?') || repeats(text, question)) continue;
    std::string line = on_one_line(text);
    if (seen.insert(to_lower_utf8(line)).second) kept.push_back(std::move(line));
  }
  return kept;
}

}  // namespace loam::answer
