#include "tasks/draft_data.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/json.h"
#include "base/utf8.h"
#include "baseline/patterns.h"
#include "passage/cutter.h"
#include "reader/text.h"

namespace loam::tasks {
namespace {

using reader::trimmed;

constexpr std::size_t kLongestSubjectWords = 7;
constexpr std::size_t kShortestAnswerWords = 3, kLongestAnswerWords = 45;
constexpr std::size_t kLongestLabelWords = 6;
constexpr std::size_t kShortestClozeWords = 6, kLongestClozeWords = 40;

/// A sentence beginning with one of these says something of what was named before: nobody could answer a
/// question made of it.
constexpr std::array<std::string_view, 40> kPointers = {
    "it",    "this",  "that", "these", "those", "they",    "he",    "she",  "we",   "you",
    "i",     "there", "here", "what",  "which", "who",     "where", "when", "how",  "why",
    "its",   "their", "his",  "her",   "our",   "your",    "my",    "such", "both", "each",
    "other", "one",   "some", "if",    "as",    "however", "so",    "also", "then", "but"};

std::vector<Span> words_of(std::string_view text) {
  std::vector<Span> words;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const bool space = i == text.size() || text[i] == ' ' || text[i] == '\n' || text[i] == '\t';
    if (!space) continue;
    if (i > begin) words.push_back({begin, i});
    begin = i + 1;
  }
  return words;
}

std::string lower_word(std::string_view word) {
  while (!word.empty() && (word.back() == ',' || word.back() == ';' || word.back() == ':'))
    word.remove_suffix(1);
  return to_lower_utf8(word);
}

bool is_pointer(std::string_view word) {
  const std::string lower = lower_word(word);
  return std::find(kPointers.begin(), kPointers.end(), lower) != kPointers.end();
}

std::string single_spaced(std::string_view text) {
  std::string out;
  for (const Span word : words_of(text)) {
    if (!out.empty()) out += ' ';
    out += slice(text, word);
  }
  return out;
}

/// Without the sentence's own full stop and closing blanks.
Span without_end(std::string_view text, Span span) {
  while (span.end > span.start && (text[span.end - 1] == '.' || text[span.end - 1] == ' ' ||
                                   text[span.end - 1] == '\n' || text[span.end - 1] == ';')) {
    --span.end;
  }
  return span;
}

/// Lists, tables and code are no sentences.
bool is_plain_sentence(std::string_view sentence) {
  if (sentence.empty() || sentence.find('|') != std::string_view::npos ||
      sentence.find('\t') != std::string_view::npos || sentence.find("____") != std::string_view::npos) {
    return false;
  }
  const char last = sentence.back();
  return (last == '.' || last == '!') && sentence.find('\n') == std::string_view::npos;
}

/// What one passage gives, with spans of the passage's own text.
struct Found {
  DraftKind kind = DraftKind::definition;
  std::string question;
  Span answer;
};

std::optional<Found> definition_in(std::string_view text, Span span) {
  const std::string_view sentence = slice(text, span);
  if (!is_plain_sentence(sentence)) return std::nullopt;
  const std::vector<Span> words = words_of(sentence);
  if (words.size() < 5 || is_pointer(slice(sentence, words.front()))) return std::nullopt;
  for (std::size_t i = 1; i < words.size() && i <= kLongestSubjectWords; ++i) {
    const std::string verb = lower_word(slice(sentence, words[i]));
    const bool is = verb == "is", are = verb == "are", means = verb == "means";
    const bool refers = verb == "refers" && i + 1 < words.size() && slice(sentence, words[i + 1]) == "to";
    if (!is && !are && !means && !refers) {
      // A comma or a verb of another kind: whatever follows is not said of the words before alone.
      if (slice(sentence, words[i - 1]).find_first_of(",;:()") != std::string_view::npos) return std::nullopt;
      continue;
    }
    const std::size_t first = i + (refers ? 2 : 1);
    if (first >= words.size()) return std::nullopt;
    const std::string next = lower_word(slice(sentence, words[first]));
    // "is paid", "is in the hall" and "is not" define nothing.
    if ((is || are) && next != "a" && next != "an" && next != "the" && !(are && next == "all"))
      return std::nullopt;
    const Span subject{words.front().start, words[i - 1].end};
    const std::string_view name = slice(sentence, subject);
    if (name.find_first_of(",;:()\"") != std::string_view::npos) return std::nullopt;
    const Span answer = without_end(text, {span.start + words[first].start, span.end});
    const std::size_t length = words_of(slice(text, answer)).size();
    if (length < kShortestAnswerWords || length > kLongestAnswerWords) return std::nullopt;
    std::string shown = single_spaced(name);
    for (const std::string_view article : {"The ", "A ", "An "}) {
      if (shown.starts_with(article)) shown[0] = static_cast<char>(shown[0] - 'A' + 'a');
    }
    if (means || refers) {
      return Found{DraftKind::definition, "What does \"" + shown + (means ? "\" mean?" : "\" refer to?"),
                   answer};
    }
    return Found{DraftKind::definition, std::string(is ? "What is " : "What are ") + shown + "?", answer};
  }
  return std::nullopt;
}

/// A line "Label: value".
std::optional<Found> field_in(std::string_view text, Span line, std::string_view heading) {
  std::string_view row = slice(text, line);
  std::size_t skip = 0;
  while (skip < row.size() && (row[skip] == ' ' || row[skip] == '-' || row[skip] == '*')) ++skip;
  row.remove_prefix(skip);
  const std::size_t colon = row.find(": ");
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  std::string_view label = row.substr(0, colon);
  while (!label.empty() && label.back() == '*') label.remove_suffix(1);
  if (label.empty() || label.find_first_of(".,;!?|(\"") != std::string_view::npos ||
      words_of(label).size() > kLongestLabelWords || is_pointer(slice(label, words_of(label).front()))) {
    return std::nullopt;
  }
  std::size_t begin = line.start + skip + colon + 2;
  while (begin < line.end && (text[begin] == ' ' || text[begin] == '*')) ++begin;
  const Span answer = without_end(text, {begin, line.end});
  const std::size_t length = words_of(slice(text, answer)).size();
  if (length == 0 || length > kLongestAnswerWords) return std::nullopt;
  std::string question = "What is given as \"" + single_spaced(label) + "\"";
  if (!heading.empty()) question += " under \"" + single_spaced(heading) + "\"";
  return Found{DraftKind::field, question + "?", answer};
}

std::string_view missing_of(baseline::ValueForm form) {
  switch (form) {
    case baseline::ValueForm::date:
      return "Which date";
    case baseline::ValueForm::money:
      return "Which amount";
    case baseline::ValueForm::percent:
      return "Which percentage";
    case baseline::ValueForm::number:
      return "Which number";
    default:
      return "";
  }
}

/// The first value of a sentence, left out of it.
std::optional<Found> value_in(std::string_view text, Span span) {
  const std::string_view sentence = slice(text, span);
  if (!is_plain_sentence(sentence)) return std::nullopt;
  const std::vector<Span> words = words_of(sentence);
  if (words.size() < kShortestClozeWords || words.size() > kLongestClozeWords ||
      is_pointer(slice(sentence, words.front()))) {
    return std::nullopt;
  }
  for (const baseline::FormedValue& value : baseline::find_values(sentence)) {
    const std::string_view what = missing_of(value.form);
    if (what.empty() || value.span.start == 0) continue;
    const std::string_view shown = slice(sentence, value.span);
    if (sentence.find(shown, value.span.end) != std::string_view::npos ||
        sentence.substr(0, value.span.start).find(shown) != std::string_view::npos) {
      continue;  // the sentence would give the answer away
    }
    const std::string gap = single_spaced(std::string(sentence.substr(0, value.span.start)) + "____" +
                                          std::string(sentence.substr(value.span.end)));
    return Found{DraftKind::value,
                 std::string(what) + " is missing: \"" + gap + "\"",
                 {span.start + value.span.start, span.start + value.span.end}};
  }
  return std::nullopt;
}

/// What stands first under a heading, up to two sentences.
std::optional<Found> heading_in(std::string_view text, const std::vector<Span>& sentences,
                                std::string_view heading) {
  const std::size_t words = words_of(heading).size();
  if (words < 2 || words > 10 || sentences.empty() || !is_plain_sentence(slice(text, sentences.front()))) {
    return std::nullopt;
  }
  if (is_pointer(slice(
          text, Span{sentences.front().start,
                     sentences.front().start + words_of(slice(text, sentences.front())).front().end}))) {
    return std::nullopt;
  }
  Span answer = sentences.front();
  if (sentences.size() > 1 && is_plain_sentence(slice(text, sentences[1])) &&
      words_of(slice(text, Span{answer.start, sentences[1].end})).size() <= kLongestAnswerWords) {
    answer.end = sentences[1].end;
  }
  if (words_of(slice(text, answer)).size() < kShortestAnswerWords) return std::nullopt;
  const std::string shown = single_spaced(heading);
  if (shown.ends_with('?')) return Found{DraftKind::heading, shown, answer};
  return Found{DraftKind::heading, "What is said about \"" + shown + "\"?", answer};
}

std::string_view last_heading(std::string_view path) {
  const std::size_t at = path.rfind(" > ");
  return trimmed(at == std::string_view::npos ? path : path.substr(at + 3));
}

std::vector<Found> questions_of(const Passage& passage, bool first_under_heading, DraftCounts& counts) {
  std::vector<Found> found;
  const std::string_view text = passage.text;
  const std::string_view heading = last_heading(passage.heading_path);
  const std::vector<Span> sentences = loam::passage::sentences(text);
  counts.sentences += sentences.size();
  if (first_under_heading) {
    if (auto one = heading_in(text, sentences, heading)) found.push_back(*std::move(one));
  }
  for (const Span line : reader::lines_of(text)) {
    if (auto one = field_in(text, line, heading)) found.push_back(*std::move(one));
  }
  for (const Span sentence : sentences) {
    auto one = definition_in(text, sentence);
    if (!one) one = value_in(text, sentence);
    if (one) found.push_back(*std::move(one));
  }
  // Definitions ask most like a person does; gaps least.
  std::stable_sort(found.begin(), found.end(),
                   [](const Found& a, const Found& b) { return a.kind < b.kind; });
  return found;
}

}  // namespace

std::string_view name_of(DraftKind kind) {
  constexpr std::string_view kNames[] = {"definition", "field", "heading", "value"};
  return kNames[static_cast<std::size_t>(kind)];
}

Draft draft_data(const std::vector<DraftDocument>& documents, const DraftOptions& options) {
  Draft draft;
  DraftCounts& counts = draft.counts;
  std::vector<std::vector<DraftItem>> by_document;
  std::map<std::string, std::set<std::string>> answers;  // of each question, over all documents
  for (const DraftDocument& document : documents) {
    ++counts.documents;
    std::vector<DraftItem> items;
    std::set<std::string> headings;
    for (const Passage& passage : document.passages) {
      ++counts.passages;
      const bool first = headings.insert(passage.heading_path).second && !passage.heading_path.empty();
      int taken = 0;
      for (const Found& one : questions_of(passage, first, counts)) {
        DraftItem item;
        item.kind = one.kind;
        item.question = one.question;
        item.answer = slice(passage.text, one.answer);
        item.span = {passage.span.start + one.answer.start, passage.span.start + one.answer.end};
        item.source = document.source;
        item.page = document.pages.empty() ? passage.page : page_at(document.pages, item.span.start);
        item.passage = passage.text;
        item.heading_path = passage.heading_path;
        auto& known = answers[item.question];
        if (!known.insert(single_spaced(item.answer)).second) {
          ++counts.repeated;
          continue;
        }
        if (taken == options.most_per_passage) {
          ++counts.over_limit;
          continue;
        }
        ++taken;
        items.push_back(std::move(item));
      }
    }
    by_document.push_back(std::move(items));
  }
  for (std::vector<DraftItem>& items : by_document) {
    counts.ambiguous +=
        std::erase_if(items, [&](const DraftItem& item) { return answers[item.question].size() > 1; });
    counts.documents_without += items.empty() ? 1 : 0;
  }
  // In turns, so that a long document does not crowd out the others.
  std::vector<std::size_t> quota(by_document.size(), 0);
  std::size_t all = 0;
  for (const auto& items : by_document) all += items.size();
  const std::size_t most = options.most == 0 ? all : std::min(options.most, all);
  for (std::size_t given = 0; given < most;) {
    for (std::size_t i = 0; i < by_document.size() && given < most; ++i) {
      if (quota[i] == by_document[i].size()) continue;
      ++quota[i];
      ++given;
    }
  }
  counts.over_limit += all - most;
  for (std::size_t i = 0; i < by_document.size(); ++i) {
    // Spread over the document instead of its beginning alone.
    for (std::size_t k = 0; k < quota[i]; ++k) {
      DraftItem& item = by_document[i][k * by_document[i].size() / quota[i]];
      ++counts.kept[item.kind];
      draft.items.push_back(std::move(item));
    }
  }
  return draft;
}

std::string draft_line(const DraftItem& item) {
  std::string place = item.source;
  if (item.page) place += ", page " + std::to_string(*item.page);
  Json line = {{"prompt", "Answer with the words of the passage.\n\nPassage (" + place + "):\n" +
                              item.passage + "\n\nQuestion: " + item.question},
               {"response", item.answer},
               {"document", item.source},
               {"page", item.page ? Json(*item.page) : Json()},
               {"span", {item.span.start, item.span.end}},
               {"heading", item.heading_path},
               {"question", item.question},
               {"passage", item.passage},
               {"kind", name_of(item.kind)}};
  return dump_json(line);
}

}  // namespace loam::tasks
