// Rows of tables whose columns are named like the fields of a list: no model is needed to copy a table.
#include <algorithm>

#include "base/json.h"
#include "base/utf8.h"
#include "tasks/extract_parts.h"

namespace loam::tasks {
namespace {

constexpr std::size_t kMostTableRows = 100'000;

struct Cell {
  std::string name;  // in files of comma-separated values, where each cell carries its column's name
  Span span;
};

struct Row {
  std::vector<Cell> cells;
};

struct Table {
  std::vector<std::string> columns;
  std::vector<Row> rows;
};

Span trimmed(std::string_view text, Span span) {
  while (span.start < span.end && (text[span.start] == ' ' || text[span.start] == '\t')) ++span.start;
  while (span.end > span.start && (text[span.end - 1] == ' ' || text[span.end - 1] == '\t')) --span.end;
  return span;
}

/// Cells between strokes; the strokes at both ends of a Markdown row hold none.
std::vector<Cell> cells_of(std::string_view text, Span line) {
  std::vector<Cell> cells;
  line = trimmed(text, line);
  if (!line.empty() && text[line.start] == '|') ++line.start;
  if (!line.empty() && text[line.end - 1] == '|' && (line.size() < 2 || text[line.end - 2] != '\\'))
    --line.end;
  std::size_t start = line.start;
  for (std::size_t at = line.start; at <= line.end; ++at) {
    const bool border = at == line.end || (text[at] == '|' && (at == 0 || text[at - 1] != '\\'));
    if (!border) continue;
    cells.push_back({"", trimmed(text, {start, at})});
    start = at + 1;
  }
  return cells;
}

/// "name: value | name: value", as the reader writes rows of comma-separated values. A stroke inside a value
/// is not followed by a known name; names are learnt from the first row.
std::vector<Cell> labelled_cells(std::string_view text, Span line, std::vector<std::string>& names) {
  std::vector<Cell> cells;
  std::size_t start = line.start;
  while (start < line.end) {
    std::size_t end = text.find(" | ", start);
    if (end == std::string_view::npos || end > line.end) end = line.end;
    const std::size_t colon = text.find(": ", start);
    const bool labelled = colon != std::string_view::npos && colon < end;
    const std::string name(labelled ? slice(text, {start, colon}) : std::string_view());
    const bool known = std::find(names.begin(), names.end(), name) != names.end();
    if (labelled && (known || cells.empty() || names.size() <= cells.size())) {
      if (!known) names.push_back(name);
      cells.push_back({name, {colon + 2, end}});
    } else if (!cells.empty()) {
      cells.back().span.end = end;
    }
    start = std::min(end + 3, line.end);
  }
  return cells;
}

bool is_delimiter_row(std::string_view line) {
  return line.find('-') != std::string_view::npos &&
         line.find_first_not_of("|-: \t\r") == std::string_view::npos;
}

std::vector<Table> tables_of(const Document& document) {
  const std::string_view text = document.text;
  std::vector<Table> tables;
  std::size_t rows = 0;
  if (document.media_type == "text/csv") {
    Table table;
    for (const Block& block : document.blocks) {
      if (block.kind != BlockKind::table_row || ++rows > kMostTableRows) continue;
      table.rows.push_back({labelled_cells(text, block.span, table.columns)});
    }
    if (!table.rows.empty()) tables.push_back(std::move(table));
    return tables;
  }
  bool inside = false;
  for (const Block& block : document.blocks) {
    if (block.kind != BlockKind::table_row) {
      inside = false;
      continue;
    }
    // The first block of a Markdown table holds two lines: names, and the row of dashes.
    const std::string_view bytes = slice(text, block.span);
    const std::size_t line_end = std::min(bytes.find('\n'), bytes.size());
    const bool markdown_head = line_end < bytes.size() && is_delimiter_row(bytes.substr(line_end + 1));
    std::vector<Cell> cells = cells_of(text, {block.span.start, block.span.start + line_end});
    if (!inside || markdown_head) {
      Table table;
      for (const Cell& cell : cells) table.columns.emplace_back(slice(text, cell.span));
      tables.push_back(std::move(table));
      inside = true;
      continue;
    }
    if (++rows <= kMostTableRows) tables.back().rows.push_back({std::move(cells)});
  }
  return tables;
}

/// How alike two names are, 0..1: the share of words that both have.
double likeness(const std::string& one, const std::string& other) {
  const auto stem = [](std::string word) {
    if (word.size() > 3 && word.ends_with('s')) word.pop_back();
    return word;
  };
  std::vector<std::string> a = baseline::words_of_name(one), b = baseline::words_of_name(other);
  if (a.empty() || b.empty()) return 0;
  std::size_t both = 0;
  for (const std::string& word : a) {
    both += std::any_of(b.begin(), b.end(), [&](const std::string& w) { return stem(w) == stem(word); }) ? 1U
                                                                                                         : 0U;
  }
  return static_cast<double>(both) / static_cast<double>(std::max(a.size(), b.size()));
}

struct Mapping {
  std::vector<std::optional<std::size_t>> column_of_field;
  std::size_t matched = 0;
  double score = 0;
};

Mapping map_columns(const std::vector<const SchemaField*>& fields, const Table& table) {
  Mapping mapping;
  mapping.column_of_field.resize(fields.size());
  struct Pair {
    double likeness;
    std::size_t field, column;
  };
  std::vector<Pair> pairs;
  for (std::size_t f = 0; f < fields.size(); ++f) {
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
      const double alike = likeness(fields[f]->hint.name, table.columns[c]);
      if (alike >= 0.3) pairs.push_back({alike, f, c});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const Pair& a, const Pair& b) { return a.likeness > b.likeness; });
  std::vector<bool> taken(table.columns.size(), false);
  for (const Pair& pair : pairs) {
    if (taken[pair.column] || mapping.column_of_field[pair.field]) continue;
    mapping.column_of_field[pair.field] = pair.column;
    taken[pair.column] = true;
    ++mapping.matched;
    mapping.score += pair.likeness;
  }
  return mapping;
}

const Cell* cell_of(const Row& row, const Table& table, std::size_t column, bool by_name) {
  if (!by_name) return column < row.cells.size() ? &row.cells[column] : nullptr;
  for (const Cell& cell : row.cells) {
    if (cell.name == table.columns[column]) return &cell;
  }
  return nullptr;
}

}  // namespace

std::optional<ExtractedData> extract_tables(const ExtractSchema& schema, const Document& document) {
  if (!schema.rows_path()) return std::nullopt;
  const std::string prefix = *schema.rows_path() + "/*/";
  std::vector<const SchemaField*> fields;
  for (const SchemaField& field : schema.fields()) {
    const bool plain =
        field.path.starts_with(prefix) && field.path.find('/', prefix.size()) == std::string::npos;
    if (plain) fields.push_back(&field);
  }
  auto empty = parse_json(schema.empty_data(), "the empty answer");
  if (fields.empty() || !empty) return std::nullopt;
  const bool by_name = document.media_type == "text/csv";
  const std::vector<Table> tables = tables_of(document);
  ExtractedData out;
  Json rows = Json::array();
  for (const Table& table : tables) {
    const Mapping mapping = map_columns(fields, table);
    // At least half of the fields, and two where there are two: one like-named column is chance.
    if (mapping.matched * 2 < fields.size() || mapping.matched < std::min<std::size_t>(2, fields.size()))
      continue;
    for (const Row& row : table.rows) {
      Json object = Json::object();
      const std::string path = *schema.rows_path() + "/" + std::to_string(rows.size()) + "/";
      bool any = false;
      std::vector<ExtractedValue> values;
      for (std::size_t f = 0; f < fields.size(); ++f) {
        Json& leaf = object[fields[f]->hint.name] = nullptr;
        if (!mapping.column_of_field[f]) continue;
        const Cell* cell = cell_of(row, table, *mapping.column_of_field[f], by_name);
        if (cell == nullptr || cell->span.empty()) continue;
        ExtractedValue value;
        value.path = path + pointer_part(fields[f]->hint.name);
        value.from = ValueFrom::table;
        const std::string_view bytes = slice(document.text, cell->span);
        leaf = value_of_text(fields[f]->hint, bytes);
        if (leaf.is_null()) {
          value.value = dump_json(Json(std::string(bytes)));
          value.why_not = "the cell does not hold what the schema asks for";
        } else {
          value.value = dump_json(leaf);
          value.supported = any = true;
          value.span = cell->span;
          value.quote = std::string(bytes);
          value.page = document.page_at(cell->span.start);
        }
        values.push_back(std::move(value));
      }
      if (!any) continue;
      rows.push_back(std::move(object));
      out.values.insert(out.values.end(), std::make_move_iterator(values.begin()),
                        std::make_move_iterator(values.end()));
    }
  }
  if (rows.empty()) return std::nullopt;
  if (schema.rows_path()->empty()) {
    *empty = std::move(rows);
  } else {
    for (auto item = empty->begin(); item != empty->end(); ++item) {
      if ("/" + pointer_part(item.key()) == *schema.rows_path()) item.value() = std::move(rows);
    }
  }
  out.data = dump_json(*empty);
  count_values(out);
  return out;
}

}  // namespace loam::tasks
