// Runs a program and its tests in the sandbox, and reads what became of them.
#include <algorithm>
#include <random>

#include "base/json.h"
#include "base/utf8.h"
#include "tasks/code.h"

namespace loam::tasks {
namespace {

// Runs inside the sandbox. Reports go to the real standard output, each line behind a word that only we know;
// what the program prints goes to standard error. The tests are read before the program runs, so that a
// program cannot change what is asked of it by changing the file.
constexpr const char* kRunner = R"python(import ast, io, json, os, sys, types, unittest

word = sys.stdin.readline().strip()
sys.stdin = io.StringIO("")
report = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def tell(**fields):
    report.write(word + json.dumps(fields) + "\n")
    report.flush()


def described(problem):
    text = type(problem).__name__
    said = str(problem)
    return (text + ": " + said if said else text)[:400]


def shown(value):
    try:
        return repr(value)[:200]
    except BaseException:
        return "something that cannot be shown"


def is_test(node):
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return False
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call)
    return any(isinstance(inner, ast.Assert) for inner in ast.walk(node))


def why_wrong(node, space, problem):
    text = described(problem)
    compared = isinstance(problem, AssertionError) and isinstance(node, ast.Assert) and isinstance(node.test, ast.Compare)
    if compared and len(node.test.ops) == 1 and isinstance(node.test.ops[0], ast.Eq):
        try:
            sides = [eval(compile(ast.Expression(side), "tests.py", "eval"), space)
                     for side in (node.test.left, node.test.comparators[0])]
            text += " (got %s, expected %s)" % (shown(sides[0]), shown(sides[1]))
        except BaseException:
            pass
    return text


source = open("solution.py", encoding="utf-8").read()
tests = open("tests.py", encoding="utf-8").read()
try:
    tree = ast.parse(tests, "tests.py")
except (SyntaxError, ValueError) as problem:
    tell(stage="tests", error=described(problem))
    os._exit(3)
names = [n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.name.startswith("test")]
total = sum(is_test(n) for n in tree.body) + len(names) + sum(isinstance(n, ast.ClassDef) for n in tree.body)
tell(stage="begin", total=total)
if total == 0:
    os._exit(4)

module = types.ModuleType("solution")
sys.modules["solution"] = module
try:
    exec(compile(source, "solution.py", "exec"), module.__dict__)
except BaseException as problem:
    tell(stage="code", error=described(problem))
    os._exit(1)
space = {name: value for name, value in vars(module).items() if not name.startswith("__")}
space["__name__"] = "tests"
failed = 0
count = 0


def outcome(test, error=""):
    global failed, count
    count += 1
    failed += bool(error)
    tell(test=test[:300], error=error)


for node in tree.body:
    text = ast.get_source_segment(tests, node) or "a test"
    try:
        exec(compile(ast.Module([node], []), "tests.py", "exec"), space)
    except BaseException as problem:
        if not is_test(node):
            outcome(text, "the tests' own preparation failed: " + described(problem))
            break
        outcome(text, why_wrong(node, space, problem))
    else:
        if is_test(node):
            outcome(text)
for name in names:
    if not callable(space.get(name)):
        continue
    try:
        space[name]()
    except BaseException as problem:
        outcome(name, described(problem))
    else:
        outcome(name)
for node in tree.body:
    kind = space.get(node.name) if isinstance(node, ast.ClassDef) else None
    if not (isinstance(kind, type) and issubclass(kind, unittest.TestCase)):
        continue
    for case in unittest.defaultTestLoader.loadTestsFromTestCase(kind):
        result = unittest.TestResult()
        case.run(result)
        wrong = [text for _, text in result.failures + result.errors]
        outcome(case.id(), wrong[0].strip().splitlines()[-1][:400] if wrong else "")
tell(stage="end", count=count, failed=failed)
report.close()
os._exit(1 if failed else 0)
)python";

std::string fresh_word() {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::random_device device;
  std::string word = "loam-";
  for (int i = 0; i < 24; ++i) word += kDigits[device() % kDigits.size()];
  return word + " ";
}

std::string last_line(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  const std::size_t line = text.rfind('\n');
  if (line != std::string_view::npos) text.remove_prefix(line + 1);
  return std::string(text.substr(0, utf8_floor(text, 300)));
}

std::string text_of(const Json& line, const char* key) {
  return line.contains(key) && line.at(key).is_string() ? line.at(key).get<std::string>() : "";
}

}  // namespace

Result<TestReport> run_tests(const std::string& code, const std::string& tests,
                             const guard::SandboxLimits& limits, const ProgramRunner& runner) {
  guard::SandboxRequest request;
  const std::string word = fresh_word();
  request.command = {"python3", "-I", "-B", "main.py"};
  request.files = {{"main.py", kRunner}, {"solution.py", code}, {"tests.py", tests}};
  request.input = word + "\n";
  request.limits = limits;
  auto ran = runner ? runner(request) : guard::run_sandboxed(request);
  if (!ran) return ran.error();

  TestReport report;
  report.timed_out = ran->timed_out;
  report.out_of_memory = ran->out_of_memory;
  report.err = to_valid_utf8(ran->err);
  report.seconds = ran->seconds;
  bool ended = false, bad_tests = false, no_tests = false;
  std::string stage_error, reported;
  std::size_t counted = 0;
  std::string_view rest = ran->out;
  // Python strips the word's blank: the line begins with the rest of it.
  const std::string_view mark = std::string_view(word).substr(0, word.size() - 1);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!line.starts_with(mark)) {
      report.out += std::string(line) + "\n";
      continue;
    }
    const auto json = parse_json(to_valid_utf8(line.substr(mark.size())), "the report of the tests");
    if (!json || !json->is_object()) continue;
    const std::string stage = text_of(*json, "stage");
    if (stage.empty()) {
      report.tests.push_back(
          {text_of(*json, "test"), text_of(*json, "error").empty(), text_of(*json, "error")});
    } else if (stage == "begin") {
      no_tests = json->value("total", 0) == 0;
    } else if (stage == "end") {
      ended = true;
      counted = json->value("count", std::size_t{0});
    } else {
      bad_tests = stage == "tests";
      stage_error = text_of(*json, "error");
    }
  }
  if (bad_tests) {
    return Error{Kind::bad_data, "tests", "are no Python: " + stage_error, "give a file of Python asserts"};
  }
  if (no_tests) {
    return Error{Kind::bad_request, "tests", "hold no test", "write lines such as: assert add(2, 3) == 5"};
  }
  const auto wrong =
      std::find_if(report.tests.begin(), report.tests.end(), [](const TestOutcome& t) { return !t.passed; });
  if (report.timed_out) {
    report.failure = "it did not end within the time limit";
  } else if (report.out_of_memory) {
    report.failure = "it needs more memory than allowed";
  } else if (!stage_error.empty()) {
    report.failure = "the program does not run: " + stage_error;
  } else if (wrong != report.tests.end()) {
    report.failure = wrong->test + " -> " + wrong->error;
  } else if (!ended) {
    report.failure =
        "the program ended before its tests did (status " + std::to_string(ran->exit_status) + ")";
    if (const std::string said = last_line(report.err); !said.empty()) report.failure += ": " + said;
  } else if (counted == 0 || report.tests.size() != counted) {
    report.failure = "no test ran";
  }
  report.passed = report.failure.empty() && ended && !report.tests.empty();
  return report;
}

}  // namespace loam::tasks
