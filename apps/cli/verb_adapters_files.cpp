// Adapters that come and go: merge, export, import.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/json.h"
#include "cli/adapters_common.h"
#include "cli/context.h"
#include "cli/interrupt.h"
#include "engine/adapters.h"
#include "engine/merge.h"
#include "engine/peft.h"

namespace loam::cli {
namespace fs = std::filesystem;

using engine::InstalledAdapters;

Result<fs::path> base_of_adapter(Context& context, const engine::AdapterInfo& info) {
  const bool encoder = info.architecture == "bert";
  return context.find_model(context.options().model,
                            encoder ? engine::ModelRole::embedding : engine::ModelRole::chat);
}

Result<Outcome> run_adapters_merge(Context& context) {
  const Options& options = context.options();
  Terminal& terminal = context.terminal();
  const InstalledAdapters installed(context.home());
  const auto wish = engine::adapter_wish(context.arguments().front());
  if (!wish) return wish.error();
  const auto adapter = installed.show(wish->name);
  if (!adapter) return adapter.error();
  if (options.merge_out.empty()) {
    return Error{Kind::bad_request, "--out", "no file is named",
                 fmt::format("loam adapters merge {} --out {}.gguf", adapter->name, adapter->name)};
  }
  engine::MergeOptions merge;
  merge.scale = wish->scale.value_or(adapter->scale);
  merge.threads = options.threads;
  const auto type = engine::merge_type_from(options.type.empty() ? "q8_0" : options.type);
  if (!type) return type.error();
  merge.type = *type;
  if (!options.text_file.empty()) {
    auto text = read_text_file(options.text_file);
    if (!text) return text.error();
    merge.text = *std::move(text);
  }
  const auto base = base_of_adapter(context, adapter->info);
  if (!base) return base.error();
  if (!adapter->info.head.empty()) merge.loss = engine::Measure::no;  // perplexity is for models that write
  const fs::path out = options.merge_out;
  std::error_code ignored;
  if (fs::equivalent(out, *base, ignored)) {
    return Error{Kind::bad_request, out.string(), "this is the model itself", "name another file"};
  }
  auto report = engine::merge_adapter(*base, adapter->file, out, merge, terminal.progress());
  terminal.wipe_progress();
  if (!report) return report.error();
  const engine::LossReport& loss = report->loss;
  if (terminal.json()) {
    terminal.json({{"file", report->file.string()},
                   {"base", base->stem().string()},
                   {"adapter", adapter->name},
                   {"scale", merge.scale},
                   {"merged", report->merged},
                   {"size_bytes", report->bytes},
                   {"loss", report->has_loss ? Json{{"tokens", loss.tokens},
                                                    {"perplexity_before", loss.perplexity_source},
                                                    {"perplexity_after", loss.perplexity},
                                                    {"mean_kl", loss.mean_kl},
                                                    {"mean_kl_standard_error", loss.mean_kl_standard_error},
                                                    {"top1_agreement", loss.top1_agreement}}
                                             : Json()}});
    return Outcome::done;
  }
  terminal.line(fmt::format("Wrote {}: {} with {} in {} matrices, {}.", out.string(), base->stem().string(),
                            adapter->name, report->merged, human_bytes(static_cast<double>(report->bytes))));
  if (report->has_loss) {
    terminal.line(
        fmt::format("Against base and adapter side by side: perplexity {:.3f} before, {:.3f} merged; KL "
                    "{:.5f} ± {:.5f} nats a token, same likeliest token at {:.1f}% of {} places",
                    loss.perplexity_source, loss.perplexity, loss.mean_kl, loss.mean_kl_standard_error,
                    loss.top1_agreement * 100, loss.tokens));
  }
  return Outcome::done;
}

namespace {

Result<Outcome> show_exchange(Context& context, const engine::PeftReport& report, const std::string& name) {
  Terminal& terminal = context.terminal();
  if (terminal.json()) {
    terminal.json({{"name", name},
                   {"written", report.written.string()},
                   {"matrices", report.matrices},
                   {"rank", report.rank},
                   {"alpha", report.alpha},
                   {"notes", report.notes}});
    return Outcome::done;
  }
  for (const std::string& note : report.notes) terminal.note(printable(note));
  terminal.line(fmt::format("Wrote {}: {} of rank {}.", report.written.string(),
                            plural(static_cast<std::size_t>(report.matrices), "matrix", "matrices"),
                            report.rank));
  return Outcome::done;
}

}  // namespace

Result<Outcome> run_adapters_export(Context& context) {
  const Options& options = context.options();
  const auto adapter = InstalledAdapters(context.home()).show(context.arguments().front());
  if (!adapter) return adapter.error();
  if (options.export_folder.empty()) {
    return Error{Kind::bad_request, "--to", "no folder is named",
                 fmt::format("loam adapters export {} --to {}-peft", adapter->name, adapter->name)};
  }
  const auto base = base_of_adapter(context, adapter->info);
  if (!base) return base.error();
  const auto report = engine::export_peft(adapter->file, *base, options.export_folder);
  if (!report) return report.error();
  return show_exchange(context, *report, adapter->name);
}

Result<Outcome> run_adapters_import(Context& context) {
  const Options& options = context.options();
  const InstalledAdapters installed(context.home());
  fs::path from = context.arguments().front();
  std::error_code failure;
  if (!fs::exists(from, failure)) {
    return Error{Kind::bad_request, from.string(), "there is no such file or folder",
                 "loam adapters import ./my-peft-adapter"};
  }
  if (!from.has_filename()) from = from.parent_path();  // "folder/"
  const bool is_folder = fs::is_directory(from, failure);
  const std::string name = !options.name.empty() ? options.name
                           : is_folder           ? fs::absolute(from).filename().string()
                                                 : from.stem().string();
  if (!engine::is_adapter_name(name)) {
    return Error{Kind::bad_request, "--name " + name,
                 "a name has letters, digits, dots, dashes and underscores", "--name my-adapter"};
  }
  const fs::path out = installed.folder() / (name + ".gguf");
  if (fs::exists(out, failure)) {
    return Error{Kind::bad_request, "--name " + name, "there is already an adapter of this name",
                 "another --name, or loam adapters remove " + name};
  }
  fs::create_directories(installed.folder(), failure);
  if (failure) {
    return Error{Kind::unavailable, installed.folder().string(),
                 "the folder cannot be made: " + failure.message(), "check its rights"};
  }
  engine::PeftReport report;
  if (is_folder) {
    // The base tells by itself what is for it; for an encoder it is named with --model.
    const auto base = context.find_model(options.model, engine::ModelRole::chat);
    if (!base) return base.error();
    auto made = engine::import_peft(from, *base, out);
    if (!made) return made.error();
    report = *std::move(made);
  } else {
    const auto info = engine::read_adapter(from);
    if (!info) return info.error();
    const auto base = base_of_adapter(context, *info);
    if (!base) return base.error();
    const auto match = engine::check_adapter_base(from, *base);
    if (!match) return match.error();
    const fs::path part = installed.folder() / ("." + name + ".import");
    fs::copy_file(from, part, fs::copy_options::overwrite_existing, failure);
    if (!failure) fs::rename(part, out, failure);
    if (failure) {
      std::error_code ignored;
      fs::remove(part, ignored);
      return Error{failure == std::errc::no_space_on_device ? Kind::out_of_room : Kind::unavailable,
                   out.string(), "it cannot be copied: " + failure.message(), "check the disk"};
    }
    report.written = out;
    report.matrices = info->matrices;
    report.rank = info->rank;
    report.alpha = info->alpha;
    if (*match == engine::BaseMatch::shapes_only) {
      report.notes.push_back("it does not say which model it was trained on; it fits " +
                             base->stem().string());
    }
  }
  return show_exchange(context, report, name);
}

}  // namespace loam::cli
