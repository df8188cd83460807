#include "reader/csv_records.h"

#include <algorithm>
#include <utility>

#include "base/span.h"
#include "reader/text.h"

namespace loam::reader {
namespace {

constexpr std::size_t kSampleRows = 50;

using Row = std::vector<std::string>;

bool is_empty(const Row& row) {
  return std::all_of(row.begin(), row.end(), [](const std::string& cell) { return cell.empty(); });
}

// Excel's own hint, "sep=;" on the first line: its bytes, 0 when there is none.
std::size_t separator_hint(std::string_view text) {
  return text.starts_with("sep=") && text.size() > 5 && text[5] == '\n' ? 6 : 0;
}

}  // namespace

Row CsvReader::next() {
  ++row_;
  const std::size_t start = at_;
  lines_before_ +=
      static_cast<std::size_t>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(counted_),
                                          text_.begin() + static_cast<std::ptrdiff_t>(start), '\n'));
  counted_ = start;
  line_ = lines_before_ + 1;
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

Row CsvReader::read() {
  Row row;
  for (;;) {
    row.push_back(cell());
    if (unclosed_here_) return row;
    if (row.size() > kMaxCsvColumns) {
      too_wide_ = true;
      return row;
    }
    if (at_ >= text_.size()) return row;
    const char end = text_[at_++];
    if (end == '\n') return row;
  }
}

std::string CsvReader::cell() {
  std::size_t start = at_;
  while (start < text_.size() && text_[start] == ' ' && delimiter_ != ' ') ++start;
  if (start < text_.size() && text_[start] == '"') {
    std::string value;
    if (quoted(start + 1, value)) return value;
    if (unclosed_here_) return {};
  }
  const std::size_t stop = text_.find_first_of(stops(), at_);
  const std::size_t end = std::min(stop, text_.size());
  const std::string_view raw = slice(text_, {at_, end});
  at_ = end;
  return std::string(cells_ == CsvCells::tidy ? trimmed(raw) : raw);
}

// Reads up to the closing quote; leaves at_ on the delimiter or line end. False: not a quoted cell.
bool CsvReader::quoted(std::size_t start, std::string& value) {
  const bool tidy = cells_ == CsvCells::tidy;
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
      value += tidy ? ' ' : '\n';
    } else {
      value += c;
    }
  }
  if (i >= text_.size()) {
    unclosed_here_ = quotes_span_lines_;
    return false;
  }
  const std::size_t stop = std::min(text_.find_first_of(stops(), i + 1), text_.size());
  const std::string_view behind = slice(text_, {i + 1, stop});
  if (tidy) {
    value += behind;  // text after the closing quote, as spreadsheets do
    value = std::string(trimmed(value));
  } else if (!is_blank(behind)) {
    return false;
  }
  at_ = stop;
  return true;
}

char find_csv_delimiter(std::string_view text, CsvCells cells) {
  char best = cells == CsvCells::tidy ? ',' : '\0';
  double best_score = 0;
  // A sample is enough, and keeps a file with one quote open to its end from being read four times.
  const std::string_view sample = text.substr(0, std::min<std::size_t>(text.size(), 256 * 1024));
  for (const char delimiter : {',', ';', '\t', '|'}) {
    CsvReader reader(sample, delimiter, cells);
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
    // The header of a table says how many columns there are; a document may have none.
    const std::size_t usual = cells == CsvCells::tidy ? sorted[sorted.size() / 2] : widths.front();
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

Result<CsvTable> read_csv_records(std::string_view bytes, std::string_view source, const ReadLimits& limits) {
  Result<DecodedText> decoded = decode_text(bytes, source, limits, LongLines::accept);
  if (!decoded) return decoded.error();
  CsvTable table;
  table.notes = std::move(decoded->notes);
  std::string_view text = decoded->text;
  std::size_t lines_before = 0;
  if (const std::size_t hint = separator_hint(text); hint > 0) {
    table.delimiter = text[4];
    text.remove_prefix(hint);
    lines_before = 1;
  } else {
    table.delimiter = find_csv_delimiter(text, CsvCells::exact);
  }
  CsvReader reader(text, table.delimiter, CsvCells::exact);
  while (!reader.at_end()) {
    Row fields = reader.next();
    const std::size_t line = reader.line() + lines_before;
    if (reader.too_wide()) {
      return Error{Kind::out_of_room, std::string(source) + " line " + std::to_string(line),
                   "it has more than " + with_thousands(kMaxCsvColumns) + " columns",
                   "check the delimiter, or split the table"};
    }
    if (fields.size() == 1 && is_blank(fields.front())) continue;
    table.records.push_back({line, std::move(fields)});
  }
  if (reader.unclosed_row() > 0) {
    table.notes.push_back("a quote opened in row " + with_thousands(reader.unclosed_row()) +
                          " is never closed; quotes from there on were taken line by line");
  }
  return table;
}

}  // namespace loam::reader
