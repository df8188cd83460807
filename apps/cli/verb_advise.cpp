// `loam advise`: do I need a language model for this? Questions, measurements, costs, an answer.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <iostream>

#include "base/json.h"
#include "cli/advise_work.h"
#include "cli/classify_tools.h"
#include "cli/config.h"
#include "cli/eval_common.h"
#include "cli/ledger_common.h"
#include "tasks/remembering_embedder.h"

namespace loam::cli {
namespace {

using tasks::AdviceTask;

/// Long names of what was typed, or set in the configuration.
std::vector<std::string> said_options(const Context& context) {
  std::vector<std::string> said = context.given_names;
  for (const auto& [key, line] : context.config_lines) {
    if (const Setting* setting = find_setting_by_key(key)) said.push_back(setting->name);
  }
  return said;
}

/// What stands in --answers counts as said; what was typed wins over it.
Result<void> take_answers(const Context& context, Options& options, std::vector<std::string>& said) {
  if (options.answers_file.empty()) return done();
  auto text = read_text_file(options.answers_file);
  if (!text) return text.error();
  std::map<std::string, int> lines;
  if (auto taken = apply_config(*text, options.answers_file, options, &lines); !taken) return taken;
  for (const auto& [key, line] : lines) {
    const Setting* setting = find_setting_by_key(key);
    if (setting == nullptr) continue;
    if (!setting->serves("advise")) {
      return Error{Kind::bad_request, fmt::format("{} line {}", options.answers_file, line),
                   "\"" + key + "\" is no question of loam advise", "loam advise --help"};
    }
    if (has(context.given_names, setting->name)) {
      const std::string typed = setting->get(context.options());
      if (auto again = apply(*setting, typed, "--" + setting->name, options); !again) return again;
    }
    said.push_back(setting->name);
  }
  return done();
}

std::string classifier_name(const std::string& file) {
  return std::filesystem::path(file).stem().string() + ".classifier";
}

/// A word as a shell takes it.
std::string quoted(const std::string& word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-./+,:=@%").find(c) != std::string_view::npos;
  });
  if (plain) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

std::vector<std::string> next_steps(const Options& options, const tasks::Advice& advice, AdviceTask task,
                                    const std::string& file, bool doubtful) {
  std::vector<std::string> steps;
  const std::string columns =
      (options.text_column == "text" ? "" : " --text " + quoted(options.text_column)) +
      (options.label_column == "label" ? "" : " --label " + quoted(options.label_column)) +
      (options.merge_labels ? " --merge-labels" : "");
  switch (task) {
    case AdviceTask::classify: {
      if (doubtful) steps.push_back("loam classify compare " + quoted(file) + columns);
      const auto method = tasks::method_named(advice.chosen);
      if (method && !tasks::needs_language_model(*method)) {
        steps.push_back(fmt::format("loam classify fit {}{} --method {} -o {}", quoted(file), columns,
                                    advice.chosen, quoted(classifier_name(file))));
        steps.push_back(fmt::format("loam classify predict {} NEW.csv", quoted(classifier_name(file))));
      }
      break;
    }
    case AdviceTask::answer:
      steps.push_back(advice.chosen == "loam ask" ? "loam ask \"QUESTION\""
                                                  : "loam ask --baseline-only \"QUESTION\"");
      break;
    case AdviceTask::summarise:
      steps.push_back("loam summarise FILE");
      break;
    case AdviceTask::translate:
      steps.push_back("loam translate --to " + quoted(options.to) + " FILE");
      break;
    case AdviceTask::extract:
      steps.push_back("loam extract SCHEMA.json FILE");
      break;
    case AdviceTask::code:
      steps.push_back("loam code --tests TESTS.py \"TASK\"");
      break;
  }
  if (advice.verdict == tasks::Verdict::larger_model) steps.push_back("loam models list --all");
  if (options.html_file.empty())
    steps.push_back("loam advise " + quoted(file) + " --html report.html   (this, as a page with pictures)");
  return steps;
}

void paragraph(Terminal& terminal, std::string_view text, std::string_view first = "  ",
               std::string_view rest = "  ") {
  terminal.line(wrap(printable(text), terminal.width(), first, rest));
}

void print_methods(Terminal& terminal, const tasks::Advice& advice, const tasks::Situation& situation,
                   const tasks::Evidence& evidence) {
  const bool doubts = std::any_of(evidence.candidates.begin(), evidence.candidates.end(),
                                  [](const auto& one) { return one.scored && one.knows_doubt; });
  std::vector<Table::Align> columns = {Table::Align::left, Table::Align::right, Table::Align::left};
  std::vector<std::string> header = {"METHOD", evidence.metric == "accuracy" ? "RIGHT" : evidence.metric,
                                     "95% INTERVAL"};
  if (doubts) {
    columns.push_back(Table::Align::right);
    header.push_back(fmt::format("ALONE AT {:g}%", 100 * situation.target));
  }
  columns.insert(columns.end(), {Table::Align::right, Table::Align::left});
  header.insert(header.end(), {"AN ITEM", "NEEDS"});
  Table table(columns);
  table.add(header, Style::bold);
  for (const tasks::RankedCandidate& ranked : advice.ranked) {
    const tasks::Candidate& one = evidence.candidates[ranked.candidate];
    if (!one.scored) continue;
    std::vector<std::string> row = {
        one.name, tasks::percent(one.score.value),
        fmt::format("{} to {}", tasks::percent(one.score.low), tasks::percent(one.score.high))};
    if (doubts) {
      row.push_back(!one.knows_doubt         ? ""
                    : one.alone.decided == 0 ? "none"
                                             : tasks::percent(one.alone.coverage));
    }
    row.push_back(tasks::wait_words(one.ms_per_item));
    row.emplace_back(tasks::words_for(one.rung));
    table.add(row, one.name == advice.chosen ? Style::green : Style::plain);
  }
  terminal.out(table.text(terminal, "  "));
  for (const tasks::RankedCandidate& ranked : advice.ranked) {
    const tasks::Candidate& one = evidence.candidates[ranked.candidate];
    const std::string note = one.scored ? one.note : ranked.excluded;
    if (!note.empty())
      terminal.line(terminal.paint(Style::dim,
                                   wrap(printable(one.name + ": " + note), terminal.width(), "  ", "    ")));
  }
}

void print_costs(Terminal& terminal, const tasks::Advice& advice, const tasks::Situation& situation,
                 const tasks::Evidence& evidence) {
  const bool money =
      situation.error_cost > 0 || situation.check_cost > 0 || situation.machine_month > 0 || advice.hosted;
  const bool people = situation.check_cost > 0;
  std::vector<Table::Align> columns = {Table::Align::left, Table::Align::right};
  std::vector<std::string> header = {"METHOD", "MACHINE TIME"};
  if (people) {
    columns.push_back(Table::Align::right);
    header.emplace_back("FOR PEOPLE");
  }
  columns.push_back(Table::Align::right);
  header.emplace_back("MISTAKES");
  if (money) {
    columns.push_back(Table::Align::right);
    header.emplace_back("COST");
  }
  Table table(columns);
  table.add(header, Style::bold);
  for (const tasks::RankedCandidate& ranked : advice.ranked) {
    const tasks::Candidate& one = evidence.candidates[ranked.candidate];
    if (!one.scored) continue;
    std::vector<std::string> row = {one.name, tasks::hours_words(ranked.cost.machine_hours)};
    if (people) row.push_back(tasks::count_words(ranked.cost.by_people));
    row.push_back(tasks::count_words(ranked.cost.wrong));
    if (money) row.push_back(tasks::money_words(ranked.cost.total, situation.currency));
    table.add(row, one.name == advice.chosen ? Style::green : Style::plain);
  }
  if (people) {
    table.add({"people do everything", "", tasks::count_words(advice.all_by_people.by_people), "not known",
               tasks::money_words(advice.all_by_people.total, situation.currency)});
  }
  if (advice.hosted) {
    std::vector<std::string> row = {"hosted, tokens only", ""};
    if (people) row.emplace_back("");
    row.emplace_back("not known");
    row.push_back(tasks::money_words(advice.hosted->month, situation.currency));
    table.add(row);
  }
  terminal.out(table.text(terminal, "  "));
}

void print_advice(Terminal& terminal, const tasks::Advice& advice, const tasks::Situation& situation,
                  const tasks::Evidence& evidence, const std::vector<std::string>& next) {
  terminal.line();
  terminal.line(terminal.paint(Style::bold, wrap(advice.headline, terminal.width(), "  ", "  ")));
  terminal.line();
  for (const std::string& reason : advice.because) paragraph(terminal, reason);
  terminal.line();
  print_methods(terminal, advice, situation, evidence);
  terminal.line();
  paragraph(
      terminal,
      fmt::format("A month at {} items a day ({} items), on {}", tasks::count_words(situation.items_per_day),
                  tasks::count_words(situation.items_per_day * 365.25 / 12), evidence.machine));
  print_costs(terminal, advice, situation, evidence);
  if (!advice.changes.empty()) {
    terminal.line();
    terminal.line(terminal.paint(Style::bold, "  What would change this"));
    for (const std::string& change : advice.changes) paragraph(terminal, change, "  - ", "    ");
  }
  if (!advice.assumed.empty()) {
    terminal.line();
    terminal.line(terminal.paint(Style::bold, "  Assumed"));
    for (const std::string& one : advice.assumed) paragraph(terminal, one, "  - ", "    ");
  }
  if (!terminal.quiet()) {
    terminal.line();
    for (std::size_t i = 0; i < next.size(); ++i)
      terminal.line(terminal.paint(Style::dim, (i == 0 ? "  Next: " : "        ") + printable(next[i])));
  }
}

/// Classification: the comparison, and how it would do with fewer examples.
Result<tasks::Evidence> measure_classifiers(Context& context, const Options& options,
                                            const tasks::Situation& situation, const std::string& file,
                                            Interrupts& interrupts) {
  Terminal& terminal = context.terminal();
  Options with_target = options;
  with_target.target = situation.target;
  constexpr double kModestTarget = 0.8;  // what to say when nothing higher can be shown
  auto request = compare_request(with_target, file);
  if (!request) return request.error();
  request->targets.insert(request->targets.begin(), kModestTarget);
  std::sort(request->targets.begin(), request->targets.end());
  // With few items a fifth of them says little: then each is tested once.
  constexpr std::size_t kFewItems = 2000;
  constexpr int kFolds = 5;
  if (!request->test && request->data.items.size() <= kFewItems) request->folds = kFolds;
  auto open = open_tools(context, request->methods);
  if (!open) return open.error();
  std::unique_ptr<tasks::RememberingEmbedder> remembering;
  if (open->tools.embedder != nullptr) {
    remembering = std::make_unique<tasks::RememberingEmbedder>(*open->tools.embedder);
    open->tools.embedder = remembering.get();
  }
  const std::stop_token stop = interrupts.begin();
  auto compared = tasks::compare_classifiers(*request, open->tools, terminal.progress(), stop);
  if (!compared && request->folds > 0 && compared.error().kind == Kind::bad_data) {
    request->folds = 0;  // too few groups for folds; one split may still do
    compared = tasks::compare_classifiers(*request, open->tools, terminal.progress(), stop);
  }
  if (!compared) {
    terminal.wipe_progress();
    return compared.error();
  }
  tasks::Evidence evidence = tasks::evidence_of(*compared, *request, situation.target);
  std::vector<std::string> texts, labels;
  for (const eval::LabelledText& item : request->data.items) {
    texts.push_back(item.text);
    labels.push_back(item.label);
  }
  // What a hosted model would read for each text: an instruction, the names of the labels, the text.
  constexpr double kInstructionTokens = 40;
  const double label_tokens = tasks::mean_tokens(compared->labels, open->tools.language_model);
  evidence.tokens_in = kInstructionTokens + label_tokens * static_cast<double>(compared->labels.size()) +
                       tasks::mean_tokens(texts, open->tools.language_model);
  evidence.tokens_out = tasks::mean_tokens(labels, open->tools.language_model) + 1;
  // The curve belongs to the method that the advice will choose.
  auto first = tasks::advise(situation, evidence);
  if (first && !first->chosen.empty()) {
    auto curve = tasks::learning_curve(*compared, *request, first->chosen, open->tools.embedder,
                                       terminal.progress(), stop);
    if (!curve) {
      terminal.wipe_progress();
      return curve.error();
    }
    evidence.learning = *std::move(curve);
  }
  interrupts.end();
  terminal.wipe_progress();
  return evidence;
}

}  // namespace

Result<Outcome> run_advise(Context& context) {
  Interrupts interrupts;  // before any thread of a model starts
  Terminal& terminal = context.terminal();
  const std::string& file = context.arguments().front();
  Options options = context.options();
  std::vector<std::string> said = said_options(context);
  if (auto taken = take_answers(context, options, said); !taken) return taken.error();

  // What is it? Only what was not said is guessed.
  std::optional<tasks::DataGuess> guess;
  AdviceTask task = AdviceTask::classify;
  const bool columns_said = has(said, "text") && has(said, "label");
  if (options.advise_task != "auto") task = tasks::advice_task_named(options.advise_task).value_or(task);
  const bool needs_guess =
      options.advise_task == "auto" ? !columns_said : task == AdviceTask::classify && !columns_said;
  if (needs_guess) {
    auto guessed = tasks::guess_data(std::filesystem::path(file));
    if (!guessed && !(guessed.error().kind == Kind::bad_request && has(said, "label")))
      return guessed.error();
    if (guessed) {
      guess = *std::move(guessed);
      if (options.advise_task == "auto") task = guess->task;
      if (task == AdviceTask::classify) {
        if (!has(said, "text") && !guess->text_column.empty()) options.text_column = guess->text_column;
        if (!has(said, "label") && !guess->label_column.empty()) options.label_column = guess->label_column;
      }
    }
  }
  // A language model takes seconds for a text: enough of them to see whether it is anywhere near, unless more
  // are asked for.
  constexpr int kModelItems = 40;
  if (!has(said, "llm-items")) options.llm_items = kModelItems;
  const bool is_person = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1 && !terminal.json();
  const bool asks = options.questions == "always" || (options.questions == "auto" && is_person);
  if (asks) {
    terminal.note("A few questions; Enter takes what stands in brackets.");
    if (auto asked = ask_questions(terminal, std::cin, guess ? &*guess : nullptr, said, options); !asked)
      return asked.error();
  }
  if (asks && task == AdviceTask::classify && !options.merge_labels) {
    auto data = eval::read_classification(file, data_options(options));
    if (!data) return data.error();
    for (const eval::DataNote& note : data->notes) {
      if (note.kind == "stray label")
        options.merge_labels =
            ask_yes(terminal, std::cin,
                    fmt::format("{} a label that differs from another in spaces or case only. Make them one?",
                                note.count == 1 ? "1 row has" : fmt::format("{} rows have", note.count)));
    }
  }
  const tasks::Situation situation = situation_of(options, task, has(said, "target"));
  if (task == AdviceTask::classify) {
    terminal.note(fmt::format("{}: sorting \"{}\" into \"{}\"{}", printable(file),
                              printable(options.text_column), printable(options.label_column),
                              columns_said || asks ? "" : " (guessed; --text and --label name others)"));
  } else {
    terminal.note(fmt::format("{}: {}{}", printable(file), tasks::name_of(task),
                              options.advise_task == "auto" ? " (guessed; --task names another)" : ""));
  }

  auto evidence = task == AdviceTask::classify
                      ? measure_classifiers(context, options, situation, file, interrupts)
                      : measure_work(context, options, task, file, situation.target, interrupts);
  if (!evidence) return evidence.error();
  evidence->machine = eval::this_machine();
  auto advice = tasks::advise(situation, *evidence);
  if (!advice) return advice.error();
  const std::vector<std::string> next =
      next_steps(options, *advice, task, file, evidence->doubtful_labels > 0);
  if (!options.html_file.empty()) {
    const std::string page = tasks::advice_page(*advice, situation, *evidence, next);
    if (auto written = write_output(options.html_file, page); !written) return written.error();
  }
  print_notes(terminal, evidence->notes);
  if (terminal.json()) {
    Json document = tasks::to_json(*advice, situation, *evidence);
    document["next"] = next;
    terminal.json(document);
  } else {
    print_advice(terminal, *advice, situation, *evidence, next);
    if (!options.html_file.empty()) terminal.note("The page: " + options.html_file);
  }
  return advice->chosen.empty() ? Outcome::empty : Outcome::done;
}

}  // namespace loam::cli
