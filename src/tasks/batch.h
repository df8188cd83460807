// Results of a batch in a file of JSON lines that a later run continues: what is done is not done again.
#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json_fwd.h"
#include "base/result.h"

namespace loam::tasks {

/// One thing to do: a file, or a row of a table.
struct BatchItem {
  std::string id;              ///< unique: the file's name, the row's id column, or "row 12"
  std::string text;            ///< for table rows
  std::filesystem::path file;  ///< for files
};

/// The items of a CSV column. `id_column` empty: "row N", counted from 1 without the header. bad_request when
/// a column is missing (naming the ones there are) or an id occurs twice; bad_data for a quote that never
/// closes.
Result<std::vector<BatchItem>> items_of_column(std::string_view csv, const std::string& place,
                                               const std::string& text_column, const std::string& id_column);

/// Lines carry "id" and "hash"; an item is done when a line has both of them as asked for, and no "error".
/// A last line that was cut off (by a crash, a full disk) is put aside and its item done again. One process
/// at a time: the file is locked.
class BatchFile {
 public:
  /// Creates the file when missing. bad_data when it holds something else than such lines, with the line.
  static Result<std::unique_ptr<BatchFile>> open(const std::filesystem::path& file);
  ~BatchFile();
  BatchFile(const BatchFile&) = delete;
  BatchFile& operator=(const BatchFile&) = delete;

  bool is_done(std::string_view id, std::string_view hash) const;
  std::size_t lines_before() const { return lines_before_; }
  bool repaired() const { return repaired_; }
  /// Appends one line and hands it to the system before it returns.
  Result<void> append(const Json& line);

 private:
  BatchFile() = default;
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::unordered_map<std::string, std::string> done_;  // id to hash
  std::size_t lines_before_ = 0;
  bool repaired_ = false;
  bool unended_ = false;  // the last line is whole but has no line end
};

/// Hash of everything that shapes a result: task, settings, model and input.
std::string batch_hash(std::string_view task, std::string_view settings, std::string_view input);

}  // namespace loam::tasks
