#include "tasks/extract_cases.h"

#include <algorithm>

#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"
#include "tasks/extract_parts.h"

namespace loam::tasks {
namespace {

std::string text_at(const Json& line, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (line.contains(key) && line.at(key).is_string()) return line.at(key).get<std::string>();
    if (line.contains(key) && line.at(key).is_number_integer())
      return std::to_string(line.at(key).get<std::int64_t>());
  }
  return "";
}

void add_scores(ExtractContestant& contestant, const ExtractCase& one, const FieldScores& scores,
                const std::string& output) {
  eval::ItemResult item{one.id, one.cluster, {}, output};
  item.scores["f1"] = scores.f1();
  item.scores["precision"] = scores.precision();
  item.scores["recall"] = scores.recall();
  if (scores.spans_checked > 0) {
    item.scores["spans"] =
        static_cast<double>(scores.spans_right) / static_cast<double>(scores.spans_checked);
  }
  contestant.items.push_back(std::move(item));
}

void sum_up(ExtractContestant& contestant) {
  for (const char* name : {"f1", "precision", "recall", "spans"}) {
    std::vector<double> values;
    for (const eval::ItemResult& item : contestant.items) {
      if (const auto score = item.scores.find(name); score != item.scores.end())
        values.push_back(score->second);
    }
    if (!values.empty()) contestant.metrics.push_back({name, eval::bootstrap_mean(values), true});
  }
}

/// The data as the model wrote it: the values without support put back.
ExtractedData unchecked(const ExtractedData& checked) {
  ExtractedData out = checked;
  auto data = parse_json(checked.data, "data");
  if (!data) return out;
  for (const ExtractedValue& value : checked.values) {
    auto json = parse_json(value.value, "value");
    if (value.supported || !json) continue;
    try {
      (*data)[Json::json_pointer(value.path)] = *json;
    } catch (const Json::exception&) {
      continue;  // a row that was dropped for holding nothing
    }
  }
  out.data = dump_json(*data);
  return out;
}

}  // namespace

Result<ExtractCases> parse_extract_cases(std::string_view bytes, const std::string& name,
                                         const std::optional<ExtractSchema>& schema) {
  ExtractCases data;
  data.version = {name, sha256_hex(bytes), 0};
  if (!is_valid_utf8(bytes)) return Error{Kind::bad_data, name, "is not UTF-8", "convert it first"};
  if (schema) data.schemas.push_back(*schema);
  std::vector<std::pair<std::string, std::size_t>> known;  // hash to index
  eval::DataNote empty{"empty text", "", {}, 0};
  std::size_t number = 0;
  while (!bytes.empty()) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    const std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string place = name + " line " + std::to_string(number);
    auto json = parse_json(line, place);
    if (!json) return json.error();
    const auto bad = [&](std::string message) {
      return Error{Kind::bad_data, place, std::move(message),
                   R"(a line such as {"text": "...", "schema": {...}, "reference": {...}})"};
    };
    if (!json->is_object()) return bad("is no JSON object");
    ExtractCase one;
    one.id = text_at(*json, {"id"});
    if (one.id.empty()) one.id = "line " + std::to_string(number);
    one.text = text_at(*json, {"text", "input"});
    one.cluster = text_at(*json, {"cluster", "document"});
    if (!json->contains("text") && !json->contains("input")) return bad("has no \"text\"");
    if (!json->contains("reference")) return bad("has no \"reference\"");
    one.reference = dump_json(json->at("reference"));
    if (json->contains("schema")) {
      const std::string text = dump_json(json->at("schema"));
      const std::string hash = sha256_hex(text);
      const auto found =
          std::find_if(known.begin(), known.end(), [&](const auto& k) { return k.first == hash; });
      if (found != known.end()) {
        one.schema = found->second;
      } else {
        auto parsed = ExtractSchema::parse(text, place + " schema");
        if (!parsed) return parsed.error();
        one.schema = data.schemas.size();
        known.emplace_back(hash, data.schemas.size());
        data.schemas.push_back(*std::move(parsed));
      }
    } else if (!schema) {
      return Error{Kind::bad_request, place, "brings no \"schema\"", "name one for all lines: --schema FILE"};
    }
    if (one.text.find_first_not_of(" \t\r\n") == std::string::npos) {
      ++empty.count;
      if (empty.lines.size() < 20) empty.lines.push_back(number);
      continue;
    }
    data.cases.push_back(std::move(one));
  }
  if (empty.count > 0) {
    empty.message = std::to_string(empty.count) + " texts are empty and were passed over";
    data.notes.push_back(std::move(empty));
  }
  if (data.cases.empty())
    return Error{Kind::bad_data, name, "holds no case", "JSON lines with text and reference"};
  data.version.items = data.cases.size();
  return data;
}

Result<ExtractEvaluation> evaluate_extraction(engine::Engine* engine, const ExtractCases& data,
                                              const ExtractOptions& options, const ProgressSink& progress,
                                              std::stop_token stop) {
  ExtractEvaluation out;
  ExtractContestant checked{"loam extract", {}, {}}, raw{"model unchecked", {}, {}},
      patterns{"patterns", {}, {}};
  for (std::size_t i = 0; i < data.cases.size(); ++i) {
    const ExtractCase& one = data.cases[i];
    if (progress) progress({"extracting", i, data.cases.size()});
    if (stop.stop_requested()) {
      return Error{Kind::unavailable, data.version.file, "was interrupted; nothing is recorded",
                   "run it again"};
    }
    Document document;
    document.source = one.id;
    document.text = one.text;
    auto extraction = extract(engine, data.schemas[one.schema], document, options, stop);
    if (!extraction) return extraction.error();
    out.tokens +=
        static_cast<std::uint64_t>(extraction->usage.prompt_tokens + extraction->usage.answer_tokens);
    out.invalid += extraction->parts_failed > 0 ? 1U : 0U;
    const auto score = [&](ExtractContestant& contestant, const ExtractedData& answer) -> Result<void> {
      auto scores = score_fields(answer, one.reference);
      if (!scores) return scores.error();
      add_scores(contestant, one, *scores, answer.data);
      return done();
    };
    if (auto ok = score(patterns, extraction->baseline); !ok) return ok.error();
    if (engine == nullptr) continue;
    if (auto ok = score(checked, extraction->result); !ok) return ok.error();
    if (auto ok = score(raw, unchecked(extraction->result)); !ok) return ok.error();
  }
  if (engine != nullptr) {
    out.contestants.push_back(std::move(checked));
    out.contestants.push_back(std::move(raw));
  }
  out.contestants.push_back(std::move(patterns));
  for (ExtractContestant& contestant : out.contestants) sum_up(contestant);
  return out;
}

}  // namespace loam::tasks
