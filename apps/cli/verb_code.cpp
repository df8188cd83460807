// `loam code` and `loam eval code`: programs that a model writes, held against tests in the sandbox.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/json.h"
#include "cli/context.h"
#include "cli/eval_common.h"
#include "cli/interrupt.h"
#include "cli/show.h"
#include "tasks/code.h"

namespace loam::cli {
namespace {

tasks::CodeRequest code_request(Context& context) {
  const Options& options = context.options();
  tasks::CodeRequest request;
  request.repair = options.repair;
  request.max_tokens = options.written_tokens;
  request.sampling = context.sampling();
  request.limits.wall_seconds = options.test_seconds;
  request.limits.cpu_seconds = std::max(1, options.test_seconds);
  return request;
}

Json usage_json(const engine::Usage& usage) {
  return {{"prompt", usage.prompt_tokens}, {"reused", usage.reused_tokens}, {"answer", usage.answer_tokens}};
}

Json attempt_json(const tasks::CodeAttempt& attempt) {
  Json tests = Json::array();
  for (const tasks::TestOutcome& test : attempt.report.tests) {
    tests.push_back({{"test", test.test},
                     {"passed", test.passed},
                     {"error", test.error.empty() ? Json() : Json(test.error)}});
  }
  return {{"passed", attempt.report.passed},
          {"failure", attempt.report.failure.empty() ? Json() : Json(attempt.report.failure)},
          {"code", attempt.code.empty() ? Json() : Json(attempt.code)},
          {"reply", attempt.reply},
          {"tests", std::move(tests)},
          {"timed_out", attempt.report.timed_out},
          {"out_of_memory", attempt.report.out_of_memory},
          {"seconds", attempt.report.seconds}};
}

std::string counts_of(const tasks::TestReport& report) {
  const auto passed = static_cast<std::size_t>(std::count_if(
      report.tests.begin(), report.tests.end(), [](const tasks::TestOutcome& t) { return t.passed; }));
  return fmt::format("{} of {} passed", passed, plural(report.tests.size(), "test"));
}

void print_tests(Terminal& terminal, const tasks::TestReport& report) {
  for (const tasks::TestOutcome& test : report.tests) {
    const std::string mark =
        test.passed ? terminal.paint(Style::green, "✓") : terminal.paint(Style::red, "✗");
    terminal.line(
        fmt::format("  {} {}", mark, shorten(printable(one_line(test.test)), terminal.width() - 4)));
    if (!test.passed) terminal.line(wrap(printable(one_line(test.error)), terminal.width(), "    ", "    "));
  }
}

}  // namespace

Result<Outcome> run_code(Context& context) {
  const Options& options = context.options();
  Terminal& terminal = context.terminal();
  auto task = argument_or_input(context, "TASK");
  if (!task) return task.error();
  if (options.tests_file.empty()) {
    return Error{Kind::bad_request, "loam code", "which tests must it pass?", "loam code TASK --tests FILE"};
  }
  auto tests = read_text_file(options.tests_file);
  if (!tests) return tests.error();
  tasks::CodeRequest request = code_request(context);
  request.task = std::move(*task);
  request.tests = std::move(*tests);
  // Said before the model is loaded: without a sandbox nothing is run, and without tests nothing is known.
  if (auto tried = tasks::run_tests("", request.tests, request.limits); !tried) {
    Error error = tried.error();
    if (error.place == "tests") error.place = options.tests_file;
    return error;
  }
  Interrupts interrupts;
  auto engine = context.open_engine();
  if (!engine) return engine.error();
  const auto on_attempt = [&](const tasks::CodeAttempt& attempt) {
    if (attempt.report.passed || terminal.json()) return;
    terminal.note(
        printable(fmt::format("an attempt failed: {}", shorten(one_line(attempt.report.failure), 160))));
  };
  auto result = tasks::write_code(**engine, request, {}, on_attempt, interrupts.begin());
  interrupts.end();
  if (!result) return result.error();
  if (result->stopped) {
    return Error{Kind::unavailable, "loam code", "was interrupted before the tests ran", "run it again"};
  }
  const tasks::CodeAttempt& last = result->attempts.back();
  if (terminal.json()) {
    Json attempts = Json::array();
    for (const tasks::CodeAttempt& attempt : result->attempts) attempts.push_back(attempt_json(attempt));
    terminal.json({{"passed", result->passed},
                   {"code", last.code.empty() ? Json() : Json(last.code)},
                   {"failure", last.report.failure.empty() ? Json() : Json(last.report.failure)},
                   {"attempts", std::move(attempts)},
                   {"note", result->note.empty() ? Json() : Json(result->note)},
                   {"model", (*engine)->model_name()},
                   {"tokens", usage_json(result->usage)}});
    return result->passed ? Outcome::done : Outcome::empty;
  }
  terminal.out(printable(last.code));
  terminal.line();
  print_tests(terminal, last.report);
  const std::string after =
      result->attempts.size() > 1 ? fmt::format(" after {}", plural(result->attempts.size(), "attempt")) : "";
  if (result->passed) {
    terminal.line(terminal.paint(Style::green, fmt::format("PASS{}: {}", after, counts_of(last.report))));
  } else {
    terminal.line(terminal.paint(Style::red, fmt::format("FAIL{}: ", after)) +
                  printable(shorten(one_line(last.report.failure), 300)));
    if (!result->note.empty()) terminal.note(printable(result->note));
  }
  return result->passed ? Outcome::done : Outcome::empty;
}

Result<Outcome> run_eval_code(Context& context) {
  const Options& options = context.options();
  Terminal& terminal = context.terminal();
  auto data = tasks::read_code_cases(context.arguments().front());
  if (!data) return data.error();
  std::size_t count = data->cases.size();
  if (options.cases > 0) count = std::min(count, static_cast<std::size_t>(options.cases));
  const tasks::CodeRequest request = code_request(context);
  if (options.samples > 1 && request.sampling.temperature <= 0) {
    return Error{Kind::bad_request, "--samples", "greedy samples are all the same",
                 "--samples 5 --temperature 0.8"};
  }
  Interrupts interrupts;
  auto file = context.find_model(options.model, engine::ModelRole::chat);
  if (!file) return file.error();
  auto engine = context.open_engine();
  if (!engine) return engine.error();
  EvalRun measured = start_run("code", (*engine)->model_name(), data->version);
  const auto stop = interrupts.begin();
  const ProgressSink progress = terminal.progress();
  std::set<int> ks = {1};
  for (const int k : {5, 10, 100}) {
    if (k <= options.samples) ks.insert(k);
  }
  std::vector<std::vector<double>> scores(ks.size());
  std::uint64_t tokens = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (progress) progress({"problems", i, count});
    auto scored = tasks::score_code_case(**engine, data->cases[i], options.samples, request, stop);
    if (!scored) {
      Error error = scored.error();
      error.place = fmt::format("problem {}: {}", data->cases[i].id, error.place);
      return error;
    }
    if (stop.stop_requested()) {
      return Error{Kind::unavailable, "loam eval code", "was interrupted; nothing is recorded",
                   "run it again"};
    }
    tokens += static_cast<std::uint64_t>(scored->usage.prompt_tokens + scored->usage.answer_tokens);
    eval::ItemResult item{scored->id, "", {}, scored->first_code};
    if (!scored->first_failure.empty()) item.output += "# " + one_line(scored->first_failure) + "\n";
    std::size_t which = 0;
    for (const int k : ks) {
      const double pass = tasks::pass_at_k(scored->samples, scored->passed, k);
      item.scores[fmt::format("pass@{}", k)] = pass;
      scores[which++].push_back(pass);
    }
    measured.run.items.push_back(std::move(item));
  }
  interrupts.end();
  terminal.wipe_progress();
  std::size_t which = 0;
  for (const int k : ks) {
    measured.run.metrics.push_back({fmt::format("pass@{}", k), eval::bootstrap_mean(scores[which++]), true});
  }
  auto use = model_use("chat", (*engine)->model_name(), *file);
  if (!use) return use.error();
  measured.run.models.push_back(std::move(*use));
  measured.run.seed = static_cast<std::uint64_t>(options.seed);
  measured.run.settings = dump_json({{"samples", options.samples},
                                     {"repair", options.repair},
                                     {"max_tokens", request.max_tokens},
                                     {"temperature", options.temperature},
                                     {"test_seconds", options.test_seconds},
                                     {"items", count}});
  if (auto id = finish_run(context, measured, tokens); !id) return id.error();
  if (terminal.json()) {
    Json document = run_json(measured.run);
    document["notes"] = notes_json(data->notes);
    terminal.json(document);
    return Outcome::done;
  }
  print_notes(terminal, data->notes);
  print_metrics(terminal, measured.run.metrics);
  print_run_line(terminal, measured.run);
  return Outcome::done;
}

}  // namespace loam::cli
