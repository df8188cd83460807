// `loam eval qa` and `loam eval retrieval`: questions with known answers, queries with known documents.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/json.h"
#include "cli/encoders.h"
#include "cli/eval_contestants.h"
#include "cli/interrupt.h"
#include "tasks/eval_qa.h"
#include "tasks/eval_retrieval.h"

namespace loam::cli {
namespace {

template <typename From>
std::vector<Contestant> contestants_of(std::vector<From> all) {
  std::vector<Contestant> out;
  for (From& one : all) out.push_back({std::move(one.name), std::move(one.items), std::move(one.metrics)});
  return out;
}

Outcome show(Context& context, const ContestantRuns& recorded, const std::vector<eval::DataNote>& notes,
             const Json& extra = nullptr) {
  Terminal& terminal = context.terminal();
  if (terminal.json()) {
    Json document = contestants_json(recorded);
    document["notes"] = notes_json(notes);
    if (extra.is_object()) document.update(extra);
    terminal.json(document);
  } else {
    print_contestants(terminal, recorded);
  }
  return Outcome::done;
}

/// The re-ranked hybrid, else the hybrid first: it is what `loam search` uses, and the others are compared
/// with it.
void hybrid_first(std::vector<tasks::RetrievalContestant>& contestants) {
  for (std::size_t i = 1; i < contestants.size(); ++i) {
    if (contestants[i].name == "hybrid") std::swap(contestants[0], contestants[i]);
    if (contestants[i].name == "re-ranked") std::swap(contestants[0], contestants[i]);
  }
}

/// The collection of a data set: its name, unless -c gives another.
std::string corpus_collection(const Context& context, const std::filesystem::path& folder) {
  const auto& given = context.given_names;
  if (std::find(given.begin(), given.end(), "collection") != given.end()) return context.options().collection;
  std::filesystem::path name = folder;
  if (name.filename().empty()) name = name.parent_path();
  return "beir-" + std::filesystem::weakly_canonical(name).filename().string();
}

Result<OpenCollection> ingested(Context& context, const std::filesystem::path& folder, std::stop_token stop) {
  OpenCollection open;
  auto store = context.open_store();
  if (!store) return store.error();
  open.store = std::move(*store);
  auto embedder = context.open_embedder();
  if (!embedder) return embedder.error();
  open.embedder = std::move(*embedder);
  const std::string name = corpus_collection(context, folder);
  // A collection of a person's own documents is not to be brought in step with a data set by mistake.
  auto known = open.store->find_collection(name);
  if (!known) return known.error();
  if (known->has_value()) {
    bool foreign = false;
    auto visited = open.store->for_each_document(
        (*known)->id, [&](const store::DocumentRow& row) { foreign = foreign || !row.path.empty(); });
    if (!visited) return visited.error();
    if (foreign) {
      return Error{Kind::bad_request, "collection \"" + name + "\"",
                   "it holds files that were ingested, and --ingest would remove them",
                   "loam eval retrieval --ingest -c " + name + "-eval " + folder.string()};
    }
  }
  auto collection = open.store->ensure_collection(name, open.embedder->model_name(),
                                                  open.embedder->fingerprint(), open.embedder->dimensions());
  if (!collection) return collection.error();
  open.collection = std::move(*collection);
  if (auto used = context.use_adopted(*open.store, store::scope_of(open.collection.id)); !used)
    return used.error();
  auto summary = tasks::ingest_corpus(*open.store, open.collection.id, *open.embedder, folder,
                                      context.options().passage_tokens, context.terminal().progress(), stop,
                                      context.options().overlap_sentences);
  context.terminal().wipe_progress();
  if (!summary) return summary.error();
  context.terminal().note(fmt::format("collection \"{}\": {} documents, {} added, {} unchanged, {} removed",
                                      name, summary->documents, summary->added, summary->unchanged,
                                      summary->removed));
  auto retriever = retrieve::Retriever::open(*open.store, open.collection.id, *open.embedder);
  if (!retriever) return retriever.error();
  open.retriever = std::move(*retriever);
  return open;
}

}  // namespace

Result<Outcome> run_eval_qa(Context& context) {
  const Options& options = context.options();
  auto data = eval::read_qa(context.arguments().front());
  if (!data) return data.error();
  print_notes(context.terminal(), data->notes);
  if (data->cases.empty())
    return Error{Kind::bad_data, context.arguments().front(), "it holds no questions",
                 "see loam eval qa --help"};
  keep_first(context, data->cases, data->version);
  auto pre_prompt = prompt::load_pre_prompt(options.pre_prompt, context.home() / "prompts");
  if (!pre_prompt) return pre_prompt.error();
  Interrupts interrupts;
  auto open = context.open_collection();
  if (!open) return open.error();
  if (context.adopted().contains("ask.pre_prompt")) {
    pre_prompt = prompt::load_pre_prompt(options.pre_prompt, context.home() / "prompts");
    if (!pre_prompt) return pre_prompt.error();
  }
  std::unique_ptr<engine::LocalEngine> engine;
  if (!options.baseline_only) {
    auto opened = context.open_engine();
    if (!opened) return opened.error();
    engine = std::move(*opened);
  }
  tasks::QaOptions qa;
  qa.ask.passages_shown = options.passages;
  qa.ask.answer_tokens = options.answer_tokens;
  qa.ask.min_confidence = static_cast<float>(options.min_confidence);
  qa.ask.use_model = !options.baseline_only;
  auto encoders = open_encoders(context, *open->embedder, Reads::yes);
  if (!encoders) return encoders.error();
  qa.ask.retrieve = context.retrieve_options();
  qa.ask.retrieve.reranker = encoders->reranker.get();
  qa.ask.reader = encoders->reader.get();
  qa.ask.pre_prompt = *pre_prompt;
  Pass pass{start_run("qa", "loam ask", data->version), "{}", {}, 0, "f1"};
  auto evaluation = tasks::evaluate_qa(*open->retriever, *open->embedder, engine.get(), *data, qa,
                                       context.terminal().progress(), interrupts.begin());
  interrupts.end();
  context.terminal().wipe_progress();
  if (!evaluation) return evaluation.error();
  pass.tokens = evaluation->tokens;
  pass.settings = dump_json(Json{{"collection", open->collection.name},
                                 {"passages", options.passages},
                                 {"candidates", options.candidates},
                                 {"legs", options.legs},
                                 {"lexical_weight", options.lexical_weight},
                                 {"baseline_only", options.baseline_only},
                                 {"pre_prompt", options.pre_prompt},
                                 {"answer_tokens", options.answer_tokens},
                                 {"min_confidence", options.min_confidence}});
  auto models = models_in_use(context, engine != nullptr, true);
  if (!models) return models.error();
  pass.models = std::move(*models);
  pass.models.insert(pass.models.end(), encoders->models.begin(), encoders->models.end());
  auto recorded =
      record_contestants(context, std::move(pass), contestants_of(std::move(evaluation->contestants)));
  if (!recorded) return recorded.error();
  return show(context, *recorded, data->notes);
}

Result<Outcome> run_eval_retrieval(Context& context) {
  const Options& options = context.options();
  const std::filesystem::path folder = context.arguments().front();
  auto data = eval::read_beir(folder, options.split);
  if (!data) return data.error();
  print_notes(context.terminal(), data->notes);
  if (data->queries.empty())
    return Error{Kind::bad_data, folder.string(), "it holds no judged queries",
                 "see loam eval retrieval --help"};
  keep_first(context, data->queries, data->version);
  Interrupts interrupts;
  const std::stop_token stop = interrupts.begin();
  auto open = options.ingest_corpus ? ingested(context, folder, stop) : context.open_collection();
  if (!open) return open.error();
  auto encoders = open_encoders(context, *open->embedder, Reads::no);
  if (!encoders) return encoders.error();
  retrieve::RetrieveOptions how = context.retrieve_options();
  how.reranker = encoders->reranker.get();
  Pass pass{start_run("retrieval", "hybrid", data->version), "{}", {}, 0, "ndcg@10"};
  auto evaluation = tasks::evaluate_retrieval(*open->retriever, *open->store, open->collection.id, *data, how,
                                              context.terminal().progress(), stop);
  interrupts.end();
  context.terminal().wipe_progress();
  if (!evaluation) return evaluation.error();
  if (evaluation->refused > 0)
    context.terminal().note(fmt::format("{} refused: longer than the embedder reads; scored 0 there",
                                        plural(evaluation->refused, "query", "queries")));
  if (evaluation->judged_missing > 0)
    context.terminal().note(
        fmt::format("{} not in the collection; they count as not found",
                    plural(evaluation->judged_missing, "judged document is", "judged documents are")));
  hybrid_first(evaluation->contestants);
  pass.settings = dump_json(Json{{"collection", open->collection.name},
                                 {"split", options.split},
                                 {"candidates", options.candidates},
                                 {"lexical_weight", options.lexical_weight}});
  pass.measured.run.split = options.split;
  auto models = models_in_use(context, false, true);
  if (!models) return models.error();
  pass.models = std::move(*models);
  pass.models.insert(pass.models.end(), encoders->models.begin(), encoders->models.end());
  auto recorded =
      record_contestants(context, std::move(pass), contestants_of(std::move(evaluation->contestants)));
  if (!recorded) return recorded.error();
  return show(context, *recorded, data->notes,
              {{"refused", evaluation->refused}, {"judged_missing", evaluation->judged_missing}});
}

}  // namespace loam::cli
