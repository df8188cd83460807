#include "engine/constraint.h"

#include <json-schema-to-grammar.h>  // of llama-common

#include <array>
#include <cmath>
#include <optional>
#include <set>
#include <stdexcept>

#include "base/json.h"

namespace loam::engine {
namespace {

Error refuse(std::string place, std::string message, std::string next_step) {
  return Error{Kind::bad_request, std::move(place), std::move(message), std::move(next_step)};
}

constexpr std::string_view kSimplify = "simplify the schema";

/// Keywords that say nothing about what is valid.
bool is_annotation(std::string_view key) {
  constexpr std::array kAnnotations = {"$schema",     "$id",        "$comment", "title",
                                       "description", "default",    "examples", "example",
                                       "readOnly",    "deprecated", "$defs",    "definitions"};
  for (const std::string_view name : kAnnotations) {
    if (key == name) {
      return true;
    }
  }
  return false;
}

using Keys = std::initializer_list<std::string_view>;

bool is_one_of(std::string_view key, Keys keys) {
  for (const std::string_view other : keys) {
    if (key == other) {
      return true;
    }
  }
  return false;
}

/// Walks a schema and finds what the converter would ignore or choke on.
class SchemaCheck {
 public:
  explicit SchemaCheck(const Json& root) : root_(root) {}

  Result<void> run() { return node(root_, "#", 0); }

 private:
  static Result<void> only(const Json& schema, const std::string& place, Keys allowed) {
    for (const auto& [key, value] : schema.items()) {
      if (!is_annotation(key) && !is_one_of(key, allowed)) {
        return refuse("JSON schema " + place + "/" + key,
                      "\"" + key + "\" cannot be enforced here, and is not ignored either",
                      "remove it and check the answer afterwards");
      }
    }
    return done();
  }

  static Result<std::optional<int>> count(const Json& schema, const char* key, const std::string& place) {
    if (!schema.contains(key)) {
      return std::optional<int>();
    }
    const Json& value = schema.at(key);
    if (!value.is_number_integer() || value.get<double>() < 0 || value.get<double>() > kMostRepetitions) {
      return refuse("JSON schema " + place + "/" + key,
                    "must be a whole number from 0 to " + std::to_string(kMostRepetitions),
                    std::string(kSimplify));
    }
    return std::optional<int>(value.get<int>());
  }

  static Result<void> counts(const Json& schema, const char* least, const char* most,
                             const std::string& place) {
    auto low = count(schema, least, place);
    if (!low) {
      return low.error();
    }
    auto high = count(schema, most, place);
    if (!high) {
      return high.error();
    }
    if (*high && (**high == 0 || (*low && **low > **high))) {
      return refuse("JSON schema " + place, std::string(most) + " leaves no room for " + least,
                    std::string(kSimplify));
    }
    return done();
  }

  static Result<void> bounds(const Json& schema, const std::string& place) {
    constexpr double kExact = 9007199254740992.0;  // 2^53: beyond it a double no longer holds every integer
    double low = -kExact;
    double high = kExact;
    for (const char* key : {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"}) {
      if (!schema.contains(key)) {
        continue;
      }
      const Json& value = schema.at(key);
      if (!value.is_number() || std::abs(value.get<double>()) > kExact ||
          value.get<double>() != std::floor(value.get<double>())) {
        return refuse("JSON schema " + place + "/" + key, "must be a whole number between -2^53 and 2^53",
                      std::string(kSimplify));
      }
      const double number = value.get<double>();
      if (std::string_view(key).ends_with("inimum")) {
        low = std::max(low, std::string_view(key) == "minimum" ? number : number + 1);
      } else {
        high = std::min(high, std::string_view(key) == "maximum" ? number : number - 1);
      }
    }
    if ((schema.contains("minimum") && schema.contains("exclusiveMinimum")) ||
        (schema.contains("maximum") && schema.contains("exclusiveMaximum"))) {
      return refuse("JSON schema " + place, "has both the inclusive and the exclusive bound",
                    "keep one of them");
    }
    if (low > high) {
      return refuse("JSON schema " + place, "the bounds leave no number", std::string(kSimplify));
    }
    return done();
  }

  /// The part of regular expressions whose meaning the grammar keeps and whose matches need no escape in
  /// JSON.
  static Result<void> pattern(const Json& value, const std::string& place) {
    const std::string at = "JSON schema " + place + "/pattern";
    if (!value.is_string()) {
      return refuse(at, "must be a string", std::string(kSimplify));
    }
    const auto& text = value.get_ref<const std::string&>();
    const Error unsupported = refuse(at,
                                     "only patterns of the form ^...$ with plain characters, [..] ranges, "
                                     "groups, | inside groups, and the "
                                     "repetitions * + ? {m,n} can be enforced",
                                     "write \\d as [0-9], . as a list of the characters you mean");
    if (text.size() < 3 || text.size() > 1000 || text.front() != '^' || text.back() != '$') {
      return unsupported;
    }
    int depth = 0;
    bool can_repeat = false;
    for (std::size_t i = 1; i + 1 < text.size(); ++i) {
      const char c = text[i];
      const auto byte = static_cast<unsigned char>(c);
      const char next = text[i + 1];
      if (byte < 0x20 || byte >= 0x7F || c == '"' || c == '^' || c == '$' || c == '.' || c == ']' ||
          c == '}') {
        return unsupported;
      }
      if (c == '(') {
        if (next == '?' || ++depth > 16) {
          return unsupported;
        }
        can_repeat = false;
      } else if (c == ')') {
        if (--depth < 0) {
          return unsupported;
        }
        can_repeat = true;
      } else if (c == '|') {
        if (depth == 0) {
          return unsupported;  // ^a|b$ anchors only one side of each
        }
        can_repeat = false;
      } else if (c == '*' || c == '+' || c == '?') {
        if (!can_repeat) {
          return unsupported;
        }
        can_repeat = false;  // no lazy or possessive forms
      } else if (c == '{') {
        const std::size_t end = text.find('}', i);
        if (!can_repeat || end == std::string::npos || !repetition(text.substr(i + 1, end - i - 1))) {
          return unsupported;
        }
        i = end;
        can_repeat = false;
      } else if (c == '[') {
        std::size_t end = i + 1;
        while (end < text.size() && text[end] != ']') {
          const auto inside = static_cast<unsigned char>(text[end]);
          if (inside <= 0x20 - 1 || inside >= 0x7F ||
              is_one_of(text.substr(end, 1), {"^", "\\", "[", "\""}) || !range_is_plain(text, end)) {
            return unsupported;
          }
          ++end;
        }
        if (end + 1 >= text.size() || end == i + 1) {
          return unsupported;
        }
        i = end;
        can_repeat = true;
      } else if (c == '\\') {
        if (!is_one_of(std::string_view(&next, 1), {".", "(", ")", "*", "+", "?", "|", "{", "}", "$", "^"})) {
          return unsupported;
        }
        ++i;
        can_repeat = true;
      } else {
        can_repeat = true;
      }
    }
    if (depth != 0) {
      return unsupported;
    }
    return done();
  }

  /// A range must not run over the quote or the backslash, which JSON strings would have to escape.
  static bool range_is_plain(const std::string& text, std::size_t dash) {
    if (text[dash] != '-' || text[dash - 1] == '[' || text[dash + 1] == ']') {
      return true;
    }
    const char from = text[dash - 1];
    const char to = text[dash + 1];
    const auto covers = [&](char c) { return from <= c && c <= to; };
    return from <= to && !covers('"') && !covers('\\');
  }

  static bool repetition(const std::string& text) {
    const std::size_t comma = text.find(',');
    const auto number = [](const std::string& digits) {
      return !digits.empty() && digits.size() <= 4 &&
             digits.find_first_not_of("0123456789") == std::string::npos &&
             std::stoi(digits) <= kMostRepetitions;
    };
    if (comma == std::string::npos) {
      return number(text) && std::stoi(text) > 0;
    }
    const std::string low = text.substr(0, comma);
    const std::string high = text.substr(comma + 1);
    return number(low) &&
           (high.empty() || (number(high) && std::stoi(high) > 0 && std::stoi(low) <= std::stoi(high)));
  }

  Result<void> string_node(const Json& schema, const std::string& place) {
    const bool sized = schema.contains("minLength") || schema.contains("maxLength");
    const bool shaped = schema.contains("pattern") || schema.contains("format");
    if ((sized && shaped) || (schema.contains("pattern") && schema.contains("format"))) {
      return refuse("JSON schema " + place, "pattern, format and lengths cannot be combined",
                    "keep one of them");
    }
    if (schema.contains("format")) {
      const Json& format = schema.at("format");
      if (!format.is_string() ||
          !is_one_of(format.get_ref<const std::string&>(), {"date", "time", "date-time", "uuid"})) {
        return refuse("JSON schema " + place + "/format",
                      "only date, time, date-time and uuid can be enforced",
                      "remove it and check the answer afterwards");
      }
    }
    if (schema.contains("pattern")) {
      return pattern(schema.at("pattern"), place);
    }
    return counts(schema, "minLength", "maxLength", place);
  }

  Result<void> object_node(const Json& schema, const std::string& place, int depth) {
    static const Json kEmpty = Json::object();
    const Json& properties = schema.contains("properties") ? schema.at("properties") : kEmpty;
    if (!properties.is_object() || properties.size() > static_cast<std::size_t>(kMostProperties)) {
      return refuse("JSON schema " + place + "/properties",
                    "must be an object with at most " + std::to_string(kMostProperties) + " entries",
                    std::string(kSimplify));
    }
    std::set<std::string> required;
    if (schema.contains("required")) {
      if (!schema.at("required").is_array()) {
        return refuse("JSON schema " + place + "/required", "must be a list of names",
                      std::string(kSimplify));
      }
      for (const Json& name : schema.at("required")) {
        if (!name.is_string() || !properties.contains(name.get_ref<const std::string&>())) {
          return refuse("JSON schema " + place + "/required",
                        "names a property that \"properties\" does not have", "add it there");
        }
        required.insert(name.get<std::string>());
      }
    }
    if (properties.size() - required.size() > static_cast<std::size_t>(kMostOptionalProperties)) {
      return refuse("JSON schema " + place + "/properties",
                    "more than " + std::to_string(kMostOptionalProperties) + " optional properties",
                    "list more of them in \"required\"");
    }
    for (const auto& [name, property] : properties.items()) {
      if (auto checked = node(property, place + "/properties/" + name, depth + 1); !checked) {
        return checked;
      }
    }
    if (schema.contains("additionalProperties") && !schema.at("additionalProperties").is_boolean()) {
      return node(schema.at("additionalProperties"), place + "/additionalProperties", depth + 1);
    }
    return done();
  }

  Result<void> array_node(const Json& schema, const std::string& place, int depth) {
    if (schema.contains("prefixItems")) {
      if (schema.contains("items") || schema.contains("minItems") || schema.contains("maxItems")) {
        return refuse("JSON schema " + place,
                      "prefixItems stands alone here: exactly these items are produced",
                      "remove items, minItems and maxItems");
      }
      if (!schema.at("prefixItems").is_array()) {
        return refuse("JSON schema " + place + "/prefixItems", "must be a list of schemas",
                      std::string(kSimplify));
      }
      return all(schema.at("prefixItems"), place + "/prefixItems", depth);
    }
    if (schema.contains("items")) {
      if (auto checked = node(schema.at("items"), place + "/items", depth + 1); !checked) {
        return checked;
      }
    }
    return counts(schema, "minItems", "maxItems", place);
  }

  Result<void> all(const Json& list, const std::string& place, int depth) {
    if (!list.is_array() || list.empty()) {
      return refuse("JSON schema " + place, "must be a list with at least one schema",
                    std::string(kSimplify));
    }
    int i = 0;
    for (const Json& schema : list) {
      if (auto checked = node(schema, place + "/" + std::to_string(i++), depth + 1); !checked) {
        return checked;
      }
    }
    return done();
  }

  Result<void> reference(const Json& schema, const std::string& place) {
    if (auto alone = only(schema, place, {"$ref"}); !alone) {
      return alone;
    }
    const Json& ref = schema.at("$ref");
    const Error unknown =
        refuse("JSON schema " + place + "/$ref",
               "must point to #/$defs/NAME or #/definitions/NAME of the same schema", "put the schema there");
    if (!ref.is_string()) {
      return unknown;
    }
    const auto& text = ref.get_ref<const std::string&>();
    for (const std::string root : {"$defs", "definitions"}) {
      const std::string prefix = "#/" + root + "/";
      if (!text.starts_with(prefix)) {
        continue;
      }
      const std::string name = text.substr(prefix.size());
      if (name.empty() || name.find_first_of("/~%") != std::string::npos || !root_.contains(root) ||
          !root_.at(root).is_object() || !root_.at(root).contains(name)) {
        return unknown;
      }
      if (!checked_refs_.insert(text).second) {
        return done();  // known, or being checked further up: schemas may be recursive
      }
      return node(root_.at(root).at(name), text, 1);
    }
    return unknown;
  }

  Result<void> node(const Json& schema, const std::string& place, int depth) {
    if (depth > kDeepestSchema || ++nodes_ > 5000) {
      return refuse(
          "JSON schema " + place,
          "nested deeper than " + std::to_string(kDeepestSchema) + " levels, or more than 5000 parts",
          std::string(kSimplify));
    }
    if (!schema.is_object()) {
      return refuse("JSON schema " + place, "must be an object", std::string(kSimplify));
    }
    if (schema.contains("$ref")) {
      return reference(schema, place);
    }
    if (schema.contains("anyOf")) {
      auto alone = only(schema, place, {"anyOf"});
      return alone ? all(schema.at("anyOf"), place + "/anyOf", depth) : alone;
    }
    if (schema.contains("const")) {
      return only(schema, place, {"const", "type"});
    }
    if (schema.contains("enum")) {
      if (!schema.at("enum").is_array() || schema.at("enum").empty()) {
        return refuse("JSON schema " + place + "/enum", "must be a list with at least one value",
                      std::string(kSimplify));
      }
      return only(schema, place, {"enum", "type"});
    }
    if (!schema.contains("type")) {
      return only(schema, place, {});  // anything goes, and nothing else may be asked for
    }
    const Json& type = schema.at("type");
    if (type.is_array()) {
      // ["string", "null"] is what generators write for an optional value.
      for (const Json& one : type) {
        if (!one.is_string() || !is_one_of(one.get_ref<const std::string&>(),
                                           {"string", "number", "integer", "boolean", "null"})) {
          return refuse("JSON schema " + place + "/type", "a list may hold simple types only", "use anyOf");
        }
      }
      return type.empty()
                 ? refuse("JSON schema " + place + "/type", "must not be empty", std::string(kSimplify))
                 : only(schema, place, {"type"});
    }
    if (!type.is_string()) {
      return refuse("JSON schema " + place + "/type", "must be a name or a list of names",
                    std::string(kSimplify));
    }
    const auto& name = type.get_ref<const std::string&>();
    if (name == "object") {
      auto known = only(schema, place, {"type", "properties", "required", "additionalProperties"});
      return known ? object_node(schema, place, depth) : known;
    }
    if (name == "array") {
      auto known = only(schema, place, {"type", "items", "prefixItems", "minItems", "maxItems"});
      return known ? array_node(schema, place, depth) : known;
    }
    if (name == "string") {
      auto known = only(schema, place, {"type", "minLength", "maxLength", "pattern", "format"});
      return known ? string_node(schema, place) : known;
    }
    if (name == "integer") {
      auto known =
          only(schema, place, {"type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"});
      return known ? bounds(schema, place) : known;
    }
    if (name == "number" || name == "boolean" || name == "null") {
      return only(schema, place, {"type"});
    }
    return refuse("JSON schema " + place + "/type", "unknown type \"" + name + "\"",
                  "use object, array, string, integer, number, boolean or null");
  }

  const Json& root_;
  std::set<std::string> checked_refs_;
  int nodes_ = 0;
};

}  // namespace

Result<std::string> grammar_of_schema(std::string_view json_schema) {
  if (json_schema.size() > kLargestSchemaBytes) {
    return refuse("JSON schema",
                  std::to_string(json_schema.size()) + " bytes; at most " +
                      std::to_string(kLargestSchemaBytes) + " are accepted",
                  std::string(kSimplify));
  }
  // Two JSON levels per schema level ("properties" and the name), and some more for lists and enum values.
  auto schema = parse_json(json_schema, "JSON schema", 4 * kDeepestSchema);
  if (!schema) {
    Error error = schema.error();
    error.kind = Kind::bad_request;
    return error;
  }
  if (auto checked = SchemaCheck(*schema).run(); !checked) {
    return checked.error();
  }
  try {
    std::string grammar = json_schema_to_grammar(common_json::parse(std::string(json_schema)), true);
    if (auto checked = check_grammar(grammar); !checked) {
      Error error = checked.error();
      error.place = "JSON schema: " + error.place;
      return error;
    }
    return grammar;
  } catch (const std::exception& failure) {
    return refuse("JSON schema", failure.what(), std::string(kSimplify));
  }
}

}  // namespace loam::engine
