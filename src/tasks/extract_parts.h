// What the files of extraction share. Internal to tasks.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/document.h"
#include "base/json_fwd.h"
#include "tasks/extract.h"

namespace loam::tasks {

/// The field that a pointer of the data belongs to: list positions stand for *. Null: not in the schema.
const SchemaField* field_of(const ExtractSchema& schema, std::string_view path);

/// A JSON pointer's next part, escaped (RFC 6901).
std::string pointer_part(std::string_view name);

/// Calls visit(path, leaf) for each leaf of `data` (numbers, texts, booleans, null), in order.
template <typename Value, typename Visit>
void for_each_leaf(Value& data, const std::string& path, const Visit& visit) {
  if (data.is_object()) {
    for (auto item = data.begin(); item != data.end(); ++item) {
      for_each_leaf(item.value(), path + "/" + pointer_part(item.key()), visit);
    }
  } else if (data.is_array()) {
    std::size_t number = 0;
    for (auto& item : data) for_each_leaf(item, path + "/" + std::to_string(number++), visit);
  } else {
    visit(path, data);
  }
}

/// "1200.50" and 1200.5 and "1.2005e3" are one number. Empty when the value is none.
std::string canonical_number(const Json& value);

/// A text found in a form of the source: what a cell or a guess stands for, by the field's kind. Null Json
/// when it cannot be one.
Json value_of_text(const baseline::FieldHint& hint, std::string_view text);

/// The source of values: its numbers, dates and words, found once.
class SourceIndex {
 public:
  explicit SourceIndex(const Document& document);
  ~SourceIndex();
  SourceIndex(const SourceIndex&) = delete;
  SourceIndex& operator=(const SourceIndex&) = delete;

  const baseline::FieldFinder& finder() const { return finder_; }

  /// Where `value` stands inside `region`: the place nearest to the field's name, or, inside a list, the
  /// first one from `list_from` on. Else why it does not.
  struct Place {
    std::optional<Span> span;
    std::string why_not;
  };
  Place find(const baseline::FieldHint& hint, const Json& value, Span region,
             std::optional<std::size_t> list_from) const;

 private:
  std::vector<Span> places_of_text(std::string_view value, bool any_case, Span region) const;
  Span nearest(const baseline::FieldHint& hint, const std::vector<Span>& places,
               std::optional<std::size_t> list_from) const;

  struct Number {
    Span span;
    std::string value;
  };
  const Document& document_;
  baseline::FieldFinder finder_;
  std::string even_, even_lower_;    // white space runs as one blank each
  std::vector<std::size_t> origin_;  // byte of the document's text for each byte of even_
  std::vector<Number> numbers_;
};

/// As check_data(), with values looked for in `region` only.
ExtractedData check_against(const ExtractSchema& schema, const Document& document, const SourceIndex& index,
                            const Json& data, Span region, bool keep_unsupported);

/// Takes `part` into `into`: what is null there is filled, lists grow by the items with support.
void merge_part(ExtractedData& into, const ExtractedData& part);

void count_values(ExtractedData& data);

}  // namespace loam::tasks
