// A language model at work: generate, tokens, bench engine.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/json.h"
#include "base/utf8.h"
#include "cli/context.h"
#include "cli/interrupt.h"
#include "cli/show.h"
#include "engine/bench.h"

namespace loam::cli {
namespace {

/// A token's bytes in quotes: spaces show, line ends as \n, bytes that are no whole code point as <E2>.
std::string quoted_token(std::string_view bytes) {
  std::string out = "\"";
  while (!bytes.empty()) {
    const CodePoint c = decode_utf8(bytes);
    if (!c.valid) {
      out += fmt::format("<{:02X}>", static_cast<unsigned>(static_cast<unsigned char>(bytes[0])));
    } else if (c.value == '\n') {
      out += "\\n";
    } else if (c.value == '\t') {
      out += "\\t";
    } else if (c.value == '"') {
      out += "\\\"";
    } else {
      out += printable(bytes.substr(0, c.size));
    }
    bytes.remove_prefix(std::max<std::size_t>(c.size, 1));
  }
  return out + "\"";
}

std::string_view finish_name(engine::FinishReason finish) {
  switch (finish) {
    case engine::FinishReason::stop:
      return "stop";
    case engine::FinishReason::length:
      return "length";
    case engine::FinishReason::cancelled:
      return "cancelled";
  }
  return "";
}

Json usage_json(const engine::Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},     {"reused_tokens", usage.reused_tokens},
          {"answer_tokens", usage.answer_tokens},     {"prefill_ms", rounded_ms(usage.prefill_ms)},
          {"decode_ms", rounded_ms(usage.decode_ms)}, {"first_token_ms", rounded_ms(usage.first_token_ms)}};
}

std::string usage_text(const engine::Usage& usage) {
  const int read = usage.prompt_tokens - usage.reused_tokens;
  std::string text = fmt::format("{} tokens read", usage.prompt_tokens);
  if (read > 0 && usage.prefill_ms > 0)
    text += fmt::format(" ({:.0f} tok/s)", read * 1000.0 / usage.prefill_ms);
  text += fmt::format(", {} written", usage.answer_tokens);
  if (usage.answer_tokens > 1 && usage.decode_ms > 0) {
    text += fmt::format(" ({:.0f} tok/s)", usage.answer_tokens * 1000.0 / usage.decode_ms);
  }
  return text + fmt::format(", first after {}", human_duration(usage.first_token_ms));
}

Json steps_json(const std::vector<engine::Step>& steps) {
  Json list = Json::array();
  for (const engine::Step& step : steps) {
    Json alternatives = Json::array();
    for (const engine::Alternative& a : step.alternatives) {
      alternatives.push_back({{"token", a.token}, {"text", a.text}, {"probability", a.probability}});
    }
    list.push_back({{"token", step.token},
                    {"text", step.text},
                    {"probability", step.probability},
                    {"alternatives", std::move(alternatives)}});
  }
  return list;
}

/// One block for each step: what was likely next, how likely, and which was taken.
void print_steps(Terminal& terminal, const std::vector<engine::Step>& steps) {
  constexpr int kBarColumns = 24;
  std::size_t widest = 8;
  for (const engine::Step& step : steps) {
    widest = std::max(widest, display_width(quoted_token(step.text)));
    for (const engine::Alternative& a : step.alternatives)
      widest = std::max(widest, display_width(quoted_token(a.text)));
  }
  widest = std::min<std::size_t>(widest, 28);
  const auto row = [&](std::string_view number, bool taken, const engine::Alternative& a) {
    const std::string token = shorten(quoted_token(a.text), widest);
    const auto filled =
        static_cast<std::size_t>(std::lround(static_cast<double>(a.probability) * kBarColumns));
    std::string bar;
    for (std::size_t i = 0; i < filled; ++i) bar += "█";
    if (filled == 0) bar = "▏";
    const std::string pad(widest - display_width(token), ' ');
    const std::string bar_pad(static_cast<std::size_t>(kBarColumns) - std::max<std::size_t>(filled, 1), ' ');
    terminal.line(fmt::format(
        "{:>4} {} {}{}  {:>7}  {:>5.1f}%  {}", number, taken ? terminal.paint(Style::green, "▸") : " ",
        taken ? terminal.paint(Style::bold, token) : token, pad, a.token,
        static_cast<double>(a.probability) * 100, terminal.paint(taken ? Style::green : Style::dim, bar)));
  };
  terminal.line(
      terminal.paint(Style::bold, fmt::format("step   {:<{}}    token  chance", "next token", widest)));
  int number = 0;
  for (const engine::Step& step : steps) {
    std::string label = std::to_string(++number);
    bool seen = false;
    for (const engine::Alternative& a : step.alternatives) {
      const bool taken = a.token == step.token;
      seen = seen || taken;
      row(label, taken, a);
      label.clear();
    }
    if (!seen) row(label, true, {step.token, step.text, step.probability});
  }
}

Result<void> read_constraints(const Options& options, engine::GenerateRequest& request) {
  if (!options.grammar.empty() && !options.json_schema.empty()) {
    return Error{Kind::bad_request, "--grammar and --json-schema", "only one of them can constrain the text",
                 "leave one out"};
  }
  if (!options.grammar.empty()) {
    auto text = read_text_file(options.grammar);
    if (!text) return text.error();
    request.grammar = std::move(*text);
  }
  if (!options.json_schema.empty()) {
    auto text = read_text_file(options.json_schema);
    if (!text) return text.error();
    if (auto schema = parse_json(*text, options.json_schema); !schema) return schema.error();
    request.json_schema = std::move(*text);
  }
  return done();
}
}  // namespace

Result<Outcome> run_generate(Context& context) {
  const Options& options = context.options();
  Terminal& terminal = context.terminal();
  auto prompt = argument_or_input(context, "PROMPT");
  if (!prompt) return prompt.error();
  engine::GenerateRequest request;
  if (auto ok = read_constraints(options, request); !ok) return ok.error();
  if (options.raw) {
    if (!options.system.empty()) {
      return Error{Kind::bad_request, "--raw and --system", "a raw prompt has no place for a system message",
                   "put the text into the prompt, or leave out --raw"};
    }
    if (prompt->empty())
      return Error{Kind::bad_request, "PROMPT", "it is empty", "loam generate \"Once upon a time\""};
    request.raw_prompt = *prompt;
  } else {
    if (one_line(*prompt).empty()) {
      return Error{Kind::bad_request, "PROMPT", "it is empty", context.verb().examples.front().command};
    }
    if (!options.system.empty()) request.messages.push_back({engine::Role::system, options.system});
    request.messages.push_back({engine::Role::user, *prompt});
  }
  request.max_tokens = options.max_tokens;
  request.sampling = context.sampling();
  request.stop = options.stop;
  request.top_alternatives = options.top;

  Interrupts interrupts;  // before any thread of the engine starts
  auto engine = context.open_engine();
  if (!engine) return engine.error();
  const bool streams = !terminal.json() && options.top == 0;
  const auto on_text = [&](std::string_view piece) {
    if (streams) {
      terminal.out(terminal.out_is_terminal() ? printable(piece) : std::string(piece));
      terminal.flush();
    }
    return true;
  };
  auto draft = (*engine)->generate(request, on_text, interrupts.begin());
  interrupts.end();
  if (!draft) {
    if (streams) terminal.flush();
    return draft.error();
  }
  if (terminal.json()) {
    Json document = {{"text", draft->text},
                     {"finish", finish_name(draft->finish)},
                     {"model", (*engine)->model_name()},
                     {"usage", usage_json(draft->usage)}};
    if (options.top > 0) document["steps"] = steps_json(draft->steps);
    terminal.json(document);
  } else if (options.top > 0) {
    print_steps(terminal, draft->steps);
    terminal.line();
    terminal.line(wrap(printable(draft->text), terminal.width()));
  } else {
    terminal.line();
  }
  if (!terminal.json()) {
    if (draft->finish == engine::FinishReason::cancelled) terminal.note("Stopped.");
    if (draft->finish == engine::FinishReason::length) {
      terminal.note(fmt::format("Ended after {} tokens; more with -n N.", options.max_tokens));
    }
    if (options.verbose) terminal.note(usage_text(draft->usage));
  }
  return draft->text.empty() ? Outcome::empty : Outcome::done;
}

Result<Outcome> run_tokens_encode(Context& context) {
  auto text = argument_or_input(context, "TEXT");
  if (!text) return text.error();
  auto file = context.find_model(context.options().model, engine::ModelRole::chat);
  if (!file) return file.error();
  engine::LocalModelOptions model_options;
  model_options.load = engine::Load::vocabulary_only;
  auto model = engine::LocalModel::open(*file, model_options, context.logger());
  if (!model) return model.error();
  auto pieces = (*model)->encode_pieces(
      *text, engine::AddSpecial::no,
      context.options().special ? engine::ParseSpecial::yes : engine::ParseSpecial::no);
  if (!pieces) return pieces.error();
  Terminal& terminal = context.terminal();
  if (terminal.json()) {
    Json list = Json::array();
    for (const engine::TokenPiece& piece : *pieces) {
      list.push_back({{"token", piece.id}, {"text", piece.bytes}, {"control", piece.is_control}});
    }
    terminal.json({{"model", (*model)->name()}, {"count", pieces->size()}, {"tokens", std::move(list)}});
    return Outcome::done;
  }
  Table table({Table::Align::right, Table::Align::left});
  for (const engine::TokenPiece& piece : *pieces) {
    table.add({std::to_string(piece.id), quoted_token(piece.bytes)},
              piece.is_control ? Style::yellow : Style::plain);
  }
  terminal.out(table.text(terminal));
  terminal.note(fmt::format("{} for {} by {}", plural(pieces->size(), "token"),
                            plural(utf8_length(*text), "character"), (*model)->name()));
  return Outcome::done;
}

Result<Outcome> run_tokens_decode(Context& context) {
  std::vector<engine::Token> tokens;
  for (const std::string& argument : context.arguments()) {
    // Numbers may be parted by spaces or commas, as programs print them.
    std::size_t at = 0;
    while (at < argument.size()) {
      const std::size_t end = std::min(argument.find_first_of(" ,\n\t[]", at), argument.size());
      if (end > at) {
        engine::Token token = 0;
        const char* first = argument.data() + at;
        const auto [stop, failure] = std::from_chars(first, argument.data() + end, token);
        if (failure != std::errc{} || stop != argument.data() + end) {
          return Error{Kind::bad_request, "\"" + argument.substr(at, end - at) + "\"",
                       "is not a token number", "loam tokens decode 19556 905"};
        }
        tokens.push_back(token);
      }
      at = end + 1;
    }
  }
  auto file = context.find_model(context.options().model, engine::ModelRole::chat);
  if (!file) return file.error();
  engine::LocalModelOptions model_options;
  model_options.load = engine::Load::vocabulary_only;
  auto model = engine::LocalModel::open(*file, model_options, context.logger());
  if (!model) return model.error();
  auto text = (*model)->decode(tokens);
  if (!text) return text.error();
  Terminal& terminal = context.terminal();
  if (terminal.json()) {
    terminal.json({{"model", (*model)->name()}, {"text", *text}});
  } else {
    terminal.line(printable(*text));
  }
  return Outcome::done;
}

Result<Outcome> run_bench_engine(Context& context) {
  const Options& options = context.options();
  auto file = context.find_model(options.model, engine::ModelRole::chat);
  if (!file) return file.error();
  engine::SpeedOptions speed_options;
  speed_options.prefill_tokens = options.prompt_tokens;
  speed_options.decode_tokens = options.generate_tokens;
  speed_options.repetitions = options.repetitions;
  speed_options.threads = options.threads;
  if (auto type = engine::kv_type_from_name(options.kv_type))
    speed_options.k_type = speed_options.v_type = *type;
  Terminal& terminal = context.terminal();
  if (!terminal.json()) {
    terminal.note(fmt::format("Measuring {} {} times; this takes a moment.", file->stem().string(),
                              options.repetitions));
  }
  auto report = engine::measure_speed(*file, speed_options, context.logger());
  if (!report) return report.error();
  if (terminal.json()) {
    terminal.json({{"model", file->stem().string()},
                   {"prompt_tokens", options.prompt_tokens},
                   {"generate_tokens", options.generate_tokens},
                   {"prefill_tokens_per_s", report->prefill_median},
                   {"decode_tokens_per_s", report->decode_median},
                   {"prefill_samples", report->prefill_samples},
                   {"decode_samples", report->decode_samples}});
    return Outcome::done;
  }
  const auto row = [](std::string what, double median,
                      std::vector<double> samples) -> std::vector<std::string> {
    if (samples.empty()) return {std::move(what), "-", "", ""};
    const auto [low, high] = std::minmax_element(samples.begin(), samples.end());
    return {std::move(what), fmt::format("{:.1f}", median), fmt::format("{:.1f}", *low),
            fmt::format("{:.1f}", *high)};
  };
  Table table({Table::Align::left, Table::Align::right, Table::Align::right, Table::Align::right});
  table.add({"TOKENS PER SECOND", "MEDIAN", "LOWEST", "HIGHEST"}, Style::bold);
  table.add(row(fmt::format("reading {} tokens", options.prompt_tokens), report->prefill_median,
                report->prefill_samples));
  table.add(row(fmt::format("writing {} tokens", options.generate_tokens), report->decode_median,
                report->decode_samples));
  terminal.out(table.text(terminal));
  return Outcome::done;
}

}  // namespace loam::cli
