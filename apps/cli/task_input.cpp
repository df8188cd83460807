#include "cli/task_input.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"
#include "base/json.h"

namespace loam::cli {
namespace fs = std::filesystem;
namespace {

Result<std::vector<tasks::BatchItem>> files_below(const fs::path& folder) {
  std::vector<tasks::BatchItem> items;
  std::error_code failure;
  fs::recursive_directory_iterator entry(folder, fs::directory_options::skip_permission_denied, failure);
  if (failure) return Error{Kind::unavailable, folder.string(), "cannot be read: " + failure.message(), ""};
  for (; entry != fs::recursive_directory_iterator(); entry.increment(failure)) {
    if (failure) return Error{Kind::unavailable, folder.string(), "cannot be read: " + failure.message(), ""};
    if (entry->path().filename().string().starts_with('.')) {
      entry.disable_recursion_pending();
      continue;
    }
    std::error_code ignored;
    if (entry->is_regular_file(ignored) && !entry->is_symlink(ignored))
      items.push_back({entry->path().string(), "", entry->path()});
  }
  std::sort(items.begin(), items.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return items;
}

Result<std::string> input_hash(const tasks::BatchItem& item) {
  return item.file.empty() ? Result<std::string>(sha256_hex(item.text)) : sha256_hex_of_file(item.file);
}

}  // namespace

bool is_batch(const Context& context) {
  const Options& options = context.options();
  std::error_code ignored;
  return !options.column.empty() || !options.output.empty() || context.arguments().size() > 1 ||
         (!context.arguments().empty() && fs::is_directory(context.arguments().front(), ignored));
}

Result<std::vector<tasks::BatchItem>> batch_items(Context& context) {
  const Options& options = context.options();
  const auto& arguments = context.arguments();
  if (arguments.empty()) {
    return Error{Kind::bad_request, "loam " + context.verb().name, "a batch needs files",
                 context.verb().examples.front().command};
  }
  if (!options.column.empty()) {
    if (arguments.size() != 1)
      return Error{Kind::bad_request, "--column", "takes one CSV file", "give one file"};
    Result<std::string> bytes =
        arguments.front() == "-" ? read_standard_input() : read_text_file(arguments.front());
    if (!bytes) return bytes.error();
    return tasks::items_of_column(*bytes, arguments.front() == "-" ? "standard input" : arguments.front(),
                                  options.column, options.id_column);
  }
  std::vector<tasks::BatchItem> items;
  for (const std::string& argument : arguments) {
    std::error_code ignored;
    if (argument == "-") {
      return Error{Kind::bad_request, "-", "standard input is no part of a batch of files",
                   "write it to a file, or give it alone"};
    }
    if (fs::is_directory(argument, ignored)) {
      Result<std::vector<tasks::BatchItem>> below = files_below(argument);
      if (!below) return below.error();
      items.insert(items.end(), below->begin(), below->end());
    } else {
      items.push_back({argument, "", argument});
    }
  }
  // A file that is named twice, or under a named folder too, is one item.
  std::vector<tasks::BatchItem> once;
  for (tasks::BatchItem& item : items) {
    const bool known =
        std::any_of(once.begin(), once.end(), [&](const auto& one) { return one.id == item.id; });
    if (!known) once.push_back(std::move(item));
  }
  return once;
}

Result<Outcome> run_batch(Context& context, const std::string& task, const Json& settings,
                          const std::vector<tasks::BatchItem>& items, const BatchWork& work,
                          Interrupts& interrupts) {
  Terminal& terminal = context.terminal();
  std::unique_ptr<tasks::BatchFile> file;
  if (!context.options().output.empty()) {
    auto opened = tasks::BatchFile::open(context.options().output);
    if (!opened) return opened.error();
    file = std::move(*opened);
    if (file->repaired())
      terminal.note("the last line of " + context.options().output + " was cut off; done again");
  }
  const std::stop_token stop = interrupts.begin();
  const ProgressSink progress = terminal.progress();
  const std::string shape = dump_json(settings);
  std::size_t finished = 0, before = 0, failed = 0;
  bool stopped = false;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (stop.stop_requested()) {
      stopped = true;
      break;
    }
    if (progress) progress({task, i, items.size()});
    Result<std::string> input = input_hash(items[i]);
    const std::string hash = input ? tasks::batch_hash(task, shape, *input) : "";
    if (file != nullptr && input && file->is_done(items[i].id, hash)) {
      ++before;
      continue;
    }
    Result<Json> result = input ? work(items[i], stop) : Result<Json>(input.error());
    if (stop.stop_requested() && !result) {
      stopped = true;
      break;
    }
    Json line = {{"id", items[i].id}, {"hash", hash}};
    if (result) {
      line.update(*result);
      ++finished;
    } else {
      line["error"] = result.error().line();
      terminal.wipe_progress();
      terminal.note(printable(result.error().line()));
      ++failed;
    }
    if (file != nullptr) {
      if (Result<void> written = file->append(line); !written) return written.error();
    } else {
      terminal.wipe_progress();
      terminal.json_line(line);
      terminal.flush();
    }
  }
  interrupts.end();
  terminal.wipe_progress();
  std::string said = fmt::format("{} of {} done", finished, items.size());
  if (before > 0) said += fmt::format(", {} done before", before);
  if (failed > 0) said += fmt::format(", {} failed", failed);
  if (stopped) said += "; stopped, the same command goes on from here";
  terminal.note(said);
  const Json config = {
      {"settings", settings}, {"output", context.options().output}, {"version", LOAM_VERSION}};
  const Json result = {{"items", items.size()}, {"done", finished}, {"before", before}, {"failed", failed}};
  auto store = context.open_store();
  if (!store) return store.error();
  auto run =
      (*store)->add_run({RunId{}, system_clock().unix_seconds(), task, dump_json(config), dump_json(result)});
  if (!run) return run.error();
  return failed > 0 || stopped || items.empty() ? Outcome::empty : Outcome::done;
}

}  // namespace loam::cli
