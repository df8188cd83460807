// Records of comma-separated values (RFC 4180, and what spreadsheets really write): for documents, where
// cells are tidied, and for tables of data, where every character of a cell counts.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "reader/reader.h"

namespace loam::reader {

inline constexpr std::size_t kMaxCsvColumns = 16384;  // what spreadsheets hold (XLSX: columns A to XFD)

/// tidy: white space around a cell goes, line ends inside quotes become spaces, and text after a closing
/// quote belongs to the cell. exact: a cell is what RFC 4180 says; a quote that is not closed right before a
/// delimiter or line end is an ordinary character, and between tabs quotes never span lines (many
/// tab-separated files do not quote at all).
enum class CsvCells { tidy, exact };

/// Reads one record after the other from text with \n line ends. A quote that is never closed is taken
/// literally, so that one stray quote cannot swallow the rest of the file.
class CsvReader {
 public:
  /// The text must outlive the reader. `delimiter` '\0': one cell a record.
  CsvReader(std::string_view text, char delimiter, CsvCells cells = CsvCells::tidy)
      : text_(text),
        delimiter_(delimiter),
        cells_(cells),
        quotes_span_lines_(cells == CsvCells::tidy || delimiter != '\t') {}

  bool at_end() const { return at_ >= text_.size(); }
  /// The next record, at most kMaxCsvColumns + 1 cells of it.
  std::vector<std::string> next();
  std::size_t row() const { return row_; }                    ///< 1-based number of the record read last
  std::size_t line() const { return line_; }                  ///< 1-based line on which it starts
  std::size_t unclosed_row() const { return unclosed_row_; }  ///< 1-based; 0: none
  bool too_wide() const { return too_wide_; }

 private:
  std::vector<std::string> read();
  std::string cell();
  bool quoted(std::size_t start, std::string& value);
  std::string_view stops() const { return {stops_.data(), 2}; }

  std::string_view text_;
  char delimiter_;
  CsvCells cells_;
  std::array<char, 2> stops_{delimiter_, '\n'};
  std::size_t at_ = 0;
  std::size_t row_ = 0;
  std::size_t line_ = 0;
  std::size_t counted_ = 0;  // line ends before this byte are in lines_before_
  std::size_t lines_before_ = 0;
  std::size_t unclosed_row_ = 0;
  bool unclosed_here_ = false;
  bool quotes_span_lines_ = true;
  bool too_wide_ = false;
};

/// The delimiter (comma, semicolon, tab, bar) under which the first rows agree best on a width above one; the
/// earlier wins a tie, a comma where none does. exact: only one that parts the first row, '\0' where none
/// does.
char find_csv_delimiter(std::string_view text, CsvCells cells = CsvCells::tidy);

/// One record of a table, cells exact.
struct CsvRecord {
  std::size_t line = 1;  ///< 1-based, on which it starts
  std::vector<std::string> fields;
};

struct CsvTable {
  std::vector<CsvRecord> records;  ///< without blank lines; the header, if there is one, is the first
  std::vector<std::string> notes;  ///< encoding, quotes that are never closed
  char delimiter = ',';            ///< '\0': one column
};

/// Decodes the bytes (UTF-8, UTF-16 with a mark, else Windows-1252) and reads every record. out_of_room for
/// limits; an empty file is an empty table.
Result<CsvTable> read_csv_records(std::string_view bytes, std::string_view source,
                                  const ReadLimits& limits = {});

}  // namespace loam::reader
