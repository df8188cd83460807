// `loam extract` and `loam eval extract`: fields out of texts, each with the bytes it came from.
#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"
#include "cli/context.h"
#include "cli/eval_contestants.h"
#include "cli/interrupt.h"
#include "cli/show.h"
#include "cli/task_input.h"
#include "tasks/extract.h"
#include "tasks/extract_cases.h"

namespace loam::cli {
namespace fs = std::filesystem;
namespace {

Result<tasks::ExtractSchema> schema_of(const std::string& file) {
  auto text = read_text_file(file);
  if (!text) return text.error();
  return tasks::ExtractSchema::parse(*text, file);
}

tasks::ExtractOptions extract_options(const Context& context) {
  tasks::ExtractOptions options;
  options.max_tokens = context.options().written_tokens;
  options.keep_unsupported = context.options().keep_unsupported;
  options.sampling = context.sampling();
  return options;
}

Json parsed(const std::string& json) {
  auto value = parse_json(json, "data");
  return value ? *std::move(value) : Json();
}

Json values_json(const tasks::ExtractedData& data) {
  Json list = Json::array();
  for (const tasks::ExtractedValue& value : data.values) {
    Json one = {{"path", value.path}, {"value", parsed(value.value)}, {"supported", value.supported}};
    if (value.supported) {
      one["start"] = value.span.start;
      one["end"] = value.span.end;
      one["quote"] = value.quote;
      one["page"] = value.page ? Json(*value.page) : Json();
    } else {
      one["why_not"] = value.why_not;
    }
    one["from"] = tasks::name_of(value.from);
    list.push_back(std::move(one));
  }
  return list;
}

Json extraction_json(const tasks::Extraction& extraction, const std::string& source) {
  return {
      {"source", source},
      {"data", parsed(extraction.result.data)},
      {"from", tasks::name_of(extraction.from)},
      {"fields", values_json(extraction.result)},
      {"supported", extraction.result.supported},
      {"unsupported", extraction.result.unsupported},
      {"baseline",
       {{"data", parsed(extraction.baseline.data)}, {"fields", values_json(extraction.baseline)}}},
      {"parts", extraction.parts},
      {"parts_failed", extraction.parts_failed},
      {"notes", extraction.notes},
      {"model", extraction.model.empty() ? Json() : Json(extraction.model)},
      {"tokens", {{"prompt", extraction.usage.prompt_tokens}, {"answer", extraction.usage.answer_tokens}}},
      {"seconds", extraction.seconds}};
}

/// Looks like the name of a file rather than a text: one word with an ending or a stroke.
bool is_file_name(const std::string& text) {
  if (text.size() > 4096 || text.find_first_of(" \n\t") != std::string::npos) return false;
  const fs::path path(text);
  return text.find('/') != std::string::npos ||
         (path.has_extension() && path.extension().string().size() <= 6);
}

/// A file through the reader, standard input, or the words themselves.
Result<Document> document_of(Context& context, const std::string& given,
                             std::unique_ptr<reader::Reader>& reader) {
  std::error_code ignored;
  if (given != "-" && (fs::exists(given, ignored) || is_file_name(given))) {
    if (reader == nullptr) {
      auto opened = context.open_reader();
      if (!opened) return opened.error();
      reader = std::move(*opened);
    }
    return reader->read(given, given);
  }
  Document document;
  document.source = given == "-" ? "standard input" : "text";
  if (given == "-") {
    auto text = read_standard_input();
    if (!text) return text.error();
    document.text = std::move(*text);
  } else {
    document.text = given;
  }
  if (!is_valid_utf8(document.text)) {
    return Error{Kind::bad_data, document.source, "is not UTF-8 text", "give the document as a file"};
  }
  return document;
}

void print_data(Terminal& terminal, const tasks::ExtractedData& data) {
  Table table({Table::Align::left, Table::Align::left, Table::Align::left});
  table.add({"FIELD", "VALUE", "WHERE IT STANDS"}, Style::bold);
  for (const tasks::ExtractedValue& value : data.values) {
    const Json json = parsed(value.value);
    const std::string shown = json.is_string() ? json.get<std::string>() : value.value;
    std::string where = value.supported
                            ? fmt::format("“{}” at {}", shorten(one_line(value.quote), 40), value.span.start)
                            : "not supported: " + value.why_not;
    if (value.supported && value.page) where += fmt::format(", page {}", *value.page);
    table.add({printable(value.path.substr(1)), printable(one_line(shown)), printable(where)},
              value.supported ? Style::plain : Style::yellow);
  }
  terminal.out(table.text(terminal));
}

void print_extraction(Terminal& terminal, const tasks::Extraction& extraction) {
  terminal.line(dump_json_pretty(parsed(extraction.result.data)));
  terminal.line();
  if (!extraction.result.values.empty()) print_data(terminal, extraction.result);
  if (extraction.from == tasks::ValueFrom::model) {
    terminal.line();
    terminal.line(terminal.paint(
        Style::dim, fmt::format("by patterns alone ({} found):", extraction.baseline.supported)));
    terminal.line(terminal.paint(Style::dim, printable(dump_json(parsed(extraction.baseline.data)))));
  }
  for (const std::string& note : extraction.notes) terminal.note(printable(note));
  if (extraction.result.unsupported > 0) {
    terminal.note(fmt::format("{} the model gave {} not in the text and {} shown as null.",
                              plural(extraction.result.unsupported, "value"),
                              extraction.result.unsupported == 1 ? "is" : "are",
                              extraction.result.unsupported == 1 ? "is" : "are"));
  }
}

}  // namespace

Result<Outcome> run_extract(Context& context) {
  const Options& options = context.options();
  Terminal& terminal = context.terminal();
  auto schema = schema_of(context.arguments().front());
  if (!schema) return schema.error();
  // What stands behind the schema, as the shared helpers of batches see it.
  std::vector<std::string> rest(context.arguments().begin() + 1, context.arguments().end());
  if (rest.empty()) rest.emplace_back("-");
  Context texts(context.verb(), options, rest, terminal);
  const bool batch = is_batch(texts);
  Interrupts interrupts;  // before any thread of the engine starts
  std::unique_ptr<reader::Reader> reader;
  const tasks::ExtractOptions extract_with = extract_options(context);
  Document document;
  if (!batch) {
    auto read = document_of(context, rest.front(), reader);
    if (!read) return read.error();
    document = std::move(*read);
    if (document.text.find_first_not_of(" \t\r\n") == std::string::npos) {
      if (terminal.json())
        terminal.json({{"source", document.source}, {"data", Json()}, {"reason", "no_text"}});
      if (!terminal.json()) terminal.note(fmt::format("{} holds no text", printable(document.source)));
      return Outcome::empty;
    }
  }
  std::unique_ptr<engine::LocalEngine> engine;
  if (!options.baseline_only) {
    auto opened = context.open_engine();
    if (!opened) return opened.error();
    engine = std::move(*opened);
  }
  if (batch) {
    auto items = batch_items(texts);
    if (!items) return items.error();
    const auto work = [&](const tasks::BatchItem& item, std::stop_token stop) -> Result<Json> {
      Document one;
      one.source = item.id;
      one.text = item.text;
      if (!item.file.empty()) {
        auto read = document_of(context, item.file.string(), reader);
        if (!read) return read.error();
        one = std::move(*read);
      }
      auto extraction = tasks::extract(engine.get(), *schema, one, extract_with, std::move(stop));
      if (!extraction) return extraction.error();
      return extraction_json(*extraction, item.id);
    };
    const Json settings = {{"schema", schema->sha256()},
                           {"model", engine == nullptr ? Json() : Json(engine->model_name())},
                           {"keep_unsupported", extract_with.keep_unsupported},
                           {"max_tokens", extract_with.max_tokens},
                           {"temperature", options.temperature},
                           {"seed", options.seed}};
    return run_batch(texts, "extract", settings, *items, work, interrupts);
  }
  auto extraction = tasks::extract(engine.get(), *schema, document, extract_with, interrupts.begin());
  interrupts.end();
  if (!extraction) return extraction.error();
  if (terminal.json()) {
    terminal.json(extraction_json(*extraction, document.source));
  } else {
    print_extraction(terminal, *extraction);
  }
  return extraction->result.supported > 0 ? Outcome::done : Outcome::empty;
}

Result<Outcome> run_eval_extract(Context& context) {
  const Options& options = context.options();
  Terminal& terminal = context.terminal();
  std::optional<tasks::ExtractSchema> schema;
  if (!options.schema.empty()) {
    auto read = schema_of(options.schema);
    if (!read) return read.error();
    schema = std::move(*read);
  }
  const std::string& file = context.arguments().front();
  auto bytes = read_text_file(file);
  if (!bytes) return bytes.error();
  auto data = tasks::parse_extract_cases(*bytes, file, schema);
  if (!data) return data.error();
  keep_first(context, data->cases, data->version);
  Interrupts interrupts;
  std::unique_ptr<engine::LocalEngine> engine;
  if (!options.baseline_only) {
    auto opened = context.open_engine();
    if (!opened) return opened.error();
    engine = std::move(*opened);
  }
  const tasks::ExtractOptions extract_with = extract_options(context);
  Pass pass;
  pass.measured = start_run("extract", "", data->version);
  auto evaluation =
      tasks::evaluate_extraction(engine.get(), *data, extract_with, terminal.progress(), interrupts.begin());
  interrupts.end();
  terminal.wipe_progress();
  if (!evaluation) return evaluation.error();
  auto models = models_in_use(context, engine != nullptr, false);
  if (!models) return models.error();
  pass.models = std::move(*models);
  pass.settings = dump_json({{"max_tokens", extract_with.max_tokens},
                             {"temperature", options.temperature},
                             {"seed", options.seed},
                             {"invalid_answers", evaluation->invalid}});
  pass.tokens = evaluation->tokens;
  pass.compared = "f1";
  std::vector<Contestant> contestants;
  for (tasks::ExtractContestant& one : evaluation->contestants) {
    contestants.push_back({one.name, std::move(one.items), std::move(one.metrics)});
  }
  auto recorded = record_contestants(context, std::move(pass), std::move(contestants));
  if (!recorded) return recorded.error();
  if (terminal.json()) {
    Json document = contestants_json(*recorded);
    document["invalid_answers"] = evaluation->invalid;
    document["notes"] = notes_json(data->notes);
    terminal.json(document);
    return Outcome::done;
  }
  print_notes(terminal, data->notes);
  print_contestants(terminal, *recorded);
  if (evaluation->invalid > 0) {
    terminal.note(fmt::format("{} of the model were not valid JSON and count as empty",
                              plural(evaluation->invalid, "answer")));
  }
  return Outcome::done;
}

}  // namespace loam::cli
