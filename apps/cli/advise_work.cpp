// Measuring for `loam advise`: everything but classification, each with what needs no language model beside
// it.
#include "cli/advise_work.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/json.h"
#include "cli/classify_tools.h"
#include "cli/eval_contestants.h"
#include "tasks/code.h"
#include "tasks/eval_qa.h"
#include "tasks/eval_texts.h"
#include "tasks/extract_cases.h"

namespace loam::cli {
namespace {

using tasks::AdviceTask;
using tasks::Rung;

constexpr std::size_t kItemsUnlessSaid = 40;

/// How a contestant of some evaluation stands on the ladder.
struct Standing {
  std::string name;
  Rung rung = Rung::none;
  bool trivial = false;
};

/// Items of a task with the score that counts.
struct Measure {
  std::string metric;  ///< in words
  std::string score;   ///< name among the items' scores
  double full = 1;
  std::string decided;
  std::vector<Standing> standings;
};

Measure measure_of(AdviceTask task) {
  switch (task) {
    case AdviceTask::answer:
      return {"right",
              "right",
              1,
              "answered",
              {{"loam ask", Rung::small_model, false}, {"extractive baseline", Rung::embeddings, false}}};
    case AdviceTask::summarise:
      return {"ROUGE-2",
              "rouge_2",
              1,
              "",
              {{"loam summarise", Rung::small_model, false},
               {"textrank", Rung::none, false},
               {"lead", Rung::none, true}}};
    case AdviceTask::translate:
      return {"chrF",
              "chrf",
              100,
              "",
              {{"loam translate", Rung::small_model, false}, {"copy-source", Rung::none, true}}};
    case AdviceTask::extract:
      return {"field F1",
              "f1",
              1,
              "",
              {{"loam extract", Rung::small_model, false},
               {"model unchecked", Rung::small_model, false},
               {"patterns", Rung::none, false}}};
    case AdviceTask::code:
    case AdviceTask::classify:
      break;
  }
  return {"pass@1", "pass@1", 1, "pass@1", {}};
}

template <typename Cases>
void keep_some(Terminal& terminal, const Options& options, Cases& cases, eval::DataVersion& version) {
  const std::size_t most = options.cases > 0 ? static_cast<std::size_t>(options.cases) : kItemsUnlessSaid;
  if (cases.size() <= most) return;
  terminal.note(
      fmt::format("measuring on the first {} of {} items (--limit N for more)", most, cases.size()));
  cases.resize(most);
  version.items = most;
}

template <typename From>
std::vector<Contestant> contestants_of(std::vector<From> all) {
  std::vector<Contestant> out;
  for (From& one : all) out.push_back({std::move(one.name), std::move(one.items), std::move(one.metrics)});
  return out;
}

/// Contestants with and without the model, as the ledger and the advice need them.
struct Measured {
  std::vector<Contestant> contestants;
  double baseline_ms = 0, model_ms = 0;  ///< for one item
  std::uint64_t tokens = 0;
};

/// `run` takes the engine, or null for what needs none; the difference of both times is the model's.
template <typename Run>
Result<Measured> measured(engine::Engine* engine, std::size_t items, const Run& run) {
  Measured found;
  const Stopwatch without;
  auto baseline = run(nullptr);
  if (!baseline) return baseline.error();
  const auto n = static_cast<double>(std::max<std::size_t>(items, 1));
  found.baseline_ms = without.milliseconds() / n;
  if (engine == nullptr) {
    found.contestants = contestants_of(std::move(baseline->contestants));
    return found;
  }
  const Stopwatch with;
  auto both = run(engine);
  if (!both) return both.error();
  found.model_ms = std::max(with.milliseconds() / n, found.baseline_ms);
  found.tokens = both->tokens;
  found.contestants = contestants_of(std::move(both->contestants));
  return found;
}

}  // namespace

Result<tasks::Evidence> measure_work(Context& context, const Options& options, AdviceTask task,
                                     const std::string& file, double target, Interrupts& interrupts) {
  Terminal& terminal = context.terminal();
  tasks::Evidence evidence;
  std::unique_ptr<engine::LocalEngine> engine;
  std::string no_engine;
  double model_mb = 0, embedder_mb = 0;
  const auto open_model = [&]() -> Result<void> {
    auto opened = context.open_engine();
    if (opened) {
      engine = *std::move(opened);
      auto found = context.find_model(options.model, engine::ModelRole::chat);
      if (found) model_mb = file_mb(*found);
      return done();
    }
    if (opened.error().kind != Kind::unavailable || !options.model.empty()) return opened.error();
    no_engine = "skipped: no language model (loam models pull smollm2-135m-instruct)";
    return done();
  };
  const ProgressSink progress = terminal.progress();
  const Measure measure = measure_of(task);
  Result<Measured> found = Measured{};
  std::vector<std::string> inputs, outputs;
  EvalRun meter = start_run(std::string(tasks::name_of(task)), "", {});
  bool uses_embedder = false;

  if (task == AdviceTask::summarise || task == AdviceTask::translate) {
    auto data = eval::read_texts(file);
    if (!data) return data.error();
    keep_some(terminal, options, data->cases, data->version);
    evidence.data = data->version;
    evidence.notes = data->notes;
    for (const eval::TextCase& one : data->cases) {
      inputs.push_back(one.input);
      if (!one.references.empty()) outputs.push_back(one.references.front());
      evidence.clusters.push_back(one.cluster);
    }
    tasks::TranslateOptions translate;
    if (task == AdviceTask::translate) {
      if (options.to.empty()) {
        return Error{Kind::bad_request, "loam advise", "into which language?", "loam advise --to fr " + file};
      }
      auto to = tasks::find_language(options.to);
      if (!to) return to.error();
      translate.to = std::move(*to);
      if (!options.from.empty()) {
        auto from = tasks::find_language(options.from);
        if (!from) return from.error();
        translate.from = std::move(*from);
      }
    }
    if (auto opened = open_model(); !opened) return opened.error();
    const std::stop_token stop = interrupts.begin();
    found = measured(engine.get(), data->cases.size(), [&](engine::Engine* with) {
      return task == AdviceTask::summarise
                 ? tasks::evaluate_summaries(with, *data, {}, progress, stop)
                 : tasks::evaluate_translations(with, *data, translate, progress, stop);
    });
  } else if (task == AdviceTask::extract) {
    std::optional<tasks::ExtractSchema> schema;
    if (!options.schema.empty()) {
      auto text = read_text_file(options.schema);
      if (!text) return text.error();
      auto parsed = tasks::ExtractSchema::parse(*text, options.schema);
      if (!parsed) return parsed.error();
      schema = std::move(*parsed);
    }
    auto bytes = read_text_file(file);
    if (!bytes) return bytes.error();
    auto data = tasks::parse_extract_cases(*bytes, file, schema);
    if (!data) return data.error();
    keep_some(terminal, options, data->cases, data->version);
    evidence.data = data->version;
    evidence.notes = data->notes;
    for (const tasks::ExtractCase& one : data->cases) {
      inputs.push_back(one.text);
      outputs.push_back(one.reference);
      evidence.clusters.push_back(one.cluster);
    }
    if (auto opened = open_model(); !opened) return opened.error();
    const std::stop_token stop = interrupts.begin();
    found = measured(engine.get(), data->cases.size(), [&](engine::Engine* with) {
      return tasks::evaluate_extraction(with, *data, {}, progress, stop);
    });
  } else if (task == AdviceTask::answer) {
    auto data = eval::read_qa(file);
    if (!data) return data.error();
    if (data->cases.empty())
      return Error{Kind::bad_data, file, "it holds no questions", "see loam eval qa --help"};
    keep_some(terminal, options, data->cases, data->version);
    evidence.data = data->version;
    evidence.notes = data->notes;
    for (const eval::QaCase& one : data->cases) {
      inputs.push_back(one.question);
      outputs.push_back(one.answer.value_or(""));
      evidence.clusters.push_back(one.source);
    }
    uses_embedder = true;
    auto collection = context.open_collection();
    if (!collection) {
      Error error = collection.error();
      if (error.kind == Kind::bad_request)
        error.next_step =
            "ingest the documents that the questions are about: loam ingest FOLDER (or -c NAME)";
      return error;
    }
    if (auto used = context.find_model(options.embedder, engine::ModelRole::embedding); used)
      embedder_mb = file_mb(*used);
    if (auto opened = open_model(); !opened) return opened.error();
    tasks::QaOptions qa;
    qa.ask.retrieve = context.retrieve_options();
    const std::stop_token stop = interrupts.begin();
    found = measured(engine.get(), data->cases.size(), [&](engine::Engine* with) {
      qa.ask.use_model = with != nullptr;
      return tasks::evaluate_qa(*collection->retriever, *collection->embedder, with, *data, qa, progress,
                                stop);
    });
  } else {
    auto data = tasks::read_code_cases(file);
    if (!data) return data.error();
    keep_some(terminal, options, data->cases, data->version);
    evidence.data = data->version;
    evidence.notes = data->notes;
    if (auto opened = open_model(); !opened) return opened.error();
    const std::stop_token stop = interrupts.begin();
    Measured scored;
    Contestant writer;
    writer.name = "loam code";
    std::vector<double> passed;
    const Stopwatch watch;
    for (std::size_t i = 0; i < data->cases.size() && engine != nullptr; ++i) {
      if (progress) progress({"problems", i, data->cases.size()});
      auto one = tasks::score_code_case(*engine, data->cases[i], 1, {}, stop);
      if (!one) return one.error();
      if (stop.stop_requested())
        return Error{Kind::unavailable, "loam advise", "was interrupted", "run it again"};
      scored.tokens += static_cast<std::uint64_t>(one->usage.prompt_tokens + one->usage.answer_tokens);
      inputs.push_back(data->cases[i].task);
      outputs.push_back(one->first_code);
      passed.push_back(one->passed > 0 ? 1 : 0);
      writer.items.push_back({one->id, "", {{"pass@1", passed.back()}}, one->first_code});
    }
    scored.model_ms = watch.milliseconds() / static_cast<double>(std::max<std::size_t>(passed.size(), 1));
    writer.metrics.push_back({"pass@1", eval::bootstrap_mean(passed), true});
    if (!passed.empty()) scored.contestants.push_back(std::move(writer));
    found = std::move(scored);
  }
  interrupts.end();
  terminal.wipe_progress();
  if (!found) return found.error();

  const auto n = static_cast<double>(std::max<std::size_t>(inputs.size(), 1));
  evidence.metric = measure.metric;
  evidence.sample_items = inputs.size();
  evidence.tokens_out = tasks::mean_tokens(outputs, engine.get());
  evidence.tokens_in = found->tokens > 0
                           ? std::max(0.0, static_cast<double>(found->tokens) / n - evidence.tokens_out)
                           : tasks::mean_tokens(inputs, engine.get());
  std::vector<eval::ItemResult> first_items;
  Pass pass;
  pass.measured = std::move(meter);
  pass.measured.run.data = evidence.data;
  pass.settings = dump_json({{"for", "advise"}});
  auto models = models_in_use(context, engine != nullptr, uses_embedder);
  if (!models) return models.error();
  pass.models = std::move(*models);
  pass.tokens = found->tokens;
  pass.compared = measure.score;
  if (!found->contestants.empty()) {
    auto recorded = record_contestants(context, std::move(pass), std::move(found->contestants));
    if (!recorded) return recorded.error();
    for (const eval::Run& run : recorded->runs) {
      tasks::MeasuredContestant contestant;
      contestant.name = run.name;
      contestant.rung = Rung::small_model;
      for (const Standing& standing : measure.standings) {
        if (standing.name != run.name) continue;
        contestant.rung = standing.rung;
        contestant.trivial = standing.trivial;
      }
      contestant.score = measure.score;
      contestant.full = measure.full;
      contestant.decided = measure.decided;
      const bool writes = contestant.rung == Rung::small_model;
      contestant.ms_per_item = writes ? found->model_ms : found->baseline_ms;
      contestant.memory_mb = (writes ? model_mb : 0) + (uses_embedder ? embedder_mb : 0);
      contestant.run = run.id;
      evidence.candidates.push_back(tasks::candidate_of(contestant, run.items, target));
    }
  }
  if (engine == nullptr) {
    tasks::Candidate missing;
    missing.name = fmt::format("loam {}", task == AdviceTask::answer ? "ask" : tasks::name_of(task));
    missing.rung = Rung::small_model;
    missing.note = no_engine;
    evidence.candidates.push_back(std::move(missing));
  }
  return evidence;
}

}  // namespace loam::cli
