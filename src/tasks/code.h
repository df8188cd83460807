// A Python function written by a model, and held against tests in the sandbox. Whether code is right is not a
// matter of opinion here: the tests ran, or they did not.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "eval/cases.h"
#include "guard/sandbox.h"

namespace loam::tasks {

/// Runs a program; guard::run_sandboxed everywhere but in tests of this room.
using ProgramRunner = std::function<Result<guard::SandboxResult>(const guard::SandboxRequest&)>;

/// One test and what became of it.
struct TestOutcome {
  std::string test;  ///< its source, or the name of a test function
  bool passed = false;
  std::string error;  ///< "AssertionError", "TypeError: ...", empty when passed
};

struct TestReport {
  bool passed = false;  ///< every test ran and passed; never true when there is none
  std::vector<TestOutcome> tests;
  std::string failure;  ///< one line for people: why it did not pass; empty when it did
  bool timed_out = false, out_of_memory = false;
  std::string out, err;  ///< what the program itself printed
  double seconds = 0;
};

/// Runs `code` and then `tests` in the sandbox. Tests are Python: each assert or call at the top level is one
/// test, and so is each function test_*() and each unittest.TestCase; other statements prepare. What the code
/// exports is known to the tests by name, and as the module `solution`. Code that ends the process early has
/// not passed. Fails only when nothing can be run (no sandbox, no Python, no test in `tests`).
Result<TestReport> run_tests(const std::string& code, const std::string& tests,
                             const guard::SandboxLimits& limits = {}, const ProgramRunner& runner = {});

/// The program in a model's reply: the largest fenced block that defines something, else the lines from the
/// first def, class, import or decorator on that belong to it. Empty when there is none.
std::string code_in(std::string_view reply);

struct CodeRequest {
  std::string task;
  std::string tests;       ///< Python; shown to the model too
  bool show_tests = true;  ///< false: the model sees the names that the tests call, not the tests
  int repair = 0;          ///< at most so many further attempts, each with what went wrong
  int max_tokens = 512;
  engine::Sampling sampling;
  guard::SandboxLimits limits;
};

struct CodeAttempt {
  std::string reply;  ///< of the model, as it came
  std::string code;   ///< empty: there was none in it
  TestReport report;
};

struct CodeResult {
  bool passed = false;
  std::vector<CodeAttempt> attempts;  ///< at least one; the last one is what counts
  engine::Usage usage;                ///< summed over the attempts
  bool stopped = false;               ///< cancelled before the tests of the last attempt ran
  std::string note;                   ///< why fewer repairs than asked for were tried
};

/// `on_text` hears each reply as it is written, `on_attempt` each attempt when its tests have run.
Result<CodeResult> write_code(engine::Engine& engine, const CodeRequest& request,
                              const engine::TextSink& on_text = {},
                              const std::function<void(const CodeAttempt&)>& on_attempt = {},
                              std::stop_token stop = {}, const ProgramRunner& runner = {});

// Evaluation -----------------------------------------------------------------------------------------------

/// The chance that at least one of k samples passes, from n samples of which c passed:
/// 1 - C(n-c, k) / C(n, k), unbiased (Chen et al., "Evaluating Large Language Models Trained on Code", 2021,
/// equation 1). REQUIRES: 0 <= c <= n, 1 <= k <= n.
double pass_at_k(int n, int c, int k);

/// A problem of an MBPP-like file (Austin et al., "Program Synthesis with Large Language Models", 2021).
struct CodeCase {
  std::string id;
  std::string task;
  std::string setup;               ///< imports and definitions before the tests
  std::vector<std::string> tests;  ///< Python statements
  std::string solution;            ///< the reference; may be empty
};
struct CodeData {
  eval::DataVersion version;
  std::vector<CodeCase> cases;
  std::vector<eval::DataNote> notes;
};
/// JSON lines, or one JSON list: {"task_id" or "id", "text" or "prompt", "test_list": [...],
/// "test_setup_code" or "test_imports", "code"}. A line that is none is an error with its number.
Result<CodeData> read_code_cases(const std::filesystem::path& file);
Result<CodeData> parse_code_cases(std::string_view bytes, const std::string& name);

struct CodeCaseResult {
  std::string id;
  int samples = 0, passed = 0;
  std::string first_code;     ///< of the first sample
  std::string first_failure;  ///< empty when it passed
  engine::Usage usage;
};
/// `samples` programs for one case, with seeds `sampling.seed`, +1, +2, ...
Result<CodeCaseResult> score_code_case(engine::Engine& engine, const CodeCase& one, int samples,
                                       const CodeRequest& options, std::stop_token stop = {},
                                       const ProgramRunner& runner = {});

}  // namespace loam::tasks
