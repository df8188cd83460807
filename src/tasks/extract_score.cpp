// How many fields of an answer are right, and do they point at the right place?
#include <algorithm>
#include <map>

#include "base/json.h"
#include "base/utf8.h"
#include "tasks/extract_parts.h"

namespace loam::tasks {
namespace {

struct Leaf {
  std::string pattern;  // the path with * for positions in lists
  std::string value;    // in comparable form
  std::string shown;
  const ExtractedValue* from = nullptr;
};

std::string pattern_of(const std::string& path) {
  std::string out;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t next = std::min(path.find('/', at + 1), path.size());
    const std::string part = path.substr(at + 1, next - at - 1);
    const bool number = !part.empty() && part.find_first_not_of("0123456789") == std::string::npos;
    out += "/" + (number ? "*" : part);
    at = next;
  }
  return out;
}

std::string comparable(const Json& leaf) {
  if (leaf.is_boolean()) return leaf.get<bool>() ? "true" : "false";
  if (leaf.is_number()) return canonical_number(leaf);
  if (!leaf.is_string()) return "";
  const std::string text = leaf.get<std::string>();
  if (std::string number = canonical_number(leaf); !number.empty()) return number;
  std::string even;
  for (const char c : to_lower_utf8(text)) {
    const bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (space && (even.empty() || even.back() == ' ')) continue;
    even += space ? ' ' : c;
  }
  while (even.ends_with(' ') || even.ends_with('.')) even.pop_back();
  // What has a normal form is compared in it: 05.03.2024 is 2024-03-05, 905-674-3793 is 9056743793.
  const auto values = baseline::find_values(text);
  const bool formed =
      values.size() == 1 &&
      (values[0].form == baseline::ValueForm::date || values[0].form == baseline::ValueForm::phone ||
       values[0].form == baseline::ValueForm::iban || values[0].form == baseline::ValueForm::card);
  return formed && values[0].span.size() + 1 >= text.size() ? to_lower_utf8(values[0].value) : even;
}

std::vector<Leaf> leaves_of(const Json& data) {
  std::vector<Leaf> leaves;
  for_each_leaf(data, "", [&](const std::string& path, const Json& leaf) {
    if (leaf.is_null()) return;
    std::string value = comparable(leaf);
    if (value.empty()) return;
    leaves.push_back({pattern_of(path), std::move(value), path, nullptr});
  });
  return leaves;
}

}  // namespace

double FieldScores::precision() const {
  return proposed == 0 ? (expected == 0 ? 1.0 : 0.0)
                       : static_cast<double>(right) / static_cast<double>(proposed);
}

double FieldScores::recall() const {
  return expected == 0 ? (proposed == 0 ? 1.0 : 0.0)
                       : static_cast<double>(right) / static_cast<double>(expected);
}

double FieldScores::f1() const {
  const double sum = precision() + recall();
  return sum <= 0 ? 0.0 : 2 * precision() * recall() / sum;
}

Result<FieldScores> score_fields(const ExtractedData& answer, std::string_view reference_json) {
  auto reference = parse_json(reference_json, "reference");
  if (!reference) return reference.error();
  auto data = parse_json(answer.data, "answer");
  if (!data) return data.error();
  std::vector<Leaf> expected = leaves_of(*reference);
  std::vector<Leaf> proposed = leaves_of(*data);
  std::map<std::string, const ExtractedValue*> by_path;
  for (const ExtractedValue& value : answer.values) by_path[value.path] = &value;
  FieldScores scores;
  scores.expected = expected.size();
  scores.proposed = proposed.size();
  std::vector<bool> taken(expected.size(), false);
  for (const Leaf& leaf : proposed) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (taken[i] || expected[i].pattern != leaf.pattern || expected[i].value != leaf.value) continue;
      taken[i] = true;
      ++scores.right;
      const auto value = by_path.find(leaf.shown);
      if (value != by_path.end() && value->second->supported) {
        ++scores.spans_checked;
        // The quote stands for the reference: the same text, number or date.
        const std::string quote = comparable(Json(value->second->quote));
        bool holds = quote.find(expected[i].value) != std::string::npos;
        for (const baseline::FormedValue& one : baseline::find_values(value->second->quote)) {
          holds = holds || to_lower_utf8(one.value) == expected[i].value;
        }
        holds = holds || expected[i].value == "true" || expected[i].value == "false";
        scores.spans_right += holds ? 1U : 0U;
      }
      break;
    }
  }
  return scores;
}

}  // namespace loam::tasks
