#include "eval/data_file.h"

#include <algorithm>
#include <fstream>
#include <numeric>
#include <system_error>
#include <utility>

#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"
#include "reader/text.h"

namespace loam::eval {
namespace {

constexpr std::int64_t kMostBytes = 1LL << 30;
constexpr std::size_t kMostLinesNamed = 20;

// Edit distance of the first bytes: names are short, and hostile ones must not cost time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  a = a.substr(0, 64);
  b = b.substr(0, 64);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

std::string shown_name(const std::string& name) {
  const std::string valid = to_valid_utf8(name);
  constexpr std::size_t kMostBytesShown = 40;
  if (valid.size() <= kMostBytesShown) return "'" + valid + "'";
  return "'" + valid.substr(0, utf8_floor(valid, kMostBytesShown)) + "...'";
}

std::string_view type_of(const Json& value) {
  if (value.is_array()) return "an array";
  if (value.is_object()) return "an object";
  if (value.is_null()) return "null";
  if (value.is_boolean()) return "a truth value";
  if (value.is_number()) return "a number";
  return "a string";
}

Error wrong_type(const std::string& place, std::string_view key, const Json& value,
                 std::string_view expected) {
  return Error{
      Kind::bad_data, place,
      "\"" + std::string(key) + "\" is " + std::string(type_of(value)) + ", not " + std::string(expected),
      "correct that line"};
}

Result<std::string> as_text(const Json& value, std::string_view key, const std::string& place,
                            Values values) {
  if (value.is_string()) return value.get_ref<const std::string&>();
  if (value.is_structured() && values == Values::scalar) return wrong_type(place, key, value, "a string");
  return dump_json(value);
}

}  // namespace

std::size_t left_out(const std::vector<DataNote>& notes) {
  std::size_t sum = 0;
  for (const DataNote& note : notes) sum += note.left_out ? note.count : 0;
  return sum;
}

Result<std::string> read_data_file(const std::filesystem::path& file) {
  const std::string name = file.string();
  std::error_code failure;
  const auto status = std::filesystem::status(file, failure);
  if (!std::filesystem::exists(status)) {
    return Error{Kind::unavailable, name, "there is no such file", "check the path"};
  }
  if (!std::filesystem::is_regular_file(status)) {
    return Error{Kind::bad_request, name, "it is not a regular file", "name a file of data"};
  }
  const auto size = std::filesystem::file_size(file, failure);
  if (failure) return Error{Kind::unavailable, name, failure.message(), "check its permissions"};
  if (size > static_cast<std::uintmax_t>(kMostBytes)) {
    return Error{Kind::out_of_room, name,
                 "it has " + reader::with_thousands(static_cast<std::size_t>(size)) +
                     " bytes; data files may have " +
                     reader::with_thousands(static_cast<std::size_t>(kMostBytes)),
                 "take a sample of it"};
  }
  std::ifstream in(file, std::ios::binary);
  std::string bytes(static_cast<std::size_t>(size), '\0');
  if (!in || (size > 0 && !in.read(bytes.data(), static_cast<std::streamsize>(size)))) {
    return Error{Kind::unavailable, name, "it cannot be read", "check its permissions"};
  }
  return bytes;
}

DataVersion version_of(const std::string& name, std::string_view bytes) {
  return {name, sha256_hex(bytes), 0};
}

void add_encoding_notes(const std::vector<std::string>& decoder_notes, std::vector<DataNote>& notes) {
  for (const std::string& note : decoder_notes) notes.push_back({"encoding", note, {}, 0, false});
}

Result<std::string> decode_data(std::string_view bytes, const std::string& name,
                                std::vector<DataNote>& notes) {
  reader::ReadLimits limits;
  limits.max_text_bytes = kMostBytes;
  Result<reader::DecodedText> decoded = reader::decode_text(bytes, name, limits, reader::LongLines::accept);
  if (!decoded) return decoded.error();
  add_encoding_notes(decoded->notes, notes);
  return std::move(decoded->text);
}

std::string place_of(const std::string& name, std::size_t line) {
  return name + " line " + std::to_string(line);
}

Result<void> for_each_object(std::string_view text, const std::string& name,
                             const std::function<Result<void>(const Json& object, std::size_t line)>& visit) {
  std::size_t number = 0;
  for (const Span span : reader::lines_of(text)) {
    ++number;
    const std::string_view line = reader::trimmed(slice(text, span));
    if (line.empty()) continue;
    const std::string place = place_of(name, number);
    Result<Json> value = parse_json(line, place);
    if (!value) {
      Error error = value.error();
      error.next_step =
          number == 1 || line == "{" || line == "["
              ? "JSON lines hold one whole object on each line; jq -c '.[]' FILE writes an array so"
              : "correct or delete that line; each holds one whole JSON object";
      return error;
    }
    if (!value->is_object()) {
      return Error{Kind::bad_data, place, "it is " + std::string(type_of(*value)) + ", not a JSON object",
                   "JSON lines hold one whole object on each line; jq -c '.[]' FILE writes an array so"};
    }
    if (Result<void> visited = visit(*value, number); !visited) return visited.error();
  }
  return done();
}

Result<std::optional<std::string>> text_of(const Json& object, std::string_view key, const std::string& place,
                                           Values values) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return std::optional<std::string>();
  Result<std::string> text = as_text(*found, key, place, values);
  if (!text) return text.error();
  return std::optional<std::string>(std::move(*text));
}

Result<std::string> required_text_of(const Json& object, std::string_view key, const std::string& place) {
  Result<std::optional<std::string>> text = text_of(object, key, place);
  if (!text) return text.error();
  if (!text->has_value()) {
    Error error = no_such_column(place, key, keys_of(object), "key", "give each line that key");
    error.kind = Kind::bad_data;
    return error;
  }
  return std::move(**text);
}

Result<std::vector<std::string>> texts_of(const Json& object, std::string_view key, const std::string& place,
                                          Values values) {
  std::vector<std::string> texts;
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return texts;
  if (!found->is_array()) return wrong_type(place, key, *found, "an array");
  for (const Json& value : *found) {
    Result<std::string> text = as_text(value, key, place, values);
    if (!text) return text.error();
    texts.push_back(std::move(*text));
  }
  return texts;
}

Error no_such_column(const std::string& place, std::string_view wanted, const std::vector<std::string>& there,
                     std::string_view what, std::string next_step) {
  const std::string* nearest = nullptr;
  std::size_t best = 0;
  const std::string lowered = to_lower_utf8(wanted);
  for (const std::string& name : there) {
    const std::size_t distance = edit_distance(lowered, to_lower_utf8(name));
    if (nearest == nullptr || distance < best) {
      nearest = &name;
      best = distance;
    }
  }
  std::string message = "there is no " + std::string(what) + " " + shown_name(std::string(wanted));
  if (nearest == nullptr) {
    message += "; there is none at all";
  } else {
    message += "; the nearest is " + shown_name(*nearest) + " (of " + counted(there.size(), what) + ":";
    for (std::size_t i = 0; i < std::min<std::size_t>(there.size(), 12); ++i) {
      message += (i == 0 ? " " : ", ") + shown_name(there[i]);
    }
    message += there.size() > 12 ? ", ...)" : ")";
  }
  return Error{Kind::bad_request, place, std::move(message), std::move(next_step)};
}

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

void SeenRows::add(std::size_t line) {
  ++count;
  if (lines.size() < kMostLinesNamed) lines.push_back(line);
}

void add_note(std::vector<DataNote>& notes, std::string kind, std::string message, const SeenRows& seen,
              Rows rows) {
  if (seen.count == 0) return;
  notes.push_back({std::move(kind), std::move(message), seen.lines, seen.count, rows == Rows::left_out});
}

std::string UniqueIds::take(const std::string& id, std::size_t line) {
  const std::string fallback = "line " + std::to_string(line);
  if (!id.empty() && taken_.insert(id).second) return id;
  if (!id.empty()) repeated_.add(line);
  std::string unique = id.empty() ? fallback : id + " (" + fallback + ")";
  while (!taken_.insert(unique).second) unique += "'";  // a file may hold any name as an id
  return unique;
}

void UniqueIds::tell(std::vector<DataNote>& notes) const {
  add_note(
      notes, "duplicate id",
      counted(repeated_.count, "row") + " with an id that was there before; the line number was added to it",
      repeated_, Rows::kept);
}

std::string counted(std::size_t count, std::string_view what) {
  return reader::with_thousands(count) + " " + std::string(what) + (count == 1 ? "" : "s");
}

std::string normalised_text(std::string_view text) {
  std::string out;
  bool space = false;
  for (std::string_view rest = text; !rest.empty();) {
    const CodePoint point = decode_utf8(rest);
    if (is_letter_or_digit(point.value)) {
      if (space && !out.empty()) out += ' ';
      space = false;
      append_utf8(out, to_lower(point.value));
    } else {
      space = true;
    }
    rest.remove_prefix(point.size);
  }
  return out.empty() ? std::string(reader::trimmed(text)) : out;
}

}  // namespace loam::eval
