#include "cli/config.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include "base/json.h"
#include "cli/nearest.h"

namespace loam::cli {
namespace {

std::string at_line(const std::string& place, const toml::node& node) {
  return fmt::format("{} line {}", place, node.source().begin.line);
}

std::string_view toml_type(ValueKind kind) {
  switch (kind) {
    case ValueKind::flag:
      return "true or false";
    case ValueKind::number:
      return "a whole number";
    case ValueKind::decimal:
      return "a number";
    default:
      return "text in quotes";
  }
}

/// The node's value in the words of the command line, or nothing when its type does not fit the kind.
std::optional<std::string> as_word(const toml::node& node, ValueKind kind) {
  switch (kind) {
    case ValueKind::flag:
      if (const auto* v = node.as_boolean()) return v->get() ? "true" : "false";
      return std::nullopt;
    case ValueKind::number:
      if (const auto* v = node.as_integer()) return std::to_string(v->get());
      return std::nullopt;
    case ValueKind::decimal:
      if (const auto* v = node.as_integer()) return std::to_string(v->get());
      if (const auto* v = node.as_floating_point()) return fmt::format("{}", v->get());
      return std::nullopt;
    default:
      if (const auto* v = node.as_string()) return v->get();
      return std::nullopt;
  }
}

Error unknown_key(const std::string& key, const std::string& place) {
  std::vector<std::string> known;
  for (const Setting& s : settings()) {
    if (!s.key.empty()) known.push_back(s.key);
  }
  auto meant = nearest(key, known);
  if (!meant) {  // the right name in the wrong table
    const std::string last = key.substr(key.rfind('.') == std::string::npos ? 0 : key.rfind('.') + 1);
    for (const std::string& one : known) {
      if (one.substr(one.find('.') + 1) == last) meant = one;
    }
  }
  return Error{Kind::bad_request, place, fmt::format("there is no setting \"{}\"", key),
               meant ? *meant : "loam settings"};
}
}  // namespace

Result<void> apply_config(const std::string& text, const std::string& place, Options& options,
                          std::map<std::string, int>* lines) {
  toml::table parsed;
  try {
    parsed = toml::parse(text, place);
  } catch (const toml::parse_error& failure) {
    return Error{Kind::bad_request, fmt::format("{} line {}", place, failure.source().begin.line),
                 fmt::format("not valid TOML: {}", failure.description()), "loam settings (shows every key)"};
  }
  for (const auto& [table_key, table_node] : parsed) {
    const std::string table_name{table_key.str()};
    const toml::table* table = table_node.as_table();
    if (table == nullptr) return unknown_key(table_name, at_line(place, table_node));
    for (const auto& [key, node] : *table) {
      const std::string name = table_name + "." + std::string(key.str());
      const Setting* setting = find_setting_by_key(name);
      if (setting == nullptr) return unknown_key(name, at_line(place, node));
      const auto word = as_word(node, setting->kind);
      if (!word) {
        return Error{Kind::bad_request, at_line(place, node),
                     fmt::format("\"{}\" must be {}", name, toml_type(setting->kind)),
                     fmt::format("{} = {}", key.str(),
                                 setting->kind == ValueKind::flag || setting->kind == ValueKind::number ||
                                         setting->kind == ValueKind::decimal
                                     ? setting->default_text()
                                     : "\"" + setting->default_text() + "\"")};
      }
      if (auto ok = apply(*setting, *word, at_line(place, node), options); !ok) return ok;
      if (lines != nullptr) (*lines)[name] = static_cast<int>(node.source().begin.line);
    }
  }
  return done();
}

std::string config_schema_json() {
  Json tables = Json::object();
  const Options defaults;
  for (const Setting& s : settings()) {
    if (s.key.empty()) continue;
    const std::size_t dot = s.key.find('.');
    Json& table = tables[s.key.substr(0, dot)];
    if (table.is_null())
      table = {{"type", "object"}, {"additionalProperties", false}, {"properties", Json::object()}};
    Json one = {{"description", s.help}};
    const std::string value = s.get(defaults);
    switch (s.kind) {
      case ValueKind::flag:
        one["type"] = "boolean";
        one["default"] = value == "true";
        break;
      case ValueKind::number:
        one["type"] = "integer";
        one["minimum"] = static_cast<long long>(s.low);
        one["maximum"] = static_cast<long long>(s.high);
        one["default"] = std::stoll(value);
        break;
      case ValueKind::decimal:
        one["type"] = "number";
        one["minimum"] = s.low;
        one["maximum"] = s.high;
        one["default"] = std::stod(value);
        break;
      case ValueKind::choice:
        one["enum"] = s.choices;
        one["default"] = value;
        break;
      default:
        one["type"] = "string";
        one["default"] = value;
        break;
    }
    one["x-option"] = "--" + s.name;
    table["properties"][s.key.substr(dot + 1)] = std::move(one);
  }
  const Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                       {"title", "Loam settings (config.toml)"},
                       {"type", "object"},
                       {"additionalProperties", false},
                       {"properties", std::move(tables)}};
  return dump_json(schema);
}

}  // namespace loam::cli
