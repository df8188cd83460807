// `loam improve`: better settings for your data, searched, confirmed once, and adopted only when shown.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>

#include "base/json.h"
#include "cli/context.h"
#include "cli/encoders.h"
#include "cli/eval_common.h"
#include "cli/eval_contestants.h"
#include "cli/improve_work.h"
#include "cli/interrupt.h"
#include "cli/ledger_common.h"
#include "cli/nearest.h"
#include "tasks/improve.h"
#include "tasks/improve_classify.h"
#include "tasks/improve_collection.h"

namespace loam::cli {
namespace {

const std::vector<std::string> kTasks = {"qa", "retrieval", "classify"};

/// Keys that do not vary: --keep, and what the settings file says, because it goes before what is adopted.
Result<std::set<std::string>> fixed_keys(Context& context, const std::vector<std::string>& known) {
  std::set<std::string> fixed;
  for (const std::string& key : context.options().keep) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      const auto meant = nearest(key, known);
      return Error{Kind::bad_request, "--keep", fmt::format("\"{}\" is no setting that varies here", key),
                   meant ? "--keep " + *meant : fmt::format("one of {}", fmt::join(known, ", "))};
    }
    fixed.insert(key);
  }
  for (const auto& [key, line] : context.config_lines) {
    if (std::find(known.begin(), known.end(), key) != known.end()) {
      fixed.insert(key);
      context.terminal().note(
          fmt::format("{} is set in {} line {}, and is not varied", key, context.config_file.string(), line));
    }
  }
  return fixed;
}

/// A search with all that it uses, in the order in which each needs the one before.
struct Work {
  OpenCollection open;
  std::unique_ptr<engine::LocalEmbedder> embedder;
  Encoders encoders;
  std::unique_ptr<engine::LocalEngine> engine;
  std::unique_ptr<reader::Reader> reader;
  std::unique_ptr<tasks::Recuts> recuts;
  std::unique_ptr<store::Store> own_store;
  std::unique_ptr<tasks::ImprovePipeline> pipeline;
  store::Store* ledger = nullptr;
  tasks::ImproveRequest request;
  tasks::Cut present;
  std::vector<std::string> notes;
};

/// What was measured with a re-ranker or a reader is not taken for what was measured without.
void add_encoders(Work& work) {
  work.request.models.insert(work.request.models.end(), work.encoders.models.begin(),
                             work.encoders.models.end());
}

Result<tasks::ImproveRequest> request_of(Context& context) {
  const Options& options = context.options();
  tasks::ImproveRequest request;
  request.trials = static_cast<std::size_t>(options.trials);
  if (!options.budget.empty() || options.trials == 0) {
    auto seconds = parse_budget(options.budget.empty() ? "30m" : options.budget);
    if (!seconds) return seconds.error();
    request.budget_seconds = *seconds;
  }
  request.held_out_share = options.held_out;
  request.seed = static_cast<std::uint64_t>(options.seed);
  request.dry_run = options.dry_run;
  request.again = options.again;
  request.fresh = options.fresh;
  request.version = LOAM_VERSION;
  return request;
}

tasks::CollectionSettings settings_now(Context& context) {
  const Options& options = context.options();
  tasks::CollectionSettings now;
  now.cut = {options.passage_tokens, options.overlap_sentences};
  now.retrieve = context.retrieve_options();
  now.passages = options.passages;
  now.answer_tokens = options.answer_tokens;
  now.min_confidence = options.min_confidence;
  now.baseline_only = options.baseline_only;
  now.pre_prompt = options.pre_prompt;
  return now;
}

std::unique_ptr<tasks::Recuts> recuts_of(Context& context, Work& work) {
  return std::make_unique<tasks::Recuts>(tasks::Recuts::Parts{
      *work.open.store, work.open.collection, *work.open.embedder, work.reader.get(),
      context.home() / "improve" / fmt::format("collection-{}", number_of(work.open.collection.id))});
}

/// The collection with everything that trials over it need.
Result<tasks::CollectionTools> open_for_trials(Context& context, Work& work, tasks::CollectionSettings& now) {
  auto open = context.open_collection();
  if (!open) return open.error();
  work.open = std::move(*open);
  work.ledger = work.open.store.get();
  auto counts = work.open.store->counts(work.open.collection.id);
  if (!counts) return counts.error();
  if (counts->documents == 0) {
    return Error{Kind::bad_request, fmt::format("collection \"{}\"", work.open.collection.name),
                 "it holds no documents", "loam ingest -c " + work.open.collection.name + " PATH"};
  }
  auto reader = context.open_reader();
  if (!reader) return reader.error();
  work.reader = std::move(*reader);
  work.recuts = recuts_of(context, work);
  work.request.scope = store::scope_of(work.open.collection.id);
  work.request.scope_name = fmt::format("collection \"{}\"", work.open.collection.name);
  now = settings_now(context);
  auto encoders = open_encoders(context, *work.open.embedder, Reads::yes);
  if (!encoders) return encoders.error();
  work.encoders = *std::move(encoders);
  now.retrieve.reranker = work.encoders.reranker.get();
  now.reader = work.encoders.reader.get();

  auto fingerprint = tasks::fingerprint_of(*work.open.store, work.open.collection.id);
  if (!fingerprint) return fingerprint.error();
  auto cut = work.recuts->present();
  if (!cut) return cut.error();
  if (*cut) now.cut = **cut;
  work.present = now.cut;
  auto obstacle = work.recuts->obstacle();
  if (!obstacle) return obstacle.error();
  if (!obstacle->empty()) work.notes.push_back("the size of passages was not varied: " + *obstacle);
  return tasks::CollectionTools{
      work.recuts->embedder(),
      nullptr,
      [&work](const tasks::Cut& wanted, const ProgressSink& progress, std::stop_token stop) {
        return work.recuts->at(wanted, progress, std::move(stop));
      },
      [&context](const std::string& name) {
        return prompt::load_pre_prompt(name, context.home() / "prompts");
      },
      {},
      obstacle->empty(),
      {},
      std::move(*fingerprint)};
}

Result<void> prepare_qa(Context& context, Work& work) {
  const Options& options = context.options();
  auto data = eval::read_qa(options.improve_data);
  if (!data) return data.error();
  print_notes(context.terminal(), data->notes);
  if (data->cases.empty())
    return Error{Kind::bad_data, options.improve_data, "it holds no questions", "loam eval qa --help"};
  auto fixed =
      fixed_keys(context, {"ingest.passage_tokens", "ingest.overlap_sentences", "search.legs",
                           "search.lexical_weight", "search.candidates", "ask.passages", "ask.min_confidence",
                           "ask.baseline_only", "ask.pre_prompt", "ask.answer_tokens"});
  if (!fixed) return fixed.error();
  auto own_prompts = keep_prompts(context);
  if (!own_prompts) return own_prompts.error();
  tasks::CollectionSettings now;
  auto tools = open_for_trials(context, work, now);
  if (!tools) return tools.error();
  tools->fixed = std::move(*fixed);
  const auto& typed = context.given_names;
  const bool without_model =
      std::find(typed.begin(), typed.end(), "baseline-only") != typed.end() && options.baseline_only;
  if (!without_model) {
    auto engine = context.open_engine();
    if (!engine) {
      Error error = engine.error();
      if (options.model.empty() && error.kind == Kind::unavailable) error.next_step += ", or --baseline-only";
      return error;
    }
    work.engine = std::move(*engine);
    tools->engine = work.engine.get();
    tools->pre_prompts = {"grounded", "brief"};
    for (const std::string& name : *own_prompts) tools->pre_prompts.push_back(name);
  }
  auto models = models_in_use(context, tools->engine != nullptr, true);
  if (!models) return models.error();
  work.request.models = std::move(*models);
  add_encoders(work);
  if (tools->engine != nullptr) {
    std::vector<std::string> names = tools->pre_prompts;
    if (std::find(names.begin(), names.end(), now.pre_prompt) == names.end()) names.push_back(now.pre_prompt);
    auto prompts = prompts_in_use(context, names);
    if (!prompts) return prompts.error();
    work.request.models.insert(work.request.models.end(), prompts->begin(), prompts->end());
  }
  tasks::QaImprovement what;
  what.data = std::move(*data);
  if (!options.metric.empty()) what.metric = options.metric;
  what.wrong_cost = options.wrong_cost;
  if (what.metric == "worth")
    work.request.scoring = fmt::format("a wrong answer costs {}", options.wrong_cost);
  auto pipeline = tasks::improve_qa(std::move(what), now, std::move(*tools));
  if (!pipeline) return pipeline.error();
  work.pipeline = std::move(*pipeline);
  return done();
}

Result<void> prepare_retrieval(Context& context, Work& work) {
  const Options& options = context.options();
  auto data = eval::read_beir(options.improve_data, options.split);
  if (!data) return data.error();
  print_notes(context.terminal(), data->notes);
  if (data->queries.empty()) {
    return Error{Kind::bad_data, options.improve_data, "it holds no judged queries",
                 "loam eval retrieval --help"};
  }
  auto fixed = fixed_keys(context, {"ingest.passage_tokens", "ingest.overlap_sentences", "search.legs",
                                    "search.lexical_weight", "search.candidates"});
  if (!fixed) return fixed.error();
  tasks::CollectionSettings now;
  auto tools = open_for_trials(context, work, now);
  if (!tools) return tools.error();
  tools->fixed = std::move(*fixed);
  auto models = models_in_use(context, false, true);
  if (!models) return models.error();
  work.request.models = std::move(*models);
  add_encoders(work);
  auto pipeline = tasks::improve_retrieval(
      std::move(*data), options.metric.empty() ? "ndcg@10" : options.metric, now, std::move(*tools));
  if (!pipeline) return pipeline.error();
  work.pipeline = std::move(*pipeline);
  return done();
}

Result<void> prepare_classify(Context& context, Work& work, std::stop_token stop) {
  const Options& options = context.options();
  eval::ClassificationOptions columns;
  columns.text_column = options.text_column;
  columns.label_column = options.label_column;
  columns.group_column = options.group_column;
  columns.merge_stray_labels = options.merge_labels;
  auto data = eval::read_classification(options.improve_data, columns);
  if (!data) return data.error();
  print_notes(context.terminal(), data->notes);
  if (!options.metric.empty() && options.metric != "accuracy") {
    return Error{Kind::bad_request, "--metric",
                 "\"" + options.metric + "\" is no score that can be improved here", "--metric accuracy"};
  }
  auto fixed = fixed_keys(context, {"classify.method", "classify.c", "classify.character_ngrams",
                                    "classify.neighbours", "classify.balanced"});
  if (!fixed) return fixed.error();
  auto embedder = context.open_embedder();
  if (embedder) {
    work.embedder = std::move(*embedder);
    auto models = models_in_use(context, false, true);
    if (!models) return models.error();
    work.request.models = std::move(*models);
  } else if (embedder.error().kind != Kind::unavailable || !options.embedder.empty()) {
    return embedder.error();
  } else {
    work.notes.push_back("embeddings+logreg was left out, for there is no embedding model");
  }
  auto store = context.open_store();
  if (!store) return store.error();
  work.own_store = std::move(*store);
  work.ledger = work.own_store.get();
  work.request.scope = scope_of_data(options.improve_data);
  work.request.scope_name = options.improve_data;
  tasks::ClassifySettings now;
  now.method = work.embedder != nullptr ? tasks::Method::embeddings_logreg : tasks::Method::tfidf_logreg;
  auto adopted = adopted_for_data(context, options.improve_data);
  if (!adopted) return adopted.error();
  if (*adopted) now = (*adopted)->settings;
  auto pipeline = tasks::improve_classify(std::move(*data), now, work.embedder.get(), std::move(*fixed),
                                          options.threads, context.terminal().progress(), stop);
  context.terminal().wipe_progress();
  if (!pipeline) return pipeline.error();
  work.pipeline = std::move(*pipeline);
  return done();
}

tasks::Cut cut_of(const tasks::Arm& changes, tasks::Cut cut) {
  const auto take = [&](const char* key, int& into) {
    const auto found = changes.find(key);
    if (found == changes.end()) return;
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), into);
  };
  take("ingest.passage_tokens", cut.passage_tokens);
  take("ingest.overlap_sentences", cut.overlap_sentences);
  return cut;
}

/// Adopts a confirmed winner, cutting the collection anew first where it needs that.
Result<void> adopt(Context& context, store::Store& ledger, const tasks::ImproveStep& step,
                   tasks::Recuts* recuts, tasks::Cut present, std::stop_token stop) {
  if (step.recut && recuts != nullptr) {
    auto cut = recuts->recut_collection(cut_of(step.changes, present), context.terminal().progress(), stop);
    context.terminal().wipe_progress();
    if (!cut) return cut;
  }
  auto adopted = tasks::adopt_run(ledger, step, system_clock().unix_seconds());
  if (!adopted) return adopted.error();
  return done();
}

std::vector<std::string> next_steps(Context& context, const tasks::Improvement& found, bool adopted) {
  using tasks::ImproveEnd;
  const std::string& data = context.options().improve_data;
  std::vector<std::string> next;
  switch (found.end) {
    case ImproveEnd::better:
      if (!adopted) {
        next.push_back(
            fmt::format("loam improve --adopt {} --recut, which cuts the documents anew and then adopts",
                        found.run ? number_of(*found.run) : 0));
        break;
      }
      next.push_back(found.task == "classify" ? "loam classify fit " + data + " -o my.classifier"
                     : found.task == "qa"     ? std::string("loam ask \"...\", which uses it from now on")
                                          : std::string("loam search \"...\", which uses it from now on"));
      next.emplace_back(
          "loam improve --undo takes it back; loam improve --history --report gains.html draws it");
      break;
    case ImproveEnd::dry_run:
      next.emplace_back("the same command without --dry-run confirms it; its trials are kept");
      break;
    case ImproveEnd::current_is_best:
      next.push_back("a larger budget, or more " + tasks::plural_of(found.item_word));
      break;
    case ImproveEnd::not_shown:
      next.push_back(found.held_out && found.held_out->items_for_one_point > 0
                         ? fmt::format("more {}: with these {}, only differences above {:.3f} can be shown",
                                       tasks::plural_of(found.item_word), found.held_out->n,
                                       found.held_out->minimum_detectable)
                         : "more " + tasks::plural_of(found.item_word));
      break;
    case ImproveEnd::out_of_budget:
    case ImproveEnd::stopped:
      break;
  }
  return next;
}

Result<void> write_report(Context& context, store::Store& ledger, const std::string& scope) {
  const std::string& file = context.options().report_file;
  if (file.empty()) return done();
  auto steps = tasks::improvement_history(ledger, {}, scope);
  if (!steps) return steps.error();
  auto written = write_output(
      file, file.ends_with(".svg") ? tasks::improvement_svg(*steps) : tasks::improvement_html(*steps));
  if (written) context.terminal().note("written: " + file);
  return written;
}

/// The scope that was named by -c or --data; empty when none was.
Result<std::string> named_scope(Context& context, store::Store& store) {
  if (!context.options().improve_data.empty()) return scope_of_data(context.options().improve_data);
  const auto& typed = context.given_names;
  if (std::find(typed.begin(), typed.end(), "collection") == typed.end()) return std::string();
  auto collection = context.find_collection(store, context.options().collection);
  if (!collection) return collection.error();
  return store::scope_of(collection->id);
}

Result<Outcome> run_history(Context& context) {
  auto store = open_ledger(context);
  if (!store) return store.error();
  auto scope = named_scope(context, **store);
  if (!scope) return scope.error();
  const std::string task = context.arguments().empty() ? "" : context.arguments().front();
  auto steps = tasks::improvement_history(**store, task, *scope);
  if (!steps) return steps.error();
  if (auto written = write_report(context, **store, *scope); !written) return written.error();
  if (context.terminal().json()) {
    context.terminal().json(history_json(*steps));
  } else if (steps->empty()) {
    context.terminal().line("Nothing was searched yet.");
  } else {
    print_history(context, *steps);
  }
  return steps->empty() ? Outcome::empty : Outcome::done;
}

Result<Outcome> run_undo(Context& context) {
  auto store = open_ledger(context);
  if (!store) return store.error();
  auto scope = named_scope(context, **store);
  if (!scope) return scope.error();
  if (scope->empty()) {  // the newest that is in force, whosever it is
    auto all = (*store)->adoptions("");
    if (!all) return all.error();
    for (const store::Adoption& one : *all) {
      if (one.undone_at != 0) continue;
      *scope = one.scope;
      break;
    }
  }
  std::optional<store::Adoption> undone;
  if (!scope->empty()) {
    auto taken = (*store)->take_back(*scope, system_clock().unix_seconds());
    if (!taken) return taken.error();
    undone = *taken;
  }
  Terminal& terminal = context.terminal();
  if (!undone) {
    if (terminal.json()) {
      terminal.json({{"undone", nullptr}});
    } else {
      terminal.line("Nothing is adopted, so there is nothing to take back.");
    }
    return Outcome::empty;
  }
  auto before = (*store)->adopted(*scope);
  if (!before) return before.error();
  auto settings = tasks::settings_of(*undone);
  tasks::Arm old;
  if (*before) {
    if (auto kept = tasks::settings_of(**before)) old = *kept;
  }
  Json changes = Json::object();
  std::string next;
  std::vector<std::string> words;
  if (settings) {
    for (const auto& [key, value] : *settings) {
      const auto was = old.find(key);
      if (was != old.end() && was->second == value) continue;
      changes[key] = was == old.end() ? Json() : Json(was->second);
      words.push_back(was == old.end() ? key + " is the default again"
                                       : key + " is " + was->second + " again");
      if (!key.starts_with("ingest.") || !next.empty()) continue;
      if (auto collection = collection_of_scope(**store, *scope)) next = ingest_command(**store, *collection);
    }
  }
  if (terminal.json()) {
    terminal.json({{"undone", number_of(undone->run)},
                   {"scope", *scope},
                   {"settings", std::move(changes)},
                   {"next", next.empty() ? Json() : Json(next)}});
    return Outcome::done;
  }
  terminal.line(wrap(printable(fmt::format("Taken back what run {} had brought: {}.", number_of(undone->run),
                                           fmt::join(words, ", "))),
                     terminal.width()));
  if (!next.empty())
    terminal.line(
        wrap(printable("The documents are still cut in the other way. To cut them as before: " + next),
             terminal.width()));
  return Outcome::done;
}

Result<Outcome> run_adopt(Context& context) {
  Interrupts interrupts;
  auto store = open_ledger(context);
  if (!store) return store.error();
  auto step = tasks::improvement_of(**store, RunId{static_cast<std::uint64_t>(context.options().adopt_run)});
  if (!step) return step.error();
  Work work;
  work.open.store = std::move(*store);
  const bool recut = step->recut && step->confirmed && !step->adopted;
  if (recut) {
    if (!context.options().recut) {
      return Error{Kind::bad_request, fmt::format("run {}", number_of(step->run)),
                   "its settings need the documents cut and embedded anew",
                   fmt::format("loam improve --adopt {} --recut", number_of(step->run))};
    }
    auto collection = collection_of_scope(*work.open.store, step->scope);
    if (!collection) return collection.error();
    work.open.collection = std::move(*collection);
    auto embedder = context.open_embedder();
    if (!embedder) return embedder.error();
    work.open.embedder = std::move(*embedder);
    if (work.open.embedder->fingerprint() != work.open.collection.embedder_fingerprint) {
      return Error{Kind::bad_request, "--embedder",
                   "the collection was made with " + work.open.collection.embedder,
                   "--embedder " + work.open.collection.embedder};
    }
    auto reader = context.open_reader();
    if (!reader) return reader.error();
    work.reader = std::move(*reader);
    work.recuts = recuts_of(context, work);
    if (auto used = context.use_adopted(*work.open.store, step->scope); !used) return used.error();
    work.present = {context.options().passage_tokens, context.options().overlap_sentences};
    auto present = work.recuts->present();
    if (!present) return present.error();
    if (*present) work.present = **present;
  }
  auto adopted = adopt(context, *work.open.store, *step, work.recuts.get(), work.present, interrupts.begin());
  interrupts.end();
  if (!adopted) return adopted.error();
  if (work.recuts) work.recuts->clear();
  if (context.terminal().json()) {
    Json changes = Json::object();
    for (const auto& [key, value] : step->changes) changes[key] = value;
    context.terminal().json({{"adopted", number_of(step->run)}, {"changes", std::move(changes)}});
  } else {
    context.terminal().line(
        wrap(printable(fmt::format("Adopted for {}: {}. loam improve --undo takes it back.", step->scope_name,
                                   step->winner_name)),
             context.terminal().width()));
  }
  return Outcome::done;
}

Result<Outcome> run_search_for_better(Context& context) {
  const Options& options = context.options();
  const std::string& task = context.arguments().front();
  if (std::find(kTasks.begin(), kTasks.end(), task) == kTasks.end()) {
    const auto meant = nearest(task, kTasks);
    return Error{Kind::bad_request, "loam improve", fmt::format("there is no task \"{}\"", task),
                 "loam improve " + meant.value_or("qa") + " (there are " +
                     fmt::format("{}", fmt::join(kTasks, ", ")) + ")"};
  }
  if (options.improve_data.empty()) {
    return Error{Kind::bad_request, "loam improve " + task, "there is no data to improve on",
                 fmt::format("loam improve {} --data {} --budget 30m", task,
                             task == "qa"          ? "questions.jsonl"
                             : task == "retrieval" ? "FOLDER"
                                                   : "texts.csv")};
  }
  Interrupts interrupts;  // before any thread of the engine starts
  Work work;
  auto request = request_of(context);
  if (!request) return request.error();
  work.request = std::move(*request);
  const std::stop_token stop = interrupts.begin();
  auto prepared = task == "qa"          ? prepare_qa(context, work)
                  : task == "retrieval" ? prepare_retrieval(context, work)
                                        : prepare_classify(context, work, stop);
  if (!prepared) return prepared.error();
  Terminal& terminal = context.terminal();
  auto found =
      tasks::improve(*work.pipeline, *work.ledger, work.request, system_clock(), terminal.progress(), stop);
  terminal.wipe_progress();
  if (!found) return found.error();
  found->notes.insert(found->notes.end(), work.notes.begin(), work.notes.end());

  bool adopted = false;
  if (found->end == tasks::ImproveEnd::better && found->run && (!found->recut || options.recut)) {
    auto step = tasks::improvement_of(*work.ledger, *found->run);
    if (!step) return step.error();
    if (auto kept = adopt(context, *work.ledger, *step, work.recuts.get(), work.present, stop); !kept)
      return kept.error();
    adopted = true;
  }
  interrupts.end();
  const bool ended = found->end != tasks::ImproveEnd::stopped &&
                     found->end != tasks::ImproveEnd::out_of_budget &&
                     found->end != tasks::ImproveEnd::dry_run;
  if (ended && work.recuts) work.recuts->clear();
  const std::vector<std::string> next = next_steps(context, *found, adopted);
  if (terminal.json()) {
    terminal.json(improvement_json(*found, work.request.scope_name, adopted, next));
  } else {
    print_improvement(context, *found, work.request.scope_name, adopted, next);
  }
  if (auto written = write_report(context, *work.ledger, work.request.scope); !written)
    return written.error();
  const bool good = found->end == tasks::ImproveEnd::better || found->end == tasks::ImproveEnd::dry_run;
  return good ? Outcome::done : Outcome::empty;
}

}  // namespace

Result<Outcome> run_improve(Context& context) {
  const Options& options = context.options();
  const int ways = static_cast<int>(options.history) + static_cast<int>(options.undo) +
                   static_cast<int>(options.adopt_run > 0);
  if (ways > 1) {
    return Error{Kind::bad_request, "loam improve", "--history, --undo and --adopt are different things",
                 "one of them at a time"};
  }
  if (options.history) return run_history(context);
  if (options.undo) return run_undo(context);
  if (options.adopt_run > 0) return run_adopt(context);
  if (context.arguments().empty()) {
    if (!options.report_file.empty()) return run_history(context);
    return Error{Kind::bad_request, "loam improve", "TASK is missing",
                 fmt::format("loam improve {} --data FILE --budget 30m", fmt::join(kTasks, "|"))};
  }
  return run_search_for_better(context);
}

}  // namespace loam::cli
