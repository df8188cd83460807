// Tables of comma-separated values (RFC 4180) whose cells are needed as they are. Internal to tasks;
// documents are read by reader/.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace loam::tasks {

struct CsvRow {
  std::size_t line = 0;  ///< 1-based, where it begins
  std::vector<std::string> cells;
};

struct CsvTable {
  std::vector<std::string> header;
  std::vector<CsvRow> rows;  ///< without blank lines
};

/// The first row names the columns; delimiter and cells as reader/csv_records.h has them, exact. A
/// byte order mark is passed over. bad_data, with the line, for a quote that never closes, bytes that are not
/// UTF-8, and a row with more cells than the header; missing cells are empty. No rows is no error; no header
/// is.
Result<CsvTable> parse_csv_table(std::string_view bytes, const std::string& place);

}  // namespace loam::tasks
