// bench_sandbox: what does it cost to run a program in the sandbox? The checks: each program's output is
// right, and a program that reaches for the network or the machine's files gets nothing.
#include <cstdio>

#include "base/clock.h"
#include "base/json.h"
#include "guard/sandbox.h"
#include "support/report.h"

namespace loam::bench {
namespace {

double once(const guard::SandboxRequest& request, const std::string& expected, int& wrong) {
  const Stopwatch watch;
  const guard::SandboxResult result = must(guard::run_sandboxed(request));
  const double ms = watch.milliseconds();
  wrong += result.out == expected && result.exit_status == 0 ? 0 : 1;
  return ms;
}

int run(int argc, char** argv) {
  const Settings settings = settings_from(argc, argv);
  const Json before = machine();
  const int rounds = settings.limit > 0 ? settings.limit : 50;
  guard::SandboxRequest nothing;
  nothing.command = {"true"};
  guard::SandboxRequest python;
  python.command = {"python3", "-I", "-S", "main.py"};
  python.files = {{"main.py", "print(6 * 7)\n"}};
  guard::SandboxRequest reaching = python;
  reaching.files = {{"main.py",
                     "import socket\n"
                     "got = 0\n"
                     "try:\n"
                     "    socket.create_connection(('192.0.2.1', 80), timeout=1)\n"
                     "    got += 1\n"
                     "except OSError:\n"
                     "    pass\n"
                     "try:\n"
                     "    open('/etc/passwd').read()\n"
                     "    got += 1\n"
                     "except OSError:\n"
                     "    pass\n"
                     "print('got', got)\n"}};
  int wrong = 0;
  (void)once(nothing, "", wrong);  // the first one reads bubblewrap and Python from the disk
  (void)once(python, "42\n", wrong);
  std::vector<double> bare, with_python, contained;
  for (int i = 0; i < rounds; ++i) {
    bare.push_back(once(nothing, "", wrong));
    with_python.push_back(once(python, "42\n", wrong));
    contained.push_back(once(reaching, "got 0\n", wrong));
  }
  const auto line = [](const char* what, const std::vector<double>& ms) {
    std::printf("%-34s p50 %6.1f ms   p95 %6.1f ms\n", what, median(ms), percentile(ms, 0.95));
  };
  line("a program that does nothing", bare);
  line("python3, one line", with_python);
  line("python3, reaching outside", contained);
  std::printf("  check: %d of %d runs wrong\n", wrong, 3 * rounds + 2);
  keep(settings, "sandbox",
       {{"rounds", rounds},
        {"nothing_ms", spread(bare)},
        {"python_ms", spread(with_python)},
        {"reaching_ms", spread(contained)},
        {"wrong", wrong}},
       before);
  return wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace loam::bench

int main(int argc, char** argv) { return loam::bench::run(argc, argv); }
