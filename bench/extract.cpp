// bench_extract: which fields come out right, and how many invented ones are held back? Two kinds of text:
// sentences with personal data (Presidio's synthetic set, evenly drawn), whose fields are mostly of fixed
// forms, and the first pages of contracts (CUAD v1), whose fields are words. Contestants: Loam, the same
// model unchecked, and patterns alone. Every value that Loam returns stands in the text; the run checks that.
#include <cctype>
#include <fstream>
#include <sstream>

#include "base/hash.h"
#include "base/json.h"
#include "engine/local_engine.h"
#include "eval/ledger.h"
#include "support/report.h"
#include "tasks/csv.h"
#include "tasks/extract_cases.h"

namespace loam::bench {
namespace {

constexpr std::size_t kContractBytes = 4000;

std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) fail("cannot read " + file.string() + "; set LOAM_BENCH_DATA");
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::string schema_of(const std::vector<std::pair<std::string, std::string>>& fields) {
  Json properties = Json::object();
  for (const auto& [name, description] : fields)
    properties[name] = {{"type", "string"}, {"description", description}};
  return dump_json({{"type", "object"}, {"properties", properties}});
}

struct Part {
  std::string name;
  std::string file, sha256;
  tasks::ExtractCases data;
};

Part part_of(const std::string& name, const std::filesystem::path& file, const std::string& lines,
             const std::string& schema) {
  auto parsed = must(tasks::ExtractSchema::parse(schema, name));
  return {name, file.filename().string(), must(sha256_hex_of_file(file)),
          must(tasks::parse_extract_cases(lines, name, parsed))};
}

/// Sentences that name each kind of data at most once: a field of the schema has one value.
Part personal_data(const std::filesystem::path& folder, std::size_t limit) {
  const std::filesystem::path file = folder / "synth_dataset_v2.json";
  const std::vector<std::pair<std::string, std::string>> kinds = {
      {"PERSON", "name of the person"},         {"PHONE_NUMBER", "phone number"},
      {"EMAIL_ADDRESS", "email address"},       {"CREDIT_CARD", "credit card number"},
      {"IBAN_CODE", "IBAN of an account"},      {"DATE_TIME", "date"},
      {"STREET_ADDRESS", "address of a street"}};
  const Json all = must(parse_json(bytes_of(file), file.string()));
  std::vector<Json> fit;
  for (const Json& one : all) {
    Json reference = Json::object();
    bool once = true;
    for (const Json& span : one["spans"]) {
      const std::string kind = span["entity_type"].get<std::string>();
      for (const auto& [name, description] : kinds) {
        if (name != kind) continue;
        once = once && !reference.contains(kind);
        reference[kind] = span["entity_value"];
      }
    }
    if (!once || reference.empty()) continue;
    fit.push_back({{"id", std::to_string(fit.size())}, {"text", one["full_text"]}, {"reference", reference}});
  }
  const std::size_t wanted = limit > 0 ? std::min(limit, fit.size()) : fit.size();
  std::string lines;
  for (std::size_t i = 0; i < wanted; ++i) lines += dump_json(fit[i * fit.size() / wanted]) + "\n";
  return part_of("personal data", file, lines, schema_of(kinds));
}

/// CUAD's list of quotes is Python's: ['a', "b"]. The first of them.
std::string first_quote(const std::string& list) {
  if (list.size() < 4 || list.front() != '[') return "";
  const std::size_t end = list.find(list[1], 2);
  return end == std::string::npos ? "" : list.substr(2, end - 2);
}

std::string letters_of(const std::string& name) {
  std::string letters;
  for (const char one : name) {
    if (std::isalnum(static_cast<unsigned char>(one)) != 0) letters += one;
  }
  return letters;
}

/// The first pages of each contract; references are the annotators' own quotes that stand there.
Part contracts(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "master_clauses.csv";
  const auto table = must(tasks::parse_csv_table(bytes_of(file), file.string()));
  const auto column = [&](const std::string& name) {
    for (std::size_t i = 0; i < table.header.size(); ++i) {
      if (table.header[i] == name) return i;
    }
    fail(file.string() + " has no column " + name);
  };
  const std::size_t names = column("Filename"), title = column("Document Name"),
                    date = column("Agreement Date");
  std::string lines;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "txt")) {
    for (const tasks::CsvRow& row : table.rows) {
      const std::string& name = row.cells[names];
      if (letters_of(name.substr(0, name.rfind('.'))) != letters_of(entry.path().stem().string())) continue;
      const std::string text = bytes_of(entry.path()).substr(0, kContractBytes);
      Json reference = Json::object();
      for (const auto& [field, at] : {std::pair{"title", title}, std::pair{"agreement_date", date}}) {
        const std::string quote = first_quote(row.cells[at]);
        if (!quote.empty() && text.find(quote) != std::string::npos) reference[field] = quote;
      }
      if (!reference.empty())
        lines += dump_json({{"id", name}, {"text", text}, {"reference", reference}}) + "\n";
      break;
    }
  }
  return part_of("contracts", file, lines,
                 schema_of({{"title", "title of the agreement, as it stands at its head"},
                            {"agreement_date", "date of the agreement, as it is written"}}));
}

int run(int argc, char** argv) {
  std::vector<std::string> others;
  const Settings settings = settings_from(argc, argv, &others);
  const Json before = machine();
  std::unique_ptr<engine::LocalEngine> engine;
  if (other(others, "baseline-only", "no") == "no") {
    engine::LocalEngineOptions options;
    options.context_tokens = 4096;
    options.threads = std::stoi(other(others, "threads", "0"));  // 0: one per core
    engine = must(engine::LocalEngine::open(settings.models / "smollm2-135m-instruct-q4_1.gguf", options));
  }
  Json result = Json::array();
  for (const Part& part : {personal_data(settings.data / "07-pii-presidio",
                                         static_cast<std::size_t>(std::max(0, settings.limit))),
                           contracts(settings.data / "11-extract-cuad")}) {
    const eval::CostMeter meter;
    const tasks::ExtractEvaluation evaluation =
        must(tasks::evaluate_extraction(engine.get(), part.data, {}, told_every(20)));
    Json kept = {{"part", part.name},
                 {"data", part.file},
                 {"sha256", part.sha256},
                 {"items", part.data.cases.size()},
                 {"invalid_answers", evaluation.invalid},
                 {"seconds", meter.cost().seconds}};
    std::printf("%s, %zu texts, %.0f s, %zu answers of the model not valid JSON\n", part.name.c_str(),
                part.data.cases.size(), meter.cost().seconds, evaluation.invalid);
    for (const tasks::ExtractContestant& contestant : evaluation.contestants) {
      for (const eval::Metric& metric : contestant.metrics) {
        std::printf("  %-16s %-10s %s\n", contestant.name.c_str(), metric.name.c_str(),
                    shown(metric.estimate).c_str());
        kept[contestant.name][metric.name] = to_json(metric.estimate);
      }
    }
    result.push_back(std::move(kept));
  }
  keep(settings, "extract", result, before);
  return 0;
}

}  // namespace
}  // namespace loam::bench

int main(int argc, char** argv) { return loam::bench::run(argc, argv); }
