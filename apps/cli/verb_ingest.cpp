// Keeping collections: ingest, collections, check.
#include "index/ingest.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "cli/context.h"
#include "cli/interrupt.h"
#include "cli/show.h"

namespace loam::cli {
namespace {

using index::FileVerdict;
using index::IngestSummary;
using index::Verdict;

Style style_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::ingested:
      return Style::green;
    case Verdict::failed:
      return Style::red;
    case Verdict::skipped:
      return Style::yellow;
    case Verdict::renamed:
      return Style::cyan;
    case Verdict::removed:
      return Style::cyan;
    case Verdict::unchanged:
      return Style::dim;
  }
  return Style::plain;
}

Json verdict_json(const FileVerdict& file) {
  // Programs rely on five verdicts. A rename is a file whose content is unchanged, and the reason says so.
  const Verdict shown = file.verdict == Verdict::renamed ? Verdict::unchanged : file.verdict;
  return {{"file", file.file},
          {"verdict", index::name_of(shown)},
          {"reason", file.reason.empty() ? Json() : Json(file.reason)},
          {"passages", file.passages},
          {"ms", rounded_ms(file.milliseconds)}};
}

void print_verdict(Terminal& terminal, const FileVerdict& file) {
  std::string line =
      terminal.paint(style_of(file.verdict), fmt::format("{:<9}", index::name_of(file.verdict)));
  line += "  " + printable(one_line(file.file));
  if (file.verdict == Verdict::ingested) {
    line += terminal.paint(Style::dim,
                           fmt::format("  {}, {}", plural(static_cast<std::size_t>(file.passages), "passage"),
                                       human_duration(file.milliseconds)));
  }
  terminal.line(line);
  if (!file.reason.empty()) {
    terminal.line(terminal.paint(
        Style::dim, wrap(printable(file.reason), terminal.width(), "           ", "           ")));
  }
  terminal.flush();
}

std::string summary_text(const IngestSummary& summary, double milliseconds) {
  std::string text;
  const auto part = [&text](int count, std::string_view what) {
    if (count == 0) return;
    if (!text.empty()) text += ", ";
    text += fmt::format("{} {}", count, what);
  };
  part(summary.ingested, "ingested");
  part(summary.unchanged, "unchanged");
  part(summary.renamed, "renamed");
  part(summary.removed, "removed");
  part(summary.skipped, "skipped");
  part(summary.failed, "failed");
  if (text.empty()) text = "nothing to read";
  return text + fmt::format(" in {}", human_duration(milliseconds));
}

/// Prints exactly the extracted text, so that offsets of citations count its bytes.
Result<Outcome> show_text(Context& context) {
  const std::filesystem::path file = context.options().show_text;
  auto reader = context.open_reader();
  if (!reader) return reader.error();
  auto document = (*reader)->read(file, file.filename().string());
  if (!document) return document.error();
  Terminal& terminal = context.terminal();
  for (const std::string& note : document->notes)
    terminal.note(fmt::format("{}: {}", file.string(), printable(note)));
  if (terminal.json()) {
    Json pages = Json::array();
    for (const Page& page : document->pages) {
      pages.push_back({{"number", page.number}, {"start", page.span.start}, {"end", page.span.end}});
    }
    terminal.json({{"file", file.string()},
                   {"title", document->title},
                   {"media_type", document->media_type},
                   {"text", document->text},
                   {"pages", std::move(pages)},
                   {"notes", document->notes}});
  } else {
    terminal.out(terminal.out_is_terminal() ? printable(document->text) : document->text);
  }
  return document->text.empty() ? Outcome::empty : Outcome::done;
}

index::IngestOptions ingest_options(const Options& options, int embedder_max_tokens) {
  index::IngestOptions out;
  out.cut.max_tokens = embedder_max_tokens;
  out.cut.target_tokens = std::min(options.passage_tokens, embedder_max_tokens);
  out.cut.overlap_sentences = options.overlap_sentences;
  out.remove_missing = !options.keep_missing;
  out.trust_mtime = !options.rehash;
  out.follow_symlinks = options.follow_symlinks;
  out.include_hidden = options.hidden;
  return out;
}
}  // namespace

Result<Outcome> run_ingest(Context& context) {
  if (!context.options().show_text.empty()) return show_text(context);
  if (context.arguments().empty()) {
    return Error{Kind::bad_request, "loam ingest", "PATH is missing", "loam ingest FOLDER"};
  }
  Interrupts interrupts;  // before any thread of the engine starts
  Terminal& terminal = context.terminal();
  auto embedder = context.open_embedder();
  if (!embedder) return embedder.error();
  auto store = context.open_store();
  if (!store) return store.error();
  auto collection = (*store)->ensure_collection(context.options().collection, (*embedder)->model_name(),
                                                (*embedder)->fingerprint(), (*embedder)->dimensions());
  if (!collection) return collection.error();
  if (auto used = context.use_adopted(**store, store::scope_of(collection->id)); !used) return used.error();
  auto reader = context.open_reader();
  if (!reader) return reader.error();

  const std::vector<std::filesystem::path> paths(context.arguments().begin(), context.arguments().end());
  const Stopwatch watch;
  FileVerdict first_failure;
  const auto on_file = [&](const FileVerdict& file) {
    if (file.verdict == Verdict::failed && first_failure.file.empty()) first_failure = file;
    if (terminal.json()) {
      terminal.json_line(verdict_json(file));
    } else if (!terminal.quiet() || file.verdict == Verdict::failed) {
      terminal.wipe_progress();
      print_verdict(terminal, file);
    }
  };
  auto summary = index::ingest(**store, collection->id, **reader, **embedder, paths,
                               ingest_options(context.options(), (*embedder)->max_tokens()), on_file,
                               terminal.progress(), interrupts.begin(), context.logger());
  interrupts.end();
  terminal.wipe_progress();
  if (!summary) return summary.error();

  auto counts = (*store)->counts(collection->id);
  std::string after;
  if (counts) {
    after = fmt::format("Collection \"{}\": {}, {}.", printable(collection->name),
                        plural(counts->documents, "document"), plural(counts->passages, "passage"));
  }
  const std::string text = fmt::format("{}. {}", summary_text(*summary, watch.milliseconds()), after);
  if (terminal.json()) {
    terminal.note(text);
  } else if (!terminal.quiet()) {
    terminal.line("\n" + wrap(text, terminal.width()));
  }
  const int kept = summary->ingested + summary->unchanged + summary->renamed + summary->removed;
  if (summary->stopped) {
    terminal.note("Stopped. Everything reported above is kept; the same command goes on from here.");
    return Outcome::empty;
  }
  if (summary->failed > 0 && kept == 0) {
    if (summary->failed == 1)
      return Error{Kind::bad_data, first_failure.file, "it could not be read; see above", ""};
    return Error{Kind::bad_data, "loam ingest",
                 fmt::format("none of {} files could be read; see above", summary->failed), ""};
  }
  return summary->failed > 0 || kept == 0 ? Outcome::empty : Outcome::done;
}

Result<Outcome> run_collections_list(Context& context) {
  Terminal& terminal = context.terminal();
  std::error_code ignored;
  std::vector<store::Collection> all;
  std::unique_ptr<store::Store> store;
  if (std::filesystem::exists(context.store_file(), ignored)) {
    auto opened = context.open_store();
    if (!opened) return opened.error();
    store = std::move(*opened);
    auto listed = store->collections();
    if (!listed) return listed.error();
    all = std::move(*listed);
  }
  Json list = Json::array();
  Table table({Table::Align::left, Table::Align::right, Table::Align::right, Table::Align::right,
               Table::Align::left});
  table.add({"COLLECTION", "DOCUMENTS", "PASSAGES", "TEXT", "EMBEDDER"}, Style::bold);
  for (const store::Collection& one : all) {
    auto counts = store->counts(one.id);
    if (!counts) return counts.error();
    list.push_back({{"name", one.name},
                    {"documents", counts->documents},
                    {"passages", counts->passages},
                    {"text_bytes", counts->text_bytes},
                    {"embedder", one.embedder},
                    {"dimensions", one.dimensions}});
    table.add({printable(one.name), std::to_string(counts->documents), std::to_string(counts->passages),
               human_bytes(static_cast<double>(counts->text_bytes)), one.embedder});
  }
  if (terminal.json()) {
    terminal.json({{"collections", std::move(list)}});
  } else if (all.empty()) {
    terminal.line("There is no collection yet. To make one: loam ingest PATH");
  } else {
    terminal.out(table.text(terminal));
  }
  return all.empty() ? Outcome::empty : Outcome::done;
}

Result<Outcome> run_collections_rm(Context& context) {
  auto store = context.open_store_to_read();
  if (!store) return store.error();
  auto collection = context.find_collection(**store, context.arguments().front());
  if (!collection) return collection.error();
  auto counts = (*store)->counts(collection->id);
  if (!counts) return counts.error();
  if (auto ok = (*store)->remove_collection(collection->id); !ok) return ok.error();
  Terminal& terminal = context.terminal();
  if (terminal.json()) {
    terminal.json(
        {{"removed", collection->name}, {"documents", counts->documents}, {"passages", counts->passages}});
  } else {
    terminal.line(fmt::format("Removed collection \"{}\" with {}. The files themselves are untouched.",
                              printable(collection->name), plural(counts->documents, "document")));
  }
  return Outcome::done;
}

Result<Outcome> run_check(Context& context) {
  auto store = context.open_store_to_read();
  if (!store) return store.error();
  const Stopwatch watch;
  auto problems = (*store)->check();
  if (!problems) return problems.error();
  Terminal& terminal = context.terminal();
  if (terminal.json()) {
    terminal.json(
        {{"sound", problems->empty()}, {"problems", *problems}, {"store", context.store_file().string()}});
  } else if (problems->empty()) {
    terminal.line(fmt::format("{} The store is sound ({}, checked in {}).", terminal.paint(Style::green, "✓"),
                              context.store_file().string(), human_duration(watch.milliseconds())));
  } else {
    terminal.line(fmt::format("{} {} in {}:", terminal.paint(Style::red, "✗"),
                              plural(problems->size(), "problem"), context.store_file().string()));
    for (const std::string& problem : *problems)
      terminal.line(wrap(printable(problem), terminal.width(), "  ", "    "));
  }
  return problems->empty() ? Outcome::done : Outcome::empty;
}

}  // namespace loam::cli
