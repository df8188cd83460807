#include "train/training_data.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"
#include "eval/data_file.h"
#include "reader/csv_records.h"
#include "reader/text.h"
#include "train/random.h"

namespace loam::train {
namespace {

using engine::Message;
using engine::Role;

enum class Flaw { malformed, no_answer, empty, repeated, conflicting };
constexpr std::size_t kFlaws = 5;

/// A row before it is judged. Without `messages` it is malformed, and `why` says how.
struct Row {
  std::size_t line = 0;
  std::vector<Message> messages;
  std::string group;
  std::string why;
};

std::string lower_ending(const std::string& name) {
  return to_lower_utf8(std::filesystem::path(name).extension().string());
}

bool is_table(std::string_view bytes, const std::string& name) {
  const std::string ending = lower_ending(name);
  if (ending == ".csv" || ending == ".tsv" || ending == ".tab") return true;
  if (ending == ".jsonl" || ending == ".ndjson" || ending == ".json") return false;
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  const std::string_view start = reader::trimmed(bytes.substr(0, 4096));
  return !start.starts_with('{') && !start.starts_with('[');
}

const std::string* text_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get_ptr<const std::string*>() : nullptr;
}

std::vector<Message> exchange(const std::string* system, const std::string& prompt, const std::string* input,
                              const std::string& answer) {
  std::vector<Message> messages;
  if (system != nullptr && !reader::trimmed(*system).empty()) messages.push_back({Role::system, *system});
  std::string asked = prompt;
  if (input != nullptr && !reader::trimmed(*input).empty()) asked += "\n\n" + *input;
  messages.push_back({Role::user, std::move(asked)});
  messages.push_back({Role::assistant, answer});
  return messages;
}

/// OpenAI's list of messages; content may be a text or a list of text parts.
std::optional<std::vector<Message>> conversation_of(const Json& list, std::string& why) {
  if (!list.is_array()) {
    why = "\"messages\" is not an array";
    return std::nullopt;
  }
  std::vector<Message> messages;
  for (const Json& entry : list) {
    const std::string* role = entry.is_object() ? text_at(entry, "role") : nullptr;
    if (role == nullptr) {
      why = "a message has no \"role\"";
      return std::nullopt;
    }
    Message message;
    if (*role == "system" || *role == "developer") {
      message.role = Role::system;
    } else if (*role == "user") {
      message.role = Role::user;
    } else if (*role == "assistant") {
      message.role = Role::assistant;
    } else {
      why = "the role \"" + to_valid_utf8(role->substr(0, 40)) + "\" cannot be trained";
      return std::nullopt;
    }
    if (const std::string* content = text_at(entry, "content"); content != nullptr) {
      message.content = *content;
    } else if (entry.contains("content") && entry["content"].is_array()) {
      for (const Json& part : entry["content"]) {
        const std::string* text = part.is_object() ? text_at(part, "text") : nullptr;
        if (text == nullptr) {
          why = "a message holds something that is not text";
          return std::nullopt;
        }
        message.content += *text;
      }
    } else {
      why = "a message has no \"content\"";
      return std::nullopt;
    }
    messages.push_back(std::move(message));
  }
  return messages;
}

Row row_of(const Json& object, std::size_t line, const TrainingDataOptions& options) {
  Row row;
  row.line = line;
  const std::string group = options.group_column.empty() ? "document" : options.group_column;
  if (const auto found = object.find(group); found != object.end() && !found->is_null()) {
    row.group = found->is_string() ? found->get<std::string>() : dump_json(*found);
  }
  if (object.contains("messages")) {
    if (auto messages = conversation_of(object["messages"], row.why)) row.messages = *std::move(messages);
    return row;
  }
  const std::string* system = text_at(object, "system");
  for (const auto& [prompt_key, answer_key] :
       {std::pair{"prompt", "response"}, std::pair{"prompt", "completion"},
        std::pair{"instruction", "output"}, std::pair{"instruction", "response"}}) {
    const std::string* prompt = text_at(object, prompt_key);
    const std::string* answer = text_at(object, answer_key);
    if (prompt == nullptr || answer == nullptr) continue;
    row.messages = exchange(system, *prompt, text_at(object, "input"), *answer);
    return row;
  }
  row.why = "neither \"prompt\" and \"response\" nor \"messages\"";
  return row;
}

std::vector<Row> rows_of_lines(std::string_view text, const TrainingDataOptions& options) {
  std::vector<Row> rows;
  std::size_t number = 0;
  for (const Span span : reader::lines_of(text)) {
    ++number;
    const std::string_view line = reader::trimmed(slice(text, span));
    if (line.empty()) continue;
    const auto value = parse_json(line, "line " + std::to_string(number));
    if (value && value->is_object()) {
      rows.push_back(row_of(*value, number, options));
    } else {
      Row row;
      row.line = number;
      row.why = value ? "not a JSON object" : "not JSON";
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

Result<std::vector<Row>> rows_of_table(std::string_view bytes, const std::string& name,
                                       const TrainingDataOptions& options,
                                       std::vector<eval::DataNote>& notes) {
  auto table = reader::read_csv_records(bytes, name);
  if (!table) return table.error();
  eval::add_encoding_notes(table->notes, notes);
  std::vector<Row> rows;
  if (table->records.empty()) return rows;
  std::vector<std::string> header;
  for (const std::string& cell : table->records.front().fields) header.emplace_back(reader::trimmed(cell));
  const auto at = [&](std::string_view column) -> std::optional<std::size_t> {
    const auto found = std::find(header.begin(), header.end(), column);
    if (found == header.end()) return std::nullopt;
    return static_cast<std::size_t>(found - header.begin());
  };
  const std::string place = eval::place_of(name, table->records.front().line);
  const auto prompt = at("prompt") ? at("prompt") : at("instruction");
  const auto answer = at("response") ? at("response") : at("completion") ? at("completion") : at("output");
  if (!prompt) {
    return eval::no_such_column(place, "prompt", header, "column", "name the columns prompt and response");
  }
  if (!answer) {
    return eval::no_such_column(place, "response", header, "column", "name the columns prompt and response");
  }
  if (!options.group_column.empty() && !at(options.group_column)) {
    return eval::no_such_column(place, options.group_column, header, "column", "name another --group");
  }
  const auto group = at(options.group_column.empty() ? "document" : options.group_column);
  const auto system = at("system"), input = at("input");
  for (auto record = table->records.begin() + 1; record != table->records.end(); ++record) {
    Row row;
    row.line = record->line;
    if (record->fields.size() != header.size()) {
      row.why = std::to_string(record->fields.size()) + " cells under " + std::to_string(header.size()) +
                " columns";
    } else {
      const auto cell = [&](std::optional<std::size_t> column) {
        return column ? &record->fields[*column] : nullptr;
      };
      if (group) row.group = *cell(group);
      row.messages = exchange(cell(system), *cell(prompt), cell(input), *cell(answer));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

/// Everything that is said before the last answer, and everything at all.
std::pair<std::string, std::string> keys_of(const std::vector<Message>& messages) {
  std::string before;
  for (std::size_t i = 0; i + 1 < messages.size(); ++i) {
    before += std::to_string(static_cast<int>(messages[i].role)) + messages[i].content + '\0';
  }
  return {before, before + messages.back().content};
}

std::optional<Flaw> flaw_of(const std::vector<Message>& messages) {
  if (messages.empty() || messages.back().role != Role::assistant) return Flaw::no_answer;
  bool asked = false;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].role != Role::system && reader::trimmed(messages[i].content).empty()) return Flaw::empty;
    if (messages[i].role == Role::assistant && !asked) return Flaw::no_answer;
    asked = messages[i].role == Role::user || asked;
  }
  return std::nullopt;
}

}  // namespace

Result<TrainingData> parse_training_data(std::string_view bytes, const std::string& name,
                                         const TrainingDataOptions& options) {
  TrainingData data;
  data.version = eval::version_of(name, bytes);
  std::vector<Row> rows;
  if (is_table(bytes, name)) {
    auto read = rows_of_table(bytes, name, options, data.notes);
    if (!read) return read.error();
    rows = *std::move(read);
  } else {
    auto text = eval::decode_data(bytes, name, data.notes);
    if (!text) return text.error();
    rows = rows_of_lines(*text, options);
  }
  data.rows = rows.size();
  eval::SeenRows seen[kFlaws];
  const auto see = [&](Flaw flaw, std::size_t line) { seen[static_cast<std::size_t>(flaw)].add(line); };
  std::string first_reason;
  std::map<std::string, std::string> answered;
  std::set<std::string> said;
  for (Row& row : rows) {
    if (!row.why.empty()) {
      if (first_reason.empty()) first_reason = "line " + std::to_string(row.line) + ": " + row.why;
      see(Flaw::malformed, row.line);
      continue;
    }
    if (const auto flaw = flaw_of(row.messages)) {
      see(*flaw, row.line);
      continue;
    }
    const auto [before, all] = keys_of(row.messages);
    if (!said.insert(all).second) {
      see(Flaw::repeated, row.line);
      continue;
    }
    if (!answered.emplace(before, all).second) see(Flaw::conflicting, row.line);
    Conversation item;
    item.line = row.line;
    item.cluster = row.group.empty() ? eval::normalised_text(before) : "group " + row.group;
    item.messages = std::move(row.messages);
    data.items.push_back(std::move(item));
  }
  const auto tell = [&](Flaw flaw, std::string kind, const std::string& message, eval::Rows rows_are) {
    const eval::SeenRows& those = seen[static_cast<std::size_t>(flaw)];
    eval::add_note(data.notes, std::move(kind), eval::counted(those.count, "row") + " " + message, those,
                   rows_are);
  };
  tell(Flaw::malformed, "malformed", "that cannot be read (" + first_reason + ")", eval::Rows::left_out);
  tell(Flaw::no_answer, "no answer", "without an answer to a question at the end", eval::Rows::left_out);
  tell(Flaw::empty, "empty", "with an empty prompt or response", eval::Rows::left_out);
  tell(Flaw::repeated, "duplicate", "the same as an earlier one", eval::Rows::left_out);
  tell(Flaw::conflicting, "conflicting", "with a prompt that has another answer in an earlier row",
       eval::Rows::kept);
  if (data.items.empty()) {
    return Error{Kind::bad_data, name,
                 data.rows == 0 ? "there are no rows"
                                : "none of its " + eval::counted(data.rows, "row") + " can be learnt from" +
                                      (first_reason.empty() ? "" : " (" + first_reason + ")"),
                 "give a JSON object with \"prompt\" and \"response\" on each line"};
  }
  data.version.items = data.items.size();
  return data;
}

Result<TrainingData> read_training_data(const std::filesystem::path& file,
                                        const TrainingDataOptions& options) {
  auto bytes = eval::read_data_file(file);
  if (!bytes) return bytes.error();
  return parse_training_data(*bytes, file.string(), options);
}

Result<TrainingSplit> split_training_data(const TrainingData& data, double share, std::uint64_t seed) {
  std::vector<std::string> cluster_of;
  for (const Conversation& item : data.items) cluster_of.push_back(item.cluster);
  return split_clusters(cluster_of, share, seed, data.version.file);
}

Result<TrainingSplit> split_clusters(std::span<const std::string> cluster_of, double share,
                                     std::uint64_t seed, const std::string& file) {
  TrainingSplit split;
  if (share <= 0.0) {
    for (std::size_t i = 0; i < cluster_of.size(); ++i) split.train.push_back(i);
    return split;
  }
  std::map<std::string, std::vector<std::size_t>> clusters;
  for (std::size_t i = 0; i < cluster_of.size(); ++i) clusters[cluster_of[i]].push_back(i);
  std::vector<const std::vector<std::size_t>*> order;
  for (const auto& [name, items] : clusters) order.push_back(&items);
  Random random(seed ^ 0x5EED5EED5EED5EEDULL);
  random.shuffle(order);
  const auto wanted =
      static_cast<std::size_t>(std::max(1.0, share * static_cast<double>(cluster_of.size()) + 0.5));
  for (const auto* cluster : order) {
    // A cluster that would overshoot by more than it fills is left to the training part.
    const bool fits = split.held_out.size() + cluster->size() / 2 < wanted;
    auto& part = split.held_out.size() < wanted && fits ? split.held_out : split.train;
    part.insert(part.end(), cluster->begin(), cluster->end());
  }
  if (split.train.empty() || split.held_out.empty()) {
    return Error{Kind::bad_request, file,
                 "no part of it can be held out: its " + eval::counted(cluster_of.size(), "item") +
                     " are of " + eval::counted(clusters.size(), "group"),
                 "give more data, or hold nothing out: --holdout 0"};
  }
  std::sort(split.train.begin(), split.train.end());
  std::sort(split.held_out.begin(), split.held_out.end());
  return split;
}

}  // namespace loam::train
