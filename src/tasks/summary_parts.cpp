#include "tasks/summary_parts.h"

#include <algorithm>
#include <unordered_set>

#include "baseline/words.h"
#include "passage/units.h"

namespace loam::tasks {

Result<std::vector<Span>> prose_of(const Document& document) {
  Result<std::vector<passage::Unit>> units = passage::units_of(document);
  if (!units) return units.error();
  std::vector<Span> prose;
  for (const passage::Unit& unit : *units) {
    if (unit.kind != BlockKind::heading && unit.kind != BlockKind::code && !unit.span.empty())
      prose.push_back(unit.span);
  }
  if (prose.empty()) {  // nothing but headings or code: then these are what it says
    for (const passage::Unit& unit : *units) {
      if (!unit.span.empty()) prose.push_back(unit.span);
    }
  }
  return prose;
}

std::optional<int> CitationList::cite(const Hit& hit, Span span) {
  if (span.empty() || !hit.passage.span.contains(span)) return std::nullopt;
  for (const Citation& known : list_) {
    if (known.source == hit.source && known.span == span) return known.id;
  }
  Citation citation;
  citation.id = static_cast<int>(list_.size()) + 1;
  citation.document = hit.passage.document;
  citation.passage = hit.passage.id;
  citation.source = hit.source;
  citation.page = hit.page_at(span.start);
  citation.span = span;
  const Span local = {span.start - hit.passage.span.start, span.end - hit.passage.span.start};
  citation.quote = std::string(slice(hit.passage.text, local));
  list_.push_back(std::move(citation));
  return list_.back().id;
}

std::vector<Hit> hits_of(const Document& document, const std::vector<Passage>& passages) {
  std::vector<Hit> hits;
  hits.reserve(passages.size());
  for (const Passage& passage : passages) {
    Hit hit;
    hit.passage = passage;
    hit.source = document.source;
    hit.title = document.title;
    for (const Page& page : document.pages) {
      if (page.span.overlaps(passage.span)) hit.pages.push_back(page);
    }
    hits.push_back(std::move(hit));
  }
  return hits;
}

std::optional<std::size_t> hit_with(const std::vector<Hit>& hits, Span span) {
  // Passages ascend; those that begin at or before the span are candidates, the nearest first.
  auto place = std::upper_bound(hits.begin(), hits.end(), span.start, [](std::size_t start, const Hit& hit) {
    return start < hit.passage.span.start;
  });
  while (place != hits.begin()) {
    --place;
    if (place->passage.span.contains(span)) return static_cast<std::size_t>(place - hits.begin());
    if (place->passage.span.end <= span.start) break;
  }
  return std::nullopt;
}

bool needs_context(std::string_view sentence) {
  static const std::unordered_set<std::string_view> kWords = {
      "it", "they", "he", "she", "its", "their", "his", "her", "this", "these", "those", "such"};
  const std::vector<baseline::Word> words = baseline::words_of(sentence.substr(0, 80));
  return !words.empty() && kWords.contains(words.front().lower);
}

}  // namespace loam::tasks
