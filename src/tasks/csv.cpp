#include "tasks/csv.h"

#include <algorithm>

#include "base/utf8.h"

namespace loam::tasks {
namespace {

char delimiter_of(std::string_view text) {
  char best = ',';
  std::ptrdiff_t most = 0;
  const std::string_view first = text.substr(0, text.find('\n'));
  for (const char candidate : {',', ';', '\t'}) {
    const std::ptrdiff_t count = std::count(first.begin(), first.end(), candidate);
    if (count > most) {
      most = count;
      best = candidate;
    }
  }
  return best;
}

class CsvParser {
 public:
  CsvParser(std::string_view text, const std::string& place)
      : text_(text), place_(place), delimiter_(delimiter_of(text)) {}

  bool at_end() const { return at_ >= text_.size(); }

  Result<CsvRow> next() {
    CsvRow row;
    row.line = line_;
    for (;;) {
      std::string cell;
      if (at_ < text_.size() && text_[at_] == '"') {
        const std::size_t opened = line_;
        if (!quoted(cell)) {
          return Error{Kind::bad_data, place_ + " line " + std::to_string(opened),
                       "a quote is opened here and never closed",
                       "close it, or double it inside a quoted cell"};
        }
      }
      while (at_ < text_.size() && text_[at_] != delimiter_ && text_[at_] != '\n') cell += text_[at_++];
      const bool more = at_ < text_.size() && text_[at_] == delimiter_;
      if (!more && !cell.empty() && cell.back() == '\r') cell.pop_back();
      row.cells.push_back(std::move(cell));
      if (at_ < text_.size()) {
        if (text_[at_] == '\n') ++line_;
        ++at_;
      }
      if (!more) return row;
      if (at_ >= text_.size()) {  // a delimiter at the very end: one more, empty cell
        row.cells.emplace_back();
        return row;
      }
    }
  }

 private:
  bool quoted(std::string& cell) {
    ++at_;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '\n') ++line_;
      if (c != '"') {
        cell += c;
      } else if (at_ < text_.size() && text_[at_] == '"') {
        cell += '"';
        ++at_;
      } else {
        return true;
      }
    }
    return false;
  }

  std::string_view text_;
  const std::string& place_;
  char delimiter_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
};

bool is_blank(const CsvRow& row) {
  return row.cells.size() == 1 && row.cells.front().find_first_not_of(" \t") == std::string::npos;
}

}  // namespace

Result<CsvTable> parse_csv_table(std::string_view bytes, const std::string& place) {
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  if (!is_valid_utf8(bytes) || bytes.find('\0') != std::string_view::npos) {
    return Error{Kind::bad_data, place, "it is not UTF-8 text", "save the table as CSV in UTF-8"};
  }
  CsvTable table;
  CsvParser parser(bytes, place);
  while (!parser.at_end()) {
    Result<CsvRow> row = parser.next();
    if (!row) return row.error();
    if (is_blank(*row)) continue;
    if (table.header.empty()) {
      table.header = std::move(row->cells);
      continue;
    }
    if (row->cells.size() > table.header.size()) {
      return Error{Kind::bad_data, place + " line " + std::to_string(row->line),
                   "has " + std::to_string(row->cells.size()) + " cells, but the header names " +
                       std::to_string(table.header.size()) + " columns",
                   "put cells that hold the delimiter into quotes"};
    }
    row->cells.resize(table.header.size());
    table.rows.push_back(std::move(*row));
  }
  if (table.header.empty())
    return Error{Kind::bad_data, place, "it is empty", "write a header line that names the columns"};
  return table;
}

}  // namespace loam::tasks
