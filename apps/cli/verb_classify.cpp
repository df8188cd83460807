// `loam classify compare|fit`: which method, how much it may decide alone, and the chosen one as a file.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/json.h"
#include "base/utf8.h"
#include "cli/classify_tools.h"
#include "cli/context.h"
#include "cli/eval_common.h"
#include "cli/improve_work.h"
#include "cli/interrupt.h"
#include "tasks/classify.h"
#include "tasks/words.h"

namespace loam::cli {
namespace {

constexpr std::size_t kSuspectsShown = 10;

using tasks::percent;

const eval::Automation* at_target(const tasks::MethodScore& score, double target) {
  for (const eval::Automation& one : score.automation) {
    if (std::abs(one.target - target) < 1e-9) return &one;
  }
  return nullptr;
}

std::string ms_text(double ms) { return ms < 1 ? fmt::format("{:.3f}", ms) : fmt::format("{:.1f}", ms); }

void print_comparison(Context& context, const tasks::ClassifierComparison& found,
                      const tasks::CompareRequest& request) {
  Terminal& terminal = context.terminal();
  const double target = context.options().target;
  terminal.line();
  std::string parts =
      request.folds > 0
          ? fmt::format("  {} labels; {} items in {} folds, each tested by models that had not seen it",
                        found.labels.size(), found.test_items, request.folds)
          : fmt::format(
                "  {} labels; {} items to learn from, {} to choose settings and thresholds on, {} to "
                "test on",
                found.labels.size(), found.train_items, found.validate_items, found.test_items);
  if (request.shots > 0) parts += fmt::format(" ({} for each label, {} draws)", request.shots, request.draws);
  terminal.line(parts);
  terminal.line();
  Table table({Table::Align::left, Table::Align::right, Table::Align::left, Table::Align::right,
               Table::Align::right, Table::Align::right, Table::Align::right});
  table.add({"METHOD", "RIGHT", "95% INTERVAL", "MACRO-F1", fmt::format("ALONE AT {:g}%", 100.0 * target),
             "MS/ITEM", "MB"},
            Style::bold);
  for (const tasks::MethodScore& one : found.methods) {
    if (!one.scored) continue;
    const eval::Automation* automation = at_target(one, target);
    table.add({one.name, percent(one.accuracy.value),
               fmt::format("{} to {}", percent(one.accuracy.low), percent(one.accuracy.high)),
               percent(one.macro_f1.value),
               automation != nullptr && automation->decided > 0 ? percent(automation->coverage) : "none",
               ms_text(one.ms_per_item), fmt::format("{:.0f}", std::ceil(one.memory_mb))},
              one.name == found.recommended.method ? Style::green : Style::plain);
  }
  terminal.out(table.text(terminal, "  "));
  for (const tasks::MethodScore& one : found.methods) {
    if (one.note.empty()) continue;
    terminal.line(terminal.paint(
        Style::dim, wrap(printable(one.name + ": " + one.note), terminal.width(), "  ", "    ")));
  }
  terminal.line();
  terminal.line(terminal.paint(Style::bold, "  Recommended: " + found.recommended.method));
  terminal.line(wrap(printable(found.recommended.reason), terminal.width(), "  ", "  "));
  for (const tasks::MethodScore& one : found.methods) {
    if (one.name != found.recommended.method) continue;
    terminal.line();
    terminal.line("  How much it may decide alone (threshold found on one part, checked on the test part)");
    Table curve({Table::Align::right, Table::Align::right, Table::Align::right, Table::Align::right,
                 Table::Align::right});
    curve.add({"TARGET", "DECIDED ALONE", "OF THESE RIGHT", "AT LEAST", "ASK BELOW"}, Style::bold);
    for (const eval::Automation& point : one.automation) {
      if (point.decided == 0) {
        curve.add({percent(point.target), "none", "", "", ""});
      } else {
        curve.add({percent(point.target), percent(point.coverage), percent(point.accuracy),
                   percent(point.low), fmt::format("{:.3f}", point.threshold)});
      }
    }
    terminal.out(curve.text(terminal, "  "));
  }
  if (!found.suspects.empty()) {
    terminal.line();
    terminal.line(
        wrap(fmt::format("{} of {} labels look wrong to a model that has not seen them ({}, out of fold). "
                         "The most doubtful:",
                         found.suspects.size(), request.data.items.size(), found.suspects_method),
             terminal.width(), "  ", "  "));
    for (std::size_t i = 0; i < std::min(kSuspectsShown, found.suspects.size()); ++i) {
      const tasks::LabelSuspect& one = found.suspects[i];
      const eval::LabelledText& item = request.data.items[one.item];
      terminal.line(wrap(printable(fmt::format("line {}: \"{}\" is {}, or {}?", item.line,
                                               shorten(one_line(item.text), 60), one.label, one.suggested)),
                         terminal.width(), "    ", "      "));
    }
  }
  if (!terminal.quiet()) {
    terminal.line();
    terminal.line(terminal.paint(
        Style::dim, fmt::format("  Next: loam classify fit {} -o my.classifier --method {}",
                                printable(context.arguments().front()), found.recommended.method)));
  }
}

Json threshold_json(const tasks::Threshold& one) {
  return {{"target", one.target},
          {"threshold", one.threshold},
          {"coverage", one.coverage},
          {"accuracy", one.accuracy},
          {"low", one.low}};
}

}  // namespace

Result<Outcome> run_classify_compare(Context& context) {
  Interrupts interrupts;
  auto request = compare_request(context.options(), context.arguments().front());
  if (!request) return request.error();
  for (const std::string& name : request->methods) {
    if (!tasks::method_named(name)) {
      auto refused = tasks::compare_classifiers(*request, {});  // its error lists the names
      if (!refused) return refused.error();
    }
  }
  auto open = open_tools(context, request->methods);
  if (!open) return open.error();
  Terminal& terminal = context.terminal();
  auto found = tasks::compare_classifiers(*request, open->tools, terminal.progress(), interrupts.begin());
  interrupts.end();
  terminal.wipe_progress();
  if (!found) return found.error();
  print_notes(terminal, found->notes);
  if (terminal.json()) {
    terminal.json(tasks::to_json(*found, *request));
  } else {
    print_comparison(context, *found, *request);
  }
  const auto& given = context.given_names;
  if (std::find(given.begin(), given.end(), "target") != given.end()) {
    for (const tasks::MethodScore& one : found->methods) {
      if (one.name != found->recommended.method) continue;
      const eval::Automation* automation = at_target(one, context.options().target);
      if (automation == nullptr || automation->decided == 0) return Outcome::empty;
    }
  }
  return Outcome::done;
}

Result<Outcome> run_classify_fit(Context& context) {
  Interrupts interrupts;
  const Options& options = context.options();
  Terminal& terminal = context.terminal();
  if (options.output.empty()) {
    return Error{Kind::bad_request, "loam classify fit", "there is no name for the classifier",
                 "loam classify fit " + context.arguments().front() + " -o my.classifier"};
  }
  auto request = compare_request(context.options(), context.arguments().front());
  if (!request) return request.error();
  std::string reason;
  std::string name = options.method;
  std::optional<tasks::MethodSettings> adopted_settings;
  const auto& typed = context.given_names;
  if (name == "auto" && std::find(typed.begin(), typed.end(), "method") == typed.end()) {
    auto adopted = adopted_for_data(context, context.arguments().front());
    if (!adopted) return adopted.error();
    if (*adopted) {
      name = tasks::name_of((*adopted)->settings.method);
      adopted_settings = (*adopted)->settings.settings;
      reason = fmt::format("{} was adopted for this file by loam improve (ledger run {}).", name,
                           number_of((*adopted)->run));
    }
  }
  std::unique_ptr<engine::LocalEmbedder> embedder;
  if (name == "auto") {
    // The comparison decides; a language model cannot be kept in a file.
    request->methods = {"majority", "tfidf+logreg", "bm25-knn", "embeddings+logreg"};
    auto open = open_tools(context, request->methods);
    if (!open) return open.error();
    if (open->tools.embedder == nullptr) request->methods.pop_back();
    request->find_suspects = false;
    auto found = tasks::compare_classifiers(*request, open->tools, terminal.progress(), interrupts.begin());
    interrupts.end();
    terminal.wipe_progress();
    if (!found) return found.error();
    print_notes(terminal, found->notes);
    name = found->recommended.method;
    reason = found->recommended.reason;
    embedder = std::move(open->embedder);
  } else {
    print_notes(terminal, request->data.notes);
  }
  const auto method = tasks::method_named(name);
  if (!method) return Error{Kind::our_bug, "--method", "\"" + name + "\" is no method", "report it"};
  if (tasks::needs_embedder(*method) && embedder == nullptr) {
    auto opened = context.open_embedder();
    if (!opened) return opened.error();
    embedder = *std::move(opened);
  }
  tasks::FitOptions fit;
  fit.seed = static_cast<std::uint64_t>(options.seed);
  fit.threads = options.threads;
  fit.version = LOAM_VERSION;
  fit.settings = adopted_settings;
  if (std::none_of(fit.targets.begin(), fit.targets.end(),
                   [&](double target) { return std::abs(target - options.target) < 1e-9; })) {
    fit.targets.push_back(options.target);
  }
  auto classifier = tasks::Classifier::fit(*method, request->data, fit, embedder.get(), terminal.progress(),
                                           interrupts.begin());
  interrupts.end();
  terminal.wipe_progress();
  if (!classifier) return classifier.error();
  if (auto saved = classifier->save(options.output); !saved) return saved.error();

  const tasks::Provenance& from = classifier->provenance();
  if (terminal.json()) {
    Json thresholds = Json::array();
    for (const tasks::Threshold& one : classifier->thresholds()) thresholds.push_back(threshold_json(one));
    terminal.json({{"file", options.output},
                   {"method", name},
                   {"reason", reason.empty() ? Json() : Json(reason)},
                   {"labels", classifier->labels()},
                   {"items", from.items},
                   {"accuracy", estimate_json(from.accuracy)},
                   {"macro_f1", estimate_json(from.macro_f1)},
                   {"calibration_error", from.calibration_error},
                   {"thresholds", std::move(thresholds)},
                   {"embedder", from.embedder.empty() ? Json() : Json(from.embedder)},
                   {"bytes", static_cast<std::uint64_t>(file_mb(options.output) * 1e6 + 0.5)},
                   {"notes", notes_json(request->data.notes)}});
    return Outcome::done;
  }
  terminal.line();
  if (!reason.empty()) terminal.line(wrap(printable(reason), terminal.width(), "  ", "  ") + "\n");
  terminal.line(wrap(
      printable(fmt::format("{}: {}, {} labels, fitted on {} items; right for {} ({} to {}) of them when "
                            "it had not seen them. {}.",
                            options.output, name, classifier->labels().size(), from.items,
                            percent(from.accuracy.value), percent(from.accuracy.low),
                            percent(from.accuracy.high), human_bytes(file_mb(options.output) * 1e6))),
      terminal.width(), "  ", "  "));
  terminal.line();
  Table curve({Table::Align::right, Table::Align::right, Table::Align::right, Table::Align::right});
  curve.add({"TARGET", "DECIDED ALONE", "OF THESE RIGHT", "ASK BELOW"}, Style::bold);
  for (const tasks::Threshold& one : classifier->thresholds()) {
    const bool some = one.threshold <= 1.0;
    curve.add({percent(one.target), some ? percent(one.coverage) : "none", some ? percent(one.accuracy) : "",
               some ? fmt::format("{:.3f}", one.threshold) : ""});
  }
  terminal.out(curve.text(terminal, "  "));
  if (!terminal.quiet()) {
    terminal.line();
    terminal.line(terminal.paint(
        Style::dim, fmt::format("  Next: loam classify predict {} NEW.csv", printable(options.output))));
  }
  return Outcome::done;
}

}  // namespace loam::cli
