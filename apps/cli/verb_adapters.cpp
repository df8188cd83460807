// Adapters on this machine: list, use, scale, remove.
#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "base/json.h"
#include "cli/adapters_common.h"
#include "cli/context.h"
#include "engine/adapters.h"
#include "engine/base_identity.h"

namespace loam::cli {

using engine::InstalledAdapter;
using engine::InstalledAdapters;

std::string gate_text(const InstalledAdapter& adapter) {
  const std::string said = !adapter.gate ? "not checked" : adapter.gate->passed ? "passed" : "failed";
  switch (adapter.promotion) {
    case engine::Promotion::by_gate:
      return "promoted";
    case engine::Promotion::by_force:
      return "promoted by force, " + said;
    case engine::Promotion::no:
      break;
  }
  return said;
}

Json adapter_json(const InstalledAdapter& adapter) {
  const auto text = [](const std::string& value) { return value.empty() ? Json() : Json(value); };
  Json gate;
  if (adapter.gate) {
    gate = Json{
        {"run", adapter.gate->run}, {"passed", adapter.gate->passed}, {"summary", adapter.gate->summary}};
  }
  return Json{{"name", adapter.name},
              {"file", adapter.file.string()},
              {"architecture", adapter.info.architecture},
              {"base", text(adapter.info.base_name)},
              {"base_identity", text(adapter.info.base_identity)},
              {"kind", adapter.info.head.empty() ? Json("chat") : Json(adapter.info.head)},
              {"rank", adapter.info.rank},
              {"alpha", adapter.info.alpha},
              {"targets", adapter.info.targets},
              {"parameters", adapter.info.parameters},
              {"size_bytes", adapter.info.file_bytes},
              {"scale", adapter.scale},
              {"trained_from", text(adapter.trained_from)},
              {"gate", std::move(gate)},
              {"promoted", adapter.promotion != engine::Promotion::no},
              {"in_use", adapter.in_use}};
}

Result<Outcome> run_adapters_list(Context& context) {
  Terminal& terminal = context.terminal();
  std::vector<Error> damaged;
  const auto adapters = InstalledAdapters(context.home()).list(&damaged);
  if (!adapters) return adapters.error();
  for (const Error& error : damaged) context.logger().warning(error.line());
  if (terminal.json()) {
    Json list = Json::array();
    for (const InstalledAdapter& adapter : *adapters) list.push_back(adapter_json(adapter));
    terminal.json({{"adapters", std::move(list)}});
    return adapters->empty() ? Outcome::empty : Outcome::done;
  }
  if (adapters->empty()) {
    terminal.line("There is no adapter here. To make one: loam train lora --data FILE");
    return Outcome::empty;
  }
  using enum Table::Align;
  Table table({left, left, left, right, right, right, left, left});
  table.add({"", "NAME", "BASE", "RANK", "SIZE", "SCALE", "LEARNT FROM", "GATE"}, Style::bold);
  for (const InstalledAdapter& adapter : *adapters) {
    const std::string base = adapter.info.base_name.empty()
                                 ? fmt::format("({})", printable(adapter.info.architecture))
                                 : printable(adapter.info.base_name);
    const std::string kind = adapter.info.head.empty() ? "" : " " + printable(adapter.info.head);
    table.add({adapter.in_use ? "*" : "", adapter.name, shorten(base, 28) + kind,
               std::to_string(adapter.info.rank), human_bytes(static_cast<double>(adapter.info.file_bytes)),
               fmt::format("{}", adapter.scale), shorten(printable(one_line(adapter.trained_from)), 24),
               gate_text(adapter)});
  }
  terminal.out(table.text(terminal));
  return Outcome::done;
}

Result<Outcome> run_adapters_use(Context& context) {
  Terminal& terminal = context.terminal();
  const InstalledAdapters installed(context.home());
  const std::string& name = context.arguments().front();
  const bool none = name == "none";
  InstalledAdapter adapter;
  if (!none) {
    auto shown = installed.show(name);
    if (!shown) return shown.error();
    adapter = *std::move(shown);
    if (!adapter.info.head.empty()) {
      return Error{Kind::bad_request, name,
                   "it is for an encoder (" + printable(adapter.info.head) + "), not for a chat model",
                   "name it where it is to serve"};
    }
  }
  const auto model = context.find_model(context.options().model, engine::ModelRole::chat);
  if (!model) return model.error();
  if (!none) {
    const auto match = engine::check_adapter_base(adapter.file, *model);
    if (!match) return match.error();
    if (*match == engine::BaseMatch::shapes_only) {
      terminal.note(fmt::format("{} does not say which model it was trained on; it fits {}.", name,
                                model->stem().string()));
    }
  }
  const auto identity = engine::base_identity(*model);
  if (!identity) return identity.error();
  if (none) {
    const auto was = installed.use_none(*identity);
    if (!was) return was.error();
    if (terminal.json()) {
      terminal.json({{"model", model->stem().string()}, {"adapter", Json()}});
    } else {
      terminal.line(*was ? fmt::format("{} is used without an adapter again.", model->stem().string())
                         : fmt::format("{} has no default adapter.", model->stem().string()));
    }
    return Outcome::done;
  }
  if (auto used = installed.use(name, *identity); !used) return used.error();
  if (terminal.json()) {
    terminal.json({{"model", model->stem().string()},
                   {"adapter", name},
                   {"scale", adapter.scale},
                   {"promoted", adapter.promotion != engine::Promotion::no}});
    return Outcome::done;
  }
  terminal.line(fmt::format("From now on {} is used with {}, in every quantisation of it.",
                            model->stem().string(), name));
  if (adapter.promotion == engine::Promotion::no) {
    terminal.note(
        adapter.gate && !adapter.gate->passed
            ? fmt::format("It failed its check: {}", printable(adapter.gate->summary))
            : fmt::format("It was not promoted: that it is better was not shown. loam adapters check {} "
                          "--data FILE",
                          name));
  }
  return Outcome::done;
}

Result<Outcome> run_adapters_scale(Context& context) {
  const InstalledAdapters installed(context.home());
  auto adapter = installed.show(context.arguments().front());
  if (!adapter) return adapter.error();
  const std::string& word = context.arguments().back();
  const auto wish = engine::adapter_wish(adapter->name + ":" + word);
  if (!wish || !wish->scale) {
    return Error{Kind::bad_request, "scale " + word, "it must be a number from -1000 to 1000",
                 "loam adapters scale " + adapter->name + " 0.5"};
  }
  adapter->scale = *wish->scale;
  if (auto saved = installed.save(*adapter); !saved) return saved.error();
  if (context.terminal().json()) {
    context.terminal().json(adapter_json(*adapter));
  } else {
    context.terminal().line(fmt::format("{} acts with a scale of {}.", adapter->name, adapter->scale));
  }
  return Outcome::done;
}

Result<Outcome> run_adapters_remove(Context& context) {
  const std::string& name = context.arguments().front();
  const auto freed = InstalledAdapters(context.home()).remove(name);
  if (!freed) return freed.error();
  if (context.terminal().json()) {
    context.terminal().json({{"removed", name}, {"freed_bytes", *freed}});
  } else {
    context.terminal().line(
        fmt::format("Removed {}; {} are free again.", name, human_bytes(static_cast<double>(*freed))));
  }
  return Outcome::done;
}

}  // namespace loam::cli
