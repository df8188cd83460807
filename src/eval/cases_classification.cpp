// Labelled texts: from JSON lines or CSV to items, with everything a person should know of the data.
#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/json.h"
#include "base/utf8.h"
#include "eval/cases.h"
#include "eval/data_file.h"
#include "reader/csv_records.h"
#include "reader/text.h"

namespace loam::eval {
namespace {

constexpr std::int64_t kMostBytes = 1LL << 30;

/// A row as the file has it.
struct RawRow {
  std::size_t line = 0;
  std::optional<std::string> text, label;
  std::string id, cluster;
  bool ragged = false;
};

std::string lower_ending(const std::string& name) {
  return to_lower_utf8(std::filesystem::path(name).extension().string());
}

bool is_json_lines(std::string_view bytes, const std::string& name) {
  const std::string ending = lower_ending(name);
  if (ending == ".jsonl" || ending == ".ndjson" || ending == ".json") return true;
  if (ending == ".csv" || ending == ".tsv" || ending == ".tab") return false;
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  const std::string_view start = reader::trimmed(bytes.substr(0, 4096));
  return start.starts_with('{') || start.starts_with('[');
}

std::string which_columns() { return "name the columns with --text COLUMN and --label COLUMN"; }

/// Each row of a table, a ragged one too.
Result<std::vector<RawRow>> csv_rows(std::string_view bytes, const std::string& name,
                                     const ClassificationOptions& options, std::vector<DataNote>& notes) {
  reader::ReadLimits limits;
  limits.max_text_bytes = kMostBytes;
  Result<reader::CsvTable> table = reader::read_csv_records(bytes, name, limits);
  if (!table) return table.error();
  add_encoding_notes(table->notes, notes);
  std::vector<RawRow> rows;
  if (table->records.empty()) return rows;

  std::vector<std::string> header;
  for (const std::string& cell : table->records.front().fields) header.emplace_back(reader::trimmed(cell));
  const std::string header_place = place_of(name, table->records.front().line);
  enum class Need { must, may };
  const auto find = [&](const std::string& column, Need need) -> Result<std::optional<std::size_t>> {
    const auto found = std::find(header.begin(), header.end(), column);
    if (found == header.end()) {
      if (need == Need::may) return std::optional<std::size_t>();
      return no_such_column(header_place, column, header, "column", which_columns());
    }
    if (std::find(found + 1, header.end(), column) != header.end()) {
      return Error{Kind::bad_data, header_place, "two columns are called '" + column + "'",
                   "rename one of them"};
    }
    return std::optional<std::size_t>(static_cast<std::size_t>(found - header.begin()));
  };
  const auto text = find(options.text_column, Need::must);
  if (!text) return text.error();
  const auto label = find(options.label_column, options.labels_required ? Need::must : Need::may);
  if (!label) return label.error();
  const auto group = options.group_column.empty() ? Result<std::optional<std::size_t>>(std::nullopt)
                                                  : find(options.group_column, Need::must);
  if (!group) return group.error();
  const auto id_at = std::find(header.begin(), header.end(), "id");

  for (auto record = table->records.begin() + 1; record != table->records.end(); ++record) {
    RawRow row;
    row.line = record->line;
    std::vector<std::string>& fields = record->fields;
    // More cells than columns: most often a text with a delimiter that is not quoted, so that its label would
    // be part of the text.
    row.ragged =
        std::any_of(fields.begin() + static_cast<std::ptrdiff_t>(std::min(fields.size(), header.size())),
                    fields.end(), [](const std::string& cell) { return !reader::is_blank(cell); });
    const auto cell = [&](std::optional<std::size_t> column) {
      return column && *column < fields.size() ? std::optional<std::string>(fields[*column]) : std::nullopt;
    };
    row.text = cell(*text);
    row.label = cell(*label);
    row.cluster = cell(*group).value_or("");
    if (id_at != header.end()) {
      row.id =
          std::string(reader::trimmed(cell(static_cast<std::size_t>(id_at - header.begin())).value_or("")));
    }
    rows.push_back(std::move(row));
    fields = {};
  }
  return rows;
}

Result<std::vector<RawRow>> json_rows(std::string_view bytes, const std::string& name,
                                      const ClassificationOptions& options, std::vector<DataNote>& notes) {
  const Result<std::string> text = decode_data(bytes, name, notes);
  if (!text) return text.error();
  std::vector<RawRow> rows;
  std::vector<std::string> first_keys;
  std::size_t first_line = 1;
  std::set<std::string> met;  // wanted keys that some line has
  const auto take = [&](const Json& object, std::size_t line) -> Result<void> {
    if (rows.empty()) {
      first_keys = keys_of(object);
      first_line = line;
    }
    const std::string place = place_of(name, line);
    RawRow row;
    row.line = line;
    const auto field = [&](const std::string& key, std::optional<std::string>& into) -> Result<void> {
      if (key.empty()) return done();
      if (object.contains(key)) met.insert(key);
      Result<std::optional<std::string>> value = text_of(object, key, place);
      if (!value) return value.error();
      into = std::move(*value);
      return done();
    };
    std::optional<std::string> id;
    std::optional<std::string> cluster;
    for (const auto& [key, into] :
         {std::pair(&options.text_column, &row.text), std::pair(&options.label_column, &row.label),
          std::pair(&options.group_column, &cluster)}) {
      if (Result<void> taken = field(*key, *into); !taken) return taken.error();
    }
    if (Result<void> taken = field("id", id); !taken) return taken.error();
    row.id = id.value_or("");
    row.cluster = cluster.value_or("");
    rows.push_back(std::move(row));
    return done();
  };
  if (Result<void> read = for_each_object(*text, name, take); !read) return read.error();
  if (rows.empty()) return rows;
  const auto missing = [&](const std::string& key) { return !key.empty() && !met.contains(key); };
  for (const std::string* key : {&options.text_column, &options.label_column, &options.group_column}) {
    if (key == &options.label_column && !options.labels_required) continue;
    if (missing(*key))
      return no_such_column(place_of(name, first_line), *key, first_keys, "key", which_columns());
  }
  return rows;
}

std::string single_spaced(std::string_view text) {
  std::string out;
  bool space = false;
  for (std::string_view rest = reader::trimmed(text); !rest.empty();) {
    const CodePoint point = decode_utf8(rest);
    if (is_space(point.value)) {
      space = true;
    } else {
      if (space) out += ' ';
      space = false;
      out.append(rest.substr(0, point.size));
    }
    rest.remove_prefix(point.size);
  }
  return out;
}

std::string quoted(const std::string& label) {
  constexpr std::size_t kMostBytesShown = 40;
  if (label.size() <= kMostBytesShown) return "\"" + label + "\"";
  return "\"" + label.substr(0, utf8_floor(label, kMostBytesShown)) + "...\"";
}

/// Labels that differ in white space or case only: told, and made one where that is asked for.
void look_at_stray_labels(ClassificationData& data, bool merge) {
  std::map<std::string, std::map<std::string, std::size_t>>
      forms_of;  // by what is left without spaces and case
  for (const LabelledText& item : data.items)
    ++forms_of[to_lower_utf8(single_spaced(item.label))][item.label];
  std::unordered_map<std::string, std::string> usual_of;  // by form
  std::string examples;
  std::size_t shown = 0;
  std::size_t groups = 0;
  for (const auto& [key, forms] : forms_of) {
    if (forms.size() < 2) continue;
    const auto usual = std::max_element(forms.begin(), forms.end(),
                                        [](const auto& x, const auto& y) { return x.second < y.second; });
    for (const auto& [form, count] : forms) usual_of[form] = usual->first;
    ++groups;
    if (++shown > 5) continue;
    examples += shown == 1 ? ": " : "; ";
    examples += quoted(usual->first) + " is also written";
    std::size_t others = 0;
    for (const auto& [form, count] : forms) {
      if (form != usual->first && ++others <= 5) examples += (others == 1 ? " " : ", ") + quoted(form);
    }
    if (others > 5) examples += ", ...";
  }
  if (groups == 0) return;
  SeenRows strays;
  for (LabelledText& item : data.items) {
    const auto usual = usual_of.find(item.label);
    if (usual == usual_of.end()) continue;
    if (usual->second != item.label) strays.add(item.line);
    if (merge) item.label = single_spaced(usual->second);
  }
  add_note(data.notes, "stray label",
           counted(strays.count, "row") + " with a label that differs from another in spaces or case only" +
               (merge ? ", merged" : ", kept apart unless they are merged on request") + examples +
               (groups > 5 ? "; and " + counted(groups - 5, "more label") : ""),
           strays, Rows::kept);
}

void look_at_repeated_texts(ClassificationData& data) {
  std::unordered_map<std::string, std::size_t> first_of;
  SeenRows same;
  SeenRows different;
  for (std::size_t i = 0; i < data.items.size(); ++i) {
    const LabelledText& item = data.items[i];
    const auto [found, is_new] = first_of.try_emplace(normalised_text(item.text), i);
    if (is_new) continue;
    (data.items[found->second].label == item.label ? same : different).add(item.line);
  }
  add_note(data.notes, "duplicate",
           counted(same.count, "text") +
               " that an earlier row has with the same label (but for case, punctuation and spaces); a split "
               "keeps "
               "them together",
           same, Rows::kept);
  add_note(data.notes, "conflicting labels",
           counted(different.count, "text") + " that an earlier row has with another label", different,
           Rows::kept);
}

void look_at_labels(ClassificationData& data) {
  std::map<std::string, std::size_t> counts;
  std::unordered_map<std::string, std::size_t> line_of;
  for (const LabelledText& item : data.items) {
    if (item.label.empty()) continue;
    ++counts[item.label];
    line_of.try_emplace(item.label, item.line);
  }
  SeenRows rare;
  for (const auto& [label, count] : counts) {
    data.labels.push_back(label);
    if (count == 1) rare.add(line_of[label]);
  }
  std::sort(rare.lines.begin(), rare.lines.end());
  if (counts.size() == 1) {
    data.notes.push_back({"one class",
                          "all " + counted(data.items.size(), "row") + " have the label " +
                              quoted(counts.begin()->first) + "; there is nothing to tell apart",
                          {},
                          data.items.size(),
                          false});
  }
  add_note(data.notes, "rare label",
           counted(rare.count, "label") + " on one row only: such a label cannot be both learnt and tested",
           rare, Rows::kept);
  if (counts.size() > 20 && 2 * counts.size() > data.items.size()) {
    data.notes.push_back({"many labels",
                          counted(counts.size(), "label") + " on " + counted(data.items.size(), "row") +
                              ": is this the column of labels?",
                          {},
                          data.items.size(),
                          false});
  }
}

}  // namespace

Result<ClassificationData> parse_classification(std::string_view bytes, const std::string& name,
                                                const ClassificationOptions& options) {
  ClassificationData data;
  data.version = version_of(name, bytes);
  Result<std::vector<RawRow>> rows = is_json_lines(bytes, name) ? json_rows(bytes, name, options, data.notes)
                                                                : csv_rows(bytes, name, options, data.notes);
  if (!rows) return rows.error();
  data.rows = rows->size();
  SeenRows ragged;
  SeenRows empty;
  SeenRows unlabelled;
  UniqueIds ids;
  for (RawRow& row : *rows) {
    const bool is_empty = !row.text || reader::is_blank(*row.text);
    const bool no_label = !row.label || reader::is_blank(*row.label);
    if (row.ragged) {
      ragged.add(row.line);
    } else if (is_empty) {
      empty.add(row.line);
    } else if (no_label && options.labels_required) {
      unlabelled.add(row.line);
    }
    if (options.labels_required && (row.ragged || is_empty || no_label)) continue;
    data.items.push_back({ids.take(row.id, row.line), std::move(row.text).value_or(""),
                          no_label ? std::string() : std::move(*row.label), std::move(row.cluster),
                          row.line});
  }
  const Rows fate = options.labels_required ? Rows::left_out : Rows::kept;
  const std::string left = options.labels_required ? ", left out" : ", kept";
  add_note(data.notes, "ragged row",
           counted(ragged.count, "row") + " with more cells than the header has columns" + left +
               ": is a text with a delimiter not quoted?",
           ragged, fate);
  add_note(data.notes, "empty text", counted(empty.count, "row") + " without a text" + left, empty, fate);
  add_note(data.notes, "missing label",
           counted(unlabelled.count, "row") + " with a text but without a label" + left, unlabelled, fate);
  if (data.items.empty()) {
    std::string message =
        data.rows == 0 ? "it has no rows" : "none of its " + counted(data.rows, "row") + " can be used";
    for (const DataNote& note : data.notes) {
      if (note.left_out) message += "; " + note.message;
    }
    return Error{Kind::bad_data, name, std::move(message),
                 "give it a header and one row for each text, or one JSON object on each line"};
  }
  data.version.items = data.items.size();
  ids.tell(data.notes);
  if (options.labels_required) look_at_stray_labels(data, options.merge_stray_labels);
  look_at_labels(data);
  if (options.labels_required) look_at_repeated_texts(data);
  return data;
}

Result<ClassificationData> read_classification(const std::filesystem::path& file,
                                               const ClassificationOptions& options) {
  const Result<std::string> bytes = read_data_file(file);
  if (!bytes) return bytes.error();
  return parse_classification(*bytes, file.string(), options);
}

}  // namespace loam::eval
