// Text and schema to data: tables are copied, a model proposes the rest part by part, the source decides.
#include "tasks/extract.h"

#include <algorithm>

#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "guard/fence.h"
#include "tasks/extract_parts.h"

namespace loam::tasks {
namespace {

using baseline::FieldKind;

std::string_view kind_word(const baseline::FieldHint& hint) {
  switch (hint.kind) {
    case FieldKind::number:
      return "number";
    case FieldKind::integer:
      return "whole number";
    case FieldKind::yes_no:
      return "true or false";
    case FieldKind::date:
      return "date as YYYY-MM-DD";
    case FieldKind::email:
      return "e-mail address";
    case FieldKind::phone:
      return "phone number";
    case FieldKind::iban:
      return "IBAN";
    case FieldKind::url:
      return "web address";
    case FieldKind::card:
      return "card number";
    case FieldKind::text:
      break;
  }
  return "text";
}

std::string prompt_for(const ExtractSchema& schema, std::string_view text) {
  std::string prompt =
      "Read the text between <<< and >>> and fill in the fields as JSON. Copy each value as it stands "
      "in the text. Where the text does not say, write null.\nFields:\n";
  for (const SchemaField& field : schema.fields()) {
    prompt +=
        "- " + guard::fence(field.path.substr(1)).text + " (" + std::string(kind_word(field.hint)) + ")";
    if (!field.hint.description.empty()) prompt += ": " + guard::fence(field.hint.description).text;
    prompt += "\n";
  }
  prompt += std::string(guard::kFenceOpen) + "\n" + guard::fence(text).text + "\n" +
            std::string(guard::kFenceClose);
  return prompt + "\nJSON:";
}

engine::GenerateRequest request_for(const ExtractSchema& schema, std::string_view text,
                                    const ExtractOptions& options) {
  engine::GenerateRequest request;
  request.messages = {{engine::Role::user, prompt_for(schema, text)}};
  request.max_tokens = options.max_tokens;
  request.sampling = options.sampling;
  request.json_schema = schema.model_schema();
  return request;
}

/// Where to cut so that a part stays whole: behind a blank line, a line, a sentence, a word.
std::size_t good_cut(std::string_view text, std::size_t start, std::size_t most) {
  const std::size_t end = start + utf8_floor(text.substr(start), most);
  if (end >= text.size()) return text.size();
  for (const std::string_view border :
       {std::string_view("\n\n"), std::string_view("\n"), std::string_view(". "), std::string_view(" ")}) {
    const std::size_t at = text.substr(0, end).rfind(border);
    if (at != std::string_view::npos && at > start + (end - start) / 2) return at + border.size();
  }
  return end > start ? end : std::min(text.size(), start + most);
}

/// Parts that fit beside the question and the answer; together they are the whole text.
Result<std::vector<Span>> parts_of(engine::Engine& engine, const ExtractSchema& schema, std::string_view text,
                                   const ExtractOptions& options) {
  const auto fits = [&](Span part) -> Result<bool> {
    auto tokens = engine.count_tokens(request_for(schema, slice(text, part), options).messages);
    if (!tokens) return tokens.error();
    return *tokens + options.max_tokens <= engine.context_tokens();
  };
  auto whole = fits({0, text.size()});
  if (!whole) return whole.error();
  if (*whole) return std::vector<Span>{{0, text.size()}};
  auto frame = engine.count_tokens(request_for(schema, "", options).messages);
  if (!frame) return frame.error();
  auto tokens = engine.count_tokens(text);
  if (!tokens) return tokens.error();
  const int room = engine.context_tokens() - *frame - options.max_tokens;
  if (room < 64) {
    return Error{Kind::out_of_room, "context",
                 "the fields and an answer of " + std::to_string(options.max_tokens) + " tokens leave " +
                     std::to_string(std::max(room, 0)) + " of " + std::to_string(engine.context_tokens()) +
                     " tokens for the text",
                 "a larger --ctx, or a smaller --max-tokens"};
  }
  const double bytes_per_token = static_cast<double>(text.size()) / std::max(*tokens, 1);
  auto most = static_cast<std::size_t>(std::max(64.0, 0.9 * bytes_per_token * room));
  std::vector<Span> parts;
  for (std::size_t start = 0; start < text.size();) {
    Span part{start, good_cut(text, start, most)};
    for (std::size_t size = most;; size /= 2) {  // a stretch with more tokens than the text has on the whole
      auto ok = fits(part);
      if (!ok) return ok.error();
      if (*ok || size < 32) break;
      part.end = good_cut(text, start, size / 2);
    }
    parts.push_back(part);
    start = part.end;
  }
  return parts;
}

bool blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

void add_usage(engine::Usage& sum, const engine::Usage& one) {
  sum.prompt_tokens += one.prompt_tokens;
  sum.reused_tokens += one.reused_tokens;
  sum.answer_tokens += one.answer_tokens;
  sum.prefill_ms += one.prefill_ms;
  sum.decode_ms += one.decode_ms;
}

/// Rows at the end of a list that hold nothing.
void drop_empty_rows(Json& data) {
  if (data.is_object()) {
    for (auto item = data.begin(); item != data.end(); ++item) drop_empty_rows(item.value());
    return;
  }
  if (!data.is_array()) return;
  while (!data.empty()) {
    bool any = false;
    for_each_leaf(data.back(), "",
                  [&](const std::string&, const Json& leaf) { any = any || !leaf.is_null(); });
    if (any) break;
    data.erase(data.size() - 1);
  }
}

Json parsed(const std::string& json) {
  auto value = parse_json(json, "data");
  return value ? *std::move(value) : Json();
}

/// Fills what is null in `into`; lists grow. `moved` says by how much the items of each list have moved.
void merge_json(Json& into, const Json& part, const std::string& path,
                std::vector<std::pair<std::string, std::size_t>>& moved) {
  if (into.is_null()) {
    into = part;
  } else if (into.is_object() && part.is_object()) {
    for (const auto& [key, value] : part.items()) {
      merge_json(into[key], value, path + "/" + pointer_part(key), moved);
    }
  } else if (into.is_array() && part.is_array()) {
    moved.emplace_back(path + "/", into.size());
    for (const Json& item : part) into.push_back(item);
  }
}

}  // namespace

void merge_part(ExtractedData& into, const ExtractedData& part) {
  Json data = parsed(into.data);
  Json more = parsed(part.data);
  drop_empty_rows(data);
  drop_empty_rows(more);
  std::vector<std::pair<std::string, std::size_t>> moved;
  merge_json(data, more, "", moved);
  for (ExtractedValue value : part.values) {
    for (const auto& [prefix, by] : moved) {
      if (!value.path.starts_with(prefix)) continue;
      const std::size_t end = std::min(value.path.find('/', prefix.size()), value.path.size());
      const std::string number = value.path.substr(prefix.size(), end - prefix.size());
      if (number.empty() || number.size() > 9 || number.find_first_not_of("0123456789") != std::string::npos)
        continue;
      value.path = prefix + std::to_string(std::stoul(number) + by) + value.path.substr(end);
    }
    const auto same = std::find_if(into.values.begin(), into.values.end(),
                                   [&](const ExtractedValue& v) { return v.path == value.path; });
    if (same == into.values.end()) {
      into.values.push_back(std::move(value));
    } else if (value.supported && !same->supported) {
      *same = std::move(value);
    }
  }
  into.data = dump_json(data);
  count_values(into);
}

Result<ExtractedData> check_data(const ExtractSchema& schema, const Document& document, std::string_view data,
                                 bool keep_unsupported) {
  auto json = parse_json(data, "data");
  if (!json) return json.error();
  const SourceIndex index(document);
  return check_against(schema, document, index, *json, {0, document.text.size()}, keep_unsupported);
}

ExtractedData extract_by_patterns(const ExtractSchema& schema, const Document& document) {
  if (auto table = extract_tables(schema, document)) return *std::move(table);
  ExtractedData out;
  Json data = parsed(schema.empty_data());
  const baseline::FieldFinder finder(document.text);
  for_each_leaf(data, "", [&](const std::string& path, Json& leaf) {
    const SchemaField* field = field_of(schema, path);
    if (field == nullptr) return;
    const auto guess = finder.find(field->hint);
    if (!guess) return;
    leaf = value_of_text(field->hint, guess->value);
    if (leaf.is_null()) return;
    ExtractedValue value;
    value.path = path;
    value.value = dump_json(leaf);
    value.supported = true;
    value.span = guess->span;
    value.quote = std::string(slice(document.text, guess->span));
    value.page = document.page_at(guess->span.start);
    value.from = ValueFrom::patterns;
    out.values.push_back(std::move(value));
  });
  out.data = dump_json(data);
  count_values(out);
  return out;
}

Result<Extraction> extract(engine::Engine* engine, const ExtractSchema& schema, const Document& document,
                           const ExtractOptions& options, std::stop_token stop) {
  const Stopwatch watch;
  if (blank(document.text)) {
    return Error{Kind::bad_request, document.source, "holds no text",
                 "give a text, or a file with text in it"};
  }
  Extraction out;
  out.baseline = extract_by_patterns(schema, document);
  if (engine == nullptr) {
    out.result = out.baseline;
    out.from = !out.result.values.empty() ? out.result.values.front().from : ValueFrom::patterns;
    out.seconds = watch.milliseconds() / 1000;
    return out;
  }
  out.model = engine->model_name();
  // A list of objects from a table that names them needs no model: it would only copy, and worse.
  if (schema.rows_path() && schema.rows_path()->empty()) {
    if (auto table = extract_tables(schema, document)) {
      out.result = *std::move(table);
      out.from = ValueFrom::table;
      out.notes.emplace_back("the rows were copied from a table; the model was not asked");
      out.seconds = watch.milliseconds() / 1000;
      return out;
    }
  }
  auto parts = parts_of(*engine, schema, document.text, options);
  if (!parts) return parts.error();
  const SourceIndex index(document);
  out.result.data = schema.empty_data();
  out.from = ValueFrom::model;
  for (const Span part : *parts) {
    if (blank(slice(document.text, part))) continue;
    if (stop.stop_requested())
      return Error{Kind::unavailable, document.source, "was interrupted", "run it again"};
    ++out.parts;
    auto draft = engine->generate(request_for(schema, slice(document.text, part), options), {}, stop);
    if (!draft) return draft.error();
    add_usage(out.usage, draft->usage);
    if (draft->finish == engine::FinishReason::cancelled) {
      return Error{Kind::unavailable, document.source, "was interrupted", "run it again"};
    }
    const auto json = parse_json(draft->text, "the model's answer");
    const std::string which = parts->size() > 1 ? "part " + std::to_string(out.parts) + ": " : "";
    if (!json || (!json->is_object() && !json->is_array())) {
      ++out.parts_failed;
      out.notes.push_back(which + "the model's answer is not valid JSON" +
                          (draft->finish == engine::FinishReason::length
                               ? ", for it was cut off after " + std::to_string(options.max_tokens) +
                                     " tokens; try a larger --max-tokens"
                               : "") +
                          "; it counts as no answer");
      continue;
    }
    const ExtractedData checked =
        check_against(schema, document, index, *json, part, options.keep_unsupported);
    merge_part(out.result, checked);
  }
  if (out.parts > 1) {
    out.notes.push_back("the text was read in " + std::to_string(out.parts) + " parts; none was left out");
  }
  out.seconds = watch.milliseconds() / 1000;
  return out;
}

}  // namespace loam::tasks
