#include "tasks/batch.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <unordered_set>

#include "base/hash.h"
#include "base/json.h"
#include "tasks/csv.h"

namespace loam::tasks {
namespace {

Error io_error(const std::filesystem::path& file, int code) {
  const Kind kind = code == ENOSPC || code == EDQUOT || code == EFBIG ? Kind::out_of_room : Kind::unavailable;
  return Error{kind, file.string(), std::string("cannot be written: ") + std::strerror(code),
               "choose another file with --output; what it holds is kept"};
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

/// Only what we began to write may be taken away.
bool begins_like_ours(std::string_view line) {
  constexpr std::string_view kStart = "{\"id\":\"";
  return line.starts_with(kStart) || kStart.starts_with(line);
}

Result<std::size_t> column_of(const CsvTable& table, const std::string& name, const std::string& place,
                              const std::string& option) {
  const auto found = std::find(table.header.begin(), table.header.end(), name);
  if (found == table.header.end()) {
    return Error{Kind::bad_request, place,
                 "there is no column \"" + name + "\"; there are " + joined(table.header),
                 option + " " + table.header.front()};
  }
  return static_cast<std::size_t>(found - table.header.begin());
}

}  // namespace

Result<std::vector<BatchItem>> items_of_column(std::string_view csv, const std::string& place,
                                               const std::string& text_column, const std::string& id_column) {
  Result<CsvTable> table = parse_csv_table(csv, place);
  if (!table) return table.error();
  Result<std::size_t> text = column_of(*table, text_column, place, "--column");
  if (!text) return text.error();
  std::size_t id = 0;
  if (!id_column.empty()) {
    Result<std::size_t> found = column_of(*table, id_column, place, "--id");
    if (!found) return found.error();
    id = *found;
  }
  std::vector<BatchItem> items;
  std::unordered_set<std::string> seen;
  for (std::size_t i = 0; i < table->rows.size(); ++i) {
    CsvRow& row = table->rows[i];
    BatchItem item;
    item.id = id_column.empty() ? "row " + std::to_string(i + 1) : row.cells[id];
    item.text = std::move(row.cells[*text]);
    if (!seen.insert(item.id).second) {
      return Error{Kind::bad_request, place + " line " + std::to_string(row.line),
                   "the id \"" + item.id + "\" occurs twice",
                   "name a column whose values are unique with --id"};
    }
    items.push_back(std::move(item));
  }
  return items;
}

std::string batch_hash(std::string_view task, std::string_view settings, std::string_view input) {
  Sha256 hash;
  for (const std::string_view part : {task, settings, input}) {
    hash.add(std::to_string(part.size()) + ":");  // so that no two lists of parts give the same bytes
    hash.add(part);
  }
  return hash.hex();
}

Result<std::unique_ptr<BatchFile>> BatchFile::open(const std::filesystem::path& file) {
  std::unique_ptr<BatchFile> batch(new BatchFile());
  batch->path_ = file;
  batch->descriptor_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (batch->descriptor_ < 0) return io_error(file, errno);
  if (::flock(batch->descriptor_, LOCK_EX | LOCK_NB) != 0) {
    return Error{Kind::unavailable, file.string(), "another run is writing to it",
                 "wait for it to end, or choose another file with --output"};
  }
  std::ifstream in(file, std::ios::binary);
  if (!in)
    return Error{Kind::unavailable, file.string(), "cannot be read", "choose another file with --output"};
  std::string line;
  std::uint64_t good = 0;  // bytes of whole lines
  std::size_t number = 0;
  while (std::getline(in, line)) {
    ++number;
    const bool whole = !in.eof();
    const Result<Json> json = parse_json(line, file.string() + " line " + std::to_string(number));
    const bool right = json.ok() && json->is_object() && json->contains("id") && (*json)["id"].is_string() &&
                       json->contains("hash") && (*json)["hash"].is_string();
    if (!whole && !json.ok() && begins_like_ours(line)) {
      // A line without its end was cut off while it was written.
      batch->repaired_ = true;
      if (::ftruncate(batch->descriptor_, static_cast<off_t>(good)) != 0) return io_error(file, errno);
      break;
    }
    if (!right && line.find_first_not_of(" \t\r") != std::string::npos) {
      return Error{Kind::bad_data, file.string() + " line " + std::to_string(number),
                   "it is not a line of results (an object with \"id\" and \"hash\")",
                   "choose another file with --output"};
    }
    good += line.size() + 1;
    batch->unended_ = !whole;
    if (!right) continue;
    ++batch->lines_before_;
    const std::string id = (*json)["id"].get<std::string>();
    if (json->contains("error") && !(*json)["error"].is_null()) {
      batch->done_.erase(id);
    } else {
      batch->done_[id] = (*json)["hash"].get<std::string>();
    }
  }
  return batch;
}

BatchFile::~BatchFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool BatchFile::is_done(std::string_view id, std::string_view hash) const {
  const auto found = done_.find(std::string(id));
  return found != done_.end() && found->second == hash;
}

Result<void> BatchFile::append(const Json& line) {
  const std::string bytes = (unended_ ? "\n" : "") + dump_json(line) + "\n";
  unended_ = false;
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t step = ::write(descriptor_, bytes.data() + written, bytes.size() - written);
    if (step < 0) {
      if (errno == EINTR) continue;
      return io_error(path_, errno);
    }
    written += static_cast<std::size_t>(step);
  }
  return done();
}

}  // namespace loam::tasks
