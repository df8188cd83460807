// `loam train draft`: questions and answers out of the user's own documents, to be looked through and edited
// before anything is trained on them.
#include <fmt/format.h>

#include <filesystem>
#include <string>

#include "base/json.h"
#include "cli/context.h"
#include "tasks/draft_data.h"
#include "train/durable_file.h"

namespace loam::cli {
namespace {

Result<std::vector<tasks::DraftDocument>> documents_of(store::Store& store, CollectionId collection) {
  auto rows = store.documents(collection);
  if (!rows) return rows.error();
  std::vector<tasks::DraftDocument> documents;
  for (const store::DocumentRow& row : *rows) {
    tasks::DraftDocument document;
    document.source = row.source;
    auto pages = store.pages_of(row.id);
    if (!pages) return pages.error();
    document.pages = *std::move(pages);
    const auto ids = store.passages_of(row.id);
    if (!ids) return ids.error();
    auto passages = store.passages(*ids);
    if (!passages) return passages.error();
    for (auto& one : *passages) document.passages.push_back(std::move(one.passage));
    documents.push_back(std::move(document));
  }
  return documents;
}

Json counts_json(const tasks::DraftCounts& counts) {
  Json kept = Json::object();
  for (const auto& [kind, count] : counts.kept) kept[std::string(name_of(kind))] = count;
  return {{"documents", counts.documents},   {"documents_without", counts.documents_without},
          {"passages", counts.passages},     {"sentences", counts.sentences},
          {"repeated", counts.repeated},     {"ambiguous", counts.ambiguous},
          {"over_limit", counts.over_limit}, {"kept", kept}};
}

}  // namespace

Result<Outcome> run_train_draft(Context& context) {
  const Options& o = context.options();
  if (o.out_data.empty()) {
    return Error{Kind::bad_request, "--out-data", "no file to write is named",
                 "loam train draft --out-data draft.jsonl"};
  }
  std::error_code ignored;
  if (std::filesystem::exists(o.out_data, ignored)) {
    return Error{Kind::bad_request, o.out_data, "is there already, perhaps with your edits",
                 "name another file, or remove it"};
  }
  auto store = context.open_store_to_read();
  if (!store) return store.error();
  const auto collection = context.find_collection(**store, o.collection);
  if (!collection) return collection.error();
  const auto documents = documents_of(**store, collection->id);
  if (!documents) return documents.error();
  tasks::DraftOptions options;
  options.most = static_cast<std::size_t>(o.draft_items);
  options.most_per_passage = o.draft_per_passage;
  const tasks::Draft draft = tasks::draft_data(*documents, options);
  Terminal& terminal = context.terminal();
  if (!draft.items.empty()) {
    std::string lines;
    for (const tasks::DraftItem& item : draft.items) lines += tasks::draft_line(item) + "\n";
    if (auto written = train::write_durably(o.out_data, lines); !written) return written.error();
  }
  if (terminal.json()) {
    terminal.json({{"file", draft.items.empty() ? Json() : Json(o.out_data)},
                   {"items", draft.items.size()},
                   {"counts", counts_json(draft.counts)}});
    return draft.items.empty() ? Outcome::empty : Outcome::done;
  }
  const tasks::DraftCounts& counts = draft.counts;
  terminal.note(
      fmt::format("{} looked at, {} of them give no question; left out: {} repeated, {} with several "
                  "answers, {} over the limit",
                  plural(counts.documents, "document"), counts.documents_without, counts.repeated,
                  counts.ambiguous, counts.over_limit));
  if (draft.items.empty()) {
    terminal.note("Nothing to draft: the documents hold no definitions, fields, headings or values.");
    return Outcome::empty;
  }
  for (const auto& [kind, count] : counts.kept) {
    terminal.line(fmt::format("  {:<11} {}", name_of(kind), count));
  }
  terminal.line(fmt::format("{} in {}. Look through them and edit or delete lines, then:",
                            plural(draft.items.size(), "question"), printable(o.out_data)));
  terminal.line(fmt::format("  loam train lora --data {}", printable(o.out_data)));
  return Outcome::done;
}

}  // namespace loam::cli
