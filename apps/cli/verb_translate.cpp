// `loam translate`: segment by segment, verified by code; one text, or a batch that resumes.
#include <fmt/format.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"
#include "cli/context.h"
#include "cli/interrupt.h"
#include "cli/task_input.h"
#include "tasks/text_json.h"
#include "tasks/translate.h"

namespace loam::cli {
namespace {

constexpr std::size_t kMostNotes = 20;

Result<tasks::TranslateOptions> translate_options(const Options& options) {
  tasks::TranslateOptions o;
  if (options.to.empty())
    return Error{Kind::bad_request, "loam translate", "into which language?", "loam translate --to fr FILE"};
  auto to = tasks::find_language(options.to);
  if (!to) return to.error();
  o.to = std::move(*to);
  if (!options.from.empty()) {
    auto from = tasks::find_language(options.from);
    if (!from) {
      Error error = from.error();
      if (error.next_step.starts_with("--to")) error.next_step.replace(0, 4, "--from");
      return error;
    }
    o.from = std::move(*from);
  }
  if (!options.glossary.empty()) {
    auto bytes = read_text_file(options.glossary);
    if (!bytes) return bytes.error();
    auto terms = tasks::parse_glossary(*bytes, options.glossary);
    if (!terms) return terms.error();
    o.glossary = std::move(*terms);
  }
  o.mark_kept = options.marks;
  return o;
}

struct Text {
  std::string text;
  tasks::TextForm form = tasks::TextForm::plain;
};

/// Text and Markdown as they are, to the byte; what is extracted from other formats as plain text.
Result<Text> text_of(Context& context, const std::string& file, std::unique_ptr<reader::Reader>& reader) {
  auto bytes = read_text_file(file);
  if (!bytes) return bytes.error();
  const reader::Format format = reader::detect_format(std::string_view(*bytes).substr(0, 4096), file);
  if (format == reader::Format::csv) {
    return Error{Kind::bad_request, file, "is a table", "loam translate --column COLUMN " + file};
  }
  const bool plain = format == reader::Format::text || format == reader::Format::markdown;
  if (plain && is_valid_utf8(*bytes) && bytes->find('\0') == std::string::npos) {
    return Text{std::move(*bytes),
                format == reader::Format::markdown ? tasks::TextForm::markdown : tasks::TextForm::plain};
  }
  if (reader == nullptr) {
    auto opened = context.open_reader();
    if (!opened) return opened.error();
    reader = std::move(*opened);
  }
  auto document = reader->read(file, file);
  if (!document) return document.error();
  return Text{std::move(document->text), tasks::TextForm::plain};
}

Json settings_json(const tasks::TranslateOptions& options, const std::string& model) {
  std::string glossary;
  for (const tasks::GlossaryTerm& term : options.glossary)
    glossary += term.source + "\n" + term.target + "\n";
  return {{"to", options.to.code},
          {"from", options.from ? Json(options.from->code) : Json()},
          {"glossary", glossary.empty() ? Json() : Json(sha256_hex(glossary))},
          {"marks", options.mark_kept},
          {"model", model}};
}

/// What a person must know beside the text, on standard error.
void print_notes(Terminal& terminal, const tasks::Translation& translation) {
  std::size_t shown = 0;
  for (const tasks::TranslatedSegment& segment : translation.segments) {
    if (segment.fate != tasks::SegmentFate::kept || shown >= kMostNotes) continue;
    ++shown;
    std::string why;
    for (const tasks::Violation& one : segment.violations) {
      why += (why.empty() ? "" : "; ") + one.kind + ": " + one.what;
    }
    terminal.note(printable(fmt::format("line {} keeps its source text: {} ({})", segment.line,
                                        shorten(one_line(segment.source), 40), one_line(why))));
  }
  if (translation.kept > shown) terminal.note(fmt::format("... and {} more", translation.kept - shown));
  std::string said = fmt::format("{}: {} translated", plural(translation.segments.size(), "segment"),
                                 translation.translated + translation.retried);
  if (translation.retried > 0) said += fmt::format(" ({} at the second try)", translation.retried);
  if (translation.kept > 0)
    said += fmt::format(", {} kept as they were because a check failed", translation.kept);
  if (translation.nothing > 0) said += fmt::format(", {} without words to translate", translation.nothing);
  if (!translation.model.empty() && translation.same > translation.kept + translation.nothing) {
    said +=
        fmt::format(", {} came back unchanged", translation.same - translation.kept - translation.nothing);
  }
  terminal.note(said + (translation.model.empty()
                            ? ". Copied without a model (--baseline-only)."
                            : ". By " + translation.model +
                                  "; that marks, numbers and terms are kept was checked, "
                                  "that the words are right was not."));
}

}  // namespace

Result<Outcome> run_translate(Context& context) {
  const Options& options = context.options();
  Terminal& terminal = context.terminal();
  auto translate = translate_options(options);
  if (!translate) return translate.error();
  const bool batch = is_batch(context);
  Interrupts interrupts;  // before any thread of the engine starts
  std::unique_ptr<reader::Reader> reader;
  Text text;
  std::string name = "standard input";
  if (!batch) {
    if (context.arguments().empty() || context.arguments().front() == "-") {
      if (context.arguments().empty() && ::isatty(STDIN_FILENO) == 1) {
        return Error{Kind::bad_request, "loam translate", "the text is missing",
                     context.verb().examples.front().command};
      }
      auto bytes = read_standard_input();
      if (!bytes) return bytes.error();
      text = {std::move(*bytes), tasks::TextForm::markdown};
      if (!is_valid_utf8(text.text) || text.text.find('\0') != std::string::npos)
        return Error{Kind::bad_data, name, "is not UTF-8 text", "give the document as a file"};
    } else {
      name = context.arguments().front();
      auto found = text_of(context, name, reader);
      if (!found) return found.error();
      text = std::move(*found);
    }
    if (text.text.find_first_not_of(" \t\r\n") == std::string::npos) {
      if (!terminal.json()) terminal.note(fmt::format("{} holds no text to translate", printable(name)));
      if (terminal.json()) terminal.json({{"source", name}, {"text", ""}, {"reason", "no_text"}});
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
    auto items = batch_items(context);
    if (!items) return items.error();
    const auto work = [&](const tasks::BatchItem& item, std::stop_token stop) -> Result<Json> {
      tasks::TranslateOptions mine = *translate;
      Text one{item.text, tasks::TextForm::plain};
      if (!item.file.empty()) {
        auto found = text_of(context, item.file.string(), reader);
        if (!found) return found.error();
        one = std::move(*found);
      }
      mine.form = one.form;
      auto translation = tasks::translate(engine.get(), one.text, mine, {}, std::move(stop));
      if (!translation) return translation.error();
      return tasks::to_json(*translation, mine, item.id);
    };
    return run_batch(context, "translate",
                     settings_json(*translate, engine == nullptr ? "" : engine->model_name()), *items, work,
                     interrupts);
  }

  translate->form = text.form;
  auto translation =
      tasks::translate(engine.get(), text.text, *translate, terminal.progress(), interrupts.begin());
  interrupts.end();
  terminal.wipe_progress();
  if (!translation) return translation.error();
  const Json document = tasks::to_json(*translation, *translate, name);
  Json config = settings_json(*translate, translation->model);
  config["source"] = name;
  config["sha256"] = sha256_hex(text.text);
  config["version"] = LOAM_VERSION;
  auto store = context.open_store();
  if (!store) return store.error();
  auto run = (*store)->add_run(
      {RunId{}, system_clock().unix_seconds(), "translate", dump_json(config),
       dump_json({{"counts", document["counts"]}, {"timings_ms", document["timings_ms"]}})});
  if (!run) return run.error();
  if (terminal.json()) {
    Json shown = document;
    shown["run"] = number_of(*run);
    terminal.json(shown);
  } else {
    terminal.out(terminal.out_is_terminal() ? printable(translation->text) : translation->text);
    if (!translation->text.ends_with('\n')) terminal.line();
    print_notes(terminal, *translation);
  }
  return Outcome::done;
}

}  // namespace loam::cli
