// Models on this machine: list, show, pull, rm, import, quantize; and fit.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "cli/context.h"
#include "cli/fit_train.h"
#include "cli/interrupt.h"
#include "cli/show.h"
#include "engine/fit.h"
#include "engine/gguf_check.h"
#include "engine/import.h"
#include "engine/pull.h"
#include "engine/quantize.h"
#include "engine/weights.h"

namespace loam::cli {
namespace fs = std::filesystem;
namespace {

using engine::Catalogue;
using engine::CatalogueEntry;
using engine::InstalledModel;
using engine::InstalledModels;

constexpr std::string_view kMadeFrom = "quantised from ";  ///< the source of what `models quantize` made

engine::ModelRole role_of(const engine::GgufSummary& summary) {
  return summary.pooling.empty() || summary.pooling == "none" ? engine::ModelRole::chat
                                                              : engine::ModelRole::embedding;
}

/// Installed models, and GGUF files that lie in a model folder without a manifest.
Result<std::vector<InstalledModel>> models_here(Context& context) {
  std::vector<Error> damaged;
  auto models = InstalledModels(context.home()).list(&damaged);
  if (!models) return models.error();
  for (const Error& error : damaged) context.logger().warning(error.line());
  for (const fs::path& folder : context.model_folders()) {
    std::error_code failure;
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder, failure)) {
      if (entry.path().extension() == ".gguf") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) {
      const bool known = std::any_of(models->begin(), models->end(), [&](const InstalledModel& m) {
        std::error_code ignored;
        return fs::equivalent(m.file, file, ignored);
      });
      if (known) continue;
      auto summary = engine::check_gguf(file);
      if (!summary) {
        context.logger().warning(summary.error().line());
        continue;
      }
      InstalledModel model;
      model.name = file.stem().string();
      model.role = role_of(*summary);
      model.file = file;
      model.size_bytes = summary->file_bytes;
      model.source = file.string();
      model.architecture = summary->architecture;
      model.file_type = summary->file_type;
      model.parameters = summary->parameters;
      model.context_tokens = summary->context_tokens;
      models->push_back(std::move(model));
    }
  }
  return models;
}

Json model_json(const InstalledModel& model) {
  return {{"name", model.name},
          {"role", engine::name_of(model.role)},
          {"installed", true},
          {"file", model.file.string()},
          {"size_bytes", model.size_bytes},
          {"type", model.file_type},
          {"architecture", model.architecture},
          {"parameters", model.parameters},
          {"context", model.context_tokens},
          {"licence", model.licence},
          {"source", model.source},
          {"sha256", model.sha256},
          {"weights", engine::weights_json(model.weights)}};
}

Json entry_json(const CatalogueEntry& entry) {
  return {{"name", entry.name},
          {"role", engine::name_of(entry.role)},
          {"installed", false},
          {"needs_network", entry.needs_network()},
          {"default", entry.is_default},
          {"size_bytes", entry.size_bytes},
          {"parameters", entry.parameters},
          {"context", entry.context_tokens},
          {"licence", entry.licence},
          {"source", entry.source.text()},
          {"sha256", entry.sha256},
          {"notes", entry.notes}};
}

void print_field(Terminal& terminal, std::string_view name, const std::string& value) {
  if (value.empty() || value == "0") return;
  const std::string first = fmt::format("  {:<13} ", name);
  terminal.line(wrap(printable(value), terminal.width(), first, std::string(first.size(), ' ')));
}

void print_weights(Terminal& terminal, const InstalledModel& model) {
  if (model.weights.empty()) return;
  terminal.line();
  terminal.line("  Forms measured on " + printable(model.weights_machine));
  Table table({Table::Align::left, Table::Align::right, Table::Align::right, Table::Align::right,
               Table::Align::right, Table::Align::left});
  table.add({"FORM", "SIZE", "READ tok/s", "WRITE tok/s", "KL", ""}, Style::bold);
  const auto speed = [](double tokens_per_s) {  // 0: not timed
    return tokens_per_s > 0 ? fmt::format("{:.0f}", tokens_per_s) : std::string("-");
  };
  for (const engine::WeightsRow& row : model.weights) {
    table.add({row.form, human_bytes(static_cast<double>(row.size_bytes)), speed(row.prefill_tokens_per_s),
               speed(row.decode_tokens_per_s), fmt::format("{:.4f}", row.mean_kl), row.reason},
              row.chosen ? Style::green : Style::plain);
  }
  terminal.out(table.text(terminal, "  "));
}

void print_model(Terminal& terminal, const InstalledModel& model) {
  terminal.line(terminal.paint(Style::bold, model.name));
  print_field(terminal, "role", std::string(engine::name_of(model.role)));
  print_field(terminal, "parameters", human_count(static_cast<double>(model.parameters)));
  print_field(terminal, "weights", model.file_type);
  print_field(terminal, "size", human_bytes(static_cast<double>(model.size_bytes)));
  print_field(terminal, "context", std::to_string(model.context_tokens));
  print_field(terminal, "architecture", model.architecture);
  print_field(terminal, "licence", model.licence);
  print_field(terminal, "file", model.file.string());
  print_field(terminal, "source", model.source);
  print_field(terminal, "sha256", model.sha256);
  print_weights(terminal, model);
}

Result<engine::ImportType> import_type(const std::string& text) {
  if (text.empty()) return engine::ImportType::f32;
  using enum engine::ImportType;
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const engine::ImportType type : {f32, f16, bf16, q8_0}) {
    if (lower == engine::name_of(type)) return type;
  }
  return Error{Kind::bad_request, "--type " + text, "import writes f32, f16, bf16 or q8_0",
               "--type f16, and then loam models quantize"};
}

/// What the engine leaves while it writes into a folder bears our process number until it is renamed.
void remove_unfinished(const fs::path& folder) {
  const std::string file_end = ".part-" + std::to_string(::getpid());
  const std::string folder_name = ".weights-" + std::to_string(::getpid());
  std::error_code ignored;
  std::vector<fs::path> unfinished;
  for (const auto& entry : fs::directory_iterator(folder.empty() ? fs::path(".") : folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(file_end) || name == folder_name) unfinished.push_back(entry.path());
  }
  for (const fs::path& path : unfinished) fs::remove_all(path, ignored);
}

/// From the listening thread, past the Terminal, which belongs to the main one.
void say_at_once(const std::string& text) {
  const std::string line = (::isatty(STDERR_FILENO) == 1 ? "\r\033[2K" : "") + text + "\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

/// Makes a quantised file a model like any other: with a name, a source and a licence.
Result<void> install_quantized(Context& context, const std::string& name, const fs::path& source,
                               const engine::QuantizeReport& report) {
  auto summary = engine::check_gguf(report.file);
  if (!summary) return summary.error();
  auto hash = sha256_hex_of_file(report.file);
  if (!hash) return hash.error();
  InstalledModel model;
  model.name = name;
  model.role = role_of(*summary);
  model.file = report.file;
  model.size_bytes = summary->file_bytes;
  model.sha256 = *hash;
  model.source = std::string(kMadeFrom) + source.stem().string();
  model.architecture = summary->architecture;
  model.file_type = summary->file_type;
  model.parameters = summary->parameters;
  model.context_tokens = summary->context_tokens;
  model.installed_unix_seconds = system_clock().unix_seconds();
  auto models = models_here(context);
  if (!models) return models.error();
  for (const InstalledModel& from : *models) {
    std::error_code ignored;
    if (!fs::equivalent(from.file, source, ignored)) continue;
    model.role = from.role;
    model.licence = from.licence;
    model.source = std::string(kMadeFrom) + from.name;
    model.source_sha256 = from.sha256;
  }
  return InstalledModels(context.home()).save(model);
}

engine::PullOptions pull_options(Context& context) {
  engine::PullOptions options;
  options.name = context.options().name;
  if (context.options().offline) options.network = engine::Network::refused;
  for (const fs::path& folder : context.model_folders()) options.search_dirs.push_back(folder);
  return options;
}
}  // namespace

Result<Outcome> run_models_list(Context& context) {
  auto models = models_here(context);
  if (!models) return models.error();
  Terminal& terminal = context.terminal();
  const auto is_here = [&](const std::string& name) {
    return std::any_of(models->begin(), models->end(),
                       [&](const InstalledModel& m) { return m.name == name; });
  };
  if (terminal.json()) {
    Json list = Json::array();
    for (const InstalledModel& model : *models) list.push_back(model_json(model));
    if (context.options().list_all) {
      for (const CatalogueEntry& entry : Catalogue::built_in().entries()) {
        if (!is_here(entry.name)) list.push_back(entry_json(entry));
      }
    }
    const Outcome outcome = list.empty() ? Outcome::empty : Outcome::done;
    terminal.json({{"models", std::move(list)}});
    return outcome;
  }
  Table table({Table::Align::left, Table::Align::left, Table::Align::right, Table::Align::left,
               Table::Align::right, Table::Align::right, Table::Align::left});
  table.add({"MODEL", "ROLE", "PARAMS", "WEIGHTS", "SIZE", "CONTEXT", "LICENCE"}, Style::bold);
  for (const InstalledModel& m : *models) {
    table.add({m.name, std::string(engine::name_of(m.role)), human_count(static_cast<double>(m.parameters)),
               m.file_type, human_bytes(static_cast<double>(m.size_bytes)), std::to_string(m.context_tokens),
               m.licence});
  }
  if (context.options().list_all) {
    for (const CatalogueEntry& e : Catalogue::built_in().entries()) {
      if (is_here(e.name)) continue;
      table.add({e.name, std::string(engine::name_of(e.role)),
                 e.parameters > 0 ? human_count(static_cast<double>(e.parameters)) : "",
                 e.needs_network() ? "to download" : "to pull",
                 e.size_bytes > 0 ? human_bytes(static_cast<double>(e.size_bytes)) : "",
                 e.context_tokens > 0 ? std::to_string(e.context_tokens) : "", e.licence},
                Style::dim);
    }
  }
  if (models->empty() && !context.options().list_all) {
    terminal.line("No model is installed. To see what can be pulled: loam models list --all");
    return Outcome::empty;
  }
  terminal.out(table.text(terminal));
  return Outcome::done;
}

Result<Outcome> run_models_show(Context& context) {
  const std::string& name = context.arguments().front();
  Terminal& terminal = context.terminal();
  auto models = models_here(context);
  if (!models) return models.error();
  for (const InstalledModel& model : *models) {
    if (model.name != name) continue;
    if (terminal.json()) {
      terminal.json(model_json(model));
    } else {
      print_model(terminal, model);
    }
    return Outcome::done;
  }
  if (const CatalogueEntry* entry = Catalogue::built_in().find(name); entry != nullptr) {
    if (terminal.json()) {
      terminal.json(entry_json(*entry));
      return Outcome::done;
    }
    terminal.line(terminal.paint(Style::bold, entry->name) + "  (not on this machine)");
    print_field(terminal, "role", std::string(engine::name_of(entry->role)));
    print_field(terminal, "parameters", human_count(static_cast<double>(entry->parameters)));
    print_field(terminal, "size",
                entry->size_bytes > 0 ? human_bytes(static_cast<double>(entry->size_bytes)) : "");
    print_field(terminal, "context", std::to_string(entry->context_tokens));
    print_field(terminal, "licence", entry->licence);
    print_field(terminal, "source", entry->source.text());
    print_field(terminal, "notes", entry->notes);
    print_field(terminal, "to get it", "loam models pull " + entry->name);
    return Outcome::done;
  }
  auto file = context.find_model(name, engine::ModelRole::chat);
  if (!file) return file.error();
  auto summary = engine::check_gguf(*file);
  if (!summary) return summary.error();
  if (terminal.json()) {
    terminal.json({{"name", file->stem().string()},
                   {"file", file->string()},
                   {"installed", false},
                   {"architecture", summary->architecture},
                   {"type", summary->file_type},
                   {"parameters", summary->parameters},
                   {"context", summary->context_tokens},
                   {"layers", summary->layers},
                   {"vocabulary", summary->vocabulary},
                   {"tokenizer", summary->tokenizer},
                   {"chat_template", summary->has_chat_template},
                   {"size_bytes", summary->file_bytes}});
    return Outcome::done;
  }
  terminal.line(terminal.paint(Style::bold, file->string()));
  print_field(terminal, "name", summary->name);
  print_field(terminal, "architecture", summary->architecture);
  print_field(terminal, "parameters", human_count(static_cast<double>(summary->parameters)));
  print_field(terminal, "weights", summary->file_type);
  print_field(terminal, "size", human_bytes(static_cast<double>(summary->file_bytes)));
  print_field(terminal, "context", std::to_string(summary->context_tokens));
  print_field(terminal, "layers", std::to_string(summary->layers));
  print_field(terminal, "vocabulary", std::to_string(summary->vocabulary));
  print_field(terminal, "tokenizer", summary->tokenizer);
  print_field(terminal, "chat template", summary->has_chat_template ? "yes" : "no");
  return Outcome::done;
}

Result<Outcome> run_models_pull(Context& context) {
  Terminal& terminal = context.terminal();
  Interrupts interrupts;
  auto model = engine::pull(context.arguments().front(), context.home(), pull_options(context),
                            terminal.progress(), context.logger(), interrupts.begin());
  interrupts.end();
  terminal.wipe_progress();
  if (!model) return model.error();
  const bool can_choose =
      model->role == engine::ModelRole::chat && !model->weights_measured && !context.options().keep_format;
  if (can_choose) {
    terminal.note("Measuring which form of the weights runs fastest here; about a minute for a small model.");
    engine::WeightsOptions options;
    options.threads = context.options().threads;
    interrupts.begin_unstoppable([&] {
      remove_unfinished(context.home() / "models");
      say_at_once(
          "Stopped measuring. The model is installed as it was pulled; the same command measures again.");
    });
    auto chosen =
        engine::choose_weights(model->name, context.home(), options, terminal.progress(), context.logger());
    interrupts.end();
    terminal.wipe_progress();
    // The model is installed and sound; not knowing a faster form takes nothing away.
    if (chosen)
      model = std::move(chosen);
    else
      context.logger().warning(chosen.error().line());
  }
  if (terminal.json()) {
    terminal.json(model_json(*model));
  } else {
    print_model(terminal, *model);
  }
  return Outcome::done;
}

Result<Outcome> run_models_rm(Context& context) {
  auto freed = InstalledModels(context.home()).remove(context.arguments().front());
  if (!freed) return freed.error();
  if (context.terminal().json()) {
    context.terminal().json({{"removed", context.arguments().front()}, {"freed_bytes", *freed}});
  } else {
    context.terminal().line(fmt::format("Removed {}; {} are free again.", context.arguments().front(),
                                        human_bytes(static_cast<double>(*freed))));
  }
  return Outcome::done;
}

Result<Outcome> run_models_import(Context& context) {
  Terminal& terminal = context.terminal();
  const fs::path path = context.arguments().front();
  auto type = import_type(context.options().type);
  if (!type) return type.error();
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    return Error{Kind::bad_request, path.string(), "there is no such file or folder",
                 "loam models import ./all-MiniLM-L6-v2"};
  }
  Interrupts interrupts;
  if (!context.options().output.empty()) {
    interrupts.begin_unstoppable([folder = fs::path(context.options().output).parent_path()] {
      remove_unfinished(folder);
      say_at_once("Stopped.");
    });
    engine::ImportOptions options;
    options.type = *type;
    options.name = context.options().name;
    auto report =
        engine::import_model(path, context.options().output, options, terminal.progress(), context.logger());
    interrupts.end();
    terminal.wipe_progress();
    if (!report) return report.error();
    for (const std::string& note : report->notes) terminal.note(printable(note));
    if (terminal.json()) {
      terminal.json({{"file", report->file.string()},
                     {"architecture", report->architecture},
                     {"name", report->name},
                     {"tensors", report->tensors},
                     {"parameters", report->parameters},
                     {"size_bytes", report->bytes_written},
                     {"skipped", report->skipped},
                     {"notes", report->notes}});
    } else {
      terminal.line(fmt::format("Wrote {} ({}, {} parameters, {}).", report->file.string(),
                                report->architecture, human_count(static_cast<double>(report->parameters)),
                                human_bytes(static_cast<double>(report->bytes_written))));
    }
    return Outcome::done;
  }
  engine::PullOptions options = pull_options(context);
  options.network = engine::Network::refused;  // an import is of what lies here
  options.import_type = *type;
  auto model = engine::pull(fs::absolute(path).string(), context.home(), options, terminal.progress(),
                            context.logger(), interrupts.begin());
  interrupts.end();
  terminal.wipe_progress();
  if (!model) return model.error();
  if (terminal.json()) {
    terminal.json(model_json(*model));
  } else {
    print_model(terminal, *model);
  }
  return Outcome::done;
}

Result<Outcome> run_models_quantize(Context& context) {
  const Options& options = context.options();
  Terminal& terminal = context.terminal();
  if (options.type.empty()) {
    return Error{Kind::bad_request, "--type",
                 fmt::format("say which: {}", fmt::join(engine::quantize_types(), ", ")),
                 "loam models quantize MODEL --type q8_0"};
  }
  auto source = context.find_model(context.arguments().front(), engine::ModelRole::chat);
  if (!source) return source.error();
  engine::QuantizeOptions quantize_options;
  quantize_options.threads = options.threads;
  if (!options.text_file.empty()) {
    auto text = read_text_file(options.text_file);
    if (!text) return text.error();
    quantize_options.text = std::move(*text);
  }
  std::string lower = options.type;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  const std::string name =
      !options.name.empty() ? options.name : engine::model_name_from(source->stem().string() + "-" + lower);
  fs::path out = options.output;
  const bool installs = out.empty();
  if (installs) {
    if (!engine::is_model_name(name)) {
      return Error{Kind::bad_request, "--name " + name,
                   "a name has letters a-z, digits, dots, dashes and underscores",
                   "--name " + engine::model_name_from(name)};
    }
    const auto there = InstalledModels(context.home()).show(name);
    if (there && !there->source.starts_with(kMadeFrom)) {
      return Error{Kind::bad_request, "--name " + name, "there is already a model of this name",
                   "another --name, or loam models rm " + name};
    }
    out = context.home() / "models" / (name + ".gguf");
    std::error_code failure;
    fs::create_directories(out.parent_path(), failure);
    if (failure) {
      return Error{Kind::unavailable, out.parent_path().string(),
                   "the folder cannot be made: " + failure.message(), "--output FILE"};
    }
  }
  Interrupts interrupts;  // before any thread of the engine starts
  interrupts.begin_unstoppable([&] {
    remove_unfinished(out.parent_path());
    say_at_once("Stopped.");
  });
  auto report =
      engine::quantize(*source, out, options.type, quantize_options, terminal.progress(), context.logger());
  interrupts.end();
  terminal.wipe_progress();
  if (!report) return report.error();
  if (installs) {
    if (auto saved = install_quantized(context, name, *source, *report); !saved) return saved.error();
  }
  if (terminal.json()) {
    Json document = {{"name", installs ? Json(name) : Json()},
                     {"file", report->file.string()},
                     {"type", report->type},
                     {"bytes_before", report->bytes_before},
                     {"bytes_after", report->bytes_after}};
    document["loss"] = !report->has_loss
                           ? Json()
                           : Json{{"tokens", report->loss.tokens},
                                  {"perplexity_before", report->loss.perplexity_source},
                                  {"perplexity_after", report->loss.perplexity},
                                  {"mean_kl", report->loss.mean_kl},
                                  {"mean_kl_standard_error", report->loss.mean_kl_standard_error},
                                  {"top1_agreement", report->loss.top1_agreement}};
    document["speed"] = !report->has_speed ? Json()
                                           : Json{{"prefill_before", report->speed.prefill_before},
                                                  {"prefill_after", report->speed.prefill_after},
                                                  {"decode_before", report->speed.decode_before},
                                                  {"decode_after", report->speed.decode_after}};
    terminal.json(document);
    return Outcome::done;
  }
  terminal.line(installs ? fmt::format("Installed {} ({}).", name, report->type)
                         : fmt::format("Wrote {} ({}).", report->file.string(), report->type));
  Table table({Table::Align::left, Table::Align::right, Table::Align::right, Table::Align::right});
  table.add({"", "BEFORE", "AFTER", "CHANGE"}, Style::bold);
  const auto change = [](double before, double after) {
    return before > 0 ? fmt::format("{:+.1f}%", (after / before - 1) * 100) : std::string("-");
  };
  const auto before_size = static_cast<double>(report->bytes_before);
  const auto after_size = static_cast<double>(report->bytes_after);
  table.add({"size", human_bytes(before_size), human_bytes(after_size), change(before_size, after_size)});
  if (report->has_loss) {
    const engine::LossReport& loss = report->loss;
    table.add({"perplexity", fmt::format("{:.3f}", loss.perplexity_source),
               fmt::format("{:.3f}", loss.perplexity), change(loss.perplexity_source, loss.perplexity)});
  }
  if (report->has_speed) {
    const engine::SpeedPair& speed = report->speed;
    table.add({"reading, tok/s", fmt::format("{:.0f}", speed.prefill_before),
               fmt::format("{:.0f}", speed.prefill_after),
               change(speed.prefill_before, speed.prefill_after)});
    table.add({"writing, tok/s", fmt::format("{:.0f}", speed.decode_before),
               fmt::format("{:.0f}", speed.decode_after), change(speed.decode_before, speed.decode_after)});
  }
  terminal.out(table.text(terminal, "  "));
  if (report->has_loss) {
    terminal.line(fmt::format(
        "  KL to the source {:.4f} ± {:.4f} nats a token, same likeliest token at {:.1f}% of {} places",
        report->loss.mean_kl, report->loss.mean_kl_standard_error, report->loss.top1_agreement * 100,
        report->loss.tokens));
  }
  return Outcome::done;
}

Result<Outcome> run_fit(Context& context) {
  const Options& options = context.options();
  auto file = context.find_model(context.arguments().front(), engine::ModelRole::chat);
  if (!file) return file.error();
  if (options.fit_train) return fit_of_training(context, *file);
  engine::FitOptions fit_options;
  fit_options.context_tokens = options.context;
  fit_options.slots = options.slots;
  using enum engine::KvPrecision;
  fit_options.kv = options.kv_type == "bf16"   ? bf16
                   : options.kv_type == "q8_0" ? q8_0
                   : options.kv_type == "q4_0" ? q4_0
                   : options.kv_type == "f32"  ? f32
                                               : f16;
  auto models = InstalledModels(context.home()).list();
  if (models) {
    for (const InstalledModel& model : *models) {
      if (model.file != *file) continue;
      for (const engine::WeightsRow& row : model.weights) {
        if (!row.chosen) continue;
        fit_options.prefill_tokens_per_s = row.prefill_tokens_per_s;
        fit_options.decode_tokens_per_s = row.decode_tokens_per_s;
      }
    }
  }
  if (fit_options.context_tokens == 0) {
    auto summary = engine::check_gguf(*file);
    if (!summary) return summary.error();
    fit_options.context_tokens = summary->context_tokens;
  }
  auto report = engine::predict_fit(*file, fit_options);
  if (!report) return report.error();
  Terminal& terminal = context.terminal();
  const engine::MemoryParts& memory = report->memory;
  if (terminal.json()) {
    terminal.json({{"model", file->stem().string()},
                   {"fits", report->fits},
                   {"context", report->context_tokens},
                   {"slots", report->slots},
                   {"memory_bytes",
                    {{"weights", memory.weights},
                     {"kv_cache", memory.kv_cache},
                     {"compute", memory.compute},
                     {"adapters", memory.adapters},
                     {"program", memory.program},
                     {"total", memory.total()}}},
                   {"available_bytes", report->available_bytes},
                   {"largest_context", report->largest_context_tokens},
                   {"prefill_tokens_per_s", report->prefill_tokens_per_s},
                   {"decode_tokens_per_s", report->decode_tokens_per_s},
                   {"speed_is_measured", report->speed_is_measured},
                   {"speed", report->decode_tokens_per_s > 0 ? Json(engine::name_of(report->word)) : Json()},
                   {"notes", report->notes}});
    return report->fits ? Outcome::done : Outcome::empty;
  }
  const auto bytes = [](std::uint64_t n) { return human_bytes(static_cast<double>(n)); };
  terminal.line(
      fmt::format("{} {} {} with {} of {} tokens: {} of {} available.",
                  report->fits ? terminal.paint(Style::green, "✓") : terminal.paint(Style::red, "✗"),
                  terminal.paint(Style::bold, file->stem().string()), report->fits ? "fits" : "does not fit",
                  plural(static_cast<std::size_t>(report->slots), "conversation"), report->context_tokens,
                  bytes(memory.total()), bytes(report->available_bytes)));
  if (!report->fits) {
    terminal.line(
        report->largest_context_tokens > 0
            ? fmt::format("  The largest context that would fit: --ctx {}", report->largest_context_tokens)
            : "  Not even the weights fit.");
  }
  terminal.line();
  Table table({Table::Align::left, Table::Align::right});
  table.add({"weights", bytes(memory.weights)});
  table.add({"context cache", bytes(memory.kv_cache)});
  table.add({"computing", bytes(memory.compute)});
  if (memory.adapters > 0) table.add({"adapters", bytes(memory.adapters)});
  table.add({"program", bytes(memory.program)});
  table.add({"at the peak", bytes(memory.total())}, Style::bold);
  terminal.out(table.text(terminal, "  "));
  if (report->decode_tokens_per_s > 0) {
    terminal.line();
    terminal.line(fmt::format("  Speed: {} (reads {:.0f}, writes {:.0f} tokens per second, {})",
                              engine::name_of(report->word), report->prefill_tokens_per_s,
                              report->decode_tokens_per_s,
                              report->speed_is_measured ? "measured" : "estimated"));
  }
  for (const std::string& note : report->notes)
    terminal.line(wrap(printable(note), terminal.width(), "  ", "  "));
  return report->fits ? Outcome::done : Outcome::empty;
}

}  // namespace loam::cli
