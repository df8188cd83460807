#include "tasks/code.h"

#include <gtest/gtest.h>

#include <deque>

#include "base/json.h"

namespace loam::tasks {
namespace {

/// Says its lines one after the other, the last one for ever.
class ScriptedEngine : public engine::Engine {
 public:
  explicit ScriptedEngine(std::deque<std::string> says) : says_(std::move(says)) {}
  const std::string& model_name() const override { return name_; }
  int context_tokens() const override { return 4096; }
  Result<int> count_tokens(std::string_view text) override { return static_cast<int>(text.size() / 4); }
  Result<int> count_tokens(const std::vector<engine::Message>& messages) override {
    int sum = 0;
    for (const engine::Message& m : messages) sum += static_cast<int>(m.content.size() / 4);
    return sum;
  }
  Result<std::string> render(const std::vector<engine::Message>&) override { return std::string(); }
  Result<engine::Draft> generate(const engine::GenerateRequest& request, const engine::TextSink&,
                                 std::stop_token) override {
    asked.push_back(request);
    if (fail_from > 0 && static_cast<int>(asked.size()) >= fail_from) {
      return Error{Kind::out_of_room, "context", "9000 tokens do not fit into 4096", ""};
    }
    engine::Draft draft;
    draft.text = says_.front();
    if (says_.size() > 1) says_.pop_front();
    draft.usage.answer_tokens = 7;
    return draft;
  }
  std::vector<engine::GenerateRequest> asked;
  int fail_from = 0;

 private:
  std::string name_ = "scripted";
  std::deque<std::string> says_;
};

CodeRequest asked_for(const std::string& task, const std::string& tests) {
  CodeRequest request;
  request.task = task;
  request.tests = tests;
  return request;
}

bool has_sandbox() { return guard::sandbox_layers().missing.empty(); }

/// With a sandbox, the report; without one, the honest refusal.
#define LOAM_REPORT(name, code, tests)                             \
  const auto name##_result = run_tests(code, tests);               \
  if (!has_sandbox()) {                                            \
    ASSERT_FALSE(name##_result.ok());                              \
    EXPECT_EQ(name##_result.error().kind, Kind::unavailable);      \
    GTEST_SKIP() << name##_result.error().line();                  \
  }                                                                \
  ASSERT_TRUE(name##_result.ok()) << name##_result.error().line(); \
  const TestReport& name = *name##_result

constexpr const char* kAdd = "def add(a, b):\n    return a + b\n";

// proves P-TASK-10
TEST(RunTests, right_code_passes_and_each_test_is_told) {
  LOAM_REPORT(report, kAdd, "assert add(2, 3) == 5\nassert add(-1, 1) == 0\n");
  EXPECT_TRUE(report.passed) << report.failure;
  ASSERT_EQ(report.tests.size(), 2U);
  EXPECT_EQ(report.tests[0].test, "assert add(2, 3) == 5");
  EXPECT_TRUE(report.tests[1].passed);
}

TEST(RunTests, a_wrong_result_is_shown_beside_the_right_one) {
  LOAM_REPORT(report, "def add(a, b):\n    return a - b\n", "assert add(2, 3) == 5\nassert add(5, 0) == 5\n");
  EXPECT_FALSE(report.passed);
  ASSERT_EQ(report.tests.size(), 2U);
  EXPECT_FALSE(report.tests[0].passed);
  EXPECT_TRUE(report.tests[1].passed);
  EXPECT_NE(report.failure.find("got -1, expected 5"), std::string::npos) << report.failure;
}

TEST(RunTests, functions_and_test_cases_are_tests_too) {
  LOAM_REPORT(report, kAdd,
              "import unittest\n"
              "from solution import add as plus\n"
              "def test_one():\n    assert plus(1, 1) == 2\n"
              "class Sums(unittest.TestCase):\n"
              "    def test_two(self):\n        self.assertEqual(plus(2, 2), 4)\n"
              "    def test_three(self):\n        self.assertEqual(plus(2, 2), 5)\n"
              "for i in range(3):\n    assert plus(i, 0) == i\n");
  EXPECT_FALSE(report.passed);
  EXPECT_EQ(report.tests.size(), 4U);
}

// proves P-TASK-11
TEST(RunTests, code_that_ends_the_process_or_claims_success_has_not_passed) {
  for (const char* code :
       {"import os\nos._exit(0)\n", "import sys\nsys.exit(0)\n", "raise SystemExit\n", "exit()\n",
        "print('{\"stage\": \"end\", \"count\": 1, \"failed\": 0}')\nimport os\nos._exit(0)\n",
        "def add(a, b):\n    import os\n    os._exit(0)\n"}) {
    LOAM_REPORT(report, code, "assert add(2, 3) == 5\n");
    EXPECT_FALSE(report.passed) << code;
    EXPECT_FALSE(report.failure.empty()) << code;
  }
}

TEST(RunTests, code_that_does_not_run_says_why) {
  LOAM_REPORT(broken, "def add(a, b:\n", "assert add(2, 3) == 5\n");
  EXPECT_NE(broken.failure.find("SyntaxError"), std::string::npos) << broken.failure;
  LOAM_REPORT(missing, "x = 1\n", "assert add(2, 3) == 5\n");
  EXPECT_NE(missing.failure.find("NameError"), std::string::npos) << missing.failure;
}

TEST(RunTests, an_endless_loop_is_a_failure) {
  guard::SandboxLimits limits;
  limits.wall_seconds = 1;
  const auto report = run_tests("def add(a, b):\n    while True: pass\n", "assert add(2, 3) == 5\n", limits);
  if (!has_sandbox()) GTEST_SKIP();
  ASSERT_TRUE(report.ok()) << report.error().line();
  EXPECT_FALSE(report->passed);
  EXPECT_TRUE(report->timed_out);
}

TEST(RunTests, tests_that_are_none_are_an_error) {
  if (!has_sandbox()) GTEST_SKIP();
  const auto none = run_tests(kAdd, "x = 1\n");
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().kind, Kind::bad_request);
  const auto broken = run_tests(kAdd, "assert add(\n");
  ASSERT_FALSE(broken.ok());
  EXPECT_EQ(broken.error().kind, Kind::bad_data);
}

TEST(RunTests, without_a_sandbox_nothing_is_run) {
  const ProgramRunner no_sandbox = [](const guard::SandboxRequest&) -> Result<guard::SandboxResult> {
    return Error{Kind::unavailable, "sandbox", "bubblewrap is not installed", "apt-get install bubblewrap"};
  };
  ScriptedEngine engine({"```python\ndef add(a, b):\n    return a + b\n```"});
  const auto result = write_code(engine, asked_for("add", "assert add(1, 1) == 2"), {}, {}, {}, no_sandbox);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, Kind::unavailable);
  EXPECT_TRUE(engine.asked.empty()) << "the model worked for nothing";
}

TEST(CodeIn, the_program_is_found_in_what_models_write) {
  EXPECT_EQ(code_in("Sure!\n```python\ndef f():\n    return 1\n```\nDone."), "def f():\n    return 1\n");
  EXPECT_EQ(code_in("```\nx = 1\n```"), "x = 1\n");
  EXPECT_EQ(code_in("```python\ndef f():\n    return 1\n"), "def f():\n    return 1\n") << "cut off";
  EXPECT_EQ(code_in("Here it is:\ndef f(x):\n    return x\n\nThis returns x."), "def f(x):\n    return x\n");
  EXPECT_EQ(code_in("```text\nno code\n```\n```python\nimport os\ndef g(): pass\n```"),
            "import os\ndef g(): pass\n");
  EXPECT_EQ(code_in("I cannot do that."), "");
  EXPECT_EQ(code_in(""), "");
}

/// A sandbox that passes programs holding the word "good".
Result<guard::SandboxResult> pretend(const guard::SandboxRequest& request) {
  const std::string word = request.input.substr(0, request.input.size() - 2);
  bool good = false;
  for (const auto& [name, content] : request.files) {
    good = good || (name == "solution.py" && content.find("good") != std::string::npos);
  }
  guard::SandboxResult result;
  result.exit_status = good ? 0 : 1;
  result.out = word + "{\"stage\": \"begin\", \"total\": 1}\n" + word +
               "{\"test\": \"assert f()\", \"error\": \"" + (good ? "" : "it is bad") + "\"}\n" + word +
               "{\"stage\": \"end\", \"count\": 1, \"failed\": 0}\n";
  return result;
}

// proves P-TASK-12
TEST(WriteCode, a_failure_is_told_to_the_model_and_repaired) {
  ScriptedEngine engine({"```python\nbad = 1\n```", "no code at all", "```python\ngood = 1\n```"});
  int heard = 0;
  CodeRequest request = asked_for("do it", "assert f()");
  request.repair = 3;
  const auto result = write_code(
      engine, request, {}, [&](const CodeAttempt&) { ++heard; }, {}, pretend);
  ASSERT_TRUE(result.ok()) << result.error().line();
  EXPECT_TRUE(result->passed);
  EXPECT_EQ(result->attempts.size(), 3U);
  EXPECT_EQ(heard, 3);
  EXPECT_EQ(result->usage.answer_tokens, 21);
  ASSERT_EQ(engine.asked.size(), 3U);
  EXPECT_EQ(engine.asked[0].messages.size(), 1U);
  ASSERT_EQ(engine.asked[1].messages.size(), 3U);
  EXPECT_NE(engine.asked[1].messages[2].content.find("it is bad"), std::string::npos);
  EXPECT_NE(engine.asked[2].messages[2].content.find("no Python code"), std::string::npos);
}

TEST(WriteCode, attempts_end_at_the_number_asked_for) {
  ScriptedEngine engine({"```python\nbad = 1\n```", "```python\nbad = 2\n```", "```python\nbad = 3\n```"});
  CodeRequest request = asked_for("do it", "assert f()");
  request.repair = 1;
  const auto result = write_code(engine, request, {}, {}, {}, pretend);
  ASSERT_TRUE(result.ok());
  EXPECT_FALSE(result->passed);
  EXPECT_EQ(result->attempts.size(), 2U);
}

TEST(WriteCode, the_same_program_again_ends_the_repairs) {
  ScriptedEngine engine({"```python\nbad = 1\n```"});
  CodeRequest request = asked_for("do it", "assert f()");
  request.repair = 10;
  const auto result = write_code(engine, request, {}, {}, {}, pretend);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->attempts.size(), 2U);
  EXPECT_FALSE(result->note.empty());
}

TEST(WriteCode, a_full_context_ends_the_repairs_and_keeps_the_attempt) {
  ScriptedEngine engine({"```python\nbad = 1\n```"});
  engine.fail_from = 2;
  CodeRequest request = asked_for("do it", "assert f()");
  request.repair = 2;
  const auto result = write_code(engine, request, {}, {}, {}, pretend);
  ASSERT_TRUE(result.ok()) << result.error().line();
  EXPECT_EQ(result->attempts.size(), 1U);
  EXPECT_NE(result->note.find("no room"), std::string::npos);
}

TEST(WriteCode, an_empty_task_or_no_tests_is_refused) {
  ScriptedEngine engine({"x"});
  EXPECT_FALSE(write_code(engine, asked_for(" ", "assert f()"), {}, {}, {}, pretend).ok());
  EXPECT_FALSE(write_code(engine, asked_for("do it", "\n"), {}, {}, {}, pretend).ok());
}

TEST(WriteCode, tests_can_be_kept_from_the_model) {
  ScriptedEngine engine({"```python\ngood = 1\n```"});
  CodeRequest request = asked_for("do it", "assert secret_name(4711) == len('x')");
  request.show_tests = false;
  ASSERT_TRUE(write_code(engine, request, {}, {}, {}, pretend).ok());
  const std::string& prompt = engine.asked[0].messages[0].content;
  EXPECT_NE(prompt.find("It must define: secret_name\n"), std::string::npos) << prompt;
  EXPECT_EQ(prompt.find("4711"), std::string::npos);
}

/// 1 - C(n-c, k) / C(n, k) by counting all subsets.
double by_counting(int n, int c, int k) {
  int all = 0, with = 0;
  for (unsigned set = 0; set < (1U << static_cast<unsigned>(n)); ++set) {
    if (__builtin_popcount(set) != k) continue;
    ++all;
    with += (set & ((1U << static_cast<unsigned>(c)) - 1U)) != 0 ? 1 : 0;
  }
  return static_cast<double>(with) / all;
}

// proves P-TASK-13
TEST(PassAtK, equals_counting_every_subset) {
  for (int n = 1; n <= 10; ++n) {
    for (int c = 0; c <= n; ++c) {
      for (int k = 1; k <= n; ++k) {
        EXPECT_NEAR(pass_at_k(n, c, k), by_counting(n, c, k), 1e-12) << n << " " << c << " " << k;
      }
    }
  }
  EXPECT_NEAR(pass_at_k(200, 10, 1), 0.05, 1e-12);
}

TEST(CodeCases, lines_and_lists_are_read) {
  const auto lines = parse_code_cases(
      "{\"task_id\": 11, \"text\": \"remove\", \"test_list\": [\"assert f(1)\"], \"test_setup_code\": "
      "\"\"}\n\n"
      "{\"task_id\": 12, \"prompt\": \"sort\", \"test_list\": [\"assert g(1)\"], \"test_imports\": [\"import "
      "math\"]}\n",
      "cases");
  ASSERT_TRUE(lines.ok()) << lines.error().line();
  ASSERT_EQ(lines->cases.size(), 2U);
  EXPECT_EQ(lines->cases[0].id, "11");
  EXPECT_EQ(lines->cases[1].task, "sort");
  EXPECT_EQ(lines->cases[1].setup, "import math\n");
  EXPECT_EQ(lines->version.items, 2U);
  const auto list = parse_code_cases("[{\"text\": \"x\", \"test_list\": [\"assert f()\"]}]", "cases");
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(list->cases[0].id, "line 1");
}

TEST(CodeCases, bad_lines_are_errors_with_their_number) {
  for (const char* bad :
       {"{\"text\": \"x\"}", "{\"test_list\": [\"assert 1\"]}", "[1]", "not json",
        "{\"text\": \"x\", \"test_list\": []}", "{\"text\": \"x\", \"test_list\": [1]}", "", "3"}) {
    const auto result = parse_code_cases(bad, "cases.jsonl");
    ASSERT_FALSE(result.ok()) << bad;
    EXPECT_NE(result.error().line().find("cases.jsonl"), std::string::npos) << result.error().line();
  }
  const auto second = parse_code_cases("{\"text\": \"x\", \"test_list\": [\"assert f()\"]}\n{}\n", "cases");
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().place.find("line 2"), std::string::npos);
}

TEST(CodeCases, an_id_that_occurs_twice_is_kept_and_reported) {
  const std::string line = "{\"task_id\": 1, \"text\": \"x\", \"test_list\": [\"assert f()\"]}\n";
  const auto data = parse_code_cases(line + line, "cases");
  ASSERT_TRUE(data.ok());
  EXPECT_EQ(data->cases.size(), 2U);
  EXPECT_NE(data->cases[0].id, data->cases[1].id);
  ASSERT_EQ(data->notes.size(), 1U);
  EXPECT_EQ(data->notes[0].count, 1U);
}

}  // namespace
}  // namespace loam::tasks
