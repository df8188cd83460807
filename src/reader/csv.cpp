// Comma-separated values (RFC 4180, and what spreadsheets really write). Each row becomes one line in which
// every value carries its column's name, so that a row can be found and cited alone.
#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "reader/formats.h"
#include "reader/text.h"

namespace loam::reader {
namespace {

constexpr std::size_t kMaxColumns = 16384;  // what spreadsheets hold (XLSX: columns A to XFD)
constexpr std::size_t kSampleRows = 50;

using Row = std::vector<std::string>;

// Reads one record after the other. A quote that is never closed is taken literally, so that one stray quote
// cannot swallow the rest of the file.
class RowReader {
 public:
  RowReader(std::string_view text, char delimiter) : text_(text), delimiter_(delimiter) {}

  bool at_end() const { return at_ >= text_.size(); }
  std::size_t unclosed_row() const { return unclosed_row_; }  // 1-based; 0: none
  bool too_wide() const { return too_wide_; }

  // The next record, at most kMaxColumns + 1 cells of it.
  Row next() {
    ++row_;
    const std::size_t start = at_;
    Row row = read();
    if (unclosed_here_) {
      if (unclosed_row_ == 0) unclosed_row_ = row_;
      quotes_span_lines_ = false;  // no quote from here on can be closed on a later line
      at_ = start;
      unclosed_here_ = false;
      row = read();
    }
    return row;
  }

 private:
  Row read() {
    Row row;
    for (;;) {
      row.push_back(cell());
      if (unclosed_here_) return row;
      if (row.size() > kMaxColumns) {
        too_wide_ = true;
        return row;
      }
      if (at_ >= text_.size()) return row;
      const char end = text_[at_++];
      if (end == '\n') return row;
    }
  }

  std::string cell() {
    std::size_t start = at_;
    while (start < text_.size() && text_[start] == ' ' && delimiter_ != ' ') ++start;
    if (start < text_.size() && text_[start] == '"') {
      std::string value;
      if (quoted(start + 1, value)) return value;
      if (unclosed_here_) return {};
    }
    const std::size_t stop = text_.find_first_of(stops(), at_);
    const std::size_t end = std::min(stop, text_.size());
    std::string value(trimmed(slice(text_, {at_, end})));
    at_ = end;
    return value;
  }

  // Reads up to the closing quote; leaves at_ on the delimiter or line end. False: not a quoted cell.
  bool quoted(std::size_t start, std::string& value) {
    std::size_t i = start;
    for (; i < text_.size(); ++i) {
      const char c = text_[i];
      if (c == '"') {
        if (i + 1 < text_.size() && text_[i + 1] == '"') {
          value += '"';
          ++i;
          continue;
        }
        break;
      }
      if (c == '\n') {
        if (!quotes_span_lines_) return false;
        value += ' ';
      } else {
        value += c;
      }
    }
    if (i >= text_.size()) {
      unclosed_here_ = quotes_span_lines_;
      return false;
    }
    const std::size_t stop = std::min(text_.find_first_of(stops(), i + 1), text_.size());
    value += slice(text_, {i + 1, stop});  // text after the closing quote, as spreadsheets do
    value = std::string(trimmed(value));
    at_ = stop;
    return true;
  }

  std::string_view stops() const { return {stops_.data(), 2}; }

  std::string_view text_;
  char delimiter_;
  std::array<char, 2> stops_{delimiter_, '\n'};
  std::size_t at_ = 0;
  std::size_t row_ = 0;
  std::size_t unclosed_row_ = 0;
  bool unclosed_here_ = false;
  bool quotes_span_lines_ = true;
  bool too_wide_ = false;
};

bool is_empty(const Row& row) {
  return std::all_of(row.begin(), row.end(), [](const std::string& cell) { return cell.empty(); });
}

// The delimiter under which the first rows agree best on a width above one; the earlier wins a tie.
char find_delimiter(std::string_view text) {
  char best = ',';
  double best_score = 0;
  // A sample is enough, and keeps a file with one quote open to its end from being read four times.
  const std::string_view sample = text.substr(0, std::min<std::size_t>(text.size(), 256 * 1024));
  for (const char delimiter : {',', ';', '\t', '|'}) {
    RowReader reader(sample, delimiter);
    std::vector<std::size_t> widths;
    while (!reader.at_end() && widths.size() < kSampleRows) {
      const Row row = reader.next();
      if (reader.too_wide()) break;
      if (!is_empty(row)) widths.push_back(row.size());
    }
    if (widths.empty()) continue;
    std::vector<std::size_t> sorted = widths;
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2),
                     sorted.end());
    const std::size_t usual = sorted[sorted.size() / 2];
    if (usual < 2) continue;
    const auto agreeing = static_cast<double>(std::count(widths.begin(), widths.end(), usual));
    const double score = agreeing / static_cast<double>(widths.size()) +
                         0.001 * static_cast<double>(std::min<std::size_t>(usual, 100));
    if (score > best_score + 1e-9) {
      best_score = score;
      best = delimiter;
    }
  }
  return best;
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
    delimiter = find_delimiter(text);
  }

  RowReader reader(text, delimiter);
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
          "row " + with_thousands(number) + " has more than " + with_thousands(kMaxColumns) + " columns",
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
