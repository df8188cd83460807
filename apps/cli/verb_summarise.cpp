// `loam summarise`: whole documents, every sentence checked, TextRank beside it; one, or a batch that
// resumes.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/hash.h"
#include "base/json.h"
#include "cli/context.h"
#include "cli/interrupt.h"
#include "cli/show.h"
#include "cli/task_input.h"
#include "tasks/summarise.h"
#include "tasks/text_json.h"

namespace loam::cli {
namespace {

using answer::AnswerFrom;
using tasks::Summary;

struct Source {
  Document document;
  std::vector<Passage> passages;  ///< those of the collection; empty: to be cut
};

tasks::SummariseOptions summarise_options(const Options& options) {
  tasks::SummariseOptions o;
  o.sentences = options.sentences;
  o.chunk_tokens = options.chunk_tokens;
  o.keep_unsupported = options.keep_unsupported;
  return o;
}

Json settings_json(const Options& options, const std::string& model) {
  return {{"sentences", options.sentences}, {"chunk_tokens", options.chunk_tokens}, {"model", model}};
}

bool names_collection(const Context& context) {
  return std::find(context.given_names.begin(), context.given_names.end(), "collection") !=
         context.given_names.end();
}

/// A document as the collection has it, with its own passages: the citations point where those of `ask` do.
Result<Source> from_collection(Context& context, const std::string& name) {
  auto store = context.open_store_to_read();
  if (!store) return store.error();
  auto collection = context.find_collection(**store, context.options().collection);
  if (!collection) return collection.error();
  auto row = (*store)->find_document(collection->id, name);
  if (!row) return row.error();
  if (!row->has_value()) {
    return Error{Kind::bad_request, name,
                 fmt::format("the collection \"{}\" has no such document", collection->name),
                 "loam search -c " + collection->name + " WORDS shows the names of documents"};
  }
  Source source;
  source.document.source = (*row)->source;
  source.document.title = (*row)->title;
  source.document.media_type = (*row)->media_type;
  auto text = (*store)->document_text((*row)->id);
  if (!text) return text.error();
  source.document.text = std::move(*text);
  auto pages = (*store)->pages_of((*row)->id);
  if (!pages) return pages.error();
  source.document.pages = std::move(*pages);
  auto ids = (*store)->passages_of((*row)->id);
  if (!ids) return ids.error();
  auto rows = (*store)->passages(*ids);
  if (!rows) return rows.error();
  for (auto& one : *rows) source.passages.push_back(std::move(one.passage));
  return source;
}

/// Standard input is plain text or Markdown; other formats need a file, so that their parser stays locked in.
Result<Document> from_input(Context& context) {
  if (context.arguments().empty() && ::isatty(STDIN_FILENO) == 1) {
    return Error{Kind::bad_request, "loam summarise", "the text is missing",
                 context.verb().examples.front().command};
  }
  auto bytes = read_standard_input();
  if (!bytes) return bytes.error();
  const reader::Format format = reader::detect_format(*bytes, "input.md");
  if (format != reader::Format::text && format != reader::Format::markdown) {
    return Error{Kind::bad_request, "standard input", "is neither plain text nor Markdown",
                 "give the document as a file"};
  }
  return reader::parse(*bytes, "standard input", reader::Format::markdown, {});
}

void print_citations(Terminal& terminal, const std::vector<Citation>& citations) {
  for (const Citation& citation : citations) {
    const std::string mark = fmt::format("[{}]", citation.id);
    terminal.line(
        fmt::format("  {} {}", terminal.paint(Style::cyan, mark),
                    terminal.paint(Style::bold, printable(place_of(citation.source, citation.page)))));
    const std::string indent(3 + mark.size(), ' ');
    terminal.line(wrap("“" + printable(one_line(citation.quote)) + "”", terminal.width(), indent, indent));
  }
}

void field(Terminal& terminal, std::string_view name, std::string_view text) {
  const std::string first = fmt::format("  {:<9} ", name);
  std::string wrapped = wrap(text, terminal.width(), first, std::string(first.size(), ' '));
  wrapped.replace(2, name.size(), terminal.paint(Style::dim, name));
  terminal.line(wrapped);
}

std::string from_text(const Summary& summary) {
  const auto written = std::count_if(summary.sentences.begin(), summary.sentences.end(), [](const auto& one) {
    return one.supported && one.from == AnswerFrom::model;
  });
  const auto shown = std::count_if(summary.sentences.begin(), summary.sentences.end(),
                                   [](const auto& one) { return one.supported; });
  if (summary.model.empty()) return "TextRank: sentences of the document, without a language model";
  if (summary.from == AnswerFrom::baseline) {
    return fmt::format(
        "TextRank: sentences of the document; of {} sentences that {} drafted, {} could be shown",
        summary.drafted, summary.model, summary.held == 0 ? "none" : "none on its own");
  }
  return fmt::format(
      "{} of {} sentences by {}, each checked against its citation{}; {} of {} drafted ones held", written,
      shown, summary.model, written < shown ? ", the others word for word from the document" : "",
      summary.held, summary.drafted);
}

void print_summary(Terminal& terminal, const Summary& summary, std::uint64_t run) {
  terminal.line();
  std::string text;
  for (const tasks::SummarySentence& sentence : summary.sentences) {
    text += (text.empty() ? "" : " ") + printable(sentence.text);
    for (const int id : sentence.citations) text += fmt::format(" [{}]", id);
    if (!sentence.supported) text += fmt::format(" [unsupported: {}]", printable(sentence.why_not));
  }
  terminal.line(wrap(text, terminal.width(), "  ", "  "));
  terminal.line();
  print_citations(terminal, summary.citations);
  terminal.line();
  field(terminal, "Summary", from_text(summary));
  const tasks::SummaryCoverage& c = summary.coverage;
  field(terminal, "Coverage",
        fmt::format("read {} of {}{}; the summary cites {} of them", c.read,
                    plural(static_cast<std::size_t>(c.passages), "passage"),
                    c.calls > 0 ? fmt::format(" in {}", plural(static_cast<std::size_t>(c.calls), "call"))
                                : std::string(),
                    c.contributing.size()));
  if (summary.from == AnswerFrom::model) {
    field(
        terminal, "Baseline",
        fmt::format("“{}” (TextRank, without a language model)", printable(one_line(summary.baseline_text))));
  } else {
    field(terminal, "Baseline", "is this summary");
  }
  if (!terminal.quiet()) {
    terminal.line();
    terminal.line(terminal.paint(
        Style::dim, fmt::format("  {} in all. Ledger run {}.", human_duration(summary.total_ms), run)));
  }
}

Result<Summary> summarise_one(engine::Engine* engine, const Source& source,
                              const tasks::SummariseOptions& options, const ProgressSink& progress,
                              std::stop_token stop) {
  if (!source.passages.empty())
    return tasks::summarise(engine, source.document, source.passages, options, progress, std::move(stop));
  auto passages = tasks::passages_for_summary(source.document, engine, options);
  if (!passages) return passages.error();
  return tasks::summarise(engine, source.document, *passages, options, progress, std::move(stop));
}

Result<Outcome> summarise_batch(Context& context, engine::Engine* engine, Interrupts& interrupts) {
  const tasks::SummariseOptions options = summarise_options(context.options());
  auto items = batch_items(context);
  if (!items) return items.error();
  std::unique_ptr<reader::Reader> reader;
  const auto work = [&](const tasks::BatchItem& item, std::stop_token stop) -> Result<Json> {
    Source source;
    if (item.file.empty()) {
      source.document.source = item.id;
      source.document.media_type = "text/plain";
      source.document.text = item.text;
    } else {
      if (reader == nullptr) {
        auto opened = context.open_reader();
        if (!opened) return opened.error();
        reader = std::move(*opened);
      }
      auto document = reader->read(item.file, item.id);
      if (!document) return document.error();
      source.document = std::move(*document);
    }
    auto summary = summarise_one(engine, source, options, {}, std::move(stop));
    if (!summary) return summary.error();
    return tasks::to_json(*summary, item.id);
  };
  return run_batch(context, "summarise",
                   settings_json(context.options(), engine == nullptr ? "" : engine->model_name()), *items,
                   work, interrupts);
}

}  // namespace

Result<Outcome> run_summarise(Context& context) {
  const Options& options = context.options();
  Terminal& terminal = context.terminal();
  const bool collection = names_collection(context);
  const bool batch = is_batch(context);
  if (collection && batch) {
    return Error{Kind::bad_request, "loam summarise", "one document of a collection at a time",
                 "loam summarise -c " + options.collection + " SOURCE"};
  }
  if (collection && context.arguments().empty()) {
    return Error{Kind::bad_request, "loam summarise", "the name of a document is missing",
                 "loam summarise -c " + options.collection + " SOURCE"};
  }
  Interrupts interrupts;  // before any thread of the engine starts
  // The text first: whoever named a wrong file should not wait for a model.
  Source source;
  if (!batch) {
    if (collection) {
      auto found = from_collection(context, context.arguments().front());
      if (!found) return found.error();
      source = std::move(*found);
    } else if (context.arguments().empty() || context.arguments().front() == "-") {
      auto document = from_input(context);
      if (!document) return document.error();
      source.document = std::move(*document);
    } else {
      auto reader = context.open_reader();
      if (!reader) return reader.error();
      auto document = (*reader)->read(context.arguments().front(), context.arguments().front());
      if (!document) return document.error();
      source.document = std::move(*document);
    }
  }
  std::unique_ptr<engine::LocalEngine> engine;
  if (!options.baseline_only) {
    auto opened = context.open_engine();
    if (!opened) {
      Error error = opened.error();
      if (options.model.empty() && error.kind == Kind::unavailable)
        error.next_step += ", or loam summarise --baseline-only";
      return error;
    }
    engine = std::move(*opened);
  }
  if (batch) return summarise_batch(context, engine.get(), interrupts);

  for (const std::string& note : source.document.notes) terminal.note(printable(note));
  auto summary = summarise_one(engine.get(), source, summarise_options(options), terminal.progress(),
                               interrupts.begin());
  interrupts.end();
  terminal.wipe_progress();
  if (!summary) return summary.error();
  const Json document = tasks::to_json(*summary, source.document.source);
  Json config = settings_json(options, summary->model);
  config["source"] = source.document.source;
  config["sha256"] = sha256_hex(source.document.text);
  config["version"] = LOAM_VERSION;
  auto store = context.open_store();
  if (!store) return store.error();
  auto run = (*store)->add_run(
      {RunId{}, system_clock().unix_seconds(), "summarise", dump_json(config), dump_json(document)});
  if (!run) return run.error();
  if (terminal.json()) {
    Json shown = document;
    shown["run"] = number_of(*run);
    terminal.json(shown);
  } else if (summary->text) {
    print_summary(terminal, *summary, number_of(*run));
  } else {
    terminal.note(fmt::format("{} holds no text to summarise", printable(source.document.source)));
  }
  return summary->text ? Outcome::done : Outcome::empty;
}

}  // namespace loam::cli
