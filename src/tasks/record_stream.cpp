#include "tasks/record_stream.h"

#include <algorithm>
#include <filesystem>

#include "base/json.h"
#include "base/utf8.h"

namespace loam::tasks {
namespace {

constexpr std::size_t kMostRecordBytes = std::size_t{64} << 20U;
constexpr std::size_t kCompactBytes = std::size_t{1} << 20U;

bool is_blank(std::string_view text) {
  while (!text.empty()) {
    const CodePoint point = decode_utf8(text);
    if (!is_space(point.value)) return false;
    text.remove_prefix(point.size);
  }
  return true;
}

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

}  // namespace

std::string csv_cell(std::string_view cell, char delimiter) {
  if (cell.find_first_of("\"\r\n") == std::string_view::npos &&
      cell.find(delimiter) == std::string_view::npos) {
    return std::string(cell);
  }
  std::string out = "\"";
  for (const char c : cell) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

RecordStream::RecordStream(std::string name, StreamFormat format, std::string text_column)
    : name_(std::move(name)), text_column_(std::move(text_column)), format_(format) {
  if (format_ != StreamFormat::automatic) return;
  const std::string ending = to_lower_utf8(std::filesystem::path(name_).extension().string());
  if (ending == ".csv" || ending == ".tsv" || ending == ".tab") format_ = StreamFormat::csv;
  if (ending == ".jsonl" || ending == ".ndjson") format_ = StreamFormat::json_lines;
  if (ending == ".txt") format_ = StreamFormat::lines;
}

void RecordStream::push(std::string_view bytes) {
  buffer_ += bytes;
  if (first_bytes_ && buffer_.size() >= 3) {
    if (buffer_.starts_with("\xEF\xBB\xBF")) buffer_.erase(0, 3);
    first_bytes_ = false;
  }
}

void RecordStream::end() {
  if (first_bytes_ && buffer_.starts_with("\xEF\xBB\xBF")) buffer_.erase(0, 3);
  first_bytes_ = false;
  ended_ = true;
}

/// One record without its line end. In CSV a line break inside quotes does not end it.
Result<bool> RecordStream::next_raw(std::string& raw) {
  if (first_bytes_) return false;  // a byte order mark may still be incomplete
  const bool quotes_count = format_ == StreamFormat::csv;
  for (; scanned_ < buffer_.size(); ++scanned_) {
    const char c = buffer_[scanned_];
    if (quotes_count) {  // a quote opens at the start of a cell only; a doubled one closes and opens again
      if (quoted_) {
        if (c == '"') {
          quoted_ = false;
          after_quote_ = true;
        }
      } else if (c == '"' && (cell_start_ || after_quote_)) {
        quoted_ = true;
        cell_start_ = after_quote_ = false;
      } else {
        after_quote_ = false;
        cell_start_ = c == '\n' || c == delimiter_ || (!started_ && (c == ',' || c == ';' || c == '\t'));
      }
    }
    if (c != '\n') continue;
    ++line_;
    if (quoted_) continue;
    std::size_t end = scanned_;
    if (end > taken_ && buffer_[end - 1] == '\r') --end;
    raw.assign(buffer_, taken_, end - taken_);
    taken_ = ++scanned_;
    if (taken_ > kCompactBytes) {
      buffer_.erase(0, taken_);
      scanned_ = taken_ = 0;
    }
    return true;
  }
  if (buffer_.size() - taken_ > kMostRecordBytes) {
    return Error{
        Kind::out_of_room, name_ + " line " + std::to_string(record_line_),
        quoted_ ? "a quote opens and does not close within 64 MiB" : "a record is longer than 64 MiB",
        "check the file's quotes and line ends"};
  }
  if (!ended_ || taken_ == buffer_.size()) return false;
  if (quoted_) {
    return Error{Kind::bad_data, name_ + " line " + std::to_string(record_line_),
                 "a quote opens and never closes", "write a quote inside a cell as two"};
  }
  raw.assign(buffer_, taken_, std::string::npos);
  if (raw.ends_with('\r')) raw.pop_back();
  taken_ = scanned_ = buffer_.size();
  return true;
}

std::vector<std::string> RecordStream::cells_of(std::string_view raw) const {
  std::vector<std::string> cells(1);
  bool inside = false;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const char c = raw[i];
    if (inside) {
      if (c != '"') {
        cells.back() += c;
      } else if (i + 1 < raw.size() && raw[i + 1] == '"') {
        cells.back() += '"';
        ++i;
      } else {
        inside = false;
      }
    } else if (c == '"' && cells.back().empty()) {
      inside = true;
    } else if (c == delimiter_) {
      cells.emplace_back();
    } else {
      cells.back() += c;
    }
  }
  return cells;
}

/// Knows the format from the first record, and takes it as the header where it is one.
Result<void> RecordStream::start(const std::string& first) {
  const auto look = [&] {
    std::size_t best = 0;
    for (const char candidate : {',', ';', '\t'}) {
      const auto count = static_cast<std::size_t>(std::count(first.begin(), first.end(), candidate));
      if (count > best) {
        best = count;
        delimiter_ = candidate;
      }
    }
    header_ = cells_of(first);
    for (std::string& cell : header_) cell = trimmed(cell);
  };
  if (format_ == StreamFormat::automatic) {
    look();
    const bool named = std::find(header_.begin(), header_.end(), text_column_) != header_.end();
    format_ = trimmed(first).starts_with('{') ? StreamFormat::json_lines
              : named                         ? StreamFormat::csv
                                              : StreamFormat::lines;
    if (format_ != StreamFormat::csv) header_.clear();
  } else if (format_ == StreamFormat::csv) {
    look();
  }
  started_ = true;
  if (format_ != StreamFormat::csv) return done();
  const auto found = std::find(header_.begin(), header_.end(), text_column_);
  if (found == header_.end()) {
    std::string known;
    for (const std::string& cell : header_) known += (known.empty() ? "\"" : ", \"") + cell + "\"";
    return Error{Kind::bad_request, name_ + " line 1",
                 "there is no column \"" + text_column_ + "\"; there is " + to_valid_utf8(known),
                 "name the column with --text COLUMN"};
  }
  text_at_ = static_cast<std::size_t>(found - header_.begin());
  const auto id = std::find(header_.begin(), header_.end(), "id");
  has_id_ = id != header_.end();
  id_at_ = static_cast<std::size_t>(id - header_.begin());
  return done();
}

Result<bool> RecordStream::next(StreamRecord& record) {
  std::string raw;
  for (;;) {
    auto more = next_raw(raw);
    if (!more) return more.error();
    if (!*more) return false;
    const std::size_t line = record_line_;
    record_line_ = line_;
    if (is_blank(raw)) continue;
    raw = to_valid_utf8(raw);
    if (!started_) {
      if (auto known = start(raw); !known) return known.error();
      if (format_ == StreamFormat::csv) continue;
    }
    record = {};
    record.line = line;
    if (format_ == StreamFormat::lines) {
      record.text = std::move(raw);
      return true;
    }
    if (format_ == StreamFormat::csv) {
      record.cells = cells_of(raw);
      if (record.cells.size() > header_.size()) {
        record.problem = "more cells than the header has columns";
      }
      record.cells.resize(std::max(record.cells.size(), header_.size()));
      record.text = record.cells[text_at_];
      if (has_id_) record.id = record.cells[id_at_];
    } else {
      auto json = parse_json(raw, name_ + " line " + std::to_string(line));
      if (!json || !json->is_object()) {
        record.problem = "not a JSON object";
        return true;
      }
      if (json->contains("id")) {
        const Json& id = (*json)["id"];
        record.id = id.is_string() ? id.get<std::string>() : dump_json(id);
      }
      if (!json->contains(text_column_) || !(*json)[text_column_].is_string()) {
        record.problem = "no text under \"" + text_column_ + "\"";
        return true;
      }
      record.text = (*json)[text_column_].get<std::string>();
    }
    if (record.problem.empty() && is_blank(record.text)) record.problem = "empty text";
    return true;
  }
}

}  // namespace loam::tasks
