// A JSON schema as fields, and as the schema that the model is held to.
#include <algorithm>
#include <array>
#include <functional>

#include "base/hash.h"
#include "base/json.h"
#include "engine/constraint.h"
#include "tasks/extract_parts.h"

namespace loam::tasks {
namespace {

using baseline::FieldKind;

constexpr int kMostRows = 50;       // items of a list in one answer, where the schema sets no end
constexpr int kLongestValue = 160;  // code points of a text value, where the schema sets no end
constexpr int kDeepest = 16;
constexpr std::size_t kMostFields = 200;

Error refuse(const std::string& place, const std::string& at, std::string message) {
  return Error{Kind::bad_request, place + (at.empty() ? "" : " at " + at), std::move(message),
               "use objects, lists, strings, numbers, booleans and enumerations"};
}

std::string type_of(const Json& schema) {
  if (!schema.contains("type")) {
    if (schema.contains("properties")) return "object";
    if (schema.contains("items")) return "array";
    return "";
  }
  const Json& type = schema.at("type");
  if (type.is_string()) return type.get<std::string>();
  if (type.is_array()) {
    for (const Json& one : type) {
      if (one.is_string() && one != "null") return one.get<std::string>();
    }
  }
  return "";
}

FieldKind kind_of(const std::string& type, const std::string& format) {
  if (type == "number") return FieldKind::number;
  if (type == "integer") return FieldKind::integer;
  if (type == "boolean") return FieldKind::yes_no;
  if (format == "date" || format == "date-time") return FieldKind::date;
  if (format == "email" || format == "idn-email") return FieldKind::email;
  if (format == "uri" || format == "url" || format == "iri") return FieldKind::url;
  if (format == "iban") return FieldKind::iban;
  if (format == "phone") return FieldKind::phone;
  return FieldKind::text;
}

/// Walks the schema once: fields, the model's schema, the empty answer.
class Walk {
 public:
  Walk(const std::string& place, std::vector<SchemaField>& fields) : place_(place), fields_(fields) {}

  struct Made {
    Json model, empty;
  };

  Result<Made> node(const Json& schema, const std::string& path, const std::string& name, int depth) {
    if (!schema.is_object()) return refuse(place_, path, "a schema must be an object");
    if (depth > kDeepest) return refuse(place_, path, "is nested too deep");
    for (const char* key : {"$ref", "allOf", "oneOf", "not", "if", "patternProperties", "dependentSchemas"}) {
      if (schema.contains(key))
        return refuse(place_, path, std::string("\"") + key + "\" cannot be extracted by");
    }
    if (schema.contains("enum") || schema.contains("const")) return leaf(schema, path, name, "string");
    if (schema.contains("anyOf")) return either(schema, path, name, depth);
    const std::string type = type_of(schema);
    if (type == "object") return object(schema, path, depth);
    if (type == "array") return list(schema, path, name, depth);
    if (type == "string" || type == "number" || type == "integer" || type == "boolean") {
      return leaf(schema, path, name, type);
    }
    return refuse(place_, path,
                  type.empty() ? "has no type" : "the type \"" + type + "\" cannot be extracted");
  }

 private:
  Result<Made> object(const Json& schema, const std::string& path, int depth) {
    if (!schema.contains("properties") || !schema.at("properties").is_object() ||
        schema.at("properties").empty()) {
      return refuse(place_, path, "names no properties");
    }
    Made made{{{"type", "object"}, {"properties", Json::object()}, {"required", Json::array()}},
              Json::object()};
    for (const auto& [name, inner] : schema.at("properties").items()) {
      auto one = node(inner, path + "/" + pointer_part(name), name, depth + 1);
      if (!one) return one;
      made.model["properties"][name] = std::move(one->model);
      made.model["required"].push_back(name);  // so that the model cannot pass over a field in silence
      made.empty[name] = std::move(one->empty);
    }
    made.model["additionalProperties"] = false;
    return made;
  }

  Result<Made> list(const Json& schema, const std::string& path, const std::string& name, int depth) {
    if (!schema.contains("items")) return refuse(place_, path, "does not say what its items are");
    auto item = node(schema.at("items"), path + "/*", name, depth + 1);
    if (!item) return item;
    Made made{{{"type", "array"}, {"items", std::move(item->model)}, {"maxItems", kMostRows}}, Json::array()};
    if (schema.contains("maxItems")) made.model["maxItems"] = schema.at("maxItems");
    return made;
  }

  /// {"anyOf": [X, {"type": "null"}]}: how generators write an optional field.
  Result<Made> either(const Json& schema, const std::string& path, const std::string& name, int depth) {
    const Json* only = nullptr;
    if (schema.at("anyOf").is_array()) {
      for (const Json& one : schema.at("anyOf")) {
        if (one.is_object() && one.contains("type") && one.at("type") == "null") continue;
        if (only != nullptr) return refuse(place_, path, "\"anyOf\" may offer one type and null only");
        only = &one;
      }
    }
    if (only == nullptr) return refuse(place_, path, "\"anyOf\" offers nothing");
    Json inner = *only;
    if (inner.is_object() && schema.contains("description") && !inner.contains("description")) {
      inner["description"] = schema.at("description");
    }
    return node(inner, path, name, depth + 1);
  }

  Result<Made> leaf(const Json& schema, const std::string& path, const std::string& name,
                    const std::string& type) {
    if (fields_.size() >= kMostFields) return refuse(place_, path, "more than 200 fields");
    SchemaField field;
    field.path = path;
    field.hint.name = name;
    const auto text_at = [&](const char* key) {
      return schema.contains(key) && schema.at(key).is_string() ? schema.at(key).get<std::string>() : "";
    };
    field.hint.description = text_at("description").empty() ? text_at("title") : text_at("description");
    const std::string format = text_at("format");
    field.hint.kind = kind_of(type, format);
    Json model = schema;
    if (schema.contains("const")) {
      model.erase("const");
      model["enum"] = Json::array({schema.at("const")});
    }
    if (model.contains("enum")) {
      if (!model.at("enum").is_array() || model.at("enum").empty()) {
        return refuse(place_, path, "\"enum\" must be a list with at least one value");
      }
      Json choices = Json::array();
      for (const Json& choice : model.at("enum")) {
        if (choice.is_null()) continue;
        if (!choice.is_string()) return refuse(place_, path, "an enumeration may hold texts only");
        field.hint.choices.push_back(choice.get<std::string>());
        choices.push_back(choice);
      }
      choices.push_back(nullptr);
      model = {{"enum", std::move(choices)}};
    } else {
      // Formats of which the grammar knows nothing are held against the value afterwards (SourceIndex::find).
      if (!format.empty() && format != "date" && format != "time" && format != "date-time")
        model.erase("format");
      if (type == "string" && !model.contains("pattern") && !model.contains("format") &&
          !model.contains("maxLength")) {
        model["maxLength"] = kLongestValue;
      }
      for (const char* word : {"title", "description", "default", "examples", "example"}) model.erase(word);
      model["type"] = type;
      model = {{"anyOf", Json::array({model, Json{{"type", "null"}}})}};
    }
    fields_.push_back(std::move(field));
    return Made{std::move(model), Json()};
  }

  const std::string& place_;
  std::vector<SchemaField>& fields_;
};

}  // namespace

std::string pointer_part(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

const SchemaField* field_of(const ExtractSchema& schema, std::string_view path) {
  const auto fits = [&](std::string_view pattern) {
    std::string_view rest = path;
    while (!pattern.empty() && !rest.empty()) {
      const std::size_t a = std::min(pattern.find('/', 1), pattern.size());
      const std::size_t b = std::min(rest.find('/', 1), rest.size());
      const std::string_view wanted = pattern.substr(0, a), given = rest.substr(0, b);
      const bool number =
          given.size() > 1 && given.find_first_not_of("0123456789", 1) == std::string_view::npos;
      if (wanted != given && !(wanted == "/*" && number)) return false;
      pattern.remove_prefix(a);
      rest.remove_prefix(b);
    }
    return pattern.empty() && rest.empty();
  };
  for (const SchemaField& field : schema.fields()) {
    if (fits(field.path)) return &field;
  }
  return nullptr;
}

Result<ExtractSchema> ExtractSchema::parse(std::string_view json, const std::string& place) {
  auto parsed = parse_json(json, place);
  if (!parsed) return parsed.error();
  ExtractSchema schema;
  Walk walk(place, schema.fields_);
  auto made = walk.node(*parsed, "", "", 0);
  if (!made) return made.error();
  const std::string type = made->model.contains("type") ? made->model.at("type").get<std::string>() : "";
  if (type != "object" && type != "array") {
    return refuse(place, "", "must describe an object or a list of objects, not a single value");
  }
  schema.sha256_ = sha256_hex(dump_json(*parsed));
  schema.model_schema_ = dump_json(made->model);
  schema.empty_data_ = dump_json(made->empty);
  // The list that rows of a table fill: the only one whose items are objects.
  std::size_t lists = 0;
  const auto look = [&](const Json& model, const std::string& path) {
    if (model.contains("items") && model.at("items").contains("properties")) {
      ++lists;
      schema.rows_path_ = path;
    }
  };
  look(made->model, "");
  if (made->model.contains("properties")) {
    for (const auto& [name, inner] : made->model.at("properties").items())
      look(inner, "/" + pointer_part(name));
  }
  if (lists != 1) schema.rows_path_.reset();
  if (auto grammar = engine::grammar_of_schema(schema.model_schema_); !grammar) {
    Error error = grammar.error();
    error.place = place + ": " + error.place;
    return error;
  }
  return schema;
}

std::string_view name_of(ValueFrom from) {
  switch (from) {
    case ValueFrom::model:
      return "model";
    case ValueFrom::patterns:
      return "patterns";
    case ValueFrom::table:
      return "table";
  }
  return "";
}

}  // namespace loam::tasks
