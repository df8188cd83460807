// Fields out of a text by a JSON schema, each value with the bytes it came from. A model proposes, the source
// decides: what does not stand there is null, whatever the model wrote. Beside it the patterns of baseline/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/document.h"
#include "base/result.h"
#include "base/span.h"
#include "baseline/patterns.h"
#include "engine/engine.h"

namespace loam::tasks {

/// A leaf of a schema: where a value can stand.
struct SchemaField {
  std::string path;  ///< JSON pointer, with * for any item of a list: "/lines/*/price"
  baseline::FieldHint hint;
};

/// A JSON schema that can be extracted by: an object, or a list of objects, of text, numbers, booleans, lists
/// and objects of these.
class ExtractSchema {
 public:
  /// bad_data when it is no JSON, bad_request when it cannot be enforced; `place` names it in the error.
  static Result<ExtractSchema> parse(std::string_view json, const std::string& place);

  const std::vector<SchemaField>& fields() const { return fields_; }
  const std::string& sha256() const { return sha256_; }
  /// As given to the model: every leaf may also be null, so that it need not invent.
  const std::string& model_schema() const { return model_schema_; }
  /// The pointer of the list of objects that table rows fill: "" for a list at the root, "/lines", or
  /// nothing.
  const std::optional<std::string>& rows_path() const { return rows_path_; }
  /// An answer with every leaf null and every list empty, as JSON.
  const std::string& empty_data() const { return empty_data_; }

 private:
  std::vector<SchemaField> fields_;
  std::string sha256_, model_schema_, empty_data_;
  std::optional<std::string> rows_path_;
};

enum class ValueFrom : std::uint8_t { model, patterns, table };
std::string_view name_of(ValueFrom from);

/// One value of the answer.
struct ExtractedValue {
  std::string path;   ///< JSON pointer into the data: "/lines/0/price"
  std::string value;  ///< JSON text, as proposed
  bool supported = false;
  Span span;          ///< bytes of the document's text; empty when not supported
  std::string quote;  ///< exactly those bytes
  std::optional<int> page;
  std::string why_not;  ///< when not supported
  ValueFrom from = ValueFrom::model;
};

struct ExtractOptions {
  int max_tokens = 512;           ///< of one answer
  bool keep_unsupported = false;  ///< leave values without support in the data; they stay marked
  engine::Sampling sampling;
};

/// One way to the data.
struct ExtractedData {
  std::string data;                    ///< JSON by the schema, with null where nothing is supported
  std::vector<ExtractedValue> values;  ///< those proposed, in the order of the data
  std::size_t supported = 0, unsupported = 0;
};

struct Extraction {
  ExtractedData result;    ///< the model's, or the table's; the baseline's when there is no model
  ExtractedData baseline;  ///< by patterns alone
  ValueFrom from = ValueFrom::patterns;
  std::size_t parts = 0;         ///< pieces in which the text was shown to the model
  std::size_t parts_failed = 0;  ///< of them without a valid answer
  std::vector<std::string> notes;
  std::string model;
  engine::Usage usage;
  double seconds = 0;
};

/// `engine` may be null: the patterns alone. A text longer than the context is shown in parts, none left out;
/// the first part that supports a value gives it. An answer that is not valid JSON is reported and counts as
/// no answer. An empty text is bad_request. Cancelling gives unavailable.
Result<Extraction> extract(engine::Engine* engine, const ExtractSchema& schema, const Document& document,
                           const ExtractOptions& options = {}, std::stop_token stop = {});

/// The patterns alone.
ExtractedData extract_by_patterns(const ExtractSchema& schema, const Document& document);
/// Rows of the document's tables whose columns are named like the schema's; empty when there is no such
/// table.
std::optional<ExtractedData> extract_tables(const ExtractSchema& schema, const Document& document);

/// Holds proposed data (JSON) against the source.
Result<ExtractedData> check_data(const ExtractSchema& schema, const Document& document, std::string_view data,
                                 bool keep_unsupported = false);

// Evaluation -----------------------------------------------------------------------------------------------

/// Field-level agreement of one answer with its reference: a leaf counts as right when path and value agree
/// (numbers by value, text without regard to case and white space; items of lists are matched as sets).
struct FieldScores {
  std::size_t right = 0, proposed = 0, expected = 0;
  std::size_t spans_right = 0, spans_checked = 0;  ///< of the right values: the quote holds the reference
  double precision() const;
  double recall() const;
  double f1() const;  ///< 1 when nothing was expected and nothing proposed
};
Result<FieldScores> score_fields(const ExtractedData& answer, std::string_view reference_json);

}  // namespace loam::tasks
