// Programming problems with tests, and how many a model solves.
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <unordered_set>

#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"
#include "tasks/code.h"

namespace loam::tasks {
namespace {

constexpr std::size_t kLargestFile = 256U << 20U;

std::string text_at(const Json& object, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (!object.contains(key)) continue;
    const Json& value = object.at(key);
    if (value.is_string() && value.get_ref<const std::string&>().empty()) continue;
    if (value.is_string()) return value.get<std::string>();
    if (value.is_number_integer()) return std::to_string(value.get<std::int64_t>());
    if (value.is_array()) {
      std::string lines;
      for (const Json& line : value) {
        if (line.is_string()) lines += line.get<std::string>() + "\n";
      }
      return lines;
    }
  }
  return "";
}

Result<CodeCase> case_of(const Json& object, const std::string& place) {
  const auto bad = [&](std::string message) {
    return Error{Kind::bad_data, place, std::move(message),
                 R"(a line such as {"task_id": 1, "text": "...", "test_list": ["assert ..."]})"};
  };
  if (!object.is_object()) return bad("is no JSON object");
  CodeCase one;
  one.id = text_at(object, {"task_id", "id"});
  one.task = text_at(object, {"text", "prompt"});
  if (one.task.empty()) return bad("has neither \"text\" nor \"prompt\"");
  if (!object.contains("test_list") || !object.at("test_list").is_array())
    return bad("has no list \"test_list\"");
  for (const Json& test : object.at("test_list")) {
    if (!test.is_string()) return bad("\"test_list\" holds something else than text");
    one.tests.push_back(test.get<std::string>());
  }
  if (one.tests.empty()) return bad("\"test_list\" is empty");
  one.setup = text_at(object, {"test_setup_code", "test_imports"});
  one.solution = text_at(object, {"code"});
  return one;
}

}  // namespace

double pass_at_k(int n, int c, int k) {
  if (n - c < k) return 1.0;
  double none = 1.0;
  for (int i = n - c + 1; i <= n; ++i) none *= 1.0 - static_cast<double>(k) / i;
  return 1.0 - none;
}

Result<CodeData> parse_code_cases(std::string_view bytes, const std::string& name) {
  CodeData data;
  data.version = {name, sha256_hex(bytes), 0};
  if (!is_valid_utf8(bytes)) return Error{Kind::bad_data, name, "is not UTF-8", "convert it first"};
  std::unordered_set<std::string> seen;
  eval::DataNote repeated{"duplicate id", "", {}, 0};
  const auto add = [&](const Json& object, const std::string& place, std::size_t line) -> Result<void> {
    auto one = case_of(object, place);
    if (!one) return one.error();
    if (one->id.empty()) one->id = "line " + std::to_string(line);
    if (!seen.insert(one->id).second) {
      ++repeated.count;
      if (repeated.lines.size() < 20) repeated.lines.push_back(line);
      one->id += " (line " + std::to_string(line) + ")";
    }
    data.cases.push_back(std::move(*one));
    return done();
  };
  const std::size_t first = bytes.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && bytes[first] == '[') {
    auto list = parse_json(bytes, name);
    if (!list) return list.error();
    for (std::size_t i = 0; i < list->size(); ++i) {
      if (auto ok = add(list->at(i), name + " item " + std::to_string(i + 1), i + 1); !ok) return ok.error();
    }
  } else {
    std::size_t number = 0;
    while (!bytes.empty()) {
      const std::size_t end = std::min(bytes.find('\n'), bytes.size());
      const std::string_view line = bytes.substr(0, end);
      bytes.remove_prefix(std::min(end + 1, bytes.size()));
      ++number;
      if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
      const std::string place = name + " line " + std::to_string(number);
      auto object = parse_json(line, place);
      if (!object) return object.error();
      if (auto ok = add(*object, place, number); !ok) return ok.error();
    }
  }
  if (data.cases.empty()) return Error{Kind::bad_data, name, "holds no problem", "JSON lines with tests"};
  if (repeated.count > 0) {
    repeated.message = std::to_string(repeated.count) + " ids occur more than once; all are kept";
    data.notes.push_back(std::move(repeated));
  }
  data.version.items = data.cases.size();
  return data;
}

Result<CodeData> read_code_cases(const std::filesystem::path& file) {
  std::error_code failure;
  if (std::filesystem::is_directory(file, failure)) {
    return Error{Kind::bad_request, file.string(), "is a folder, not a file", "name a file of JSON lines"};
  }
  std::ifstream in(file, std::ios::binary);
  if (!in) return Error{Kind::unavailable, file.string(), "cannot be read", "name a file of JSON lines"};
  const auto size = std::filesystem::file_size(file, failure);
  if (!failure && size > kLargestFile) {
    return Error{Kind::out_of_room, file.string(), "is larger than 256 MiB", "split it"};
  }
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  return parse_code_cases(bytes, file.string());
}

Result<CodeCaseResult> score_code_case(engine::Engine& engine, const CodeCase& one, int samples,
                                       const CodeRequest& options, std::stop_token stop,
                                       const ProgramRunner& runner) {
  CodeCaseResult result;
  result.id = one.id;
  CodeRequest request = options;
  request.task = one.task;
  request.tests = one.setup.empty() ? "" : one.setup + "\n";
  for (const std::string& test : one.tests) request.tests += test + "\n";
  for (int sample = 0; sample < samples && !stop.stop_requested(); ++sample) {
    request.sampling.seed = options.sampling.seed + static_cast<std::uint32_t>(sample * (options.repair + 1));
    auto written = write_code(engine, request, {}, {}, stop, runner);
    if (!written) return written.error();
    if (written->stopped) break;
    ++result.samples;
    result.passed += written->passed ? 1 : 0;
    result.usage.prompt_tokens += written->usage.prompt_tokens;
    result.usage.answer_tokens += written->usage.answer_tokens;
    if (sample == 0) {
      result.first_code = written->attempts.back().code;
      result.first_failure = written->attempts.back().report.failure;
    }
  }
  return result;
}

}  // namespace loam::tasks
