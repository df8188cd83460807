#include "tasks/csv.h"

#include "base/utf8.h"
#include "reader/csv_records.h"

namespace loam::tasks {
namespace {

std::string with_line_feeds(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    out += text[i] == '\r' ? '\n' : text[i];
  }
  return out;
}

bool is_blank(const std::vector<std::string>& cells) {
  return cells.size() == 1 && cells.front().find_first_not_of(" \t") == std::string::npos;
}

}  // namespace

Result<CsvTable> parse_csv_table(std::string_view bytes, const std::string& place) {
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  if (!is_valid_utf8(bytes) || bytes.find('\0') != std::string_view::npos) {
    return Error{Kind::bad_data, place, "it is not UTF-8 text", "save the table as CSV in UTF-8"};
  }
  const std::string text = with_line_feeds(bytes);
  reader::CsvReader records(text, reader::find_csv_delimiter(text, reader::CsvCells::exact),
                            reader::CsvCells::exact);
  CsvTable table;
  while (!records.at_end()) {
    CsvRow row;
    row.cells = records.next();
    row.line = records.line();
    const std::string here = place + " line " + std::to_string(row.line);
    if (records.unclosed_row() > 0) {
      return Error{Kind::bad_data, here, "a quote is opened here and never closed",
                   "close it, or double it inside a quoted cell"};
    }
    if (records.too_wide())
      return Error{Kind::out_of_room, here, "has more columns than a spreadsheet holds",
                   "check the delimiter"};
    if (is_blank(row.cells)) continue;
    if (table.header.empty()) {
      table.header = std::move(row.cells);
      continue;
    }
    if (row.cells.size() > table.header.size()) {
      return Error{Kind::bad_data, here,
                   "has " + std::to_string(row.cells.size()) + " cells, but the header names " +
                       std::to_string(table.header.size()) + " columns",
                   "put cells that hold the delimiter into quotes"};
    }
    row.cells.resize(table.header.size());
    table.rows.push_back(std::move(row));
  }
  if (table.header.empty())
    return Error{Kind::bad_data, place, "it is empty", "write a header line that names the columns"};
  return table;
}

}  // namespace loam::tasks
