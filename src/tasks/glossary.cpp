#include <algorithm>
#include <map>

#include "base/utf8.h"
#include "tasks/csv.h"
#include "tasks/translate.h"

namespace loam::tasks {
namespace {

std::string trimmed(const std::string& text) {
  const std::size_t start = text.find_first_not_of(" \t");
  if (start == std::string::npos) return "";
  return text.substr(start, text.find_last_not_of(" \t") - start + 1);
}

}  // namespace

Result<std::vector<GlossaryTerm>> parse_glossary(std::string_view bytes, const std::string& place) {
  Result<CsvTable> table = parse_csv_table(bytes, place);
  if (!table) return table.error();
  if (table->header.size() != 2) {
    return Error{Kind::bad_data, place,
                 "a glossary has two columns, and this has " + std::to_string(table->header.size()),
                 "begin it with the line: source,target"};
  }
  std::vector<GlossaryTerm> terms;
  std::map<std::string, std::size_t> known;  // term in lower case to its place in `terms`
  for (const CsvRow& row : table->rows) {
    GlossaryTerm term{trimmed(row.cells[0]), trimmed(row.cells[1]), row.line};
    const std::string here = place + " line " + std::to_string(row.line);
    if (term.source.empty())
      return Error{Kind::bad_data, here, "the term is empty", "write the term, or remove the line"};
    if ((term.source + term.target).find('\n') != std::string::npos)
      return Error{Kind::bad_data, here, "a term runs over two lines", "write it on one line"};
    if (term.target.empty()) term.target = term.source;
    const auto [entry, fresh] = known.try_emplace(to_lower_utf8(term.source), terms.size());
    if (!fresh) {
      const GlossaryTerm& first = terms[entry->second];
      if (first.target == term.target) continue;
      return Error{Kind::bad_data, here,
                   "\"" + term.source + "\" is \"" + term.target + "\" here and \"" + first.target +
                       "\" in line " + std::to_string(first.line),
                   "keep one of the two lines"};
    }
    terms.push_back(std::move(term));
  }
  // Longer terms first, so that "invoice number" is looked for before "invoice".
  std::stable_sort(terms.begin(), terms.end(), [](const GlossaryTerm& a, const GlossaryTerm& b) {
    return a.source.size() > b.source.size();
  });
  return terms;
}

}  // namespace loam::tasks
