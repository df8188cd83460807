#include "engine/catalogue.h"

#include <toml++/toml.h>
#include <algorithm>
#include <numeric>

#include <array>
#include <set>

namespace loam::engine {
namespace {

constexpr std::string_view kBuiltIn =
#include "models_toml.inc"
    ;

constexpr std::array<std::string_view, 10> kKeys = {"name",    "role",   "default", "licence", "parameters",
                                                    "context", "source", "size",    "sha256",  "notes"};

bool is_sha256(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

/// "pypi:PACKAGE==VERSION:PATH" or "hf:ORG/REPO:FILE"
std::optional<ModelSource> parse_source(std::string_view text) {
  ModelSource source;
  const auto after = [&](std::string_view prefix) { return text.substr(prefix.size()); };
  if (text.starts_with("pypi:")) {
    const std::string_view rest = after("pypi:");
    const std::size_t equals = rest.find("==");
    const std::size_t colon = rest.find(':', equals == std::string_view::npos ? 0 : equals);
    if (equals == std::string_view::npos || colon == std::string_view::npos) return std::nullopt;
    source.kind = SourceKind::python_package;
    source.package = rest.substr(0, equals);
    source.version = rest.substr(equals + 2, colon - equals - 2);
    source.path = rest.substr(colon + 1);
    if (source.package.empty() || source.version.empty() || source.path.empty()) return std::nullopt;
    return source;
  }
  if (text.starts_with("hf:")) {
    const std::string_view rest = after("hf:");
    const std::size_t colon = rest.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    source.repository = rest.substr(0, colon);
    source.file = rest.substr(colon + 1);
    if (source.repository.find('/') == std::string::npos || source.file.empty()) return std::nullopt;
    return source;
  }
  return std::nullopt;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row.back();
}

/// One [[model]] table.
Result<CatalogueEntry> parse_entry(const toml::table& table, const std::string& place) {
  const auto wrong = [&](std::string message) {
    return Error{Kind::bad_data, place, std::move(message), "correct the catalogue"};
  };
  for (const auto& [key, value] : table) {
    if (std::find(kKeys.begin(), kKeys.end(), key.str()) == kKeys.end()) {
      return wrong("the key '" + std::string(key.str()) + "' is not known");
    }
  }
  const auto text = [&](const char* key) { return table[key].value_or(std::string()); };
  const auto count = [&](const char* key) { return table[key].value_or(std::int64_t{0}); };
  CatalogueEntry entry;
  entry.name = text("name");
  if (!is_model_name(entry.name)) return wrong("a model has no valid name");
  const std::string who = "model " + entry.name + ": ";
  const auto role = model_role_from(text("role"));
  if (!role) return wrong(who + "role is not chat, embedding or reranker");
  entry.role = *role;
  const auto source = parse_source(text("source"));
  if (!source) return wrong(who + "source is not pypi:PACKAGE==VERSION:PATH or hf:ORG/REPO:FILE");
  entry.source = *source;
  entry.licence = text("licence");
  if (entry.licence.empty()) return wrong(who + "licence is missing");
  if (count("parameters") < 0 || count("context") < 0 || count("context") > (1 << 30) || count("size") < 0) {
    return wrong(who + "a number is negative or too large");
  }
  entry.parameters = static_cast<std::uint64_t>(count("parameters"));
  entry.context_tokens = static_cast<int>(count("context"));
  entry.size_bytes = static_cast<std::uint64_t>(count("size"));
  entry.sha256 = text("sha256");
  if (!entry.sha256.empty() && !is_sha256(entry.sha256))
    return wrong(who + "sha256 is not 64 lower-case hex digits");
  entry.is_default = table["default"].value_or(false);
  entry.notes = text("notes");
  return entry;
}

}  // namespace

std::string_view name_of(ModelRole role) {
  switch (role) {
    case ModelRole::chat:
      return "chat";
    case ModelRole::embedding:
      return "embedding";
    case ModelRole::reranker:
      return "reranker";
  }
  return "unknown";
}

std::optional<ModelRole> model_role_from(std::string_view name) {
  for (const ModelRole role : {ModelRole::chat, ModelRole::embedding, ModelRole::reranker}) {
    if (name == name_of(role)) return role;
  }
  return std::nullopt;
}

std::string ModelSource::text() const {
  if (kind == SourceKind::python_package) return "pypi:" + package + "==" + version + ":" + path;
  return "hf:" + repository + ":" + file;
}

bool is_model_name(std::string_view name) {
  if (name.empty() || name.size() > 96 || name.front() == '.' || name.front() == '-' || name.front() == '_')
    return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
  });
}

std::string model_name_from(std::string_view text) {
  std::string name;
  for (const char c : text) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool kept =
        (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') || lower == '.' || lower == '_';
    if (kept) {
      name += lower;
    } else if (!name.empty() && name.back() != '-') {
      name += '-';
    }
  }
  if (name.ends_with(".gguf")) name.resize(name.size() - 5);
  while (!name.empty() && (name.front() == '.' || name.front() == '-' || name.front() == '_'))
    name.erase(0, 1);
  while (!name.empty() && name.back() == '-') name.pop_back();
  if (name.size() > 96) name.resize(96);
  return name.empty() ? "model" : name;
}

const Catalogue& Catalogue::built_in() {
  static const Catalogue kCatalogue = [] {
    auto parsed = parse(kBuiltIn, "models.toml");
    // A broken list is our own bug and shows in catalogue_test; at run time an empty list is the safe answer.
    return parsed ? std::move(*parsed) : Catalogue();
  }();
  return kCatalogue;
}

Result<Catalogue> Catalogue::parse(std::string_view toml_text, std::string_view place) {
  Catalogue catalogue;
  try {
    const toml::table document = toml::parse(toml_text, place);
    for (const auto& [key, value] : document) {
      if (key.str() != "model" || !value.is_array_of_tables()) {
        return Error{Kind::bad_data, std::string(place),
                     "the key '" + std::string(key.str()) + "' is not [[model]]", "correct the catalogue"};
      }
    }
    const toml::array* models = document["model"].as_array();
    if (models == nullptr) return catalogue;
    std::set<std::string> names;
    std::set<ModelRole> defaults;
    for (const toml::node& node : *models) {
      auto entry = parse_entry(*node.as_table(), std::string(place));
      if (!entry) return entry.error();
      if (!names.insert(entry->name).second) {
        return Error{Kind::bad_data, std::string(place), "the model " + entry->name + " is there twice",
                     "correct the catalogue"};
      }
      if (entry->is_default && !defaults.insert(entry->role).second) {
        return Error{Kind::bad_data, std::string(place),
                     "the model " + entry->name + " is a second default of its role",
                     "correct the catalogue"};
      }
      catalogue.entries_.push_back(std::move(*entry));
    }
  } catch (const toml::parse_error& failure) {
    return Error{Kind::bad_data, std::string(place) + " line " + std::to_string(failure.source().begin.line),
                 std::string("not valid TOML: ") + std::string(failure.description()),
                 "correct the catalogue"};
  }
  return catalogue;
}

const CatalogueEntry* Catalogue::find(std::string_view name) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const CatalogueEntry& entry) { return entry.name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

const CatalogueEntry* Catalogue::default_for(ModelRole role) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const CatalogueEntry& entry) {
    return entry.is_default && entry.role == role;
  });
  return found == entries_.end() ? nullptr : &*found;
}

std::vector<std::string> Catalogue::suggestions(std::string_view name) const {
  std::vector<std::pair<std::size_t, std::string>> ranked;
  for (const CatalogueEntry& entry : entries_) {
    const bool part = name.size() >= 3 && entry.name.find(name) != std::string::npos;
    const std::size_t distance = part ? 0 : edit_distance(name.substr(0, 96), entry.name);
    if (part || distance <= std::max<std::size_t>(3, entry.name.size() / 3))
      ranked.emplace_back(distance, entry.name);
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> names;
  for (const auto& [distance, candidate] : ranked) {
    if (names.size() < 3) names.push_back(candidate);
  }
  return names;
}

}  // namespace loam::engine
