// `loam serve`: the front process in this one, the models in a child that is started again when it dies.
#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <map>
#include <mutex>
#include <thread>

#include "base/json.h"
#include "cli/ask_work.h"
#include "cli/context.h"
#include "cli/interrupt.h"
#include "engine/http_engine.h"
#include "server/front.h"
#include "server/supervisor.h"
#include "server/worker.h"

namespace loam::cli {
namespace {

namespace fs = std::filesystem;

/// One collection, ready to be asked. Members in the order in which each needs the one before.
struct Desk {
  std::mutex mutex;
  std::unique_ptr<Context> context;
  OpenCollection open;
  Encoders encoders;
  std::unique_ptr<engine::HttpEngine> engine;
  answer::AskOptions ask;
};

/// The collections of this home, each opened when it is first asked.
class Collections final : public server::Library {
 public:
  Collections(Context& context, std::string address) : context_(context), address_(std::move(address)) {}

  Result<std::vector<std::string>> collections() override {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    if (!listing_) {
      auto store = context_.open_store_to_read();
      // Nothing was ever ingested: there are none, which is no mistake.
      if (!store)
        return store.error().kind == Kind::bad_request ? Result(names)
                                                       : Result<std::vector<std::string>>(store.error());
      listing_ = *std::move(store);
    }
    auto rows = listing_->collections();
    if (!rows) return rows.error();
    for (const store::Collection& one : *rows) names.push_back(one.name);
    return names;
  }

  Result<answer::Answer> ask(const std::string& collection, const std::string& question,
                             const std::vector<engine::Message>& memory, const engine::TextSink& on_draft,
                             std::stop_token stop) override {
    auto desk = desk_of(collection);
    if (!desk) return desk.error();
    const std::lock_guard lock((*desk)->mutex);
    answer::AskOptions options = (*desk)->ask;
    options.memory = memory;
    auto answer = answer::ask(*(*desk)->open.retriever, *(*desk)->open.embedder, (*desk)->engine.get(),
                              question, options, on_draft, std::move(stop));
    if (!answer) return answer;
    auto run =
        keep_answer(*(*desk)->context, *(*desk)->open.store, (*desk)->open.collection, question, *answer);
    if (!run) return run.error();
    return answer;
  }

 private:
  Result<std::shared_ptr<Desk>> desk_of(const std::string& name) {
    const std::lock_guard lock(mutex_);
    if (const auto found = desks_.find(name); found != desks_.end()) return found->second;
    auto desk = std::make_shared<Desk>();
    Options options = context_.options();
    options.collection = name;
    desk->context =
        std::make_unique<Context>(context_.verb(), options, std::vector<std::string>{}, context_.terminal());
    desk->context->given_names = context_.given_names;
    desk->context->config_lines = context_.config_lines;
    auto open = desk->context->open_collection();
    if (!open) return open.error();
    desk->open = *std::move(open);
    auto encoders = open_encoders(*desk->context, *desk->open.embedder, Reads::yes);
    if (!encoders) return encoders.error();
    desk->encoders = *std::move(encoders);
    if (!desk->context->options().baseline_only) {
      engine::HttpEngineOptions line;
      line.address = address_;
      auto engine = engine::HttpEngine::open(line);
      if (!engine) return engine.error();
      desk->engine = *std::move(engine);
    }
    auto pre_prompt =
        prompt::load_pre_prompt(desk->context->options().pre_prompt, desk->context->home() / "prompts");
    if (!pre_prompt) return pre_prompt.error();
    desk->ask = ask_options(*desk->context, desk->encoders, *std::move(pre_prompt));
    return desks_.emplace(name, std::move(desk)).first->second;
  }

  Context& context_;
  const std::string address_;
  std::mutex mutex_;
  std::unique_ptr<store::Store> listing_;
  std::map<std::string, std::shared_ptr<Desk>> desks_;
};

/// The folder of the worker's socket, for this user alone; gone with this object.
class SocketFolder {
 public:
  static Result<std::unique_ptr<SocketFolder>> make() {
    std::error_code ignored;
    // Not in HOME: the name of a socket has 107 bytes at most.
    std::string pattern = (fs::temp_directory_path(ignored) / "loam-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
      return Error{Kind::unavailable, pattern, "no folder for the worker's socket can be made",
                   "set TMPDIR to a folder that may be written"};
    }
    return std::unique_ptr<SocketFolder>(new SocketFolder(pattern));
  }
  ~SocketFolder() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  SocketFolder(const SocketFolder&) = delete;
  SocketFolder& operator=(const SocketFolder&) = delete;
  std::string socket() const { return (folder_ / "worker.sock").string(); }

 private:
  explicit SocketFolder(fs::path folder) : folder_(std::move(folder)) {}
  fs::path folder_;
};

std::vector<std::string> worker_command(Context& context, const std::string& socket) {
  const Options& o = context.options();
  std::vector<std::string> words = {
      own_program().string(), "serve", "--worker", socket, "--home", o.home, "--quiet"};
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) words.insert(words.end(), {name, value});
  };
  add("--config", context.config_file.string());
  add("--models", o.models);
  add("--model", o.model);
  add("--embedder", o.embedder);
  add("--kv-type", o.kv_type);
  add("--threads", std::to_string(o.threads));
  add("--ctx", std::to_string(o.context));
  add("--queue", std::to_string(o.queue));
  for (const std::string& adapter : o.adapters) add("--adapter", adapter);
  return words;
}

/// One key a line; empty lines and those that begin with # are passed over.
Result<std::vector<std::string>> read_keys(const std::string& file) {
  std::vector<std::string> keys;
  if (file.empty()) return keys;
  std::error_code failure;
  const auto rights = fs::status(file, failure).permissions();
  if (!failure && (rights & (fs::perms::group_all | fs::perms::others_all)) != fs::perms::none) {
    return Error{Kind::bad_request, file, "other users of this machine may read or change the keys",
                 "chmod 600 " + file};
  }
  auto text = read_text_file(file);
  if (!text) return text.error();
  std::size_t at = 0;
  while (at < text->size()) {
    const std::size_t end = std::min(text->find('\n', at), text->size());
    std::string line = text->substr(at, end - at);
    at = end + 1;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (line.empty() || line.front() == '#') continue;
    if (line.size() < 16)
      return Error{Kind::bad_request, file, "a key has fewer than 16 characters", "openssl rand -hex 24"};
    keys.push_back(std::move(line));
  }
  if (keys.empty()) return Error{Kind::bad_request, file, "there is no key in it", "openssl rand -hex 24"};
  return keys;
}

Result<Outcome> run_worker(Context& context) {
  Interrupts interrupts;
  const std::stop_token stop = interrupts.begin();
  auto engine = context.open_engine();
  if (!engine) return engine.error();
  auto embedder = context.open_embedder();
  if (!embedder) return embedder.error();
  server::WorkerOptions options;
  options.socket = context.options().worker_socket;
  options.waiting = context.options().queue;
  server::Worker worker(**engine, embedder->get(), options, context.logger());
  if (auto opened = worker.open(); !opened) return opened.error();
  const std::stop_callback on_stop(stop, [&] { worker.stop(); });
  worker.run();
  interrupts.end();
  return Outcome::done;
}

}  // namespace

Result<Outcome> run_serve(Context& context) {
  const Options& options = context.options();
  if (!options.worker_socket.empty()) return run_worker(context);
  Terminal& terminal = context.terminal();
  auto keys = read_keys(options.key_file);
  if (!keys) return keys.error();
  Interrupts interrupts;  // before any thread starts
  const std::stop_token stop = interrupts.begin();
  auto folder = SocketFolder::make();
  if (!folder) return folder.error();
  const std::string socket = (*folder)->socket();
  server::SupervisorOptions supervised;
  supervised.command = worker_command(context, socket);
  supervised.socket = socket;
  server::Supervisor supervisor(std::move(supervised), context.logger());

  Collections collections(context, "unix:" + socket);
  server::FrontOptions front_options;
  front_options.host = options.host;
  front_options.port = options.port;
  front_options.worker_socket = socket;
  front_options.keys = *std::move(keys);
  front_options.hosts = options.allow_hosts;
  front_options.version = LOAM_VERSION;
  server::Front front(
      collections, [&] { return supervisor.is_ready(); }, front_options, context.logger());
  if (auto opened = front.open(); !opened) return opened.error();
  if (auto started = supervisor.start(); !started) return started.error();
  const std::string address = fmt::format("http://{}:{}", options.host, front.port());
  if (terminal.json()) {
    terminal.json_line({{"event", "ready"}, {"address", address}, {"worker", supervisor.process()}});
  } else {
    terminal.line(fmt::format("Loam listens at {}", address));
    terminal.line(fmt::format("  OpenAI clients   base_url {}/v1{}", address,
                              options.key_file.empty() ? ", any key" : ", a key of " + options.key_file));
    auto names = collections.collections();
    if (names && !names->empty()) {
      terminal.line(fmt::format("  Your documents   model \"docs:{}\"{}", names->front(),
                                names->size() > 1 ? fmt::format(" and {} more", names->size() - 1) : ""));
    } else {
      terminal.line("  Your documents   none yet; loam ingest PATH adds some");
    }
    terminal.line("  Stop             Ctrl-C; answers in progress are finished");
    terminal.flush();
  }
  const std::stop_callback on_stop(stop, [&] { front.stop(); });
  front.run();
  interrupts.end();
  return Outcome::done;
}

}  // namespace loam::cli
