// `loam doctor`: what this machine can do, and what is missing.
#include <fmt/format.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/json.h"
#include "cli/context.h"
#include "cli/encoders.h"
#include "engine/fit.h"
#include "guard/sandbox.h"

namespace loam::cli {
namespace fs = std::filesystem;
namespace {

struct Missing {
  std::string what;
  std::string next_step;
  bool needed_to_ask = false;
};

struct Machine {
  std::string system;
  std::string processor;
  int cores = 0;
  int threads = 0;
  std::vector<std::string> simd;
  std::uint64_t memory_total = 0;
  std::uint64_t memory_available = 0;
  std::uint64_t disk_free = 0;
};

Machine look_at_machine(const fs::path& home) {
  Machine machine;
  utsname names{};
  if (::uname(&names) == 0)
    machine.system = fmt::format("{} {} {}", names.sysname, names.release, names.machine);
  std::ifstream cpu("/proc/cpuinfo");
  std::string line;
  std::vector<std::string> flags;
  std::vector<std::pair<std::string, std::string>> cores;
  std::string package = "0";
  while (std::getline(cpu, line)) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    std::string name = line.substr(0, colon);
    name.erase(name.find_last_not_of(" \t") + 1);
    const std::string value = line.substr(std::min(colon + 2, line.size()));
    if (name == "model name" && machine.processor.empty()) machine.processor = value;
    if (name == "physical id") package = value;
    if (name == "core id") cores.emplace_back(package, value);
    if ((name == "flags" || name == "Features") && flags.empty()) {
      std::istringstream words(value);
      for (std::string word; words >> word;) flags.push_back(word);
    }
  }
  std::sort(cores.begin(), cores.end());
  machine.cores = static_cast<int>(std::unique(cores.begin(), cores.end()) - cores.begin());
  machine.threads = static_cast<int>(std::thread::hardware_concurrency());
  if (machine.cores == 0) machine.cores = machine.threads;
  // The ones for which llama.cpp has kernels, as the kernel of Linux names them.
  for (const char* name : {"sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512_vnni",
                           "avx512_bf16", "amx_int8", "asimd", "asimddp", "i8mm", "bf16", "sve"}) {
    if (std::find(flags.begin(), flags.end(), name) != flags.end()) machine.simd.emplace_back(name);
  }
  std::ifstream memory("/proc/meminfo");
  while (std::getline(memory, line)) {
    if (line.starts_with("MemTotal:")) machine.memory_total = std::stoull(line.substr(9)) * 1024;
  }
  if (auto available = engine::available_memory()) machine.memory_available = *available;
  std::error_code failure;
  fs::path place = home;
  while (!fs::exists(place, failure) && place.has_parent_path() && place != place.parent_path())
    place = place.parent_path();
  const fs::space_info space = fs::space(place, failure);
  if (!failure) machine.disk_free = space.available;
  return machine;
}

bool has_seccomp() {
  std::error_code ignored;
  return fs::exists("/proc/sys/kernel/seccomp/actions_avail", ignored);
}

/// The version of Landlock's interface, 0 where there is none (landlock_create_ruleset(2)).
int landlock_version() {
#ifdef SYS_landlock_create_ruleset
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version > 0 ? static_cast<int>(version) : 0;
#else
  return 0;
#endif
}

std::string found_model(Context& context, const std::string& wanted, engine::ModelRole role,
                        std::vector<Missing>& missing) {
  auto file = context.find_model(wanted, role);
  if (file) return file->string();
  missing.push_back({file.error().message, file.error().next_step, true});
  return "";
}

Json adopted_json(const std::vector<std::pair<std::string, store::Adoption>>& adopted) {
  Json list = Json::array();
  for (const auto& [name, adoption] : adopted) {
    auto settings = parse_json(adoption.settings, "adopted settings");
    list.push_back({{"collection", name},
                    {"run", number_of(adoption.run)},
                    {"settings", settings ? std::move(*settings) : Json()}});
  }
  return list;
}
}  // namespace

Result<Outcome> run_doctor(Context& context) {
  std::vector<Missing> missing;
  const Machine machine = look_at_machine(context.home());
  const std::string chat = found_model(context, context.options().model, engine::ModelRole::chat, missing);
  const std::string embedder =
      found_model(context, context.options().embedder, engine::ModelRole::embedding, missing);
  const auto encoder = [&](engine::HeadKind kind, const std::string& wanted) -> std::string {
    if (embedder.empty()) return "";
    const auto file = encoder_file(context, kind, wanted, embedder);
    if (!file) missing.push_back({file.error().message, file.error().next_step, false});
    return file && file->has_value() ? (*file)->string() : "";
  };
  const std::string reranker = encoder(engine::HeadKind::reranker, context.options().reranker);
  const std::string span_reader = encoder(engine::HeadKind::reader, context.options().span_reader);
  const fs::path pdfium = context.pdfium();
  if (pdfium.empty()) {
    missing.push_back({"PDF files cannot be read: libpdfium.so is missing",
                       fmt::format("scripts/deps, or put the library into {}/lib", context.home().string()),
                       false});
  }
  const bool seccomp = has_seccomp();
  const int landlock = landlock_version();
  if (!seccomp) {
    missing.push_back({"the kernel has no seccomp: the reader's process is limited in time and memory only",
                       "a kernel with CONFIG_SECCOMP_FILTER", false});
  }
  const guard::SandboxLayers sandbox = guard::sandbox_layers();
  if (!sandbox.missing.empty()) {
    const std::size_t next = sandbox.missing.find(". Try: ");
    missing.push_back({"generated programs cannot be run (loam code): " + sandbox.missing.substr(0, next),
                       next == std::string::npos ? "" : sandbox.missing.substr(next + 7), false});
  }
  if (machine.disk_free > 0 && machine.disk_free < (1ULL << 30U)) {
    missing.push_back({"less than 1 GiB of disk is free", "free some space, or loam --home DIR", false});
  }
  std::error_code ignored;
  std::uint64_t documents = 0;
  std::uint64_t passages = 0;
  std::size_t collections = 0;
  std::vector<std::pair<std::string, store::Adoption>> adopted;
  if (fs::exists(context.store_file(), ignored)) {
    auto store = context.open_store();
    if (!store) return store.error();
    auto all = (*store)->collections();
    if (!all) return all.error();
    collections = all->size();
    for (const store::Collection& one : *all) {
      if (auto counts = (*store)->counts(one.id)) {
        documents += counts->documents;
        passages += counts->passages;
      }
      auto adoption = (*store)->adopted(store::scope_of(one.id));
      if (!adoption) return adoption.error();
      if (*adoption) adopted.emplace_back(one.name, **adoption);
    }
  }
  const bool can_ask =
      std::none_of(missing.begin(), missing.end(), [](const Missing& m) { return m.needed_to_ask; });
  const std::vector<std::string> formats =
      pdfium.empty() ? std::vector<std::string>{"Markdown", "text", "HTML", "CSV"}
                     : std::vector<std::string>{"Markdown", "text", "HTML", "CSV", "PDF"};
  Terminal& terminal = context.terminal();
  if (terminal.json()) {
    Json gaps = Json::array();
    for (const Missing& m : missing)
      gaps.push_back({{"what", m.what}, {"next_step", m.next_step}, {"needed", m.needed_to_ask}});
    const auto or_null = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
    terminal.json({{"version", LOAM_VERSION},
                   {"backend", LOAM_BACKEND},
                   {"machine",
                    {{"system", machine.system},
                     {"processor", machine.processor},
                     {"cores", machine.cores},
                     {"threads", machine.threads},
                     {"simd", machine.simd},
                     {"memory_bytes", machine.memory_total},
                     {"memory_available_bytes", machine.memory_available},
                     {"disk_free_bytes", machine.disk_free}}},
                   {"models",
                    {{"chat", or_null(chat)},
                     {"embedder", or_null(embedder)},
                     {"reranker", or_null(reranker)},
                     {"reader", or_null(span_reader)}}},
                   {"formats", formats},
                   {"pdfium", or_null(pdfium.string())},
                   {"sandbox",
                    {{"seccomp", seccomp},
                     {"landlock", landlock},
                     {"bubblewrap", sandbox.bubblewrap},
                     {"user_namespaces", sandbox.user_namespaces},
                     {"programs", sandbox.missing.empty()}}},
                   {"home", context.home().string()},
                   {"store",
                    {{"collections", collections},
                     {"documents", documents},
                     {"passages", passages},
                     {"adopted", adopted_json(adopted)}}},
                   {"missing", std::move(gaps)},
                   {"ready", can_ask}});
    return can_ask ? Outcome::done : Outcome::empty;
  }
  const auto field = [&](std::string_view name, const std::string& text) {
    const std::string first = fmt::format("  {:<11} ", name);
    terminal.line(wrap(printable(text), terminal.width(), first, std::string(first.size(), ' ')));
  };
  const auto head = [&](std::string_view text) { terminal.line(terminal.paint(Style::bold, text)); };
  const auto bytes = [](std::uint64_t n) { return human_bytes(static_cast<double>(n)); };
  head(fmt::format("loam {} ({})", LOAM_VERSION, LOAM_BACKEND));
  terminal.line();
  head("Machine");
  field("system", machine.system);
  field("processor", fmt::format("{}, {}, {}", machine.processor.empty() ? "unknown" : machine.processor,
                                 plural(static_cast<std::size_t>(machine.cores), "core"),
                                 plural(static_cast<std::size_t>(machine.threads), "thread")));
  field("SIMD", machine.simd.empty() ? "none known" : fmt::format("{}", fmt::join(machine.simd, " ")));
  field("memory",
        fmt::format("{}, {} available", bytes(machine.memory_total), bytes(machine.memory_available)));
  field("disk", fmt::format("{} free", bytes(machine.disk_free)));
  terminal.line();
  head("Models");
  field("language", chat.empty() ? "none" : fs::path(chat).stem().string());
  field("embedding", embedder.empty() ? "none" : fs::path(embedder).stem().string());
  field("re-ranker", reranker.empty() ? "none" : fs::path(reranker).stem().string());
  field("reader", span_reader.empty() ? "none" : fs::path(span_reader).stem().string());
  terminal.line();
  head("Documents");
  field("formats", fmt::format("{}", fmt::join(formats, ", ")));
  field("store", collections == 0 ? "empty; loam ingest PATH fills it"
                                  : fmt::format("{}, {}, {}", plural(collections, "collection"),
                                                plural(documents, "document"), plural(passages, "passage")));
  for (const auto& [name, adoption] : adopted) {
    field("improved", fmt::format("\"{}\" by ledger run {}; loam settings -c {} shows how", name,
                                  number_of(adoption.run), name));
  }
  field("home", context.home().string());
  terminal.line();
  head("Safety");
  field("reader",
        fmt::format("runs in a process of its own: limits of time and memory{}{}", seccomp ? ", seccomp" : "",
                    landlock > 0 ? fmt::format("; Landlock {} is there", landlock) : ""));
  field("programs",
        sandbox.missing.empty()
            ? fmt::format("generated code runs in a sandbox: no network, no files, limits; bubblewrap, "
                          "seccomp{}",
                          landlock > 0 ? ", Landlock" : "")
            : "generated code is never run: " + sandbox.missing);
  terminal.line();
  if (missing.empty()) {
    terminal.line(terminal.paint(Style::green, "✓") + " Nothing is missing.");
  } else {
    head("Missing");
    for (const Missing& m : missing) {
      terminal.line(wrap(printable(m.what), terminal.width(), "  - ", "    "));
      terminal.line(terminal.paint(Style::cyan, "    " + printable(m.next_step)));
    }
  }
  return can_ask ? Outcome::done : Outcome::empty;
}

}  // namespace loam::cli
