// Comma-separated values (RFC 4180, and what spreadsheets really write). Each row becomes one line in which
// every value carries its column's name, so that a row can be found and cited alone.
#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "reader/csv_records.h"
#include "reader/formats.h"
#include "reader/text.h"

namespace loam::reader {
namespace {

using Row = std::vector<std::string>;

bool is_empty(const Row& row) {
  return std::all_of(row.begin(), row.end(), [](const std::string& cell) { return cell.empty(); });
}

bool is_numeric(std::string_view cell) {
  bool digit = false;
  for (const char c : cell) {
    if (std::isdigit(static_cast<unsigned char>(c)) != 0) {
      digit = true;
    } else if (std::string_view("+-.,:/% $").find(c) == std::string_view::npos) {
      return false;
    }
  }
  return digit;
}

bool is_year(std::string_view cell) {
  return cell.size() == 4 && (cell.starts_with("19") || cell.starts_with("20")) && is_numeric(cell);
}

// A header names columns: no empty middle, no repeats, no plain numbers unless they are years.
bool is_header(const Row& row) {
  std::unordered_set<std::string_view> seen;
  std::size_t named = 0;
  for (const std::string& cell : row) {
    if (cell.empty()) continue;
    if (is_numeric(cell) && !is_year(cell)) return false;
    if (cell.size() > 200) return false;
    seen.insert(cell);
    ++named;
  }
  return named > 0 && 2 * named >= row.size() && 2 * seen.size() > named;
}

std::string label_of(const Row& header, std::size_t column) {
  if (column < header.size() && !header[column].empty()) return header[column];
  return "column " + std::to_string(column + 1);
}

void append_row(Document& document, const Row& header, const Row& row) {
  const std::size_t start = document.text.size();
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (row[i].empty()) continue;
    if (document.text.size() > start) document.text += " | ";
    document.text += label_of(header, i);
    document.text += ": ";
    document.text += row[i];
  }
  if (document.text.size() == start) return;
  document.blocks.push_back({BlockKind::table_row, 0, {start, document.text.size()}});
  document.text += '\n';
}

}  // namespace

Result<Document> parse_csv(std::string_view bytes, std::string_view source, const ReadLimits& limits) {
  Result<DecodedText> decoded = decode_text(bytes, source, limits, LongLines::refuse);
  if (!decoded) return decoded.error();
  Document document;
  document.notes = std::move(decoded->notes);
  std::string_view text = decoded->text;

  char delimiter = 0;
  if (text.starts_with("sep=") && text.size() > 5 && text[5] == '\n') {  // Excel's own hint
    delimiter = text[4];
    text.remove_prefix(6);
  } else {
    delimiter = find_csv_delimiter(text);
  }

  CsvReader reader(text, delimiter);
  Row header;
  Row first;
  bool seen_first = false;
  bool has_header = false;
  std::size_t data_rows = 0;
  std::size_t ragged = 0;
  std::size_t first_ragged = 0;
  std::size_t width = 0;
  const auto max_text = static_cast<std::size_t>(limits.max_text_bytes);
  for (std::size_t number = 1; !reader.at_end(); ++number) {
    Row row = reader.next();
    if (reader.too_wide()) {
      return Error{
          Kind::out_of_room, std::string(source),
          "row " + with_thousands(number) + " has more than " + with_thousands(kMaxCsvColumns) + " columns",
          "check the delimiter, or split the table"};
    }
    if (is_empty(row)) continue;
    if (!seen_first) {
      seen_first = true;
      width = row.size();
      has_header = is_header(row);
      if (has_header) {
        header = std::move(row);
        continue;
      }
    }
    if (row.size() != width) {
      if (ragged++ == 0) first_ragged = number;
    }
    ++data_rows;
    append_row(document, header, row);
    if (document.text.size() > max_text) return text_too_long(source, limits);
    if (document.blocks.size() > static_cast<std::size_t>(limits.max_blocks)) {
      return Error{Kind::out_of_room, std::string(source),
                   "has more than " + with_thousands(static_cast<std::size_t>(limits.max_blocks)) + " rows",
                   "split the file into smaller ones"};
    }
  }
  if (has_header && data_rows == 0) {  // nothing but names: they are the content
    append_row(document, {}, header);
    document.notes.emplace_back("one row only");
  }
  if (seen_first && !has_header)
    document.notes.emplace_back("no header row found; columns are named by number");
  if (ragged > 0) {
    document.notes.push_back(with_thousands(ragged) + (ragged == 1 ? " row has" : " rows have") +
                             " another number of columns than the first row (first: row " +
                             with_thousands(first_ragged) + ")");
  }
  if (reader.unclosed_row() > 0) {
    document.notes.push_back("a quote opened in row " + with_thousands(reader.unclosed_row()) +
                             " is never closed; quotes from there on were taken line by line");
  }
  return document;
}

}  // namespace loam::reader
