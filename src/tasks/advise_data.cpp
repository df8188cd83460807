// Which column is the text, which the label, and what is to be done: from the first rows of a file.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "base/json.h"
#include "base/utf8.h"
#include "reader/csv_records.h"
#include "tasks/advise_measure.h"

namespace loam::tasks {
namespace {

constexpr std::size_t kBytesLookedAt = std::size_t{4} << 20U;
constexpr std::size_t kRowsLookedAt = 2000;
constexpr std::size_t kMostLabels = 1000;
// A label repeats: on average each value of the column stands in at least so many rows.
constexpr double kLeastRowsPerLabel = 3.0;
constexpr double kLongestLabel = 60;  // bytes, on average

const std::set<std::string, std::less<>> kTextNames = {
    "text", "body", "message", "content", "ticket", "comment", "description", "review", "input", "utterance"};
const std::set<std::string, std::less<>> kLabelNames = {
    "label", "category", "class", "queue", "intent", "topic", "type", "target", "sentiment", "department"};
/// Columns that repeat and yet are no label of the text.
const std::set<std::string, std::less<>> kNotLabels = {"id",   "date",     "received", "created", "time",
                                                       "year", "customer", "email",    "name",    "user"};

struct Column {
  std::string name;
  std::size_t filled = 0;
  double bytes = 0, words = 0;
  std::size_t numbers = 0;
  std::map<std::string, std::size_t> values;
};

std::string lower(std::string_view text) { return to_lower_utf8(text); }

bool is_number(std::string_view cell) {
  return !cell.empty() && std::all_of(cell.begin(), cell.end(), [](char c) {
    return (c >= '0' && c <= '9') || c == '.' || c == ',' || c == '-' || c == '+' || c == ':' || c == '/' ||
           c == ' ' || c == '%';
  });
}

void look_at(Column& column, std::string_view cell) {
  if (cell.find_first_not_of(" \t\r\n") == std::string_view::npos) return;
  ++column.filled;
  column.bytes += static_cast<double>(cell.size());
  bool inside = false;
  for (const char c : cell) {
    const bool blank = c == ' ' || c == '\n' || c == '\t';
    if (!blank && !inside) column.words += 1;
    inside = !blank;
  }
  if (is_number(cell)) ++column.numbers;
  if (column.values.size() <= kMostLabels) ++column.values[std::string(cell)];
}

/// How likely this column is the label; below 0: it cannot be.
double label_likelihood(const Column& column) {
  if (column.filled == 0 || column.values.size() < 2 || column.values.size() > kMostLabels) return -1;
  const auto filled = static_cast<double>(column.filled);
  const double repeats = filled / static_cast<double>(column.values.size());
  if (column.bytes / filled > kLongestLabel) return -1;
  const std::string name = lower(column.name);
  const bool named = kLabelNames.contains(name);
  if (!named && (repeats < kLeastRowsPerLabel || kNotLabels.contains(name))) return -1;
  double likelihood = std::min(repeats, 50.0) / 50.0;
  if (named) likelihood += 10;
  if (name == "label") likelihood += 10;
  if (column.numbers == column.filled) likelihood -= 1;  // a number may be a class, but is more often a count
  return likelihood;
}

Result<DataGuess> guess_table(const std::vector<Column>& columns, const std::string& name) {
  DataGuess guess;
  for (const Column& column : columns) guess.columns.push_back(column.name);
  const Column* text = nullptr;
  bool text_named = false;
  for (const Column& column : columns) {
    const bool named = kTextNames.contains(lower(column.name)) && column.filled > 0;
    const auto mean_words = [](const Column& of) {
      return of.words / static_cast<double>(std::max<std::size_t>(of.filled, 1));
    };
    if (text == nullptr || (named && !text_named) ||
        (named == text_named && mean_words(column) > mean_words(*text))) {
      text = &column;
      text_named = named;
    }
  }
  std::vector<std::pair<double, const Column*>> labels;
  for (const Column& column : columns) {
    if (&column == text) continue;
    if (const double likelihood = label_likelihood(column); likelihood >= 0)
      labels.emplace_back(-likelihood, &column);
  }
  std::stable_sort(labels.begin(), labels.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [likelihood, column] : labels) guess.label_choices.push_back(column->name);
  if (text != nullptr) guess.text_column = text->name;
  if (labels.empty() || text == nullptr) {
    std::string there;
    for (const std::string& column : guess.columns) there += (there.empty() ? "" : ", ") + column;
    return Error{Kind::bad_request, name,
                 "no column holds labels that repeat (columns: " + there +
                     "): there is nothing to measure methods against",
                 "write the right answer for 200 or more rows into a column \"label\", or name the column: "
                 "--label COL"};
  }
  guess.label_column = guess.label_choices.front();
  guess.sure = labels.size() == 1 || -labels[0].first > -labels[1].first + 5;
  return guess;
}

std::optional<AdviceTask> task_of_keys(const Json& object) {
  const auto has = [&](const char* key) { return object.contains(key); };
  if (has("test_list") || has("test_setup_code")) return AdviceTask::code;
  if (has("question") && !has("label")) return AdviceTask::answer;
  if (has("schema")) return AdviceTask::extract;
  if (has("reference") || has("references")) {
    const Json& reference = has("reference") ? object["reference"] : object["references"];
    if (reference.is_object()) return AdviceTask::extract;
    const std::string of = reference.is_string() ? reference.get<std::string>()
                           : reference.is_array() && !reference.empty() && reference.front().is_string()
                               ? reference.front().get<std::string>()
                               : "";
    const Json& input = has("input") ? object["input"] : has("text") ? object["text"] : Json();
    const std::size_t length = input.is_string() ? input.get_ref<const std::string&>().size() : 0;
    return of.size() * 2 < length ? AdviceTask::summarise : AdviceTask::translate;
  }
  return std::nullopt;
}

}  // namespace

Result<DataGuess> guess_data(std::string_view bytes, const std::string& name) {
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  const std::size_t first = bytes.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos)
    return Error{Kind::bad_data, name, "it is empty", "give a CSV or JSON lines file with examples"};
  if (bytes.find('\0') != std::string_view::npos && !bytes.starts_with("\xFF\xFE") &&
      !bytes.starts_with("\xFE\xFF")) {
    return Error{Kind::bad_data, name, "it is not a text file",
                 "give a CSV or JSON lines file with examples"};
  }
  const bool whole = bytes.size() < kBytesLookedAt;
  if (bytes[first] == '{' || bytes[first] == '[') {
    std::vector<Column> columns;
    const auto column_named = [&](const std::string& key) -> Column& {
      for (Column& one : columns) {
        if (one.name == key) return one;
      }
      columns.push_back({});
      columns.back().name = key;
      return columns.back();
    };
    std::size_t at = 0, rows = 0;
    while (at < bytes.size() && rows < kRowsLookedAt) {
      const std::size_t end = std::min(bytes.find('\n', at), bytes.size());
      const std::string_view line = bytes.substr(at, end - at);
      if (end == bytes.size() && !whole && rows > 0) break;  // cut off in its middle
      at = end + 1;
      if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
      auto object = parse_json(std::string(line), name);
      if (bytes[first] == '[' || !object || !object->is_object()) {
        if (bytes[first] == '[' && bytes.find("\"test_list\"") != std::string_view::npos) {
          DataGuess code;
          code.task = AdviceTask::code;
          code.sure = true;
          return code;
        }
        return Error{Kind::bad_data, name + " line " + std::to_string(rows + 1),
                     "it is not one JSON object a line",
                     "one object a line: {\"text\": \"...\", \"label\": \"...\"}"};
      }
      if (rows == 0) {
        if (const auto task = task_of_keys(*object)) {
          DataGuess guess;
          guess.task = *task;
          guess.sure = true;
          for (const auto& [key, value] : object->items()) guess.columns.push_back(key);
          return guess;
        }
      }
      for (const auto& [key, value] : object->items()) {
        if (value.is_string()) look_at(column_named(key), value.get_ref<const std::string&>());
        if (value.is_number() || value.is_boolean()) look_at(column_named(key), value.dump());
      }
      ++rows;
    }
    return guess_table(columns, name);
  }
  auto table = reader::read_csv_records(whole ? bytes : bytes.substr(0, bytes.rfind('\n')), name);
  if (!table) return table.error();
  if (table->records.size() < 2 || table->delimiter == '\0') {
    return Error{
        Kind::bad_data, name,
        table->records.size() < 2 ? "it has a header and no rows, or is no table" : "it has one column only",
        "give a CSV file with a column of texts and a column with the right answer for each"};
  }
  std::vector<Column> columns(table->records.front().fields.size());
  for (std::size_t i = 0; i < columns.size(); ++i) columns[i].name = table->records.front().fields[i];
  for (std::size_t row = 1; row < std::min(table->records.size(), kRowsLookedAt); ++row) {
    const std::vector<std::string>& fields = table->records[row].fields;
    for (std::size_t i = 0; i < std::min(columns.size(), fields.size()); ++i) look_at(columns[i], fields[i]);
  }
  return guess_table(columns, name);
}

Result<DataGuess> guess_data(const std::filesystem::path& file) {
  std::error_code failure;
  if (std::filesystem::is_directory(file, failure)) {
    return Error{
        Kind::bad_request, file.string(),
        "it is a folder: advice needs examples with right answers to measure methods against",
        "for questions to documents: loam ingest " + file.string() +
            ", write 30 questions with answers into questions.jsonl, then loam advise questions.jsonl"};
  }
  std::ifstream in(file, std::ios::binary);
  if (!in)
    return Error{Kind::unavailable, file.string(), "it cannot be read", "check the name and its permissions"};
  std::string bytes(kBytesLookedAt, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  return guess_data(bytes, file.string());
}

}  // namespace loam::tasks
