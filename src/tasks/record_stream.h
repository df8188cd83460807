// Texts as they come in, piece by piece: CSV, JSON lines or plain lines, however large the whole is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace loam::tasks {

enum class StreamFormat : std::uint8_t {
  automatic,   ///< by the name's ending, else by the first line
  csv,         ///< first row names the columns; , ; or tab, whichever the header has most of
  json_lines,  ///< one object a line
  lines,       ///< one text a line
};

struct StreamRecord {
  std::size_t line = 0;  ///< 1-based, where it begins
  std::string id;        ///< its "id", if it has one
  std::string text;
  std::vector<std::string> cells;  ///< of a CSV row, as many as the header has at least
  std::string problem;             ///< why there is no text: "empty text", "no \"text\" in it", "not JSON"
};

/// Push bytes, take records. Every record of the input comes out once, with its text or its problem; blank
/// lines between records are none. Malformed UTF-8 becomes U+FFFD.
class RecordStream {
 public:
  /// `name` of the input, for its ending and for errors.
  RecordStream(std::string name, StreamFormat format, std::string text_column);

  void push(std::string_view bytes);
  void end();  ///< nothing more will be pushed
  /// True and the next record, or false when more bytes are needed (or, after end(), when all are taken).
  /// bad_request for a header without the text column, naming those there are; bad_data for a quote that
  /// never closes; out_of_room for a record above 64 MiB.
  Result<bool> next(StreamRecord& record);

  StreamFormat format() const { return format_; }  ///< automatic until the first line is known
  const std::vector<std::string>& header() const { return header_; }  ///< of CSV, once it is known
  char delimiter() const { return delimiter_; }

 private:
  Result<bool> next_raw(std::string& raw);
  Result<void> start(const std::string& first);
  std::vector<std::string> cells_of(std::string_view raw) const;

  std::string name_, text_column_;
  StreamFormat format_;
  std::string buffer_;
  std::size_t taken_ = 0;    ///< bytes of buffer_ that are done with
  std::size_t scanned_ = 0;  ///< bytes looked at for the end of the record
  bool quoted_ = false, after_quote_ = false, cell_start_ = true;  ///< state of the scan
  bool ended_ = false;
  bool started_ = false;
  bool first_bytes_ = true;
  std::size_t line_ = 1, record_line_ = 1;
  std::vector<std::string> header_;
  std::size_t text_at_ = 0, id_at_ = 0;
  bool has_id_ = false;
  char delimiter_ = ',';
};

/// A cell as CSV writes it: quoted when it holds the delimiter, a quote or a line break.
std::string csv_cell(std::string_view cell, char delimiter);

}  // namespace loam::tasks
