// The loop: ask, take the code out of the reply, run the tests, say what went wrong, ask again.
#include "tasks/code.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "base/utf8.h"
#include "guard/fence.h"

namespace loam::tasks {
namespace {

constexpr std::size_t kLongestFailure = 600;  // bytes told to the model

// Keeps small models to the point: one fenced block, nothing before it.
constexpr const char* kOneBlock = "root ::= \"```python\\n\" [^`]+ \"```\"\n";

bool starts_program(std::string_view line) {
  for (const std::string_view word : {"def ", "async def ", "class ", "import ", "from ", "@"}) {
    if (line.starts_with(word)) return true;
  }
  return false;
}

bool defines_something(std::string_view code) {
  std::size_t at = 0;
  while (at < code.size()) {
    const std::size_t end = std::min(code.find('\n', at), code.size());
    std::string_view line = code.substr(at, end - at);
    if (starts_program(line) || line.find(" = ") != std::string_view::npos) return true;
    at = end + 1;
  }
  return false;
}

std::string with_line_end(std::string_view code) {
  while (!code.empty() && std::isspace(static_cast<unsigned char>(code.back())) != 0) code.remove_suffix(1);
  return code.empty() ? "" : std::string(code) + "\n";
}

/// The block inside fences that is longest among those that define something.
std::string fenced_code(std::string_view reply) {
  std::string best;
  std::size_t at = 0;
  while ((at = reply.find("```", at)) != std::string_view::npos) {
    const std::size_t line_end = reply.find('\n', at);
    if (line_end == std::string_view::npos) break;
    const std::size_t close = reply.find("```", line_end);
    const std::string_view block =
        reply.substr(line_end + 1, (close == std::string_view::npos ? reply.size() : close) - line_end - 1);
    if (defines_something(block) && block.size() > best.size()) best = std::string(block);
    if (close == std::string_view::npos) break;
    at = close + 3;
  }
  return with_line_end(best);
}

/// Lines that belong to a program, from the first one that surely does.
std::string bare_code(std::string_view reply) {
  std::string code;
  std::size_t at = 0;
  bool inside = false;
  while (at < reply.size()) {
    const std::size_t end = std::min(reply.find('\n', at), reply.size());
    const std::string_view line = reply.substr(at, end - at);
    at = end + 1;
    if (starts_program(line)) {
      inside = true;
    } else if (inside) {
      const bool blank = line.find_first_not_of(" \t\r") == std::string_view::npos;
      const bool goes_on = blank || line[0] == ' ' || line[0] == '\t' || line[0] == '#' || line[0] == ')' ||
                           line[0] == ']' || line[0] == '}' || line.find(" = ") != std::string_view::npos;
      if (!goes_on) break;
    }
    if (inside) code += std::string(line) + "\n";
  }
  return with_line_end(code);
}

/// Names that the tests call and that are not Python's own: what a solution must be called.
std::string called_names(std::string_view tests) {
  static const std::set<std::string_view> kOwn = {
      "abs",  "all",        "any", "assertEqual", "bool", "dict", "float", "frozenset",
      "int",  "isinstance", "len", "list",        "max",  "min",  "print", "range",
      "repr", "round",      "set", "sorted",      "str",  "sum",  "tuple", "type"};
  std::set<std::string> seen;
  std::string names;
  for (std::size_t i = 0; i < tests.size(); ++i) {
    if (tests[i] != '(') continue;
    std::size_t start = i;
    const auto part = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
    while (start > 0 && part(tests[start - 1])) --start;
    const std::string name(tests.substr(start, i - start));
    const bool method = start > 0 && tests[start - 1] == '.';
    const bool defined_here = tests.substr(0, start).ends_with("def ");
    if (name.empty() || method || defined_here || kOwn.contains(name) ||
        std::isdigit(static_cast<unsigned char>(name[0])) != 0 || !seen.insert(name).second) {
      continue;
    }
    names += (names.empty() ? "" : ", ") + name;
  }
  return names;
}

std::string first_prompt(const CodeRequest& request) {
  std::string prompt = "Write a Python program for this task:\n" + request.task + "\n\n";
  if (request.show_tests) {
    prompt += "It must pass these tests:\n```python\n" + with_line_end(request.tests) + "```\n\n";
  } else if (const std::string names = called_names(request.tests); !names.empty()) {
    prompt += "It must define: " + names + "\n\n";
  }
  return prompt + "Reply with one Python code block and nothing else.";
}

std::string repair_prompt(const CodeAttempt& attempt) {
  std::string what = attempt.code.empty() ? "There was no Python code in the reply." : attempt.report.failure;
  what.resize(utf8_floor(what, kLongestFailure));
  return "That does not pass its tests: " + guard::fence(what).text +
         "\nReply with the whole corrected program in one Python code block.";
}

void add_usage(engine::Usage& sum, const engine::Usage& one) {
  sum.prompt_tokens += one.prompt_tokens;
  sum.reused_tokens += one.reused_tokens;
  sum.answer_tokens += one.answer_tokens;
  sum.prefill_ms += one.prefill_ms;
  sum.decode_ms += one.decode_ms;
  if (sum.first_token_ms <= 0) sum.first_token_ms = one.first_token_ms;
}

}  // namespace

std::string code_in(std::string_view reply) {
  std::string code = fenced_code(reply);
  return code.empty() ? bare_code(reply) : code;
}

Result<CodeResult> write_code(engine::Engine& engine, const CodeRequest& request,
                              const engine::TextSink& on_text,
                              const std::function<void(const CodeAttempt&)>& on_attempt, std::stop_token stop,
                              const ProgramRunner& runner) {
  if (request.task.find_first_not_of(" \t\r\n") == std::string::npos) {
    return Error{Kind::bad_request, "task", "is empty", "say what the program shall do"};
  }
  if (request.tests.find_first_not_of(" \t\r\n") == std::string::npos) {
    return Error{Kind::bad_request, "tests", "are empty", "write lines such as: assert add(2, 3) == 5"};
  }
  // Without a sandbox nothing can be told of the code, so nothing is written either. An empty program fails
  // its tests in a few milliseconds, and bad tests are found before the model works.
  if (auto tried = run_tests("", request.tests, request.limits, runner); !tried) return tried.error();
  CodeResult result;
  const engine::Message task{engine::Role::user, first_prompt(request)};
  for (int round = 0; round <= request.repair; ++round) {
    engine::GenerateRequest ask;
    ask.messages = {task};
    if (!result.attempts.empty()) {
      const CodeAttempt& last = result.attempts.back();
      ask.messages.push_back(
          {engine::Role::assistant, last.code.empty() ? last.reply : "```python\n" + last.code + "```"});
      ask.messages.push_back({engine::Role::user, repair_prompt(last)});
    }
    ask.max_tokens = request.max_tokens;
    ask.sampling = request.sampling;
    // A greedy model that has not been moved by the failure would write the same again for ever.
    ask.sampling.seed += static_cast<std::uint32_t>(round);
    ask.grammar = kOneBlock;
    auto draft = engine.generate(ask, on_text, stop);
    if (!draft) {
      if (result.attempts.empty() || draft.error().kind != Kind::out_of_room) return draft.error();
      result.note = "no room for a further attempt: " + draft.error().message;
      break;
    }
    add_usage(result.usage, draft->usage);
    CodeAttempt attempt;
    attempt.reply = draft->text;
    if (draft->finish == engine::FinishReason::cancelled) {
      result.stopped = true;
      result.attempts.push_back(std::move(attempt));
      break;
    }
    attempt.code = code_in(draft->text);
    if (attempt.code.empty()) {
      attempt.report.failure = "the reply holds no Python code";
    } else {
      auto report = run_tests(attempt.code, request.tests, request.limits, runner);
      if (!report) return report.error();
      attempt.report = std::move(*report);
    }
    const bool repeats = !result.attempts.empty() && attempt.code == result.attempts.back().code;
    result.attempts.push_back(std::move(attempt));
    if (on_attempt) on_attempt(result.attempts.back());
    if (result.attempts.back().report.passed) {
      result.passed = true;
      break;
    }
    if (repeats && request.sampling.temperature <= 0) {
      if (round < request.repair)
        result.note = "the model wrote the same program again; further attempts would too";
      break;
    }
  }
  return result;
}

}  // namespace loam::tasks
