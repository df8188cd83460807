#include "train/span_data.h"

#include <array>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/json.h"
#include "base/utf8.h"
#include "eval/data_file.h"
#include "reader/text.h"

namespace loam::train {
namespace {

enum class SpanFlaw { malformed, empty, misplaced, moved, repeated, unanswered };
constexpr std::size_t kSpanFlaws = 6;

const std::string* string_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get_ptr<const std::string*>() : nullptr;
}

/// The byte where code point `number` begins; nothing beyond the end.
std::optional<std::size_t> byte_of(std::string_view text, std::size_t number) {
  std::size_t at = 0;
  for (; number > 0 && at < text.size(); --number) at += decode_utf8(text.substr(at)).size;
  if (number > 0) return std::nullopt;
  return at;
}

/// Collects items and what is wrong with the others.
class SpanReader {
 public:
  SpanReader(SpanData& data, Answers answers) : data_(data), answers_(answers) {}

  std::size_t passage(const std::string& text, const std::string& group) {
    const auto [found, is_new] = numbers_.emplace(text, data_.passages.size());
    if (is_new) {
      data_.passages.push_back(text);
      data_.groups.push_back(group.empty() ? "passage " + std::to_string(found->second) : group);
    }
    return found->second;
  }

  void malformed(std::size_t line, const std::string& why) {
    if (first_reason_.empty()) first_reason_ = "line " + std::to_string(line) + ": " + why;
    see(SpanFlaw::malformed, line);
  }

  /// `answers` is null where nothing is marked: the passage does not answer, or `answers_somewhere` says that
  /// it does.
  void add(std::size_t line, const std::string& question, const std::string& context,
           const std::string& group, const Json* answers, bool answers_somewhere = false,
           const std::vector<std::string>& negatives = {}) {
    if (answers_ == Answers::optional && answers == nullptr && !answers_somewhere) {
      return see(SpanFlaw::unanswered, line);
    }
    if (reader::trimmed(question).empty() || reader::trimmed(context).empty()) {
      return see(SpanFlaw::empty, line);
    }
    SpanQuestion item;
    item.question = question;
    item.line = line;
    bool was_moved = false;
    if (answers != nullptr) {
      for (const Json& answer : *answers) {
        const std::string* text = answer.is_object() ? string_at(answer, "text") : nullptr;
        if (text == nullptr) return malformed(line, "an answer has no \"text\"");
        if (reader::trimmed(*text).empty()) return see(SpanFlaw::empty, line);
        std::optional<Span> span = stated(answer, *text, context);
        if (!span) {
          const std::size_t found = context.find(*text);
          if (found == std::string::npos) return see(SpanFlaw::misplaced, line);
          was_moved = was_moved || context.find(*text, found + 1) != std::string::npos ||
                      answer.contains("start") || answer.contains("answer_start");
          span = Span{found, found + text->size()};
        }
        item.answers.push_back(*span);
      }
    }
    item.passage = passage(context, group);
    for (const std::string& negative : negatives) item.negatives.push_back(passage(negative, group));
    std::string key = std::to_string(item.passage) + '\0' + question;
    for (const Span& answer : item.answers) {
      key += '\0' + std::to_string(answer.start) + ',' + std::to_string(answer.end);
    }
    if (!said_.insert(std::move(key)).second) return see(SpanFlaw::repeated, line);
    if (was_moved) see(SpanFlaw::moved, line);
    data_.items.push_back(std::move(item));
  }

  void tell() {
    const auto note = [&](SpanFlaw flaw, std::string kind, const std::string& message, eval::Rows rows) {
      const eval::SeenRows& those = seen_[static_cast<std::size_t>(flaw)];
      eval::add_note(data_.notes, std::move(kind), eval::counted(those.count, "row") + " " + message, those,
                     rows);
    };
    note(SpanFlaw::malformed, "malformed", "that cannot be read (" + first_reason_ + ")",
         eval::Rows::left_out);
    note(SpanFlaw::empty, "empty", "with an empty question, passage or answer", eval::Rows::left_out);
    note(SpanFlaw::misplaced, "misplaced", "with an answer that does not stand in the passage",
         eval::Rows::left_out);
    note(SpanFlaw::repeated, "duplicate", "the same as an earlier one", eval::Rows::left_out);
    note(SpanFlaw::unanswered, "unanswered", "with a passage that does not answer", eval::Rows::left_out);
    note(SpanFlaw::moved, "moved",
         "with an answer that was looked for: the first place in the passage counts", eval::Rows::kept);
  }

  const std::string& first_reason() const { return first_reason_; }

 private:
  void see(SpanFlaw flaw, std::size_t line) { seen_[static_cast<std::size_t>(flaw)].add(line); }

  static std::optional<Span> stated(const Json& answer, const std::string& text, const std::string& context) {
    for (const char* key : {"start", "answer_start"}) {
      const auto found = answer.find(key);
      if (found == answer.end() || !found->is_number_unsigned()) continue;
      const auto at = byte_of(context, found->get<std::size_t>());
      if (at && context.compare(*at, text.size(), text) == 0) return Span{*at, *at + text.size()};
    }
    return std::nullopt;
  }

  SpanData& data_;
  Answers answers_;
  std::unordered_map<std::string, std::size_t> numbers_;
  std::set<std::string> said_;
  std::array<eval::SeenRows, kSpanFlaws> seen_;
  std::string first_reason_;
};

/// {"data":[{"title","paragraphs":[{"context","qas":[{"question","answers","is_impossible"}]}]}]}
void read_squad(const Json& file, SpanReader& into, std::size_t& rows) {
  for (const Json& article : file["data"]) {
    const std::string* title = article.is_object() ? string_at(article, "title") : nullptr;
    const auto paragraphs = article.is_object() ? article.find("paragraphs") : article.end();
    if (!article.is_object() || paragraphs == article.end() || !paragraphs->is_array()) {
      into.malformed(++rows, "an article has no \"paragraphs\"");
      continue;
    }
    for (const Json& paragraph : *paragraphs) {
      const std::string* context = paragraph.is_object() ? string_at(paragraph, "context") : nullptr;
      if (context == nullptr || !paragraph.contains("qas") || !paragraph["qas"].is_array()) {
        into.malformed(++rows, "a paragraph has no \"context\" or no \"qas\"");
        continue;
      }
      // Passages without questions are other passages for the questions of the rest.
      into.passage(*context, title == nullptr ? "" : "article " + *title);
      for (const Json& qa : paragraph["qas"]) {
        ++rows;
        const std::string* question = qa.is_object() ? string_at(qa, "question") : nullptr;
        const auto answers = qa.is_object() ? qa.find("answers") : qa.end();
        if (question == nullptr || answers == qa.end() || !answers->is_array()) {
          into.malformed(rows, "a question has no \"question\" or no \"answers\"");
          continue;
        }
        const auto impossible = qa.find("is_impossible");
        const bool none = answers->empty() || (impossible != qa.end() && *impossible == true);
        into.add(rows, *question, *context, title == nullptr ? "" : "article " + *title,
                 none ? nullptr : &*answers);
      }
    }
  }
}

void read_span_line(const Json& object, std::size_t line, const SpanDataOptions& options, SpanReader& into) {
  const std::string* question = string_at(object, "question");
  const std::string* context = string_at(object, "context");
  if (context == nullptr) context = string_at(object, "passage");
  if (question == nullptr || context == nullptr) {
    return into.malformed(line, "no \"question\" or no \"context\"");
  }
  std::string group;
  for (const std::string& key : options.group_column.empty()
                                    ? std::vector<std::string>{"document", "title"}
                                    : std::vector<std::string>{options.group_column}) {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) continue;
    group = "group " + (found->is_string() ? found->get<std::string>() : dump_json(*found));
    break;
  }
  if (const auto answers = object.find("answers"); answers != object.end()) {
    if (!answers->is_array()) return into.malformed(line, "\"answers\" is not an array");
    return into.add(line, *question, *context, group, answers->empty() ? nullptr : &*answers);
  }
  const auto answer = object.find("answer");
  if (options.answers == Answers::optional && (answer == object.end() || !answer->is_string())) {
    std::vector<std::string> negatives;
    for (const char* key : {"negative", "negatives"}) {
      const auto found = object.find(key);
      if (found == object.end() || found->is_null()) continue;
      for (const Json& one : found->is_array() ? *found : Json::array({*found})) {
        if (!one.is_string()) return into.malformed(line, "a negative is not a text");
        negatives.push_back(one.get<std::string>());
      }
    }
    const bool none = answer != object.end() && answer->is_null();
    return into.add(line, *question, *context, group, nullptr, !none, negatives);
  }
  if (answer == object.end() || !(answer->is_null() || answer->is_string())) {
    return into.malformed(line, "no \"answers\"");
  }
  if (answer->is_null()) return into.add(line, *question, *context, group, nullptr);
  Json one = Json::array({Json{{"text", *answer}}});
  if (object.contains("start")) one[0]["start"] = object["start"];
  into.add(line, *question, *context, group, &one);
}

}  // namespace

Result<SpanData> parse_span_data(std::string_view bytes, const std::string& name,
                                 const SpanDataOptions& options) {
  SpanData data;
  data.version = eval::version_of(name, bytes);
  auto text = eval::decode_data(bytes, name, data.notes);
  if (!text) return text.error();
  SpanReader into(data, options.answers);
  const auto whole = parse_json(*text, name);
  if (whole && whole->is_object() && whole->contains("data") && (*whole)["data"].is_array()) {
    read_squad(*whole, into, data.rows);
  } else {
    std::size_t number = 0;
    for (const Span span : reader::lines_of(*text)) {
      ++number;
      const std::string_view line = reader::trimmed(slice(*text, span));
      if (line.empty()) continue;
      ++data.rows;
      const auto value = parse_json(line, "line " + std::to_string(number));
      if (value && value->is_object()) {
        read_span_line(*value, number, options, into);
      } else {
        into.malformed(number, value ? "not a JSON object" : "not JSON");
      }
    }
  }
  into.tell();
  if (data.items.empty()) {
    return Error{
        Kind::bad_data, name,
        data.rows == 0 ? "there are no questions"
                       : "none of its " + eval::counted(data.rows, "row") + " can be learnt from" +
                             (into.first_reason().empty() ? "" : " (" + into.first_reason() + ")"),
        "give SQuAD's JSON, or {\"question\",\"context\",\"answers\":[{\"text\",\"start\"}]} on each line"};
  }
  data.version.items = data.items.size();
  return data;
}

Result<SpanData> read_span_data(const std::filesystem::path& file, const SpanDataOptions& options) {
  auto bytes = eval::read_data_file(file);
  if (!bytes) return bytes.error();
  return parse_span_data(*bytes, file.string(), options);
}

}  // namespace loam::train
