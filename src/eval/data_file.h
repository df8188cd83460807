// What the readers of data files share. Internal to the room.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_fwd.h"
#include "base/result.h"
#include "eval/cases.h"

namespace loam::eval {

/// The bytes of a regular file of at most 1 GiB.
Result<std::string> read_data_file(const std::filesystem::path& file);

DataVersion version_of(const std::string& name, std::string_view bytes);

/// UTF-8 with \n line ends; what had to be mended becomes a note of kind "encoding".
Result<std::string> decode_data(std::string_view bytes, const std::string& name,
                                std::vector<DataNote>& notes);
/// Adds a note of kind "encoding" for each of the decoder's.
void add_encoding_notes(const std::vector<std::string>& decoder_notes, std::vector<DataNote>& notes);

std::string place_of(const std::string& name, std::size_t line);

/// Calls visit(object, line) for each line that is not blank; the first error ends it. Lines that are not
/// JSON objects are errors with their number.
Result<void> for_each_object(std::string_view text, const std::string& name,
                             const std::function<Result<void>(const Json& object, std::size_t line)>& visit);

/// Whether there are structured values in strings' places.
enum class Values { scalar, any };

/// The value of `key` as text: numbers and truth values as written, absent and null as nothing, arrays and
/// objects as JSON where `any` allows them, else bad_data.
Result<std::optional<std::string>> text_of(const Json& object, std::string_view key, const std::string& place,
                                           Values values = Values::scalar);
/// The same, where it must be there.
Result<std::string> required_text_of(const Json& object, std::string_view key, const std::string& place);
/// An array of texts; absent and null as none.
Result<std::vector<std::string>> texts_of(const Json& object, std::string_view key, const std::string& place,
                                          Values values = Values::scalar);

/// The refusal of a column or key that is not there: names the nearest one and lists those that are.
Error no_such_column(const std::string& place, std::string_view wanted, const std::vector<std::string>& there,
                     std::string_view what, std::string next_step);

std::vector<std::string> keys_of(const Json& object);

/// Rows of which a note tells.
struct SeenRows {
  std::vector<std::size_t> lines;
  std::size_t count = 0;
  void add(std::size_t line);
};

enum class Rows { kept, left_out };

/// Adds a note, unless no row was seen.
void add_note(std::vector<DataNote>& notes, std::string kind, std::string message, const SeenRows& seen,
              Rows rows);

/// Keeps ids unique: a second "7" becomes "7 (line 12)", an empty one "line 12".
class UniqueIds {
 public:
  std::string take(const std::string& id, std::size_t line);
  void tell(std::vector<DataNote>& notes) const;

 private:
  std::set<std::string> taken_;
  SeenRows repeated_;
};

/// "1 row", "2,000 rows"
std::string counted(std::size_t count, std::string_view what);

/// Letters and digits in lower case, words parted by one space; the trimmed text where it has none.
std::string normalised_text(std::string_view text);

}  // namespace loam::eval
