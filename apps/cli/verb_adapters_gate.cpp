// `loam adapters check` and `loam adapters promote`: what is better is shown on held-out items before it
// serves.
#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/json.h"
#include "cli/adapters_common.h"
#include "cli/context.h"
#include "cli/eval_common.h"
#include "cli/interrupt.h"
#include "engine/base_identity.h"
#include "eval/ledger.h"
#include "train/gate.h"

namespace loam::cli {
namespace {

using engine::InstalledAdapter;
using engine::InstalledAdapters;

Json side_json(const train::GateSide& side) {
  return Json{{"name", side.name},
              {"perplexity", side.perplexity},
              {"instruction_perplexity", side.instruction_perplexity},
              {"token_ms", side.token_ms},
              {"prompt_ms", side.prompt_ms},
              {"adapter_bytes", side.memory_bytes}};
}

Json checks_json(const train::GateReport& report) {
  Json list = Json::array();
  for (const train::GateCheck& check : report.checks) {
    list.push_back({{"name", check.name},
                    {"passed", check.passed},
                    {"value", check.value},
                    {"limit", check.limit},
                    {"words", check.words}});
  }
  return list;
}

/// Both sides as runs of the ledger, so that they can be compared again. The candidate's number is returned.
Result<RunId> record_gate(Context& context, const train::GateReport& report,
                          const train::GateOptions& options, const eval::DataVersion& data,
                          eval::CostMeter& meter,
                          const std::vector<std::pair<std::vector<engine::Adapter>, bool>>& sides,
                          const std::filesystem::path& base) {
  const std::string measure(train::name_of(options.measure));
  auto store = context.open_store();
  if (!store) return store.error();
  RunId last{};
  for (const auto& [adapters, is_candidate] : sides) {
    const train::GateSide& side = is_candidate ? report.candidate : report.incumbent;
    eval::Run run;
    run.task = "adapter";
    run.name = side.name;
    run.split = "held-out";
    run.data = data;
    run.data.items = report.items.size();
    run.version = LOAM_VERSION;
    Json settings = {{"answer_tokens", options.answer_tokens}, {"side", side_json(side)}};
    if (is_candidate) {
      settings["gate"] = {{"passed", report.passed},
                          {"against", report.incumbent.name},
                          {"verdict", report.verdict},
                          {"p", report.paired.p},
                          {"checks", checks_json(report)}};
    }
    run.settings = dump_json(settings);
    auto model = model_use("chat", base.stem().string(), base);
    if (!model) return model.error();
    run.models.push_back(*std::move(model));
    for (const engine::Adapter& adapter : adapters) {
      auto use = model_use("adapter", fmt::format("{}:{}", adapter.file.stem().string(), adapter.scale),
                           adapter.file);
      if (!use) return use.error();
      run.models.push_back(*std::move(use));
    }
    run.metrics.push_back({measure, is_candidate ? report.paired.b : report.paired.a, true});
    for (const train::GateItem& item : report.items) {
      run.items.push_back({item.id,
                           item.cluster,
                           {{measure, is_candidate ? item.candidate : item.incumbent}},
                           is_candidate ? item.candidate_answer : item.incumbent_answer});
    }
    if (is_candidate) {
      run.cost = meter.cost();
      run.cost.tokens = report.tokens;
    }
    auto id = eval::record(**store, run);
    if (!id) return id.error();
    last = *id;
  }
  return last;
}

}  // namespace

Result<Outcome> run_adapters_check(Context& context) {
  const Options& options = context.options();
  Terminal& terminal = context.terminal();
  const InstalledAdapters installed(context.home());
  auto adapter = installed.show(context.arguments().front());
  if (!adapter) return adapter.error();
  if (!adapter->info.head.empty()) {
    return Error{Kind::bad_request, adapter->name,
                 "it is for an encoder (" + printable(adapter->info.head) + ")",
                 "loam eval qa or loam eval retrieval measures it"};
  }
  if (options.gate_data.empty()) {
    return Error{Kind::bad_request, "--data", "no held-out items are named",
                 fmt::format("loam adapters check {} --data held-out.jsonl", adapter->name)};
  }
  train::GateOptions gate;
  const auto measure = train::gate_measure_from(options.metric);
  if (!measure) return measure.error();
  gate.measure = *measure;
  gate.answer_tokens = options.answer_tokens;
  gate.cases = static_cast<std::size_t>(options.cases);
  auto data = train::read_training_data(options.gate_data);
  if (!data) return data.error();
  print_notes(terminal, data->notes);
  const auto base = context.find_model(options.model, engine::ModelRole::chat);
  if (!base) return base.error();
  const auto identity = engine::base_identity(*base);
  if (!identity) return identity.error();
  const auto serving = installed.default_for(*identity);
  if (!serving) return serving.error();
  std::vector<engine::Adapter> incumbent;
  if (*serving && (*serving)->name != adapter->name)
    incumbent.push_back({(*serving)->file, (*serving)->scale});
  const std::vector<engine::Adapter> candidate = {{adapter->file, adapter->scale}};

  Interrupts interrupts;  // before any thread of the engine starts
  engine::LocalEngineOptions engine_options = context.engine_options();
  auto engine = engine::LocalEngine::open(*base, engine_options, context.logger());
  if (!engine) return engine.error();
  eval::CostMeter meter;
  auto report =
      train::run_gate(**engine, incumbent, candidate, *data, gate, terminal.progress(), interrupts.begin());
  interrupts.end();
  terminal.wipe_progress();
  if (!report) return report.error();
  const auto run = record_gate(context, *report, gate, data->version, meter,
                               {{incumbent, false}, {candidate, true}}, *base);
  if (!run) return run.error();
  adapter->gate = engine::GateResult{number_of(*run), system_clock().unix_seconds(), report->passed,
                                     report->summary(), adapter->sha256};
  if (!report->passed && adapter->promotion == engine::Promotion::by_gate) {
    adapter->promotion = engine::Promotion::no;
  }
  if (auto saved = installed.save(*adapter); !saved) return saved.error();
  if (terminal.json()) {
    terminal.json({{"adapter", adapter->name},
                   {"passed", report->passed},
                   {"run", number_of(*run)},
                   {"metric", train::name_of(gate.measure)},
                   {"items", report->items.size()},
                   {"refused", report->refused},
                   {"verdict", report->verdict},
                   {"p", report->paired.p},
                   {"difference", estimate_json(report->paired.difference)},
                   {"checks", checks_json(*report)},
                   {"incumbent", side_json(report->incumbent)},
                   {"candidate", side_json(report->candidate)}});
    return report->passed ? Outcome::done : Outcome::empty;
  }
  for (const train::GateCheck& check : report->checks) {
    terminal.line(fmt::format(
        "{} {}: {}", check.passed ? terminal.paint(Style::green, "✓") : terminal.paint(Style::red, "✗"),
        check.name, check.words));
  }
  terminal.line(fmt::format("  memory: {} more while it serves",
                            human_bytes(static_cast<double>(report->candidate.memory_bytes))));
  if (report->refused > 0)
    terminal.note(fmt::format("{} did not fit the context; scored 0", plural(report->refused, "item")));
  terminal.line(wrap(printable(report->verdict), terminal.width()));
  terminal.line(report->passed
                    ? fmt::format("Passed. Ledger run {}. To let it serve: loam adapters promote {}",
                                  number_of(*run), adapter->name)
                    : fmt::format("Not passed. Ledger run {}.", number_of(*run)));
  return report->passed ? Outcome::done : Outcome::empty;
}

Result<Outcome> run_adapters_promote(Context& context) {
  const Options& options = context.options();
  Terminal& terminal = context.terminal();
  const InstalledAdapters installed(context.home());
  auto adapter = installed.show(context.arguments().front());
  if (!adapter) return adapter.error();
  const bool passed = adapter->gate && adapter->gate->passed;
  if (!passed && !options.force) {
    return Error{Kind::bad_request, adapter->name,
                 adapter->gate ? fmt::format("it failed its check (ledger run {}): {}", adapter->gate->run,
                                             printable(adapter->gate->summary))
                               : std::string("these bytes were never checked"),
                 adapter->gate ? "train on more, or --force"
                               : fmt::format("loam adapters check {} --data FILE", adapter->name)};
  }
  const auto base = base_of_adapter(context, adapter->info);
  if (!base) return base.error();
  const auto match = engine::check_adapter_base(adapter->file, *base);
  if (!match) return match.error();
  const auto identity = engine::base_identity(*base);
  if (!identity) return identity.error();
  adapter->promotion = passed ? engine::Promotion::by_gate : engine::Promotion::by_force;
  if (auto saved = installed.save(*adapter); !saved) return saved.error();
  if (adapter->info.head.empty()) {  // heads of encoders serve beside each other, by what they are for
    if (auto used = installed.use(adapter->name, *identity); !used) return used.error();
  }
  if (terminal.json()) {
    Json document = adapter_json(*adapter);
    document["in_use"] = true;
    document["forced"] = !passed;
    terminal.json(document);
    return Outcome::done;
  }
  terminal.line(fmt::format("{} is promoted{}, and is used with {} from now on.", adapter->name,
                            passed ? "" : " by force", base->stem().string()));
  if (!passed) terminal.note("That it is better was not shown.");
  return Outcome::done;
}

}  // namespace loam::cli
